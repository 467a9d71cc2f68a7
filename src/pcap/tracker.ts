// Finds the connection that each TCP segment or UDP datagram belongs to, and keeps its figures in Lives. Never keeps
// packets. With a limit it forgets what has been silent for longest and counts it.
import { analyse, REUSED_PORTS } from './analysis.ts';
import type { Frame } from './frame.ts';
import { ACK, FIN, RST, SYN } from './frame.ts';
import {
  BASE,
  BYTES,
  COMPLETENESS,
  COUNTS,
  FIN_NUMBER,
  FOUND,
  FROM_HIGH,
  FROM_LOW,
  HANDSHAKE_ACK_NUMBER,
  HASH,
  HIGH_ADDRESS,
  HIGHEST_TO_BE_ACKED,
  IS_BASE_KNOWN,
  IS_BEFORE_FIRST_ACK,
  LAST_NUMBER,
  LAST_TIME,
  Lives,
  LOW_ADDRESS,
  MARK_CLIENT_KNOWN,
  MARK_CLOSE_CROSSED,
  MARK_LOW_IS_CLIENT,
  MARK_RST_OF_LOW,
  MARKS,
  NEXT_SEQUENCE,
  PACKETS,
  PAYLOAD,
  PORTS,
  PROTOCOL,
  ROUND_TRIP,
  RST_NUMBER,
  SCALE_UNKNOWN,
  SCALE_UNUSED,
  SYN_ACK_NUMBER,
  SYN_NUMBER,
  SYN_TIME,
  TIMES_FROM_HIGH,
  TIMES_FROM_LOW,
  VERSION,
  WINDOW_SCALE,
} from './lives.ts';

/** Bits of Wireshark's tcp.completeness. */
const COMPLETE_SYN = 1;
const COMPLETE_SYN_ACK = 2;
const COMPLETE_ACK = 4;
const COMPLETE_DATA = 8;
const COMPLETE_FIN = 16;
const COMPLETE_RST = 32;

/** What was let go of to stay within the limit. */
export interface LetGo {
  connections: number;
  packets: number;
  bytes: number;
}

/** Multipliers of the hash, odd and of one process only, so that no capture can be made whose connections all collide. */
const KEYS = Int32Array.from({ length: 9 }, () => (Math.random() * 2 ** 32) | 1);

export class Tracker {
  readonly lives = new Lives();
  readonly letGo: LetGo = { connections: 0, packets: 0, bytes: 0 };
  /** Bits of ANALYSIS_FLAGS for the packet tracked last. */
  found = 0;
  /** Whether that packet went from the lower to the higher endpoint. */
  isFromLow = false;

  readonly #limit: number;
  readonly #onLetGo: ((life: number) => void) | undefined;
  /** A hash table with open addressing: in each slot a life's number plus 1, or 0. */
  #slots = new Int32Array(1024);
  #mask = 1023;
  #used = 0;
  #hash = 0;

  /** @param limit how many lives are kept at most, at least 2 */
  constructor(limit = Number.POSITIVE_INFINITY, onLetGo?: (life: number) => void) {
    this.#limit = Math.max(2, limit);
    this.#onLetGo = onLetGo;
  }

  /** @returns the life the frame belongs to; -1 when it is no TCP segment or UDP datagram */
  track(frame: Frame): number {
    const { kind } = frame;
    this.found = 0;
    if (kind === 'tcp') return this.#trackTcp(frame);
    if (kind !== 'udp' || !frame.isCounted) return -1;
    const slot = this.#find(frame);
    const known = this.#slots[slot]! - 1;
    const life = known < 0 ? this.#start(frame, slot) : known;
    count(this.lives, life, this.isFromLow, frame);
    return life;
  }

  #trackTcp(frame: Frame): number {
    const { flags, sequence } = frame;
    const slot = this.#find(frame);
    const { isFromLow, lives } = this;
    const handshake = flags & (SYN | ACK);
    const length = frame.isAnalysed ? frame.payloadLength : 0;
    let life = this.#slots[slot]! - 1;
    let known = 0;
    let completeness = completenessOf(flags, length);
    if (life < 0) {
      life = this.#start(frame, slot);
      if (handshake === SYN) completeness |= COMPLETE_SYN | (length > 0 ? COMPLETE_DATA : 0);
    } else if ((flags & SYN) !== 0) {
      const { words } = lives;
      const sender = lives.row(life) + (isFromLow ? FROM_LOW : FROM_HIGH);
      if (words[sender + IS_BASE_KNOWN] === 1) {
        const isSame = words[sender + BASE] === sequence;
        if (!isSame) known = REUSED_PORTS;
        if (handshake !== SYN) {
          words[sender + BASE] = sequence;
        } else if (isSame) {
          // A reset may have carried the peer's number as its own; a repeated SYN sets that right.
          words[sender + NEXT_SEQUENCE] = words[sender + HIGHEST_TO_BE_ACKED]!;
        } else {
          life = this.#start(frame, slot);
          completeness |= COMPLETE_SYN;
        }
      }
    }
    // The arrays may have grown with a new life.
    const { words } = lives;
    const row = lives.row(life);
    words[row + COMPLETENESS]! |= completeness;
    if (frame.isAnalysed) {
      learnBases(
        words,
        row + (isFromLow ? FROM_LOW : FROM_HIGH),
        row + (isFromLow ? FROM_HIGH : FROM_LOW),
        frame,
      );
      known = analyse(lives, life, isFromLow, frame, known);
    }
    if ((flags & (SYN | FIN | RST)) !== 0) followControl(lives, life, isFromLow, frame);
    if (handshake === ACK) followAck(lives, life, isFromLow, frame);
    // Where Wireshark cannot read the header to its end it comes neither to count nor to show what it found.
    if (!frame.isCounted) return life;
    this.found = known;
    words[row + FOUND]! |= known;
    for (let bits = known; bits !== 0; bits &= bits - 1)
      words[row + COUNTS + 31 - Math.clz32(bits & -bits)]!++;
    count(lives, life, isFromLow, frame);
    return life;
  }

  /** Finds the slot of the frame's endpoints, or the free one for them, and which of the two sent it. */
  #find(frame: Frame): number {
    const is6 = frame.ipVersion === 6;
    const { source0: s0, destination0: d0, sourcePort, destinationPort, protocol, ipVersion } = frame;
    const s1 = is6 ? frame.source1 : 0;
    const s2 = is6 ? frame.source2 : 0;
    const s3 = is6 ? frame.source3 : 0;
    const d1 = is6 ? frame.destination1 : 0;
    const d2 = is6 ? frame.destination2 : 0;
    const d3 = is6 ? frame.destination3 : 0;
    const isFromLow = (s0 - d0 || s1 - d1 || s2 - d2 || s3 - d3 || sourcePort - destinationPort) <= 0;
    this.isFromLow = isFromLow;
    const low0 = isFromLow ? s0 : d0;
    const low1 = isFromLow ? s1 : d1;
    const low2 = isFromLow ? s2 : d2;
    const low3 = isFromLow ? s3 : d3;
    const high0 = isFromLow ? d0 : s0;
    const high1 = isFromLow ? d1 : s1;
    const high2 = isFromLow ? d2 : s2;
    const high3 = isFromLow ? d3 : s3;
    const ports = isFromLow ? (sourcePort << 16) | destinationPort : (destinationPort << 16) | sourcePort;
    let hash = Math.imul(low0, KEYS[0]!) + Math.imul(high0, KEYS[1]!) + Math.imul(ports, KEYS[2]!);
    if (is6) {
      hash += Math.imul(low1, KEYS[3]!) + Math.imul(low2, KEYS[4]!) + Math.imul(low3, KEYS[5]!);
      hash += Math.imul(high1, KEYS[6]!) + Math.imul(high2, KEYS[7]!) + Math.imul(high3, KEYS[8]!);
    }
    hash = Math.imul(hash ^ (hash >>> 15) ^ protocol, 0x85ebca6b);
    hash ^= hash >>> 13;
    this.#hash = hash;
    const { words } = this.lives;
    for (let slot = hash & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const life = this.#slots[slot]! - 1;
      if (life < 0) return slot;
      const row = this.lives.row(life);
      if (
        words[row + HASH] === hash &&
        words[row + PORTS] === ports &&
        words[row + LOW_ADDRESS] === low0 &&
        words[row + HIGH_ADDRESS] === high0 &&
        words[row + PROTOCOL] === protocol &&
        words[row + VERSION] === ipVersion &&
        (!is6 ||
          (words[row + LOW_ADDRESS + 1] === low1 &&
            words[row + LOW_ADDRESS + 2] === low2 &&
            words[row + LOW_ADDRESS + 3] === low3 &&
            words[row + HIGH_ADDRESS + 1] === high1 &&
            words[row + HIGH_ADDRESS + 2] === high2 &&
            words[row + HIGH_ADDRESS + 3] === high3))
      )
        return slot;
    }
  }

  /** Begins a life in the slot that #find found. */
  #start(frame: Frame, slot: number): number {
    if (this.lives.count >= this.#limit) {
      this.#forget();
      slot = this.#find(frame);
    }
    const life = this.lives.add(frame, this.isFromLow, this.#hash);
    const isNew = this.#slots[slot] === 0;
    this.#slots[slot] = life + 1;
    if (isNew && ++this.#used * 2 > this.#mask) this.#rebuild(this.#slots.length * 2);
    return life;
  }

  /**
   * Makes room: three in four of the connections that have ended, the newest being left for late packets. Where that is
   * not enough a quarter of all, those silent for longest.
   */
  #forget(): void {
    const { lives, letGo } = this;
    const ranks = Float64Array.from({ length: lives.count }, (_, life) => rank(lives, life));
    const ended = ranks.filter((value) => value < 0).length;
    const leaving = ended * 16 >= lives.count ? Math.ceil(ended * 0.75) : Math.ceil(lives.count / 4);
    const threshold = ranks.toSorted()[leaving]!;
    lives.keep((life) => {
      if (ranks[life]! >= threshold) return true;
      const row = lives.row(life);
      const times = lives.timesRow(life);
      const packets = lives.words[row + FROM_LOW + PACKETS]! + lives.words[row + FROM_HIGH + PACKETS]!;
      if (packets === 0) return false;
      letGo.connections++;
      letGo.packets += packets;
      letGo.bytes +=
        lives.times[times + TIMES_FROM_LOW + BYTES]! + lives.times[times + TIMES_FROM_HIGH + BYTES]!;
      this.#onLetGo?.(life);
      return false;
    });
    this.#rebuild(this.#slots.length);
  }

  #rebuild(size: number): void {
    const { lives } = this;
    const slots = new Int32Array(size);
    const mask = size - 1;
    this.#used = 0;
    // The last life of a pair of endpoints is the one that goes on.
    for (let life = lives.count - 1; life >= 0; life--) {
      let slot = lives.words[lives.row(life) + HASH]! & mask;
      while (slots[slot] !== 0 && !isSamePair(lives, life, slots[slot]! - 1)) slot = (slot + 1) & mask;
      if (slots[slot] !== 0) continue;
      slots[slot] = life + 1;
      this.#used++;
    }
    this.#slots = slots;
    this.#mask = mask;
  }
}

/** The lower, the sooner it is let go of; below 0 for what has ended. */
function rank(lives: Lives, life: number): number {
  const last = lives.words[lives.row(life) + LAST_NUMBER]!;
  return lives.isEnded(life) ? last - 2 ** 40 : last;
}

function isSamePair(lives: Lives, a: number, b: number): boolean {
  const [left, right] = [lives.row(a), lives.row(b)];
  for (let place = PROTOCOL; place <= HASH; place++)
    if (lives.words[left + place] !== lives.words[right + place]) return false;
  return true;
}

function count(lives: Lives, life: number, isFromLow: boolean, frame: Frame): void {
  const { words, times } = lives;
  const row = lives.row(life);
  const timesRow = lives.timesRow(life);
  const sender = timesRow + (isFromLow ? TIMES_FROM_LOW : TIMES_FROM_HIGH);
  words[row + LAST_NUMBER] = frame.number;
  words[row + (isFromLow ? FROM_LOW : FROM_HIGH) + PACKETS]!++;
  times[timesRow + LAST_TIME] = frame.time;
  times[sender + BYTES]! += frame.originalLength;
  if (frame.payloadLength > 0) times[sender + PAYLOAD]! += frame.payloadLength;
}

/** The bits of Wireshark's tcp.completeness that a segment adds to its connection. */
function completenessOf(flags: number, length: number): number {
  let bits = 0;
  if ((flags & (SYN | ACK)) === (SYN | ACK)) bits |= COMPLETE_SYN_ACK;
  if ((flags & (SYN | ACK)) === ACK) bits |= length > 0 ? COMPLETE_DATA : COMPLETE_ACK;
  if ((flags & (FIN | ACK)) === (FIN | ACK)) bits |= COMPLETE_FIN;
  if ((flags & RST) !== 0) bits |= COMPLETE_RST;
  return bits;
}

/** Takes initial sequence numbers from a SYN, or infers them from the first segment seen (RFC 9293 section 3.4.1). */
function learnBases(words: Int32Array, sender: number, receiver: number, frame: Frame): void {
  const { flags, sequence } = frame;
  if (words[sender + IS_BASE_KNOWN] === 0) {
    words[sender + IS_BASE_KNOWN] = 1;
    words[sender + BASE] = (flags & SYN) === 0 ? sequence - 1 : sequence;
  }
  if (words[receiver + IS_BASE_KNOWN] === 0 && (flags & ACK) !== 0) {
    words[receiver + IS_BASE_KNOWN] = 1;
    words[receiver + BASE] = frame.acknowledgment - 1;
  }
}

function followControl(lives: Lives, life: number, isFromLow: boolean, frame: Frame): void {
  const { words } = lives;
  const { flags, number } = frame;
  const row = lives.row(life);
  const sender = row + (isFromLow ? FROM_LOW : FROM_HIGH);
  const receiver = row + (isFromLow ? FROM_HIGH : FROM_LOW);
  if ((flags & SYN) !== 0) {
    const isSynAck = (flags & ACK) !== 0;
    const marks = words[row + MARKS]!;
    if ((marks & MARK_CLIENT_KNOWN) === 0) {
      const client = isFromLow === isSynAck ? 0 : MARK_LOW_IS_CLIENT;
      words[row + MARKS] = (marks & ~MARK_LOW_IS_CLIENT) | MARK_CLIENT_KNOWN | client;
    }
    const place = row + (isSynAck ? SYN_ACK_NUMBER : SYN_NUMBER);
    if (words[place] === 0) words[place] = number;
    // A time of 0 is none: captures that were written by hand, and simple packets of pcapng, have no times.
    const hasTime = frame.seconds !== 0 || frame.nanoseconds !== 0;
    if (!isSynAck && hasTime) lives.times[lives.timesRow(life) + SYN_TIME] = frame.time;
    words[sender + IS_BEFORE_FIRST_ACK] = 1;
    // Scaling is used only if both SYNs offer it (RFC 7323 section 2.2).
    if (frame.windowScale >= 0) words[sender + WINDOW_SCALE] = frame.windowScale;
    if (words[sender + WINDOW_SCALE] === SCALE_UNKNOWN)
      words[sender + WINDOW_SCALE] = words[receiver + WINDOW_SCALE] = SCALE_UNUSED;
    else if (isSynAck && words[receiver + WINDOW_SCALE] === SCALE_UNUSED)
      words[sender + WINDOW_SCALE] = SCALE_UNUSED;
  }
  if ((flags & FIN) !== 0 && words[sender + FIN_NUMBER] === 0) {
    words[sender + FIN_NUMBER] = number;
    // A FIN that does not acknowledge the other side's crossed it on the way (RFC 9293, figure 13).
    if (
      words[receiver + FIN_NUMBER] !== 0 &&
      ((frame.acknowledgment - words[receiver + NEXT_SEQUENCE]!) | 0) < 0
    )
      words[row + MARKS]! |= MARK_CLOSE_CROSSED;
  }
  if ((flags & RST) !== 0 && words[row + RST_NUMBER] === 0) {
    words[row + RST_NUMBER] = number;
    if (isFromLow) words[row + MARKS]! |= MARK_RST_OF_LOW;
  }
}

function followAck(lives: Lives, life: number, isFromLow: boolean, frame: Frame): void {
  const { words, times } = lives;
  const row = lives.row(life);
  const timesRow = lives.timesRow(life);
  words[row + (isFromLow ? FROM_LOW : FROM_HIGH) + IS_BEFORE_FIRST_ACK] = 0;
  const synTime = times[timesRow + SYN_TIME]!;
  // 0 is as good as unknown to Wireshark.
  if (!times[timesRow + ROUND_TRIP]) times[timesRow + ROUND_TRIP] = frame.time - synTime;
  const isFromClient = isFromLow === ((words[row + MARKS]! & MARK_LOW_IS_CLIENT) !== 0);
  if (words[row + HANDSHAKE_ACK_NUMBER] === 0 && words[row + SYN_ACK_NUMBER] !== 0 && isFromClient)
    words[row + HANDSHAKE_ACK_NUMBER] = frame.number;
}
