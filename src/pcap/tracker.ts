// Finds the connection that each TCP segment or UDP datagram belongs to, and keeps its figures: one Life for each life
// of a pair of endpoints. Never keeps packets. With a limit it forgets what has been silent for longest and counts it.
import { analyse, ANALYSIS_FLAGS, Direction, REUSED_PORTS, SCALE_UNKNOWN, SCALE_UNUSED } from './analysis.ts';
import type { Frame } from './frame.ts';
import { ACK, FIN, RST, SYN } from './frame.ts';

/** Bits of Wireshark's tcp.completeness. */
export const COMPLETE_SYN = 1;
export const COMPLETE_SYN_ACK = 2;
export const COMPLETE_ACK = 4;
export const COMPLETE_DATA = 8;
export const COMPLETE_FIN = 16;
export const COMPLETE_RST = 32;

/** One life of a pair of endpoints, which are `low` and `high` by address and port. */
export class Life {
  readonly protocol: number;
  readonly version: number;
  readonly low0: number;
  readonly low1: number;
  readonly low2: number;
  readonly low3: number;
  readonly lowPort: number;
  readonly high0: number;
  readonly high1: number;
  readonly high2: number;
  readonly high3: number;
  readonly highPort: number;
  readonly hash: number;

  /** What `low` sends and what `high` sends. */
  readonly fromLow = new Direction();
  readonly fromHigh = new Direction();
  isLowClient: boolean;
  isClientKnown = false;

  firstTime: number;
  lastTime: number;
  firstNumber: number;
  lastNumber: number;
  completeness = 0;
  /** Packet numbers; 0 is none. */
  syn = 0;
  synAck = 0;
  handshakeAck = 0;
  /** Packet numbers of the first FIN of either, and of the first RST; 0 is none. */
  finOfLow = 0;
  finOfHigh = 0;
  rst = 0;
  isRstOfLow = false;
  isCloseCrossed = false;
  synTime = Number.NaN;
  roundTrip = Number.NaN;
  /** How often each of ANALYSIS_FLAGS was found. */
  counts: Uint32Array | undefined = undefined;

  constructor(frame: Frame, isFromLow: boolean, hash: number) {
    this.protocol = frame.protocol;
    this.version = frame.ipVersion;
    const is6 = frame.ipVersion === 6;
    const source1 = is6 ? frame.source1 : 0;
    const source2 = is6 ? frame.source2 : 0;
    const source3 = is6 ? frame.source3 : 0;
    const destination1 = is6 ? frame.destination1 : 0;
    const destination2 = is6 ? frame.destination2 : 0;
    const destination3 = is6 ? frame.destination3 : 0;
    this.low0 = isFromLow ? frame.source0 : frame.destination0;
    this.low1 = isFromLow ? source1 : destination1;
    this.low2 = isFromLow ? source2 : destination2;
    this.low3 = isFromLow ? source3 : destination3;
    this.lowPort = isFromLow ? frame.sourcePort : frame.destinationPort;
    this.high0 = isFromLow ? frame.destination0 : frame.source0;
    this.high1 = isFromLow ? destination1 : source1;
    this.high2 = isFromLow ? destination2 : source2;
    this.high3 = isFromLow ? destination3 : source3;
    this.highPort = isFromLow ? frame.destinationPort : frame.sourcePort;
    this.hash = hash;
    this.isLowClient = isFromLow;
    this.firstTime = this.lastTime = frame.time;
    this.firstNumber = this.lastNumber = frame.number;
  }
}

/** What was let go of to stay within the limit. */
export interface LetGo {
  connections: number;
  packets: number;
  bytes: number;
}

export class Tracker {
  /** In the order of their first packets. */
  readonly lives: Life[] = [];
  readonly letGo: LetGo = { connections: 0, packets: 0, bytes: 0 };
  /** Bits of ANALYSIS_FLAGS for the packet tracked last. */
  found = 0;
  /** Whether that packet went from the lower to the higher endpoint. */
  isFromLow = false;

  readonly #limit: number;
  readonly #onLetGo: ((life: Life) => void) | undefined;
  #slots = new Int32Array(1024);
  #mask = 1023;
  #used = 0;

  /** @param limit how many lives are kept at most */
  constructor(limit = Number.POSITIVE_INFINITY, onLetGo?: (life: Life) => void) {
    this.#limit = limit;
    this.#onLetGo = onLetGo;
  }

  /** @returns the connection the frame belongs to; undefined when it is no TCP segment or UDP datagram */
  track(frame: Frame): Life | undefined {
    const { kind } = frame;
    this.found = 0;
    if (kind === 'tcp') return this.#trackTcp(frame);
    if (kind !== 'udp' || !frame.isCounted) return undefined;
    const slot = this.#find(frame);
    const life = this.#lifeAt(slot) ?? this.#start(frame, slot);
    count(life, this.isFromLow ? life.fromLow : life.fromHigh, frame);
    return life;
  }

  #trackTcp(frame: Frame): Life {
    const { flags, sequence } = frame;
    const slot = this.#find(frame);
    let life = this.#lifeAt(slot);
    let found = 0;
    const handshake = flags & (SYN | ACK);
    const length = frame.isAnalysed ? frame.payloadLength : 0;
    if (life === undefined) {
      life = this.#start(frame, slot);
      if (handshake === SYN) life.completeness = COMPLETE_SYN | (length > 0 ? COMPLETE_DATA : 0);
    } else {
      const sender = this.isFromLow ? life.fromLow : life.fromHigh;
      if (handshake === SYN && sender.isBaseKnown) {
        if (sender.base === sequence) {
          // A reset may have carried the peer's number as its own; a repeated SYN sets that right.
          sender.nextSequence = sender.highestToBeAcked;
        } else {
          life = this.#start(frame, slot);
          life.completeness = COMPLETE_SYN;
          found = REUSED_PORTS;
        }
      } else if (handshake === (SYN | ACK) && sender.isBaseKnown && sender.base !== sequence) {
        sender.base = sequence;
        found = REUSED_PORTS;
      }
    }
    life.completeness |= completeness(flags, length);
    const { isFromLow } = this;
    const sender = isFromLow ? life.fromLow : life.fromHigh;
    const receiver = isFromLow ? life.fromHigh : life.fromLow;
    this.found = frame.isAnalysed ? analyseIn(life, sender, receiver, frame, found) : found;
    if ((flags & (SYN | FIN | RST)) !== 0) followControl(life, sender, receiver, frame, isFromLow);
    else if ((flags & ACK) !== 0) followAck(life, sender, frame, isFromLow);
    if (frame.isCounted) count(life, sender, frame);
    return life;
  }

  #lifeAt(slot: number): Life | undefined {
    const index = this.#slots[slot]!;
    return index === 0 ? undefined : this.lives[index - 1];
  }

  /** Finds the slot of the frame's endpoints, or the free one for them, and which of the two sent it. */
  #find(frame: Frame): number {
    const is6 = frame.ipVersion === 6;
    const { source0: s0, destination0: d0, sourcePort, destinationPort } = frame;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    let d1 = 0;
    let d2 = 0;
    let d3 = 0;
    let order = s0 - d0;
    if (is6) {
      s1 = frame.source1;
      s2 = frame.source2;
      s3 = frame.source3;
      d1 = frame.destination1;
      d2 = frame.destination2;
      d3 = frame.destination3;
      order = order || s1 - d1 || s2 - d2 || s3 - d3;
    }
    const isFromLow = (order || sourcePort - destinationPort) <= 0;
    this.isFromLow = isFromLow;
    const low0 = isFromLow ? s0 : d0;
    const low1 = isFromLow ? s1 : d1;
    const low2 = isFromLow ? s2 : d2;
    const low3 = isFromLow ? s3 : d3;
    const high0 = isFromLow ? d0 : s0;
    const high1 = isFromLow ? d1 : s1;
    const high2 = isFromLow ? d2 : s2;
    const high3 = isFromLow ? d3 : s3;
    const lowPort = isFromLow ? sourcePort : destinationPort;
    const highPort = isFromLow ? destinationPort : sourcePort;
    let hash = Math.imul(low0 ^ Math.imul(high0, 0x9e3779b1), 0x85ebca6b) ^ ((lowPort << 16) | highPort);
    if (is6) {
      hash = Math.imul(hash ^ low1 ^ Math.imul(high1, 0x9e3779b1), 0x85ebca6b);
      hash = Math.imul(hash ^ low2 ^ Math.imul(high2, 0x9e3779b1), 0x85ebca6b);
      hash = Math.imul(hash ^ low3 ^ Math.imul(high3, 0x9e3779b1), 0x85ebca6b);
    }
    hash = Math.imul(hash ^ (hash >>> 15) ^ frame.protocol, 0xc2b2ae35);
    hash ^= hash >>> 13;
    this.#hash = hash;
    for (let slot = hash & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const index = this.#slots[slot]!;
      if (index === 0) return slot;
      const life = this.lives[index - 1]!;
      if (
        life.hash === hash &&
        life.low0 === low0 &&
        life.high0 === high0 &&
        life.lowPort === lowPort &&
        life.highPort === highPort &&
        life.protocol === frame.protocol &&
        life.version === frame.ipVersion &&
        life.low1 === low1 &&
        life.low2 === low2 &&
        life.low3 === low3 &&
        life.high1 === high1 &&
        life.high2 === high2 &&
        life.high3 === high3
      )
        return slot;
    }
  }

  #hash = 0;

  /** Begins a life in the slot that #find found. */
  #start(frame: Frame, slot: number): Life {
    const life = new Life(frame, this.isFromLow, this.#hash);
    if (this.lives.length >= this.#limit) {
      this.lives.push(life);
      this.#forget();
      return life;
    }
    const isNew = this.#slots[slot] === 0;
    this.lives.push(life);
    this.#slots[slot] = this.lives.length;
    if (isNew && ++this.#used * 2 > this.#mask) this.#rebuild(this.#slots.length * 2);
    return life;
  }

  /** Lets go of the quarter that has been silent for longest, ended connections before others. */
  #forget(): void {
    const { lives } = this;
    const ranks = Float64Array.from(lives, rank).sort();
    const threshold = ranks[ranks.length >>> 2]!;
    let kept = 0;
    for (const life of lives) {
      if (rank(life) >= threshold) {
        lives[kept++] = life;
      } else {
        this.letGo.connections++;
        this.letGo.packets += life.fromLow.packets + life.fromHigh.packets;
        this.letGo.bytes += life.fromLow.bytes + life.fromHigh.bytes;
        this.#onLetGo?.(life);
      }
    }
    lives.length = kept;
    this.#rebuild(this.#slots.length);
  }

  #rebuild(size: number): void {
    const slots = new Int32Array(size);
    const mask = size - 1;
    this.#used = 0;
    // The last life of a pair of endpoints is the one that goes on.
    for (let index = this.lives.length; index > 0; index--) {
      const life = this.lives[index - 1]!;
      let slot = life.hash & mask;
      let other: Life | undefined;
      while ((other = slots[slot] === 0 ? undefined : this.lives[slots[slot]! - 1]) !== undefined) {
        if (isSamePair(life, other)) break;
        slot = (slot + 1) & mask;
      }
      if (other !== undefined) continue;
      slots[slot] = index;
      this.#used++;
    }
    this.#slots = slots;
    this.#mask = mask;
  }
}

/** Judges a segment and counts what is found. */
function analyseIn(life: Life, sender: Direction, receiver: Direction, frame: Frame, known: number): number {
  const { flags, sequence } = frame;
  if (!sender.isBaseKnown) {
    sender.isBaseKnown = true;
    sender.base = (flags & SYN) === 0 ? (sequence - 1) | 0 : sequence;
  }
  if (!receiver.isBaseKnown && (flags & ACK) !== 0) {
    receiver.isBaseKnown = true;
    receiver.base = (frame.acknowledgment - 1) | 0;
  }
  const found = analyse(
    sender,
    receiver,
    sequence,
    frame.acknowledgment,
    frame.payloadLength,
    flags,
    frame.window,
    frame.time,
    life.roundTrip,
    known,
  );
  // Wireshark never comes to show what it found where it cannot read the header to its end.
  if (!frame.isCounted) return 0;
  if (found !== 0) {
    life.counts ??= new Uint32Array(ANALYSIS_FLAGS.length);
    for (let bits = found; bits !== 0; bits &= bits - 1) life.counts[31 - Math.clz32(bits & -bits)]!++;
  }
  return found;
}

function isSamePair(a: Life, b: Life): boolean {
  return (
    a.hash === b.hash &&
    a.low0 === b.low0 &&
    a.high0 === b.high0 &&
    a.lowPort === b.lowPort &&
    a.highPort === b.highPort &&
    a.protocol === b.protocol &&
    a.version === b.version &&
    a.low1 === b.low1 &&
    a.low2 === b.low2 &&
    a.low3 === b.low3 &&
    a.high1 === b.high1 &&
    a.high2 === b.high2 &&
    a.high3 === b.high3
  );
}

/** The lower, the sooner it is let go of. */
function rank(life: Life): number {
  return isEnded(life) ? life.lastNumber - 2 ** 52 : life.lastNumber;
}

function isEnded(life: Life): boolean {
  return life.rst !== 0 || (life.finOfLow !== 0 && life.finOfHigh !== 0);
}

function count(life: Life, sender: Direction, frame: Frame): void {
  sender.packets++;
  sender.bytes += frame.originalLength;
  if (frame.payloadLength > 0) sender.payload += frame.payloadLength;
  life.lastTime = frame.time;
  life.lastNumber = frame.number;
}

/** The bits of Wireshark's tcp.completeness that a segment adds to its connection. */
function completeness(flags: number, length: number): number {
  let bits = 0;
  if ((flags & (SYN | ACK)) === (SYN | ACK)) bits |= COMPLETE_SYN_ACK;
  if ((flags & (SYN | ACK)) === ACK) bits |= length > 0 ? COMPLETE_DATA : COMPLETE_ACK;
  if ((flags & (FIN | ACK)) === (FIN | ACK)) bits |= COMPLETE_FIN;
  if ((flags & RST) !== 0) bits |= COMPLETE_RST;
  return bits;
}

function followControl(
  life: Life,
  sender: Direction,
  receiver: Direction,
  frame: Frame,
  isFromLow: boolean,
): void {
  const { flags } = frame;
  if ((flags & SYN) !== 0) {
    const isSynAck = (flags & ACK) !== 0;
    if (!life.isClientKnown) {
      life.isClientKnown = true;
      life.isLowClient = isFromLow !== isSynAck;
    }
    if (isSynAck) {
      life.synAck ||= frame.number;
    } else {
      life.syn ||= frame.number;
      // A time of 0 is none: captures that were written by hand, and simple packets of pcapng, have no times.
      if (frame.seconds !== 0 || frame.nanoseconds !== 0) life.synTime = frame.time;
    }
    sender.isBeforeFirstAck = true;
    // Scaling is used only if both SYNs offer it (RFC 7323 section 2.2).
    if (frame.windowScale >= 0) sender.windowScale = frame.windowScale;
    if (sender.windowScale === SCALE_UNKNOWN) sender.windowScale = receiver.windowScale = SCALE_UNUSED;
    else if (isSynAck && receiver.windowScale === SCALE_UNUSED) sender.windowScale = SCALE_UNUSED;
  }
  if ((flags & FIN) !== 0) {
    const isFirst = isFromLow ? life.finOfLow === 0 : life.finOfHigh === 0;
    const other = isFromLow ? life.finOfHigh : life.finOfLow;
    // A FIN that does not acknowledge the other side's crossed it on the way (RFC 9293, figure 13).
    if (isFirst && other !== 0)
      life.isCloseCrossed = ((frame.acknowledgment - receiver.nextSequence) | 0) < 0;
    if (isFromLow) life.finOfLow ||= frame.number;
    else life.finOfHigh ||= frame.number;
  }
  if ((flags & RST) !== 0 && life.rst === 0) {
    life.rst = frame.number;
    life.isRstOfLow = isFromLow;
  }
  if ((flags & (SYN | ACK)) === ACK) followAck(life, sender, frame, isFromLow);
}

function followAck(life: Life, sender: Direction, frame: Frame, isFromLow: boolean): void {
  sender.isBeforeFirstAck = false;
  if (Number.isNaN(life.synTime)) return;
  if (Number.isNaN(life.roundTrip) || life.roundTrip === 0) life.roundTrip = frame.time - life.synTime;
  if (life.handshakeAck === 0 && life.synAck !== 0 && isFromLow === life.isLowClient)
    life.handshakeAck = frame.number;
}
