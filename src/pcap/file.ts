// The containers packets are stored in: pcap and pcapng. Knows magic numbers, byte orders, record headers and clocks;
// puts one packet at a time into a Frame. Where the bytes come from is source.ts's business, what they mean is link.ts's.
// Formats: draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng.
import type { Frame } from './frame.ts';
import { int32 } from './frame.ts';

/** The longest packet taken for one, as in libpcap (MAXIMUM_SNAPLEN): a longer one means that the file is corrupt. */
export const MAXIMUM_PACKET = 262_144;
/** The longest piece of a file that must be in memory at once. */
export const MAXIMUM_RECORD = MAXIMUM_PACKET + 65_536;

/** Of one pcapng section. */
const MAXIMUM_INTERFACES = 65_536;

const GLOBAL_HEADER = 24;
const NANOSECONDS = 1_000_000_000;

/** Block types and options of pcapng. */
const SECTION_HEADER = 0x0a0d0d0a;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
const SWAPPED_BYTE_ORDER_MAGIC = 0x4d3c2b1a;
const INTERFACE = 1;
const OLD_PACKET = 2;
const SIMPLE_PACKET = 3;
const ENHANCED_PACKET = 6;
const TIMESTAMP_RESOLUTION = 9;
const TIMESTAMP_OFFSET = 14;

/** The file is no packet capture at all; the message says what it looks like. */
export class NotACaptureError extends Error {
  override readonly name = 'NotACaptureError';
}

export type CaptureFormat = 'pcap' | 'pcapng';

interface Interface {
  linkType: number;
  snapLength: number;
  /** Ticks a second. */
  ticks: number;
  /** Seconds to add. */
  offset: number;
}

/**
 * Parses a capture pushed to it in pieces. For each packet it fills `frame` (bytes, lengths, link type, number, time) and
 * calls `onPacket`; that returns false to stop.
 */
export class CaptureParser {
  format: CaptureFormat | undefined;
  /** Link type of the file, or of the first interface of a pcapng file. */
  linkType = -1;
  /** Where and why reading stopped, when it was not at the file's clean end. */
  truncated: string | undefined;
  /** True once nothing more is to be read. */
  stopped = false;
  packets = 0;
  /** The whole second that `Frame.time` counts from, or undefined before the first packet. */
  base: number | undefined;

  readonly #frame: Frame;
  readonly #onPacket: () => boolean;
  /** Offset in the file of `bytes[0]` of the piece being parsed. */
  #fileOffset = 0;
  #isLittleEndian = true;
  #recordHeader = 16;
  #unit = 1000;
  #skip = 0;
  #interfaces: Interface[] = [];

  constructor(frame: Frame, onPacket: () => boolean) {
    this.#frame = frame;
    this.#onPacket = onPacket;
  }

  /**
   * Parses what is whole of `bytes` from `start` to `end`.
   * @returns where the first unparsed byte is; give it again with more behind it
   * @throws NotACaptureError when the first bytes are no capture's
   */
  parse(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    this.#fileOffset -= start;
    if (this.format === undefined) {
      if (end - at < 4) return this.#consumed(at);
      at = this.#open(bytes, at, end);
    }
    if (this.format === 'pcap') at = this.#parsePcap(bytes, at, end);
    else if (this.format === 'pcapng') at = this.#parsePcapng(bytes, at, end);
    return this.#consumed(at);
  }

  /** The file has ended, with `bytes` from `start` to `end` left over. */
  finish(bytes: Uint8Array, start: number, end: number): void {
    if (this.stopped) return;
    if (this.format === undefined) {
      const length = end - start;
      // Four bytes that are no magic number were refused when they came.
      throw new NotACaptureError(
        length < 4
          ? describe(bytes.subarray(start, end))
          : `it ends after ${length} bytes, within the header that it begins with`,
      );
    }
    const left = end - start;
    if (left > 0 || this.#skip > 0)
      this.#stop(
        `the file ends inside a record that starts at byte ${this.#fileOffset}, after packet ${this.packets}`,
      );
  }

  /** Says why reading cannot go on, for a reason outside the format, such as a damaged compressed stream. */
  abandon(reason: string): void {
    if (!this.stopped) this.#stop(`${reason}, after packet ${this.packets}`);
  }

  #consumed(at: number): number {
    this.#fileOffset += at;
    return at;
  }

  #stop(reason: string): void {
    this.truncated = reason;
    this.stopped = true;
  }

  /** Recognises the file by its first bytes. Returns where its first record is. */
  #open(bytes: Uint8Array, at: number, end: number): number {
    if (int32(bytes, at) === SECTION_HEADER) {
      this.format = 'pcapng';
      return at;
    }
    for (const isLittleEndian of [true, false]) {
      this.#isLittleEndian = isLittleEndian;
      const value = this.#word(bytes, at);
      if (value !== 0xa1b2c3d4 && value !== 0xa1b23c4d && value !== 0xa1b2cd34) continue;
      if (end - at < GLOBAL_HEADER) return at;
      // 0xa1b2cd34 is Alexey Kuznetsov's format of old Linux libpcaps, with 8 more bytes before each packet.
      this.#recordHeader = value === 0xa1b2cd34 ? 24 : 16;
      this.#unit = value === 0xa1b23c4d ? 1 : 1000;
      // The upper bits say whether frames end in a checksum.
      this.linkType = this.#word(bytes, at + 20) & 0x03ff_ffff;
      this.format = 'pcap';
      return at + GLOBAL_HEADER;
    }
    throw new NotACaptureError(describe(bytes.subarray(at, end)));
  }

  #word(bytes: Uint8Array, at: number): number {
    return this.#isLittleEndian
      ? (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
      : (bytes[at + 3]! | (bytes[at + 2]! << 8) | (bytes[at + 1]! << 16) | (bytes[at]! << 24)) >>> 0;
  }

  #half(bytes: Uint8Array, at: number): number {
    return this.#isLittleEndian ? bytes[at]! | (bytes[at + 1]! << 8) : bytes[at + 1]! | (bytes[at]! << 8);
  }

  #parsePcap(bytes: Uint8Array, at: number, end: number): number {
    const header = this.#recordHeader;
    while (!this.stopped && end - at >= header) {
      const captured = this.#word(bytes, at + 8);
      if (captured > MAXIMUM_PACKET) {
        this.#stop(
          `the record at byte ${this.#fileOffset + at}, after packet ${this.packets}, says it has ${captured} bytes: ` +
            'the file is corrupt',
        );
        break;
      }
      if (end - at - header < captured) break;
      const seconds = this.#word(bytes, at);
      const fraction = this.#word(bytes, at + 4) * this.#unit;
      this.#packet(
        bytes,
        at + header,
        captured,
        this.#word(bytes, at + 12),
        this.linkType,
        seconds,
        fraction,
      );
      at += header + captured;
    }
    return at;
  }

  #packet(
    bytes: Uint8Array,
    at: number,
    captured: number,
    original: number,
    linkType: number,
    seconds: number,
    nanoseconds: number,
  ): void {
    const frame = this.#frame;
    this.base ??= seconds;
    // A writer that cut the packet may have forgotten to say how long it had been.
    frame.begin(bytes, at, captured, original < captured ? captured : original);
    frame.linkType = linkType;
    frame.number = ++this.packets;
    frame.seconds = seconds;
    frame.nanoseconds = nanoseconds;
    frame.time = (seconds - this.base) * NANOSECONDS + nanoseconds;
    if (!this.#onPacket()) this.stopped = true;
  }

  #parsePcapng(bytes: Uint8Array, at: number, end: number): number {
    if (this.#skip > 0) {
      const skipped = Math.min(this.#skip, end - at);
      this.#skip -= skipped;
      at += skipped;
    }
    while (!this.stopped && end - at >= 12) {
      // The type of a section header is the same in both byte orders; its next word says which one the section has.
      if (int32(bytes, at) === SECTION_HEADER) {
        const magic = int32(bytes, at + 8);
        if (magic !== BYTE_ORDER_MAGIC && magic !== SWAPPED_BYTE_ORDER_MAGIC)
          return this.#corrupt(at, 'no byte order');
        this.#isLittleEndian = magic === SWAPPED_BYTE_ORDER_MAGIC;
        if (end - at < 16) break;
        const version = this.#half(bytes, at + 12);
        if (version !== 1) return this.#corrupt(at, `version ${version} of the format, not 1`);
        this.#interfaces = [];
      }
      const type = this.#word(bytes, at);
      const length = this.#word(bytes, at + 4);
      if (length < 12 || length % 4 !== 0) return this.#corrupt(at, `a block length of ${length}`);
      const isPacket = type === ENHANCED_PACKET || type === SIMPLE_PACKET || type === OLD_PACKET;
      if (length > MAXIMUM_RECORD) {
        if (isPacket || type === INTERFACE) return this.#corrupt(at, `a block length of ${length}`);
        // A comment, names or keys, however long: nothing of it is needed.
        this.#skip = length - (end - at);
        if (this.#skip > 0) return end;
        this.#skip = 0;
      } else {
        if (end - at < length) break;
        if (this.#word(bytes, at + length - 4) !== length)
          return this.#corrupt(at, 'two different block lengths');
        const bodyEnd = at + length - 4;
        if (type === INTERFACE) {
          if (this.#interfaces.length === MAXIMUM_INTERFACES)
            return this.#corrupt(at, 'one interface too many');
          this.#interface(bytes, at + 8, bodyEnd);
        }
        if (isPacket && !this.#packetBlock(type, bytes, at + 8, bodyEnd))
          return this.#corrupt(at, 'a bad packet block');
      }
      at += length;
    }
    return at;
  }

  #corrupt(at: number, what: string): number {
    const place = `the block at byte ${this.#fileOffset + at}, after packet ${this.packets}, has`;
    this.#stop(`${place} ${what}: the file is corrupt`);
    return at;
  }

  #interface(bytes: Uint8Array, at: number, end: number): void {
    if (end - at < 8) return;
    const linkType = this.#half(bytes, at);
    if (this.linkType < 0) this.linkType = linkType;
    const entry: Interface = { linkType, snapLength: this.#word(bytes, at + 4), ticks: 1_000_000, offset: 0 };
    for (let option = at + 8; ;) {
      const code = this.#half(bytes, option);
      const length = this.#half(bytes, option + 2);
      if (code === 0 || option + 4 + length > end) break;
      if (code === TIMESTAMP_RESOLUTION && length === 1) {
        const resolution = bytes[option + 4]!;
        entry.ticks = (resolution & 0x80) === 0 ? 10 ** resolution : 2 ** (resolution & 0x7f);
      } else if (code === TIMESTAMP_OFFSET && length === 8) {
        const isLittle = this.#isLittleEndian;
        entry.offset = Number(
          new DataView(bytes.buffer, bytes.byteOffset + option + 4, 8).getBigInt64(0, isLittle),
        );
      }
      option += 4 + ((length + 3) & ~3);
    }
    this.#interfaces.push(entry);
  }

  /** Returns whether the block is sound. */
  #packetBlock(type: number, bytes: Uint8Array, at: number, end: number): boolean {
    if (type === SIMPLE_PACKET) {
      // It has no interface but the first, no time, and no captured length but what is left after the snapshot length.
      const entry = this.#interfaces[0];
      if (entry === undefined || end - at < 4) return false;
      const original = this.#word(bytes, at);
      const captured = Math.min(original, entry.snapLength || original, end - at - 4);
      this.#packet(bytes, at + 4, captured, original, entry.linkType, 0, 0);
      return true;
    }
    const entry = this.#interfaces[type === OLD_PACKET ? this.#half(bytes, at) : this.#word(bytes, at)];
    const captured = this.#word(bytes, at + 12);
    if (entry === undefined || captured > end - at - 20 || captured > MAXIMUM_PACKET) return false;
    const original = this.#word(bytes, at + 16);
    this.#setTime(entry, this.#word(bytes, at + 4), this.#word(bytes, at + 8));
    this.#packet(bytes, at + 20, captured, original, entry.linkType, this.#seconds, this.#nanoseconds);
    return true;
  }

  /**
   * Divides a 64-bit count of ticks, of which a Number holds only 53 bits: the quotient is right to within one, and the
   * remainder, from the low 32 bits alone, puts it right. Ticks too fine for that, or too coarse, go through BigInt.
   */
  #setTime(entry: Interface, high: number, low: number): void {
    const { ticks, offset } = entry;
    let seconds: number;
    let nanoseconds: number;
    if (ticks <= 2 ** 30 && high < 2 ** 29) {
      seconds = Math.floor((high * 2 ** 32 + low) / ticks);
      let rest = (low - Math.imul(seconds, ticks)) | 0;
      if (rest < 0) {
        rest += ticks;
        seconds--;
      } else if (rest >= ticks) {
        rest -= ticks;
        seconds++;
      }
      nanoseconds = Math.floor((rest * NANOSECONDS) / ticks);
    } else {
      const count = (BigInt(high) << 32n) | BigInt(low);
      const perSecond = BigInt(ticks);
      seconds = Number(count / perSecond);
      nanoseconds = Number(((count % perSecond) * 1_000_000_000n) / perSecond);
    }
    this.#seconds = seconds + offset;
    this.#nanoseconds = nanoseconds;
  }

  #seconds = 0;
  #nanoseconds = 0;
}

/** What a file that is no capture looks like, for a person. */
function describe(bytes: Uint8Array): string {
  if (bytes.length === 0) return 'the file is empty';
  if (bytes.length < 4) return `the file has only ${bytes.length} bytes`;
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 256)).toString('latin1');
  const known = KNOWN.find(([start]) => head.startsWith(start));
  if (known !== undefined) return `it looks like ${known[1]}`;
  if (/^\s*[[{]/.test(head)) return 'it looks like JSON';
  if (/^\s*</.test(head)) return 'it looks like HTML or XML';
  if (/^[\t\n\r\x20-\x7e\x80-\xff]*$/.test(head)) return 'it looks like text';
  const hex = Buffer.from(head.slice(0, 4), 'latin1').toString('hex');
  return `it starts with ${hex}, which is no magic number of pcap or pcapng`;
}

const KNOWN: readonly (readonly [start: string, what: string])[] = [
  ['\x7fELF', 'a program (ELF)'],
  ['\x1f\x8b', 'a gzip file inside a gzip file'],
  ['\x28\xb5\x2f\xfd', 'a Zstandard file: decompress it first'],
  ['\xfd7zXZ', 'an xz file: decompress it first'],
  ['BZh', 'a bzip2 file: decompress it first'],
  ['\x04\x22\x4d\x18', 'an LZ4 file: decompress it first'],
  ['PK\x03\x04', 'a zip file: unpack it first'],
  ['\x89PNG', 'a PNG picture'],
  ['%PDF', 'a PDF document'],
  ['snoop\0', 'a snoop capture: convert it with editcap -F pcap'],
  ['GMBU', 'a Network Monitor capture: convert it with editcap -F pcap'],
  ['RTSS', 'a Network Monitor capture: convert it with editcap -F pcap'],
  ['#!', 'a script'],
];
