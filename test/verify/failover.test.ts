// What a fault cost, on evidence of real labs: from the clients' logs and from packets, and beside it what the configuration allows.
import { describe, expect, test } from 'vitest';
import { complaints } from '../../src/report/failover.ts';
import {
  areAlike,
  failovers,
  figures,
  isReliable,
  isWithin,
  type Failover,
  type Figures,
  type Told,
} from '../../src/verify/failover.ts';
import type { Evidence } from '../../src/verify/types.ts';
import { recorded } from './evidence.ts';

const rowOf = (rows: readonly Failover[], client: string) => rows.find((row) => row.client === client)!;

/** A row with its times to a tenth of a second. */
function short({ log, allowed, status, served }: Failover) {
  const round = (value: number) => Math.round(value * 10) / 10;
  return {
    lost: log.lost,
    ...(log.lastLost !== undefined && { lastLost: round(log.lastLost) }),
    silence: round(log.silence),
    slowest: round(log.slowest),
    after: served.after,
    why: allowed.why,
    status,
  };
}

test('a client that keeps DNS answers fails until its entry expires; others do not', async () => {
  const rows = failovers(await recorded('dnsrr'));
  expect(short(rowOf(rows, 'client'))).toEqual({
    lost: 10,
    lastLost: 1,
    silence: 1.1,
    slowest: 0.1,
    after: { be2: 9 },
    why: 'TTL 2 s, asked for 1.04 s before',
    status: 'pass',
  });
  expect(rowOf(rows, 'client').habit).toBe('keeps answers');
  expect(rowOf(rows, 'client').packets.lost).toBe(10);
  expect(short(rowOf(rows, 'asking'))).toMatchObject({
    lost: 0,
    after: { be2: 19 },
    why: 'asks for each request',
  });
  expect(short(rowOf(rows, 'ordinary'))).toMatchObject({
    lost: 0,
    slowest: 0.2,
    why: 'asks for each request, and tries the next address after 0.2 s',
    status: 'pass',
  });
});

test('a balancer that asks whether servers live loses requests until it has seen', async () => {
  const [row] = failovers(await recorded('nat-keepalived-fault'));
  expect(short(row!)).toEqual({
    lost: 5,
    lastLost: 0.8,
    silence: 0.2,
    slowest: 0.2,
    after: { be2: 34 },
    why: '1 s from check to check, the last 0.63 s before, once more after 0.5 s',
    status: 'pass',
  });
  // One second less what has gone since the check, and one more attempt after half a second; a busy machine takes its time.
  expect(row!.allowed.lastLost!.to).toBeCloseTo(1 - row!.check!.offset + 0.5 + 0.3, 6);
});

test('nginx asks the next server, and nothing is lost', async () => {
  const [row] = failovers(await recorded('l7-fault'));
  expect(short(row!)).toMatchObject({ lost: 0, after: { be2: 9 }, status: 'pass' });
});

test('of a pair of directors the second comes after three advertisements; a connection that is kept only waits', async () => {
  const rows = failovers(await recorded('pair'));
  expect(short(rowOf(rows, 'client'))).toMatchObject({ lost: 0, silence: 3.3, slowest: 3.2, status: 'pass' });
  expect(short(rowOf(rows, 'keeping'))).toMatchObject({ lost: 0, slowest: 3.5, status: 'pass' });
  const without = rowOf(failovers(await recorded('pair-no-sync')), 'keeping');
  expect(without.log.lost).toBe(1);
  expect(without.packets.lost).toBe(1);
  expect(without.status).toBe('pass');
});

test('a figure outside of what the configuration allows fails', async () => {
  const evidence = await recorded('dnsrr');
  const balancer = evidence.topology.balancer!;
  const longer: Evidence = {
    ...evidence,
    topology: { ...evidence.topology, balancer: { ...balancer, dns: { ...balancer.dns!, ttl: 4 } } },
  };
  expect(rowOf(failovers(longer), 'client')).toMatchObject({ agree: true, status: 'fail' });
});

test('a log that tells something else than the packets makes it unknown', async () => {
  const evidence = await recorded('l7-fault');
  const [first, ...rest] = evidence.requests!;
  const changed: Evidence = { ...evidence, requests: [{ ...first!, status: 0, error: 'refused' }, ...rest] };
  expect(failovers(changed)[0]).toMatchObject({
    log: { lost: 1 },
    packets: { lost: 0 },
    agree: false,
    status: 'unknown',
  });
});

test('nothing is foretold of what no other can take over', async () => {
  const [row] = failovers(await recorded('dsr-director-down'));
  expect(row).toMatchObject({
    allowed: { why: 'there is no other than lb' },
    served: { after: {} },
    status: 'unknown',
  });
  expect(row!.allowed.lost).toBeUndefined();
  expect(complaints(row!)).toEqual(['nothing is foretold: there is no other than lb']);
});

test('without a check in the captures nothing says when it should have been noticed, so it is unknown', async () => {
  const evidence = await recorded('nat-keepalived-fault');
  const captures = new Map(
    [...evidence.captures].map(([name, point]) => [
      name,
      // Checks come from the director's own address, to a server.
      { ...point, capture: { ...point.capture, packets: point.node === 'be1' ? [] : point.capture.packets } },
    ]),
  );
  const [row] = failovers({ ...evidence, captures });
  expect(row).toMatchObject({ allowed: { why: 'no health check was captured' }, status: 'unknown' });
});

test('a capture that lost packets makes it unknown, and is named', async () => {
  const evidence = await recorded('nat-keepalived-fault');
  const losing = (lost: string) => ({
    ...evidence,
    captures: new Map(
      [...evidence.captures].map(([name, point]) => [
        name,
        name === lost ? { ...point, incomplete: 'the kernel dropped 3 packets' } : point,
      ]),
    ),
  });
  const said = 'the capture be1 is not whole: the kernel dropped 3 packets';
  const [row] = failovers(losing('be1'));
  expect(row).toMatchObject({ doubt: said, status: 'unknown' });
  expect(complaints(row!)).toEqual([said]);
  expect(() => failovers(losing('client'))).toThrow('the capture client is not whole');
});

test('accounts that do not agree make it unknown', async () => {
  const evidence = await recorded('nat-keepalived-fault');
  const [row] = failovers({ ...evidence, requests: evidence.requests!.slice(0, -20) });
  expect(row).toMatchObject({
    status: 'unknown',
    doubt: expect.stringContaining('in no request log') as string,
  });
});

test('requests that came late make it unknown', async () => {
  const evidence = await recorded('l7-fault');
  const requests = evidence.requests!.map((request, index) => ({ ...request, late: index === 3 ? 0.5 : 0 }));
  expect(failovers({ ...evidence, requests })[0]).toMatchObject({
    late: 0.5,
    agree: true,
    status: 'unknown',
  });
});

test('without a fault, or without times in the log, there is nothing to tell', async () => {
  const evidence = await recorded('l7-fault');
  const { faults: _faults, ...none } = evidence;
  expect(() => failovers(none)).toThrow('nothing went down while requests went on');
  const requests = evidence.requests!.map(({ began: _began, ...rest }) => rest);
  expect(() => failovers({ ...evidence, requests })).toThrow(
    "the clients' logs do not tell when requests began",
  );
});

describe('figures of requests of which the server went down at 10', () => {
  test.each<[string, Told[], Figures]>([
    ['nothing was asked', [], { lost: 0, silence: 0, slowest: 0 }],
    [
      'all is answered, in whatever order it began',
      [
        { began: 9.75, answered: 11.5 },
        { began: 9.5, answered: 10.5 },
        { began: 10.25, answered: 10.75 },
        { began: 9, answered: 9.25 },
      ],
      // Answers at 9.25, 10.5, 10.75 and 11.5.
      { lost: 0, silence: 1.25, slowest: 1.75 },
    ],
    [
      'what is answered at the moment of the fault is answered before it',
      [
        { began: 9, answered: 9.75 },
        { began: 9.25, answered: 10 },
        { began: 10.25, answered: 10.5 },
      ],
      { lost: 0, silence: 0.5, slowest: 0.25 },
    ],
    [
      'one under way is lost at that moment',
      [{ began: 9.75 }, { began: 10.5, answered: 10.75 }],
      { lost: 1, lastLost: 0, silence: 0.75, slowest: 0.25 },
    ],
    [
      'one that is lost between two that are answered the other way round',
      [{ began: 9.75, answered: 11.5 }, { began: 10 }, { began: 9.5, answered: 10.5 }],
      { lost: 1, lastLost: 0, silence: 1, slowest: 1.75 },
    ],
    [
      'the last is lost: silence lasts until it began',
      [{ began: 9.5, answered: 9.75 }, { began: 10.5 }, { began: 12 }],
      { lost: 2, lastLost: 2, silence: 2.25, slowest: 0 },
    ],
    ['all ended before', [{ began: 8, answered: 9 }], { lost: 0, silence: 1, slowest: 0 }],
  ])('%s', (_, told, expected) => expect(figures(told, 10)).toEqual(expected));
});

describe('log and packets tell the same', () => {
  const told: Figures = { lost: 1, lastLost: 2, silence: 2, slowest: 1 };
  test.each<[boolean, string, Partial<Figures>]>([
    [true, 'to the letter', {}],
    [true, 'up to 0.3 s apart', { lastLost: 2.25, silence: 1.75, slowest: 1.25 }],
    [false, 'when another number is lost', { lost: 2 }],
    [false, 'when the last is lost 0.5 s later', { lastLost: 2.5 }],
    [false, 'when the last is lost 0.5 s earlier', { lastLost: 1.5 }],
    [false, 'when one of them tells of none', { lastLost: undefined }],
    [false, 'when silence is longer', { silence: 2.5 }],
    [false, 'when the slowest is slower', { slowest: 1.5 }],
    [false, 'when the slowest is faster', { slowest: 0.5 }],
  ])('%s %s', (alike, _, change) => {
    expect(areAlike(told, { ...told, ...change })).toBe(alike);
    expect(areAlike({ ...told, ...change }, told)).toBe(alike);
  });

  test('exactly 0.3 s is no difference', () => {
    expect(areAlike({ ...told, slowest: 0 }, { ...told, slowest: 0.3 })).toBe(true);
  });

  test('a request that waits for its connection is sent late, but never early', () => {
    const keeps = 'keeps its connection';
    expect(areAlike({ ...told, slowest: 3 }, { ...told, slowest: 1 }, keeps)).toBe(true);
    expect(areAlike({ ...told, slowest: 1 }, { ...told, slowest: 3 }, keeps)).toBe(false);
    expect(areAlike({ ...told, slowest: 3 }, { ...told, slowest: 1 }, 'keeps answers')).toBe(false);
  });
});

test('a figure is within what is allowed when log and packets both are, ends included', () => {
  const within = (silence: number, other: number, to = 2) =>
    isWithin(
      {
        log: { lost: 0, silence, slowest: 0 },
        packets: { lost: 0, silence: other, slowest: 0 },
        allowed: { silence: { from: 1, to }, why: '' },
      },
      'silence',
    );
  expect([within(1, 2), within(1.5, 2.5), within(2.5, 1.5), within(0.5, 0.75)]).toEqual([
    true,
    false,
    false,
    false,
  ]);
});

test('requests may be 0.3 s late, and no more', () => {
  expect([0, 0.3, 0.31].map((late) => isReliable({ agree: true, late }))).toEqual([true, true, false]);
  expect(isReliable({ agree: false, late: 0 })).toBe(false);
  expect(isReliable({ agree: true, late: 0, doubt: 'a capture is not whole' })).toBe(false);
});
