// What captures have together: packets joined across capture points, and conversations: a client's connection with its other sightings and
// with the connections that a proxy opened for it. Pure, and the costly part of a ladder: done once, however many ladders are drawn.
import {
  connections,
  groupBy,
  joinRequests,
  joinTwins,
  type Capture,
  type Connection,
  type Packet,
  type Twin,
} from '../../pcap/index.ts';
import type { Topology } from '../../topology/types.ts';
import { endpoint } from '../../verify/words.ts';
import { passedOn } from './proxied.ts';
import type { Conversation, Point } from './types.ts';

export interface Traffic {
  readonly points: readonly Point[];
  /** In order of time. */
  readonly conversations: readonly Conversation[];
  /** Conversations in the captures; where not all of them were joined, connections at the point that has most. */
  readonly total: number;
  /** All connections at the capture point that has most, in the order of their first packets. */
  readonly most: readonly Connection[];
  /** The packets of each conversation, in order of time; at 0 those that belong to none. */
  readonly twins: ReadonlyMap<number, readonly Twin[]>;
  /** The connection of a packet; nothing where it belongs to none. */
  readonly connectionOf: (point: number, packet: number) => Connection | undefined;
}

export interface TrafficOptions {
  readonly topology?: Topology;
  /** Only so many conversations are asked for: the rest of long captures is not joined. */
  readonly first?: number;
}

export function readTraffic(points: readonly Point[], { first, topology }: TrafficOptions = {}): Traffic {
  const every = points.map(({ capture }) => connections(capture));
  const most = every.reduce<readonly Connection[]>((a, b) => (b.length > a.length ? b : a), []);
  const end = first === undefined ? undefined : endOfFirst(every, first);
  const found =
    end === undefined ? every : every.map((its) => its.filter(({ firstTime }) => firstTime <= end));
  const captures =
    end === undefined
      ? points.map(({ capture }) => capture)
      : points.map(({ capture }, point) => beginning(capture.packets, found[point]!, end));
  const all = found.flatMap((its, point) => its.map((connection) => ({ point, connection })));
  const index = new Map(all.map(({ connection }, at) => [connection, at]));
  const ofPacket = points.map((_, point) => {
    const numbers = new Map<number, Connection>();
    for (const connection of found[point]!)
      for (const number of connection.packetNumbers) numbers.set(number, connection);
    return numbers;
  });
  const connectionOf = (point: number, packet: number) => ofPacket[point]!.get(packet);
  const groups = new Groups(all.length);
  const rootOf = (connection: Connection) => groups.rootOf(index.get(connection)!);
  const twins = joinTwins(captures);
  const idOf = ({ capture, packet }: Twin['sightings'][number]) => {
    const connection = connectionOf(capture, packet);
    return connection === undefined ? undefined : index.get(connection);
  };
  for (const { sightings } of twins) {
    let first: number | undefined;
    for (const sighting of sightings) {
      const id = idOf(sighting);
      if (id === undefined) continue;
      if (first !== undefined) groups.join(first, id);
      first ??= id;
    }
  }
  joinAnswers(captures, (point, packet) => index.get(connectionOf(point, packet)!), groups);
  const servers = new Map<number, Set<string>>();
  for (const { connection } of all) {
    const root = rootOf(connection);
    const { server } = connection;
    servers.set(root, (servers.get(root) ?? new Set()).add(endpoint(server.address, server.port)));
  }
  const nodes = new Map(
    (topology?.nodes ?? []).flatMap(({ name, interfaces }) =>
      interfaces.map(({ mac }) => [mac, name] as const),
    ),
  );
  const asked = passedOn(joinRequests(found), {
    packets: (point) => captures[point]!.packets,
    nodeOf: (mac) => nodes.get(mac),
    servers: (connection) => servers.get(rootOf(connection))!,
  });
  for (const { outside, inside } of asked)
    groups.join(index.get(outside.connection)!, index.get(inside.connection)!);

  const askedOf = groupBy(asked, ({ outside }) => rootOf(outside.connection));
  const conversations = [...groupBy(all, ({ connection }) => rootOf(connection))]
    .map(([root, its]) => ({
      root,
      connections: its.sort((a, b) => Number(a.connection.firstTime - b.connection.firstTime)),
    }))
    .sort((a, b) => Number(a.connections[0]!.connection.firstTime - b.connections[0]!.connection.firstTime));
  const numberOf = new Map(conversations.map(({ root }, at) => [root, at + 1]));
  const ofConversation = groupBy(twins, ({ sightings }) => {
    const id = sightings.map(idOf).find((each) => each !== undefined);
    return id === undefined ? 0 : numberOf.get(groups.rootOf(id))!;
  });
  return {
    points,
    total: end === undefined ? conversations.length : most.length,
    most,
    conversations: conversations.slice(0, end === undefined ? undefined : first).map((conversation, at) => ({
      number: at + 1,
      connections: conversation.connections,
      requests: (askedOf.get(conversation.root) ?? []).map(({ outside, inside, nanoseconds }) => ({
        outside: outside.connection.http[outside.exchange]!.request!,
        inside: inside.connection.http[inside.exchange]!.request!,
        nanoseconds,
      })),
      firstTime: conversation.connections[0]!.connection.firstTime,
      lastTime: conversation.connections
        .map(({ connection }) => connection.lastTime)
        .reduce((last, time) => (time > last ? time : last)),
    })),
    twins: ofConversation,
    connectionOf,
  };
}

/**
 * When the first so many connections have all ended: what began later does not belong to them. A proxy's own connections begin before those
 * end that they are opened for.
 */
function endOfFirst(every: readonly (readonly Connection[])[], first: number): bigint | undefined {
  const ends = every
    .filter((its) => its.length > first)
    .map((its) =>
      [...its]
        .sort((a, b) => Number(a.firstTime - b.firstTime))
        .slice(0, first)
        .reduce((last, { lastTime }) => (lastTime > last ? lastTime : last), 0n),
    );
  if (ends.length === 0) return undefined;
  const least = ends.reduce((a, b) => (a < b ? a : b));
  // Where a proxy asked twice, its first question may have ended before the answer came.
  return every
    .flat()
    .reduce((end, { firstTime, lastTime }) => (firstTime <= least && lastTime > end ? lastTime : end), least);
}

/** The packets of these connections, whole, and others that came before the end. */
function beginning(
  packets: readonly Packet[],
  found: readonly Connection[],
  end: bigint,
): Pick<Capture, 'packets'> {
  const kept = new Set(found.flatMap(({ packetNumbers }) => packetNumbers));
  return {
    packets: packets.filter(
      ({ number, time, tcp, udp }) =>
        kept.has(number) || (tcp === undefined && udp === undefined && time < end),
    ),
  };
}

/**
 * A SYN-ACK acknowledges its SYN's number (RFC 9293 section 3.5) whatever address it comes from: one that went past the balancer that
 * should have translated it back is an answer all the same, if not one that the client takes.
 */
function joinAnswers(
  captures: readonly Pick<Capture, 'packets'>[],
  idOf: (point: number, packet: number) => number | undefined,
  groups: Groups,
): void {
  const asked = new Map<string, number>();
  const ends = (address: string | undefined, port: number, sequence: number) =>
    `${address} ${port} ${sequence >>> 0}`;
  for (const isAnswer of [false, true])
    captures.forEach(({ packets }, point) => {
      for (const { ip, tcp, number } of packets) {
        if (tcp?.flags.syn !== true || tcp.flags.ack !== isAnswer) continue;
        const id = idOf(point, number);
        const key = isAnswer
          ? ends(ip?.destination, tcp.destinationPort, tcp.acknowledgment - 1)
          : ends(ip?.source, tcp.sourcePort, tcp.sequence);
        const known = asked.get(key);
        if (id === undefined) continue;
        if (known !== undefined) groups.join(known, id);
        else if (!isAnswer) asked.set(key, id);
      }
    });
}

/** Sets of numbers that grow together. */
export class Groups {
  readonly #parents: number[];

  constructor(size: number) {
    this.#parents = Array.from({ length: size }, (_, index) => index);
  }

  rootOf(id: number): number {
    let root = id;
    while (this.#parents[root] !== root) root = this.#parents[root]!;
    for (let each = id; each !== root;) {
      const parent = this.#parents[each]!;
      this.#parents[each] = root;
      each = parent;
    }
    return root;
  }

  join(a: number, b: number): void {
    const [left, right] = [this.rootOf(a), this.rootOf(b)];
    this.#parents[Math.max(left, right)] = Math.min(left, right);
  }
}
