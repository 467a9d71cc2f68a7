// What is said of a load, account by account: numbers made by hand, each at its boundary. Loads that were captured are in load.test.ts.
import { describe, expect, test } from 'vitest';
import {
  judgeLoad,
  loadFigures,
  type ClientAccount,
  type LoadEvidence,
  type Side,
} from '../../src/verify/load.ts';
import { recorded } from './evidence.ts';

const { topology } = await recorded('nat');

const side = (place: Side['place'], node: string, opened: number, more: Partial<Side> = {}): Side => ({
  capture: node,
  node,
  place,
  opened,
  whole: opened,
  sentAgain: 0,
  ...more,
});
const all = (client: string, number: number): ClientAccount => ({
  client,
  wanted: number,
  started: number,
  answered: number,
  good: number,
  timeout: 0,
});

/** Ten connections of one client, six to be1 and four to be2, all accounted for. */
const whole: LoadEvidence = {
  topology,
  wanted: 10,
  clients: [all('client', 10)],
  captures: [],
  sides: [
    side('client', 'client', 10),
    side('outside', 'lb', 10),
    side('inside', 'lb', 10),
    side('backend', 'be1', 6),
    side('backend', 'be2', 4),
  ],
  logs: new Map([
    ['be1', 6],
    ['be2', 4],
  ]),
};

const check = (id: string, change: Partial<LoadEvidence>) => {
  const { status, judged, observed } = judgeLoad({ ...whole, ...change }).find(
    (each) => each.id === `load.${id}`,
  )!;
  return `${judged ? '' : 'not judged, '}${status}: ${observed}`;
};

test('every account, of a load that is whole', () => {
  expect(
    judgeLoad(whole).map(({ id, status, expected, observed }) => [id, status, expected, observed]),
  ).toEqual([
    ['load.requests', 'pass', '10 requests, each answered', '10 requests, 10 answered'],
    ['load.client', 'pass', '10 connections, each with handshake, request, answer and end', '10 connections'],
    ['load.outside', 'pass', '10 connections', '10 connections'],
    ['load.inside', 'pass', '10 connections', '10 connections'],
    ['load.backend', 'pass', '10 connections', '10 connections: be1 6 and be2 4'],
    [
      'load.logs',
      'pass',
      '10 lines, as many of each backend as it had connections',
      '10 lines: be1 6 and be2 4',
    ],
  ]);
});

describe('requests', () => {
  test.each<[string, Partial<ClientAccount>]>([
    ['pass: 10 requests, 10 answered', {}],
    ['fail: 8 requests, 8 answered: 2 never sent', { started: 8, answered: 8, good: 8 }],
    ['fail: 10 requests, 9 answered: 1 answered with an error', { good: 9 }],
    ['fail: 10 requests, 7 answered: 3 given up', { answered: 7, good: 7, timeout: 3 }],
    ['fail: 10 requests, 8 answered: 2 broken off', { answered: 8, good: 8 }],
    [
      'fail: 9 requests, 5 answered: 1 never sent, 2 answered with an error, 1 given up and 1 broken off',
      { started: 9, answered: 7, good: 5, timeout: 1 },
    ],
    [
      'fail: 0 requests, 0 answered: 10 never sent',
      { started: undefined, answered: undefined, good: undefined, timeout: undefined },
    ],
  ])('%s', (said, change) => {
    expect(check('requests', { clients: [{ ...all('client', 10), ...change }] })).toBe(said);
  });

  test('are those of all clients together', () => {
    expect(check('requests', { clients: [all('client', 6), all('other', 4)] })).toBe(
      'pass: 10 requests, 10 answered',
    );
    const problem = 'h2load: not found';
    expect(check('requests', { clients: [all('client', 10), { client: 'other', wanted: 4, problem }] })).toBe(
      'fail: other: h2load: not found',
    );
  });
});

describe('connections at a place', () => {
  const rest = whole.sides.slice(1);
  test('are whole at the clients, and may be seen in part elsewhere', () => {
    const inPart = whole.sides.map((each) => ({ ...each, whole: 3 }));
    expect(check('client', { sides: inPart })).toBe('fail: 10 connections; 7 not whole');
    expect(check('inside', { sides: inPart })).toBe('pass: 10 connections');
  });

  test('are as many as were wanted, no more and no fewer', () => {
    expect(check('client', { sides: [side('client', 'client', 9), ...rest] })).toBe('fail: 9 connections');
    expect(check('client', { sides: [side('client', 'client', 11), ...rest] })).toBe('fail: 11 connections');
    expect(
      check('client', { sides: [side('client', 'a', 7), side('client', 'b', 1), side('client', 'a', 2)] }),
    ).toBe('pass: 10 connections: a 9 and b 1');
  });

  test('are not judged where nothing is captured', () => {
    expect(check('client', { sides: rest })).toBe('not judged, unknown: nothing is captured there');
  });

  test('are unknown where a capture is not whole, each told once', () => {
    const incomplete = 'the kernel dropped 7 packets';
    const sides = [
      side('backend', 'be1', 6, { incomplete }),
      side('backend', 'be1', 0, { incomplete }),
      side('backend', 'be2', 3),
    ];
    expect(check('backend', { sides })).toBe(
      'unknown: the capture be1 is not whole: the kernel dropped 7 packets; 9 connections seen',
    );
  });
});

describe('lines in the access logs', () => {
  const logs = (be1: number, be2: number) =>
    new Map([
      ['be1', be1],
      ['be2', be2],
    ]);
  test('are as many as were wanted', () => {
    const quiet = { sides: whole.sides.filter(({ place }) => place !== 'backend') };
    expect(check('logs', { ...quiet, logs: logs(7, 3) })).toBe('pass: 10 lines: be1 7 and be2 3');
    expect(check('logs', { ...quiet, logs: logs(5, 4) })).toBe('fail: 9 lines: be1 5 and be2 4');
  });

  test('are as many as each backend had connections', () => {
    expect(check('logs', { logs: logs(5, 5) })).toBe(
      'fail: 10 lines: be1 5 and be2 5; be1 had 6 connections; be2 had 4 connections',
    );
  });

  test('are held against no capture that is not whole', () => {
    const sides = [side('backend', 'be1', 1, { incomplete: 'cut' }), side('backend', 'be2', 4)];
    expect(check('logs', { sides })).toBe('pass: 10 lines: be1 6 and be2 4');
  });

  test('are not judged where a backend has none of ours', () => {
    expect(check('logs', { logs: new Map([['be1', 10]]) })).toBe(
      'not judged, unknown: a backend has no log of ours',
    );
  });
});

describe('figures', () => {
  const times = (nanoseconds: number, ...answerTimes: readonly number[]) =>
    side('client', 'client', answerTimes.length, { answerTimes, nanoseconds, sentAgain: 2 });

  test('are of the clients’ packets: the longest of them, all their answers', () => {
    const figures = loadFigures({ ...whole, sides: [times(5e8, 30, 10), times(2e9, 20)] });
    expect(figures).toMatchObject({
      answered: 10,
      requestsPerSecond: 1.5,
      sentAgain: 4,
      latency: { p50: 20, p90: 30, p99: 30, max: 30 },
      connections: { client: 3 },
    });
    expect(Object.keys(figures.connections)).toEqual(['client']);
  });

  test('are the nearest ranks: of a hundred the fiftieth, ninetieth and ninety-ninth', () => {
    const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect(loadFigures({ ...whole, sides: [times(1e9, ...hundred)] }).latency).toEqual({
      p50: 50,
      p90: 90,
      p99: 99,
      max: 100,
    });
    expect(loadFigures({ ...whole, sides: [times(1e9, 7)] }).latency).toEqual({
      p50: 7,
      p90: 7,
      p99: 7,
      max: 7,
    });
  });

  test('are the generators’ where no packets tell', () => {
    const rate = (...perSecond: readonly (number | undefined)[]) =>
      loadFigures({
        ...whole,
        sides: [],
        clients: perSecond.map((each) => ({ ...all('client', 5), good: undefined, perSecond: each })),
      });
    expect(rate(3, undefined, 4)).toMatchObject({ requestsPerSecond: 7, latency: undefined, answered: 0 });
    expect(rate(undefined).requestsPerSecond).toBeUndefined();
    expect(
      loadFigures({ ...whole, clients: [{ ...all('client', 10), perSecond: 4 }] }).requestsPerSecond,
    ).toBe(4);
  });

  test('tell of lost packets where every capture does', () => {
    const dropped = (...numbers: readonly (number | undefined)[]) =>
      loadFigures({
        ...whole,
        captures: numbers.map((number) => ({
          name: 'a',
          node: 'a',
          interface: 'eth0',
          path: 'a.pcap',
          dropped: number,
        })),
      }).dropped;
    expect([dropped(3, 4), dropped(3, undefined), dropped()]).toEqual([7, undefined, 0]);
  });

  test('are by place and by backend', () => {
    expect(loadFigures(whole)).toMatchObject({
      connections: { client: 10, outside: 10, inside: 10, backend: 10 },
      atBackends: { be1: 6, be2: 4 },
      logLines: { be1: 6, be2: 4 },
      sentAgain: 0,
    });
    const twoLegs = [side('backend', 'be1', 1), side('backend', 'be1', 2)];
    expect(loadFigures({ ...whole, sides: twoLegs }).atBackends).toEqual({ be1: 3 });
  });
});
