// Makes a ladder of captures: which machines, in which order, and each packet's way between them. Pure; drawing is left to text.ts and to the
// HTML report.
import { groupBy, packetNumbered, type Packet, type Rewrite, type Twin } from '../../pcap/index.ts';
import { rolesOf } from '../../verify/roles.ts';
import { addressesBeside } from '../../topology/beside.ts';
import type { Topology } from '../../topology/types.ts';
import { changesOf } from './changes.ts';
import { kindOf, labelOf, type Carried } from './labels.ts';
import { inOrder, railOrder } from './order.ts';
import { Stations, type Station } from './stations.ts';
import { Groups, type Traffic } from './traffic.ts';
import type { Conversation, Hop, Ladder, Leg, Machine, Rail, Row, Seen, Sight } from './types.ts';

export interface LadderOptions {
  readonly topology?: Topology;
  /** The conversations to show, of those of the traffic. */
  readonly shown: readonly Conversation[];
  /** Packets of no conversation too: ICMP, and what cannot be told. */
  readonly others?: boolean;
  /** Which rows, of the shown conversations' rows. */
  readonly filter?: (row: Pick<Row, 'seen' | 'kind'>) => boolean;
  /** Rows at most; the rest is counted. */
  readonly limit?: number;
}

export function buildLadder(traffic: Traffic, options: LadderOptions): Ladder {
  const { topology } = options;
  const stations = new Stations(traffic.points, topology);
  const rewritings = new Rewritings();
  const drafts = [
    ...options.shown.flatMap(({ number }) => draftsOf(traffic, number, stations, rewritings)),
    ...(options.others === true ? draftsOf(traffic, 0, stations, rewritings) : []),
  ]
    .filter((draft) => options.filter?.(draft) !== false)
    .sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
  const kept = options.limit === undefined ? drafts : drafts.slice(0, options.limit);
  const places = new Places(kept, traffic, options, stations);
  const rows = kept.map((draft) => toRow(draft, places));
  markPast(rows, places.machines);
  return {
    points: traffic.points,
    machines: places.machines,
    rails: places.rails,
    rows,
    shown: options.shown,
    total: traffic.total,
    changes: changesOf(rows),
    rowsLeft: drafts.length - kept.length,
    nameOfMac: (mac) => stations.nameOfMac(mac),
  };
}

interface DraftLeg {
  readonly from: Station;
  readonly to: Station;
  readonly points: number[];
}

/** A row whose stations have no place yet. */
interface Draft extends Omit<Row, 'legs' | 'hops' | 'past'> {
  readonly legs: readonly DraftLeg[];
  /** Between the legs. */
  readonly steps: readonly { readonly rewrites: readonly Rewrite[]; readonly nanoseconds: number }[];
}

/** Equal rewritings are one and the same array: there are few different ones, and a step of each packet. */
class Rewritings {
  readonly #known = new Map<string, readonly Rewrite[]>();

  one(rewrites: readonly Rewrite[]): readonly Rewrite[] {
    let key = '';
    for (const { field, from, to } of rewrites) key += `${field} ${from} ${to}\n`;
    const known = this.#known.get(key);
    if (known === undefined) this.#known.set(key, rewrites);
    return known ?? rewrites;
  }
}

function draftsOf(traffic: Traffic, number: number, stations: Stations, rewritings: Rewritings): Draft[] {
  const carried = carriedBy(traffic, number);
  const anew = new Set(traffic.conversations[number - 1]?.requests.map(({ inside }) => inside.firstTime));
  const sent = new Set<string>();
  return (traffic.twins.get(number) ?? []).map((twin) => {
    const seen = twin.sightings.map(({ capture, packets }): Seen => {
      const all = traffic.points[capture]!.capture.packets;
      return { point: capture, packets, packet: packetNumbered(all, packets[0]!)! };
    });
    const { packet, point } = seen[0]!;
    const connection = traffic.connectionOf(point, packet.number);
    const its = seen
      .map((sighting) => carried.get(sighting.point)?.get(sighting.packets[0]!))
      .find((each) => each !== undefined);
    const key = sentKey(packet);
    const isAgain = key !== undefined && sent.has(key);
    if (key !== undefined) sent.add(key);
    const ports = packet.tcp ?? packet.udp;
    return {
      time: twin.sightings[0]!.time,
      connection: number,
      kind: kindOf(packet, its),
      label: labelOf(packet, its, isAgain),
      isToServer:
        connection === undefined ||
        (connection.client.address === packet.ip?.source && connection.client.port === ports?.sourcePort),
      isAgain,
      isAnew: its?.isFirst === true && anew.has(its.message.firstTime),
      seen,
      ...legsOf(twin, seen, stations, rewritings),
    };
  });
}

/** What is sent once unless it is lost: bytes, SYN and FIN. */
function sentKey({ ip, tcp }: Packet): string | undefined {
  if (tcp === undefined || (tcp.payloadLength === 0 && !tcp.flags.syn && !tcp.flags.fin)) return undefined;
  const { sourcePort, destinationPort, sequence, payloadLength, flags } = tcp;
  return [
    ip?.source,
    sourcePort,
    ip?.destination,
    destinationPort,
    sequence,
    payloadLength,
    flags.syn,
    flags.fin,
  ].join(' ');
}

function carriedBy({ conversations }: Traffic, number: number): Map<number, Map<number, Carried>> {
  const found = new Map<number, Map<number, Carried>>();
  for (const { point, connection } of conversations[number - 1]?.connections ?? []) {
    const of = found.get(point) ?? new Map<number, Carried>();
    found.set(point, of);
    for (const message of connection.http.flatMap(({ request, response }) => [request, response]))
      message?.packets.forEach((packet, index) => {
        if (!of.has(packet)) of.set(packet, { message, isFirst: index === 0 });
      });
  }
  return found;
}

/** Sightings on one wire are one leg; each rewriting begins another. */
function legsOf(
  twin: Twin,
  seen: readonly Seen[],
  stations: Stations,
  rewritings: Rewritings,
): Pick<Draft, 'legs' | 'steps'> {
  const legs: DraftLeg[] = [];
  const steps: { rewrites: readonly Rewrite[]; nanoseconds: number }[] = [];
  seen.forEach(({ point, packet }, index) => {
    const [from, to] = stations.ends(packet);
    const last = legs.at(-1);
    const step = twin.steps[index - 1];
    const isSameWire =
      last !== undefined &&
      last.from === from &&
      last.to === to &&
      step!.rewrites.every(({ field }) => field === 'segmentation');
    if (isSameWire) {
      last.points.push(point);
      return;
    }
    if (step !== undefined)
      steps.push({ rewrites: rewritings.one(step.rewrites), nanoseconds: step.nanoseconds });
    legs.push({ from, to, points: [point] });
  });
  return { legs, steps };
}

/** Which machine each station is of, and where on the ladder its rails are. */
class Places {
  readonly machines: Machine[] = [];
  readonly rails: Rail[] = [];
  readonly #machineOf = new Map<Station, number>();
  /** The rails of each station: one, or two where packets turn round at it. */
  readonly #railsOf = new Map<Station, number[]>();
  readonly #points: ReadonlyMap<Station, number>;
  readonly #placed: ReadonlySet<number>;

  constructor(
    drafts: readonly Draft[],
    { points }: Traffic,
    { topology, shown }: LadderOptions,
    stations: Stations,
  ) {
    this.#points = new Map(
      points.flatMap((point, index) => {
        const station = stations.at(point);
        return station === undefined ? [] : [[station, index] as const];
      }),
    );
    this.#placed = new Set(this.#points.values());
    const roles = topology === undefined ? undefined : rolesOf(topology);
    const groups = machinesOf(drafts, shown);
    const turning = new Set(
      drafts.flatMap(({ legs }) =>
        legs.slice(1).flatMap(({ from }, index) => (from === legs[index]!.to ? [from] : [])),
      ),
    );
    const ordered = topology === undefined ? groups : inOrder(groups, topology, roles!);
    for (const group of ordered) {
      const machine = this.machines.length;
      const its = roles === undefined ? group : railOrder(group, topology!, roles);
      const rails: number[] = [];
      for (const station of its) {
        this.#machineOf.set(station, machine);
        const point = this.#points.get(station);
        const rail: Rail = {
          machine,
          title: station.interface ?? '',
          addresses: station.addresses,
          ...(point !== undefined && { point }),
        };
        const own = Array.from({ length: turning.has(station) ? 2 : 1 }, () => this.rails.push(rail) - 1);
        this.#railsOf.set(station, own);
        rails.push(...own);
      }
      const { node } = group[0]!;
      this.machines.push({
        name: node ?? '',
        also:
          node === undefined
            ? []
            : addressesBeside(topology!, node).map(({ kind, address }) => `${kind} ${address}`),
        rails,
        isBalancer:
          node === undefined ? group.length > 1 || rails.length > 1 : roles?.balancer?.name === node,
      });
    }
  }

  /** The rail of a station that faces another one. */
  rail(station: Station, other: Station): number {
    const own = this.#railsOf.get(station)!;
    return this.#machineOf.get(other)! < this.#machineOf.get(station)! ? own[0]! : own.at(-1)!;
  }

  machine(station: Station): number {
    return this.#machineOf.get(station)!;
  }

  /** What is known of a packet at an end of its leg. */
  sight(station: Station, seenAt: readonly number[], isUnplaced: boolean): Sight {
    // Where nobody knows at which end of a wire a capture was made, it stands for both.
    if (isUnplaced) return 'seen';
    const point = this.#points.get(station);
    if (point === undefined) return 'not-captured';
    return seenAt.includes(point) ? 'seen' : 'missing';
  }

  isPlaced(point: number): boolean {
    return this.#placed.has(point);
  }
}

/** Stations of one machine together, in order of appearance: clients first. */
function machinesOf(drafts: readonly Draft[], shown: readonly Conversation[]): Station[][] {
  const indexes = new Map<Station, number>();
  const clients: Station[] = [];
  const begun = new Set<number>();
  for (const { legs, connection } of drafts) {
    if (connection !== 0 && !begun.has(connection)) {
      begun.add(connection);
      clients.push(legs[0]!.from);
    }
    for (const { from, to } of legs)
      for (const station of [from, to]) if (!indexes.has(station)) indexes.set(station, indexes.size);
  }
  const stations = [...indexes.keys()];
  const groups = new Groups(stations.length);
  const join = (a: Station | undefined, b: Station | undefined) => {
    if (a !== undefined && b !== undefined) groups.join(indexes.get(a)!, indexes.get(b)!);
  };
  // Whoever forwards a packet got it and sent it.
  for (const { legs, steps } of drafts)
    legs.slice(1).forEach(({ from }, index) => {
      const ttl = steps[index]!.rewrites.find(({ field }) => field === 'ttl');
      if (ttl === undefined || Number(ttl.from) - Number(ttl.to) === 1) join(legs[index]!.to, from);
    });
  // Whoever passes a request on was asked.
  const requests = new Map(
    drafts
      .filter(({ kind }) => kind === 'request')
      .flatMap((draft) => draft.seen.map(({ packet }) => [packet.time, draft] as const)),
  );
  for (const { outside, inside } of shown.flatMap((conversation) => conversation.requests))
    join(requests.get(outside.firstTime)?.legs.at(-1)!.to, requests.get(inside.firstTime)?.legs[0]!.from);
  for (const same of groupBy(
    stations.filter(({ node }) => node !== undefined),
    ({ node }) => node!,
  ).values())
    for (const station of same) join(same[0], station);
  const isFirst = new Set(clients);
  const ordered = [...new Set(clients), ...stations.filter((station) => !isFirst.has(station))];
  return [...groupBy(ordered, (station) => groups.rootOf(indexes.get(station)!)).values()];
}

function toRow(draft: Draft, places: Places): Row {
  const { legs, steps } = draft;
  const made = legs.map(({ from, to, points }): Leg => {
    const isUnplaced = points.some((point) => !places.isPlaced(point));
    return {
      from: places.rail(from, to),
      to: places.rail(to, from),
      atFrom: places.sight(from, points, isUnplaced),
      atTo: places.sight(to, points, isUnplaced),
    };
  });
  const hops = steps.map((step, index): Hop => ({
    machine: places.machine(legs[index]!.to),
    rewrites: step.rewrites,
    nanoseconds: step.nanoseconds,
  }));
  const { time, connection, kind, label, isToServer, isAgain, isAnew, seen } = draft;
  return { time, connection, kind, label, isToServer, isAgain, isAnew, seen, legs: made, hops, past: [] };
}

/** Packets that go from one side of a balancer to the other and touch none of its rails. */
function markPast(rows: Row[], machines: readonly Machine[]): void {
  machines.forEach(({ rails, isBalancer }, machine) => {
    if (!isBalancer) return;
    const [first, last] = [rails[0]!, rails.at(-1)!];
    rows.forEach((row, index) => {
      const isPast = row.legs.some(({ from, to }) => Math.min(from, to) < first && Math.max(from, to) > last);
      if (isPast) rows[index] = { ...row, past: [...row.past, machine] };
    });
  });
}

/** The machines that each conversation's packets come to, by their nodes' names and their addresses. */
export function machinesOn(traffic: Traffic, topology?: Topology): ReadonlyMap<number, ReadonlySet<string>> {
  const stations = new Stations(traffic.points, topology);
  return new Map(
    [...traffic.twins].map(([number, twins]) => {
      const on = new Set<Station>();
      for (const { sightings } of twins)
        for (const { capture, packet } of sightings) {
          const all = traffic.points[capture]!.capture.packets;
          for (const station of stations.ends(packetNumbered(all, packet)!)) on.add(station);
        }
      const names = [...on].flatMap(({ node, addresses }) =>
        node === undefined ? addresses : [node, ...addresses],
      );
      return [number, new Set(names)] as const;
    }),
  );
}
