// How many connections, packets and bytes pass a capture point.
import { firstOf } from '../claim.ts';
import { packetNumbered } from '../../pcap/index.ts';
import type { ConnectionsAssertion, Range, VolumeAssertion, Way } from '../../topology/types.ts';
import { MissingEvidenceError, type Observation } from '../observe.ts';
import { count, list, tally } from '../words.ts';
import type { Judge } from './kind.ts';
import {
  at,
  citeConnections,
  citeNumbers,
  connectionsAt,
  openedAt,
  partyText,
  WAY_WORDS,
  type Located,
} from './places.ts';

const isWithin = (value: number, { min, max }: Range) =>
  value >= (min ?? 0) && value <= (max ?? Number.POSITIVE_INFINITY);

/** `10 packets`, `at least 1 packet`, `1 to 20 packets`; no range is open at both ends. */
function rangeText({ min, max }: Range, noun: string): string {
  if (max === undefined) return `at least ${count(min!, noun)}`;
  if (min === undefined) return `at most ${count(max, noun)}`;
  return min === max ? (min === 0 ? `no ${noun}` : count(min, noun)) : `${min} to ${count(max, noun)}`;
}

/** As many as were sent from there: at a client its own requests, elsewhere those of all. */
function sent(statement: ConnectionsAssertion, { evidence }: Observation): number {
  const { requests } = evidence;
  if (requests === undefined) throw new MissingEvidenceError('there is no log of requests');
  const nodes = new Set(statement.at.points.map((name) => evidence.captures.get(name)?.node));
  const own = requests.filter(({ client }) => nodes.has(client));
  return firstOf(own, requests).length;
}

function selected(statement: ConnectionsAssertion, seen: Observation): Located[] {
  const { from, to, states } = statement;
  return openedAt(seen, statement.at).filter(
    ({ connection: { client, server, state } }) =>
      (from === undefined || from.some(({ addresses }) => addresses.includes(client.address))) &&
      (to === undefined || to.some(({ addresses }) => addresses.includes(server.address))) &&
      (states === undefined || states.includes(state)),
  );
}

export const connectionsJudge: Judge<ConnectionsAssertion> = {
  expected: (statement) => {
    const { from, to, states } = statement;
    const which = [
      ...(states === undefined ? [] : [` that are ${list(states).replace(' and ', ' or ')}`]),
      ...(from === undefined ? [] : [` from ${list(from.map(partyText))}`]),
      ...(to === undefined ? [] : [` to ${list(to.map(partyText))}`]),
    ].join('');
    return statement.count === 'requests'
      ? `as many connections${which} ${at(statement.at)} as requests were sent`
      : `${rangeText(statement.count, 'connection')}${which} ${at(statement.at)}`;
  },
  measure: (statement, seen) => {
    const opened = openedAt(seen, statement.at);
    const found = selected(statement, seen);
    const wanted = statement.count === 'requests' ? sent(statement, seen) : statement.count;
    const range = typeof wanted === 'number' ? { min: wanted, max: wanted } : wanted;
    const others = opened.length - found.length;
    const states = tally(found.map(({ connection }) => connection.state)).map(
      ([state, times]) => `${times} ${state}`,
    );
    return {
      holds: isWithin(found.length, range),
      observed:
        count(found.length, 'connection') +
        (states.length === 0 ? '' : ` (${states.join(', ')})`) +
        (others === 0 ? '' : `, and ${count(others, 'other')}`) +
        (typeof wanted === 'number' ? `; ${count(wanted, 'request')} sent` : ''),
      evidence: citeConnections(firstOf(found, opened)),
    };
  },
};

const DIRECTIONS = {
  'to-server': ['toServer'],
  'to-client': ['toClient'],
  both: ['toServer', 'toClient'],
} as const;

function volumeJudge(unit: 'packets' | 'bytes'): Judge<VolumeAssertion> {
  const noun = unit === 'packets' ? 'packet' : 'byte';
  return {
    expected: ({ at: place, way, per, count: range }) =>
      `${rangeText(range, noun)}${WAY_WORDS[way]} ${at(place)}${per === 'connection' ? ' in each connection' : ''}`,
    measure: ({ at: place, way, per, count: range }, seen) => {
      const found = connectionsAt(seen, place);
      const sizeOf = ({ connection }: Located) =>
        DIRECTIONS[way].reduce((sum, direction) => sum + connection[unit][direction], 0);
      const total = found.reduce((sum, located) => sum + sizeOf(located), 0);
      if (per === 'total') {
        return {
          holds: isWithin(total, range),
          observed: `${count(total, noun)}${WAY_WORDS[way]} in ${count(found.length, 'connection')}`,
          evidence: firstOf(citePackets(found, way), citeConnections(found)),
        };
      }
      if (found.length === 0) throw new MissingEvidenceError(`no connection was captured ${at(place)}`);
      const wrong = found.filter((located) => !isWithin(sizeOf(located), range));
      const sizes = found.map(sizeOf);
      const [low, high] = [Math.min(...sizes), Math.max(...sizes)];
      return {
        holds: wrong.length === 0,
        observed:
          `${low === high ? count(low, noun) : `${low} to ${count(high, noun)}`}${WAY_WORDS[way]} in each of ` +
          count(found.length, 'connection') +
          (wrong.length === 0 ? '' : `, ${wrong.length} outside the limits`),
        evidence: citeConnections(firstOf(wrong, found)),
      };
    },
  };
}

function citePackets(found: readonly Located[], way: Way) {
  const ways: readonly string[] = DIRECTIONS[way];
  return citeNumbers(
    found.map(({ point, connection: { server, packetNumbers } }) => [
      point,
      packetNumbers.filter((number) => {
        const { ip, tcp } = packetNumbered(point.capture.packets, number)!;
        const isToServer = ip?.destination === server.address && tcp?.destinationPort === server.port;
        return ways.includes(isToServer ? 'toServer' : 'toClient');
      }),
    ]),
  );
}

export const packetsJudge = volumeJudge('packets');
export const bytesJudge = volumeJudge('bytes');
