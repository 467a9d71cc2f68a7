// Puts fragmented IP datagrams together (RFC 791 section 3.2, RFC 8200 section 4.5).
// A datagram whose fragments never all come is let go of when too many others wait.
import type { Frame } from './frame.ts';

/** Datagrams waiting for fragments: more is a flood, and the oldest goes. 64 of the largest are 4 MB. */
const MAXIMUM_WAITING = 64;
const MAXIMUM_PIECES = 8192;
const MAXIMUM_DATAGRAM = 65_535;

interface Waiting {
  pieces: { offset: number; bytes: Uint8Array }[];
  /** Known once the fragment without "more fragments" has come. */
  total: number | undefined;
  received: number;
}

export class Fragments {
  readonly #waiting = new Map<string, Waiting>();

  /**
   * Takes the fragment that `frame` describes; its data are `length` bytes from `at`.
   * @returns the datagram's payload once it is whole
   */
  add(frame: Frame, bytes: Uint8Array, at: number, length: number): Uint8Array | undefined {
    if (frame.fragmentOffset + length > MAXIMUM_DATAGRAM) return undefined;
    const key = [
      frame.ipVersion,
      frame.source0,
      frame.source1,
      frame.source2,
      frame.source3,
      frame.destination0,
      frame.destination1,
      frame.destination2,
      frame.destination3,
      frame.identification,
      frame.protocol,
    ].join(' ');
    let waiting = this.#waiting.get(key);
    if (waiting === undefined) {
      if (this.#waiting.size >= MAXIMUM_WAITING) this.#waiting.delete(this.#waiting.keys().next().value!);
      waiting = { pieces: [], total: undefined, received: 0 };
      this.#waiting.set(key, waiting);
    }
    if (waiting.pieces.length >= MAXIMUM_PIECES) return undefined;
    waiting.pieces.push({ offset: frame.fragmentOffset, bytes: bytes.slice(at, at + length) });
    if (!frame.moreFragments) waiting.total = frame.fragmentOffset + length;
    waiting.received += length;
    if (waiting.total === undefined || waiting.received < waiting.total) return undefined;
    const whole = join(waiting.pieces, waiting.total);
    if (whole !== undefined) this.#waiting.delete(key);
    return whole;
  }
}

/** Where fragments overlap, the one that starts lower, or else came first, counts. */
function join(pieces: Waiting['pieces'], total: number): Uint8Array | undefined {
  pieces.sort((a, b) => a.offset - b.offset);
  const whole = new Uint8Array(total);
  let filled = 0;
  for (const { offset, bytes } of pieces) {
    if (offset > filled) return undefined;
    const fresh = bytes.subarray(filled - offset, total - offset);
    whole.set(fresh, filled);
    filled += fresh.length;
  }
  return whole;
}
