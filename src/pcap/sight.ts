// One packet at one capture point, with what tells it from others: what stays the same on its way (TCP's numbers, the payload) and what may
// change (everything else). twins.ts and ranges.ts join sights.
import type { Packet } from './packet.ts';
import { tunnel } from './rewrites.ts';

export interface Sight {
  readonly capture: number;
  readonly packet: Packet;
  /** A number for who sends to whom, with ports. */
  readonly flow: number;
  /** A number for what a router or switch changes: sights with equal hops in one capture passed the same wire the same way. */
  readonly hop: number;
  /** A number for capture, hop and flow: where copies of one packet are in order. */
  readonly place: number;
  /** The twin in the making that it is part of. */
  row?: Row;
}

/** What one capture point saw of a packet: one sight, or several after segmentation. */
export type Place = readonly Sight[];

/** What is known so far of one packet. */
export type Row = readonly Place[];

/** Numbers for things made of three parts, the same for the same: quicker to group by and to compare than texts. */
class Numbering {
  readonly #numbers = new Map<unknown, Map<unknown, Map<unknown, number>>>();
  #count = 0;

  of(first: unknown, second: unknown, third: unknown): number {
    let seconds = this.#numbers.get(first);
    if (seconds === undefined) this.#numbers.set(first, (seconds = new Map()));
    let thirds = seconds.get(second);
    if (thirds === undefined) seconds.set(second, (thirds = new Map()));
    let number = thirds.get(third);
    if (number === undefined) thirds.set(third, (number = this.#count++));
    return number;
  }
}

/** Makes sights, whose numbers agree with one another. */
export class Sights {
  readonly #flows = new Numbering();
  readonly #hops = new Numbering();
  readonly #places = new Numbering();

  of(capture: number, packet: Packet): Sight {
    const { ethernet, ip, outer } = packet;
    const isPlain = ethernet?.vlans.length === 0 && outer.length === 0;
    const way = isPlain ? ip?.ttl : `${ethernet?.vlans.join(' ')} ${tunnel(outer)} ${ip?.ttl}`;
    const hop = this.#hops.of(ethernet?.source, ethernet?.destination, way);
    const flow = this.#flows.of(ip?.source, ip?.destination, portsOf(packet));
    return { capture, packet, flow, hop, place: this.#places.of(capture, hop, flow), row: undefined };
  }
}

function portsOf({ tcp, udp }: Packet): number | undefined {
  const ports = tcp ?? udp;
  return ports && ports.sourcePort * 65_536 + ports.destinationPort;
}

/** The same for twins, and as a rule for no other packets. Nothing for packets that have none. */
export function twinKey({ tcp, udp, icmp }: Packet): string | undefined {
  if (tcp !== undefined) return tcpKey('tcp', tcp, tcp.sequence, tcp.acknowledgment);
  if (udp !== undefined) return `udp ${udp.payloadLength} ${hash(udp.payload)}`;
  return icmp && `icmp ${icmp.type} ${icmp.code} ${icmp.payload.length} ${hash(icmp.payload)}`;
}

export function tcpKey(
  kind: string,
  tcp: NonNullable<Packet['tcp']>,
  sequence: number,
  acknowledgment: number,
): string {
  const { fin, syn, rst, psh, ack, urg } = tcp.flags;
  const flags =
    Number(fin) | (Number(syn) << 1) | (Number(rst) << 2) | (Number(psh) << 3) | (Number(ack) << 4);
  const { value, echo } = tcp.timestamps ?? {};
  return [kind, sequence, acknowledgment, flags, Number(urg), tcp.payloadLength, value, echo].join(' ');
}

/** Equal for packets with equal keys, and quicker to make. */
export function keyHash({ tcp, udp, icmp }: Packet): number {
  if (tcp === undefined) return hash((udp ?? icmp)!.payload) | 0;
  const { sequence, acknowledgment, payloadLength, timestamps } = tcp;
  let value = Math.imul(sequence, 0x9e3779b1) ^ Math.imul(acknowledgment, 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 15), 0xc2b2ae35) ^ payloadLength;
  return timestamps === undefined ? value : value ^ Math.imul(timestamps.value, 0x27d4eb2f);
}

/** Whether two packets have the same key. */
export function hasSameKey(a: Packet, b: Packet): boolean {
  const [left, right] = [a.tcp, b.tcp];
  if (left === undefined || right === undefined) return twinKey(a) === twinKey(b);
  return (
    left.sequence === right.sequence &&
    left.acknowledgment === right.acknowledgment &&
    left.payloadLength === right.payloadLength &&
    left.flags.fin === right.flags.fin &&
    left.flags.syn === right.flags.syn &&
    left.flags.rst === right.flags.rst &&
    left.flags.psh === right.flags.psh &&
    left.flags.ack === right.flags.ack &&
    left.flags.urg === right.flags.urg &&
    left.timestamps?.value === right.timestamps?.value &&
    left.timestamps?.echo === right.timestamps?.echo
  );
}

/** FNV-1a over the first bytes: enough to tell datagrams apart, and captures may be cut at different lengths behind. */
function hash(bytes: Uint8Array): number {
  let value = 0x811c9dc5;
  const length = Math.min(bytes.length, 40);
  for (let index = 0; index < length; index++) value = Math.imul(value ^ bytes[index]!, 0x01000193);
  return value >>> 0;
}

/** On one wire the same way two packets of different flows are different packets. Payloads must agree as far as captured. */
export function canBeSame(a: Sight, b: Sight): boolean {
  if (a.capture === b.capture && a.hop === b.hop) return false;
  return isSamePayload(a.packet, b.packet);
}

/** Whether packets of the same key can be one packet, seen twice. */
export function canBeTwins(
  a: { readonly capture: number; readonly packet: Packet },
  b: { readonly capture: number; readonly packet: Packet },
): boolean {
  const sights = new Sights();
  return canBeSame(sights.of(a.capture, a.packet), sights.of(b.capture, b.packet));
}

function isSamePayload(a: Packet, b: Packet): boolean {
  const left = (a.tcp ?? a.udp)?.payload;
  const right = (b.tcp ?? b.udp)?.payload;
  if (left === undefined || right === undefined) return true;
  const length = Math.min(left.length, right.length);
  return length === 0 || Buffer.compare(left.subarray(0, length), right.subarray(0, length)) === 0;
}

export function compareTimes({ packet: a }: Sight, { packet: b }: Sight): number {
  return compareBigints(a.time, b.time);
}

export function compareBigints(a: bigint, b: bigint): number {
  return a < b ? -1 : Number(a > b);
}

/** Of TCP segments' first bytes, by serial number arithmetic (RFC 1982). */
export function compareSequences(a: Sight, b: Sight): number {
  return (startOf(a) - startOf(b)) | 0;
}

export function startOf({ packet }: Sight): number {
  return packet.tcp!.sequence;
}

export function endOf({ packet }: Sight): number {
  return (packet.tcp!.sequence + packet.tcp!.payloadLength) >>> 0;
}
