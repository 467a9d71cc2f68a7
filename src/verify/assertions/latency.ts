// How long a packet, or through a proxy a request, takes from one place to another.
import type { LatencyAssertion, PointGroup, Way } from '../../topology/types.ts';
import { median } from '../measure.ts';
import { MissingEvidenceError, type Observation } from '../observe.ts';
import { count, duration } from '../words.ts';
import { limitsText } from './http.ts';
import type { Judge } from './kind.ts';
import { at, citeNumbers, pointsAt, WAY_WORDS } from './places.ts';
import { tracesOf, type Passage, type Trace } from './paths.ts';

interface Sample {
  readonly first: Passage;
  readonly second: Passage;
  /** Nanoseconds. */
  readonly taken: bigint;
}

/** The balancer's capture points on one of its sides. */
function sideOf({ evidence, roles }: Observation, side: 'outside' | 'inside'): PointGroup {
  const points = [...evidence.captures.values()]
    .filter((point) => point.node === roles.balancer?.name && roles[side].has(point.interface))
    .map(({ name }) => name);
  if (points.length === 0) throw new MissingEvidenceError(`nothing was captured on the balancer's ${side}`);
  return { name: side, points };
}

/** From the first passage at one place to the next at the other; on one interface from the first to the second. */
function between({ passages }: Trace, from: PointGroup, to: PointGroup): Sample | undefined {
  const first = passages.find(({ point }) => from.points.includes(point.name));
  if (first === undefined) return undefined;
  const second = passages.find(
    (passage) => passage !== first && passage.time >= first.time && to.points.includes(passage.point.name),
  );
  return second && { first, second, taken: second.time - first.time };
}

function sample(
  seen: Observation,
  of: 'packets' | 'requests',
  way: Way,
  from: PointGroup,
  to: PointGroup,
): Sample[] {
  return tracesOf(seen, of).flatMap((trace) => {
    if (way !== 'both' && trace.toServer !== (way === 'to-server')) return [];
    const found = trace.toServer ? between(trace, from, to) : between(trace, to, from);
    return found === undefined ? [] : [found];
  });
}

export const latencyJudge: Judge<LatencyAssertion> = {
  expected: (statement) => {
    const { from, to, way } = statement;
    const where =
      from === undefined || to === undefined ? 'through the balancer' : `between ${from.name} and ${to.name}`;
    return `packets${WAY_WORDS[way]} take ${limitsText(statement)} ${where}`;
  },
  measure: ({ from, to, way, median: middle, max, min }, seen) => {
    const start = from ?? sideOf(seen, 'outside');
    const end = to ?? sideOf(seen, 'inside');
    pointsAt(seen, start);
    pointsAt(seen, end);
    const packets = sample(seen, 'packets', way, start, end);
    const samples = packets.length > 0 ? packets : sample(seen, 'requests', way, start, end);
    if (samples.length === 0) {
      throw new MissingEvidenceError(
        `no packet${WAY_WORDS[way]} was captured both ${at(start)} and ${at(end)}`,
      );
    }
    const times = samples.map(({ taken }) => taken);
    const middleTime = median(times);
    const shortest = times.reduce((a, b) => (a < b ? a : b));
    const longest = times.reduce((a, b) => (a > b ? a : b));
    const wrong = samples.filter(
      ({ taken }) => (max !== undefined && taken > BigInt(max)) || (min !== undefined && taken < BigInt(min)),
    );
    return {
      holds: wrong.length === 0 && (middle === undefined || middleTime <= BigInt(middle)),
      observed:
        `${count(samples.length, packets.length > 0 ? 'packet' : 'message')}: median ${duration(middleTime)}, ` +
        `${duration(shortest)} to ${duration(longest)}`,
      evidence: citeNumbers(
        (wrong.length > 0 ? wrong : samples).flatMap(({ first, second }) =>
          [first, second].map(({ point, packets: numbers }) => [point, numbers] as const),
        ),
      ),
    };
  },
};
