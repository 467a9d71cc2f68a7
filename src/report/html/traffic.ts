// What a lab's traffic looks like: its machines with a request's way among them, and connections packet by packet.
import { Chalk } from 'chalk';
import { word } from '../../plan/shell.ts';
import { count } from '../../verify/words.ts';
import { shownPath } from '../failure.ts';
import { buildLadder } from '../ladder/ladder.ts';
import { conversationWords, notesOf } from '../ladder/notes.ts';
import { stepsOf, type Step } from '../ladder/steps.ts';
import { ladderText } from '../ladder/text.ts';
import type { Traffic } from '../ladder/traffic.ts';
import type { Conversation, Ladder } from '../ladder/types.ts';
import type { Judged } from '../types.ts';
import { ladderSvg } from './ladder-svg.ts';
import { markup, NONE, type Markup } from './markup.ts';
import { scroll } from './parts.ts';
import { topologySvg } from './topology-svg.ts';

/** Connections that are drawn, and packets of each. */
export const DRAWN_CONNECTIONS = 5;
const DRAWN_PACKETS = 80;
/** Columns of a ladder as text. */
const TEXT_COLUMNS = 110;

/** The machines, and the way of a request and its answer among them. */
export function pictureSection({ topology }: Judged, ladder: Ladder | undefined): Markup {
  const steps = ladder === undefined ? [] : stepsOf(ladder);
  const title = `The machines of ${topology.name} and the segments that join them${steps.length > 0 ? ', with the way of a request and of its answer' : ''}`;
  return markup`<div class="panel"><h3>Who is where</h3>${scroll(title, topologySvg(topology, { title, steps }))}${stepsMarkup(steps)}</div>`;
}

function stepsMarkup(steps: readonly Step[]): Markup {
  if (steps.length === 0) return NONE;
  const items = steps.map(
    (step, index) =>
      markup`<li class="${step.isToServer ? 'to-server' : 'to-client'}"><span class="number" aria-hidden="true">${index + 1}</span><span><strong>${step.from} → ${step.to}</strong><br><span class="muted">${step.words}</span>${changesMarkup(step)}</span></li>`,
  );
  return markup`<ol class="steps">${items}</ol>`;
}

function changesMarkup({ changes }: Step): Markup {
  if (changes.length === 0) return NONE;
  const items = changes.map(
    ({ what, from, to }) => markup`<li>${what}: <span class="rewritten">${from} → ${to}</span></li>`,
  );
  return markup`<ul class="changes">${items}</ul>`;
}

/** The connection to show first: the first that has a request that was answered, or else the first. */
export function firstToShow({ conversations }: Traffic): Conversation | undefined {
  return (
    conversations.find(({ connections }) =>
      connections.some(({ connection }) =>
        connection.http.some(({ request, response }) => request !== undefined && response !== undefined),
      ),
    ) ?? conversations[0]
  );
}

export function ladderOf({ topology }: Judged, traffic: Traffic, conversation: Conversation): Ladder {
  return buildLadder(traffic, { topology, shown: [conversation], limit: DRAWN_PACKETS });
}

function ladderMarkup(ladder: Ladder): Markup {
  const [conversation] = ladder.shown;
  const title = `Connection ${conversation!.number}, ${conversationWords(conversation!)}, packet by packet`;
  const text = ladderText(ladder, { paint: new Chalk({ level: 0 }), columns: TEXT_COLUMNS });
  const notes = notesOf(ladder).map(
    (note) => markup`<dt>${note.title}</dt><dd>${note.lines.map((line) => markup`${line}<br>`)}</dd>`,
  );
  const left =
    ladder.rowsLeft === 0
      ? NONE
      : markup`<p class="muted">${count(ladder.rowsLeft, 'packet')} more of this connection are left out.</p>`;
  return markup`<figure>${scroll(title, ladderSvg(ladder, { title }))}</figure>${left}<dl class="small">${notes}</dl><details class="more"><summary>The same as text</summary><pre class="scroll" tabindex="0" role="group" aria-label="${title}, as text">${text}</pre></details>`;
}

/** One connection packet by packet, and a few others for comparison. */
export function ladderSection(
  judged: Judged,
  traffic: Traffic,
  conversation: Conversation,
  ladder: Ladder,
  cwd: string,
): Markup {
  const others = traffic.conversations.filter((each) => each !== conversation);
  const left = traffic.total - 1 - others.length;
  const more = others.map(
    (each) =>
      markup`<details class="more"><summary>Connection ${each.number}: ${conversationWords(each)}</summary>${ladderMarkup(ladderOf(judged, traffic, each))}</details>`,
  );
  const rest =
    left > 0
      ? markup`<p class="muted small">${count(left, 'connection')} more not drawn here; <code>lblab flow ${word(shownPath(cwd, judged.output))} --connection N</code> draws any of them.</p>`
      : NONE;
  return markup`<div class="panel"><h3>One connection, packet by packet</h3><p class="muted">Connection ${conversation.number} of ${traffic.total}: ${conversationWords(conversation)}. One arrow is one packet; where it runs through a machine, the same packet was captured before and behind it. A pointer on an arrow shows the packet at each capture point.</p><ul class="legend"><li><span class="to-server">→</span> to the server</li><li><span class="to-client">←</span> to the client</li><li>● captured there</li><li><span class="rewritten">amber</span> rewritten by the machine</li></ul>${ladderMarkup(ladder)}${more}${rest}</div>`;
}
