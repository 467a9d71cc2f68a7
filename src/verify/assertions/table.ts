// What the balancer's own table says after the round. The one kind that is not judged from packets.
import { compilePattern, type Pattern } from '../../topology/pattern.ts';
import type { TableAssertion } from '../../topology/types.ts';
import { MissingEvidenceError, type Observation } from '../observe.ts';
import { list } from '../words.ts';
import type { Judge } from './kind.ts';

/** Inspections that are a balancer's own table. */
const TABLES = ['ipvsadm', 'nft'];
/** A line longer than this is not matched: the work would grow with it. */
const MAX_LINE = 8192;

const quoted = (texts: readonly string[]) => list(texts.map((text) => JSON.stringify(text)));
const squeezed = (text: string) => text.trim().replace(/[ \t]+/g, ' ');

function linesOf({ evidence: { tables } }: Observation): string[] {
  const text = TABLES.map((name) => tables?.get(name)).find((found) => found !== undefined);
  if (text === undefined || text.trim() === '')
    throw new MissingEvidenceError("the balancer's table was not read");
  return text.split('\n').filter((line) => line.trim() !== '');
}

function isMatched(lines: readonly string[], source: string): boolean {
  // Others are refused when the file is read.
  const pattern = compilePattern(source) as Pattern;
  return lines.some((line) => line.length <= MAX_LINE && pattern.test(line));
}

export const tableJudge: Judge<TableAssertion> = {
  live: true,
  expected: ({ contains, matches }) =>
    `the balancer's table ${list([
      ...(contains.length === 0 ? [] : [`contains ${quoted(contains)}`]),
      ...(matches.length === 0 ? [] : [`has a line that matches ${list(matches)}`]),
    ])}`,
  measure: ({ contains, matches }, seen) => {
    const lines = linesOf(seen);
    const text = squeezed(lines.map(squeezed).join('\n'));
    const absent = contains.filter((each) => !text.includes(squeezed(each)));
    const unmatched = matches.filter((each) => !isMatched(lines, each));
    const missing = [...absent, ...unmatched];
    const shown = lines.map(squeezed).join(' | ');
    return {
      holds: missing.length === 0,
      observed:
        (missing.length === 0 ? '' : `nothing of ${quoted(missing)} in `) +
        (shown.length > 600 ? `${shown.slice(0, 600)} ...` : shown),
    };
  },
};
