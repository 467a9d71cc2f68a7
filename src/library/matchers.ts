// Assertions on captures and labs for Vitest's and Jest's `expect.extend`: each says what it expected and what the packets show. With
// nothing to measure both an assertion and its `.not` fail: an empty capture proves nothing.
import type { Connection, HttpMessage } from '../pcap/index.ts';
import { citedLines } from '../report/failure.ts';
import { clip, forTerminal } from '../report/escape.ts';
import { judge, judgeRound } from '../verify/index.ts';
import { rolesOf } from '../verify/roles.ts';
import type { Check, Evidence } from '../verify/types.ts';
import { count, endpoint, list, tally } from '../verify/words.ts';
import { claimsOf } from '../balancers/index.ts';
import {
  checksOf,
  connectionsAt,
  connectionsOf,
  evidenceOf,
  isEvidence,
  requestsOf,
  sharesOf,
  sidesOf,
  unfit,
} from './subjects.ts';

/** What `expect.extend` gives to a matcher, as far as it is used here. */
interface State {
  readonly isNot?: boolean;
}

interface Outcome {
  readonly pass: boolean;
  readonly message: () => string;
}

export interface SpreadOptions {
  /** The backends that there are; default: those of the evidence's topology, or those that answered. */
  readonly over?: readonly string[];
  /** How far the most and the least asked may be apart; default: any distance, but none is left out. */
  readonly within?: number;
}

export type PassDirection = 'both' | 'to-server' | 'to-client';

/** Rows of what was seen, in a failure's message. */
const ROWS = 12;

function lines(rows: readonly string[]): string {
  const shown = rows.slice(0, ROWS).map((row) => `  ${forTerminal(clip(row, 200))}\n`);
  return shown.join('') + (rows.length > ROWS ? `  and ${rows.length - ROWS} more\n` : '');
}

const describe = ({ client, server, state, packets }: Connection) =>
  `${endpoint(client.address, client.port)} > ${endpoint(server.address, server.port)}  ${state}, ${packets.toServer} + ${packets.toClient} packets`;

function outcome(
  pass: boolean,
  sentence: (not: string) => string,
  seen: readonly string[],
  isNot = false,
): Outcome {
  return { pass, message: () => `expected ${sentence(isNot ? 'not ' : '')}\n${lines(seen)}` };
}

/** Neither an assertion nor its negation holds. */
function nothing({ isNot = false }: State, message: string): Outcome {
  return { pass: isNot, message: () => message };
}

/** Both initial sequence numbers, which only one and the same connection has (RFC 9293 section 3.4.1); what is not known agrees. */
function isSame(a: Connection, b: Connection): boolean {
  const known = (x: number | undefined, y: number | undefined) =>
    x === undefined || y === undefined || x === y;
  return a.isn.client !== undefined && a.isn.client === b.isn.client && known(a.isn.server, b.isn.server);
}

const shown = (value: string | RegExp) => (typeof value === 'string' ? JSON.stringify(value) : String(value));

const fits = (value: string, wanted: string | RegExp | undefined) =>
  wanted === undefined ||
  (typeof wanted === 'string'
    ? value === wanted
    : new RegExp(wanted.source, wanted.flags.replace(/[gy]/g, '')).test(value));

function valuesOf({ headers }: HttpMessage, name: string): string[] {
  return headers.filter(([key]) => key.toLowerCase() === name.toLowerCase()).map(([, value]) => value);
}

export const matchers = {
  /** So many TCP connections, in whatever state. */
  toHaveConnections(this: State, received: unknown, expected: number): Outcome {
    const found = connectionsOf('toHaveConnections', received);
    return outcome(
      found.length === expected,
      (not) =>
        `${not}${count(expected, 'TCP connection')}, and there ${found.length === 1 ? 'is' : 'are'} ${found.length}:`,
      found.map(describe),
      this.isNot,
    );
  },

  /** Every connection is opened from this address. */
  toSeeSource(this: State, received: unknown, address: string): Outcome {
    const found = connectionsOf('toSeeSource', received);
    if (found.length === 0)
      return nothing(this, `expected connections from ${address}, and none was captured`);
    const sources = tally(found.map(({ client }) => client.address));
    return outcome(
      sources.length === 1 && sources[0]![0] === address,
      (not) => `every connection ${not}to come from ${address}; they come from:`,
      sources.map(([source, times]) => `${source}  ${count(times, 'connection')}`),
      this.isNot,
    );
  },

  /** Each connection at one place is, by both initial sequence numbers, a connection at every other: TCP ends nowhere in between. */
  toBeOneConnection(this: State, received: unknown): Outcome {
    const [first = [], ...others] = sidesOf('toBeOneConnection', received);
    if (first.length === 0 || others.some((side) => side.length === 0))
      return nothing(this, 'expected connections at every place, and one of them has none');
    const isOne = others.every(
      (side) => side.length === first.length && first.every((a) => side.some((b) => isSame(a, b))),
    );
    const rows = [first, ...others].flatMap((side, index) =>
      side.slice(0, 4).map((connection) => {
        const { client, server } = connection.isn;
        return `place ${index + 1}: ${describe(connection)}, initial sequence numbers ${client ?? '?'} and ${server ?? '?'}`;
      }),
    );
    return outcome(isOne, (not) => `the places ${not}to see the same connections:`, rows, this.isNot);
  },

  /** Every connection of the clients, wherever it was captured, passes all these capture points, in the directions asked for. */
  toPassThrough(
    this: State,
    received: unknown,
    points: string | readonly string[],
    direction: PassDirection = 'both',
  ): Outcome {
    const evidence = evidenceOf('toPassThrough', received);
    const names = typeof points === 'string' ? [points] : points;
    if (names.length === 0) throw unfit('toPassThrough', 'capture points by name');
    const expected = startOf(evidence, names[0]!);
    if (expected.length === 0) return nothing(this, 'expected connections, and none was captured');
    const missing = names.map((name) => {
      const seen = connectionsAt('toPassThrough', evidence, name);
      const left = expected.filter((connection) => {
        const own = seen.filter((other) => isSame(connection, other));
        const isSeen = (way: 'toServer' | 'toClient') => own.some(({ packets }) => packets[way] > 0);
        const toServer = direction === 'to-client' || isSeen('toServer');
        const toClient = direction === 'to-server' || isSeen('toClient');
        return own.length === 0 || !toServer || !toClient;
      });
      return { name, left };
    });
    const how = { both: 'both ways', 'to-server': 'towards the server', 'to-client': 'towards the client' }[
      direction
    ];
    return outcome(
      missing.every(({ left }) => left.length === 0),
      (not) => `${count(expected.length, 'connection')} ${not}to pass ${list(names)} ${how}:`,
      missing.map(({ name, left }) => `${name}  ${expected.length - left.length} of ${expected.length}`),
      this.isNot,
    );
  },

  /** Every HTTP request has this header field; with this value, where one is given. */
  toHaveHeader(this: State, received: unknown, name: string, value?: string | RegExp): Outcome {
    const requests = requestsOf('toHaveHeader', received);
    if (requests.length === 0) return nothing(this, `expected requests with ${name}, and none was captured`);
    const having = requests.filter((request) => valuesOf(request, name).some((each) => fits(each, value)));
    const { isNot = false } = this;
    // `.not` means that none has it, not that one lacks it.
    const pass = isNot ? having.length > 0 : having.length === requests.length;
    const what = value === undefined ? name : `${name}: ${shown(value)}`;
    return outcome(
      pass,
      (not) =>
        `${not === '' ? 'every request' : 'no request'} to have ${what}; ${having.length} of ${requests.length} do:`,
      requests.map(
        (request) =>
          `${request.startLine}  ${
            valuesOf(request, name)
              .map((each) => `${name}: ${each}`)
              .join(', ') || `no ${name}`
          }`,
      ),
      isNot,
    );
  },

  /** Answers come from every backend, and as evenly as asked for. */
  toBeSpread(this: State, received: unknown, { over, within }: SpreadOptions = {}): Outcome {
    const shares = new Map((over ?? []).map((name) => [name, 0]));
    for (const [name, times] of sharesOf('toBeSpread', received)) shares.set(name, times);
    const times = [...shares.values()];
    if (times.every((each) => each === 0))
      return nothing(this, 'expected answers of several backends, and none answered');
    const distance = Math.max(...times) - Math.min(...times);
    return outcome(
      times.length > 1 && !times.includes(0) && (within === undefined || distance <= within),
      (not) =>
        `requests ${not}to be spread over ${over === undefined ? 'the backends' : list(over)}${within === undefined ? '' : `, ${within} apart at most`}:`,
      [...shares].map(([name, each]) => `${name}  ${each}`),
      this.isNot,
    );
  },

  /** The claim holds (every claim, where none is named). What is undecided neither passes nor fails. */
  toPass(this: State, received: unknown, claim?: string): Outcome {
    const evidence = isEvidence(received) ? received : undefined;
    const checks =
      checksOf(received) ??
      (evidence &&
        (claim === undefined
          ? judgeRound(evidence, claimsOf(evidence.topology), { live: true })
          : judge(evidence, [claim], { live: true })));
    if (checks === undefined)
      throw unfit('toPass', 'the evidence of lab.capture(), or the checks of lab.verify()');
    const judged = checks.filter(
      (check) => check.judged && (claim === undefined ? check.level !== 'warning' : check.id === claim),
    );
    if (judged.length === 0)
      return nothing(
        this,
        `expected a verdict on ${claim ?? 'a claim'}, and there is none; judged were ${list(checks.map(({ id }) => id)) || 'none'}`,
      );
    const { isNot = false } = this;
    const pass = isNot
      ? !judged.some(({ status }) => status === 'fail')
      : judged.every(({ status }) => status === 'pass');
    const told = judged.filter(({ status }) => (isNot ? status !== 'fail' : status !== 'pass'));
    return {
      pass,
      message: () =>
        `expected ${claim ?? 'every claim'} ${isNot ? 'to fail' : 'to hold'}\n${told.map((check) => verdict(check, evidence)).join('')}`,
    };
  },
};

function verdict(check: Check, evidence: Evidence | undefined): string {
  const packets = evidence === undefined ? [] : citedLines(check, evidence);
  const word = { pass: 'holds', fail: 'fails', unknown: 'is undecided' }[check.status];
  return (
    `\n${check.id} ${word}: ${forTerminal(check.title)}\n` +
    `  expected  ${forTerminal(check.expected)}\n` +
    `  observed  ${forTerminal(check.observed)}\n` +
    packets.map((line) => `  ${line}\n`).join('')
  );
}

/** The clients' connections, wherever they were captured, each once; those of the first point where no client is known. */
function startOf(evidence: Evidence, first: string): readonly Connection[] {
  const { clientAddresses } = rolesOf(evidence.topology);
  const all = [...evidence.captures.values()].flatMap((point) => connectionsOf('toPassThrough', point));
  const own = new Map(
    all
      .filter(({ client, isn }) => clientAddresses.has(client.address) && isn.client !== undefined)
      .map((connection) => [connection.isn.client, connection]),
  );
  return own.size > 0 ? [...own.values()] : connectionsAt('toPassThrough', evidence, first);
}
