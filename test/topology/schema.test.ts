import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { describe, expect, test } from 'vitest';
import { KINDS } from '../../src/topology/expectations.ts';
import { CLAIM_IDS, METHODS, parseTopology, topologySchema } from '../../src/topology/index.ts';
import { allClaims } from '../../src/verify/index.ts';

const folder = fileURLToPath(new URL('../../topologies/', import.meta.url));

describe('the JSON Schema', () => {
  test('in topologies/schema.json is the one that the code makes (vitest -u writes it)', async () => {
    const file = `${folder}schema.json`;
    const style = await resolveConfig(file);
    const text = await format(JSON.stringify(topologySchema()), { ...style, parser: 'json' });
    await expect(text).toMatchFileSnapshot(file);
  });

  test('explains its keys, names the methods, and knows the defaults', () => {
    const schema = JSON.stringify(topologySchema());
    expect(JSON.parse(schema)).toMatchObject({
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      required: ['segments', 'nodes'],
      additionalProperties: false,
      properties: {
        balancer: {
          properties: { method: { enum: [...METHODS] }, vip: { description: expect.any(String) } },
        },
        traffic: { properties: { requests: { default: 10, minimum: 1 }, timeout: { default: '5s' } } },
        nodes: { propertyNames: { pattern: expect.any(String) } },
      },
    });
  });
});

describe('what ships', () => {
  const shipped = readdirSync(folder).filter((name) => name.endsWith('.yaml'));

  test('is there', () => {
    expect(shipped).toEqual(
      expect.arrayContaining([
        'dsr-article.yaml',
        'dsr.yaml',
        'fullnat.yaml',
        'l7.yaml',
        'nat.yaml',
        'tun.yaml',
      ]),
    );
  });

  test.each(shipped)(
    '%s is a topology of its own name, with a title, a description and a schema line',
    (file) => {
      const text = readFileSync(folder + file, 'utf8');
      const topology = parseTopology(text, folder + file, { readFile: (path) => readFileSync(path) });
      expect(`${topology.name}.yaml`).toBe(file);
      expect(topology.title).not.toBe('');
      expect(topology.description).not.toBe('');
      expect(text.split('\n')[0]).toBe('# yaml-language-server: $schema=./schema.json');
    },
  );
});

interface Described {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Described>>;
  readonly anyOf?: readonly Described[];
  readonly items?: Described;
}

describe('what a topology may expect', () => {
  const { properties = {} } = topologySchema() as Described;
  const entry = properties.expect?.items?.properties ?? {};

  test.each([...KINDS, 'name', 'level', 'not', 'within'])('explains %s', (key) => {
    expect(entry[key]?.description).toMatch(/\.$/);
  });

  test.each(KINDS)('explains every key of %s but the ends of a range', (kind) => {
    const shapes = [entry[kind] ?? {}, ...(entry[kind]?.anyOf ?? [])];
    const keys = shapes.flatMap((shape) => Object.entries(shape.properties ?? {}));
    const silent = keys.filter(
      ([key, { description }]) => description === undefined && key !== 'connections',
    );
    expect(silent.map(([key]) => key)).toEqual([]);
  });

  test('wants exactly one statement in each entry', () => {
    expect(properties.expect).toMatchObject({
      items: { oneOf: KINDS.map((kind) => ({ required: [kind] })), additionalProperties: false },
    });
  });

  test('names every claim that there is', () => {
    expect([...CLAIM_IDS].sort()).toEqual(
      allClaims()
        .map(({ id }) => id)
        .sort(),
    );
  });
});
