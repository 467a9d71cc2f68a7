// HTTP as captured: headers and statuses.
import { firstOf } from '../claim.ts';
import type { HttpMessage } from '../../pcap/index.ts';
import { compilePattern, type Pattern } from '../../topology/pattern.ts';
import type { HeaderAssertion, HeaderValue, StatusAssertion } from '../../topology/types.ts';
import { header } from '../measure.ts';
import { MissingEvidenceError } from '../observe.ts';
import { count, list, spread } from '../words.ts';
import type { Judge } from './kind.ts';
import {
  at,
  beginningOf,
  citeNumbers,
  exchangesAt,
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
  // Others are refused when the file is read.
  const pattern = compilePattern(value.matches) as Pattern;
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
      evidence: citeMessages(firstOf(wrong, messages)),
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

/** The packets of each answer; of a request that has none, its connection's beginning. */
export function citeAsked(asked: readonly Asked[]) {
  return citeNumbers(
    asked.flatMap(({ seen, exchange }) => {
      if (seen === undefined) return [];
      const answer = exchange?.response;
      return answer === undefined ? [beginningOf(seen)] : [[seen.point, answer.packets] as const];
    }),
  );
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
      evidence: citeAsked(firstOf(wrong, asked)),
    };
  },
};
