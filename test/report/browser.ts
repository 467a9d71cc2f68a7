// A browser without a window, for pages that are files: everything that such a page says, asks for or does wrong is noted.
import { chromium, type Browser, type Page } from 'playwright-core';

export async function openBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--no-first-run',
    ],
  });
}

export interface Opened {
  readonly page: Page;
  /** Console messages, errors and requests beside the page's own. */
  readonly complaints: string[];
  readonly close: () => Promise<void>;
}

export interface Viewing {
  readonly width?: number;
  readonly scheme?: 'light' | 'dark';
  readonly isScripted?: boolean;
}

export async function openPage(
  browser: Browser,
  path: string,
  { width = 1400, scheme = 'light', isScripted = true }: Viewing = {},
): Promise<Opened> {
  const context = await browser.newContext({
    viewport: { width, height: 900 },
    colorScheme: scheme,
    javaScriptEnabled: isScripted,
    offline: true,
    // axe is injected by the test; the page's own policy forbids scripts.
    bypassCSP: false,
  });
  const page = await context.newPage();
  const complaints: string[] = [];
  const url = `file://${path}`;
  page.on('console', (message) => complaints.push(`console: ${message.text()}`));
  page.on('pageerror', (error) => complaints.push(`error: ${error.message}`));
  page.on('request', (request) => {
    if (request.url() !== url) complaints.push(`request: ${request.url()}`);
  });
  await page.goto(url);
  return { page, complaints, close: async () => context.close() };
}
