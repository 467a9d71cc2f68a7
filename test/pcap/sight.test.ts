// What tells packets from each other, wherever they were seen: the key that all sightings of one packet have.
import { describe, expect, test } from 'vitest';
import type { Packet } from '../../src/pcap/index.ts';
import { readCapture } from '../../src/pcap/index.ts';
import { canBeTwins, hasSameKey, keyHash, twinKey } from '../../src/pcap/sight.ts';
import type { SegmentOptions } from './build.ts';
import { bytesOf, ethernet, ipv4, pcap, segment, tcp, udp } from './build.ts';
import { FORWARDED, stamp, SYN } from './points.ts';

async function packet(frame: Uint8Array, cut?: number): Promise<Packet> {
  const { packets } = await readCapture(
    pcap([{ frame: frame.subarray(0, cut), originalLength: frame.length }]),
  );
  return packets[0]!;
}

const datagram = (payload: string, ports = {}) =>
  ethernet(0x0800, ipv4(17, udp(Buffer.from(payload), ports)));
const icmp = (hex: string) => ethernet(0x0800, ipv4(1, bytesOf(hex)));
const BASE: SegmentOptions = {
  ...SYN,
  flags: 'A',
  sequence: 70,
  acknowledgment: 90,
  payload: 'ab',
  options: stamp(5),
};
const stamps = (value: number, echo: number) => [1, 1, 8, 10, 0, 0, 0, value, 0, 0, 0, echo];
const FORTY = 'x'.repeat(40);

describe('the key of a packet', () => {
  test.each<[string, Uint8Array, Uint8Array]>([
    [
      'hop, addresses and ports',
      segment(BASE),
      segment({ ...BASE, ...FORWARDED, source: '1.1.1.1', sourcePort: 1 }),
    ],
    ['window', segment(BASE), segment({ ...BASE, window: 1 })],
    ['marks of congestion', segment(BASE), segment({ ...BASE, flags: 'AEC' })],
    ['ports of UDP', datagram('ab'), datagram('ab', { sourcePort: 9 })],
    ['41st byte of UDP, which may not have been captured', datagram(`${FORTY}a`), datagram(`${FORTY}b`)],
    ['41st byte of ICMP', icmp(`0800 0000 ${'00'.repeat(40)} 01`), icmp(`0800 0000 ${'00'.repeat(40)} 02`)],
    ['checksum of ICMP', icmp('0800 1111 0001'), icmp('0800 2222 0001')],
  ])('stays the same when there is another %s', async (_, one, other) => {
    const [a, b] = [await packet(one), await packet(other)];
    expect(twinKey(a)).toBe(twinKey(b));
    expect(hasSameKey(a, b)).toBe(true);
    expect(keyHash(a)).toBe(keyHash(b));
  });

  test.each<[string, Uint8Array, Uint8Array]>([
    ['sequence number', segment(BASE), segment({ ...BASE, sequence: 71 })],
    ['acknowledgment', segment(BASE), segment({ ...BASE, acknowledgment: 91 })],
    ['length', segment(BASE), segment({ ...BASE, payload: 'abc' })],
    ...['F', 'S', 'R', 'P', 'U'].map((flag): [string, Uint8Array, Uint8Array] => [
      `flag ${flag}`,
      segment(BASE),
      segment({ ...BASE, flags: `A${flag}` }),
    ]),
    ['flag A', segment(BASE), segment({ ...BASE, flags: '' })],
    ['flag R in place of S', segment({ ...BASE, flags: 'S' }), segment({ ...BASE, flags: 'R' })],
    ['flag P in place of R', segment({ ...BASE, flags: 'R' }), segment({ ...BASE, flags: 'P' })],
    ['flag A in place of P', segment({ ...BASE, flags: 'P' }), segment({ ...BASE, flags: 'A' })],
    ['timestamp', segment(BASE), segment({ ...BASE, options: stamps(6, 0) })],
    ['timestamp echoed', segment(BASE), segment({ ...BASE, options: stamps(5, 1) })],
    ['option: none', segment(BASE), segment({ ...BASE, options: [] })],
    ['length of UDP', datagram(FORTY), datagram(`${FORTY}a`)],
    ['first byte of UDP', datagram('ab'), datagram('bb')],
    ['40th byte of UDP', datagram(FORTY), datagram(`${'x'.repeat(39)}y`)],
    ['type of ICMP', icmp('0800 0000 0001'), icmp('0000 0000 0001')],
    ['code of ICMP', icmp('0300 0000 0001'), icmp('0301 0000 0001')],
    ['payload of ICMP', icmp('0800 0000 0001'), icmp('0800 0000 0002')],
    ['length of ICMP', icmp('0800 0000 0000'), icmp('0800 0000 000000')],
    ['protocol: TCP in place of UDP', datagram('ab'), segment({ ...BASE, payload: 'ab' })],
    ['protocol: UDP in place of TCP', segment({ ...BASE, payload: 'ab' }), datagram('ab')],
  ])('is another with another %s', async (_, one, other) => {
    const [a, b] = [await packet(one), await packet(other)];
    expect(twinKey(a)).not.toBe(twinKey(b));
    expect(hasSameKey(a, b)).toBe(false);
  });

  test('as a number is nearly always another too', async () => {
    const frames = [
      segment(BASE),
      segment({ ...BASE, sequence: 71 }),
      segment({ ...BASE, acknowledgment: 91 }),
      segment({ ...BASE, payload: 'abc' }),
      segment({ ...BASE, options: stamps(6, 0) }),
      segment({ ...BASE, options: [] }),
      datagram(FORTY),
      datagram(`${'x'.repeat(39)}y`),
      datagram(`y${'x'.repeat(39)}`),
    ];
    const hashes = await Promise.all(frames.map(async (frame) => keyHash(await packet(frame))));
    expect(new Set(hashes).size).toBe(frames.length);
    for (const hash of hashes) expect(hash).toBe(hash | 0);
  });

  test('is not there where there is no TCP, UDP or ICMP', async () => {
    expect(twinKey(await packet(ethernet(0x0806, Buffer.alloc(28))))).toBeUndefined();
  });
});

describe('packets of one key', () => {
  const twins = async (
    one: Uint8Array,
    other: Uint8Array,
    captures: readonly [number, number] = [0, 1],
    cut?: number,
  ) =>
    canBeTwins(
      { capture: captures[0], packet: await packet(one) },
      { capture: captures[1], packet: await packet(other, cut) },
    );
  const FRAME = segment(BASE);
  const tagged = (vlan: string) =>
    ethernet(0x8100, Buffer.concat([bytesOf(`${vlan} 0800`), ipv4(6, tcp(BASE))]));
  const tunnelled = (destination: string) => ethernet(0x0800, ipv4(4, ipv4(6, tcp(BASE)), { destination }));
  const plain = ethernet(0x0800, ipv4(6, tcp(BASE)));

  test('can be one where they are of two captures', async () => {
    expect(await twins(FRAME, FRAME)).toBe(true);
  });

  test.each<[string, Uint8Array, Uint8Array]>([
    ['a lower TTL', FRAME, segment({ ...BASE, ttl: 63 })],
    ['another source MAC', FRAME, segment({ ...BASE, sourceMac: '02:00:00:00:00:99' })],
    ['another destination MAC', FRAME, segment({ ...BASE, destinationMac: '02:00:00:00:00:99' })],
    ['another VLAN', tagged('0064'), tagged('00c8')],
    ['no VLAN', tagged('0064'), plain],
    ['a tunnel', plain, tunnelled('10.0.0.9')],
    ['another tunnel', tunnelled('10.0.0.8'), tunnelled('10.0.0.9')],
    [
      'a lower TTL in a VLAN',
      tagged('0064'),
      ethernet(0x8100, Buffer.concat([bytesOf('0064 0800'), ipv4(6, tcp(BASE), { ttl: 9 })])),
    ],
  ])('can be one at one point where one of them has %s', async (_, one, other) => {
    expect(await twins(one, other, [0, 0])).toBe(true);
  });

  test('are two where they passed one point the same way, whoever they are from', async () => {
    for (const [one, other] of [
      [FRAME, FRAME],
      [FRAME, segment({ ...BASE, source: '1.1.1.1' })],
      [tagged('0064'), tagged('0064')],
      [tunnelled('10.0.0.9'), tunnelled('10.0.0.9')],
    ] as const)
      expect(await twins(one, other, [0, 0])).toBe(false);
  });

  test('are two where they carry other bytes, as far as those were captured', async () => {
    const other = segment({ ...BASE, payload: 'aX' });
    expect(await twins(FRAME, other)).toBe(false);
    expect(await twins(FRAME, other, [0, 1], FRAME.length - 1)).toBe(true);
    expect(await twins(FRAME, segment({ ...BASE, payload: 'Xb' }), [0, 1], FRAME.length - 1)).toBe(false);
    expect(await twins(FRAME, other, [0, 1], FRAME.length - 2)).toBe(true);
    expect(await twins(segment({ ...BASE, payload: 'a' }), segment({ ...BASE, payload: 'b' }))).toBe(false);
    expect(await twins(datagram('ab'), datagram('ac'))).toBe(false);
    expect(await twins(icmp('0800 0000 0001'), icmp('0800 0000 0001'))).toBe(true);
  });
});
