// Measurements that claims are put together from: connections paired across places, packets with their twins, byte streams, HTTP fields,
// which backend a connection reached. Pure; says what is, never whether it is right.
import { groupBy, type HttpExchange, type HttpMessage } from '../pcap/index.ts';
import { reassemble, type Piece } from '../pcap/stream.ts';
import { MissingEvidenceError, type Observation, type SeenPacket, type Sighting } from './observe.ts';
import type { BackendRole } from './roles.ts';

/** The same connection seen at two places. */
export interface Pair {
  readonly first: Sighting;
  readonly second: Sighting;
}

export interface Pairing {
  readonly pairs: readonly Pair[];
  /** Connections without a counterpart. */
  readonly onlyFirst: readonly Sighting[];
  readonly onlySecond: readonly Sighting[];
}

/** Both initial sequence numbers; a connection whose server never answered has no such identity. */
const identity = ({ connection: { isn } }: Sighting): string | undefined =>
  isn.client === undefined || isn.server === undefined ? undefined : `${isn.client}/${isn.server}`;

/** The number in the client's SYN alone: for connections of which one place saw no answer. */
const clientIdentity = ({ connection: { isn } }: Sighting): string | undefined =>
  isn.client === undefined ? undefined : String(isn.client);

function pairBy(
  first: readonly Sighting[],
  second: readonly Sighting[],
  key: (sighting: Sighting) => string | undefined,
): Pairing {
  const waiting = groupBy(second, key);
  const pairs: Pair[] = [];
  const onlyFirst: Sighting[] = [];
  for (const sighting of first) {
    const name = key(sighting);
    const other = name === undefined ? undefined : waiting.get(name)?.shift();
    if (other === undefined) onlyFirst.push(sighting);
    else pairs.push({ first: sighting, second: other });
  }
  const taken = new Set(pairs.map((pair) => pair.second));
  return { pairs, onlyFirst, onlySecond: second.filter((sighting) => !taken.has(sighting)) };
}

/** Pairs connections that share both initial sequence numbers, which only one and the same connection does (RFC 9293 section 3.4.1). */
export function pairByNumbers(first: readonly Sighting[], second: readonly Sighting[]): Pairing {
  return pairBy(first, second, identity);
}

/** Whether both initial sequence numbers of a connection are known. */
export function isAnswered(sighting: Sighting): boolean {
  return identity(sighting) !== undefined;
}

/** As pairByNumbers, and then by the client's number alone where one of the two places saw no answer. */
export function pairForwarded(first: readonly Sighting[], second: readonly Sighting[]): Pairing {
  const exact = pairByNumbers(first, second);
  const loose = pairBy(exact.onlyFirst, exact.onlySecond, clientIdentity);
  const accepted = loose.pairs.filter(({ first: a, second: b }) => !isAnswered(a) || !isAnswered(b));
  const takenFirst = new Set([...exact.pairs, ...accepted].map((pair) => pair.first));
  const takenSecond = new Set([...exact.pairs, ...accepted].map((pair) => pair.second));
  return {
    pairs: [...exact.pairs, ...accepted].sort((a, b) =>
      Number(a.first.connection.firstTime - b.first.connection.firstTime),
    ),
    onlyFirst: first.filter((sighting) => !takenFirst.has(sighting)),
    onlySecond: second.filter((sighting) => !takenSecond.has(sighting)),
  };
}

/** Whether SYN-ACK and ACK were captured beside the SYN, which every sighting has. */
export function isHandshakeComplete({ connection: { handshake } }: Sighting): boolean {
  return handshake.synAck !== undefined && handshake.ack !== undefined;
}

/** An HTTP request with the connection it was seen on. */
export interface SeenRequest {
  readonly sighting: Sighting;
  readonly exchange: HttpExchange;
  readonly request: HttpMessage;
}

/** HTTP requests at a place, by the time they were whole. Throws MissingEvidenceError when there is none. */
export function requestsAmong(sightings: readonly Sighting[]): SeenRequest[] {
  const requests = sightings.flatMap((sighting) =>
    sighting.connection.http.flatMap((exchange) =>
      exchange.request === undefined ? [] : [{ sighting, exchange, request: exchange.request }],
    ),
  );
  if (requests.length === 0) {
    const names = [...new Set(sightings.map(({ syn }) => syn.point.name))].join(', ');
    throw new MissingEvidenceError(`no HTTP request was captured in ${names}`);
  }
  return requests.sort((a, b) => Number(a.request.lastTime - b.request.lastTime));
}

/** The packets that a request came in. */
export function packetsOf({ sighting, request }: SeenRequest): SeenPacket[] {
  return request.packets.map(sighting.numbered);
}

/** Values of a header field, by its name without regard to case (RFC 9110 section 5.1). */
export function header(message: HttpMessage, name: string): string[] {
  return message.headers
    .filter(([key]) => key.toLowerCase() === name.toLowerCase())
    .map(([, value]) => value);
}

/** The cookies of a request, name to value (RFC 6265 section 5.4). */
export function cookies(message: HttpMessage): Map<string, string> {
  return new Map(
    header(message, 'cookie')
      .flatMap((line) => line.split(';'))
      .map((part) => part.trim())
      .filter((part) => part.includes('='))
      .map((part) => [part.slice(0, part.indexOf('=')), part.slice(part.indexOf('=') + 1)] as const),
  );
}

/** A packet before and after the balancer. */
export interface Twins {
  readonly first: SeenPacket;
  readonly second: SeenPacket;
}

export interface TwinMatch {
  readonly twins: readonly Twins[];
  readonly onlyFirst: SeenPacket[];
  readonly onlySecond: readonly SeenPacket[];
}

/** What no balancer that passes packets on changes: direction, sequence numbers, flags, length. */
function twinKey({ packet: { tcp }, toServer }: SeenPacket): string {
  const flags = Object.entries(tcp.flags)
    .filter(([, isSet]) => isSet)
    .map(([name]) => name);
  return `${toServer}/${tcp.sequence}/${tcp.acknowledgment}/${flags.join()}/${tcp.payloadLength}`;
}

/** Matches the packets of one connection at two places, each once and in order. */
export function twinsOf({ first, second }: Pair): TwinMatch {
  const waiting = groupBy(second.packets, twinKey);
  const twins: Twins[] = [];
  const onlyFirst: SeenPacket[] = [];
  for (const packet of first.packets) {
    const twin = waiting.get(twinKey(packet))?.shift();
    if (twin === undefined) onlyFirst.push(packet);
    else twins.push({ first: packet, second: twin });
  }
  return { twins, onlyFirst, onlySecond: [...waiting.values()].flat() };
}

type Direction = 'toServer' | 'toClient';

const oneWay = ({ packets }: Sighting, direction: Direction): SeenPacket[] =>
  packets.filter(({ toServer }) => toServer === (direction === 'toServer'));

/** One direction's bytes as far as they were captured, in order. */
function piecesOf(sighting: Sighting, direction: Direction): Piece[] {
  const { isn } = sighting.connection;
  return reassemble(
    oneWay(sighting, direction).map(({ packet }) => packet),
    // Known of whoever sent anything.
    (direction === 'toServer' ? isn.client : isn.server)!,
  );
}

/** One direction's bytes of a connection. Throws MissingEvidenceError when packets were captured in part only (tcpdump -s). */
export function streamOf(sighting: Sighting, direction: Direction): Buffer {
  const cut = oneWay(sighting, direction).find(
    ({ packet: { tcp } }) => tcp.payload.length < tcp.payloadLength,
  );
  if (cut !== undefined) {
    throw new MissingEvidenceError(
      `packet ${cut.packet.number} of ${cut.point.name} was captured in part only`,
    );
  }
  return Buffer.concat(piecesOf(sighting, direction).map(({ bytes }) => bytes));
}

/** Byte ranges of one direction that were captured, as text: `0-74` or, with a gap, `0-10 20-74`. Empty when there are none. */
export function rangesOf(sighting: Sighting, direction: Direction): string {
  const ranges: [number, number][] = [];
  for (const { offset, bytes } of piecesOf(sighting, direction)) {
    const last = ranges.at(-1);
    if (last?.[1] === offset) last[1] = offset + bytes.length;
    else ranges.push([offset, offset + bytes.length]);
  }
  return ranges.map(([from, to]) => `${from}-${to - 1}`).join(' ');
}

/** The frame's way to a backend: by its destination address, its tunnel's, or its destination MAC. */
export function backendOf(seen: Observation, { packet }: SeenPacket): BackendRole | undefined {
  const { backends } = seen.roles;
  const destinations = [...packet.outer.map(({ destination }) => destination), packet.ip.destination];
  return (
    backends.find(({ addresses }) => destinations.some((address) => addresses.has(address))) ??
    backends.find(
      ({ node }) => packet.ethernet !== undefined && seen.macs(node).has(packet.ethernet.destination),
    )
  );
}

/** A connection with the backend that it reached. */
export interface Reached {
  readonly sighting: Sighting;
  readonly backend: string;
}

/** Whether every backend has a capture of its own. */
export function areBackendsCaptured({ evidence, roles }: Observation): boolean {
  const nodes = new Set([...evidence.captures.values()].map(({ node }) => node));
  return roles.backends.length > 0 && roles.backends.every(({ node }) => nodes.has(node));
}

/**
 * Connections by the backend that served them: as captured at the backends, where each was, else as the balancer forwarded them. A backend
 * serves a connection when it sends payload on it; what a balancer forwards shows no answers where those go past it.
 */
export function served(seen: Observation): Reached[] {
  if (areBackendsCaptured(seen)) {
    return seen
      .opened('backend')
      .filter(({ connection }) => connection.payload.toClient > 0)
      .map((sighting) => ({ sighting, backend: sighting.node }));
  }
  return forwarded(seen);
}

/** Connections by the backend that the balancer sent them to. */
export function forwarded(seen: Observation): Reached[] {
  return seen.opened('inside').flatMap((sighting) => {
    const first = sighting.packets.find(({ toServer }) => toServer);
    const backend = first && backendOf(seen, first);
    return backend === undefined ? [] : { sighting, backend: backend.node };
  });
}

/** The middle value; of an even number the lower of the two in the middle. */
export function median(values: readonly bigint[]): bigint {
  return [...values].sort((a, b) => Number(a - b))[(values.length - 1) >> 1]!;
}
