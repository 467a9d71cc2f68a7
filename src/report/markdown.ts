// Markdown as GitHub reads it: for a pull request's comment or a job's summary. A table of claims for each lab, and what failed in full.
import type { Check } from '../verify/types.ts';
import { count } from '../verify/words.ts';
import { clip, forMarkdown, forXml } from './escape.ts';
import { citedLines, placeText, shownPath } from './failure.ts';
import { byBackend, succeeded } from './json.ts';
import { nameOf, type Judged, type Reporter } from './types.ts';

/** A cell longer than this is cut, and says so. */
const CELL = 400;

const WORDS = { pass: '✅ holds', fail: '❌ fails', unknown: '❔ undecided' };

const wordOf = ({ level, status }: Check) =>
  level === 'warning' && status !== 'pass' ? '⚠️ warning' : WORDS[status];

const cell = (text: string) => forMarkdown(clip(text, CELL));

const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |\n`;

/** Preformatted by HTML: a fence could be ended from inside. */
function failure(check: Check, result: Judged): string {
  const lines = citedLines(check, result.evidence).map((line) => forXml(line));
  return (
    `\n**${forMarkdown(check.id)}**: ${cell(check.title)}\n\n` +
    `- expected: ${cell(check.expected)}\n` +
    `- observed: ${cell(check.observed)}\n` +
    (check.location === undefined ? '' : `- at: ${forMarkdown(placeText(check.location))}\n`) +
    (check.note === undefined ? '' : `- ${cell(check.note)}\n`) +
    (lines.length === 0 ? '' : `\n<pre>${lines.join('\n')}</pre>\n`)
  );
}

function requests({ evidence }: Judged): string {
  if (evidence.requests === undefined) return '';
  const shares = Object.entries(byBackend(evidence)).map(([backend, times]) => `${backend} ${times}`);
  return `${count(evidence.requests.length, 'request')}, ${succeeded(evidence)} answered: ${forMarkdown(shares.join(', '))}. `;
}

function section(result: Judged, cwd: string): string {
  const judged = result.checks.filter((check) => check.judged);
  const passed = judged.filter(({ status }) => status === 'pass').length;
  const open = result.checks.filter((check) => !check.judged);
  return (
    `### ${forMarkdown(nameOf(result))}: ${passed} of ${judged.length} claims hold\n\n` +
    `${cell(result.topology.title)}. ${requests(result)}Captures in ${forMarkdown(shownPath(cwd, result.output))}.\n\n` +
    row(['', 'claim', 'observed']) +
    row(['---', '---', '---']) +
    judged
      .map((check) =>
        row([wordOf(check), `**${forMarkdown(check.id)}** ${cell(check.title)}`, cell(check.observed)]),
      )
      .join('') +
    (open.length === 0
      ? ''
      : `\nNot judged from files: ${open.map(({ id }) => forMarkdown(id)).join(', ')}.\n`) +
    judged
      .filter(({ status }) => status !== 'pass')
      .map((check) => failure(check, result))
      .join('')
  );
}

export const markdownReporter: Reporter = {
  render: (results, { cwd }) => {
    const failed = results.filter(({ status }) => status !== 'pass').length;
    const head =
      failed === 0 ? 'every claim holds' : `not every claim holds in ${failed} of ${results.length} labs`;
    return `## lblab: ${head}\n\n${results.map((result) => section(result, cwd)).join('\n')}`;
  },
};
