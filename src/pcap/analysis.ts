// What a TCP segment says about the segments before it: retransmitted, lost, out of order and so on. The rules are
// Wireshark's (its manual, "TCP Analysis"), because its words are what readers of captures know; each rule below is one
// of its definitions. It needs a few numbers a direction (lives.ts), never segments.
import type { Frame } from './frame.ts';
import { ACK, FIN, RST, SYN } from './frame.ts';
import type { Lives } from './lives.ts';
import {
  DUPLICATE_ACKS,
  FROM_HIGH,
  FROM_LOW,
  HIGHEST_TO_BE_ACKED,
  IS_BEFORE_FIRST_ACK,
  LAST_ACK,
  LAST_ACK_TIME,
  LAST_FLAGS,
  NEXT_SEQUENCE,
  NEXT_TIME,
  ROUND_TRIP,
  SCALE_UNKNOWN,
  SCALE_UNUSED,
  TIMES_FROM_HIGH,
  TIMES_FROM_LOW,
  WINDOW,
  WINDOW_SCALE,
} from './lives.ts';

/** In the order of their bits. */
export const ANALYSIS_FLAGS = [
  'retransmission',
  'fast-retransmission',
  'spurious-retransmission',
  'out-of-order',
  'lost-segment',
  'acked-unseen-segment',
  'duplicate-ack',
  'zero-window',
  'zero-window-probe',
  'zero-window-probe-ack',
  'keep-alive',
  'keep-alive-ack',
  'window-update',
  'window-full',
  'reused-ports',
] as const;

export type AnalysisFlag = (typeof ANALYSIS_FLAGS)[number];

const RETRANSMISSION = 1 << 0;
const FAST_RETRANSMISSION = 1 << 1;
const SPURIOUS_RETRANSMISSION = 1 << 2;
const OUT_OF_ORDER = 1 << 3;
const LOST_SEGMENT = 1 << 4;
const ACKED_UNSEEN_SEGMENT = 1 << 5;
const DUPLICATE_ACK = 1 << 6;
const ZERO_WINDOW = 1 << 7;
const ZERO_WINDOW_PROBE = 1 << 8;
const ZERO_WINDOW_PROBE_ACK = 1 << 9;
const KEEP_ALIVE = 1 << 10;
const KEEP_ALIVE_ACK = 1 << 11;
const WINDOW_UPDATE = 1 << 12;
const WINDOW_FULL = 1 << 13;
export const REUSED_PORTS = 1 << 14;

/** A retransmission within this long after the last of two or more duplicate ACKs was set off by them. */
const FAST_RETRANSMISSION_NS = 20_000_000;
/** A segment this soon after the highest one was overtaken, not sent again, where the round trip is not known. */
const OUT_OF_ORDER_NS = 3_000_000;

/**
 * Judges the segment in the frame, and remembers it in its life.
 * @param isFromLow whether the lower of the life's endpoints sent it
 * @param found bits of ANALYSIS_FLAGS that are known already
 * @returns the bits of ANALYSIS_FLAGS that apply, `found` among them
 */
export function analyse(lives: Lives, life: number, isFromLow: boolean, frame: Frame, found: number): number {
  const { words, times } = lives;
  const sender = lives.row(life) + (isFromLow ? FROM_LOW : FROM_HIGH);
  const receiver = lives.row(life) + (isFromLow ? FROM_HIGH : FROM_LOW);
  const senderTimes = lives.timesRow(life) + (isFromLow ? TIMES_FROM_LOW : TIMES_FROM_HIGH);
  const { sequence, acknowledgment, flags, window, payloadLength: length } = frame;
  const isControl = (flags & (SYN | FIN | RST)) !== 0;
  const nextSequence = words[sender + NEXT_SEQUENCE]!;
  const lastAck = words[sender + LAST_ACK]!;
  const lastWindow = words[sender + WINDOW]!;
  const repeatsAck = acknowledgment === lastAck && sequence === nextSequence && length === 0 && !isControl;

  if (length === 1 && sequence === nextSequence && words[receiver + WINDOW] === 0) {
    found |= ZERO_WINDOW_PROBE;
  } else {
    if (window === 0 && !isControl) found |= ZERO_WINDOW;
    if (nextSequence !== 0 && ((sequence - nextSequence) | 0) > 0 && (flags & RST) === 0)
      found |= LOST_SEGMENT;
    if (length <= 1 && sequence === ((nextSequence - 1) | 0) && !isControl) found |= KEEP_ALIVE;
    if (repeatsAck && window !== 0 && window !== lastWindow) found |= WINDOW_UPDATE;
    if (length > 0 && !isControl && fillsWindow(words, receiver, sequence + length)) found |= WINDOW_FULL;
    if (repeatsAck && window === lastWindow) {
      const answered = words[receiver + LAST_FLAGS]!;
      if (window !== 0 && (answered & KEEP_ALIVE) !== 0) {
        found |= KEEP_ALIVE_ACK;
      } else if (window === 0 && (answered & ZERO_WINDOW_PROBE) !== 0) {
        found |= ZERO_WINDOW_PROBE_ACK;
      } else if (window !== 0) {
        const repeats = words[sender + DUPLICATE_ACKS]!;
        words[sender + DUPLICATE_ACKS] = repeats === -1 ? 1 : repeats + 1;
        found |= DUPLICATE_ACK;
      }
    }
  }
  if (acknowledgment !== lastAck) words[sender + DUPLICATE_ACKS] = 0;

  const toBeAcked = words[receiver + HIGHEST_TO_BE_ACKED]!;
  if ((flags & ACK) !== 0 && toBeAcked !== 0 && ((acknowledgment - toBeAcked) | 0) > 0) {
    // One gap is reported once, though every later ACK lies beyond it too.
    if (((toBeAcked - words[receiver + NEXT_SEQUENCE]!) | 0) < 0) {
      words[receiver + HIGHEST_TO_BE_ACKED] = words[receiver + NEXT_SEQUENCE]!;
      found |= ACKED_UNSEEN_SEGMENT;
    } else {
      if (words[receiver + DUPLICATE_ACKS] === 0) found |= ACKED_UNSEEN_SEGMENT;
      words[receiver + DUPLICATE_ACKS] = -1;
    }
  }

  const advance = length + ((flags & (SYN | FIN)) === 0 ? 0 : 1);
  if (advance > 0 && (found & KEEP_ALIVE) === 0) found |= repeated(lives, life, isFromLow, frame, advance);

  if ((found & ZERO_WINDOW_PROBE) === 0) {
    const end = (sequence + advance) | 0;
    if (nextSequence === 0 || ((end - nextSequence) | 0) > 0) {
      words[sender + NEXT_SEQUENCE] = end;
      times[senderTimes + NEXT_TIME] = frame.time;
    }
    const highest = words[sender + HIGHEST_TO_BE_ACKED];
    if (highest === 0 || highest === sequence)
      words[sender + HIGHEST_TO_BE_ACKED] = words[sender + NEXT_SEQUENCE]!;
  }
  words[sender + WINDOW] = window;
  words[sender + LAST_ACK] = acknowledgment;
  words[sender + LAST_FLAGS] = found;
  times[senderTimes + LAST_ACK_TIME] = frame.time;
  return found;
}

/** Whether a segment ending at `end` goes to the very edge of what `receiver` last offered. */
function fillsWindow(words: Int32Array, receiver: number, end: number): boolean {
  const scale = words[receiver + WINDOW_SCALE]!;
  if (scale === SCALE_UNKNOWN) return false;
  const shift = words[receiver + IS_BEFORE_FIRST_ACK] === 1 || scale === SCALE_UNUSED ? 0 : scale;
  return (end | 0) === ((words[receiver + LAST_ACK]! + (words[receiver + WINDOW]! << shift)) | 0);
}

/** Which kind of repetition a segment is that does not go on where its direction had come to, if it is one. */
function repeated(lives: Lives, life: number, isFromLow: boolean, frame: Frame, advance: number): number {
  const { words, times } = lives;
  const { sequence, payloadLength: length, time } = frame;
  const receiver = lives.row(life) + (isFromLow ? FROM_HIGH : FROM_LOW);
  const nextSequence = words[lives.row(life) + (isFromLow ? FROM_LOW : FROM_HIGH) + NEXT_SEQUENCE]!;
  const lastAck = words[receiver + LAST_ACK]!;
  if (length > 0 && lastAck !== 0 && ((sequence + length - lastAck) | 0) <= 0) return SPURIOUS_RETRANSMISSION;
  const isBehind = nextSequence !== 0 && ((sequence - nextSequence) | 0) < 0;
  // One byte behind, with more than that byte: new data after a zero window probe.
  if (!isBehind || (length > 1 && ((nextSequence - 1) | 0) === sequence)) return 0;
  const row = lives.timesRow(life);
  const sinceAck = time - times[row + (isFromLow ? TIMES_FROM_HIGH : TIMES_FROM_LOW) + LAST_ACK_TIME]!;
  // The mark -1 (above) counts as many: Wireshark keeps the number unsigned.
  const hasRepeats = words[receiver + DUPLICATE_ACKS]! >>> 0 >= 2;
  if (hasRepeats && lastAck === sequence && isSooner(sinceAck, FAST_RETRANSMISSION_NS))
    return FAST_RETRANSMISSION;
  const sinceHighest = time - times[row + (isFromLow ? TIMES_FROM_LOW : TIMES_FROM_HIGH) + NEXT_TIME]!;
  const threshold = times[row + ROUND_TRIP]! || OUT_OF_ORDER_NS;
  if (isSooner(sinceHighest, threshold) && nextSequence !== ((sequence + advance) | 0)) return OUT_OF_ORDER;
  return RETRANSMISSION;
}

/** Whether a time is below a threshold as Wireshark compares them: unsigned, so that a clock set back made a long one. */
function isSooner(time: number, threshold: number): boolean {
  return time < 0 === threshold < 0 ? time < threshold : time >= 0;
}
