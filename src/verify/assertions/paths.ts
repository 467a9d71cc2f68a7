// Where packets and requests pass, in which order, and how long they take from one place to the next. A packet is followed through
// whatever rewrites it by src/pcap's twins, a request also through a proxy.
import { firstOf } from '../claim.ts';
import { joinRequests, joinTwins, type Connection } from '../../pcap/index.ts';
import type { PathAssertion, PointGroup } from '../../topology/types.ts';
import { MissingEvidenceError, type Observation } from '../observe.ts';
import type { CapturedPoint } from '../types.ts';
import { count, list, tally } from '../words.ts';
import type { Judge } from './kind.ts';
import { at, citeNumbers, connectionsAt, packetsAt, pointsAt } from './places.ts';

/** One capture point that something passed. */
export interface Passage {
  readonly point: CapturedPoint;
  readonly packets: readonly number[];
  /** Nanoseconds since the epoch. */
  readonly time: bigint;
}

/** A packet, a request or an answer on its way. */
export interface Trace {
  readonly toServer: boolean;
  /** In the order of time. */
  readonly passages: readonly Passage[];
}

const traced = new WeakMap<Observation, Partial<Record<PathAssertion['of'], readonly Trace[]>>>();

/** Everything of the service that moved, with all capture points that saw it. */
export function tracesOf(seen: Observation, of: PathAssertion['of']): readonly Trace[] {
  const known = traced.get(seen) ?? {};
  const found = known[of] ?? (of === 'packets' ? packetTraces(seen) : requestTraces(seen));
  traced.set(seen, { ...known, [of]: found });
  return found;
}

function packetTraces(seen: Observation): Trace[] {
  const { evidence, roles } = seen;
  const points = [...evidence.captures.values()];
  return joinTwins(points.map((point) => ({ packets: packetsAt(seen, point) }))).flatMap(
    ({ sightings }): Trace[] => {
      const passages = sightings.map(({ capture, packets, time }) => ({
        point: points[capture]!,
        packets,
        time,
      }));
      const { tcp, ip } = passages[0]!.point.capture.packets[passages[0]!.packets[0]! - 1]!;
      if (tcp === undefined || ip === undefined) return [];
      const isTo = roles.ports.has(tcp.destinationPort);
      const isFrom = roles.ports.has(tcp.sourcePort);
      if (!isTo && !isFrom) return [];
      return [{ toServer: isTo && isFrom ? !roles.clientAddresses.has(ip.destination) : isTo, passages }];
    },
  );
}

/** Requests and answers: one connection is followed by its client's initial sequence number, and from one to the next by what is asked. */
function requestTraces(seen: Observation): Trace[] {
  const located = [...seen.evidence.captures.values()].flatMap((point) =>
    connectionsAt(seen, { name: point.name, points: [point.name] }),
  );
  const groups = new Map<string, Set<string>>();
  const keyOf = ({ isn }: Connection, exchange: number) => `${isn.client}/${exchange}`;
  const join = (a: string, b: string) => {
    const all = new Set([...(groups.get(a) ?? [a]), ...(groups.get(b) ?? [b])]);
    for (const key of all) groups.set(key, all);
  };
  for (const { outside, inside } of joinRequests(hop(seen, located))) {
    if (outside.capture !== 0 || inside.capture !== 1) continue;
    join(keyOf(outside.connection, outside.exchange), keyOf(inside.connection, inside.exchange));
  }
  const traces = new Map<ReadonlySet<string> | string, { request: Passage[]; response: Passage[] }>();
  for (const { point, connection } of located) {
    for (const [index, { request, response }] of connection.http.entries()) {
      const key = keyOf(connection, index);
      const group = groups.get(key) ?? key;
      const trace = traces.get(group) ?? { request: [], response: [] };
      traces.set(group, trace);
      if (request !== undefined)
        trace.request.push({ point, packets: request.packets, time: request.firstTime });
      if (response !== undefined)
        trace.response.push({ point, packets: response.packets, time: response.firstTime });
    }
  }
  const byTime = (a: Passage, b: Passage) => Number(a.time - b.time);
  return [...traces.values()]
    .flatMap(({ request, response }): Trace[] => [
      { toServer: true, passages: request.sort(byTime) },
      { toServer: false, passages: response.sort(byTime) },
    ])
    .filter(({ passages }) => passages.length > 0);
}

/** Where a proxy's two connections are captured: on the balancer, or else at the clients and at the backends. */
function hop(
  seen: Observation,
  located: readonly { readonly point: CapturedPoint; readonly connection: Connection }[],
): readonly [Connection[], Connection[]] {
  const { balancer, backends, clients } = seen.roles;
  const isTo = ({ connection: { server } }: (typeof located)[number]) =>
    backends.some(({ addresses }) => addresses.has(server.address));
  const own = located.filter(({ point }) => point.node === balancer?.name);
  const inner = own.filter(isTo);
  const outer = own.filter((each) => !isTo(each));
  if (inner.length > 0 && outer.length > 0) return proxied(outer, inner);
  const sent = located.filter(({ point }) => clients.has(point.node));
  const taken = located.filter(({ point }) => backends.some(({ node }) => node === point.node));
  return proxied(sent, taken);
}

/** Connections of each side that are not one and the same on both: requests on those are not passed on to another connection. */
export function proxied(
  outer: readonly { readonly connection: Connection }[],
  inner: readonly { readonly connection: Connection }[],
): readonly [Connection[], Connection[]] {
  const numbers = (some: typeof outer) => new Set(some.map(({ connection }) => connection.isn.client));
  const [outside, inside] = [numbers(outer), numbers(inner)];
  return [
    outer.map(({ connection }) => connection).filter(({ isn }) => !inside.has(isn.client)),
    inner.map(({ connection }) => connection).filter(({ isn }) => !outside.has(isn.client)),
  ];
}

/** Whether a trace passes the places in this order; others may lie between. Passages at the same time have no order of their own. */
function passesAll({ passages }: Trace, places: readonly PointGroup[]): boolean {
  const left = [...passages];
  let time = 0n;
  return places.every(({ points }) => {
    const index = left.findIndex((passage) => passage.time >= time && points.includes(passage.point.name));
    if (index < 0) return false;
    time = left[index]!.time;
    left.splice(index, 1);
    return true;
  });
}

const isAt = ({ passages }: Trace, places: readonly PointGroup[]) =>
  passages.some(({ point }) => places.some(({ points }) => points.includes(point.name)));

/** `client, eth0, eth1, be1`; a point that is passed in and out by one interface once. */
function traceText({ passages }: Trace): string {
  return passages
    .map(({ point }) => point.name)
    .filter((name, index, names) => name !== names[index - 1])
    .join(', ');
}

const citeTraces = (traces: readonly Trace[]) =>
  citeNumbers(
    traces.flatMap(({ passages }) => passages.map(({ point, packets }) => [point, packets] as const)),
  );

interface Way {
  readonly words: string;
  readonly toServer: boolean;
  readonly places: readonly PointGroup[] | undefined;
}

/** The ways that an assertion speaks of; both when it only says what is never passed. */
function waysOf({ toServer, toClient }: PathAssertion): Way[] {
  const both: Way[] = [
    { words: 'to the server', toServer: true, places: toServer },
    { words: 'to the client', toServer: false, places: toClient },
  ];
  const said = both.filter(({ places }) => places !== undefined);
  return said.length === 0 ? both : said;
}

const names = (places: readonly PointGroup[]) => places.map(({ name }) => name);

export const pathJudge: Judge<PathAssertion> = {
  expected: (statement) => {
    const { of, never } = statement;
    const noun = of === 'packets' ? 'packets' : 'requests and answers';
    const ways = waysOf(statement);
    const passed = ways.flatMap(({ words, places }) =>
      places === undefined ? [] : [`${words} pass ${names(places).join(', ')}`],
    );
    const avoided = never.length === 0 ? [] : [`never ${list(names(never)).replace(' and ', ' or ')}`];
    return passed.length === 0
      ? `${noun} either way pass ${avoided.join()}`
      : `${noun} ${[...passed, ...avoided].join(', ')}`;
  },
  measure: (statement, seen) => {
    const { of, never } = statement;
    const ways = waysOf(statement);
    const named = [...never, ...ways.flatMap(({ places }) => places ?? [])];
    for (const place of named) pointsAt(seen, place);
    const all = tracesOf(seen, of);
    const judged = ways.map(({ words, toServer, places }) => {
      const mine = all.filter((trace) => trace.toServer === toServer);
      const subjects = places === undefined ? mine : mine.filter((trace) => isAt(trace, places));
      const wrong = subjects.filter(
        (trace) => isAt(trace, never) || (places !== undefined && !passesAll(trace, places)),
      );
      return { words, subjects, wrong };
    });
    const noun = of === 'packets' ? 'packet' : 'message';
    const empty = judged.find(({ subjects }) => subjects.length === 0);
    if (empty !== undefined) {
      throw new MissingEvidenceError(`no ${noun} ${empty.words} was captured ${named.map(at).join(', ')}`);
    }
    const wrong = judged.flatMap((way) => way.wrong);
    return {
      holds: wrong.length === 0,
      observed: judged
        .map(({ words, subjects, wrong: bad }) => {
          const paths = tally(firstOf(bad, subjects).map(traceText)).slice(0, 4);
          const amount =
            bad.length === 0
              ? count(subjects.length, noun)
              : `${bad.length} of ${count(subjects.length, noun)}`;
          return `${amount} ${words}: ${paths.map(([path, times]) => `${times} by ${path}`).join('; ')}`;
        })
        .join('. '),
      evidence: citeTraces(
        firstOf(
          wrong,
          judged.flatMap(({ subjects }) => subjects),
        ),
      ),
    };
  },
};
