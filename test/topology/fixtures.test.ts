import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parseTopology, TopologyError } from '../../src/topology/index.ts';
import { attempt } from './attempt.ts';

// Each bad topology has the exact text of its error beside it; `npx vitest run test/topology -u` writes them anew.
const folder = fileURLToPath(new URL('../fixtures/topologies/', import.meta.url));
const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));

describe('a bad topology', () => {
  test.each(files)('%s', async (file) => {
    const error = attempt(() =>
      parseTopology(readFileSync(folder + file), file, { readFile: (path) => readFileSync(folder + path) }),
    );
    await expect(`${error.message}\n`).toMatchFileSnapshot(`${folder}${file.replace('.yaml', '.txt')}`);
  });

  test('too large to be one', () => {
    const error = attempt(() => parseTopology(Buffer.alloc(1024 * 1024 + 1, '#'), 'huge.yaml'));
    expect(error.message).toBe(
      'huge.yaml:1:1: the file is too large (got 1048577 bytes); a topology has at most 1 MiB',
    );
  });

  test('with more values than any topology has', () => {
    const error = attempt(() => parseTopology(`nodes: [${'a,'.repeat(8000)}]`, 'wide.yaml'));
    expect(error.message).toBe('wide.yaml:1:10005: more than 5000 values, aliases written out');
  });

  test('without a way to read other files', () => {
    const error = attempt(() =>
      parseTopology('segments: {a: }\nnodes: {b: {interfaces: {eth0: a}, files: {x: {from: y}}}}', 't.yaml'),
    );
    expect(error.message).toBe('t.yaml:2:54: no other files can be read here (got "y")');
  });

  test('gives its issues as data too', () => {
    const error = attempt(() =>
      parseTopology('segmnets: {}\nsegments: {a: }\nnodes: {b: {interfaces: {eth0: c}}}', 't.yaml'),
    );
    expect(error).toBeInstanceOf(TopologyError);
    expect(error.issues).toEqual([
      {
        file: 't.yaml',
        line: 1,
        column: 1,
        message: 'unknown key "segmnets"',
        hint: 'did you mean segments?',
      },
      {
        file: 't.yaml',
        line: 3,
        column: 32,
        message: 'no segment of this name (got "c")',
        hint: 'there is a',
      },
    ]);
  });

  test('whose own name would play with the terminal', () => {
    const error = attempt(() => parseTopology('', 'a\u001b[31m\n.yaml'));
    expect(error.message).toMatch(/^a\\u001b\[31m\\n\.yaml:1:1: the file is empty/);
  });
});
