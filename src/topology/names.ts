// Rules for names and URLs that several sections share.
import type { Context } from './context.ts';
import { show } from './issues.ts';
import type { Path } from './issues.ts';

/** Names become files, and some file systems keep no case. */
export function checkNames(things: object, path: Path, context: Context): void {
  const seen = new Map<string, string>();
  for (const name of Object.keys(things)) {
    const other = seen.get(name.toLowerCase());
    if (other !== undefined) {
      context.report(
        [...path, name],
        `${show(name)} and ${show(other)} differ in case only`,
        'rename one',
        true,
      );
    }
    seen.set(name.toLowerCase(), name);
  }
}

/** The URL, when curl would read it as WHATWG does; else undefined. */
export function parseUrl(text: string): URL | undefined {
  // WHATWG URLs forgive spaces, tabs and backslashes; curl does not.
  if (!/^https?:\/\/[!-~]+$/.test(text) || /[\\"<>^`{|}]/.test(text) || !URL.canParse(text)) return undefined;
  return new URL(text);
}
