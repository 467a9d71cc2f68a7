// How long a packet, or through a proxy a request, takes from one place to another.
import { firstOf } from '../claim.ts';
import type { LatencyAssertion, PointGroup, Way } from '../../topology/types.ts';
import { median } from '../measure.ts';
import { MissingEvidenceError, type Observation } from '../observe.ts';
import { count, duration } from '../words.ts';
import type { Judge } from './kind.ts';
import { at, citeNumbers, pointsAt, WAY_WORDS } from './places.ts';
import { tracesOf, type Passage, type Trace } from './paths.ts';
import { extremes, isOutside, limitsText } from './times.ts';

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
    const where = from === undefined ? 'through the balancer' : `between ${from.name} and ${to!.name}`;
    return `packets${WAY_WORDS[way]} take ${limitsText(statement)} ${where}`;
  },
  measure: ({ from, to, way, median: middle = Number.POSITIVE_INFINITY, max, min }, seen) => {
    const start = from ?? sideOf(seen, 'outside');
    const end = to ?? sideOf(seen, 'inside');
    pointsAt(seen, start);
    pointsAt(seen, end);
    const packets = sample(seen, 'packets', way, start, end);
    const isProxied = packets.length === 0;
    const samples = isProxied ? sample(seen, 'requests', way, start, end) : packets;
    if (samples.length === 0) {
      throw new MissingEvidenceError(
        `no packet${WAY_WORDS[way]} was captured both ${at(start)} and ${at(end)}`,
      );
    }
    const times = samples.map(({ taken }) => taken);
    const middleTime = median(times);
    const [shortest, longest] = extremes(times);
    const wrong = samples.filter(({ taken }) => isOutside(taken, { max, min }));
    return {
      holds: wrong.length === 0 && middleTime <= middle,
      observed:
        `${count(samples.length, isProxied ? 'message' : 'packet')}: median ${duration(middleTime)}, ` +
        `${duration(shortest)} to ${duration(longest)}`,
      evidence: citeNumbers(
        firstOf(wrong, samples).flatMap(({ first, second }) =>
          [first, second].map(({ point, packets: numbers }) => [point, numbers] as const),
        ),
      ),
    };
  },
};
