// Builds frames and capture files byte by byte, for tests that need exactly this packet and no other.
// Checksums are left 0: neither lblab nor tshark (by default) judges them.

export interface SegmentOptions {
  sourceMac?: string;
  destinationMac?: string;
  source?: string;
  destination?: string;
  sourcePort?: number;
  destinationPort?: number;
  ttl?: number;
  identification?: number;
  sequence?: number;
  acknowledgment?: number;
  /** Letters of F S R P A U E C. */
  flags?: string;
  window?: number;
  options?: readonly number[];
  payload?: string | Uint8Array;
}

export function bytesOf(hex: string): Buffer {
  return Buffer.from(hex.replace(/[\s:]/g, ''), 'hex');
}

export function ethernet(
  type: number,
  payload: Uint8Array,
  source = '02:00:00:00:00:01',
  destination = '02:00:00:00:00:02',
) {
  const header = Buffer.alloc(14);
  bytesOf(destination).copy(header, 0);
  bytesOf(source).copy(header, 6);
  header.writeUInt16BE(type, 12);
  return Buffer.concat([header, payload]);
}

export function ipv4(
  protocol: number,
  payload: Uint8Array,
  {
    source = '10.0.0.1',
    destination = '10.0.0.2',
    ttl = 64,
    identification = 0,
    fragment = 0,
    options = [] as readonly number[],
  } = {},
) {
  const header = Buffer.alloc(20 + options.length);
  header[0] = 0x40 | (header.length / 4);
  header.writeUInt16BE(header.length + payload.length, 2);
  header.writeUInt16BE(identification, 4);
  header.writeUInt16BE(fragment, 6);
  header[8] = ttl;
  header[9] = protocol;
  Buffer.from(source.split('.').map(Number)).copy(header, 12);
  Buffer.from(destination.split('.').map(Number)).copy(header, 16);
  Buffer.from(options).copy(header, 20);
  return Buffer.concat([header, payload]);
}

/** An IPv4 packet with its header checksum filled in: fragments are only put together where it holds. */
export function checksummed(packet: Buffer): Buffer {
  let sum = 0;
  for (let at = 0; at < (packet[0]! & 0x0f) * 4; at += 2) sum += packet.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  packet.writeUInt16BE(~sum & 0xffff, 10);
  return packet;
}

/** Addresses as 32 hexadecimal digits. */
export function ipv6(next: number, payload: Uint8Array, source: string, destination: string) {
  const header = Buffer.alloc(40);
  header[0] = 0x60;
  header.writeUInt16BE(payload.length, 4);
  header[6] = next;
  header[7] = 64;
  bytesOf(source).copy(header, 8);
  bytesOf(destination).copy(header, 24);
  return Buffer.concat([header, payload]);
}

export function tcp({
  sourcePort = 40000,
  destinationPort = 80,
  sequence = 0,
  acknowledgment = 0,
  flags = 'A',
  window = 8192,
  options = [],
  payload = '',
}: SegmentOptions) {
  const header = Buffer.alloc(20 + options.length);
  header.writeUInt16BE(sourcePort, 0);
  header.writeUInt16BE(destinationPort, 2);
  header.writeUInt32BE(sequence >>> 0, 4);
  header.writeUInt32BE(acknowledgment >>> 0, 8);
  header[12] = (header.length / 4) << 4;
  header[13] = flags.split('').reduce((bits, flag) => bits | (1 << 'FSRPAUEC'.indexOf(flag)), 0);
  header.writeUInt16BE(window, 14);
  Buffer.from(options).copy(header, 20);
  return Buffer.concat([header, typeof payload === 'string' ? Buffer.from(payload) : payload]);
}

export function udp(payload: Uint8Array, { sourcePort = 40000, destinationPort = 53 } = {}) {
  const header = Buffer.alloc(8);
  header.writeUInt16BE(sourcePort, 0);
  header.writeUInt16BE(destinationPort, 2);
  header.writeUInt16BE(8 + payload.length, 4);
  return Buffer.concat([header, payload]);
}

/** A TCP segment in IPv4 in Ethernet. */
export function segment(options: SegmentOptions): Buffer {
  return ethernet(0x0800, ipv4(6, tcp(options), options), options.sourceMac, options.destinationMac);
}

export interface Record {
  frame: Uint8Array;
  /** Nanoseconds since the epoch. */
  time?: bigint;
  originalLength?: number;
}

export interface PcapOptions {
  linkType?: number;
  bigEndian?: boolean;
  magic?: 0xa1b2c3d4 | 0xa1b23c4d | 0xa1b2cd34;
}

const START = 1_700_000_000_000_000_000n;

/** A pcap file; packets without a time are a millisecond apart. */
export function pcap(
  records: readonly (Record | Uint8Array)[],
  { linkType = 1, bigEndian = false, magic = 0xa1b2c3d4 }: PcapOptions = {},
): Buffer {
  const words = (...values: number[]) => {
    const buffer = Buffer.alloc(values.length * 4);
    values.forEach((value, index) =>
      bigEndian ? buffer.writeUInt32BE(value, index * 4) : buffer.writeUInt32LE(value, index * 4),
    );
    return buffer;
  };
  const version = bigEndian ? Buffer.from([0, 2, 0, 4]) : Buffer.from([2, 0, 4, 0]);
  const parts = [words(magic), version, words(0, 0, 262_144, linkType)];
  records.forEach((entry, index) => {
    const record = entry instanceof Uint8Array ? { frame: entry } : entry;
    const time = record.time ?? START + BigInt(index) * 1_000_000n;
    const fraction = Number(time % 1_000_000_000n);
    parts.push(
      words(
        Number(time / 1_000_000_000n),
        magic === 0xa1b23c4d ? fraction : Math.floor(fraction / 1000),
        record.frame.length,
        record.originalLength ?? record.frame.length,
      ),
      ...(magic === 0xa1b2cd34 ? [words(0, 0)] : []),
      Buffer.from(record.frame),
    );
  });
  return Buffer.concat(parts);
}
