// What captures have together: packets joined across capture points, and conversations: a client's connection with its other sightings and
// with the connections that a proxy opened for it. Pure, and the costly part of a ladder: done once, however many ladders are drawn.
import { connections, joinRequests, joinTwins, type Connection, type Twin } from '../../pcap/index.ts';
import type { AskedAnew, Conversation, Point, SeenConnection } from './types.ts';

export interface Traffic {
  readonly points: readonly Point[];
  /** In order of time. */
  readonly conversations: readonly Conversation[];
  /** The packets of each conversation, in order of time; at 0 those that belong to none. */
  readonly twins: ReadonlyMap<number, readonly Twin[]>;
  /** The connection of a packet; nothing where it belongs to none. */
  readonly connectionOf: (point: number, packet: number) => Connection | undefined;
}

export function readTraffic(points: readonly Point[]): Traffic {
  const found = points.map(({ capture }) => connections(capture));
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
  const twins = joinTwins(points.map(({ capture }) => capture));
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
  joinAnswers(points, (point, packet) => index.get(connectionOf(point, packet)!), groups);
  const asked = joinRequests(found);
  for (const { outside, inside } of asked)
    groups.join(index.get(outside.connection)!, index.get(inside.connection)!);

  const members = new Map<number, number[]>();
  all.forEach((_, id) => {
    const root = groups.rootOf(id);
    const list = members.get(root);
    if (list === undefined) members.set(root, [id]);
    else list.push(id);
  });
  const requestsOf = new Map<number, Map<string, AskedAnew>>();
  for (const { outside, inside, nanoseconds } of asked) {
    const root = groups.rootOf(index.get(outside.connection)!);
    const its = requestsOf.get(root) ?? new Map<string, AskedAnew>();
    requestsOf.set(root, its);
    // Captures on both ends of a wire show each request several times.
    const key = [outside, inside].map(
      ({ connection, exchange }) => `${connection.client.port} ${connection.isn.client} ${exchange}`,
    );
    if (!its.has(key.join('/')))
      its.set(key.join('/'), {
        outside: outside.connection.http[outside.exchange]!.request!,
        inside: inside.connection.http[inside.exchange]!.request!,
        nanoseconds,
      });
  }
  const conversations = [...members]
    .map(([root, ids]) => ({
      root,
      connections: ids
        .map((id): SeenConnection => all[id]!)
        .sort((a, b) => Number(a.connection.firstTime - b.connection.firstTime)),
    }))
    .sort((a, b) => Number(a.connections[0]!.connection.firstTime - b.connections[0]!.connection.firstTime));
  const numberOf = new Map(conversations.map(({ root }, at) => [root, at + 1]));
  const ofConversation = new Map<number, Twin[]>();
  for (const twin of twins) {
    const id = twin.sightings.map(idOf).find((each) => each !== undefined);
    const number = id === undefined ? 0 : numberOf.get(groups.rootOf(id))!;
    const list = ofConversation.get(number);
    if (list === undefined) ofConversation.set(number, [twin]);
    else list.push(twin);
  }
  return {
    points,
    conversations: conversations.map((conversation, at) => ({
      number: at + 1,
      connections: conversation.connections,
      requests: [...(requestsOf.get(conversation.root)?.values() ?? [])],
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
 * A SYN-ACK acknowledges its SYN's number (RFC 9293 section 3.5) whatever address it comes from: one that went past the balancer that
 * should have translated it back is an answer all the same, if not one that the client takes.
 */
function joinAnswers(
  points: readonly Point[],
  idOf: (point: number, packet: number) => number | undefined,
  groups: Groups,
): void {
  const asked = new Map<string, number>();
  const ends = (address: string | undefined, port: number, sequence: number) =>
    `${address} ${port} ${sequence >>> 0}`;
  for (const isAnswer of [false, true])
    points.forEach(({ capture }, point) => {
      for (const { ip, tcp, number } of capture.packets) {
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
    const [first, second] = [this.rootOf(a), this.rootOf(b)].sort((x, y) => x - y);
    this.#parents[second!] = first!;
  }
}
