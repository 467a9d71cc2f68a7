// Loads side by side: a row of counts and times for each, and what is not accounted for.
import type { ChalkInstance } from 'chalk';
import type { Kernel } from '../sandbox/start.ts';
import { summary } from '../verify/index.ts';
import type { LoadFigures } from '../verify/load.ts';
import type { Check } from '../verify/types.ts';
import { duration } from '../verify/words.ts';
import { forTerminal } from './escape.ts';
import { table } from './table.ts';

export interface LoadResult {
  readonly lab: string;
  readonly method: string | undefined;
  readonly kernel: Kernel;
  readonly wanted: number;
  /** Connections a second that were asked for. */
  readonly rate: number | undefined;
  readonly figures: LoadFigures;
  readonly checks: readonly Check[];
  readonly milliseconds: number;
}

const HEADS = [
  ...[
    'LAB',
    'REQUESTS',
    'ANSWERED',
    'CLIENT',
    'OUTSIDE',
    'INSIDE',
    'BACKENDS',
    'LOG LINES',
    'DROPPED',
    'REQ/S',
  ],
  ...['P50', 'P90', 'P99', 'MAX'],
];

const shown = (number: number | undefined) => (number === undefined ? '-' : String(Math.round(number)));

function row({ lab, wanted, figures }: LoadResult): string[] {
  const { connections, latency } = figures;
  const shares = (counts: Readonly<Record<string, number>>) => Object.values(counts).join('+') || '-';
  const times = latency === undefined ? [] : [latency.p50, latency.p90, latency.p99, latency.max];
  return [
    lab,
    shown(wanted),
    shown(figures.answered),
    shown(connections.client),
    shown(connections.outside),
    shown(connections.inside),
    shares(figures.atBackends),
    shares(figures.logLines),
    shown(figures.dropped),
    shown(figures.requestsPerSecond),
    ...(times.length === 0 ? ['-', '-', '-', '-'] : times.map(duration)),
  ];
}

/** The verdict on one load: a line, and one for each account that does not agree. */
function verdictText(
  { lab, kernel, wanted, checks, milliseconds }: LoadResult,
  paint: ChalkInstance,
): string {
  const status = summary(checks);
  const where = kernel === 'uml' ? 'on a user-mode kernel' : "on this machine's kernel";
  const word = {
    pass: paint.green(`✓ ${lab}: all ${wanted} connections accounted for`),
    fail: paint.red(`✗ ${lab}: not all of ${wanted} connections are accounted for`),
    unknown: paint.yellow(`? ${lab}: undecided, the evidence is not whole`),
  }[status];
  const lines = checks
    .filter((check) => check.judged && check.status !== 'pass')
    .map(
      (check) =>
        `    ${check.id}  ${check.title}\n` +
        `      expected  ${forTerminal(check.expected)}\n      observed  ${forTerminal(check.observed)}\n`,
    );
  return `${word}, ${where}, in ${(milliseconds / 1000).toFixed(1)} s\n${lines.join('')}`;
}

/** A table of all, and a verdict on each. */
export function loadText(results: readonly LoadResult[], paint: ChalkInstance): string {
  return table([HEADS, ...results.map(row)]) + results.map((result) => verdictText(result, paint)).join('');
}

/** `lblab/load@1`. Times in milliseconds. */
export function loadDocument(results: readonly LoadResult[]) {
  const milliseconds = (nanoseconds: number) => Math.round(nanoseconds / 1000) / 1000;
  return {
    schema: 'lblab/load@1',
    loads: results.map(({ figures: { latency, ...figures }, checks, ...result }) => ({
      ...result,
      milliseconds: Math.round(result.milliseconds),
      status: summary(checks),
      ...figures,
      ...(latency && {
        latency: {
          p50: milliseconds(latency.p50),
          p90: milliseconds(latency.p90),
          p99: milliseconds(latency.p99),
          max: milliseconds(latency.max),
        },
      }),
      checks,
    })),
  };
}
