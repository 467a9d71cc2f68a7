// README.md against the program: what it names is there, and what is there it names.
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { methodOf } from '../../src/balancers/index.ts';
import { shippedNames, SHIPPED } from '../../src/cli/topologies.ts';
import { parseTopology } from '../../src/topology/index.ts';

const root = resolve(import.meta.dirname, '../..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');

/** First column of the table under a heading, as code spans. */
function column(heading: string): string[] {
  const section = readme.split(`\n## ${heading}\n`)[1]!.split('\n## ')[0]!;
  return section.split('\n').flatMap((line) => /^\| (`[^|]*`) +\|/.exec(line)?.[1] ?? []);
}

const noFiles = {
  readFile: () => {
    throw new Error('no files');
  },
};

it('names every command, and no other', async () => {
  const sources = await Promise.all(
    ['program', 'lab-commands', 'file-commands', 'inspect-command'].map(async (name) =>
      readFile(join(root, `src/cli/${name}.ts`), 'utf8'),
    ),
  );
  const commands = sources.join('').matchAll(/(?<!\w)command\(\s*'([a-z]+)'/g);
  const named = column('Commands').flatMap((cell) =>
    [...cell.matchAll(/`lblab ([a-z]+)/g)].map((match) => match[1]!),
  );
  expect(named.sort()).toEqual([...commands].map((match) => match[1]!).sort());
});

it('names every topology that ships', async () => {
  expect(column('Topologies').map((cell) => cell.replaceAll('`', ''))).toEqual(await shippedNames());
});

it('has a topology that is right', () => {
  const example = /```yaml\n([^]*?)```/.exec(readme)![1]!;
  const topology = parseTopology(Buffer.from(example), 'README.md', noFiles);
  expect(topology.nodes.map((node) => node.name)).toEqual(['client', 'lb', 'be1', 'be2']);
});

it('names every claim that is judged on the topologies that ship', async () => {
  const claims = new Set<string>();
  for (const name of await shippedNames()) {
    const topology = parseTopology(readFileSync(join(SHIPPED, `${name}.yaml`)), name, noFiles);
    for (const id of methodOf(topology.balancer!.method).claims(topology)) claims.add(`\`${id}\``);
  }
  expect(column('Claims')).toEqual(expect.arrayContaining([...claims]));
});
