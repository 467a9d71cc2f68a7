// What a TCP segment says about the segments before it: retransmitted, lost, out of order and so on. The rules are
// Wireshark's (its manual, "TCP Analysis"), because its words are what readers of captures know; each rule below is one
// of its definitions. Holds a few numbers a direction, never segments.
import { ACK, FIN, RST, SYN } from './frame.ts';

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

/** `windowScale` where no SYN was seen, and where both SYNs were and scaling was not agreed. */
export const SCALE_UNKNOWN = -1;
export const SCALE_UNUSED = -2;

/** What is remembered of one direction of a connection. Sequence numbers are signed words, see Frame. */
export class Direction {
  packets = 0;
  bytes = 0;
  payload = 0;
  /** Initial sequence number, where it is known: from a SYN, or else one less than the first number seen. */
  isBaseKnown = false;
  base = 0;
  /** What would come next, and the same without what a gap hid; 0 is unknown, as in Wireshark. */
  nextSequence = 0;
  highestToBeAcked = 0;
  nextTime = Number.NaN;
  lastAck = 0;
  lastAckTime = Number.NaN;
  duplicateAcks = 0;
  window = -1;
  windowScale = SCALE_UNKNOWN;
  /** True from its SYN to its first ACK: that window is not scaled yet. */
  isBeforeFirstAck = false;
  lastFlags = 0;
}

/**
 * Judges one segment, and remembers it in `sender` (its own direction) and `receiver` (the other).
 * @param time in nanoseconds since anything
 * @param roundTrip of the handshake in nanoseconds, NaN where unknown
 * @returns the bits of ANALYSIS_FLAGS that apply, `flags` among them
 */
export function analyse(
  sender: Direction,
  receiver: Direction,
  sequence: number,
  acknowledgment: number,
  length: number,
  controls: number,
  window: number,
  time: number,
  roundTrip: number,
  found: number,
): number {
  const isControl = (controls & (SYN | FIN | RST)) !== 0;
  const { nextSequence } = sender;
  const repeatsAck =
    acknowledgment === sender.lastAck && sequence === nextSequence && length === 0 && !isControl;

  if (length === 1 && sequence === nextSequence && receiver.window === 0) {
    found |= ZERO_WINDOW_PROBE;
  } else {
    if (window === 0 && !isControl) found |= ZERO_WINDOW;
    if (nextSequence !== 0 && ((sequence - nextSequence) | 0) > 0 && (controls & RST) === 0)
      found |= LOST_SEGMENT;
    if (length <= 1 && sequence === ((nextSequence - 1) | 0) && !isControl) found |= KEEP_ALIVE;
    if (repeatsAck && window !== 0 && window !== sender.window) found |= WINDOW_UPDATE;
    if (
      length > 0 &&
      !isControl &&
      receiver.windowScale !== SCALE_UNKNOWN &&
      fillsWindow(receiver, sequence + length)
    )
      found |= WINDOW_FULL;
    if (repeatsAck && window === sender.window) {
      if (window !== 0 && (receiver.lastFlags & KEEP_ALIVE) !== 0) {
        found |= KEEP_ALIVE_ACK;
      } else if (window === 0 && (receiver.lastFlags & ZERO_WINDOW_PROBE) !== 0) {
        found |= ZERO_WINDOW_PROBE_ACK;
      } else if (window !== 0) {
        sender.duplicateAcks = sender.duplicateAcks === -1 ? 1 : sender.duplicateAcks + 1;
        found |= DUPLICATE_ACK;
      }
    }
  }
  if (acknowledgment !== sender.lastAck) sender.duplicateAcks = 0;

  if (
    (controls & ACK) !== 0 &&
    receiver.highestToBeAcked !== 0 &&
    ((acknowledgment - receiver.highestToBeAcked) | 0) > 0
  ) {
    // One gap is reported once, though every later ACK lies beyond it too.
    if (((receiver.highestToBeAcked - receiver.nextSequence) | 0) < 0) {
      receiver.highestToBeAcked = receiver.nextSequence;
      found |= ACKED_UNSEEN_SEGMENT;
    } else {
      if (receiver.duplicateAcks === 0) found |= ACKED_UNSEEN_SEGMENT;
      receiver.duplicateAcks = -1;
    }
  }

  const advance = length + ((controls & (SYN | FIN)) === 0 ? 0 : 1);
  if (advance > 0 && (found & KEEP_ALIVE) === 0)
    found |= repeated(sender, receiver, sequence, length, advance, time, roundTrip);

  const end = (sequence + advance) | 0;
  if ((found & ZERO_WINDOW_PROBE) === 0) {
    if (nextSequence === 0 || ((end - nextSequence) | 0) > 0) {
      sender.nextSequence = end;
      sender.nextTime = time;
    }
    if (sender.highestToBeAcked === 0 || sequence === sender.highestToBeAcked)
      sender.highestToBeAcked = sender.nextSequence;
  }
  sender.window = window;
  sender.lastAck = acknowledgment;
  sender.lastAckTime = time;
  sender.lastFlags = found;
  return found;
}

/** Whether a segment ending at `end` goes to the very edge of what `receiver` last offered. */
function fillsWindow(receiver: Direction, end: number): boolean {
  const shift = receiver.isBeforeFirstAck || receiver.windowScale === SCALE_UNUSED ? 0 : receiver.windowScale;
  return (end | 0) === ((receiver.lastAck + (receiver.window << shift)) | 0);
}

/** Which kind of repetition a segment is that does not go on where its direction had come to, if it is one. */
function repeated(
  sender: Direction,
  receiver: Direction,
  sequence: number,
  length: number,
  advance: number,
  time: number,
  roundTrip: number,
): number {
  const { nextSequence } = sender;
  if (length > 0 && receiver.lastAck !== 0 && ((sequence + length - receiver.lastAck) | 0) <= 0)
    return SPURIOUS_RETRANSMISSION;
  const isBehind = nextSequence !== 0 && ((sequence - nextSequence) | 0) < 0;
  // One byte behind, with more than that byte: new data after a zero window probe.
  if (!isBehind || (length > 1 && ((nextSequence - 1) | 0) === sequence)) return 0;
  const sinceAck = time - receiver.lastAckTime;
  if (
    // The mark -1 (above) counts as many: Wireshark keeps the number unsigned.
    receiver.duplicateAcks >>> 0 >= 2 &&
    receiver.lastAck === sequence &&
    isSooner(sinceAck, FAST_RETRANSMISSION_NS)
  )
    return FAST_RETRANSMISSION;
  const sinceHighest = time - sender.nextTime;
  const threshold = roundTrip === 0 || Number.isNaN(roundTrip) ? OUT_OF_ORDER_NS : roundTrip;
  if (isSooner(sinceHighest, threshold) && nextSequence !== ((sequence + advance) | 0)) return OUT_OF_ORDER;
  return RETRANSMISSION;
}

/** Whether a time is below a threshold as Wireshark compares them: unsigned, so that a clock set back made a long one. */
function isSooner(time: number, threshold: number): boolean {
  return time < 0 === threshold < 0 ? time < threshold : time >= 0;
}
