// What a lab's packets prove: each claim with its verdict, the article's words, and the packets that it rests on.
import { claimById } from '../../verify/index.ts';
import type { Check, Evidence, Status } from '../../verify/types.ts';
import { forTerminal } from '../escape.ts';
import { citedPackets, placeText } from '../failure.ts';
import type { Judged } from '../types.ts';
import { markup, NONE, type Markup } from './markup.ts';
import { MARKS, tallyWords } from './parts.ts';

function claimMarkup(check: Check, evidence: Evidence): Markup {
  if (!check.judged) {
    return markup`<li><details><summary><span class="mark" aria-hidden="true">–</span><span><span class="title">${check.title}</span><span class="id mono">${check.id}</span><span class="observed">not judged: ${check.observed}</span></span></summary>${articleMarkup(check)}</details></li>`;
  }
  const [mark, verdict] = MARKS[check.status];
  const cited = citedPackets(check, evidence).map(
    ({ file, lines, more }) =>
      markup`<h4><code>${file}</code></h4><pre class="scroll" tabindex="0" role="group" aria-label="Packets of ${file} for ${check.id}">${lines.join('\n')}${more === '' ? '' : `\n${more}`}</pre>`,
  );
  const note = (check.note ?? '')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => markup`<p class="note">${forTerminal(line)}</p>`);
  const place =
    check.location === undefined
      ? NONE
      : markup`<dt>Stated in</dt><dd><code>${placeText(check.location)}</code></dd>`;
  const level =
    check.level === 'warning' ? markup` <span class="muted small">(a warning: fails no run)</span>` : NONE;
  return markup`<li><details${check.status === 'pass' ? NONE : markup` open`}><summary><span class="mark ${check.status}" aria-hidden="true">${mark}</span><span><span class="title">${forTerminal(check.title)}</span>${level}<span class="id mono">${check.id}</span><span class="observed"><span class="${check.status}">${verdict}:</span> ${forTerminal(check.observed)}</span></span></summary><div class="body">${articleMarkup(check)}<dl><dt>Expected</dt><dd>${forTerminal(check.expected)}</dd>${place}</dl>${note}<div class="evidence">${cited}</div></div></details></li>`;
}

function articleMarkup(check: Check): Markup {
  const article = claimById(check.id)?.article;
  return article === undefined
    ? NONE
    : markup`<p class="small muted says">The article says</p><blockquote lang="ja"><p>${article}</p></blockquote>`;
}

export function claimsSection({ checks, evidence }: Judged): Markup {
  const worst: Record<Status, number> = { fail: 0, unknown: 1, pass: 2 };
  const sorted = [...checks].sort(
    (a, b) => Number(b.judged) - Number(a.judged) || (a.judged ? worst[a.status] - worst[b.status] : 0),
  );
  return markup`<div class="panel"><h3>What the packets prove</h3><p class="muted">${tallyWords(checks)}. Each opens to what was expected and to the packets that it rests on, numbered as Wireshark numbers them.</p><ul class="claims">${sorted.map((check) => claimMarkup(check, evidence))}</ul></div>`;
}
