// Whether every connection of a load is accounted for: what the clients' generators counted, the connections at each place that captures,
// the lines in the backends' access logs. All must be the number that was wanted. Pure.
import { rolesOf, type Place } from './roles.ts';
import type { Check, Verdict } from './types.ts';
import type { Topology } from '../topology/types.ts';
import { count, list } from './words.ts';

/** What a client's generator says of its share. */
export interface ClientAccount {
  readonly client: string;
  readonly wanted: number;
  /** Requests begun; answered, whatever the status; answered with 2xx or 3xx; given up for want of an answer. */
  readonly started?: number;
  readonly answered?: number;
  readonly good?: number;
  readonly timeout?: number;
  /** Answers a second. */
  readonly perSecond?: number;
  /** Why there is no account. */
  readonly problem?: string;
}

/** A capture on disk, and what tcpdump said of it. */
export interface LoadCapture {
  readonly name: string;
  readonly node: string;
  readonly interface: string;
  readonly path: string;
  readonly dropped?: number;
  readonly incomplete?: string;
}

/** The connections of one side of one capture. */
export interface Side {
  readonly capture: string;
  readonly node: string;
  readonly place: Place;
  /** Connections whose SYN was captured. */
  readonly opened: number;
  /** Those with handshake, request, answer and end. */
  readonly whole: number;
  /** Segments sent again. */
  readonly sentAgain: number;
  readonly incomplete?: string;
  /** At clients: nanoseconds from SYN to the answer's first byte, and from the first SYN to the last answer. */
  readonly answerTimes?: readonly number[];
  readonly nanoseconds?: number;
}

export interface LoadEvidence {
  readonly topology: Topology;
  /** Connections of all clients together. */
  readonly wanted: number;
  readonly clients: readonly ClientAccount[];
  readonly captures: readonly LoadCapture[];
  readonly sides: readonly Side[];
  readonly logs: ReadonlyMap<string, number>;
}

export interface LoadFigures {
  readonly answered: number;
  /** By place: connections that began; nothing where nothing is captured. */
  readonly connections: Readonly<Partial<Record<Place, number>>>;
  /** By backend. */
  readonly atBackends: Readonly<Record<string, number>>;
  readonly logLines: Readonly<Record<string, number>>;
  /** Packets that captures lost; nothing when one did not tell. */
  readonly dropped: number | undefined;
  /** Segments sent again, as the clients saw it. */
  readonly sentAgain: number;
  /** Answered, from the clients' packets; as the generators say it where nothing is captured. */
  readonly requestsPerSecond: number | undefined;
  /** Nanoseconds from SYN to the answer's first byte. */
  readonly latency:
    { readonly p50: number; readonly p90: number; readonly p99: number; readonly max: number } | undefined;
}

const sum = (numbers: Iterable<number>) => [...numbers].reduce((total, number) => total + number, 0);

/** The nearest rank: the smallest value that so large a share of all does not exceed. */
const percentile = (sorted: Float64Array, share: number) =>
  sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)]!;

const at = ({ sides }: LoadEvidence, place: Place) => sides.filter((side) => side.place === place);

/** Of nodes that capture at several interfaces a connection is at one of them. */
const opened = (sides: readonly Side[]) => sum(sides.map((side) => side.opened));

function byNode(sides: readonly Side[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const side of sides) counts[side.node] = (counts[side.node] ?? 0) + side.opened;
  return counts;
}

const ownRate = (clients: readonly ClientAccount[]) =>
  sum(clients.map(({ perSecond = 0 }) => perSecond)) || undefined;

/** What is shown of a load. */
export function loadFigures(evidence: LoadEvidence): LoadFigures {
  const { clients, captures, logs } = evidence;
  const atClients = at(evidence, 'client');
  const times = Float64Array.from(atClients.flatMap((side) => side.answerTimes ?? [])).sort();
  const seconds = Math.max(0, ...atClients.map((side) => side.nanoseconds ?? 0)) / 1e9;
  const places = (['client', 'outside', 'inside', 'backend'] as const).flatMap((place) => {
    const sides = at(evidence, place);
    return sides.length === 0 ? [] : [[place, opened(sides)] as const];
  });
  const dropped = captures.map((capture) => capture.dropped);
  return {
    answered: sum(clients.map(({ good }) => good ?? 0)),
    connections: Object.fromEntries(places),
    atBackends: byNode(at(evidence, 'backend')),
    logLines: Object.fromEntries(logs),
    dropped: dropped.includes(undefined) ? undefined : sum(dropped as number[]),
    sentAgain: sum(atClients.map((side) => side.sentAgain)),
    requestsPerSecond: seconds === 0 ? ownRate(clients) : times.length / seconds,
    latency:
      times.length === 0
        ? undefined
        : {
            p50: percentile(times, 0.5),
            p90: percentile(times, 0.9),
            p99: percentile(times, 0.99),
            max: times.at(-1)!,
          },
  };
}

const TITLES = {
  requests: 'Every request was made and answered',
  client: 'Every connection is in the captures at the clients, whole',
  outside: 'Every connection reached the balancer',
  inside: 'Every connection left the balancer for a backend',
  backend: 'Every connection is in the captures at the backends',
  logs: 'Every request has its line in an access log',
} as const;

type Account = keyof typeof TITLES;

const check = (account: Account, verdict: Omit<Verdict, 'evidence'>, judged = true): Check => ({
  id: `load.${account}`,
  title: TITLES[account],
  judged,
  evidence: [],
  ...verdict,
});

function requestsCheck({ clients, wanted }: LoadEvidence): Check {
  const expected = `${count(wanted, 'request')}, each answered`;
  const problems = clients.flatMap(({ client, problem }) =>
    problem === undefined ? [] : `${client}: ${problem}`,
  );
  if (problems.length > 0) return check('requests', { status: 'fail', expected, observed: list(problems) });
  const [started, answered, good, timeout] = (['started', 'answered', 'good', 'timeout'] as const).map(
    (key) => sum(clients.map((client) => client[key] ?? 0)),
  ) as [number, number, number, number];
  const isAll = started === wanted && good === wanted;
  const rest = [
    ...(started === wanted ? [] : [`${wanted - started} never sent`]),
    ...(answered === good ? [] : [`${answered - good} answered with an error`]),
    ...(timeout === 0 ? [] : [`${timeout} given up`]),
    ...(started === answered + timeout ? [] : [`${started - answered - timeout} broken off`]),
  ];
  return check('requests', {
    status: isAll ? 'pass' : 'fail',
    expected,
    observed: `${count(started, 'request')}, ${good} answered${rest.length === 0 ? '' : `: ${list(rest)}`}`,
  });
}

function placeCheck(evidence: LoadEvidence, place: Place): Check {
  const { wanted } = evidence;
  const sides = at(evidence, place);
  // Answers may pass by elsewhere: DSR's never come by the balancer, and a backend's may leave by another interface.
  const hasBothWays = place === 'client';
  const expected = `${count(wanted, 'connection')}${hasBothWays ? ', each with handshake, request, answer and end' : ''}`;
  if (sides.length === 0)
    return check(place, { status: 'unknown', expected, observed: 'nothing is captured there' }, false);
  const number = opened(sides);
  const broken = sides.filter((side) => side.incomplete !== undefined);
  if (broken.length > 0) {
    const why = [
      ...new Set(broken.map((side) => `the capture ${side.capture} is not whole: ${side.incomplete}`)),
    ];
    return check(place, {
      status: 'unknown',
      expected,
      observed: `${list(why)}; ${count(number, 'connection')} seen`,
    });
  }
  const notWhole = number - sum(sides.map((side) => side.whole));
  const isAll = number === wanted && (!hasBothWays || notWhole === 0);
  const shares = Object.entries(byNode(sides));
  return check(place, {
    status: isAll ? 'pass' : 'fail',
    expected,
    observed:
      count(number, 'connection') +
      (shares.length > 1 ? `: ${list(shares.map(([node, own]) => `${node} ${own}`))}` : '') +
      (hasBothWays && notWhole > 0 ? `; ${notWhole} not whole` : ''),
  });
}

function logsCheck(evidence: LoadEvidence): Check {
  const { wanted, logs, topology } = evidence;
  const backends = rolesOf(topology).backends.map(({ node }) => node);
  const expected = `${count(wanted, 'line')}, as many of each backend as it had connections`;
  if (!backends.every((node) => logs.has(node)))
    return check('logs', { status: 'unknown', expected, observed: 'a backend has no log of ours' }, false);
  const lines = sum(backends.map((node) => logs.get(node)!));
  const shares = backends.map((node) => `${node} ${logs.get(node)!}`);
  const sides = at(evidence, 'backend').filter((side) => side.incomplete === undefined);
  const differing = Object.entries(byNode(sides)).filter(([node, own]) => logs.get(node) !== own);
  const disagreements = differing.map(([node, own]) => `${node} had ${count(own, 'connection')}`);
  return check('logs', {
    status: lines === wanted && differing.length === 0 ? 'pass' : 'fail',
    expected,
    observed: [`${count(lines, 'line')}: ${list(shares)}`, ...disagreements].join('; '),
  });
}

/** The accounts of a load: each `pass` when it has every connection, `unknown` when its captures lost packets, else `fail`. */
export function judgeLoad(evidence: LoadEvidence): Check[] {
  return [
    requestsCheck(evidence),
    ...(['client', 'outside', 'inside', 'backend'] as const).map((place) => placeCheck(evidence, place)),
    logsCheck(evidence),
  ];
}
