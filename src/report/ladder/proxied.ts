// Which request a proxy made of which, told from requests that are only alike and under way together. Knows that a proxy asks from where it
// was asked, and asks once, or again where it got no answer.
import {
  groupBy,
  packetNumbered,
  type Connection,
  type Packet,
  type ProxiedRequest,
  type RequestSighting,
} from '../../pcap/index.ts';
import { tally } from '../../verify/words.ts';

/** What is known of connections beside their requests. */
export interface Surroundings {
  readonly packets: (point: number) => readonly Packet[];
  /** Addresses and ports that a connection goes to at all the points where it was seen. */
  readonly servers: (connection: Connection) => ReadonlySet<string>;
  /** The topology's machine that has a MAC address; nothing where nobody knows. */
  readonly nodeOf: (mac: string) => string | undefined;
}

/** Each request with what it became, once, however many captures show it. */
export function passedOn(joined: readonly ProxiedRequest[], around: Surroundings): ProxiedRequest[] {
  const possible = joined.filter((pair) => isPossible(pair, around));
  const times = new Map(
    tally(possible.map((pair) => `${addresses(pair.outside)}/${addresses(pair.inside)}`)),
  );
  // Of requests under way together some also look as if they were passed back.
  const forward = possible.filter(({ outside, inside }) => {
    const [there, back] = [addresses(outside), addresses(inside)];
    return times.get(`${there}/${back}`)! >= (times.get(`${back}/${there}`) ?? 0);
  });
  // Captures at the proxy itself tell best which belongs to which: there is least between the two.
  const byCaptures = groupBy(forward, ({ outside, inside }) => `${outside.capture} ${inside.capture}`);
  const known = new Set<string>();
  return [...byCaptures.values()]
    .sort((a, b) => gap(a) - gap(b))
    .flat()
    .filter(({ outside, inside }) => {
      const [asked, asks] = [identity(outside), identity(inside)];
      const isAnswered = responseOf(inside) !== undefined;
      if (known.has(asks) || (isAnswered && known.has(asked))) return false;
      known.add(asks);
      if (isAnswered) known.add(asked);
      return true;
    });
}

const addresses = ({ connection: { client, server } }: RequestSighting) =>
  `${client.address} ${server.address}`;

/** The same for a request and what it became, whichever captures show them. */
export const pairOf = ({ outside, inside }: Pick<ProxiedRequest, 'outside' | 'inside'>) =>
  `${identity(outside)}/${identity(inside)}`;

const identity = ({ connection, exchange }: RequestSighting) =>
  `${connection.client.port} ${connection.isn.client} ${connection.isn.server} ${exchange}`;

function gap(pairs: readonly ProxiedRequest[]): number {
  const sorted = pairs.map(({ nanoseconds }) => Math.abs(nanoseconds)).sort((a, b) => a - b);
  return sorted[sorted.length >> 1]!;
}

function isPossible({ outside, inside }: ProxiedRequest, around: Surroundings): boolean {
  // Two connections that both go to the virtual address, translated later: nobody proxies to itself.
  const inner = around.servers(inside.connection);
  if ([...around.servers(outside.connection)].some((server) => inner.has(server))) return false;
  // A proxy has the answer before it gives it.
  const [given, had] = [responseOf(outside), responseOf(inside)];
  if (given !== undefined && had !== undefined && had.firstTime > given.lastTime) return false;
  const asked = macOf(outside.connection, 'server', around.packets(outside.capture));
  const asks = macOf(inside.connection, 'client', around.packets(inside.capture));
  if (asked === undefined || asks === undefined || asked === asks) return true;
  // On one wire a machine has one MAC address: whoever was asked there is who asks.
  if (outside.capture === inside.capture) return false;
  const [askedNode, askingNode] = [around.nodeOf(asked), around.nodeOf(asks)];
  return askedNode === undefined || askingNode === undefined || askedNode === askingNode;
}

const responseOf = ({ connection, exchange }: RequestSighting) => connection.http[exchange]!.response;

function macOf(
  { client, packetNumbers }: Connection,
  end: 'client' | 'server',
  packets: readonly Packet[],
): string | undefined {
  const [first] = packetNumbers;
  const packet = first === undefined ? undefined : packetNumbered(packets, first);
  const isFromClient =
    packet?.ip?.source === client.address && (packet.tcp ?? packet.udp)?.sourcePort === client.port;
  return (end === 'client') === isFromClient ? packet?.ethernet?.source : packet?.ethernet?.destination;
}
