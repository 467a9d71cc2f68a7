// Methods side by side: what each does to a request, all of it measured from the captures of one round. Pure.
import { joinTwins, type RewrittenField } from '../pcap/index.ts';
import { observe, type Sighting } from './observe.ts';
import type { Evidence } from './types.ts';

/** Of one request on average: what the balancer received. */
export interface Load {
  readonly packets: number;
  /** Whole frames' bytes. */
  readonly bytes: number;
}

export interface Comparison {
  readonly topology: string;
  readonly method: string;
  readonly requests: number;
  /** TCP connections that have an end at the balancer or pass it, a request. */
  readonly connections: number;
  /** Source addresses of the connections that backends take, and the node each is an address of. */
  readonly callers: readonly { readonly address: string; readonly node?: string }[];
  /** What differs between a packet at one end and its twin at the other; nothing when no packet goes from end to end. */
  readonly rewritten:
    | { readonly toServer: readonly RewrittenField[]; readonly toClient: readonly RewrittenField[] }
    | undefined;
  readonly fromClients: Load;
  readonly fromBackends: Load;
  /** Where the client's TCP connection ends: the backend has its initial sequence numbers, or has others. */
  readonly tcpEnds: 'balancer' | 'backend';
  /** Median microseconds from request to answer at the client, less the same at the backends. */
  readonly addedMicroseconds: number;
}

const numbers = ({ connection: { isn } }: Sighting) => `${isn.client}/${isn.server}`;

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Median microseconds from a request's last packet to its answer's first. */
function answerTime(sightings: readonly Sighting[]): number {
  const times = sightings.flatMap(({ connection }) =>
    connection.http.flatMap(({ request, response }) =>
      request === undefined || response === undefined
        ? []
        : [Number(response.firstTime - request.lastTime) / 1000],
    ),
  );
  if (times.length === 0) throw new Error('no request was answered');
  return median(times);
}

function rewrittenFields(
  evidence: Evidence,
  clients: ReadonlySet<string>,
  backends: ReadonlySet<string>,
): Comparison['rewritten'] {
  const points = [...evidence.captures.values()].filter(
    ({ node }) => clients.has(node) || backends.has(node),
  );
  const isClient = (capture: number) => clients.has(points[capture]!.node);
  const found = { toServer: new Set<RewrittenField>(), toClient: new Set<RewrittenField>() };
  let passed = false;
  for (const { sightings, steps } of joinTwins(points.map(({ capture }) => capture))) {
    const ends = sightings.map(({ capture }) => isClient(capture));
    if (new Set(ends).size < 2) continue;
    passed = true;
    const fields = ends[0] === true ? found.toServer : found.toClient;
    for (const { field } of steps.flatMap(({ rewrites }) => rewrites)) fields.add(field);
  }
  return passed ? { toServer: [...found.toServer], toClient: [...found.toClient] } : undefined;
}

/** Measures one lab's round. Throws when its captures do not show what is to be measured. */
export function compare(evidence: Evidence): Comparison {
  const seen = observe(evidence);
  const { topology } = evidence;
  const atClients = seen.opened('client');
  const atBackends = seen.opened('backend');
  const requests = atClients.length;
  const backendNumbers = new Set(atBackends.map(numbers));
  const load = (packets: ReturnType<typeof seen.packets>): Load => ({
    packets: packets.length / requests,
    bytes: packets.reduce((sum, { packet }) => sum + packet.originalLength, 0) / requests,
  });
  // What the balancer's own side sees of a connection may be one half of it: the client's number tells it from others.
  const atBalancer = new Set(
    [...seen.opened('outside'), ...seen.opened('inside')].map(({ connection }) => connection.isn.client),
  );
  const owner = new Map(
    topology.nodes.flatMap((node) =>
      node.interfaces.flatMap((link) => link.addresses.map(({ address }) => [address, node.name] as const)),
    ),
  );
  return {
    topology: topology.name,
    method: topology.balancer!.method,
    requests,
    connections: atBalancer.size / requests,
    callers: [...new Set(atBackends.map(({ connection }) => connection.client.address))].map((address) => ({
      address,
      ...(owner.has(address) && { node: owner.get(address)! }),
    })),
    rewritten: rewrittenFields(
      evidence,
      seen.roles.clients,
      new Set(seen.roles.backends.map(({ node }) => node)),
    ),
    fromClients: load(seen.packets('outside').filter(({ toServer }) => toServer)),
    fromBackends: load(seen.packets('inside').filter(({ toServer }) => !toServer)),
    tcpEnds: atClients.every((sighting) => backendNumbers.has(numbers(sighting))) ? 'backend' : 'balancer',
    addedMicroseconds: answerTime(atClients) - answerTime(atBackends),
  };
}
