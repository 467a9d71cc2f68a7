// h2load's words: shares of several clients, a rate in whole connections and milliseconds, headers.
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { readAccount } from '../../src/lab/load.ts';
import { loadSteps, pacing } from '../../src/plan/load.ts';
import { parseTopology } from '../../src/topology/index.ts';

const readFile = () => {
  throw new Error('no files');
};
const topology = (name: string, change = (text: string) => text) =>
  parseTopology(Buffer.from(change(readFileSync(`topologies/${name}.yaml`, 'utf8'))), name, { readFile });

it.each([
  [1, { connections: 1, milliseconds: 1000 }],
  [0.5, { connections: 1, milliseconds: 2000 }],
  [50, { connections: 1, milliseconds: 20 }],
  [100, { connections: 1, milliseconds: 10 }],
  [130, { connections: 3, milliseconds: 23 }],
  [200, { connections: 2, milliseconds: 10 }],
  [250, { connections: 3, milliseconds: 12 }],
  [333, { connections: 4, milliseconds: 12 }],
  [10_000, { connections: 100, milliseconds: 10 }],
])('%d connections a second', (rate, expected) => {
  const { connections, milliseconds } = pacing(rate);
  expect({ connections, milliseconds }).toEqual(expected);
  expect(Math.abs((connections * 1000) / milliseconds / rate - 1)).toBeLessThan(0.01);
});

it('keeps so many connections open without a rate', () => {
  const [step] = loadSteps(topology('l7'), { connections: 500, concurrency: 32 });
  expect(step!.node).toBe('client');
  expect(step!.argv.join(' ')).toBe(
    'h2load --h1 -n 500 -c 32 -N 30s -H Connection: close http://192.168.11.107/',
  );
});

it('opens so many a period with one', () => {
  const [step] = loadSteps(topology('l7'), { connections: 500, concurrency: 32, rate: 250 });
  expect(step!.argv.join(' ')).toContain('-n 500 -c 500 -r 3 --rate-period=12ms');
});

it('gives each client its share', () => {
  const steps = loadSteps(topology('nat-persistent'), { connections: 5, concurrency: 3 });
  expect(steps.map(({ node, argv }) => [node, argv.slice(2, 6).join(' ')])).toEqual([
    ['client', '-n 3 -c 2'],
    ['client2', '-n 2 -c 1'],
  ]);
});

it('sends one Host', () => {
  const changed = topology('l7', (text) =>
    text.replace('  requests: 10', '  requests: 10\n  headers: { Host: www.example.test, X-Lab: one }'),
  );
  const { argv } = loadSteps(changed, { connections: 1, concurrency: 1 })[0]!;
  expect(argv.slice(-5)).toEqual([
    '-H',
    ':authority: www.example.test',
    '-H',
    'X-Lab: one',
    'http://192.168.11.107/',
  ]);
});

const SUM = `finished in 1.42s, 3522.14 req/s, 0B/s
requests: 500 total, 500 started, 500 done, 480 succeeded, 20 failed, 3 errored, 1 timeout
status codes: 480 2xx, 0 3xx, 2 4xx, 15 5xx
`;

it('reads the sum that h2load ends with', () => {
  expect(readAccount('client', 500, SUM)).toEqual({
    client: 'client',
    wanted: 500,
    started: 500,
    answered: 497,
    good: 480,
    timeout: 1,
    perSecond: 3522.14,
  });
  expect(readAccount('client', 500, 'h2load: could not resolve www\n')).toEqual({
    client: 'client',
    wanted: 500,
    problem: 'h2load gave no account of itself: h2load: could not resolve www',
  });
});
