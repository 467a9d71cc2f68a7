// What was seen at the capture points that an assertion names: connections, requests, packets, each point by itself. Throws
// MissingEvidenceError where a point was not captured whole, and where nothing shows that the round took place at all.
import {
  connections,
  groupBy,
  packetNumbered,
  type Connection,
  type HttpExchange,
  type Packet,
} from '../../pcap/index.ts';
import type { Party, PointGroup, Selection, Way } from '../../topology/types.ts';
import { cite } from '../claim.ts';
import { isGroup, MissingEvidenceError, type Observation } from '../observe.ts';
import type { CapturedPoint, PacketReference } from '../types.ts';
import { count } from '../words.ts';

/** A connection of the service at one capture point. */
export interface Located {
  readonly point: CapturedPoint;
  readonly connection: Connection;
}

/** An HTTP request and its answer at one capture point. */
export interface LocatedExchange extends Located {
  readonly exchange: HttpExchange;
}

/** Packets of one capture point. */
export type Numbers = readonly [point: CapturedPoint, numbers: readonly number[]];

const connectionsOf = new WeakMap<CapturedPoint, readonly Connection[]>();

/**
 * What passed a node: without the frames that a segment flooded to an interface they are not for, as a switch does until it has learnt where
 * a MAC address is, and which tcpdump takes all the same.
 */
export function packetsAt(seen: Observation, point: CapturedPoint): readonly Packet[] {
  const macs = seen.macs(point.node);
  const { packets } = point.capture;
  const isOwn = ({ ethernet }: Packet) =>
    macs.has(ethernet?.source ?? '') || macs.has(ethernet?.destination ?? '');
  if (!packets.some(isOwn)) return packets;
  return packets.filter((packet) => isOwn(packet) || isGroup(packet.ethernet?.destination ?? ''));
}

function allConnections(seen: Observation, point: CapturedPoint): readonly Connection[] {
  const found = connectionsOf.get(point) ?? connections({ packets: packetsAt(seen, point) });
  connectionsOf.set(point, found);
  return found;
}

function serviceConnections(seen: Observation, point: CapturedPoint): Located[] {
  const { roles } = seen;
  return allConnections(seen, point)
    .filter(
      ({ protocol, server }) =>
        protocol === 'tcp' && (roles.ports.size === 0 || roles.ports.has(server.port)),
    )
    .map((connection) => ({ point, connection }));
}

/** The capture points of a place, each whole. */
export function pointsAt({ evidence }: Observation, { points }: PointGroup): CapturedPoint[] {
  return points.map((name) => {
    const point = evidence.captures.get(name);
    if (point === undefined) throw new MissingEvidenceError(`there is no capture ${name}`);
    if (point.incomplete !== undefined)
      throw new MissingEvidenceError(`the capture ${name} is not whole: ${point.incomplete}`);
    return point;
  });
}

/** A capture without a packet says that nothing passed only if something is known to have passed elsewhere. */
function requireTraffic(seen: Observation): void {
  const captured = [...seen.evidence.captures.values()];
  if (captured.every((point) => serviceConnections(seen, point).length === 0)) {
    throw new MissingEvidenceError('no connection of the service was captured anywhere');
  }
}

/** The service's connections at a place, in the order of time. */
export function connectionsAt(seen: Observation, place: PointGroup): Located[] {
  const points = pointsAt(seen, place);
  requireTraffic(seen);
  return points.flatMap((point) => serviceConnections(seen, point)).sort(byTime);
}

function byTime(a: Located, b: Located): number {
  return Number(a.connection.firstTime - b.connection.firstTime);
}

/** Those of them whose SYN was captured. */
export function openedAt(seen: Observation, place: PointGroup): Located[] {
  return connectionsAt(seen, place).filter(({ connection }) => connection.handshake.syn !== undefined);
}

/** HTTP requests, answers or both at a place, in the order of time. */
export function exchangesAt(seen: Observation, place: PointGroup): LocatedExchange[] {
  return connectionsAt(seen, place).flatMap((located) =>
    located.connection.http.map((exchange) => ({ ...located, exchange })),
  );
}

/** A request on the connection that it was sent on. */
interface Sent {
  /** Nothing when it never got as far as a SYN. */
  readonly seen?: Located;
  /** Nothing when no request was captured on its connection. */
  readonly exchange?: HttpExchange;
}

/** A request of a client, numbered from 1. */
export interface Asked extends Sent {
  readonly client: string;
  readonly number: number;
}

function groupOfNode(seen: Observation, node: string): PointGroup {
  const points = [...seen.evidence.captures.values()]
    .filter((point) => point.node === node)
    .map(({ name }) => name);
  if (points.length === 0) throw new MissingEvidenceError(`nothing was captured at ${node}`);
  return { name: node, points };
}

function sentOn(seen: Located): Sent[] {
  const { http } = seen.connection;
  return http.length === 0 ? [{ seen }] : http.map((exchange) => ({ seen, exchange }));
}

/** One client's requests; without its log as captured, numbered by time. */
function askedBy(seen: Observation, client: string): Asked[] {
  const sent = openedAt(seen, groupOfNode(seen, client))
    .filter(({ connection }) => seen.roles.clientAddresses.has(connection.client.address))
    .flatMap(sentOn);
  const records = seen.evidence.requests?.filter((record) => record.client === client);
  if (records === undefined) {
    return sent
      .filter(({ exchange }) => exchange !== undefined)
      .map((each, index) => ({ ...each, client, number: index + 1 }));
  }
  // A client that keeps its connection sends several requests from one port, in their order.
  const byPort = groupBy(sent, (each) => each.seen?.connection.client.port);
  const claimed = records.map(({ localPort }) => byPort.get(localPort)?.shift());
  // curl names no port of a connection that never came about: it is one of those that no other request has.
  const left = [...byPort.values()].flat();
  return records.map(({ number, localPort }, index) => ({
    ...(localPort === 0 ? left.shift() : claimed[index]),
    client,
    number,
  }));
}

/** The requests that an assertion is about. */
export function requestsAsked(seen: Observation, { requests, client }: Selection): Asked[] {
  const logged = new Set(seen.evidence.requests?.map((record) => record.client));
  const clients =
    client === undefined
      ? [...seen.roles.clients].filter((name) => logged.size === 0 || logged.has(name))
      : [client];
  const asked = clients.flatMap((name) => askedBy(seen, name));
  if (asked.length === 0) throw new MissingEvidenceError('no request was sent');
  if (requests === 'all') return asked;
  const absent = requests.find((number) => !asked.some((each) => each.number === number));
  if (absent !== undefined) {
    throw new MissingEvidenceError(
      `there is no request ${absent}: ${count(asked.length, 'request')} were sent`,
    );
  }
  return asked.filter(({ number }) => requests.includes(number));
}

/** Packets of capture points by their numbers, each of a packet that is there. */
export function citeNumbers(found: readonly Numbers[]): PacketReference[] {
  return cite(
    found.flatMap(([point, numbers]) =>
      numbers.map((number) => ({ point, packet: packetNumbered(point.capture.packets, number)! })),
    ),
  );
}

/** The SYN of a connection, or its first packet. */
export function beginningOf({ point, connection }: Located): Numbers {
  return [point, [connection.handshake.syn ?? connection.packetNumbers[0]!]];
}

export const citeConnections = (located: readonly Located[]) => citeNumbers(located.map(beginningOf));

/** An address with whose it is: `10.133.1.1 (lb)`. */
export function addressText({ evidence: { topology } }: Observation, address: string): string {
  if (topology.balancer?.vip === address) return `${address} (vip)`;
  const owner = topology.nodes.find((node) =>
    node.interfaces.some((link) => link.addresses.some((each) => each.address === address)),
  );
  return owner === undefined ? address : `${address} (${owner.name})`;
}

export function partyText({ name, addresses }: Party): string {
  return addresses.length === 1 && addresses[0] !== name ? `${name} (${addresses[0]})` : name;
}

export const WAY_WORDS: Readonly<Record<Way, string>> = {
  'to-server': ' to the server',
  'to-client': ' to the client',
  both: '',
};

/** `at eth0`, and of several points with their names: `at backends (be1, be2)`. */
export function at({ name, points }: PointGroup): string {
  return points.length === 1 && points[0] === name ? `at ${name}` : `at ${name} (${points.join(', ')})`;
}
