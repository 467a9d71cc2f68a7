// How long things are: what headers say of themselves, what the link says, and what was captured.
import { describe, expect, test } from 'vitest';
import { readCapture } from '../../src/pcap/index.ts';
import { ethernet, ipv4, pcap, segment, tcp, udp } from './build.ts';
import { hex, in4, in6, inside, joined, only } from './frames.ts';

describe('lengths that cannot be:', () => {
  const changed = (frame: Buffer, at: number, ...bytes: number[]) => {
    const copy = Buffer.from(frame);
    copy.set(bytes, at);
    return copy;
  };
  const frame = segment({ payload: 'abc' });

  test.each<[what: string, frame: Uint8Array, malformed: string | undefined]>([
    ['an IPv4 header of 16 bytes', changed(frame, 14, 0x44), 'IPv4 header length 16'],
    ['an IPv4 header of 20 bytes', changed(frame, 14, 0x45), undefined],
    ['a datagram shorter than its header', changed(frame, 16, 0, 19), 'IPv4 total length 19'],
    ['a datagram of a header alone', changed(frame, 16, 0, 20), 'TCP header cut short'],
    ['version 6 where the EtherType says IPv4', changed(frame, 14, 0x65), 'IPv4 header with version 6'],
    ['version 4 where it says IPv6', changed(in6(6, tcp({})), 14, 0x40), 'IPv6 header with version 4'],
    ['a TCP header of 16 bytes', changed(frame, 46, 0x40), 'TCP header length 16'],
    ['a TCP header longer than the segment', changed(frame, 46, 0x60), 'TCP segment shorter than its header'],
    ['a UDP datagram of 7 bytes', changed(in4(17, udp(Buffer.from('xy'))), 38, 0, 7), 'UDP length 7'],
    ['a GRE source route', in4(47, '4000 0800', inside), 'GRE source route (RFC 1701) is not decoded'],
  ])('%s', async (_, made, malformed) => {
    expect((await only(made)).malformed).toBe(malformed);
  });

  test.each([
    ['0, as where the network card cuts segments: the frame counts', 0, 3],
    ['one byte less than there is', 42, 2],
    ['all of it', 43, 3],
    ['more than there is', 60, 3],
  ])('an IPv4 total length of %s', async (_, total, payloadLength) => {
    const { tcp: segmentOf, ip } = await only(changed(frame, 16, 0, total));
    expect(segmentOf).toMatchObject({ payloadLength, payload: { length: payloadLength } });
    expect(ip!.totalLength).toBe(total);
  });

  test.each([
    ['0, as of a jumbogram: the frame counts', 0, 3],
    ['one byte less than there is', 22, 2],
    ['all of it', 23, 3],
    ['more than there is', 60, 3],
  ])('an IPv6 payload length of %s', async (_, length, payloadLength) => {
    const { tcp: segmentOf } = await only(changed(in6(6, tcp({ payload: 'abc' })), 18, 0, length));
    expect(segmentOf).toMatchObject({ payloadLength, payload: { length: payloadLength } });
  });

  test('a frame cut by the snapshot length still says how much was sent', async () => {
    const cut = segment({ payload: 'x'.repeat(100) }).subarray(0, 64);
    const { tcp: segmentOf } = await only(cut, { originalLength: 154 });
    expect(segmentOf).toMatchObject({ payloadLength: 100, payload: { length: 10 } });
  });
});

describe('padding', () => {
  test.each([
    ['of Ethernet', joined(segment({}), Buffer.alloc(6))],
    ['in IPv6', joined(in6(6, tcp({})), Buffer.alloc(6))],
    [
      'behind SNAP',
      joined(ethernet(8 + inside.length, joined('aaaa03 000000 0800', inside)), Buffer.alloc(6)),
    ],
    ['behind PPPoE', joined(ethernet(0x8864, joined('1100 0001 002a 0021', inside)), Buffer.alloc(6))],
  ])('%s is no payload', async (_, frame) => {
    expect((await only(frame)).tcp).toMatchObject({ payloadLength: 0, payload: { length: 0 } });
  });

  const long = ipv4(6, tcp({ payload: 'abcdef' }));

  test.each([
    ['an 802.3 length', (length: number) => ethernet(8 + length, joined('aaaa03 000000 0800', long))],
    [
      'a PPPoE length',
      (length: number) => ethernet(0x8864, joined(`1100 0001 00${hex(length + 2)} 0021`, long)),
    ],
  ])('what %s cuts off is no payload, even where the IP header counts it', async (_, make) => {
    for (const [length, payloadLength] of [
      [40, 0],
      [41, 1],
      [46, 6],
      [47, 6],
    ] as const)
      expect((await only(make(length))).tcp?.payloadLength).toBe(payloadLength);
    expect((await only(make(39))).malformed).toBe('TCP segment shorter than its header');
    expect((await only(make(19))).malformed).toBe('IPv4 header cut short');
    expect((await only(make(20))).malformed).toBe('TCP header cut short');
  });
});

test('802.3 has lengths up to 1500', async () => {
  const packet = ipv4(6, tcp({ payload: 'x'.repeat(1452) }));
  const frame = ethernet(1500, joined('aaaa03 000000 0800', packet));
  expect((await only(frame)).tcp).toMatchObject({ payloadLength: 1452 });
});

describe('without a total length the frame’s own counts, less what is before IP:', () => {
  const packet = ipv4(6, tcp({ payload: 'abc' }));
  packet.writeUInt16BE(0, 2);

  test.each<[what: string, frame: Uint8Array, linkType: number]>([
    ['Ethernet', ethernet(0x0800, packet), 1],
    ['VLAN', ethernet(0x8100, joined('0001 0800', packet)), 1],
    ['SNAP', ethernet(8 + packet.length, joined('aaaa03 000000 0800', packet, '000000')), 1],
    ['MPLS', ethernet(0x8847, joined('00010040 00020140', packet)), 1],
    ['PPPoE', ethernet(0x8864, joined('1100 0001 002d 0021', packet, '000000')), 1],
    ['PPPoE, longer than it is', ethernet(0x8864, joined('1100 0001 003d 0021', packet)), 1],
    ['GRE', in4(47, '0000 0800', packet), 1],
    ['GRE with a key', in4(47, '2000 0800 00000001', packet), 1],
    ['IPv4', in4(4, packet), 1],
    ['an authentication header', in4(51, '04 01 0000 00000001 00000002', packet), 1],
    ['extension headers of IPv6', in6(60, '04 00 0104 00000000', packet), 1],
    ['Linux cooked', joined('0000 0001 0006 020000000001 0000 0800', packet), 113],
    ['Linux cooked, version 2', joined('0800 0000 00000002 0001 00 06 020000000001 0000', packet), 276],
    ['loopback', joined('02000000', packet), 0],
    ['raw IP', packet, 101],
  ])('%s', async (_, frame, linkType) => {
    expect((await only(frame, { linkType })).tcp).toMatchObject({ payloadLength: 3, payload: { length: 3 } });
  });
});

describe('what stands behind a frame in the file is not read:', () => {
  const labels = ethernet(0x8847, joined('00010040 00020140', inside));
  const session = ethernet(0x8864, joined('1100 0001 002a 0021', inside));

  // A record of pcap begins with the lowest byte of its seconds.
  test.each<[what: string, frame: Uint8Array, seconds: bigint]>([
    ['an IP version behind MPLS labels', labels.subarray(0, 22), 0x6500_0045n],
    ['PPP’s number behind a session header', session.subarray(0, 21), 0x6500_0021n],
  ])('%s', async (_, frame, seconds) => {
    const next = { frame: segment({}), time: seconds * 1_000_000_000n };
    const { packets } = await readCapture(pcap([{ frame, originalLength: 74 }, next]));
    expect([packets[0]!.ip, packets[0]!.malformed]).toEqual([undefined, undefined]);
  });
});
