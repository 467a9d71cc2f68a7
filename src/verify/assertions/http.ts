// HTTP as captured: headers, statuses, and how long answers take.
import type { HttpExchange, HttpMessage } from '../../pcap/index.ts';
import { compilePattern, type Pattern } from '../../topology/pattern.ts';
import type {
  HeaderAssertion,
  HeaderValue,
  PointGroup,
  ResponseTimeAssertion,
  StatusAssertion,
} from '../../topology/types.ts';
import { header, median } from '../measure.ts';
import { MissingEvidenceError, type Observation } from '../observe.ts';
import type { CapturedPoint } from '../types.ts';
import { count, duration, list, spread } from '../words.ts';
import type { Judge } from './kind.ts';
import {
  at,
  citeConnections,
  citeNumbers,
  exchangesAt,
  pointsAt,
  partyText,
  requestsAsked,
  type Asked,
  type Located,
} from './places.ts';

/** A value longer than this is not matched: the work would grow with it. */
const MAX_VALUE = 8192;

interface SeenMessage extends Located {
  readonly message: HttpMessage;
}

function isFound(value: string, pattern: Pattern): boolean {
  if (value.length > MAX_VALUE)
    throw new MissingEvidenceError(`a value has ${value.length} characters, too many to match`);
  return pattern.test(value);
}

function valueText(value: HeaderValue): string {
  if ('text' in value) return value.text;
  return 'matches' in value
    ? `something that matches ${value.matches}`
    : `the address of ${partyText(value.address)}`;
}

function tester(value: HeaderValue | undefined): (found: string) => boolean {
  if (value === undefined) return () => true;
  if ('text' in value) return (found) => found === value.text;
  if ('address' in value) return (found) => value.address.addresses.includes(found);
  const pattern = compilePattern(value.matches);
  if (typeof pattern === 'string')
    throw new MissingEvidenceError(`the pattern cannot be matched: ${pattern}`);
  return (found) => isFound(found, pattern);
}

const citeMessages = (messages: readonly SeenMessage[]) =>
  citeNumbers(messages.map(({ point, message }) => [point, message.packets]));

/** Values of several fields of one name are one value, joined by commas (RFC 9110 section 5.3). */
const valueOf = (message: HttpMessage, name: string): string | undefined => {
  const values = header(message, name);
  return values.length === 0 ? undefined : values.join(', ');
};

export const headerJudge: Judge<HeaderAssertion> = {
  expected: ({ at: place, of, header: name, absent, value }) =>
    absent
      ? `no ${of} ${at(place)} has ${name}`
      : `every ${of} ${at(place)} has ${name}${value === undefined ? '' : `: ${valueText(value)}`}`,
  measure: ({ at: place, of, header: name, absent, value }, seen) => {
    const messages = exchangesAt(seen, place).flatMap(({ exchange, ...located }): SeenMessage[] => {
      const message = exchange[of];
      return message === undefined ? [] : [{ ...located, message }];
    });
    if (messages.length === 0) throw new MissingEvidenceError(`no HTTP ${of} was captured ${at(place)}`);
    const isRight = tester(value);
    const wrong = messages.filter(({ message }) => {
      const found = valueOf(message, name);
      return absent ? found !== undefined : found === undefined || !isRight(found);
    });
    // A header that may be in what was not captured is neither there nor absent.
    const cut = messages.find(({ message }) => !message.complete && valueOf(message, name) === undefined);
    if (cut !== undefined) {
      throw new MissingEvidenceError(`a ${of} in ${cut.point.name} was captured in part only`);
    }
    const values = messages.map(({ message }) => valueOf(message, name) ?? `no ${name}`);
    return {
      holds: wrong.length === 0,
      observed: `${count(messages.length, of)} ${at(place)}: ${spread(values, 'with')}`,
      evidence: citeMessages(wrong.length > 0 ? wrong : messages),
    };
  },
};

function statusOf({ exchange }: Asked): number | undefined {
  return exchange?.response?.status;
}

function isStatus(wanted: number | string, status: number): boolean {
  return typeof wanted === 'number' ? status === wanted : wanted.startsWith(String(Math.floor(status / 100)));
}

/** `every request is`, `request 3 is`, `requests 1 and 2 of client2 are`. */
export function requestsText({ requests, client }: Pick<StatusAssertion, 'requests' | 'client'>): string {
  const of = client === undefined ? '' : ` of ${client}`;
  if (requests === 'all') return `every request${of} is`;
  const [plural, verb] = requests.length === 1 ? ['', 'is'] : ['s', 'are'];
  return `request${plural} ${list(requests.map(String))}${of} ${verb}`;
}

/** The answers' packets, or the connections of requests that have none. */
export function citeAsked(asked: readonly Asked[]) {
  const answered = asked.flatMap(({ seen, exchange }) =>
    seen !== undefined && exchange?.response !== undefined
      ? [[seen.point, exchange.response.packets] as const]
      : [],
  );
  const silent = asked.flatMap(({ seen, exchange }) =>
    seen === undefined || exchange?.response !== undefined ? [] : [seen],
  );
  return silent.length > 0 ? citeConnections(silent) : citeNumbers(answered);
}

export const statusJudge: Judge<StatusAssertion> = {
  expected: (statement) =>
    `${requestsText(statement)} answered with status ${list(statement.is.map(String)).replace(' and ', ' or ')}`,
  measure: (statement, seen) => {
    const asked = requestsAsked(seen, statement);
    const wrong = asked.filter((each) => {
      const status = statusOf(each);
      return status === undefined || !statement.is.some((wanted) => isStatus(wanted, status));
    });
    const statuses = asked.map((each) => String(statusOf(each) ?? 'no answer'));
    return {
      holds: wrong.length === 0,
      observed: `${count(asked.length, 'request')}: ${spread(statuses, 'with')}`,
      evidence: citeAsked(wrong.length > 0 ? wrong : asked),
    };
  },
};

interface Timed {
  /** Nothing of a request that left no packet. */
  readonly point?: CapturedPoint;
  readonly packets: readonly number[];
  /** Nanoseconds; nothing without an answer. */
  readonly taken: bigint | undefined;
}

function timed({ point, connection }: Located, exchange: HttpExchange | undefined): Timed {
  const { request, response } = exchange ?? {};
  const isTimed = request !== undefined && response !== undefined;
  return {
    point,
    packets:
      request === undefined ? connection.packetNumbers : [...request.packets, ...(response?.packets ?? [])],
    taken: isTimed ? response.lastTime - request.firstTime : undefined,
  };
}

/** Requests at a place with the time that their answers took; at a client also those that its log has and that never got so far. */
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
      asked.seen === undefined ? { packets: [], taken: undefined } : timed(asked.seen, asked.exchange),
    );
}

export const responseTimeJudge: Judge<ResponseTimeAssertion> = {
  expected: (statement) => `answers ${at(statement.at)} take ${limitsText(statement)}`,
  measure: ({ at: place, median: middle, max }, seen) => {
    const all = timedAt(seen, place);
    if (all.length === 0) throw new MissingEvidenceError(`no HTTP request was captured ${at(place)}`);
    const answered = all.flatMap(({ taken }) => (taken === undefined ? [] : [taken]));
    const silent = all.length - answered.length;
    const slow = all.filter(({ taken }) => taken === undefined || (max !== undefined && taken > BigInt(max)));
    // What never came would have come later than everything else.
    const half = (all.length - 1) >> 1;
    const isMedianRight =
      middle === undefined || (half < answered.length && medianOf(answered, all.length) <= BigInt(middle));
    const longest = answered.length === 0 ? undefined : answered.reduce((a, b) => (a > b ? a : b));
    return {
      holds: (max === undefined || slow.length === 0) && isMedianRight,
      observed:
        (longest === undefined
          ? `none of ${count(all.length, 'request')} was answered`
          : `${count(answered.length, 'answer')}: median ${duration(median(answered))}, longest ${duration(longest)}`) +
        (silent === 0 || longest === undefined ? '' : `; ${count(silent, 'request')} without an answer`),
      evidence: citeNumbers(
        (slow.length > 0 ? slow : all).flatMap(({ point, packets }) =>
          point === undefined ? [] : [[point, packets] as const],
        ),
      ),
    };
  },
};

/** The median of so many values of which only the smaller are known. */
function medianOf(known: readonly bigint[], all: number): bigint {
  return [...known].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))[(all - 1) >> 1]!;
}

/** `a median of at most 5.00 ms, at most 20.0 ms each`. */
export function limitsText({
  median: middle,
  max,
  min,
}: {
  median?: number;
  max?: number;
  min?: number;
}): string {
  return list([
    ...(middle === undefined ? [] : [`a median of at most ${duration(middle)}`]),
    ...(max === undefined ? [] : [`at most ${duration(max)} each`]),
    ...(min === undefined ? [] : [`at least ${duration(min)} each`]),
  ]);
}
