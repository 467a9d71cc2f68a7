// The same packet at several capture points: before and after a router, a balancer, a tunnel; and what each of them
// rewrote. Knows what stays the same on the way (TCP's numbers, the payload) and what may change (everything else).
// Requests that a proxy passes on are other packets of another connection: requests.ts joins those.
import type { Capture } from './capture.ts';
import type { Packet } from './packet.ts';
import { groupBy } from './groups.ts';
import { joinByRange } from './ranges.ts';
import { rewritesBetween, type Rewrite } from './rewrites.ts';
import { isLoose, Rows } from './rows.ts';
import {
  canBeSame,
  compareBigints,
  compareTimes,
  hasSameKey,
  keyHash,
  Sights,
  tcpKey,
  twinKey,
  type Row,
  type Sight,
} from './sight.ts';

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
  const maker = new Sights();
  const sights = captures.flatMap(({ packets }, capture) =>
    packets.filter(({ tcp, udp, icmp }) => tcp ?? udp ?? icmp).map((packet) => maker.of(capture, packet)),
  );
  const rows = new Rows();
  for (const group of groupsByKey(sights)) joinGroup(group, rows);
  joinByRange(sights, rows);
  const loose = sights.filter(isLoose);
  const keyOf = relativeKeys(captures);
  for (const [key, group] of groupBy(loose, keyOf)) if (key !== undefined) joinGroup(group, rows);
  for (const sight of loose) if (isLoose(sight)) rows.add([[sight]]);
  return rows
    .all()
    .map(toTwin)
    .sort((a, b) => compareSightings(a.sightings[0]!, b.sightings[0]!));
}

/** By what stays the same whatever is rewritten around it. Two connections agree in both TCP numbers by chance only. */
function* groupsByKey(sights: readonly Sight[]): Iterable<Sight[]> {
  for (const group of groupBy(sights, ({ packet }) => keyHash(packet)).values()) {
    const [first] = group;
    if (group.every(({ packet }) => hasSameKey(first!.packet, packet))) yield group;
    else yield* groupBy(group, ({ packet }) => twinKey(packet)).values();
  }
}

/**
 * For middleboxes that rewrite sequence numbers: numbers relative to the SYNs', and something else that tells packets
 * apart, which is the timestamps option (RFC 7323), or else the IP identification of an unchanged flow.
 */
function relativeKeys(captures: readonly Pick<Capture, 'packets'>[]): (sight: Sight) => string | undefined {
  const known = new Map<number, Initials>();
  return ({ capture, packet, flow }) => {
    let initials = known.get(capture);
    if (initials === undefined) known.set(capture, (initials = initialsOf(captures[capture]!)));
    const { tcp, ip } = packet;
    const [own, peer] = initials.get(packet) ?? [];
    if (tcp === undefined || own === undefined || (tcp.flags.ack && peer === undefined)) return undefined;
    if (tcp.timestamps === undefined && !ip?.identification) return undefined;
    const kind = tcp.timestamps === undefined ? `${flow} ${ip!.identification}` : 'relative';
    const acknowledgment = tcp.flags.ack ? (tcp.acknowledgment - peer!) >>> 0 : 0;
    return tcpKey(kind, tcp, (tcp.sequence - own) >>> 0, acknowledgment);
  };
}

/** Of both directions, as far as SYNs before the packet told them. */
type Initials = ReadonlyMap<Packet, readonly [own: number | undefined, peer: number | undefined]>;

function initialsOf({ packets }: Pick<Capture, 'packets'>): Initials {
  const last = new Map<string, number>();
  const ofPacket = new Map<Packet, readonly [own: number | undefined, peer: number | undefined]>();
  for (const packet of packets) {
    if (packet.tcp === undefined) continue;
    const flow = flowOf(packet, false);
    if (packet.tcp.flags.syn) last.set(flow, packet.tcp.sequence);
    ofPacket.set(packet, [last.get(flow), last.get(flowOf(packet, true))]);
  }
  return ofPacket;
}

function flowOf({ ip, tcp }: Packet, isReversed: boolean): string {
  const source = `${ip?.source} ${tcp?.sourcePort}`;
  const destination = `${ip?.destination} ${tcp?.destinationPort}`;
  return isReversed ? `${destination} ${source}` : `${source} ${destination}`;
}

/** Copies of a packet that passed one wire, in order of time. */
type Series = readonly Sight[];

/** Joins sights that have the same key. */
function joinGroup(group: readonly Sight[], rows: Rows): void {
  if (group.length === 1) return;
  if (isOnePacket(group)) {
    rows.add(group.map((sight) => [sight]));
    return;
  }
  for (const chain of chains([...groupBy(group, ({ place }) => place).values()]))
    for (const row of align(chain)) if (row.length > 1) rows.add(row.map((sight) => [sight]));
}

/** Nearly always: seen once at each place, and nothing against its being the same. */
function isOnePacket(group: readonly Sight[]): boolean {
  if (group.length > 8) return false;
  for (let index = 1; index < group.length; index++)
    for (let other = 0; other < index; other++) if (!canBeSame(group[index]!, group[other]!)) return false;
  return true;
}

/**
 * Where very many connections have equal numbers (a port scan's), a packet is sought among the last so many before it,
 * besides among those of its own flow.
 */
const NEAREST = 32;

/** Which series are of the same packet: as a rule all, but two connections may have equal numbers. */
function chains(series: readonly Series[]): Series[][] {
  const result: Series[][] = [];
  const byFlow = new Map<number, Series[][]>();
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
 * For each of `series` the index of its copy in `longest`. Where some copies were lost on the way, or overtook others, the IP
 * identification says which are the same, if nobody rewrote it, or else the time.
 */
function partners(longest: Series, series: Series): number[] {
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

function compareSightings(a: Sighting, b: Sighting): number {
  return compareBigints(a.time, b.time) || a.capture - b.capture || a.packet - b.packet;
}

function toTwin(row: Row): Twin {
  // Of two sightings at the same time the one with the higher TTL was first.
  const places = [...row].sort(([a], [b]) => {
    const order = compareBigints(a!.packet.time, b!.packet.time);
    return order || b!.packet.ip!.ttl - a!.packet.ip!.ttl || a!.capture - b!.capture;
  });
  const packets = places.map((place) => place.map(({ packet }) => packet));
  return {
    sightings: packets.map((its, index) => ({
      capture: places[index]![0]!.capture,
      packet: its[0]!.number,
      packets: its.map(({ number }) => number),
      time: its[0]!.time,
    })),
    steps: packets.slice(1).map((its, index) => ({
      rewrites: rewritesBetween(packets[index]!, its),
      nanoseconds: Number(its[0]!.time - packets[index]![0]!.time),
    })),
  };
}
