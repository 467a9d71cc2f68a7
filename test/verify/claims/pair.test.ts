// Two directors and the instants that count: how long the second waits, what came before the first went down and what after.
import { describe, expect, test } from 'vitest';
import type { Evidence, FaultRecord } from '../../../src/verify/types.ts';
import { bytesOf, ethernet, ipv4 } from '../../pcap/build.ts';
import { verdict, withNodes } from '../evidence.ts';
import { asks, captured, ETHERNET, made, packetsOf, START, type MadeConnection } from '../made.ts';

const FIRST = { address: '192.168.11.106', mac: '02:00:c0:a8:0b:6a' };
const SECOND = { address: '192.168.11.110', mac: '02:00:c0:a8:0b:6e' };
const CLIENT_MAC = '02:00:c0:a8:0b:68';
const SECONDS = 1_000_000;

/** The first director goes down in the second from the tenth after the start to the eleventh. */
const fault = (node: string): FaultRecord => {
  const began = Number(START / 1_000_000_000n) + 10;
  return { at: 10, node, fault: 'link-down', began, done: began + 1 };
};
const withFault = (evidence: Evidence): Evidence => ({ ...evidence, faults: [fault('be1'), fault('lb1')] });

describe('pair.takeover', () => {
  const advertisement = ({ address }: { address: string }, nanoseconds: number) => ({
    frame: ipv4(112, Buffer.alloc(12), { source: address, destination: '224.0.0.18' }),
    time: START + BigInt(nanoseconds),
  });
  /** Three advertisements of a second, and 156 parts of 256 of one (RFC 5798 section 6.1). */
  const WANTED = 3_609_375_000;

  test.each([
    ['fail', WANTED - 50_000_000],
    ['pass', WANTED - 49_999_999],
    ['pass', WANTED + 499_999_999],
    ['fail', WANTED + 500_000_000],
  ])('%s after %d ns: a timer may be late by half a second, and hardly early', async (status, waited) => {
    const evidence = await captured('pair', {
      lb2: [advertisement(FIRST, 0), advertisement(SECOND, waited)],
    });
    expect(verdict('pair.takeover', withFault(evidence)).status).toBe(status);
  });

  test('counts in the capture that saw most, and not in that of the first director', async () => {
    const own = [0, 1, 2, 3].map((index) => advertisement(FIRST, index * 1_000_000_000));
    const evidence = await captured('pair', {
      client: own.slice(0, 1),
      lb2: [own[0]!, advertisement(SECOND, WANTED)],
      lb1: own,
    });
    expect(verdict('pair.takeover', withFault(evidence))).toMatchObject({
      status: 'pass',
      observed: 'lb2 advertised itself 3.61 s after the last advertisement of lb1',
      evidence: [{ capture: 'lb2', packets: [1, 2] }],
    });
  });

  test('a first director that comes back later was silent before', async () => {
    const waited = async (...seconds: readonly number[]) =>
      verdict(
        'pair.takeover',
        withFault(
          await captured('pair', {
            lb2: [
              ...seconds.map((second) => advertisement(FIRST, second * 1_000_000_000)),
              advertisement(SECOND, WANTED),
            ],
          }),
        ),
      );
    expect(await waited(0, 60)).toMatchObject({ status: 'pass', evidence: [{ packets: [1, 2] }] });
    expect(await waited(0, 3.609375)).toMatchObject({
      status: 'fail',
      observed: 'lb2 advertised itself 0 ns after the last advertisement of lb1',
    });
  });

  test.each([
    ['fail', 'lb2 never advertised itself', [advertisement(FIRST, 0)], [{ capture: 'lb2', packets: [1] }]],
    ['unknown', 'no advertisement of lb1 was captured', [advertisement(SECOND, 0)], []],
    ['unknown', 'no VRRP advertisement was captured', [], []],
  ] as const)('%s: %s', async (status, observed, packets, evidence) => {
    expect(verdict('pair.takeover', withFault(await captured('pair', { lb2: packets })))).toMatchObject({
      status,
      observed,
      evidence,
    });
  });

  test('nothing is decided where no director went down', async () => {
    const evidence = await captured('pair', {
      lb2: [advertisement(FIRST, 0), advertisement(SECOND, WANTED)],
    });
    for (const faults of [undefined, [fault('be1')]])
      expect(verdict('pair.takeover', { ...evidence, faults })).toMatchObject({
        status: 'unknown',
        observed: 'no director went down while requests went on',
      });
  });
});

describe('pair.moves', () => {
  /** A connection through a director that is answered. */
  const through = ({ mac }: { mac: string }, port: number, seconds: number): MadeConnection => ({
    client: `192.168.11.104:${port}`,
    server: '192.168.11.107:80',
    macs: [CLIENT_MAC, mac],
    at: seconds * SECONDS,
    says: asks(seconds * SECONDS + 10),
  });
  /** A gratuitous ARP request: the VIP asks for the VIP (RFC 5227 section 3). */
  const claiming = ({ mac }: { mac: string }, seconds: number) => ({
    frame: ethernet(
      0x0806,
      bytesOf(`0001 0800 06 04 0001 ${mac} c0a80b6b 000000000000 c0a80b6b`),
      mac,
      'ff:ff:ff:ff:ff:ff',
    ),
    time: START + BigInt(seconds) * 1_000_000_000n,
  });
  const moves = async (connections: readonly MadeConnection[], claims = [claiming(SECOND, 14)]) =>
    withFault(await captured('pair', { client: [...connections.flatMap(packetsOf), ...claims] }, ETHERNET));

  const before = through(FIRST, 40_000, 9);
  const after = through(SECOND, 40_001, 15);
  const BEFORE = '1 connection answered through lb1 before; ';
  const CLAIMED = 'lb2 claimed the VIP 3.00 s after; ';
  const AFTER = '1 connection answered through lb2 from 4.00 s after on';

  test('one before, one after, and between them ARP', async () => {
    expect(verdict('pair.moves', await moves([before, after]))).toMatchObject({
      status: 'pass',
      observed: BEFORE + CLAIMED + AFTER,
      evidence: [{ capture: 'client', packets: [1, 6, 7] }],
    });
  });

  test.each([
    ['pass', 'while it goes down is neither before', [through(SECOND, 40_002, 10)], BEFORE + CLAIMED + AFTER],
    [
      'fail',
      'as soon as it is down is after',
      [through(FIRST, 40_002, 11)],
      `${BEFORE}${CLAIMED}2 connections answered through lb1 and lb2 from 0 ns after on`,
    ],
    [
      'fail',
      'through the second too early',
      [through(SECOND, 40_002, 8)],
      `2 connections answered through lb2 and lb1 before; ${CLAIMED}${AFTER}`,
    ],
    [
      'fail',
      'through the first too late',
      [through(FIRST, 40_002, 16)],
      `${BEFORE}${CLAIMED}2 connections answered through lb2 and lb1 from 4.00 s after on`,
    ],
    [
      'fail',
      'at the instant of the ARP packet',
      [through(SECOND, 40_002, 14)],
      `${BEFORE}${CLAIMED}2 connections answered through lb2 from 3.00 s after on`,
    ],
    [
      'fail',
      'through somebody else',
      [through({ mac: '02:00:00:00:00:99' }, 40_002, 16)],
      `${BEFORE}${CLAIMED}2 connections answered through lb2 and somebody else from 4.00 s after on`,
    ],
  ] as const)('%s: one more %s', async (status, _, more, observed) => {
    expect(verdict('pair.moves', await moves([before, after, ...more]))).toMatchObject({ status, observed });
  });

  test.each([
    ['unknown', 'no request was answered before the director went down', [after], undefined],
    ['fail', `${BEFORE}${CLAIMED}no connection that was opened later was answered`, [before], undefined],
    ['fail', `${BEFORE}nobody else claimed the VIP in ARP; ${AFTER}`, [before, after], [claiming(FIRST, 14)]],
  ] as const)('%s: %s', async (status, observed, connections, claims) => {
    expect(verdict('pair.moves', await moves(connections, claims && [...claims]))).toMatchObject({
      status,
      observed,
    });
  });

  test('a director is known by any of its interfaces', async () => {
    const evidence = withNodes(await moves([before, after]), (node) => ({
      ...node,
      interfaces: [...node.interfaces, { ...node.interfaces[0]!, name: 'eth9', mac: '02:00:00:00:00:09' }],
    }));
    expect(verdict('pair.moves', evidence).status).toBe('pass');
  });
});

describe('pair.connections', () => {
  /** A connection with a request at each of these seconds. */
  const asking = (port: number, seconds: readonly number[], reset?: number): MadeConnection => ({
    client: `192.168.11.105:${port}`,
    server: '192.168.11.107:80',
    at: seconds[0]! * SECONDS - 10,
    says: seconds.flatMap((second) => asks(second * SECONDS)),
    ...(reset !== undefined && { reset: reset * SECONDS }),
  });
  const judged = async (...connections: readonly MadeConnection[]) =>
    verdict('pair.connections', withFault(await made('pair', { keeping: connections })));
  const NONE = 'no connection with several requests was open when the director went down';

  test.each([
    ['pass', [9, 11], 'keeping: 1 answer before, 1 after, the first 1.00 µs after'],
    ['pass', [8, 9, 14, 15], 'keeping: 2 answers before, 2 after, the first 3.00 s after'],
    ['unknown', [9], NONE],
    ['unknown', [8, 9], NONE],
    ['unknown', [12, 13], NONE],
  ])('%s where requests were sent after %j s', async (status, seconds, observed) => {
    expect(await judged(asking(40_000, seconds))).toMatchObject({ status, observed });
  });

  test('a connection that is opened as soon as the director is down was not open before', async () => {
    const opened = { ...asking(40_000, [12, 13]), at: 11 * SECONDS };
    expect(await judged(opened)).toMatchObject({ status: 'unknown', observed: NONE });
  });

  test('an answer that comes as soon as the director is down comes after', async () => {
    const says = [...asks(9 * SECONDS), ...asks(11 * SECONDS - 1)];
    expect(
      await judged({ ...asking(40_000, [9]), says: [...says, [12 * SECONDS, '>', 'GET']] }),
    ).toMatchObject({
      status: 'pass',
      observed: 'keeping: 1 answer before, 1 after, the first 0 ns after',
    });
  });

  test.each([
    [
      'an answer and then a reset',
      asking(40_001, [9, 12], 13),
      '1 after, the first 1.00 s after, then reset',
    ],
    [
      'no answer at all',
      {
        ...asking(40_001, [8, 9]),
        says: [...asks(8 * SECONDS), ...asks(9 * SECONDS), [12 * SECONDS, '>', 'GET']],
      } as const,
      'none after',
    ],
  ])('breaks with %s, and shows the one that broke', async (_, broken, words) => {
    const verdictOf = await judged(asking(40_000, [7, 12]), broken);
    expect(verdictOf).toMatchObject({
      status: 'fail',
      observed: expect.stringContaining(words) as string,
      evidence: [{ capture: 'keeping', packets: [6] }],
    });
  });
});
