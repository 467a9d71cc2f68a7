// Segmentation offload sends as one packet here what is several there; such packets are joined by the ranges of bytes that they carry.
import { groupBy } from './groups.ts';
import { isLoose, type Rows } from './rows.ts';
import { compareSequences, compareTimes, endOf, startOf, type Place, type Sight } from './sight.ts';

/**
 * Joins by ranges of bytes what segmentation offload sends as one packet here and as several there. Flows are the same
 * where other packets of theirs are twins already.
 */
export function joinByRange(sights: readonly Sight[], rows: Rows): void {
  const data = sights.filter(({ packet: { tcp } }) => tcp !== undefined && tcp.payloadLength > 0);
  const loose = new Set(data.filter(isLoose).map(({ place }) => place));
  if (loose.size === 0) return;
  const byPlace = groupBy(data, ({ place }) => place);
  const pairs = new Map<string, readonly [Sight[], Sight[]]>();
  for (const row of rows.all())
    row.forEach((place, index) => {
      for (const other of row.slice(index + 1)) {
        const [a, b] = [place[0]!.place, other[0]!.place];
        if (!loose.has(a) && !loose.has(b)) continue;
        const [ofA, ofB] = [byPlace.get(a), byPlace.get(b)];
        if (ofA !== undefined && ofB !== undefined && !pairs.has(`${b} / ${a}`))
          pairs.set(`${a} / ${b}`, [ofA, ofB]);
      }
    });
  for (const [a, b] of pairs.values()) {
    for (let round = 0; round < MAXIMUM_COPIES; round++) {
      const found = commonRanges(run(a, b[0]!), run(b, a[0]!));
      if (found.length === 0) break;
      for (const places of found) rows.add(places);
    }
  }
}

/** So many times at most is a range sent again before its copies are left alone. */
const MAXIMUM_COPIES = 16;

/** The first copies of what has no twin at the other place, without overlaps, in order of sequence numbers. */
function run(sights: readonly Sight[], other: Sight): Sight[] {
  const { place } = other;
  const alone = sights.filter((sight) => !sight.row?.some(([first]) => first!.place === place));
  const result: Sight[] = [];
  for (const sight of alone.sort((a, b) => compareSequences(a, b) || compareTimes(a, b))) {
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
    const [left, right]: [Sight[], Sight[]] = [[a[i]!], [b[j]!]];
    const order = (startOf(a[i]!) - startOf(b[j]!)) | 0;
    if (order !== 0) {
      if (order < 0) i++;
      else j++;
      continue;
    }
    let [nextA, nextB] = [i + 1, j + 1];
    let isBroken = false;
    for (;;) {
      const gap = (endOf(left.at(-1)!) - endOf(right.at(-1)!)) | 0;
      if (gap === 0) break;
      const [side, from, next] = gap < 0 ? [left, a, nextA] : [right, b, nextB];
      const sight = from[next];
      if (sight === undefined || startOf(sight) !== endOf(side.at(-1)!)) {
        isBroken = true;
        break;
      }
      side.push(sight);
      if (gap < 0) nextA++;
      else nextB++;
    }
    if (!isBroken && isSameContent(left, right)) result.push([left, right]);
    [i, j] = isBroken ? [i + 1, j + 1] : [nextA, nextB];
  }
  return result;
}

/** What was not captured whole is believed. */
function isSameContent(a: Place, b: Place): boolean {
  const payloads = [a, b].map((place) => place.map(({ packet }) => packet.tcp!));
  if (payloads.flat().some(({ payload, payloadLength }) => payload.length < payloadLength)) return true;
  const [left, right] = payloads.map((segments) => Buffer.concat(segments.map(({ payload }) => payload)));
  return left!.equals(right!);
}
