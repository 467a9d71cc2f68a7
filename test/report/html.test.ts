// The report, opened in Chromium: nothing wrong on the console, nothing beyond the page's sides, everything within reach of a keyboard,
// nothing that axe finds, and arrows that join the packets they stand for.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import axe from 'axe-core';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { methodOf } from '../../src/balancers/index.ts';
import { readCapture } from '../../src/pcap/index.ts';
import { htmlReport } from '../../src/report/html.ts';
import type { Judged } from '../../src/report/types.ts';
import { failovers, type Failover } from '../../src/verify/failover.ts';
import { judgeRound, summary } from '../../src/verify/index.ts';
import { pcap, segment } from '../pcap/build.ts';
import { recorded, withCaptures } from '../verify/evidence.ts';
import { openBrowser, openPage, type Viewing } from './browser.ts';
import { HOSTILE, LONG, result } from './results.ts';

let browser: Browser;
let folder: string;

beforeAll(async () => {
  [browser, folder] = await Promise.all([openBrowser(), mkdtemp(join(tmpdir(), 'lblab-report-'))]);
});

afterAll(async () => {
  await browser.close();
  await rm(folder, { recursive: true, force: true });
});

async function judgedLab(lab: string): Promise<Judged> {
  const evidence = await recorded(lab);
  const { topology } = evidence;
  const checks = judgeRound(evidence, methodOf(topology.balancer!.method).claims(topology), { live: true });
  return {
    topology,
    evidence,
    output: `/work/captures/${lab}`,
    checks,
    status: summary(checks),
    kernel: 'uml',
  };
}

async function saved(
  name: string,
  results: readonly Judged[],
  failed?: readonly Failover[],
): Promise<string> {
  const path = join(folder, `${name}.html`);
  await writeFile(path, htmlReport(results, '/work', failed));
  return path;
}

async function opened(name: string, results: readonly Judged[], viewing?: Viewing) {
  return openPage(browser, await saved(name, results), viewing);
}

/** Elements that reach beyond the page's right side, by their tags and words. */
const OVERFLOWING = `
  [...document.querySelectorAll('body *')]
    .filter((element) => element.closest('.scroll') === null || element.classList.contains('scroll'))
    .filter((element) => element.getBoundingClientRect().right > innerWidth + 0.5)
    .map((element) => element.tagName + ' ' + element.textContent.slice(0, 40))`;

const OPEN_ALL = `for (const each of document.querySelectorAll('details')) each.open = true`;

test.each(['l7', 'nat', 'fullnat', 'dsr', 'tun', 'nat-second-leg', 'dsr-routed', 'dsr-no-loopback'])(
  'the report of %s fits into 390 and 1400 pixels, light and dark, and has nothing to complain of',
  async (lab) => {
    const { page, complaints, close } = await opened(lab, [await judgedLab(lab)]);
    await page.evaluate(OPEN_ALL);
    for (const [width, scheme] of [
      [390, 'dark'],
      [1400, 'light'],
    ] as const) {
      await page.setViewportSize({ width, height: 900 });
      await page.emulateMedia({ colorScheme: scheme });
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
      expect(await page.evaluate(OVERFLOWING)).toStrictEqual([]);
    }
    expect(complaints).toStrictEqual([]);
    await close();
  },
);

test.each(['light', 'dark'] as const)(
  'axe finds nothing, %s, with everything open',
  async (scheme) => {
    const labs = await Promise.all(['l7', 'dsr', 'nat-second-leg'].map(judgedLab));
    const { page, close } = await opened('axe', labs, { scheme });
    await page.evaluate(OPEN_ALL);
    await page.evaluate(axe.source);
    const found = await page.evaluate<{ violations: { id: string; nodes: { html: string }[] }[] }>(
      `axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice'] })`,
    );
    expect(
      found.violations.map(({ id, nodes }) => [id, nodes.slice(0, 3).map(({ html }) => html.slice(0, 200))]),
    ).toStrictEqual([]);
    await close();
  },
  60_000,
);

test('a fault that a log puts years before the requests is drawn, with few numbers below', async () => {
  const evidence = await recorded('l7-fault');
  const long = {
    ...evidence,
    faults: evidence.faults!.map((fault) => ({ ...fault, began: -2e9, done: -1e9 })),
  };
  const page = htmlReport([], '/', failovers(long));
  expect(page.match(/text-anchor="middle"/g)!.length).toBeLessThan(70);
});

test('what faults cost: a table, and for each client a picture of time with a dot for each request, red on a line of their own when lost', async () => {
  const labs = await Promise.all(['dnsrr', 'l7-fault', 'pair'].map(recorded));
  const path = await saved('failover', [], labs.flatMap(failovers));
  const { page, complaints, close } = await openPage(browser, path);
  expect(await page.locator('h1').allInnerTexts()).toStrictEqual(['What it costs when a server goes down']);
  const rows = page.locator('tbody tr');
  expect(await rows.locator('th').allInnerTexts()).toStrictEqual([
    'dnsrr, client asks each time',
    'dnsrr, client keeps answers',
    'dnsrr, curl as it is',
    'l7-fault',
    'pair',
    'pair, one connection kept',
  ]);
  const pictures = page.getByRole('img');
  expect(await pictures.nth(1).getAttribute('aria-label')).toBe(
    'dnsrr, client keeps answers: 10 of 30 requests lost',
  );
  expect(await pictures.nth(1).locator('circle').count()).toBe(29);
  expect(await pictures.nth(1).locator('circle.gone').count()).toBe(10);
  expect(await pictures.nth(1).locator('line.fault').count()).toBe(1);
  await page.evaluate(axe.source);
  for (const scheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme: scheme });
    const found = await page.evaluate<{ violations: { id: string }[] }>(`axe.run(document)`);
    expect(found.violations.map(({ id }) => id)).toStrictEqual([]);
    await page.setViewportSize({ width: 390, height: 900 });
    expect(await page.evaluate(OVERFLOWING)).toStrictEqual([]);
  }
  expect(complaints).toStrictEqual([]);
  await close();
});

test('works without JavaScript: nothing in it is a script, and its policy forbids any', async () => {
  const text = htmlReport([await judgedLab('dsr')], '/work');
  expect(text).not.toMatch(/<script|javascript:|\son\w+=/i);
  expect(text).toMatch(
    /<meta http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;; style-src &#39;sha256-[A-Za-z0-9+/]{43}=&#39;; base-uri &#39;none&#39;; form-action &#39;none&#39;">/,
  );
  expect(text).not.toMatch(/(?:src|href)="(?!#)/);
  const { page, complaints, close } = await opened('plain', [await judgedLab('dsr')], { isScripted: false });
  expect(await page.locator('h1').innerText()).toBe(
    'L4 load balancing by direct server return (IPVS \u2011g)',
  );
  // The style was taken, so its hash is right.
  expect(
    await page.evaluate<string>(`getComputedStyle(document.querySelector('.panel')).borderTopLeftRadius`),
  ).toBe('14px');
  const claim = page.locator('.claims details').nth(1);
  expect(await claim.locator('.body').isVisible()).toBe(false);
  await claim.locator('summary').press('Enter');
  expect(await claim.locator('.body').isVisible()).toBe(true);
  expect(complaints).toStrictEqual([]);
  await close();
});

test('each summary and each part that scrolls is reached by the Tab key', async () => {
  const { page, close } = await opened('keyboard', [await judgedLab('dsr')], { width: 390 });
  const wanted = await page.evaluate<number>(
    `[...document.querySelectorAll('summary, a, [tabindex="0"]')].filter((element) => element.checkVisibility({ contentVisibilityAuto: true })).length`,
  );
  const reached = new Set<string>();
  for (let presses = 0; presses < wanted + 5; presses++) {
    await page.keyboard.press('Tab');
    reached.add(
      await page.evaluate<string>(
        `[...document.querySelectorAll('*')].indexOf(document.activeElement) + ' ' + document.activeElement.tagName`,
      ),
    );
  }
  reached.delete('-1 undefined');
  expect([...reached].filter((each) => !each.endsWith(' BODY')).length).toBe(wanted);
  await close();
});

interface Drawn {
  readonly dots: readonly { x: number; y: number; capture: string; packet: number }[];
  readonly lines: readonly { x1: number; x2: number; y1: number; y2: number; kind: string }[];
}

test.each(['l7', 'nat', 'fullnat', 'dsr', 'tun'])(
  'in the ladder of %s each arrow joins the dots of its packet, from the first to the last, without a gap',
  async (lab) => {
    const judged = await judgedLab(lab);
    const { page, close } = await opened(`arrows-${lab}`, [judged]);
    const rows = await page.evaluate<Drawn[]>(`
      [...document.querySelector('svg.ladder').querySelectorAll('g.row')].map((row) => ({
        dots: [...row.querySelectorAll('circle.seen')].map((dot) => ({
          x: dot.cx.baseVal.value, y: dot.cy.baseVal.value,
          capture: dot.dataset.capture, packet: Number(dot.dataset.packet) })),
        lines: [...row.querySelectorAll('line.leg, line.hop')].map((line) => ({
          x1: line.x1.baseVal.value, x2: line.x2.baseVal.value,
          y1: line.y1.baseVal.value, y2: line.y2.baseVal.value, kind: line.classList[0] })),
      }))`);
    expect(rows.length).toBe(lab === 'l7' ? 20 : 10);
    const seen = new Map<string, Set<number>>();
    for (const { dots, lines } of rows) {
      const y = dots[0]!.y;
      expect(
        [...dots.map((dot) => dot.y), ...lines.flatMap(({ y1, y2 }) => [y1, y2])].every((each) => each === y),
      ).toBe(true);
      const legs = lines.filter(({ kind }) => kind === 'leg');
      const hops = lines.filter(({ kind }) => kind === 'hop');
      // From each machine that has it to the next, and through those that pass it on.
      expect(legs[0]!.x1).toBe(dots[0]!.x);
      expect(Math.abs(legs.at(-1)!.x2 - dots.at(-1)!.x)).toBeLessThan(14);
      expect(hops.map(({ x1 }) => x1)).toStrictEqual(legs.slice(0, -1).map(({ x2 }) => x2));
      expect(hops.map(({ x2 }) => x2)).toStrictEqual(legs.slice(1).map(({ x1 }) => x1));
      for (const { capture, packet } of dots) {
        const numbers = seen.get(capture) ?? new Set();
        expect(numbers.has(packet)).toBe(false);
        seen.set(capture, numbers.add(packet));
      }
    }
    // All packets of the connection, at each point.
    const first = judged.evidence.requests![0]!.localPort;
    for (const [capture, numbers] of seen) {
      const its = judged.evidence.captures
        .get(capture)!
        .capture.packets.filter(({ tcp }) => tcp?.sourcePort === first || tcp?.destinationPort === first);
      if (lab === 'l7' && capture !== 'client' && capture !== 'eth0') continue;
      expect(
        [...numbers].sort((a, b) => a - b),
        capture,
      ).toStrictEqual(its.map(({ number }) => number));
    }
    await close();
  },
);

test('a pointer on an arrow is told the packet at each point', async () => {
  const { page, close } = await opened('hover', [await judgedLab('dsr')]);
  const title = await page.locator('svg.ladder g.row title').first().textContent();
  expect(title!.split('\n').map((line) => line.replace(/ {2}.*/, ''))).toStrictEqual([
    'SYN',
    'client: 3',
    'lb: 3',
    'lb: 6',
    'backend2: 1',
    'lb took 40.0 us',
  ]);
  await close();
});

test('says who answered, what was proven by which packets, and how to do it again', async () => {
  const { page, close } = await opened('words', [await judgedLab('dsr')]);
  const claim = page.locator('.claims > li', { hasText: 'dsr.mac' });
  await claim.locator('summary').click();
  expect(await claim.locator('blockquote[lang=ja]').innerText()).not.toBe('');
  expect(await claim.locator('.evidence h4').allInnerTexts()).toContain('lb.pcap');
  expect(await claim.locator('.evidence pre').first().innerText()).toContain(
    '02:00:c0:a8:0b:6a > 02:00:c0:a8:0b:6d',
  );
  const text = await page.locator('main').innerText();
  expect(text).toContain('4 of 4 requests answered');
  expect(text).toContain('lblab run dsr');
  expect(text).toContain('lblab verify --captures captures/dsr');
  expect(await page.locator('.steps strong').allInnerTexts()).toStrictEqual([
    'client → lb',
    'lb → be2',
    'be2 → client',
  ]);
  const commands = page.locator('details.more', { hasText: 'Addresses, configuration, services' }).last();
  await commands.locator('summary').click();
  expect(await commands.locator('pre').innerText()).toContain(
    'ip netns exec lblab-dsr-lb ipvsadm -A -t 192.168.11.107:80 -s lc',
  );
  await close();
});

test('several labs are side by side first, each with a way to it', async () => {
  const labs = await Promise.all(['l7', 'nat', 'dsr'].map(judgedLab));
  const { page, complaints, close } = await opened('several', labs, { width: 390 });
  expect(await page.locator('table.comparison thead th').allInnerTexts()).toStrictEqual(['l7', 'nat', 'dsr']);
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
  await page.locator('nav a').nth(2).click();
  expect(await page.evaluate('location.hash')).toBe('#lab-3');
  expect(complaints).toStrictEqual([]);
  await close();
});

test('what packets, files and users say stays text', async () => {
  const clean = await opened('clean', [await result()]);
  const count = `document.querySelectorAll('*').length`;
  const elements = await clean.page.evaluate(count);
  await clean.close();
  for (const words of [HOSTILE, LONG]) {
    const { page, complaints, close } = await opened('hostile', [await result(words)], { width: 390 });
    await page.evaluate(OPEN_ALL);
    const more = await page.evaluate<number>(`document.querySelectorAll('.note').length`);
    expect(await page.evaluate(count)).toBeLessThanOrEqual((elements as number) + more);
    expect(await page.evaluate(`document.querySelectorAll('script, img, iframe, object, b').length`)).toBe(0);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
    expect(complaints).toStrictEqual([]);
    await close();
  }
});

test('of 10,000 connections it draws some, lists more, and says what it leaves out', async () => {
  const judged = await result();
  const capture = await readCapture(
    pcap(
      Array.from({ length: 10_000 }, (_, index) =>
        segment({ sourcePort: 10_000 + index, flags: 'S', sequence: index }),
      ),
    ),
  );
  const point = judged.evidence.captures.get('eth0')!;
  const evidence = { ...judged.evidence, captures: new Map([['eth0', { ...point, capture }]]) };
  const page = htmlReport([{ ...judged, evidence }], '/work');
  expect(page).toContain(
    '9995 connections more not drawn here; <code>lblab flow captures/tiny --connection N</code>',
  );
  expect(page).toContain('9950 connections more left out of this list');
  expect(page.length).toBeLessThan(200_000);
});

test('without captures, with empty ones and with one missing it says so', async () => {
  const judged = await judgedLab('nat');
  const variants: [string, Judged['evidence'], string][] = [
    ['none', withCaptures(judged.evidence, () => undefined), 'not there'],
    [
      'empty',
      withCaptures(judged.evidence, (point) => ({ ...point, capture: { ...point.capture, packets: [] } })),
      'no packets',
    ],
    [
      'missing',
      withCaptures(judged.evidence, (point) => (point.name === 'be1' ? undefined : point)),
      'not there',
    ],
  ];
  for (const [name, evidence, words] of variants) {
    const checks = judgeRound(evidence, methodOf('ipvs-nat').claims(evidence.topology), { live: true });
    const { page, complaints, close } = await opened(name, [
      { ...judged, evidence, checks, status: summary(checks) },
    ]);
    expect(await page.locator('main').innerText()).toContain(words);
    expect(complaints).toStrictEqual([]);
    await close();
  }
});

test('prints: all of it, within the page', async () => {
  const { page, close } = await opened('print', [await judgedLab('dsr')]);
  await page.emulateMedia({ media: 'print' });
  await page.setViewportSize({ width: 720, height: 1000 });
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(720);
  expect(await page.locator('.claims .body').first().isVisible()).toBe(true);
  expect((await page.pdf({ format: 'A4' })).subarray(0, 5).toString()).toBe('%PDF-');
  await close();
});
