// Finds a topology by what the user typed: the name of one that ships, or a file.
import { readdir, readFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nearest } from '../topology/nearest.ts';
import type { Topology } from '../topology/types.ts';
import type { Cli } from './context.ts';
import { EXIT, Failure } from './failure.ts';

export const SHIPPED = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../../topologies/' : '../topologies/', import.meta.url),
);

/** The article's own cases, in the order in which it tells of them. */
const ARTICLE = [
  'dnsrr',
  'l7',
  'l7-sticky',
  'nat',
  'nat-persistent',
  'fullnat',
  'dsr',
  'dsr-article',
  'dsr-persistent',
];

/** Names of the topologies that the article is about. */
export async function articleNames(): Promise<string[]> {
  return (await shippedNames()).filter((name) => ARTICLE.includes(name));
}

/** Names of the topologies that ship: the article's first. */
export async function shippedNames(): Promise<string[]> {
  const names = (await readdir(SHIPPED))
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => basename(name, '.yaml'));
  const rank = (name: string) => (ARTICLE.includes(name) ? ARTICLE.indexOf(name) : ARTICLE.length);
  return names.sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
}

/** What a user types for a topology's file: its name when it ships. */
export function typedFor(file: string): string {
  return dirname(file) === dirname(resolve(SHIPPED, 'x')) ? basename(file, '.yaml') : file;
}

export interface Loaded {
  readonly topology: Topology;
  /** Absolute path. */
  readonly file: string;
}

const looksLikeFile = (text: string) => /[/.]/.test(text);

/** Reads a topology. Throws TopologyError for what is wrong in it, Failure when there is none. */
export async function loadTopology(cli: Cli, text: string): Promise<Loaded> {
  const { parseTopology } = await import('../topology/index.ts');
  const names = looksLikeFile(text) ? [] : await shippedNames();
  const shipped = names.includes(text);
  const file = shipped ? resolve(SHIPPED, `${text}.yaml`) : resolve(cli.cwd, text);
  const bytes = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' && !looksLikeFile(text)) {
      const near = nearest(text, names);
      throw new Failure(
        `no topology ${JSON.stringify(text)}${near === undefined ? '' : `; did you mean ${near}?`}\n` +
          `those that ship: ${names.join(', ')}; a file of your own: give its path, such as ./${text}.yaml`,
        EXIT.usage,
      );
    }
    const known: Record<string, string> = {
      ENOENT: 'no such file; lblab init writes one to start from',
      EISDIR: 'it is a folder; name a file in it',
    };
    throw new Failure(`${text}: ${known[error.code ?? ''] ?? error.message}`, EXIT.usage);
  });
  const shown = shipped ? `${text}.yaml` : text;
  return {
    topology: parseTopology(bytes, shown, { readFile: (path) => readFileSync(resolve(dirname(file), path)) }),
    file,
  };
}
