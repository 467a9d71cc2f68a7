// Results for people: what each capture point saw, and each claim with its verdict.
import type { ChalkInstance } from 'chalk';
import { relative } from 'node:path';
import { connections } from '../pcap/index.ts';
import type { CapturedPoint, Check, Evidence, Status } from '../verify/types.ts';
import { forTerminal } from './escape.ts';
import { byBackend, succeeded, type LabResult } from './json.ts';
import { table } from './table.ts';

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

/** A claim's line; one that did not pass says what was expected and what was seen, and where. */
export function checkText(check: Check, options: TextOptions): string {
  const { paint } = options;
  if (!check.judged)
    return `  ${paint.dim('-')} ${check.id}  ${check.title} ${paint.dim('(needs the live lab)')}\n`;
  const mark = { pass: paint.green('✓'), fail: paint.red('✗'), unknown: paint.yellow('?') }[check.status];
  const note =
    check.note === undefined
      ? ''
      : `      ${paint.dim(forTerminal(check.note).replaceAll(String.raw`\x0a`, '\n      '))}\n`;
  const line = `  ${mark} ${paint.bold(check.id)}  ${check.title}\n`;
  if (check.status === 'pass') return `${line}      ${paint.dim(forTerminal(check.observed))}\n${note}`;
  const where = check.evidence.map(
    ({ capture, packets }) =>
      `      ${capture}.pcap: ${plural(packets.length, 'packet').replace(/^\d+ /, '')} ${packets.slice(0, 12).join(', ')}${packets.length > 12 ? ', ...' : ''}\n`,
  );
  return (
    line +
    `      expected: ${forTerminal(check.expected)}\n` +
    `      observed: ${forTerminal(check.observed)}\n` +
    where.join('') +
    note
  );
}

export function checksText(checks: readonly Check[], options: TextOptions): string {
  return checks.map((check) => checkText(check, options)).join('');
}

/** How many claims hold, in the colour of the worst. */
export function tally(checks: readonly Check[], status: Status, { paint }: TextOptions): string {
  const judged = checks.filter((check) => check.judged);
  const passed = judged.filter((check) => check.status === 'pass').length;
  const word = {
    pass: paint.green('verified'),
    fail: paint.red('failed'),
    unknown: paint.yellow('undecided'),
  }[status];
  return `${word}: ${passed} of ${plural(judged.length, 'claim')} hold`;
}

/** A whole run. */
export function resultText(result: LabResult, options: TextOptions): string {
  const { paint } = options;
  return (
    `${paint.bold(result.topology.name)}: ${forTerminal(result.topology.title)}\n` +
    requestsText(result.evidence) +
    capturesText(result.evidence, result.output, options) +
    checksText(result.checks, options) +
    `  ${tally(result.checks, result.status, options)}, in ${(result.timings.total! / 1000).toFixed(2)} s\n\n`
  );
}
