// Where TCP ends, and what TCP suffers on the way.
import { firstOf } from '../claim.ts';
import { ANALYSIS_FLAGS, groupBy } from '../../pcap/index.ts';
import type { AnalysisAssertion, EndToEndAssertion } from '../../topology/types.ts';
import { MissingEvidenceError } from '../observe.ts';
import { count, list } from '../words.ts';
import type { Judge } from './kind.ts';
import { at, citeConnections, citeNumbers, connectionsAt, openedAt, type Located } from './places.ts';

interface Pairs {
  readonly pairs: readonly (readonly [Located, Located])[];
  readonly alone: readonly Located[];
}

/**
 * The same connections at both places: those that share both initial sequence numbers (RFC 9293 section 3.4.1), or the client's alone where
 * one of the places saw no answer.
 */
function pair(first: readonly Located[], second: readonly Located[]): Pairs {
  const waiting = groupBy(second, ({ connection }) => connection.isn.client);
  const taken = new Set<Located>();
  const pairs = first.flatMap((one): [Located, Located][] => {
    const { client, server } = one.connection.isn;
    const other = (waiting.get(client) ?? []).find((candidate) => {
      const theirs = candidate.connection.isn.server;
      return !taken.has(candidate) && (theirs === server || theirs === undefined || server === undefined);
    });
    if (other === undefined) return [];
    taken.add(one).add(other);
    return [[one, other]];
  });
  return { pairs, alone: [...first, ...second].filter((located) => !taken.has(located)) };
}

export const endToEndJudge: Judge<EndToEndAssertion> = {
  expected: ({ connections, from, to }) =>
    connections === 1
      ? `one TCP connection end to end: each connection ${at(from)} is one ${at(to)}, with the same initial sequence numbers`
      : `two TCP connections: none ${at(from)} shares its initial sequence numbers with one ${at(to)}`,
  measure: ({ connections, from, to }, seen) => {
    const first = openedAt(seen, from);
    const second = openedAt(seen, to);
    if (first.length === 0) throw new MissingEvidenceError(`no SYN was captured ${at(from)}`);
    if (second.length === 0 && connections === 2)
      throw new MissingEvidenceError(`no SYN was captured ${at(to)}`);
    const { pairs, alone } = pair(first, second);
    // There is a first, so that where nothing is alone there is a pair.
    const [wrong, right] = connections === 1 ? [alone, pairs.flat()] : [pairs.flat(), alone];
    return {
      holds: wrong.length === 0,
      observed:
        `${count(first.length, 'connection')} ${at(from)}, ${second.length} ${at(to)}; ` +
        (pairs.length === 0 ? 'none is the same' : `${pairs.length} of them the same`),
      evidence: citeConnections(firstOf(wrong, right)),
    };
  },
};

export const analysisJudge: Judge<AnalysisAssertion> = {
  expected: ({ at: place, limits }) => {
    const none = limits.filter(([, max]) => max === 0).map(([flag]) => flag);
    if (none.length === ANALYSIS_FLAGS.length) return `nothing that TCP analysis would flag ${at(place)}`;
    const some = limits.filter(([, max]) => max > 0).map(([flag, max]) => `at most ${max} ${flag}`);
    return `${list([...(none.length === 0 ? [] : [`no ${list(none).replace(' and ', ' or ')}`]), ...some])} ${at(place)}`;
  },
  measure: ({ at: place, limits }, seen) => {
    const found = connectionsAt(seen, place);
    if (found.length === 0) throw new MissingEvidenceError(`no connection was captured ${at(place)}`);
    const counts = limits.map(([flag, max]) => ({
      flag,
      max,
      times: found.reduce((sum, { connection }) => sum + (connection.analysis[flag] ?? 0), 0),
    }));
    const wrong = counts.filter(({ times, max }) => times > max);
    const occurring = counts.filter(({ times }) => times > 0);
    return {
      holds: wrong.length === 0,
      observed:
        `${count(found.length, 'connection')}: ` +
        (occurring.length === 0 ? 'none' : list(occurring.map(({ flag, times }) => `${times} ${flag}`))),
      evidence: firstOf(
        citeNumbers(
          found.map(({ point, connection }) => [
            point,
            wrong.flatMap(({ flag }) => connection.analysisPackets[flag] ?? []),
          ]),
        ),
        citeConnections(found),
      ),
    };
  },
};
