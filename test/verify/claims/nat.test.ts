// A director that translates addresses, at the limits of what its claims say: one packet each way, one byte, one microsecond too late.
import { describe, expect, test } from 'vitest';
import type { Evidence } from '../../../src/verify/types.ts';
import { verdict, withNodes } from '../evidence.ts';
import { asks, made, type MadeConnection } from '../made.ts';

const VIP = '192.168.11.107:80';
const BE1 = '10.133.1.2:80';
/** Nobody's address. */
const ELSEWHERE = '10.133.1.9:80';

type Parts = Partial<MadeConnection>;

/** A client's connection by its port: before the director, and behind it five microseconds later. */
const outer = (port: number, at: number, parts: Parts = {}): MadeConnection => ({
  client: `192.168.11.104:${port}`,
  server: VIP,
  at,
  says: asks(at + 10),
  ...parts,
});
const inner = (port: number, at: number, parts: Parts = {}): MadeConnection =>
  outer(port, at + 5, { server: BE1, ...parts });

const both = async (outside: readonly MadeConnection[], inside: readonly MadeConnection[]) =>
  made('nat', { eth0: outside, eth1: inside });

/** One connection, of which only this was seen on both sides. */
const passed = async (parts: Parts, other: Parts = parts) =>
  both([outer(40_000, 0, parts)], [inner(40_000, 0, other)]);

describe('nat.port', () => {
  test.each([
    ['pass', 40_002, '3 ports on eth0 (40000, 40001, 40002), 3 on eth1 (40000, 40001, 40002), 3 the same'],
    ['fail', 40_009, '3 ports on eth0 (40000, 40001, 40002), 3 on eth1 (40000, 40001, 40009), 2 the same'],
  ])('%s where the last is %d inside', async (status, last, observed) => {
    const times = [0, 100, 200];
    const ports = [40_000, 40_001, last];
    const evidence = await both(
      times.map((at, index) => outer(40_000 + index, at)),
      times.map((at, index) => inner(ports[index]!, at)),
    );
    expect(verdict('nat.port', evidence)).toMatchObject({ status, observed });
  });
});

describe('nat.rewrite', () => {
  const half = { handshake: 'syn-ack', says: [] } as const;
  const IN = 'destination 192.168.11.107 → 10.133.1.2';
  const OUT = 'source 10.133.1.2 → 192.168.11.107';
  test.each([
    ['pass', 'one packet each way', half, `1 packet in, ${IN}; 1 packet out, ${OUT}`],
    [
      'fail',
      'none in: the SYN is another',
      { ...half, ecn: true },
      `0 packets in, destination none; 1 packet out, ${OUT}`,
    ],
    ['unknown', 'no answer', { handshake: 'syn', says: [] }, 'no backend answered'],
  ] as const)('%s with %s', async (status, _, parts, observed) => {
    const evidence = await passed(parts, { ...parts, ecn: undefined });
    expect(verdict('nat.rewrite', evidence)).toMatchObject({ status, observed });
  });

  test('shows the one packet that went elsewhere', async () => {
    const lost = { handshake: 'syn', says: [] } as const;
    const evidence = await both(
      [outer(40_000, 0), outer(40_001, 100, lost)],
      [inner(40_000, 0), inner(40_001, 100, { ...lost, server: ELSEWHERE })],
    );
    expect(verdict('nat.rewrite', evidence)).toMatchObject({
      status: 'fail',
      evidence: [
        { capture: 'eth0', packets: [6] },
        { capture: 'eth1', packets: [6] },
      ],
    });
  });
});

describe('nat.both-ways', () => {
  const says = (...spoken: NonNullable<Parts['says']>): Parts => ({ says: spoken });
  const [question, answer] = [
    [10, '>', 'a'],
    [20, '<', 'b'],
  ] as const;
  test.each([
    [
      'pass',
      'a byte each way',
      says(question, answer),
      undefined,
      '1 connection on both sides, 2 bytes of payload, the same on each',
    ],
    [
      'fail',
      'a server alone',
      says(answer),
      undefined,
      '1 connection on both sides; 1 with no data from the client',
    ],
    [
      'fail',
      'an answer that comes out only',
      says(question, answer),
      says(question),
      '1 connection on both sides; 1 with bytes to the client on one side only',
    ],
    [
      'fail',
      'an answer that comes in only',
      says(question),
      says(question, answer),
      '1 connection on both sides; 1 with bytes to the client on one side only',
    ],
    [
      'fail',
      'a byte lost on the way',
      says(question, [15, '>', 'c'], answer),
      says(question, answer),
      '1 connection on both sides; 1 with bytes from the client on one side only',
    ],
    ['unknown', 'silence', says(question), undefined, 'no backend answered'],
  ] as const)('%s: %s', async (status, _, outside, inside, observed) => {
    expect(verdict('nat.both-ways', await passed(outside, inside))).toMatchObject({ status, observed });
  });

  test('one silent connection of two breaks it, and is shown', async () => {
    const silent = says([110, '>', 'a']);
    const evidence = await both(
      [outer(40_000, 0), outer(40_001, 100, silent)],
      [inner(40_000, 0), inner(40_001, 100, silent)],
    );
    expect(verdict('nat.both-ways', evidence)).toMatchObject({
      status: 'fail',
      observed: '2 connections on both sides; 1 with no data to the client',
      evidence: [
        { capture: 'eth0', packets: [6] },
        { capture: 'eth1', packets: [6] },
      ],
    });
  });

  test('where nothing has a counterpart it fails, answered or not', async () => {
    const silent = { handshake: 'syn', says: [] } as const;
    expect(
      verdict('nat.both-ways', await both([outer(40_000, 0, silent)], [inner(40_001, 0, silent)])),
    ).toMatchObject({
      status: 'fail',
      observed: '0 connections on both sides; 2 connections on one side only',
    });
  });
});

describe('nat.passed-through', () => {
  /** A request that is sent when the SYN has long been passed on, every packet after so many microseconds. */
  const held = async (delay: number): Promise<Evidence> => {
    const parts = (at: number): Parts => ({
      at,
      handshake: 'syn',
      says: [[at + 9_000_000, '>', 'GET / HTTP/1.1\r\n\r\n']],
    });
    return passed(parts(0), parts(delay));
  };
  const withDelay = (evidence: Evidence, delays: Readonly<Record<string, number>>) =>
    withNodes(evidence, (node) => ({
      ...node,
      interfaces: node.interfaces.map((link) =>
        node.name === 'lb' && link.name in delays ? { ...link, link: { delay: delays[link.name]! } } : link,
      ),
    }));

  test.each([
    ['pass', 50_000, {}],
    ['fail', 50_001, {}],
    ['pass', 65_000, { eth0: 5, eth1: 10 }],
    ['fail', 65_001, { eth0: 5, eth1: 10 }],
    ['pass', 4_050_000, { eth1: 4000 }],
    ['fail', 4_050_001, { eth1: 4000 }],
  ])('%s: packets leave after %d µs where links add %j ms', async (status, delay, delays) => {
    expect(verdict('nat.passed-through', withDelay(await held(delay), delays)).status).toBe(status);
  });

  test('says how long packets took: the middle one and the slowest', async () => {
    const parts = (...times: readonly number[]): Parts => ({
      handshake: 'syn',
      says: times.map((at) => [at, '>', 'GET / HTTP/1.1\r\n\r\n'] as const),
    });
    const evidence = await passed(parts(100, 200, 300), parts(109, 206, 307));
    expect(verdict('nat.passed-through', evidence).observed).toBe(
      '1 SYN passed on before the request, by 95.0 µs (median); 4 packets passed on within 6.00 µs (median), 9.00 µs (maximum)',
    );
  });

  test('one packet that has a twin is enough to say so', async () => {
    const evidence = await passed({ handshake: 'syn' }, { handshake: 'syn', says: [] });
    expect(verdict('nat.passed-through', evidence).observed).toBe(
      '1 SYN passed on before the request, by 5.00 µs (median); 1 packet passed on within 5.00 µs (median), 5.00 µs (maximum)',
    );
  });

  test.each([
    ['at the instant of the request', 10],
    ['after its first byte', 11],
  ])('a SYN that is sent on %s was held', async (_, at) => {
    const says: Parts['says'] = [
      [10, '>', 'G'],
      [20, '>', 'ET / HTTP/1.1\r\n\r\n'],
    ];
    const evidence = await both(
      [outer(40_000, 0, { says }), outer(40_001, 100)],
      [inner(40_000, 0, { at, says: [] }), inner(40_001, 100)],
    );
    expect(verdict('nat.passed-through', evidence)).toMatchObject({
      status: 'fail',
      observed: expect.stringMatching(/^1 of 2 SYNs sent on only after the request; /) as string,
      evidence: [
        { capture: 'eth0', packets: [4] },
        { capture: 'eth1', packets: [1] },
      ],
    });
  });

  test('of connections that are passed on and others only those that are passed on are timed', async () => {
    const evidence = await both(
      [outer(40_000, 0), outer(40_001, 100)],
      [inner(50_000, 20), inner(40_001, 100)],
    );
    expect(verdict('nat.passed-through', evidence)).toMatchObject({
      status: 'pass',
      observed: expect.stringMatching(/^1 SYN passed on before the request, by 5\.00 µs /) as string,
    });
  });

  test('where none is passed on they are taken in their order, as many as there are', async () => {
    const evidence = await both([outer(40_000, 0), outer(40_001, 100)], [inner(50_000, 0)]);
    expect(verdict('nat.passed-through', evidence)).toMatchObject({
      status: 'fail',
      observed: '1 SYN passed on before the request, by 5.00 µs (median); no packet has a twin',
    });
  });

  test('nothing is decided where nobody asks', async () => {
    expect(verdict('nat.passed-through', await passed({ says: [] }))).toMatchObject({
      status: 'unknown',
      observed: 'no client sent a request',
    });
  });
});
