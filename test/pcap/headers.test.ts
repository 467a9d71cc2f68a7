// Headers as their RFCs have them, made byte by byte: those that the captures beside (decoded.txt) lack, their limits, and where each is
// cut short.
import { describe, expect, test } from 'vitest';
import { readCapture } from '../../src/pcap/index.ts';
import { bytesOf, ethernet, ipv4, ipv6, pcap, tcp, udp } from './build.ts';
import { A, B, in4, in6, inside, joined, only } from './frames.ts';

/** `14 IPv4 header cut short`: what is said of a frame of which so many bytes were captured, up to the next number. */
async function saidOfPrefixes(frame: Uint8Array, linkType = 1): Promise<string[]> {
  const { length } = frame;
  const records = Array.from({ length: length + 1 }, (_, captured) => ({
    frame: frame.subarray(0, captured),
    originalLength: length,
  }));
  const { packets } = await readCapture(pcap(records, { linkType }));
  const said: string[] = [];
  packets.forEach(({ malformed = 'whole' }, captured) => {
    if (said.at(-1)?.replace(/^\d+ /, '') !== malformed) said.push(`${captured} ${malformed}`);
  });
  return said;
}

const ETHERNET = '0 Ethernet header cut short';
const IN_IPV4 = [ETHERNET, '14 IPv4 header cut short'];
const IN_IPV6 = [ETHERNET, '14 IPv6 header cut short'];
/** A TCP header of 20 bytes that begins at `at`; how long its options are is known after 16. */
const tcpAt = (at: number) => [
  `${at} TCP header cut short`,
  `${at + 16} TCP options cut short`,
  `${at + 20} whole`,
];
const insideAt = (at: number) => [`${at} IPv4 header cut short`, ...tcpAt(at + 20)];

describe('cut at any place:', () => {
  test.each<[what: string, frame: Uint8Array, said: readonly string[], linkType?: number]>([
    [
      'TCP with options',
      in4(6, tcp({ options: [2, 4, 5, 180] })),
      [...IN_IPV4, '34 TCP header cut short', '50 TCP options cut short', '58 whole'],
    ],
    [
      'IPv4 options',
      ethernet(0x0800, ipv4(6, tcp({}), { options: [7, 3, 4, 0] })),
      [...IN_IPV4, '34 IPv4 options cut short', ...tcpAt(38)],
    ],
    ['UDP', in4(17, udp(Buffer.from('xy'))), [...IN_IPV4, '34 UDP header cut short', '42 whole']],
    ['ICMP', in4(1, '0800 0000 0001 0002'), [...IN_IPV4, '34 ICMP header cut short', '38 whole']],
    [
      'an IPv6 fragment header',
      in6(44, '06 00 0001 00000009', Buffer.alloc(16)),
      [...IN_IPV6, '54 IPv6 extension header cut short', '62 whole'],
    ],
    [
      'GRE',
      in4(47, '0000 0800', inside).subarray(0, 58),
      [...IN_IPV4, '34 GRE header cut short', '38 IPv4 header cut short', '58 TCP header cut short'],
    ],
    [
      'GRE with checksum, key and sequence number',
      in4(47, 'b000 0800 00000000 00000001 00000002', inside),
      [...IN_IPV4, '34 GRE header cut short', ...insideAt(50)],
    ],
    [
      'an authentication header',
      in4(51, '06 04 0000 00000001 00000002 000000000000000000000000', tcp({})),
      [...IN_IPV4, '34 authentication header cut short', ...tcpAt(58)],
    ],
    [
      'extension headers of IPv6',
      in6(0, '3c 00 0104 00000000', '06 01 0104 00000000 0000000000000000', tcp({})),
      [...IN_IPV6, '54 IPv6 extension header cut short', ...tcpAt(78)],
    ],
    [
      'a VLAN tag',
      ethernet(0x8100, joined('0064 0800', inside)),
      [ETHERNET, '14 VLAN tag cut short', ...insideAt(18)],
    ],
    [
      'two MPLS labels',
      ethernet(0x8847, joined('00010040 00020140', inside)),
      [ETHERNET, '14 MPLS label cut short', '22 whole', '23 IPv4 header cut short', ...tcpAt(42)],
    ],
    [
      'SNAP',
      ethernet(8 + inside.length, joined('aaaa03 000000 0800', inside)),
      [ETHERNET, '14 whole', ...insideAt(22)],
    ],
    [
      'PPPoE',
      ethernet(0x8864, joined('1100 0001 002a 0021', inside)),
      [ETHERNET, '14 whole', ...insideAt(22)],
    ],
    [
      'ARP',
      ethernet(0x0806, bytesOf('0001 0800 06 04 0001 020000000001 0a000001 000000000000 0a000002')),
      [ETHERNET, '14 ARP packet cut short, or not for IPv4 over Ethernet', '42 whole'],
    ],
    [
      'Linux cooked',
      joined('0000 0001 0006 020000000001 0000 0800', inside),
      ['0 Linux cooked header cut short', ...insideAt(16)],
      113,
    ],
    [
      'Linux cooked, version 2',
      joined('0800 0000 00000002 0001 00 06 020000000001 0000', inside),
      ['0 Linux cooked header cut short', ...insideAt(20)],
      276,
    ],
    [
      'loopback',
      joined('02000000', inside),
      ['0 loopback header cut short', '4 IP header cut short', '5 IPv4 header cut short', ...tcpAt(24)],
      0,
    ],
  ])('%s', async (_, frame, said, linkType) => {
    expect(await saidOfPrefixes(frame, linkType)).toEqual(said);
  });
});

describe('what carries IP:', () => {
  const TO_INSIDE = { ip: { source: '192.0.2.1', destination: '192.0.2.2' }, tcp: { sourcePort: 40000 } };

  test.each<[what: string, frame: Uint8Array, outer: readonly object[], linkType?: number]>([
    ['IPv4 in IPv4', in4(4, inside), [{ version: 4, protocol: 4 }]],
    ['IPv4 in IPv6', in6(4, inside), [{ version: 6, source: '2001:db8::a', protocol: 4 }]],
    ['GRE', in4(47, '0000 0800', inside), [{ protocol: 47 }]],
    ['GRE with a checksum', in4(47, '8000 0800 00000000', inside), [{ protocol: 47 }]],
    ['GRE with a sequence number', in4(47, '1000 0800 00000007', inside), [{ protocol: 47 }]],
    ['GRE in IPv6', in6(47, '0000 0800', inside), [{ version: 6, protocol: 47 }]],
    ['Ethernet tags of three kinds', ethernet(0x88a8, joined('0001 9100 0002 8100 0003 0800', inside)), []],
    ['upstream-assigned MPLS labels', ethernet(0x8848, joined('00010140', inside)), []],
    ['MPLS in Ethernet tags', ethernet(0x8100, joined('0001 8847 00010140', inside)), []],
    ['raw IP, type 229', inside, [], 229],
    ['loopback of FreeBSD', joined('02000000', inside), [], 0],
    ['raw IP, type 14', inside, [], 14],
  ])('%s', async (_, frame, outer, linkType) => {
    const packet = await only(frame, { linkType });
    expect(packet).toMatchObject({ ...TO_INSIDE, outer });
    expect(packet.outer).toHaveLength(outer.length);
    expect(packet.malformed).toBeUndefined();
  });

  test.each([
    ['IPv6 in IPv4', in4(41, ipv6(6, tcp({}), A, B)), 1],
    ['IPv6 in IPv6', in6(41, ipv6(6, tcp({}), A, B)), 1],
    ['IPv6 in PPPoE', ethernet(0x8864, joined('1100 0001 003e 0057', ipv6(6, tcp({}), A, B))), 0],
    ['IPv6 under an MPLS label', ethernet(0x8847, joined('00010140', ipv6(6, tcp({}), A, B))), 0],
  ])('%s', async (_, frame, tunnels) => {
    const packet = await only(frame);
    expect(packet.ip).toMatchObject({
      version: 6,
      source: '2001:db8::a',
      destination: '2001:db8::b',
      ttl: 64,
    });
    expect(packet.outer).toHaveLength(tunnels);
    expect(packet.tcp).toMatchObject({ sourcePort: 40000, payloadLength: 0 });
  });

  test.each([10, 24, 28, 30])("loopback with IPv6's number %d, in either byte order", async (family) => {
    for (const header of [Buffer.of(family, 0, 0, 0), Buffer.of(0, 0, 0, family)]) {
      const packet = await only(joined(header, ipv6(6, tcp({}), A, B)), { linkType: 0 });
      expect(packet.tcp).toMatchObject({ sourcePort: 40000 });
    }
  });

  test.each([0, 1, 3, 9, 11, 23, 25, 27, 29, 31, 0x0102, 0x0202])(
    'loopback of family %d is no IP',
    async (family) => {
      const header = Buffer.alloc(4);
      header.writeUInt32LE(family);
      expect((await only(joined(header, inside), { linkType: 0 })).ip).toBeUndefined();
    },
  );

  test('eight IP headers inside one another are read, and not a ninth', async () => {
    let nested: Buffer = tcp({});
    for (let depth = 0; depth < 8; depth++) nested = ipv4(depth === 0 ? 6 : 4, nested);
    const packet = await only(ethernet(0x0800, nested));
    expect(packet.outer).toHaveLength(7);
    expect(packet.tcp).toMatchObject({ sourcePort: 40000 });
    expect((await only(ethernet(0x0800, ipv4(4, nested)))).malformed).toBe(
      'more than 8 IP headers inside one another',
    );
  });

  test('eight VLAN tags are kept, all are passed over', async () => {
    const tags = (count: number) => {
      const rest = Array.from(
        { length: count },
        (_, index) => `010${index} ${index + 1 < count ? '8100' : '0800'}`,
      );
      return ethernet(0x8100, joined(rest.join(' '), inside));
    };
    const kept = [256, 257, 258, 259, 260, 261, 262, 263];
    for (const count of [8, 9])
      expect(await only(tags(count))).toMatchObject({
        ethernet: { vlans: kept },
        tcp: { sourcePort: 40000 },
      });
  });

  test('of a VLAN tag the identifier is the lower twelve bits', async () => {
    const { ethernet: link } = await only(ethernet(0x8100, joined('ffff 0800', inside)));
    expect(link!.vlans).toEqual([4095]);
  });
});

describe('what is not IP is left alone:', () => {
  test.each<[what: string, frame: Uint8Array, linkType?: number]>([
    ['PPTP’s GRE, version 1', in4(47, '3001 880b 0014 0001 00000000', inside)],
    ['GRE of version 1, whatever it says it has', in4(47, '0001 0800', inside)],
    ['an unknown EtherType', ethernet(0x88cc, inside)],
    ['another that has what looks like PPP', ethernet(0x88cc, joined('1100 0001 002a 0021', inside))],
    ['PPP that carries its own control protocol', ethernet(0x8864, joined('1100 0001 002a c021', inside))],
    ['MPLS over something else', ethernet(0x8847, joined('00010140', '00000000'))],
    ['SNAP of another organisation', ethernet(8 + inside.length, joined('aaaa03 00000c 0800', inside))],
    ['LLC without SNAP', ethernet(8 + inside.length, joined('424203 000000 0800', inside))],
    ['LLC with half of the mark of SNAP', ethernet(8 + inside.length, joined('aa4203 000000 0800', inside))],
    ['LLC with the other half', ethernet(8 + inside.length, joined('42aa03 000000 0800', inside))],
    [
      'SNAP that is no unnumbered information',
      ethernet(8 + inside.length, joined('aaaa02 000000 0800', inside)),
    ],
    ['a type of 1501, which is no length', ethernet(1501, joined('aaaa03 000000 0800', inside))],
  ])('%s', async (_, frame, linkType) => {
    const packet = await only(frame, { linkType });
    expect(packet.tcp).toBeUndefined();
    expect(packet.malformed).toBeUndefined();
  });

  test('a link type that nobody here knows', async () => {
    expect((await only(inside, { linkType: 147 })).malformed).toBe('link type 147 is not decoded');
    expect((await readCapture(pcap([inside], { linkType: 147 }))).linkType).toBe('LINKTYPE 147');
  });

  test('raw IP of another version', async () => {
    expect((await only(Buffer.of(0x50), { linkType: 101 })).malformed).toBe('IP version 5');
  });
});
