// TAP 14 (https://testanything.org/tap-version-14-specification.html): a subtest for each lab, a test point for each claim.
import type { Check } from '../verify/types.ts';
import { forTerminal } from './escape.ts';
import { citedLines, placeText } from './failure.ts';
import { nameOf, type Judged, type Reporter } from './types.ts';

/** `#` begins a directive. */
const description = (text: string) =>
  forTerminal(text)
    .replaceAll('\\', '\\\\')
    .replaceAll('#', String.raw`\#`);

/** A JSON string is a YAML one. */
const quoted = (text: string) => JSON.stringify(forTerminal(text));

function point(check: Check, index: number, result: Judged): string[] {
  const words = `${index + 1} - ${description(`${check.id}: ${check.title}`)}`;
  if (!check.judged) return [`ok ${words} # SKIP ${description(check.observed)}`];
  if (check.status === 'pass') return [`ok ${words}`];
  const packets = citedLines(check, result.evidence);
  return [
    // A test point that is still to do may fail without the whole failing.
    `not ok ${words}${check.level === 'warning' ? ' # TODO a warning' : ''}`,
    '  ---',
    `  severity: ${check.status === 'fail' ? 'fail' : 'undecided'}`,
    `  expected: ${quoted(check.expected)}`,
    `  observed: ${quoted(check.observed)}`,
    ...(check.location === undefined ? [] : [`  at: ${quoted(placeText(check.location))}`]),
    ...(packets.length === 0 ? [] : ['  packets:', ...packets.map((line) => `    - ${quoted(line)}`)]),
    ...(check.note === undefined ? [] : [`  note: ${quoted(check.note)}`]),
    '  ...',
  ];
}

function subtest(result: Judged, index: number): string[] {
  const name = description(nameOf(result));
  const points = result.checks.flatMap((check, position) => point(check, position, result));
  return [
    `# Subtest: ${name}`,
    `    1..${result.checks.length}`,
    ...points.map((line) => `    ${line}`),
    `${result.status === 'pass' ? 'ok' : 'not ok'} ${index + 1} - ${name}`,
  ];
}

export const tapReporter: Reporter = {
  render: (results) =>
    ['TAP version 14', `1..${results.length}`, ...results.flatMap(subtest)]
      .map((line) => `${line}\n`)
      .join(''),
};
