// Segmentation offload sends as one packet here what is several there; such packets are joined by the ranges of bytes that they carry.
import { groupBy } from './groups.ts';
import type { Rows } from './rows.ts';
import { compareSequences, endOf, startOf, type Place, type Sight } from './sight.ts';

/**
 * Joins by ranges of bytes what segmentation offload sends as one packet here and as several there. Flows are the same
 * where other packets of theirs are twins already.
 */
export function joinByRange(sights: readonly Sight[], rows: Rows): void {
  const data = sights.filter(({ packet }) => packet.tcp && packet.tcp.payloadLength > 0);
  const byPlace = groupBy(data, ({ place }) => place);
  for (const [first, others] of placesOfOneFlow(rows))
    for (const other of others) {
      const [a, b] = [byPlace.get(first), byPlace.get(other)];
      if (a === undefined || b === undefined) continue;
      for (let round = 0; round < MAXIMUM_COPIES; round++) {
        const found = commonRanges(run(a, other), run(b, first));
        if (found.length === 0) break;
        for (const places of found) rows.add(places);
      }
    }
}

/** Places that had packets of the same flow: with each the higher ones. */
function placesOfOneFlow(rows: Rows): Map<number, Set<number>> {
  const pairs = new Map<number, Set<number>>();
  for (const row of rows.all())
    for (const [a] of row)
      for (const [b] of row) {
        if (a!.place >= b!.place) continue;
        const others = pairs.get(a!.place);
        if (others === undefined) pairs.set(a!.place, new Set([b!.place]));
        else others.add(b!.place);
      }
  return pairs;
}

/** So many times at most is a range sent again before its copies are left alone. */
const MAXIMUM_COPIES = 16;

/** The first copies of what has no twin at the other place, without overlaps, in order of sequence numbers. */
function run(sights: readonly Sight[], other: number): Sight[] {
  const alone = sights.filter(({ row }) => !row?.some(([first]) => first!.place === other));
  const result: Sight[] = [];
  for (const sight of alone.sort(compareSequences)) {
    const last = result.at(-1);
    if (last === undefined || ((startOf(sight) - endOf(last)) | 0) >= 0) result.push(sight);
  }
  return result;
}

/** Walks both runs and cuts where a range ends in both; each is contiguous and holds the same bytes. */
function commonRanges(a: readonly Sight[], b: readonly Sight[]): Place[][] {
  const result: Place[][] = [];
  let [i, j] = [0, 0];
  while (i < a.length && j < b.length) {
    const order = (startOf(a[i]!) - startOf(b[j]!)) | 0;
    if (order !== 0) {
      if (order < 0) i++;
      else j++;
      continue;
    }
    const [left, right] = [[a[i++]!], [b[j++]!]];
    let gap = gapBetween(left, right);
    while (gap !== 0) {
      const [side, next] = gap < 0 ? [left, a[i]] : [right, b[j]];
      if (next === undefined || startOf(next) !== endOf(side.at(-1)!)) break;
      side.push(next);
      if (side === left) i++;
      else j++;
      gap = gapBetween(left, right);
    }
    if (gap === 0 && isSameContent(left, right)) result.push([left, right]);
  }
  return result;
}

/** How many bytes further than the other the left one goes. */
function gapBetween(left: Place, right: Place): number {
  return (endOf(left.at(-1)!) - endOf(right.at(-1)!)) | 0;
}

/** What was not captured whole is believed. */
function isSameContent(a: Place, b: Place): boolean {
  const payloads = [a, b].map((place) => place.map(({ packet }) => packet.tcp!));
  if (payloads.flat().some(({ payload, payloadLength }) => payload.length < payloadLength)) return true;
  const [left, right] = payloads.map((segments) => Buffer.concat(segments.map(({ payload }) => payload)));
  return left!.equals(right!);
}
