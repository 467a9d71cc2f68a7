import { describe, expect, test } from 'vitest';
import type { Topology } from '../../../src/topology/types.ts';
import { CLIENT, judgedRound, lineOf, logged, talk, type Talk } from './made.ts';

/** Connections of which the answers take so long: a request and its answer are the 4th and 5th of 8 packets. */
const taking = (microseconds: readonly number[], more: Talk = {}) =>
  microseconds.flatMap((step, index) =>
    talk({ client: `${CLIENT}:${40_001 + index}`, at: 100_000 * index, step, ...more }),
  );
const silent = talk({ client: `${CLIENT}:40009`, at: 900_000, packets: [1, 2, 3, 4] });

test.each([
  ['max: 1ms', 'pass: 1 answer: median 1.00 ms, longest 1.00 ms [client 4 5]', taking([1000])],
  ['max: 999us', 'fail: 1 answer: median 1.00 ms, longest 1.00 ms [client 4 5]', taking([1000])],
  ['max: 1ms', 'pass: 1 answer: median 0 ns, longest 0 ns [client 4 5]', taking([0])],
  ['max: 2ms', 'fail: 2 answers: median 1.00 ms, longest 3.00 ms [client 4 5]', taking([3000, 1000])],
  [
    'median: 2ms',
    'pass: 3 answers: median 2.00 ms, longest 3.00 ms [client 4 5 12 13 20 21]',
    taking([3000, 1000, 2000]),
  ],
  [
    'median: 1999us',
    'fail: 3 answers: median 2.00 ms, longest 3.00 ms [client 4 5 12 13 20 21]',
    taking([3000, 1000, 2000]),
  ],
  // What never came would have come last.
  [
    'median: 2ms',
    'pass: 2 answers: median 1.00 ms, longest 2.00 ms; 1 request without an answer [client 4 5 12 13 20]',
    [...taking([2000, 1000]), ...silent],
  ],
  [
    'median: 2ms',
    'pass: 1 answer: median 1.00 ms, longest 1.00 ms; 1 request without an answer [client 4 5 12]',
    [...taking([1000]), ...silent],
  ],
  [
    'max: 1s',
    'fail: 1 answer: median 1.00 ms, longest 1.00 ms; 1 request without an answer [client 12]',
    [...taking([1000]), ...silent],
  ],
  ['median: 999999m', 'fail: none of 1 request was answered [client 4]', silent],
  ['max: 999999m', 'fail: none of 1 request was answered [client 4]', silent],
  ['max: 1s', 'unknown: no HTTP request was captured at client', talk({ packets: [1, 2, 3, 5] })],
])('%s: %s', async (said, line, client) => {
  const entry = `- response-time: { at: client, ${said} }`;
  expect(lineOf(await judgedRound({ lab: 'l7', captures: { client } }, entry))).toBe(line);
});

describe('with the log of a client', () => {
  test('a request that has no packet but its SYN was not answered', async () => {
    const client = [...taking([1000]), ...talk({ client: `${CLIENT}:40009`, at: 900_000, packets: [1] })];
    const round = { lab: 'l7', captures: { client }, more: { requests: logged([40_001, 0]) } };
    expect(lineOf(await judgedRound(round, '- response-time: { max: 1s }'))).toBe(
      'fail: 1 answer: median 1.00 ms, longest 1.00 ms; 1 request without an answer [client 9]',
    );
  });

  test('a request of which no packet was seen on the connection that it is said to have was not answered', async () => {
    const requests = logged([40_001, 40_001], 'keeping');
    const captures = { keeping: taking([1000], { client: '192.168.11.105:40001' }) };
    const round = { lab: 'pair', captures, more: { requests } };
    expect(lineOf(await judgedRound(round, '- response-time: { at: keeping, max: 1s }'))).toBe(
      'fail: 1 answer: median 1.00 ms, longest 1.00 ms; 1 request without an answer',
    );
    expect(lineOf(await judgedRound(round, '- status: { is: 200, client: keeping }'))).toBe(
      'fail: 2 requests: 1 with 200, 1 with no answer',
    );
  });

  test('an answer whose request was missed took no longer than its connection', async () => {
    const client = talk({ packets: [1, 2, 3, 5, 6, 7, 8] });
    const round = { lab: 'l7', captures: { client }, more: { requests: logged([40_001]) } };
    expect(lineOf(await judgedRound(round, '- response-time: { max: 4ms }'))).toBe(
      'pass: 1 answer: median 4.00 ms, longest 4.00 ms [client 1 2 3 4 5 6 7]',
    );
  });

  test('elsewhere requests are those that were captured there', async () => {
    const requests = logged([40_001, 40_002]);
    const captures = { client: taking([1000, 1000]), eth1: taking([500]), be1: taking([400]), be2: [] };
    const of = async (at: string) =>
      lineOf(
        await judgedRound(
          { lab: 'l7', captures, more: { requests } },
          `- response-time: { at: ${at}, max: 1s }`,
        ),
      );
    expect(await of('eth1')).toBe('pass: 1 answer: median 500 µs, longest 500 µs [eth1 4 5]');
    expect(await of('backends')).toBe('pass: 1 answer: median 400 µs, longest 400 µs [be1 4 5]');
  });
});

test('at backends of which one sends requests too, requests are those that were captured there', async () => {
  const captures = { client: taking([1000]), be1: taking([400]) };
  const round = {
    lab: 'l7',
    captures,
    more: { requests: [...logged([40_001]), ...logged([40_001], 'be1')] },
    change: (topology: Topology) => ({
      ...topology,
      traffic: { ...topology.traffic!, clients: ['client', 'be1'] },
    }),
  };
  expect(lineOf(await judgedRound(round, '- response-time: { at: backends, max: 1s }'))).toBe(
    'pass: 1 answer: median 400 µs, longest 400 µs [be1 4 5]',
  );
});

test.each([
  ['max: 20ms', 'answers at clients (client) take at most 20.0 ms each'],
  ['median: 50ms', 'answers at clients (client) take a median of at most 50.0 ms'],
  [
    'median: 5ms, max: 200ms',
    'answers at clients (client) take a median of at most 5.00 ms and at most 200 ms each',
  ],
])('%s reads: %s', async (said, sentence) => {
  expect((await judgedRound({ lab: 'l7', captures: {} }, `- response-time: { ${said} }`)).expected).toBe(
    sentence,
  );
});
