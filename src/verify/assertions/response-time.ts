// How long answers take, as captured; at a client also those of requests that its log has and that never got so far.
import { firstOf } from '../claim.ts';
import type { HttpExchange } from '../../pcap/index.ts';
import type { PointGroup, ResponseTimeAssertion } from '../../topology/types.ts';
import { median } from '../measure.ts';
import { MissingEvidenceError, type Observation } from '../observe.ts';
import { count, duration } from '../words.ts';
import type { Judge } from './kind.ts';
import {
  at,
  citeNumbers,
  exchangesAt,
  pointsAt,
  requestsAsked,
  type Located,
  type Numbers,
} from './places.ts';
import { extremes, isOutside, limitsText } from './times.ts';

/** What never came comes later than everything else, and than any limit. */
const NEVER = 1n << 127n;

interface Timed {
  /** The packets of a request and its answer; nothing of a request that left none. */
  readonly cited: readonly Numbers[];
  /** Nanoseconds. */
  readonly taken: bigint;
}

function timed({ point, connection }: Located, exchange: HttpExchange | undefined): Timed {
  const { request, response } = exchange ?? {};
  return {
    cited: [
      [point, request?.packets ?? connection.packetNumbers],
      [point, response?.packets ?? []],
    ],
    taken: response === undefined ? NEVER : response.lastTime - (request ?? connection).firstTime,
  };
}

function timedAt(seen: Observation, place: PointGroup): Timed[] {
  const points = pointsAt(seen, place);
  const isClients = points.every(({ node }) => seen.roles.clients.has(node));
  if (!isClients || seen.evidence.requests === undefined) {
    return exchangesAt(seen, place)
      .filter(({ exchange: { request } }) => request !== undefined)
      .map(({ exchange, ...located }) => timed(located, exchange));
  }
  return [...new Set(points.map(({ node }) => node))]
    .flatMap((client) => requestsAsked(seen, { requests: 'all', client }))
    .map((asked) =>
      asked.seen === undefined ? { cited: [], taken: NEVER } : timed(asked.seen, asked.exchange),
    );
}

export const responseTimeJudge: Judge<ResponseTimeAssertion> = {
  expected: (statement) => `answers ${at(statement.at)} take ${limitsText(statement)}`,
  measure: ({ at: place, median: middle = Number.POSITIVE_INFINITY, max }, seen) => {
    const all = timedAt(seen, place);
    if (all.length === 0) throw new MissingEvidenceError(`no HTTP request was captured ${at(place)}`);
    const times = all.map(({ taken }) => taken);
    const answered = times.filter((taken) => taken !== NEVER);
    const silent = all.length - answered.length;
    const slow = all.filter(({ taken }) => isOutside(taken, { max }));
    return {
      holds: slow.length === 0 && median(times) <= middle,
      observed:
        answered.length === 0
          ? `none of ${count(all.length, 'request')} was answered`
          : `${count(answered.length, 'answer')}: median ${duration(median(answered))}, longest ${duration(extremes(answered)[1])}` +
            (silent === 0 ? '' : `; ${count(silent, 'request')} without an answer`),
      evidence: citeNumbers(firstOf(slow, all).flatMap(({ cited }) => cited)),
    };
  },
};
