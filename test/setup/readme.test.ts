// README.md against the program: what it names is there, and what is there it names.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { format, resolveConfig } from 'prettier';
import { expect, it } from 'vitest';
import { shippedNames, SHIPPED } from '../../src/cli/topologies.ts';
import { parseTopology } from '../../src/topology/index.ts';
import { allClaims } from '../../src/verify/index.ts';

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
  const { stdout } = await promisify(execFile)(process.execPath, [
    join(root, 'bin/lblab.js'),
    '__complete',
    '',
  ]);
  const named = column('Commands').flatMap((cell) =>
    [...cell.matchAll(/`lblab ([a-z]+)/g)].map((match) => match[1]!),
  );
  expect(named.sort()).toEqual(stdout.trim().split('\n').sort());
});

/** A table in place of the one that a section begins with, or has. */
function withTable(
  text: string,
  heading: string,
  head: readonly string[],
  rows: readonly (readonly string[])[],
) {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |\n`;
  const table = line(head) + line(head.map(() => '---')) + rows.map(line).join('');
  const section = new RegExp(`(\\n## ${heading}\\n[^|]*\\n)(?:\\|.*\\n)+`);
  expect(text).toMatch(section);
  return text.replace(section, (_, before: string) => before + table);
}

it('lists the topologies that ship, and every claim (vitest -u writes them)', async () => {
  const topologies = (await shippedNames()).map((name) => {
    const { title, balancer } = parseTopology(readFileSync(join(SHIPPED, `${name}.yaml`)), name, noFiles);
    return [`\`${name}\``, title, balancer === undefined ? '' : `\`${balancer.method}\``];
  });
  const claims = allClaims().map(({ id, title }) => [`\`${id}\``, title]);
  const file = join(root, 'README.md');
  const text = withTable(
    withTable(readme, 'Topologies', ['name', 'what', 'method'], topologies),
    'Claims',
    ['claim', 'says'],
    claims,
  );
  await expect(
    await format(text, { ...(await resolveConfig(file)), parser: 'markdown' }),
  ).toMatchFileSnapshot(file);
});

it('shows each output as text of its own', () => {
  const said = readme.match(/^<!-- output: .* -->$/gm)!;
  const shown = readme.match(/^<!-- output: .* -->\n\n```\n(?:(?!```).*\n)+```$/gm);
  expect(shown).toHaveLength(said.length);
});

it('has a topology that is right', () => {
  const example = /```yaml\n([^]*?)```/.exec(readme)![1]!;
  const topology = parseTopology(Buffer.from(example), 'README.md', noFiles);
  expect(topology.nodes.map((node) => node.name)).toEqual(['client', 'lb', 'be1', 'be2']);
});

it('has an example of every expectation, which the topology takes', async () => {
  const [, example, expectations] = readme.split('```yaml\n').map((text) => text.split('```')[0]!);
  const text = example!.slice(0, example!.indexOf('expect:')) + expectations;
  const { expect: expected } = parseTopology(Buffer.from(text), 'README.md', noFiles);
  const schema = JSON.parse(readFileSync(join(SHIPPED, 'schema.json'), 'utf8')) as {
    properties: { expect: { items: { properties: object } } };
  };
  const beside = ['name', 'level', 'not', 'within'];
  const kinds = Object.keys(schema.properties.expect.items.properties).filter((key) => !beside.includes(key));
  expect([...new Set(expected!.map(({ kind }) => kind))].sort()).toEqual(kinds.sort());
});
