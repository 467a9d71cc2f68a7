// Results for people: what each capture point saw, and each claim with its verdict.
import type { ChalkInstance } from 'chalk';
import { relative } from 'node:path';
import { connections } from '../pcap/index.ts';
import type { CapturedPoint, Check, Evidence, Status } from '../verify/types.ts';
import { forTerminal } from './escape.ts';
import { citedLines, placeText } from './failure.ts';
import { byBackend, succeeded } from './json.ts';
import { table } from './table.ts';
import { nameOf, type Judged, type Reporter } from './types.ts';

export interface TextOptions {
  readonly paint: ChalkInstance;
  readonly cwd: string;
}

const plural = (count: number, noun: string) => `${count} ${noun}${count === 1 ? '' : 's'}`;

/** For each capture point: packets, connections, and the source addresses that opened them. */
export function capturesText(evidence: Evidence, output: string, options: TextOptions): string {
  const rows = [...evidence.captures.values()].map((point: CapturedPoint) => {
    const seen = connections(point.capture).filter((connection) => connection.protocol === 'tcp');
    const sources = [...new Set(seen.map((connection) => connection.client.address))].sort();
    return [
      `${point.name}.pcap`,
      `${point.node}:${point.interface}`,
      plural(point.capture.packets.length, 'packet'),
      plural(seen.length, 'connection'),
      `from ${sources.length === 0 ? 'nobody' : sources.slice(0, 8).join(', ')}${sources.length > 8 ? ', ...' : ''}` +
        (point.incomplete === undefined ? '' : `  (${point.incomplete})`),
    ];
  });
  const folder = relative(options.cwd, output);
  return `  captures in ${folder === '' ? '.' : folder.startsWith('..') ? output : folder}\n${table(rows, '    ')}`;
}

export function requestsText(evidence: Evidence): string {
  if (evidence.requests === undefined) return '';
  const shares = Object.entries(byBackend(evidence)).map(([backend, count]) => `${backend} ${count}`);
  const failures = [...new Set(evidence.requests.flatMap((request) => request.error ?? []))].slice(0, 3);
  return (
    `  ${plural(evidence.requests.length, 'request')}, ${succeeded(evidence)} answered: ${shares.join(', ')}\n` +
    failures.map((words) => `    ${forTerminal(words)}\n`).join('')
  );
}

/** A claim's line; one that did not pass says what was expected, what was seen, and shows the packets. */
export function checkText(check: Check, evidence: Evidence, options: TextOptions): string {
  const { paint } = options;
  const title = forTerminal(check.title);
  if (!check.judged)
    return `  ${paint.dim('-')} ${check.id}  ${title} ${paint.dim(`(${forTerminal(check.observed)})`)}\n`;
  const isWarning = check.level === 'warning';
  const bad = isWarning ? paint.yellow('!') : paint.red('✗');
  const mark = { pass: paint.green('✓'), fail: bad, unknown: paint.yellow('?') }[check.status];
  const note = (check.note ?? '').split('\n').filter((words) => words !== '');
  const notes = note.map((words) => `      ${paint.dim(forTerminal(words))}\n`).join('');
  const line = `  ${mark} ${paint.bold(check.id)}  ${title}\n`;
  if (check.status === 'pass') return `${line}      ${paint.dim(forTerminal(check.observed))}\n${notes}`;
  const observed = check.status === 'fail' && !isWarning ? paint.red : paint.yellow;
  const place =
    check.location === undefined
      ? ''
      : `      at  ${forTerminal(placeText(check.location))}${isWarning ? ', a warning' : ''}\n`;
  return (
    line +
    place +
    (check.expected === check.title ? '' : `      expected  ${forTerminal(check.expected)}\n`) +
    `      observed  ${observed(forTerminal(check.observed))}\n` +
    citedLines(check, evidence)
      .map((words) => `      ${paint.dim(words)}\n`)
      .join('') +
    notes
  );
}

export function checksText(checks: readonly Check[], evidence: Evidence, options: TextOptions): string {
  return checks.map((check) => checkText(check, evidence, options)).join('');
}

/** How many claims hold, in the colour of the worst. */
export function tally(checks: readonly Check[], status: Status, { paint }: TextOptions): string {
  const judged = checks.filter((check) => check.judged);
  const warnings = judged.filter((check) => check.level === 'warning' && check.status !== 'pass').length;
  const passed = judged.filter((check) => check.status === 'pass').length;
  const word = {
    pass: paint.green('verified'),
    fail: paint.red('failed'),
    unknown: paint.yellow('undecided'),
  }[status];
  const remark = warnings === 0 ? '' : `, ${plural(warnings, 'warning')}`;
  return `${word}: ${passed} of ${plural(judged.length, 'claim')} hold${remark}`;
}

/** A whole run, or what captures that lay there prove. */
export function resultText(result: Judged, options: TextOptions): string {
  const { paint } = options;
  const { topology, evidence, output, timings } = result;
  const missing = topology.captures.filter((point) => !evidence.captures.has(point.name));
  const names = missing.map((point) => `${point.name}.pcap`).join(', ');
  return (
    `${paint.bold(nameOf(result))}${topology.title === '' ? '' : `: ${forTerminal(topology.title)}`}\n` +
    requestsText(evidence) +
    capturesText(evidence, output, options) +
    (missing.length === 0 ? '' : `    not there: ${names}\n`) +
    checksText(result.checks, evidence, options) +
    `  ${tally(result.checks, result.status, options)}` +
    (timings?.total === undefined ? '' : `, in ${(timings.total / 1000).toFixed(2)} s`) +
    '\n\n'
  );
}

export const textReporter: Reporter = {
  render: (results, options) => results.map((result) => resultText(result, options)).join(''),
};
