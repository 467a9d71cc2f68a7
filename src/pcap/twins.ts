// The same packet at several capture points: before and after a router, a balancer, a tunnel; and what each of them
// rewrote. Knows what stays the same on the way (TCP's numbers, the payload) and what may change (everything else).
// Requests that a proxy passes on are other packets of another connection: requests.ts joins those.
import type { Capture } from './capture.ts';
import type { Ip, Packet } from './packet.ts';

/** What a capture point saw of a packet. */
export interface Sighting {
  /** Index of the capture. */
  readonly capture: number;
  /** The first of `packets`. */
  readonly packet: number;
  /** More than one where segmentation offload split here what is one packet elsewhere, or merged it there. */
  readonly packets: readonly number[];
  /** Of the first packet, nanoseconds since the epoch. */
  readonly time: bigint;
}

export type RewrittenField =
  | 'source-mac'
  | 'destination-mac'
  | 'vlan'
  | 'encapsulation-added'
  | 'encapsulation-removed'
  | 'encapsulation-changed'
  | 'source-address'
  | 'destination-address'
  | 'ttl'
  | 'source-port'
  | 'destination-port'
  | 'sequence'
  | 'acknowledgment'
  | 'segmentation';

export interface Rewrite {
  readonly field: RewrittenField;
  readonly from: string | number;
  readonly to: string | number;
}

/** From one sighting to the next. */
export interface Step {
  readonly rewrites: readonly Rewrite[];
  readonly nanoseconds: number;
}

export interface Twin {
  /** In order of time; one only where the packet was seen nowhere else. */
  readonly sightings: readonly Sighting[];
  /** One less than sightings. */
  readonly steps: readonly Step[];
}

/**
 * Joins the TCP, UDP and ICMP packets of captures taken at the same time at several points, or at one point that a packet
 * passes twice. Every such packet is in exactly one twin. Packets sent again are other packets: the nth copy here
 * belongs to the nth copy there.
 * @returns in order of their first sightings
 */
export function joinTwins(captures: readonly Pick<Capture, 'packets'>[]): Twin[] {
  const sights = captures.flatMap(({ packets }, capture) =>
    packets.filter(({ tcp, udp, icmp }) => tcp ?? udp ?? icmp).map((packet) => toSight(capture, packet)),
  );
  const rows = new Rows();
  joinByKey(sights, exactKey, rows);
  joinByRange(sights, rows);
  joinByKey(rows.loose(sights), relativeKeys(captures), rows);
  for (const sight of rows.loose(sights)) rows.add([[sight]]);
  return rows
    .all()
    .map(toTwin)
    .sort((a, b) => compareSightings(a.sightings[0]!, b.sightings[0]!));
}

/** One packet at one capture point. */
interface Sight {
  readonly capture: number;
  readonly packet: Packet;
  /** Who sends to whom, with ports. */
  readonly flow: string;
  /** What a router or switch changes: sights with equal hops in one capture passed the same wire the same way. */
  readonly hop: string;
  /** Capture, hop and flow: where copies of one packet are in order. */
  readonly place: string;
}

/** What one capture point saw of a packet: one sight, or several after segmentation. */
type Place = readonly Sight[];

/** Twins in the making. */
class Rows {
  readonly #rows = new Set<readonly Place[]>();
  readonly #rowOf = new Map<Sight, readonly Place[]>();

  /** Joins these places, and those they were joined with before. */
  add(places: readonly Place[]): void {
    const sights = new Set(places.flat());
    const known = new Set<readonly Place[]>();
    for (const sight of sights) {
      const row = this.#rowOf.get(sight);
      if (row !== undefined) known.add(row);
    }
    let row = places;
    if (known.size > 0) {
      for (const other of known) {
        this.#rows.delete(other);
        for (const sight of other.flat()) sights.add(sight);
      }
      row = [...groupBy(sights, ({ place }) => place).values()].map((place) => place.sort(compareSequences));
    }
    this.#rows.add(row);
    for (const sight of sights) this.#rowOf.set(sight, row);
  }

  of(sight: Sight): readonly Place[] | undefined {
    return this.#rowOf.get(sight);
  }

  loose(sights: readonly Sight[]): Sight[] {
    return sights.filter((sight) => !this.#rowOf.has(sight));
  }

  all(): (readonly Place[])[] {
    return [...this.#rows];
  }
}

function groupBy<Key, Value>(values: Iterable<Value>, keyOf: (value: Value) => Key): Map<Key, Value[]> {
  const groups = new Map<Key, Value[]>();
  for (const value of values) {
    const key = keyOf(value);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [value]);
    else group.push(value);
  }
  return groups;
}

function toSight(capture: number, packet: Packet): Sight {
  const { ethernet, ip, outer } = packet;
  const link = ethernet && [ethernet.source, ethernet.destination, ...ethernet.vlans].join(' ');
  const hop = `${link} ${tunnel(outer)} ${ip?.ttl}`;
  const flow = flowOf(packet, false);
  return { capture, packet, flow, hop, place: `${capture} ${hop} ${flow}` };
}

function flowOf({ ip, tcp, udp }: Packet, isReversed: boolean): string {
  const ports = tcp ?? udp;
  const source = `${ip?.source} ${ports?.sourcePort}`;
  const destination = `${ip?.destination} ${ports?.destinationPort}`;
  return isReversed ? `${destination} ${source}` : `${source} ${destination}`;
}

function tunnel(outer: readonly Ip[]): string {
  return outer
    .map(({ source, destination, protocol }) => `${source} > ${destination} (${protocol})`)
    .join(', ');
}

// What stays the same whatever is rewritten around it. Two connections agree in both TCP numbers by chance only.

function exactKey({ packet }: Sight): string | undefined {
  return twinKey(packet);
}

/** The same for twins, and as a rule for no other packets. Nothing for packets that have none. */
export function twinKey({ tcp, udp, icmp }: Packet): string | undefined {
  if (tcp !== undefined) return tcpKey('tcp', tcp, tcp.sequence, tcp.acknowledgment);
  if (udp !== undefined) return `udp ${udp.payloadLength} ${hash(udp.payload)}`;
  return icmp && `icmp ${icmp.type} ${icmp.code} ${icmp.payload.length} ${hash(icmp.payload)}`;
}

function tcpKey(
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

/**
 * For middleboxes that rewrite sequence numbers: numbers relative to the SYNs', and something else that tells packets
 * apart, which is the timestamps option (RFC 7323), or else the IP identification of an unchanged flow.
 */
function relativeKeys(captures: readonly Pick<Capture, 'packets'>[]): (sight: Sight) => string | undefined {
  const initials = captures.map(({ packets }) => {
    const last = new Map<string, number>();
    const ofPacket = new Map<Packet, readonly [own: number | undefined, peer: number | undefined]>();
    for (const packet of packets) {
      if (packet.tcp === undefined) continue;
      const flow = flowOf(packet, false);
      if (packet.tcp.flags.syn) last.set(flow, packet.tcp.sequence);
      ofPacket.set(packet, [last.get(flow), last.get(flowOf(packet, true))]);
    }
    return ofPacket;
  });
  return ({ capture, packet, flow }) => {
    const { tcp, ip } = packet;
    const [own, peer] = initials[capture]!.get(packet) ?? [];
    if (tcp === undefined || own === undefined || (tcp.flags.ack && peer === undefined)) return undefined;
    if (tcp.timestamps === undefined && !ip?.identification) return undefined;
    const kind = tcp.timestamps === undefined ? `${flow} ${ip!.identification}` : 'relative';
    const acknowledgment = tcp.flags.ack ? (tcp.acknowledgment - peer!) >>> 0 : 0;
    return tcpKey(kind, tcp, (tcp.sequence - own) >>> 0, acknowledgment);
  };
}

/** FNV-1a over the first bytes: enough to tell datagrams apart, and captures may be cut at different lengths behind. */
function hash(bytes: Uint8Array): number {
  let value = 0x811c9dc5;
  const length = Math.min(bytes.length, 40);
  for (let index = 0; index < length; index++) value = Math.imul(value ^ bytes[index]!, 0x01000193);
  return value >>> 0;
}

function joinByKey(sights: readonly Sight[], keyOf: (sight: Sight) => string | undefined, rows: Rows): void {
  for (const [key, group] of groupBy(sights, keyOf)) {
    if (key === undefined || group.length === 1) continue;
    for (const chain of chains([...groupBy(group, ({ place }) => place).values()]))
      for (const row of align(chain)) if (row.length > 1) rows.add(row.map((sight) => [sight]));
  }
}

/** Copies of a packet that passed one wire, in order of time. */
type Series = readonly Sight[];

/**
 * Where very many connections have equal numbers (a port scan's), a packet is sought among the last so many before it,
 * besides among those of its own flow.
 */
const NEAREST = 32;

/** Which series are of the same packet: as a rule all, but two connections may have equal numbers. */
function chains(series: readonly Series[]): Series[][] {
  const result: Series[][] = [];
  const byFlow = new Map<string, Series[][]>();
  for (const candidate of [...series].sort((a, b) => compareTimes(a[0]!, b[0]!))) {
    const { flow, packet } = candidate[0]!;
    const ofFlow = byFlow.get(flow) ?? [];
    let best: Series[] | undefined;
    let bestLikeness = 0;
    for (const chain of [...ofFlow.slice(-NEAREST), ...result.slice(-NEAREST)]) {
      if (!chain.every((member) => canBeSame(member[0]!, candidate[0]!))) continue;
      const likeness = Math.max(...chain.map((member) => flowLikeness(member[0]!.packet, packet)));
      if (likeness > bestLikeness) {
        best = chain;
        bestLikeness = likeness;
      }
      if (bestLikeness === ALIKE) break;
    }
    if (best === undefined) {
      best = [];
      result.push(best);
    }
    best.push(candidate);
    if (!ofFlow.includes(best)) byFlow.set(flow, [...ofFlow, best]);
  }
  return result;
}

/** On one wire the same way two packets of different flows are different packets. Payloads must agree as far as captured. */
function canBeSame(a: Sight, b: Sight): boolean {
  if (a.capture === b.capture && a.hop === b.hop) return false;
  return isSamePayload(a.packet, b.packet);
}

/** Whether packets of the same key can be one packet, seen twice. */
export function canBeTwins(
  a: { readonly capture: number; readonly packet: Packet },
  b: { readonly capture: number; readonly packet: Packet },
): boolean {
  return canBeSame(toSight(a.capture, a.packet), toSight(b.capture, b.packet));
}

function isSamePayload(a: Packet, b: Packet): boolean {
  const left = (a.tcp ?? a.udp)?.payload ?? NO_BYTES;
  const right = (b.tcp ?? b.udp)?.payload ?? NO_BYTES;
  const length = Math.min(left.length, right.length);
  return Buffer.compare(left.subarray(0, length), right.subarray(0, length)) === 0;
}

const NO_BYTES = new Uint8Array(0);

/** All addresses and ports alike. */
const ALIKE = 11;

/** How much of addresses and ports is alike: NAT leaves one end alone, full NAT neither. 1 to ALIKE. */
function flowLikeness(a: Packet, b: Packet): number {
  const left = a.tcp ?? a.udp;
  const right = b.tcp ?? b.udp;
  const isSourceSame = a.ip?.source === b.ip?.source && left?.sourcePort === right?.sourcePort;
  const isDestinationSame =
    a.ip?.destination === b.ip?.destination && left?.destinationPort === right?.destinationPort;
  return (
    1 +
    (isSourceSame ? 4 : 0) +
    (isDestinationSame ? 4 : 0) +
    (left?.sourcePort === right?.sourcePort ? 1 : 0) +
    (left?.destinationPort === right?.destinationPort ? 1 : 0)
  );
}

/** Pairs the copies of a packet at its places: one row a copy. */
function align(chain: readonly Series[]): Sight[][] {
  const sorted = chain.map((series) => [...series].sort(compareTimes)).sort((a, b) => b.length - a.length);
  const [longest, ...others] = sorted;
  const rows = longest!.map((sight) => [sight]);
  for (const series of others)
    partners(longest!, series).forEach((row, index) => rows[row]!.push(series[index]!));
  return rows;
}

/**
 * For each of `series` the index of its copy in `longest`, in order. Where some copies were lost on the way the IP
 * identification says which are the same, if nobody rewrote it, or else the time.
 */
function partners(longest: Series, series: Series): number[] {
  if (series.length === longest.length) return series.map((_, index) => index);
  const byIdentification = new Map(longest.map(({ packet }, index) => [packet.ip?.identification, index]));
  if (byIdentification.size === longest.length) {
    const indexes = series.map(({ packet }) => byIdentification.get(packet.ip?.identification) ?? -1);
    if (!indexes.includes(-1) && new Set(indexes).size === indexes.length) return indexes;
  }
  const indexes: number[] = [];
  let from = 0;
  series.forEach(({ packet }, position) => {
    const to = longest.length - (series.length - position);
    const after = firstNotBefore(longest, packet.time, from, to);
    const before = Math.max(from, after - 1);
    const best =
      distance(longest[before]!.packet, packet) <= distance(longest[after]!.packet, packet) ? before : after;
    indexes.push(best);
    from = best + 1;
  });
  return indexes;
}

/** Between `from` and `to` the first that is not before `time`, or else `to`. */
function firstNotBefore(series: Series, time: bigint, from: number, to: number): number {
  while (from < to) {
    const middle = (from + to) >> 1;
    if (series[middle]!.packet.time < time) from = middle + 1;
    else to = middle;
  }
  return from;
}

function distance(a: Packet, b: Packet): number {
  return Math.abs(Number(a.time - b.time));
}

/**
 * Joins by ranges of bytes what segmentation offload sends as one packet here and as several there. Flows are the same
 * where other packets of theirs are twins already.
 */
function joinByRange(sights: readonly Sight[], rows: Rows): void {
  const data = sights.filter(({ packet: { tcp } }) => tcp !== undefined && tcp.payloadLength > 0);
  const loose = new Set(rows.loose(data).map(({ place }) => place));
  if (loose.size === 0) return;
  const byPlace = groupBy(data, ({ place }) => place);
  const pairs = new Map<string, readonly [Sight[], Sight[]]>();
  for (const row of rows.all())
    row.forEach((place, index) => {
      for (const other of row.slice(index + 1)) {
        const [a, b] = [place[0]!.place, other[0]!.place];
        if (!loose.has(a) && !loose.has(b)) continue;
        const [ofA, ofB] = [byPlace.get(a), byPlace.get(b)];
        if (ofA !== undefined && ofB !== undefined && !pairs.has(`${b} / ${a}`))
          pairs.set(`${a} / ${b}`, [ofA, ofB]);
      }
    });
  for (const [a, b] of pairs.values()) {
    for (let round = 0; round < MAXIMUM_COPIES; round++) {
      const found = commonRanges(run(a, b[0]!, rows), run(b, a[0]!, rows));
      if (found.length === 0) break;
      for (const places of found) rows.add(places);
    }
  }
}

/** So many times at most is a range sent again before its copies are left alone. */
const MAXIMUM_COPIES = 16;

/** The first copies of what has no twin at the other place, without overlaps, in order of sequence numbers. */
function run(sights: readonly Sight[], other: Sight, rows: Rows): Sight[] {
  const { place } = other;
  const alone = sights.filter((sight) => !rows.of(sight)?.some(([first]) => first!.place === place));
  const result: Sight[] = [];
  for (const sight of alone.sort((a, b) => compareSequences(a, b) || compareTimes(a, b))) {
    const last = result.at(-1);
    if (last === undefined || ((startOf(sight) - endOf(last)) | 0) >= 0) result.push(sight);
  }
  return result;
}

/** Walks both runs and cuts where a range ends in both; each is contiguous and holds the same bytes. */
function commonRanges(a: readonly Sight[], b: readonly Sight[]): Place[][] {
  const result: Place[][] = [];
  let [i, j] = [0, 0];
  while (i < a.length && j < b.length) {
    const [left, right]: [Sight[], Sight[]] = [[a[i]!], [b[j]!]];
    const order = (startOf(a[i]!) - startOf(b[j]!)) | 0;
    if (order !== 0) {
      if (order < 0) i++;
      else j++;
      continue;
    }
    let [nextA, nextB] = [i + 1, j + 1];
    let isBroken = false;
    for (;;) {
      const gap = (endOf(left.at(-1)!) - endOf(right.at(-1)!)) | 0;
      if (gap === 0) break;
      const [side, from, next] = gap < 0 ? [left, a, nextA] : [right, b, nextB];
      const sight = from[next];
      if (sight === undefined || startOf(sight) !== endOf(side.at(-1)!)) {
        isBroken = true;
        break;
      }
      side.push(sight);
      if (gap < 0) nextA++;
      else nextB++;
    }
    if (!isBroken && isSameContent(left, right)) result.push([left, right]);
    [i, j] = isBroken ? [i + 1, j + 1] : [nextA, nextB];
  }
  return result;
}

function startOf({ packet }: Sight): number {
  return packet.tcp!.sequence;
}

/** By serial number arithmetic (RFC 1982). */
function compareSequences(a: Sight, b: Sight): number {
  return a.packet.tcp === undefined ? 0 : (startOf(a) - startOf(b)) | 0;
}

function endOf({ packet }: Sight): number {
  return (packet.tcp!.sequence + packet.tcp!.payloadLength) >>> 0;
}

/** What was not captured whole is believed. */
function isSameContent(a: Place, b: Place): boolean {
  const payloads = [a, b].map((place) => place.map(({ packet }) => packet.tcp!));
  if (payloads.flat().some(({ payload, payloadLength }) => payload.length < payloadLength)) return true;
  const [left, right] = payloads.map((segments) => Buffer.concat(segments.map(({ payload }) => payload)));
  return left!.equals(right!);
}

function compareTimes(a: Sight, b: Sight): number {
  return Number(a.packet.time - b.packet.time) || a.packet.number - b.packet.number;
}

function compareSightings(a: Sighting, b: Sighting): number {
  return Number(a.time - b.time) || a.capture - b.capture || a.packet - b.packet;
}

function toTwin(places: readonly Place[]): Twin {
  // Of two sightings at the same time the one with the higher TTL was first.
  const sorted = [...places].sort(([a], [b]) => {
    const order = Number(a!.packet.time - b!.packet.time);
    return order || (b!.packet.ip?.ttl ?? 0) - (a!.packet.ip?.ttl ?? 0) || a!.capture - b!.capture;
  });
  return {
    sightings: sorted.map((place) => ({
      capture: place[0]!.capture,
      packet: place[0]!.packet.number,
      packets: place.map(({ packet }) => packet.number),
      time: place[0]!.packet.time,
    })),
    steps: sorted.slice(1).map((place, index) => ({
      rewrites: rewrites(sorted[index]!, place),
      nanoseconds: Number(place[0]!.packet.time - sorted[index]![0]!.packet.time),
    })),
  };
}

/** What was rewritten in a packet between two sightings. */
export function rewritesBetween(before: Packet, after: Packet): readonly Rewrite[] {
  return rewrites([toSight(0, before)], [toSight(0, after)]);
}

function rewrites(before: Place, after: Place): Rewrite[] {
  const result: Rewrite[] = [];
  const compare = (field: RewrittenField, from?: string | number, to?: string | number) => {
    if (from !== undefined && to !== undefined && from !== to) result.push({ field, from, to });
  };
  const [a, b] = [before[0]!.packet, after[0]!.packet];
  compare('source-mac', a.ethernet?.source, b.ethernet?.source);
  compare('destination-mac', a.ethernet?.destination, b.ethernet?.destination);
  compare('vlan', a.ethernet?.vlans.join(' '), b.ethernet?.vlans.join(' '));
  const grown = b.outer.length - a.outer.length;
  compare(
    grown > 0 ? 'encapsulation-added' : grown < 0 ? 'encapsulation-removed' : 'encapsulation-changed',
    tunnel(a.outer),
    tunnel(b.outer),
  );
  compare('source-address', a.ip?.source, b.ip?.source);
  compare('destination-address', a.ip?.destination, b.ip?.destination);
  compare('ttl', a.ip?.ttl, b.ip?.ttl);
  const [left, right] = [a.tcp ?? a.udp, b.tcp ?? b.udp];
  compare('source-port', left?.sourcePort, right?.sourcePort);
  compare('destination-port', left?.destinationPort, right?.destinationPort);
  compare('sequence', a.tcp?.sequence, b.tcp?.sequence);
  if (before.length === 1 && after.length === 1)
    compare('acknowledgment', a.tcp?.acknowledgment, b.tcp?.acknowledgment);
  compare('segmentation', before.length, after.length);
  return result;
}
