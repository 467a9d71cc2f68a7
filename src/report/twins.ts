// What several captures show of the same packets: the ways that packets took, what was rewritten on each, which connections are
// one and the same, and which requests a proxy passed on. Pure.
import type { ChalkInstance } from 'chalk';
import { groupBy, joinRequests, joinTwins, type Connection, type Step, type Twin } from '../pcap/index.ts';
import { count, duration, endpoint, list, tally } from '../verify/words.ts';
import { clip, forTerminal } from './escape.ts';
import type { InspectedCapture, InspectedConnection } from './inspect.ts';
import { pairOf, passedOn } from './ladder/proxied.ts';
import { Groups } from './ladder/traffic.ts';
import { table } from './table.ts';

/** Joining compares packets with each other, in memory: more than this many take too long. */
const JOINED_PACKETS = 200_000;

export interface TwinsTextOptions {
  readonly paint: ChalkInstance;
  /** Rows of each list at most. */
  readonly limit: number;
}

/**
 * Empty where no packet of the chosen connections was seen twice and no request was passed on. One capture is enough when a
 * packet passes its wire twice, as on a director that routes directly.
 */
export function twinsText(captures: readonly InspectedCapture[], options: TwinsTextOptions): string {
  const { paint } = options;
  const packets = captures.reduce((sum, capture) => sum + capture.packets, 0);
  if (captures.some((capture) => capture.figuresOnly !== undefined) || packets > JOINED_PACKETS)
    return captures.length > 1
      ? `\n${paint.yellow('not joined')}: these captures have ${packets} packets, and packets are joined when all are kept and ${JOINED_PACKETS} at most\n`
      : '';
  const names = namesOf(captures.map(({ path }) => path));
  const ends = indexPackets(captures);
  const twins = joinTwins(captures.map(({ capture }) => capture!)).filter(
    (twin) => twin.sightings.length > 1 && endsOf(twin, ends).length > 0,
  );
  const joined = joinRequests(
    captures.map(({ connections }) => connections.map(({ connection }) => connection as Connection)),
  );
  const passed = new Set(
    passedOn(joined, {
      packets: (capture) => captures[capture]!.capture!.packets,
      servers: serversOf(captures, twins, ends),
      nodeOf: () => undefined,
    }).map(pairOf),
  );
  const requests = joined.filter((request) => passed.has(pairOf(request)));
  if (twins.length === 0 && requests.length === 0) return '';
  return (
    `\n${paint.bold('the same in several places')}\n` +
    (twins.length === 0
      ? ''
      : waysText(twins, ends, names, options) + sameText(twins, ends, names, options)) +
    (requests.length === 0 ? '' : passedText(requests, captures, names, options))
  );
}

/** File names, with their folders where two are alike. */
function namesOf(paths: readonly string[]): string[] {
  const last = paths.map((path) => path.replace(/^.*\//, ''));
  return paths.map((path, index) =>
    forTerminal(last.filter((name) => name === last[index]).length > 1 ? path : last[index]!),
  );
}

/** The connection that each packet belongs to, by capture and number. */
type Ends = readonly ReadonlyMap<number, InspectedConnection>[];

function indexPackets(captures: readonly InspectedCapture[]): Ends {
  return captures.map(
    ({ connections }) =>
      new Map(
        connections.flatMap((inspected) =>
          (inspected.connection.packetNumbers ?? []).map((number) => [number, inspected] as const),
        ),
      ),
  );
}

/** Where a connection goes to, at all the places where its packets were seen. */
function serversOf(
  captures: readonly InspectedCapture[],
  twins: readonly Twin[],
  ends: Ends,
): (connection: Connection) => ReadonlySet<string> {
  const all = captures.flatMap(({ connections }) => connections);
  const index = new Map(all.map((inspected, at) => [inspected, at]));
  const groups = new Groups(all.length);
  for (const twin of twins) {
    const [first, ...others] = endsOf(twin, ends).map(({ inspected }) => index.get(inspected)!);
    for (const other of others) groups.join(first!, other);
  }
  const servers = new Map<number, Set<string>>();
  const rootOf = new Map<Connection, number>();
  all.forEach(({ connection }, at) => {
    const root = groups.rootOf(at);
    rootOf.set(connection as Connection, root);
    const { address, port } = connection.server;
    servers.set(root, (servers.get(root) ?? new Set()).add(endpoint(address, port)));
  });
  return (connection) => servers.get(rootOf.get(connection)!)!;
}

interface End {
  readonly capture: number;
  readonly inspected: InspectedConnection;
}

function endsOf(twin: Twin, ends: Ends): End[] {
  return twin.sightings.flatMap(({ capture, packet }) => {
    const inspected = ends[capture]!.get(packet);
    return inspected === undefined ? [] : { capture, inspected };
  });
}

/** Rows for ways: which places in which order, how many packets, what each step rewrote, how long it took. */
function waysText(
  twins: readonly Twin[],
  ends: Ends,
  names: readonly string[],
  { limit }: TwinsTextOptions,
): string {
  const ways = groupBy(twins, (twin) => twin.sightings.map(({ capture }) => names[capture]!).join(' > '));
  const found = [...ways].sort(([, a], [, b]) => b.length - a.length);
  const lines = found.slice(0, limit).flatMap(([way, its]) => {
    const steps = its[0]!.steps.map((_, index) => {
      const all = its.map((twin) => twin.steps[index]!);
      const rewritten = rewritesWords(all);
      const from = names[its[0]!.sightings[index]!.capture]!;
      const to = names[its[0]!.sightings[index + 1]!.capture]!;
      return `      ${its[0]!.steps.length > 1 ? `${from} > ${to}: ` : ''}${rewritten}; after ${times(all)}\n`;
    });
    // A connection has a number of its own at each place: those at the first place are counted.
    const connections = new Set(
      its
        .flatMap((twin) => endsOf(twin, ends).slice(0, 1))
        .map(({ capture, inspected }) => `${capture} ${inspected.number}`),
    );
    return [
      `    ${way}: ${count(its.length, 'packet')} of ${count(connections.size, 'connection')}\n`,
      ...steps,
    ];
  });
  const left = found.length - Math.min(limit, found.length);
  return `  ways of packets\n${lines.join('')}${left > 0 ? `    and ${count(left, 'way')} more\n` : ''}`;
}

function rewritesWords(steps: readonly Step[]): string {
  const byField = groupBy(
    steps.flatMap(({ rewrites }) => rewrites),
    ({ field }) => field,
  );
  if (byField.size === 0) return 'nothing rewritten';
  return [...byField]
    .map(([field, rewrites]) => {
      const changes = tally(rewrites.map(({ from, to }) => `${from} to ${to}`));
      const all = rewrites.length === steps.length ? '' : ` in ${rewrites.length}`;
      // Sequence numbers and ports differ from packet to packet: an example says enough.
      return `${field}${all} ${changes
        .slice(0, 2)
        .map(([change]) => forTerminal(clip(change, 120)))
        .join(', ')}${changes.length > 2 ? ', ...' : ''}`;
    })
    .join('; ');
}

function times(steps: readonly Step[]): string {
  const sorted = steps.map(({ nanoseconds }) => nanoseconds).sort((a, b) => a - b);
  const middle = sorted[(sorted.length - 1) >> 1]!;
  return sorted.length === 1
    ? duration(middle)
    : `${duration(middle)} (median), ${duration(sorted.at(-1)!)} (most)`;
}

/** Connections that share packets, one row each set. */
function sameText(
  twins: readonly Twin[],
  ends: Ends,
  names: readonly string[],
  { limit }: TwinsTextOptions,
): string {
  const setOf = new Map<InspectedConnection, Set<End>>();
  const known = new Map<InspectedConnection, End>();
  for (const twin of twins) {
    const places = endsOf(twin, ends).map((end) => {
      const first = known.get(end.inspected) ?? end;
      known.set(end.inspected, first);
      return first;
    });
    const merged = new Set(places.flatMap((end) => [end, ...(setOf.get(end.inspected) ?? [])]));
    if ([...merged].every((end) => setOf.get(end.inspected)?.size === merged.size)) continue;
    for (const end of merged) setOf.set(end.inspected, merged);
  }
  const sets = [...new Set(setOf.values())].filter((set) => set.size > 1);
  if (sets.length === 0) return '';
  const rows = sets
    .map((set) =>
      [...set].sort((a, b) => Number(a.inspected.connection.firstTime - b.inspected.connection.firstTime)),
    )
    .slice(0, limit)
    .map((set) => [
      set.map(({ capture, inspected }) => `${names[capture]!} #${inspected.number}`).join(' = '),
      [...new Set(set.map(({ inspected }) => flow(inspected.connection)))].join(' = '),
    ]);
  const left = sets.length - rows.length;
  return `  one connection\n${table(rows, '    ')}${left > 0 ? `    and ${count(left, 'connection')} more\n` : ''}`;
}

function flow({ client, server }: InspectedConnection['connection']): string {
  return `${endpoint(client.address, client.port)} > ${endpoint(server.address, server.port)}`;
}

function passedText(
  requests: ReturnType<typeof joinRequests>,
  captures: readonly InspectedCapture[],
  names: readonly string[],
  { limit }: TwinsTextOptions,
): string {
  const numberOf = captures.map(
    ({ connections }) =>
      new Map(connections.map(({ number, connection }) => [connection as Connection, number])),
  );
  const place = ({ capture, connection }: (typeof requests)[number]['outside']) =>
    `${names[capture]!} #${numberOf[capture]!.get(connection)}`;
  // Captures on both ends of a wire show each request several times: one row a pair of connections, with all the places.
  const pairs = groupBy(requests, pairOf);
  const found = [...pairs.values()];
  const rows = found.slice(0, limit).map((its) => {
    const { outside, inside, nanoseconds, isAnswerSame } = its[0]!;
    const at = (side: 'outside' | 'inside') => list([...new Set(its.map((request) => place(request[side])))]);
    return [
      forTerminal(clip(outside.connection.http[outside.exchange]!.request!.startLine, 60)),
      `${flow(outside.connection)} then ${flow(inside.connection)}`,
      `${at('outside')}, then ${at('inside')}`,
      nanoseconds < 0 ? `${duration(-nanoseconds)} before it was whole` : `after ${duration(nanoseconds)}`,
      isAnswerSame === false ? 'another answer' : '',
    ];
  });
  const left = found.length - rows.length;
  return `  requests passed on by a proxy, on another connection\n${table(rows, '    ')}${left > 0 ? `    and ${count(left, 'request')} more\n` : ''}`;
}
