// Draws a ladder as SVG: rails, and each packet as one arrow through the machines that passed it on. What a pointer rests on is told in
// full. Every sighting is a dot where its rail crosses its packet's line.
import { packetLine } from '../packet.ts';
import { ascii } from '../ladder/labels.ts';
import { HopWords, isInterior, labelGap } from '../ladder/layout.ts';
import { machineName } from '../ladder/notes.ts';
import type { Hop, Ladder, Leg, Row, Sight } from '../ladder/types.ts';
import { markup, NONE, type Markup } from './markup.ts';

/** Pixels. */
const ROW = 30;
const CHARACTER = 7.25;
const GUTTER = 84;
const MARGIN = 40;
const WIRE = 64;
const LABELLED = 150;
const INTERIOR = 26;
const WIDEST = 1030;
const WIDEST_WIRE = 420;
const HEAD = 9;
const DOT = 3.5;
const LINE = 15;

interface Place {
  /** Of each rail. */
  readonly x: readonly number[];
  readonly top: number;
  readonly width: number;
  readonly height: number;
  readonly length: 'changes' | 'values' | 'fields' | 'mark';
  readonly words: HopWords;
}

export interface LadderSvgOptions {
  /** What the drawing is called to those who do not see it. */
  readonly title: string;
}

/** @param ladder with one row at least */
export function ladderSvg(ladder: Ladder, { title }: LadderSvgOptions): Markup {
  const place = placeOf(ladder);
  const { width, height } = place;
  const first = ladder.rows[0]!.time;
  const rows = ladder.rows.map((row, index) => rowSvg(ladder, place, row, index, row.time - first));
  return markup`<svg role="img" class="ladder" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" aria-label="${title}">${headSvg(ladder, place)}${rows}</svg>`;
}

function headLines(ladder: Ladder): number {
  const lines = ladder.machines.map(
    ({ rails, also }) => Math.max(...rails.map((rail) => ladder.rails[rail]!.addresses.length)) + also.length,
  );
  return Math.max(...lines);
}

function placeOf(ladder: Ladder): Place {
  const words = new HopWords(ladder);
  const [left, right] = [marginAt(ladder, 0), marginAt(ladder, ladder.machines.length - 1)];
  const gaps = ladder.rails.slice(1).map((_, gap) => gap);
  const labels = gaps.map(() => 0);
  for (const row of ladder.rows) {
    const gap = labelGap(ladder, row);
    if (gap >= 0) labels[gap] = Math.max(labels[gap]!, Math.min(row.label.length, 40));
  }
  const addresses = gaps.map((gap) => {
    const [a, b] = [ladder.rails[gap]!, ladder.rails[gap + 1]!];
    const longest = (texts: readonly string[]) => Math.max(0, ...texts.map((text) => text.length));
    return (longest(a.addresses) + longest(b.addresses)) * 3.4 + 14;
  });
  const widths = (length: Place['length']) =>
    gaps.map((gap) => {
      if (!isInterior(ladder, gap)) {
        const longest = labels[gap] ?? 0;
        const label = longest === 0 ? WIRE : Math.max(LABELLED, longest * CHARACTER + 44);
        return Math.max(label, addresses[gap]!);
      }
      const texts = ladder.rows.flatMap((row) => [
        ...row.hops.flatMap((hop, index) => (hopGap(row, index) === gap ? [words.of(hop, length)] : [])),
        ...row.past.map((machine) => `past ${machineName(ladder, machine)}`),
        ...(row.isAnew ? ['asked anew'] : []),
      ]);
      const same = ladder.rails[gap] === ladder.rails[gap + 1];
      const names = same ? 0 : addresses[gap]! + 10;
      return Math.max(INTERIOR, names, ...texts.map((text) => text.length * CHARACTER + 24));
    });
  const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0);
  const lengths = ['changes', 'values', 'fields', 'mark'] as const;
  const length = lengths.find((each) => GUTTER + left + sum(widths(each)) + right <= WIDEST) ?? 'mark';
  const its = widths(length);
  const room = WIDEST - GUTTER - left - right - sum(its);
  const wires = gaps.filter((gap) => labels[gap]! > 0 && !isInterior(ladder, gap));
  for (const gap of wires) its[gap] = Math.min(WIDEST_WIRE, its[gap]! + Math.max(0, room) / wires.length);
  const x: number[] = [];
  let at = GUTTER + left;
  ladder.rails.forEach((_, rail) => {
    if (rail > 0) at += its[rail - 1]!;
    x.push(Math.round(at));
  });
  const top = 44 + headLines(ladder) * LINE;
  return {
    x,
    top,
    length,
    words,
    width: Math.round(at + right),
    height: top + ladder.rows.length * ROW + 14,
  };
}

/** Room beside the outermost rail for what is written over it. */
function marginAt(ladder: Ladder, machine: number): number {
  const { rails, also } = ladder.machines[machine]!;
  const texts = [...also, ...rails.flatMap((rail) => ladder.rails[rail]!.addresses)];
  return Math.max(MARGIN, ...texts.map((text) => text.length * 3.4 + 4));
}

/** The gap within a machine that a hop is written in; -1 where its rails are not neighbours. */
function hopGap({ legs }: Row, index: number): number {
  const [a, b] = [legs[index]!.to, legs[index + 1]!.from];
  return Math.abs(a - b) === 1 ? Math.min(a, b) : -1;
}

function headSvg(ladder: Ladder, place: Place): Markup[] {
  const { x, top, height } = place;
  return ladder.machines.map((machine, index) => {
    const rails = machine.rails;
    const [first, last] = [rails[0]!, rails.at(-1)!];
    const center = (x[first]! + x[last]!) / 2;
    const distinct = rails.filter((rail, at) => at === 0 || ladder.rails[rail - 1] !== ladder.rails[rail]);
    const box =
      first === last
        ? NONE
        : markup`<rect class="box" x="${x[first]! - 12}" y="${top - 10}" width="${x[last]! - x[first]! + 24}" height="${height - top + 4}" rx="10"/>`;
    const labels = distinct.map((rail) => {
      const { title, addresses } = ladder.rails[rail]!;
      const at = distinct.length === 1 ? center : x[rail]!;
      return [title, ...addresses]
        .filter((text) => text !== '')
        .map(
          (text, line) =>
            markup`<text class="faint" x="${at}" y="${34 + line * LINE}" text-anchor="middle">${ascii(text)}</text>`,
        );
    });
    const lines = Math.max(...distinct.map((rail) => ladder.rails[rail]!.addresses.length)) + 1;
    const also = machine.also.map(
      (text, line) =>
        markup`<text class="faint" x="${center}" y="${34 + (lines + line) * LINE}" text-anchor="middle">${ascii(text)}</text>`,
    );
    const lanes = rails.map(
      (rail) =>
        markup`<line class="rail" x1="${x[rail]}" y1="${top - 4}" x2="${x[rail]}" y2="${height - 10}"/>`,
    );
    return markup`${box}<text class="name" x="${center}" y="18" text-anchor="middle">${machineName(ladder, index)}</text>${labels}${also}${lanes}`;
  });
}

function rowSvg(ladder: Ladder, place: Place, row: Row, index: number, time: bigint): Markup {
  const y = place.top + index * ROW + ROW / 2 + 4;
  const stamp = `${time / 1_000_000_000n}.${String((time % 1_000_000_000n) / 1000n).padStart(6, '0')}`;
  const legs = row.legs.map((leg, at) => legSvg(place, leg, y, at === row.legs.length - 1));
  const hops = row.hops.map((hop, at) => hopSvg(place, row, at, hop, y));
  const past = row.past.map((machine) => {
    const { rails } = ladder.machines[machine]!;
    return textSvg(place, rails[0]!, rails.at(-1)!, `past ${machineName(ladder, machine)}`, y, 'quiet');
  });
  const from = row.legs[0]!.from;
  const anew =
    row.isAnew && from > 0 && isInterior(ladder, from - 1)
      ? textSvg(place, from - 1, from, 'asked anew', y, 'changed')
      : NONE;
  return markup`<g class="row ${row.isToServer ? 'to-server' : 'to-client'}"><title>${detail(ladder, row)}</title><rect class="band" x="0" y="${y - ROW / 2 - 3}" width="${place.width}" height="${ROW}"/><text class="faint" x="${GUTTER - 12}" y="${y + 4}" text-anchor="end">${stamp}</text>${legs}${hops}${seenSvg(ladder, place, row, y)}${past}${anew}${labelSvg(ladder, place, row, y)}</g>`;
}

/** A packet in full: how long its way took, each sighting as a line, what was rewritten between them. */
function detail(ladder: Ladder, row: Row): string {
  const names = row.seen.map(({ point, packets, packet }) => {
    const more = packets.length > 1 ? ` (and packets ${packets.slice(1).join(', ')})` : '';
    return `${ladder.points[point]!.name}: ${packetLine(packet, { macs: true })}${more}`;
  });
  const hops = row.hops.map(
    ({ machine, nanoseconds }) =>
      `${machineName(ladder, machine)} took ${(nanoseconds / 1000).toFixed(1)} us`,
  );
  return [row.label, ...names, ...hops].join('\n');
}

function legSvg({ x }: Place, leg: Leg, y: number, isLast: boolean): Markup {
  const [from, to] = [x[leg.from]!, x[leg.to]!];
  const step = Math.sign(to - from);
  const isLost = isLast && leg.atTo === 'missing';
  const tip = to - step * DOT;
  const end = isLast && step !== 0 && !isLost ? tip - step * HEAD : isLost ? to - step * 22 : to;
  const middle = (from + to) / 2;
  const half = (a: number, b: number, sight: Sight) =>
    markup`<line class="leg${sight === 'seen' ? '' : ' unseen'}" x1="${a}" y1="${y}" x2="${b}" y2="${y}"/>`;
  const isWhole = leg.atFrom === 'seen' && leg.atTo !== 'not-captured';
  const lines = isWhole
    ? half(from, end, 'seen')
    : markup`${half(from, middle, leg.atFrom)}${half(middle, end, leg.atTo === 'missing' ? 'seen' : leg.atTo)}`;
  const head =
    isLast && step !== 0 && !isLost
      ? markup`<path class="head" d="M${tip} ${y}l${-step * HEAD} -4.5v9z"/>`
      : NONE;
  const cross = isLost ? markup`<path class="lost" d="M${end - 5} ${y - 5}l10 10m0 -10l-10 10"/>` : NONE;
  return markup`${lines}${head}${cross}`;
}

/** What a machine changed, between the rails that a packet came in and went out by. */
function hopSvg(place: Place, { legs }: Row, index: number, hop: Hop, y: number): Markup {
  const [a, b] = [legs[index]!.to, legs[index + 1]!.from];
  if (a === b) return NONE;
  const { x } = place;
  const words = place.words.of(hop, place.length);
  return markup`<line class="hop" x1="${x[a]}" y1="${y}" x2="${x[b]}" y2="${y}"/>${textSvg(place, Math.min(a, b), Math.max(a, b), words, y, 'changed')}`;
}

function textSvg({ x }: Place, first: number, last: number, words: string, y: number, style: string): Markup {
  return words === ''
    ? NONE
    : markup`<text class="${style}" x="${(x[first]! + x[last]!) / 2}" y="${y - 6}" text-anchor="middle">${words}</text>`;
}

/** A dot on each rail where a capture has the packet, with the capture's name and the packet's number. */
function seenSvg(ladder: Ladder, { x }: Place, row: Row, y: number): Markup[] {
  const left = row.seen.map(({ point, packets }) => ({ point, packet: packets[0]! }));
  return row.legs.flatMap(({ from, to, atFrom, atTo }) =>
    [
      { rail: from, sight: atFrom },
      { rail: to, sight: atTo },
    ].flatMap(({ rail, sight }) => {
      const { point } = ladder.rails[rail]!;
      const at = left.findIndex((sighting) => sighting.point === point);
      if (sight !== 'seen' || at < 0) return [];
      const [sighting] = left.splice(at, 1);
      return markup`<circle class="seen" cx="${x[rail]}" cy="${y}" r="${DOT}" data-capture="${ladder.points[point!]!.name}" data-packet="${sighting!.packet}"/>`;
    }),
  );
}

function labelSvg(ladder: Ladder, { x }: Place, row: Row, y: number): Markup {
  const gap = labelGap(ladder, row);
  const at = gap < 0 ? x[row.legs[0]!.from]! + 10 : (x[gap]! + x[gap + 1]!) / 2;
  const room = gap < 0 ? 60 : Math.floor((x[gap + 1]! - x[gap]! - 24) / CHARACTER);
  const label = row.label.length <= room ? row.label : `${row.label.slice(0, Math.max(1, room - 1))}…`;
  const style =
    row.kind === 'request' || row.kind === 'answer'
      ? 'strong'
      : row.kind === 'acknowledgment'
        ? 'quiet'
        : 'plain';
  return markup`<text class="${style}" x="${at}" y="${y - 6}" text-anchor="${gap < 0 ? 'start' : 'middle'}">${label}</text>`;
}
