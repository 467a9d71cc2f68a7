// Where a ladder's rails stand in a terminal, and how much can be said between them. Knows how wide things are, not how they look.
import { rewriteWords, type Length } from './labels.ts';
import { FRAME } from './line.ts';
import type { Hop, Ladder, Leg, Row } from './types.ts';

const MINIMUM_WIRE = 4;
const MINIMUM_LABELLED = 14;
const WIDEST_WIRE = 44;
const FOLDED_LABEL = 28;
const LONGEST_LABEL = 34;
export const PAST = 'past';
export const ANEW = 'anew';

/** How rows are written: how much of a rewriting, and where each rail is. */
export interface Layout {
  readonly length: Length | 'mark';
  readonly gutter: number;
  /** Column of each rail. */
  readonly at: readonly number[];
  /** Machines from this one on share the last column. */
  readonly folded: number;
  readonly width: number;
  readonly hasNumbers: boolean;
}

export const isInterior = (ladder: Ladder, gap: number) =>
  ladder.rails[gap]!.machine === ladder.rails[gap + 1]!.machine;

const span = ({ from, to }: Leg): readonly [number, number] => (from < to ? [from, to] : [to, from]);

/** The gap that a row's label is in: the leftmost one between machines that it crosses; -1 where there is none. */
export function labelGap(ladder: Ladder, row: Row): number {
  let best = -1;
  for (const leg of row.legs) {
    const [first, last] = span(leg);
    for (let gap = first; gap < last; gap++) {
      if (isInterior(ladder, gap)) continue;
      if (best === -1 || gap < best) best = gap;
      break;
    }
  }
  return best;
}

/** Words of each rewriting, found once: a ladder has few different ones. */
export class HopWords {
  readonly #ladder: Ladder;
  readonly #known = new Map<Hop['rewrites'], Map<Layout['length'], string>>();

  constructor(ladder: Ladder) {
    this.#ladder = ladder;
  }

  of({ rewrites }: Pick<Hop, 'rewrites'>, length: Layout['length']): string {
    if (length === 'mark') return rewrites.length === 0 ? '' : '*';
    const its = this.#known.get(rewrites) ?? new Map<Layout['length'], string>();
    this.#known.set(rewrites, its);
    const words = its.get(length) ?? rewriteWords(rewrites, length, (mac) => this.#ladder.nameOfMac(mac));
    its.set(length, words);
    return words;
  }
}

export function layOut(ladder: Ladder, words: HopWords, columns: number): Layout {
  const hasNumbers = ladder.shown.length !== 1;
  const last = ladder.rows.at(-1)!;
  const seconds = String((last.time - ladder.rows[0]!.time) / 1_000_000_000n).length;
  const numbers = hasNumbers ? String(ladder.shown.at(-1)?.number ?? 0).length + 2 : 0;
  const gutter = seconds + 7 + numbers + 1;
  const gaps = ladder.rails.length - 1;
  const labels = Array.from({ length: gaps }, () => 0);
  for (const row of ladder.rows) {
    const gap = labelGap(ladder, row);
    if (gap >= 0) labels[gap] = Math.max(labels[gap]!, row.label.length);
  }
  const wanted = labels.map((length) => (length === 0 ? MINIMUM_WIRE : length + FRAME + 1));
  const least = labels.map((length, gap) =>
    isInterior(ladder, gap) ? 0 : length === 0 ? MINIMUM_WIRE : Math.min(wanted[gap]!, MINIMUM_LABELLED),
  );
  const comfortable = wanted.map((width, gap) =>
    isInterior(ladder, gap) ? 0 : Math.min(width, LONGEST_LABEL + FRAME + 1),
  );
  const room = Math.max(40, columns) - gutter - ladder.rails.length - 1;
  const sum = (numbersOf: readonly number[]) => numbersOf.reduce((total, each) => total + each, 0);
  const texts = interiorTexts(ladder);
  const interiors = (length: Layout['length']) => interiorWidths(ladder, words, texts, length);
  const lengths: Layout['length'][] = ['changes', 'values', 'fields', 'mark'];
  const fitting = lengths.find((length) => sum(comfortable) + sum(interiors(length)) <= room);
  const length = fitting ?? lengths.find((each) => sum(least) + sum(interiors(each)) <= room) ?? 'mark';
  // Where not even that fits, machines share a column, and labels name them.
  const isFolded = sum(least) + sum(interiors(length)) > room;
  const widths = interiors(length).map((inside, gap) => {
    if (isInterior(ladder, gap)) return inside;
    if (isFolded && labels[gap]! > 0) return FOLDED_LABEL;
    return (fitting === undefined ? least : comfortable)[gap]!;
  });
  spreadOut(ladder, widths, wanted, room - sum(widths));
  return place(ladder, { length, gutter, hasNumbers }, widths, Math.max(40, columns));
}

/** What is written within machines, each thing once: by gap, rewritings and words. */
function interiorTexts(ladder: Ladder): (readonly [gap: number, text: Pick<Hop, 'rewrites'> | string])[] {
  const known = new Map<Hop['rewrites'] | string, Set<number>>();
  const found: (readonly [number, Pick<Hop, 'rewrites'> | string])[] = [];
  const note = (gap: number, text: Pick<Hop, 'rewrites'> | string) => {
    if (gap < 0 || !isInterior(ladder, gap)) return;
    const key = typeof text === 'string' ? text : text.rewrites;
    const gaps = known.get(key);
    if (gaps?.has(gap) === true) return;
    known.set(key, (gaps ?? new Set()).add(gap));
    found.push([gap, text]);
  };
  for (const { hops, legs, past, isAnew } of ladder.rows) {
    hops.forEach((hop, index) => {
      const [a, b] = [legs[index]!.to, legs[index + 1]!.from];
      if (Math.abs(a - b) === 1) note(Math.min(a, b), hop);
    });
    for (const machine of past) {
      const { rails } = ladder.machines[machine]!;
      if (rails.length > 1) note(rails[0]!, PAST);
    }
    if (isAnew) note(legs[0]!.from - 1, ANEW);
  }
  return found;
}

/** Cells within machines: what stands there and a dash on each side; 0 for gaps between machines. */
function interiorWidths(
  ladder: Ladder,
  words: HopWords,
  texts: ReturnType<typeof interiorTexts>,
  length: Layout['length'],
): number[] {
  const { rails } = ladder;
  const widths = rails.slice(1).map((rail, gap) => {
    if (!isInterior(ladder, gap)) return 0;
    // The interfaces' names side by side, from rail to rail.
    const names = rails[gap] === rail ? 0 : rails[gap]!.title.length + rail.title.length - 1;
    return Math.max(3, Math.min(names, 9));
  });
  for (const [gap, text] of texts) {
    const said = typeof text === 'string' ? (length === 'mark' ? '' : text) : words.of(text, length);
    if (said !== '') widths[gap] = Math.max(widths[gap]!, said.length + FRAME);
  }
  return widths;
}

/** Room that is left makes wires longer: first those whose labels are cut, then all alike. */
function spreadOut(ladder: Ladder, widths: number[], wanted: readonly number[], room: number): void {
  let left = room;
  for (const limit of [(gap: number) => wanted[gap]!, () => WIDEST_WIRE]) {
    for (let isGrowing = true; isGrowing && left > 0;) {
      isGrowing = false;
      for (let gap = 0; gap < widths.length && left > 0; gap++) {
        if (isInterior(ladder, gap) || widths[gap]! >= limit(gap)) continue;
        widths[gap]!++;
        left--;
        isGrowing = true;
      }
    }
  }
}

function place(
  ladder: Ladder,
  fixed: Pick<Layout, 'length' | 'gutter' | 'hasNumbers'>,
  widths: readonly number[],
  columns: number,
): Layout {
  const at: number[] = [];
  let column = fixed.gutter + 1;
  let folded = ladder.machines.length;
  ladder.rails.forEach(({ machine }, rail) => {
    if (machine >= folded) {
      at.push(column);
      return;
    }
    const next = rail === 0 ? column : column + widths[rail - 1]! + 1;
    // Machines for which there is no room share the last column; their rows say who they are.
    if (next > columns - 1 && machine > 0) {
      folded = ladder.rails[rail - 1]!.machine;
      at.push(column);
      return;
    }
    column = next;
    at.push(column);
  });
  return { ...fixed, at, folded, width: column + 1 };
}
