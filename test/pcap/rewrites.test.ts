// What is said to have been rewritten between two sightings of a packet, header by header.
import { expect, test } from 'vitest';
import { readCapture } from '../../src/pcap/index.ts';
import { rewritesBetween } from '../../src/pcap/rewrites.ts';
import type { SegmentOptions } from './build.ts';
import { bytesOf, ethernet, ipv4, pcap, segment, tcp, udp } from './build.ts';

const BASE: SegmentOptions = { flags: 'A', sequence: 5, acknowledgment: 9, payload: 'ab' };
const IP = ipv4(6, tcp(BASE));
const tagged = (vlan: string) => ethernet(0x8100, Buffer.concat([bytesOf(`${vlan} 0800`), IP]));
const tunnelled = (destination: string) => ethernet(0x0800, ipv4(4, IP, { destination }));
const PLAIN = segment(BASE);

async function between(before: readonly Uint8Array[], after: readonly Uint8Array[], linkType = 1) {
  const [a, b] = await Promise.all([readCapture(pcap(before)), readCapture(pcap(after, { linkType }))]);
  return rewritesBetween(a.packets, b.packets).map(({ field, from, to }) => [field, from, to]);
}

test.each<[string, Uint8Array, Uint8Array, (string | number)[][]]>([
  ['nothing', PLAIN, PLAIN, []],
  ['a VLAN tag that is added', PLAIN, tagged('0064'), [['vlan', '', '100']]],
  ['a VLAN tag that is taken off', tagged('0064'), PLAIN, [['vlan', '100', '']]],
  ['a VLAN tag that is changed', tagged('0064'), tagged('00c8'), [['vlan', '100', '200']]],
  ['a VLAN tag that stays', tagged('0064'), tagged('0064'), []],
  [
    'a tunnel that is added',
    PLAIN,
    tunnelled('10.9.9.9'),
    [['encapsulation-added', '', '10.0.0.1 > 10.9.9.9 (4)']],
  ],
  [
    'a tunnel that is taken off',
    tunnelled('10.9.9.9'),
    PLAIN,
    [['encapsulation-removed', '10.0.0.1 > 10.9.9.9 (4)', '']],
  ],
  [
    'a tunnel that is changed',
    tunnelled('10.9.9.9'),
    tunnelled('10.8.8.8'),
    [['encapsulation-changed', '10.0.0.1 > 10.9.9.9 (4)', '10.0.0.1 > 10.8.8.8 (4)']],
  ],
  ['a tunnel that stays', tunnelled('10.9.9.9'), tunnelled('10.9.9.9'), []],
  [
    'both of its numbers',
    PLAIN,
    segment({ ...BASE, sequence: 6, acknowledgment: 10 }),
    [
      ['sequence', 5, 6],
      ['acknowledgment', 9, 10],
    ],
  ],
  [
    "a datagram's ports",
    ethernet(0x0800, ipv4(17, udp(Buffer.from('x')))),
    ethernet(0x0800, ipv4(17, udp(Buffer.from('x'), { sourcePort: 1, destinationPort: 2 }))),
    [
      ['source-port', 40000, 1],
      ['destination-port', 53, 2],
    ],
  ],
])('%s', async (_, before, after, expected) => {
  expect(await between([before], [after])).toEqual(expected);
});

test('nothing of a header that one of both does not have', async () => {
  expect(await between([tagged('0064')], [IP], 101)).toEqual([]);
});

test('the acknowledgment of packets that were split or merged is none of one packet', async () => {
  const later = segment({ ...BASE, sequence: 7, acknowledgment: 10 });
  const acknowledged = segment({ ...BASE, acknowledgment: 10 });
  expect(await between([PLAIN], [acknowledged, later])).toEqual([['segmentation', 1, 2]]);
  expect(await between([PLAIN, later], [acknowledged])).toEqual([['segmentation', 2, 1]]);
  expect(await between([PLAIN, later], [acknowledged, later])).toEqual([]);
});
