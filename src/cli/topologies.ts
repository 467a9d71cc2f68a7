// Finds a topology by what the user typed: the name of one that ships, or a file.
import { createReadStream, realpathSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readPlain } from '../lab/plain-file.ts';
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

/** More than a topology, or a file that one names, can have: the rest of what is longer need not be read to be refused. */
const MOST = 2 * 1024 * 1024;

/** A topology may come from a pipe, such as <(...) in a shell. */
async function readAtMost(file: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of createReadStream(file, { end: MOST }) as AsyncIterable<Buffer>)
    chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** A file that a topology names. One of its folder is that wherever symbolic links lead; one elsewhere is named by its absolute path. */
function readBeside(folder: string, file: string): Buffer {
  const isWithin = (top: string, each: string) => each.startsWith(join(top, '/'));
  if (isWithin(folder, file) && !isWithin(realpathSync(folder), realpathSync(file)))
    throw new Error('a symbolic link leads out of the folder');
  return readPlain(file, MOST);
}

/** Reads a topology. Throws TopologyError for what is wrong in it, Failure when there is none. */
export async function loadTopology(cli: Cli, text: string): Promise<Loaded> {
  const { parseTopology } = await import('../topology/index.ts');
  const names = looksLikeFile(text) ? [] : await shippedNames();
  const shipped = names.includes(text);
  const file = shipped ? resolve(SHIPPED, `${text}.yaml`) : resolve(cli.cwd, text);
  const bytes = await readAtMost(file).catch((error: NodeJS.ErrnoException) => {
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
    topology: parseTopology(bytes, shown, {
      readFile: (path) => readBeside(dirname(file), resolve(shipped ? SHIPPED : cli.cwd, path)),
    }),
    file,
  };
}
