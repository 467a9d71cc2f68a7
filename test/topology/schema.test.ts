import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { describe, expect, test } from 'vitest';
import { METHODS, parseTopology, topologySchema } from '../../src/topology/index.ts';

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
