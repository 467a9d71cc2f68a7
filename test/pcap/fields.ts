// What was read of a packet, in the names and the order of Wireshark's fields: so that a line of ours and a line of tshark's can be held
// against each other.
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Ip, Packet } from '../../src/pcap/index.ts';

export const FIXTURES = join(import.meta.dirname, '../fixtures/captures');

/** Of which Wireshark makes something else than we do, with a reason. */
const ODD = [
  // Damaged on purpose, or with times that no clock shows.
  ...[
    'babel_update_oobr',
    'bgp-bgp_capabilities_print-oobr-1',
    'kday3',
    'kday4',
    'truncated_dns_2',
    'test901',
  ],
  // DNS over TCP, which we leave alone.
  'dns_tcp',
  // With blocks of unknown types, which Wireshark counts as packets.
  ...['test017', 'test018', 'test102', 'test202'],
];

/** Captures that we did not make, as paths under FIXTURES. */
export function fixtureCaptures(): string[] {
  return ['tcpdump', 'dpkt', 'gopacket', 'gopacket/be'].flatMap((folder) =>
    readdirSync(join(FIXTURES, folder))
      .filter((name) => /\.pcap(ng)?(\.gz)?$/.test(name))
      .map((name) => join(folder, name)),
  );
}

export const isOdd = (path: string) => ODD.includes(basename(path).split('.')[0]!);

type Value = string | number | boolean | undefined;

const ipHeaders = (packet: Packet, version: Ip['version']) =>
  (packet.ip === undefined ? [] : [...packet.outer, packet.ip]).filter((ip) => ip.version === version);
const ipv4 = (of: (ip: Ip) => Value) => (packet: Packet) => ipHeaders(packet, 4).map(of);
const ipv6 = (of: (ip: Ip) => Value) => (packet: Packet) => ipHeaders(packet, 6).map(of);
const answers = (packet: Packet, type: string) =>
  packet.dns?.answers.filter((answer) => answer.type === type).map(({ data }) => data);
const hex = (digits: number, value: number | undefined) =>
  value === undefined ? undefined : `0x${value.toString(16).padStart(digits, '0')}`;
const bits = (flags: object) =>
  Object.values(flags).reduce((sum: number, isSet, index) => sum + (isSet === true ? 1 << index : 0), 0);
const seconds = (time: bigint) =>
  `${time / 1_000_000_000n}.${String(time % 1_000_000_000n).padStart(9, '0')}`;

/** Whether its outermost VLAN tag is of IEEE 802.1ad. */
const isProviderTagged = ({ linkType, bytes }: Packet) =>
  linkType === 1 && bytes[12] === 0x88 && bytes[13] === 0xa8;

/** Payloads are long: what tshark gives in hexadecimal is held to the first digits of its hash. */
const digest = (payload: Uint8Array | undefined) =>
  payload === undefined || payload.length === 0 ? undefined : shortHash(Buffer.from(payload).toString('hex'));
export const shortHash = (text: string) => createHash('sha1').update(text).digest('hex').slice(0, 8);

/** A field that a packet has many times has its values with commas, as `tshark -E occurrence=a` gives them. */
export const FIELDS: readonly (readonly [field: string, of: (packet: Packet) => Value | readonly Value[]])[] =
  [
    ['frame.time_epoch', ({ time }) => seconds(time)],
    ['frame.len', ({ originalLength }) => originalLength],
    ['frame.cap_len', ({ capturedLength }) => capturedLength],
    ['eth.src', ({ ethernet }) => ethernet?.source],
    ['eth.dst', ({ ethernet }) => ethernet?.destination],
    ['ieee8021ad.id', (packet) => (isProviderTagged(packet) ? packet.ethernet?.vlans[0] : undefined)],
    ['vlan.id', (packet) => packet.ethernet?.vlans.slice(isProviderTagged(packet) ? 1 : 0)],
    [
      'arp.opcode',
      ({ arp }) => (arp?.operation === 'request' ? 1 : arp?.operation === 'reply' ? 2 : arp?.operation),
    ],
    ['arp.src.hw_mac', ({ arp }) => arp?.senderMac],
    ['arp.src.proto_ipv4', ({ arp }) => arp?.senderAddress],
    ['arp.dst.hw_mac', ({ arp }) => arp?.targetMac],
    ['arp.dst.proto_ipv4', ({ arp }) => arp?.targetAddress],
    ['ip.src', ipv4(({ source }) => source)],
    ['ip.dst', ipv4(({ destination }) => destination)],
    ['ip.ttl', ipv4(({ ttl }) => ttl)],
    ['ip.proto', ipv4(({ protocol }) => protocol)],
    ['ip.id', ipv4(({ identification }) => hex(4, identification))],
    ['ip.len', ipv4(({ totalLength }) => totalLength)],
    ['ip.flags.mf', ipv4(({ fragment }) => (fragment?.more === true ? 1 : 0))],
    ['ip.frag_offset', ipv4(({ fragment }) => (fragment?.offset ?? 0) / 8)],
    ['ipv6.src', ipv6(({ source }) => source)],
    ['ipv6.dst', ipv6(({ destination }) => destination)],
    ['ipv6.hlim', ipv6(({ ttl }) => ttl)],
    ['ipv6.plen', ipv6(({ totalLength }) => totalLength - 40)],
    ['tcp.srcport', ({ tcp }) => tcp?.sourcePort],
    ['tcp.dstport', ({ tcp }) => tcp?.destinationPort],
    ['tcp.seq_raw', ({ tcp }) => tcp?.sequence],
    ['tcp.ack_raw', ({ tcp }) => tcp?.acknowledgment],
    ['tcp.flags', ({ tcp }) => tcp && hex(4, bits(tcp.flags))],
    ['tcp.window_size_value', ({ tcp }) => tcp?.window],
    ['tcp.options.mss_val', ({ tcp }) => tcp?.mss],
    ['tcp.options.wscale.shift', ({ tcp }) => tcp?.windowScale],
    ['tcp.options.timestamp.tsval', ({ tcp }) => tcp?.timestamps?.value],
    ['tcp.options.timestamp.tsecr', ({ tcp }) => tcp?.timestamps?.echo],
    ['tcp.len', ({ tcp }) => tcp?.payloadLength],
    ['tcp.payload', ({ tcp }) => digest(tcp?.payload)],
    ['udp.srcport', ({ udp }) => udp?.sourcePort],
    ['udp.dstport', ({ udp }) => udp?.destinationPort],
    ['udp.length', ({ udp }) => udp && udp.payloadLength + 8],
    ['udp.payload', ({ udp }) => digest(udp?.payload)],
    ['icmp.type', ({ icmp, ip }) => (ip?.version === 4 ? icmp?.type : undefined)],
    ['icmp.code', ({ icmp, ip }) => (ip?.version === 4 ? icmp?.code : undefined)],
    ['icmpv6.type', ({ icmp, ip }) => (ip?.version === 6 ? icmp?.type : undefined)],
    ['icmpv6.code', ({ icmp, ip }) => (ip?.version === 6 ? icmp?.code : undefined)],
    ['dns.id', ({ dns }) => hex(4, dns?.id)],
    ['dns.flags.response', ({ dns }) => dns && Number(dns.isResponse)],
    ['dns.flags.truncated', ({ dns }) => dns && Number(dns.isTruncated)],
    ['dns.flags.rcode', ({ dns }) => (dns?.isResponse === true ? dns.rcode : undefined)],
    ['dns.qry.name', ({ dns }) => dns?.questions.map(({ name }) => name)],
    ['dns.a', (packet) => answers(packet, 'A')],
    ['dns.aaaa', (packet) => answers(packet, 'AAAA')],
    ['dns.cname', (packet) => answers(packet, 'CNAME')],
    ['dns.ptr.domain_name', (packet) => answers(packet, 'PTR')],
  ];

/** The values of FIELDS, each as tshark would print it. */
export function fieldsOf(packet: Packet): string[] {
  return FIELDS.map(([, of]) => {
    const value = of(packet);
    return (Array.isArray(value) ? value : [value]).map((each) => String(each ?? '')).join(',');
  });
}
