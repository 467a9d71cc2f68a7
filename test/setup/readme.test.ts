// README.md against the program: what it names is there, and what is there it names.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { format, resolveConfig } from 'prettier';
import { expect, it } from 'vitest';
import { claimsOf, METHODS } from '../../src/balancers/index.ts';
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
  const section = new RegExp(`(\\n${heading}\\n[^|]*\\n)(?:\\|.*\\n)+`);
  expect(text).toMatch(section);
  return text.replace(section, (_, before: string) => before + table);
}

const markdown = async (file: string, text: string) =>
  format(text, { ...(await resolveConfig(file)), parser: 'markdown' });

it('lists the topologies that ship, and docs/claims.md every claim (vitest -u writes them)', async () => {
  const shipped = (await shippedNames()).map((name) =>
    parseTopology(readFileSync(join(SHIPPED, `${name}.yaml`)), name, noFiles),
  );
  const rows = shipped.map(({ name, title, balancer }) => [
    `\`${name}\``,
    title,
    balancer === undefined ? '' : `\`${balancer.method}\``,
  ]);
  const file = join(root, 'README.md');
  await expect(
    await markdown(file, withTable(readme, '## Topologies', ['name', 'what', 'method'], rows)),
  ).toMatchFileSnapshot(file);

  const judged = new Map(shipped.map((topology) => [topology.name, claimsOf(topology)]));
  const claims = allClaims().map(({ id, title }) => [
    `\`${id}\``,
    title,
    [...judged].flatMap(([name, ids]) => (ids.includes(id) ? [`\`${name}\``] : [])).join(', '),
  ]);
  const list = join(root, 'docs/claims.md');
  await expect(
    await markdown(
      list,
      withTable(`\n${readFileSync(list, 'utf8')}`, '# Claims', ['claim', 'says', 'judged in'], claims),
    ),
  ).toMatchFileSnapshot(list);
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

it('names every method where its topology has one', () => {
  const [, taken, others] = /method: (\S+) # or (.*)/.exec(readme)!;
  expect(new Set([taken, ...others!.split(', ')])).toEqual(new Set(METHODS));
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
