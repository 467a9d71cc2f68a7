// A packet kept: what one Frame held, as plain immutable values with the fields' usual names. Made for captures small
// enough to keep whole; it owns a copy of its bytes. What connections and twins are made from.
import { fromWords, ipv4, ipv6, mac } from './address.ts';
import type { DnsMessage } from './dns.ts';
import { decodeDns } from './dns.ts';
import type { Frame } from './frame.ts';
import { ACK, CWR, ECE, FIN, PSH, RST, SYN, uint16, uint32, URG } from './frame.ts';

export interface Ethernet {
  /** Lower case with colons. */
  readonly source: string;
  readonly destination: string;
  /** EtherType of what is inside, after all VLAN tags. */
  readonly type: number;
  /** VLAN identifiers, outermost first. */
  readonly vlans: readonly number[];
}

export interface Arp {
  readonly operation: 'request' | 'reply' | number;
  readonly senderMac: string;
  readonly senderAddress: string;
  readonly targetMac: string;
  readonly targetAddress: string;
}

export interface Ip {
  readonly version: 4 | 6;
  /** IPv6 as RFC 5952 writes it. */
  readonly source: string;
  readonly destination: string;
  /** Where a routing header (RFC 8200 section 4.4) sends it in the end, if not to `destination`. */
  readonly finalDestination?: string;
  /** Time to live, or IPv6's hop limit. */
  readonly ttl: number;
  /** The protocol inside, after all extension headers; of a tunnel header the protocol of the tunnel. */
  readonly protocol: number;
  /** Always there in IPv4, in IPv6 only in fragments. */
  readonly identification?: number;
  /** Header and payload in bytes, as the header says. */
  readonly totalLength: number;
  /** Only where the packet is a fragment; offset in bytes. The last one to come of a datagram has the whole payload. */
  readonly fragment?: { readonly offset: number; readonly more: boolean };
}

export interface TcpFlags {
  readonly fin: boolean;
  readonly syn: boolean;
  readonly rst: boolean;
  readonly psh: boolean;
  readonly ack: boolean;
  readonly urg: boolean;
  readonly ece: boolean;
  readonly cwr: boolean;
}

export interface Tcp {
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** Absolute, 0 to 2^32 - 1. */
  readonly sequence: number;
  readonly acknowledgment: number;
  readonly flags: TcpFlags;
  /** As it stands in the header, not scaled. */
  readonly window: number;
  /** Shift count, at most 14 (RFC 7323 section 2.3). */
  readonly windowScale?: number;
  readonly mss?: number;
  readonly timestamps?: { readonly value: number; readonly echo: number };
  /** What was captured of the payload. */
  readonly payload: Uint8Array;
  /** What was sent of it, by the IP header's length. */
  readonly payloadLength: number;
  /** Only where the header or its options were cut short: tshark does not count such a segment. */
  readonly isCounted?: false;
  /** Only where nobody can say how much payload there was: such a segment says nothing about its connection. */
  readonly isAnalysed?: false;
}

export interface Udp {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly payload: Uint8Array;
  readonly payloadLength: number;
}

export interface Icmp {
  readonly type: number;
  readonly code: number;
  /** What follows the checksum: of an echo its identifier, its number and its data. */
  readonly payload: Uint8Array;
}

export interface Packet {
  /** 1-based, as Wireshark numbers it. */
  readonly number: number;
  /** Nanoseconds since the epoch. */
  readonly time: bigint;
  readonly capturedLength: number;
  /** Bytes the packet had on the wire. */
  readonly originalLength: number;
  readonly linkType: number;
  /** The frame as captured. */
  readonly bytes: Uint8Array;
  readonly ethernet?: Ethernet;
  readonly arp?: Arp;
  /** The innermost IP header. */
  readonly ip?: Ip;
  /** Tunnel headers outside `ip`, outermost first. */
  readonly outer: readonly Ip[];
  readonly tcp?: Tcp;
  readonly udp?: Udp;
  readonly icmp?: Icmp;
  readonly dns?: DnsMessage;
  /** What could not be decoded and why. */
  readonly malformed?: string;
}

const NONE: readonly Ip[] = Object.freeze([]);
const NO_TAGS: readonly number[] = Object.freeze([]);

export function toPacket(frame: Frame): Packet {
  const bytes = frame.bytes.slice(frame.start, frame.end);
  const ips = ipHeaders(frame);
  const packet: Mutable<Packet> = {
    number: frame.number,
    time: BigInt(frame.seconds) * 1_000_000_000n + BigInt(frame.nanoseconds),
    capturedLength: frame.end - frame.start,
    originalLength: frame.originalLength,
    linkType: frame.linkType,
    bytes,
    ethernet: frame.ethernet < 0 ? undefined : ethernet(frame),
    ip: ips.at(-1),
    outer: ips.length > 1 ? ips.slice(0, -1) : NONE,
  };
  // Offsets in the file's buffer become offsets in this packet's own bytes; a reassembled datagram is our own already.
  const isInFrame = frame.transportBytes === frame.bytes;
  const body = isInFrame ? bytes : frame.transportBytes;
  const shift = isInFrame ? frame.start : 0;
  const payload = () => body.subarray(frame.payload - shift, frame.payload - shift + frame.payloadCaptured);
  const at = frame.transport - shift;
  if (frame.kind === 'tcp') {
    packet.tcp = tcp(frame, body, at, payload());
  } else if (frame.kind === 'udp') {
    const { sourcePort, destinationPort, payloadLength } = frame;
    packet.udp = { sourcePort, destinationPort, payload: payload(), payloadLength };
    if (isDnsPort(sourcePort) || isDnsPort(destinationPort)) packet.dns = decodeDns(packet.udp.payload);
  } else if (frame.kind === 'icmp') {
    packet.icmp = { type: body[at]!, code: body[at + 1]!, payload: payload() };
  } else if (frame.kind === 'arp') {
    packet.arp = arp(bytes, frame.arp - frame.start);
    if (packet.arp === undefined) packet.malformed = 'ARP packet cut short, or not for IPv4 over Ethernet';
  }
  if (frame.malformed !== undefined) packet.malformed = frame.malformed;
  return packet;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** DNS and multicast DNS. */
function isDnsPort(port: number): boolean {
  return port === 53 || port === 5353;
}

function ethernet(frame: Frame): Ethernet {
  const { bytes, ethernet: at } = frame;
  return {
    source: mac(bytes, at + 6),
    destination: mac(bytes, at),
    type: frame.etherType,
    vlans: frame.vlanCount === 0 ? NO_TAGS : [...frame.vlans.subarray(0, frame.vlanCount)],
  };
}

/** RFC 826, for Ethernet and IPv4. */
function arp(bytes: Uint8Array, at: number): Arp | undefined {
  if (bytes.length - at < 28 || uint16(bytes, at + 2) !== 0x0800) return undefined;
  if (bytes[at + 4] !== 6 || bytes[at + 5] !== 4) return undefined;
  const operation = uint16(bytes, at + 6);
  return {
    operation: operation === 1 ? 'request' : operation === 2 ? 'reply' : operation,
    senderMac: mac(bytes, at + 8),
    senderAddress: ipv4(bytes, at + 14),
    targetMac: mac(bytes, at + 18),
    targetAddress: ipv4(bytes, at + 24),
  };
}

function ipHeaders(frame: Frame): Ip[] {
  const headers: Ip[] = [];
  for (let index = 0; index < frame.ipCount; index++) {
    const bytes = frame.ipBuffers[index]!;
    const at = frame.ipOffsets[index]!;
    const isInnermost = index === frame.ipCount - 1;
    if (bytes[at]! >> 4 === 4) {
      const place = uint16(bytes, at + 6);
      headers.push({
        version: 4,
        source: ipv4(bytes, at + 12),
        destination: ipv4(bytes, at + 16),
        ttl: bytes[at + 8]!,
        protocol: isInnermost ? frame.protocol : bytes[at + 9]!,
        identification: uint16(bytes, at + 4),
        totalLength: uint16(bytes, at + 2),
        ...((place & 0x3fff) !== 0 && {
          fragment: { offset: (place & 0x1fff) << 3, more: (place & 0x2000) !== 0 },
        }),
      });
    } else {
      const isFragment = isInnermost && frame.fragmentHeader >= 0;
      headers.push({
        version: 6,
        source: ipv6(bytes, at + 8),
        destination: ipv6(bytes, at + 24),
        ...(isInnermost && frame.isRouted && { finalDestination: routedTo(frame) }),
        ttl: bytes[at + 7]!,
        protocol: isInnermost ? frame.protocol : bytes[at + 6]!,
        totalLength: 40 + uint16(bytes, at + 4),
        ...(isFragment && {
          identification: frame.identification,
          fragment: {
            offset: uint16(bytes, frame.fragmentHeader + 2) & 0xfff8,
            more: (bytes[frame.fragmentHeader + 3]! & 1) !== 0,
          },
        }),
      });
    }
  }
  return headers;
}

function routedTo({ destination0, destination1, destination2, destination3 }: Frame): string {
  return fromWords(destination0, destination1, destination2, destination3);
}

/** All there can be. */
const FLAGS: readonly TcpFlags[] = Array.from({ length: 256 }, (_, flags) =>
  Object.freeze({
    fin: (flags & FIN) !== 0,
    syn: (flags & SYN) !== 0,
    rst: (flags & RST) !== 0,
    psh: (flags & PSH) !== 0,
    ack: (flags & ACK) !== 0,
    urg: (flags & URG) !== 0,
    ece: (flags & ECE) !== 0,
    cwr: (flags & CWR) !== 0,
  }),
);

function tcp(frame: Frame, bytes: Uint8Array, at: number, payload: Uint8Array): Tcp {
  const segment: Mutable<Tcp> = {
    sourcePort: frame.sourcePort,
    destinationPort: frame.destinationPort,
    sequence: frame.sequence >>> 0,
    acknowledgment: frame.acknowledgment >>> 0,
    flags: FLAGS[frame.flags]!,
    window: frame.window,
    payload,
    payloadLength: Math.max(0, frame.payloadLength),
  };
  if (!frame.isCounted) segment.isCounted = false;
  if (!frame.isAnalysed) segment.isAnalysed = false;
  const end = Math.min(at + ((bytes[at + 12]! >> 4) << 2), bytes.length);
  let option = at + 20;
  while (option < end) {
    const kind = bytes[option]!;
    if (kind === 0) break;
    if (kind === 1) {
      option++;
      continue;
    }
    const length = bytes[option + 1] ?? 0;
    if (length < 2 || option + length > end) break;
    if (kind === 2 && length === 4) segment.mss = uint16(bytes, option + 2);
    else if (kind === 3 && length === 3) segment.windowScale = Math.min(bytes[option + 2]!, 14);
    else if (kind === 8 && length === 10)
      segment.timestamps = { value: uint32(bytes, option + 2), echo: uint32(bytes, option + 6) };
    option += length;
  }
  return segment;
}

/** The packet of a number: packets are numbered without gaps, unless somebody left some out. */
export function packetNumbered(packets: readonly Packet[], number: number): Packet | undefined {
  const packet = packets[number - 1];
  if (packet?.number === number) return packet;
  let [from, to] = [0, packets.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (packets[middle]!.number < number) from = middle + 1;
    else to = middle;
  }
  return packets[from]?.number === number ? packets[from] : undefined;
}
