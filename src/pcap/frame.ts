// One frame taken apart: the numbers of its headers, and where its parts lie in the buffer it was read into.
// A single Frame is filled again for every packet, so reading a capture allocates nothing per packet; what is to be
// kept becomes a Packet (packet.ts). The layers that fill it are link.ts, ip.ts and transport.ts.

/** What the innermost header that could be decoded is. */
export type FrameKind = 'none' | 'arp' | 'ip' | 'icmp' | 'tcp' | 'udp';

/** TCP flag bits as they stand in the header (RFC 9293 section 3.1). */
export const FIN = 0x01;
export const SYN = 0x02;
export const RST = 0x04;
export const PSH = 0x08;
export const ACK = 0x10;
export const URG = 0x20;
export const ECE = 0x40;
export const CWR = 0x80;

/** More IP headers inside one another than this are left alone: a crafted frame must not cost more than it is long. */
export const MAXIMUM_TUNNELS = 8;

const NO_BYTES = new Uint8Array(0);

/**
 * 32-bit quantities (addresses, sequence and acknowledgment numbers) are held as signed integers, because they then
 * stay small integers in V8 and sequence arithmetic (RFC 1982) is a plain subtraction; show them with `>>> 0`.
 */
export class Frame {
  /** The buffer and the frame's place in it: `start` to `end`, the captured bytes. */
  bytes: Uint8Array = NO_BYTES;
  start = 0;
  end = 0;
  /** Bytes the frame had on the wire. */
  originalLength = 0;
  linkType = 1;
  /** 1-based. */
  number = 0;
  /** Since the epoch, and the nanoseconds of that second. */
  seconds = 0;
  nanoseconds = 0;
  /** Nanoseconds since the first packet's whole second: a Number holds 104 days of them exactly. */
  time = Number.NaN; // not an integer, so that V8 does not take it for a small one until it is two seconds

  kind: FrameKind = 'none';
  /** Offset of the Ethernet header, or -1. */
  ethernet = -1;
  etherType = 0;
  vlanCount = 0;
  readonly vlans = new Uint16Array(8);
  /** Offset of the ARP packet, or -1. */
  arp = -1;

  /** Offsets of the IP headers in `ipBytes`, outermost first; the last is the one the transport header belongs to. */
  ipCount = 0;
  readonly ipOffsets = new Int32Array(MAXIMUM_TUNNELS);
  readonly ipBuffers: Uint8Array[] = [];
  /** 4 or 6; addresses as big-endian words, an IPv4 address in the first of them. */
  ipVersion = 0;
  source0 = 0;
  source1 = 0;
  source2 = 0;
  source3 = 0;
  destination0 = 0;
  destination1 = 0;
  destination2 = 0;
  destination3 = 0;
  /** Whether `destination` is that of a routing header (RFC 8200 section 4.4) and not the IP header's. */
  isRouted = false;
  /** The upper-layer protocol after all extension headers. */
  protocol = 0;
  /** In IPv6 that of the last fragment header there was. */
  identification = 0;
  /** Offset of IPv6's fragment header in the innermost header's buffer, or -1. */
  fragmentHeader = -1;
  fragmentOffset = 0;
  moreFragments = false;
  /** The first fragment of a datagram that cannot be put together, decoded for its ports. */
  isPart = false;

  /** Where the transport header lies: in `bytes`, or in a reassembled datagram. */
  transportBytes: Uint8Array = NO_BYTES;
  transport = 0;
  sourcePort = 0;
  destinationPort = 0;
  sequence = 0;
  acknowledgment = 0;
  flags = 0;
  window = 0;
  /** Window scale shift count of a SYN (at most 14, RFC 7323 section 2.3), or -1. */
  windowScale = -1;
  /** Payload in `transportBytes`: where it starts, how much of it was captured, how much was sent. */
  payload = 0;
  payloadCaptured = 0;
  payloadLength = 0;
  /** False where the header or its options were cut short: tshark does not count such a segment. */
  isCounted = false;
  /** False where nobody can say how much payload there was: such a segment says nothing about its connection. */
  isAnalysed = false;

  /** What could not be decoded and why. */
  malformed: string | undefined = undefined;

  /** Notes an IP header, for now the innermost. */
  addIp(bytes: Uint8Array, at: number): void {
    // A store of what is there already would cost the garbage collector's write barrier.
    if (this.ipBuffers[this.ipCount] !== bytes) this.ipBuffers[this.ipCount] = bytes;
    this.ipOffsets[this.ipCount++] = at;
    this.kind = 'ip';
  }

  /** Makes it ready for the next packet. */
  begin(bytes: Uint8Array, start: number, captured: number, original: number): void {
    if (this.bytes !== bytes) this.bytes = bytes;
    this.start = start;
    this.end = start + captured;
    this.originalLength = original;
    this.kind = 'none';
    this.ethernet = -1;
    this.etherType = 0;
    this.vlanCount = 0;
    this.arp = -1;
    this.ipCount = 0;
    this.ipVersion = 0;
    this.protocol = -1;
    this.fragmentHeader = -1;
    this.fragmentOffset = 0;
    this.moreFragments = false;
    this.isPart = false;
    this.isRouted = false;
    this.payloadCaptured = 0;
    this.payloadLength = 0;
    this.malformed = undefined;
  }
}

export function uint16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

/** A big-endian word as a signed integer. */
export function int32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

export function uint32(bytes: Uint8Array, at: number): number {
  return int32(bytes, at) >>> 0;
}
