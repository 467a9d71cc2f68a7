// What a fault cost, for a terminal: one table, and a picture of time in which each request is a dot on the line of who answered it.
import type { ChalkInstance } from 'chalk';
import stringWidth from 'string-width';
import {
  FIGURES,
  isForetold,
  isReliable,
  isWithin,
  LATE,
  type Failover,
  type Figures,
} from '../verify/failover.ts';
import type { Span } from '../verify/foretold.ts';
import type { Status } from '../verify/types.ts';
import { forTerminal } from './escape.ts';
import { table } from './table.ts';

/** Seconds with as many digits as matter. */
export function secondsText(value: number): string {
  if (value >= 9.95) return `${value.toFixed(1)} s`;
  return value >= 0.995 ? `${value.toFixed(2)} s` : `${Math.round(value * 1000)} ms`;
}

/** Who a row is about: the lab, and the client where there are several kinds. */
export function subjectOf({ topology, habit }: Failover): string {
  return forTerminal(habit === undefined ? topology : `${topology}, ${CLIENTS[habit]}`);
}

const CLIENTS = {
  'keeps answers': 'client keeps answers',
  'asks each time': 'client asks each time',
  'tries each address': 'curl as it is',
  'keeps its connection': 'one connection kept',
} as const;

export const FAILOVER_HEADS: Readonly<Record<keyof Figures, string>> = {
  lost: 'LOST',
  lastLost: 'LOST UNTIL',
  silence: 'NO ANSWER FOR',
  slowest: 'SLOWEST ANSWER',
};

export function figureText(key: keyof Figures, value: number | undefined, requests: number): string {
  if (key === 'lost') return `${value} of ${requests}`;
  return value === undefined ? '-' : secondsText(Math.max(0, value));
}

export function spanText(key: keyof Figures, span: Span | undefined): string {
  if (span === undefined) return 'any';
  const one = (value: number) => (key === 'lost' ? String(value) : `${value.toFixed(1)} s`);
  if (one(span.from) === one(span.to)) return one(span.from);
  return span.from === 0 ? `up to ${one(span.to)}` : `${one(span.from)} to ${one(span.to)}`;
}

/** `be1 12, be2 60`. */
export function sharesText(counts: Readonly<Record<string, number>>): string {
  const parts = Object.entries(counts)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([backend, count]) => `${forTerminal(backend)} ${count}`);
  return parts.length === 0 ? 'nobody' : parts.join(', ');
}

/** A figure as the client's log has it, marked where it is not as the configuration allows, or where it may not be relied on. */
export function markedText(row: Failover, key: keyof Figures): { text: string; status: Status } {
  const text = figureText(key, row.log[key], row.requests);
  if (!isReliable(row)) return { text: `${text} ?`, status: 'unknown' };
  return isWithin(row, key) ? { text, status: 'pass' } : { text: `${text} ✗`, status: 'fail' };
}

/** What of a row is not as it should be, each a sentence. */
export function complaints(row: Failover): string[] {
  if (row.late > LATE)
    return [
      `requests began up to ${secondsText(row.late)} late: this machine is too busy to measure by, or its rate too high`,
    ];
  if (row.doubt !== undefined) return [row.doubt];
  const said = FIGURES.filter((key) => !isWithin(row, key)).map(
    (key) =>
      `${FAILOVER_HEADS[key].toLowerCase()} ${figureText(key, row.log[key], row.requests)} (${figureText(key, row.packets[key], row.requests)} by the packets) is not within ${spanText(key, row.allowed[key])}`,
  );
  if (row.agree) return isForetold(row) ? said : [`nothing is foretold: ${row.allowed.why}`];
  const differing = FIGURES.map(
    (key) =>
      `${FAILOVER_HEADS[key].toLowerCase()} ${figureText(key, row.log[key], row.requests)} and ${figureText(key, row.packets[key], row.requests)}`,
  );
  return [...said, `the client's log and the packets differ: ${differing.join(', ')}`];
}

/** The table: of each row the figures, and below them what the configuration allows. */
export function failoverTable(rows: readonly Failover[], paint: ChalkInstance): string {
  const cells = rows.flatMap((row) => [
    [
      subjectOf(row),
      ...FIGURES.map((key) => {
        const { text, status } = markedText(row, key);
        return status === 'pass' ? text : status === 'fail' ? paint.red(text) : paint.yellow(text);
      }),
      sharesText(row.served.after),
    ],
    ['', ...FIGURES.map((key) => paint.dim(spanText(key, row.allowed[key]))), paint.dim(row.allowed.why)],
  ]);
  return table([['', ...FIGURES.map((key) => FAILOVER_HEADS[key]), 'SERVED AFTER'], ...cells]);
}

/** Seconds before the fault that are shown. */
const BEFORE = 1;

interface Axis {
  readonly columns: number;
  /** Seconds that a column is. */
  readonly step: number;
  readonly from: number;
}

function axisOf(rows: readonly Failover[], columns: number): Axis {
  const last = Math.max(1, ...rows.map(({ timeline }) => timeline.at(-1)?.at ?? 0));
  return { columns, step: (last + BEFORE) / columns, from: -BEFORE };
}

const columnOf = ({ from, step, columns }: Axis, at: number) =>
  Math.min(columns - 1, Math.floor((at - from) / step + 1e-9));

/** One line: a mark for each column that has requests, and where the fault came a stroke. */
function lane(
  moments: Failover['timeline'],
  axis: Axis,
  marks: readonly [one: string, more: string],
): string {
  const counts = Array.from({ length: axis.columns }, () => 0);
  for (const { at } of moments) {
    const column = columnOf(axis, at);
    if (column >= 0) counts[column]!++;
  }
  const fault = columnOf(axis, 0);
  return counts
    .map((count, column) =>
      count > 1 ? marks[1] : count === 1 ? marks[0] : column === fault ? '\u2502' : ' ',
    )
    .join('');
}

/** Whole seconds below the picture, as far as they fit. */
function scale(axis: Axis): string {
  const line = Array.from({ length: axis.columns }, () => ' ');
  const every = Math.max(1, Math.ceil(6 * axis.step));
  for (let second = 0; second <= axis.from + axis.columns * axis.step; second += every) {
    const words = second === 0 ? '0 s' : String(second);
    const column = columnOf(axis, second);
    if (column + words.length <= axis.columns)
      for (let index = 0; index < words.length; index++) line[column + index] = words[index]!;
  }
  return line.join('').trimEnd();
}

/** The picture: of each row a line for each backend, and one for what was lost. Seconds count from the fault. */
export function failoverTimeline(rows: readonly Failover[], columns: number, paint: ChalkInstance): string {
  const names = rows.flatMap(({ served }) => [...Object.keys(served.before), ...Object.keys(served.after)]);
  const width = Math.max(4, ...names.map((name) => stringWidth(forTerminal(name)))) + 4;
  const axis = axisOf(rows, Math.max(20, Math.min(columns, 120) - width - 1));
  const pictures = rows.map((row) => {
    const backends = [
      ...new Set([...Object.keys(row.served.before), ...Object.keys(row.served.after)]),
    ].sort();
    const label = (name: string) => `  ${forTerminal(name)}`.padEnd(width);
    const lost = row.timeline.filter(({ isLost }) => isLost);
    return [
      paint.bold(subjectOf(row)),
      ...backends.map(
        (name) =>
          label(name) +
          paint
            .green(
              lane(
                row.timeline.filter(({ backend, isLost }) => backend === name && !isLost),
                axis,
                ['\u00b7', ':'],
              ),
            )
            .trimEnd(),
      ),
      label('lost') + paint.red(lane(lost, axis, ['\u00d7', '\u00d7'])).trimEnd(),
    ].join('\n');
  });
  return `${pictures.join('\n')}\n${' '.repeat(width)}${scale(axis)}\n`;
}

/** What was done, of all rows: `link-down of be1 or lb1, at 20 requests a second of each client`. */
export function failoverTitle(rows: readonly Failover[]): string {
  const distinct = (all: readonly string[]) => [...new Set(all.map(forTerminal))].sort();
  const nodes = distinct(rows.map(({ node }) => node));
  const faults = distinct(rows.map(({ fault }) => fault));
  const rates = [...new Set(rows.map(({ rate }) => rate))].sort((a, b) => a - b);
  if (rows.length === 0) return 'nothing was measured';
  return `${faults.join(' or ')} of ${nodes.join(' or ')}, at ${rates.join(' or ')} requests a second of each client`;
}
