// What several sections of the report are made of: a verdict's mark, a part that scrolls by itself.
import type { Check, Status } from '../../verify/types.ts';
import { count } from '../../verify/words.ts';
import { markup, type Markup } from './markup.ts';

export const MARKS: Readonly<Record<Status, readonly [mark: string, word: string]>> = {
  pass: ['✓', 'holds'],
  fail: ['✗', 'does not hold'],
  unknown: ['?', 'undecided'],
};

export function badge(status: Status, words: string): Markup {
  return markup`<span class="badge ${status}"><span aria-hidden="true">${MARKS[status][0]}</span>${words}</span>`;
}

/** `12 of 12 claims hold`. */
export function tallyWords(checks: readonly Check[]): string {
  const judged = checks.filter((check) => check.judged);
  const held = judged.filter(({ status }) => status === 'pass').length;
  return `${held} of ${count(judged.length, 'claim')} ${judged.length === 1 ? 'holds' : 'hold'}`;
}

/** What may be wider than a telephone: it scrolls, by keyboard too, and the page does not. */
export const scroll = (label: string, content: Markup) =>
  markup`<div class="scroll" tabindex="0" role="group" aria-label="${label}">${content}</div>`;
