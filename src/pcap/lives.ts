// Where connections are kept while a capture is read: a row of numbers each, in typed arrays, because hundreds of
// thousands of objects would cost three times the memory and time. tracker.ts finds and fills the rows, analysis.ts
// works on them, connections.ts tells them. A Life is one life of a pair of endpoints, `low` and `high` by their
// addresses and ports.
import type { Frame } from './frame.ts';

// Places in a row of `words`: four cache lines, of which the first says whose it is, and the next two have a direction
// each. Sequence numbers and addresses are signed words, see Frame.

/** Protocol and IP version, and everything else that tells one pair of endpoints from another. */
export const PROTOCOL = 0;
export const VERSION = 1;
export const PORTS = 2;
export const LOW_ADDRESS = 3;
export const HIGH_ADDRESS = 7;
export const HASH = 11;
/** Bits of the MARK_ constants. */
export const MARKS = 12;
export const COMPLETENESS = 13;
/** Number of the last packet that was counted, or else of the first. */
export const LAST_NUMBER = 14;
/** Bits of ANALYSIS_FLAGS that were ever found. */
export const FOUND = 15;
/** Packet numbers; 0 is none. */
export const SYN_NUMBER = 28;
export const SYN_ACK_NUMBER = 29;
export const HANDSHAKE_ACK_NUMBER = 30;
export const RST_NUMBER = 31;
/** What `low` sends and what `high` sends: from here on the places of a direction, below. */
export const FROM_LOW = 16;
export const FROM_HIGH = 32;
/** How often each of ANALYSIS_FLAGS was found. */
export const COUNTS = 48;
const WORDS = 64;

// Places in a direction.

export const PACKETS = 0;
/** Initial sequence number, where it is known: from a SYN, or else one less than the first number seen. */
export const IS_BASE_KNOWN = 1;
export const BASE = 2;
/** What would come next, and the same without what a gap hid; 0 is unknown, as in Wireshark. */
export const NEXT_SEQUENCE = 3;
export const HIGHEST_TO_BE_ACKED = 4;
export const LAST_ACK = 5;
export const DUPLICATE_ACKS = 6;
export const WINDOW = 7;
export const WINDOW_SCALE = 8;
/** 1 from its SYN to its first ACK: that window is not scaled yet. */
export const IS_BEFORE_FIRST_ACK = 9;
export const LAST_FLAGS = 10;
/** Packet number of its first FIN; 0 is none. */
export const FIN_NUMBER = 11;

// Places in a row of `times`: nanoseconds, NaN where unknown, and counters that may pass 2^31.

export const FIRST_TIME = 0;
export const LAST_TIME = 1;
export const SYN_TIME = 2;
export const ROUND_TRIP = 3;
export const TIMES_FROM_LOW = 4;
export const TIMES_FROM_HIGH = 8;
const TIMES = 16;

// Places in a direction's times.

export const NEXT_TIME = 0;
export const LAST_ACK_TIME = 1;
export const BYTES = 2;
export const PAYLOAD = 3;

export const MARK_LOW_IS_CLIENT = 1;
/** A SYN said which end is the client. */
export const MARK_CLIENT_KNOWN = 2;
export const MARK_RST_OF_LOW = 4;
export const MARK_CLOSE_CROSSED = 8;

/** `WINDOW_SCALE` where no SYN was seen, and where both SYNs were and scaling was not agreed. */
export const SCALE_UNKNOWN = -1;
export const SCALE_UNUSED = -2;

export class Lives {
  words = new Int32Array(256 * WORDS);
  times = new Float64Array(256 * TIMES);
  /** Lives are numbered from 0, in the order of their first packets. */
  count = 0;

  /** Begins a life with the packet in the frame. */
  add(frame: Frame, isFromLow: boolean, hash: number): number {
    const life = this.count++;
    if (life * WORDS === this.words.length) this.#grow();
    const { words, times } = this;
    const row = life * WORDS;
    words.fill(0, row, row + WORDS);
    words[row + PROTOCOL] = frame.protocol;
    words[row + VERSION] = frame.ipVersion;
    words[row + HASH] = hash;
    words[row + LAST_NUMBER] = frame.number;
    words[row + MARKS] = isFromLow ? MARK_LOW_IS_CLIENT : 0;
    const ports = isFromLow
      ? (frame.sourcePort << 16) | frame.destinationPort
      : (frame.destinationPort << 16) | frame.sourcePort;
    words[row + PORTS] = ports;
    const source = row + (isFromLow ? LOW_ADDRESS : HIGH_ADDRESS);
    const destination = row + (isFromLow ? HIGH_ADDRESS : LOW_ADDRESS);
    words[source] = frame.source0;
    words[destination] = frame.destination0;
    if (frame.ipVersion === 6) {
      words[source + 1] = frame.source1;
      words[source + 2] = frame.source2;
      words[source + 3] = frame.source3;
      words[destination + 1] = frame.destination1;
      words[destination + 2] = frame.destination2;
      words[destination + 3] = frame.destination3;
    }
    for (const direction of [row + FROM_LOW, row + FROM_HIGH]) {
      words[direction + WINDOW] = -1;
      words[direction + WINDOW_SCALE] = SCALE_UNKNOWN;
    }
    const time = life * TIMES;
    times.fill(Number.NaN, time, time + TIMES);
    times[time + FIRST_TIME] = frame.time;
    times[time + TIMES_FROM_LOW + BYTES] = times[time + TIMES_FROM_LOW + PAYLOAD] = 0;
    times[time + TIMES_FROM_HIGH + BYTES] = times[time + TIMES_FROM_HIGH + PAYLOAD] = 0;
    return life;
  }

  /** Where a life's row starts in `words`, and in `times`. */
  row(life: number): number {
    return life * WORDS;
  }

  timesRow(life: number): number {
    return life * TIMES;
  }

  /** Drops the lives that `isKept` does not keep; those after them get lower numbers. */
  keep(isKept: (life: number) => boolean): void {
    let kept = 0;
    for (let life = 0; life < this.count; life++) {
      if (!isKept(life)) continue;
      if (kept < life) {
        this.words.copyWithin(kept * WORDS, life * WORDS, (life + 1) * WORDS);
        this.times.copyWithin(kept * TIMES, life * TIMES, (life + 1) * TIMES);
      }
      kept++;
    }
    this.count = kept;
  }

  isEnded(life: number): boolean {
    const { words } = this;
    const row = life * WORDS;
    return (
      words[row + RST_NUMBER] !== 0 ||
      (words[row + FROM_LOW + FIN_NUMBER] !== 0 && words[row + FROM_HIGH + FIN_NUMBER] !== 0)
    );
  }

  #grow(): void {
    const words = new Int32Array(this.words.length * 2);
    words.set(this.words);
    this.words = words;
    const times = new Float64Array(this.times.length * 2);
    times.set(this.times);
    this.times = times;
  }
}
