// One packet in one line, in tcpdump's order: who to whom, what, how much. Knows every protocol the engine decodes; what is
// untrusted in it is escaped here.
import type { Ip, Packet, Tcp } from '../pcap/index.ts';
import { endpoint } from '../verify/words.ts';
import { clip, forTerminal } from './escape.ts';

export interface PacketLineOptions {
  /** Nanoseconds since the epoch that times are counted from; the packet's own time when left out, which shows none. */
  readonly from?: bigint;
  /** Columns that the number takes. */
  readonly width?: number;
  /** MAC addresses too: what a balancer by direct routing changes. */
  readonly macs?: boolean;
}

/** `12  0.001234  10.0.0.1:40000 > 10.0.0.2:80  PSH ACK seq 1 ack 1 len 74 ttl 64  GET / HTTP/1.0`; ends without a newline. */
export function packetLine(packet: Packet, options: PacketLineOptions = {}): string {
  const { ethernet, ip, outer } = packet;
  const time = options.from === undefined ? undefined : seconds(packet.time - options.from);
  const macs =
    options.macs === true && ethernet !== undefined
      ? `${ethernet.source} > ${ethernet.destination}${ethernet.vlans.map((id) => ` vlan ${id}`).join('')}`
      : undefined;
  const tunnels = outer.map((header) => `${header.source} > ${header.destination} (${protocolName(header)})`);
  const parts = [
    String(packet.number).padStart(options.width ?? 0),
    time,
    macs,
    ...tunnels,
    content(packet),
    ip !== undefined && `ttl ${ip.ttl}`,
    ip?.fragment !== undefined &&
      `fragment at ${ip.fragment.offset}${ip.fragment.more ? ', more follow' : ''}`,
    firstWords(packet),
    packet.malformed !== undefined && `(${forTerminal(clip(packet.malformed, 120))})`,
  ];
  return parts.filter((part) => typeof part === 'string' && part !== '').join('  ');
}

/** A packet in two parts, for lines that have little room: who to whom, and what; without sequence numbers. */
export function flowWords(packet: Packet): { readonly flow: string; readonly what: string } {
  const { ip, tcp, udp, outer } = packet;
  const wrapped = outer.map(
    (header) => `in ${header.source} > ${header.destination} (${protocolName(header)})`,
  );
  const broken = packet.malformed === undefined ? [] : [`(${forTerminal(clip(packet.malformed, 120))})`];
  const ports = tcp ?? udp;
  if (ip === undefined || ports === undefined) {
    const [flow = '', ...rest] = content(packet).split('  ');
    return { flow, what: [...rest, ...wrapped, ...broken].join('  ') };
  }
  const flow = `${endpoint(ip.source, ports.sourcePort)} > ${endpoint(ip.destination, ports.destinationPort)}`;
  const bytes = ports.payloadLength === 0 ? '' : `${ports.payloadLength} B`;
  const flags = tcp === undefined ? 'UDP' : flagWords(tcp);
  const words = firstWords(packet) ?? (packet.dns === undefined ? undefined : dnsWords(packet.dns));
  const what = [`${flags} ${bytes}`.trim(), words, ...wrapped, ...broken];
  return { flow, what: what.filter((part) => part !== undefined).join('  ') };
}

function seconds(nanoseconds: bigint): string {
  const sign = nanoseconds < 0n ? '-' : '';
  const value = nanoseconds < 0n ? -nanoseconds : nanoseconds;
  return `${sign}${value / 1_000_000_000n}.${String((value % 1_000_000_000n) / 1000n).padStart(6, '0')}`;
}

function protocolName({ protocol }: Ip): string {
  return (
    { 1: 'ICMP', 4: 'IPIP', 6: 'TCP', 17: 'UDP', 41: 'IPv6', 47: 'GRE', 58: 'ICMPv6' }[protocol] ??
    `protocol ${protocol}`
  );
}

function content(packet: Packet): string {
  const { ethernet, arp, ip, tcp, udp, icmp, dns } = packet;
  if (arp !== undefined) {
    if (arp.operation === 'request')
      return `ARP who-has ${arp.targetAddress} tell ${arp.senderAddress} (${arp.senderMac})`;
    if (arp.operation === 'reply') return `ARP ${arp.senderAddress} is-at ${arp.senderMac}`;
    return `ARP operation ${arp.operation} from ${arp.senderAddress}`;
  }
  if (ip === undefined) {
    const type = ethernet === undefined ? '' : ` of type 0x${ethernet.type.toString(16).padStart(4, '0')}`;
    return `a frame${type}, ${packet.originalLength} bytes`;
  }
  const ports = tcp ?? udp;
  if (ports === undefined) {
    const what = icmp === undefined ? protocolName(ip) : `${protocolName(ip)} ${icmpName(ip, icmp)}`;
    return `${ip.source} > ${ip.destination}  ${what}`;
  }
  const flow = `${endpoint(ip.source, ports.sourcePort)} > ${endpoint(ip.destination, ports.destinationPort)}`;
  if (tcp !== undefined) return `${flow}  ${segment(tcp)}`;
  return `${flow}  UDP len ${ports.payloadLength}${dns === undefined ? '' : `  ${dnsWords(dns)}`}`;
}

const ICMP: Readonly<Record<number, string>> = {
  0: 'echo reply',
  3: 'unreachable',
  5: 'redirect',
  8: 'echo request',
  11: 'time exceeded',
};
const ICMPV6: Readonly<Record<number, string>> = {
  1: 'unreachable',
  3: 'time exceeded',
  128: 'echo request',
  129: 'echo reply',
  135: 'neighbour solicitation',
  136: 'neighbour advertisement',
};

export function icmpName(ip: Ip, { type, code }: NonNullable<Packet['icmp']>): string {
  const name = (ip.protocol === 58 ? ICMPV6 : ICMP)[type] ?? `type ${type}`;
  return code === 0 ? name : `${name}, code ${code}`;
}

function flagWords({ flags }: Tcp): string {
  const set = Object.entries(flags)
    .filter(([, isSet]) => isSet)
    .map(([name]) => name.toUpperCase());
  return set.length === 0 ? 'no flags' : set.join(' ');
}

function segment(tcp: Tcp): string {
  return [
    flagWords(tcp),
    `seq ${tcp.sequence}`,
    ...(tcp.flags.ack ? [`ack ${tcp.acknowledgment}`] : []),
    `len ${tcp.payloadLength}`,
  ].join(' ');
}

export function dnsWords({ isResponse, rcode, questions, answers }: NonNullable<Packet['dns']>): string {
  const asked = questions.map(({ name, type }) => `${type}? ${name}`).join(', ');
  const told = answers.map(({ type, data }) => `${type} ${data}`).join(', ');
  const answer = rcode === 0 ? told || 'nothing' : `error ${rcode}`;
  return forTerminal(clip(isResponse ? `${asked} = ${answer}` : asked, 160));
}

/** The first line of a payload that is text, as far as it is worth a look. */
function firstWords({ tcp }: Packet): string | undefined {
  if (tcp === undefined || tcp.payload.length === 0) return undefined;
  const line = Buffer.from(tcp.payload.subarray(0, 200)).toString('latin1').split(/\r?\n/)[0]!;
  return /^[\x20-\x7e]{4,}$/.test(line) ? clip(line, 60) : undefined;
}
