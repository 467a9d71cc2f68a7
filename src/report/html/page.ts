// The report: one page that needs nothing else. Verdicts in, HTML out; pure.
import { createHash } from 'node:crypto';
import type { Failover } from '../../verify/failover.ts';
import { duration } from '../../verify/words.ts';
import { forTerminal } from '../escape.ts';
import { readTraffic } from '../ladder/traffic.ts';
import { nameOf, type Judged } from '../types.ts';
import { markup, NONE, type Markup } from './markup.ts';
import { claimsSection } from './claims.ts';
import { commandsSection, reproduceSection } from './commands.ts';
import { capturesSection, requestsSection } from './evidence.ts';
import { failoverSection } from './failover.ts';
import { badge, tallyWords } from './parts.ts';
import { STYLE } from './style.ts';
import { DRAWN_CONNECTIONS, firstToShow, ladderOf, ladderSection, pictureSection } from './traffic.ts';

/** A table of words: the first row's cells are heads of columns, each row's first cell is its head. */
export interface Table {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export interface PageOptions {
  /** Folder that paths are shown relative to. */
  readonly cwd: string;
  /** The labs side by side, where there are several. */
  readonly comparison?: Table;
  /** What faults cost the clients, where any came. */
  readonly failovers?: readonly Failover[];
}

/** @param results one lab at least, where no failovers are given */
export function htmlPage(
  results: readonly Judged[],
  { cwd, comparison, failovers = [] }: PageOptions,
): string {
  const [only] = results;
  const isOne = results.length === 1;
  const title = isOne
    ? [nameOf(only!), only!.topology.title].filter((words) => words !== '').join(': ')
    : results.length === 0
      ? FAILOVER_TITLE
      : results.map(nameOf).join(', ');
  const cost = failovers.length === 0 ? NONE : failoverSection(failovers);
  const hash = createHash('sha256').update(STYLE).digest('base64');
  // Nothing is fetched, nothing runs, and no style is taken but this page's own.
  const policy = `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'`;
  const style = markup`<style>`.text + STYLE + '</style>';
  const head =
    markup`<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${policy}"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="referrer" content="no-referrer"><title>${forTerminal(title)}</title>`
      .text + `${style}</head>`;
  const body = markup`<body><header class="top">${isOne ? NONE : manyHead(results)}</header><main>${comparison === undefined ? NONE : comparisonSection(comparison)}${isOne ? NONE : cost}${results.map((result, index) => labSection(result, index, isOne, cwd))}${isOne ? cost : NONE}</main><footer><p>Made by lblab from packet captures${failovers.length > 0 ? " and clients' logs" : ' alone'}. This page loads nothing and runs nothing.</p></footer></body></html>\n`;
  return head + body.text;
}

const FAILOVER_TITLE = 'What it costs when a server goes down';

function manyHead(results: readonly Judged[]): Markup {
  if (results.length === 0) return markup`<h1>${FAILOVER_TITLE}</h1>`;
  const links = results.map(
    (result, index) =>
      markup`<li><a href="#lab-${index + 1}">${nameOf(result)}</a> ${badge(result.status, tallyWords(result.checks))}</li>`,
  );
  return markup`<h1>Load balancing methods, measured</h1><p class="lead">The same kind of request through ${results.length} labs. Everything here was read from packet captures.</p><nav aria-label="Labs"><ol>${links}</ol></nav>`;
}

function comparisonSection({ head, rows }: Table): Markup {
  const [corner, ...names] = head;
  return markup`<section aria-labelledby="comparison"><div class="panel"><h2 id="comparison">Side by side</h2><div class="scroll" tabindex="0" role="group" aria-label="Comparison of the labs"><table class="comparison"><thead><tr><td>${corner ?? ''}</td>${names.map((name) => markup`<th scope="col">${name}</th>`)}</tr></thead><tbody>${rows.map(
    ([title, ...cells]) =>
      markup`<tr><th scope="row">${title ?? ''}</th>${cells.map((cell) => markup`<td>${cell}</td>`)}</tr>`,
  )}</tbody></table></div></div></section>`;
}

/** When the first packet was captured, and how long it took until the last. */
function when({ evidence }: Judged): string {
  let [first, last]: [bigint | undefined, bigint] = [undefined, 0n];
  for (const { capture } of evidence.captures.values())
    for (const { time } of capture.packets) {
      if (first === undefined || time < first) first = time;
      if (time > last) last = time;
    }
  if (first === undefined) return 'no packets';
  const date = new Date(Number(first / 1_000_000n)).toISOString().replace('T', ' ').slice(0, 19);
  return `captured ${date} UTC, in ${duration(last - first)}`;
}

function labSection(judged: Judged, index: number, isOnly: boolean, cwd: string): Markup {
  const { topology, evidence, checks, status, kernel } = judged;
  const traffic = readTraffic([...evidence.captures.values()], { topology, first: DRAWN_CONNECTIONS });
  const conversation = firstToShow(traffic);
  const ladder = conversation === undefined ? undefined : ladderOf(judged, traffic, conversation);
  const id = `lab-${index + 1}`;
  // Options of commands, such as -g, stay with their hyphens.
  const title = forTerminal(topology.title || nameOf(judged)).replace(/ -(?=\w)/g, ' \u2011');
  const heading = isOnly ? markup`<h1 id="${id}">${title}</h1>` : markup`<h2 id="${id}">${title}</h2>`;
  const where =
    kernel === undefined
      ? NONE
      : markup`<li class="muted">${kernel === 'uml' ? 'on a user-mode kernel' : "on this machine's kernel"}</li>`;
  const words = topology.description.trim().split('\n').join(' ');
  const drawn =
    conversation === undefined || ladder === undefined || ladder.rows.length === 0
      ? markup`<div class="panel"><h3>No connections</h3><p>The captures have no TCP or UDP connection to draw.</p></div>`
      : ladderSection(judged, traffic, conversation, ladder, cwd);
  return markup`<section class="lab" aria-labelledby="${id}"><p class="eyebrow">${nameOf(judged)}</p>${heading}<p class="lead">${forTerminal(words)}</p><ul class="facts"><li>${badge(status, tallyWords(checks))}</li><li class="muted">${when(judged)}</li>${where}</ul>${pictureSection(judged, ladder)}${drawn}${claimsSection(judged)}${requestsSection(judged)}${capturesSection(judged, traffic)}${commandsSection(judged)}${reproduceSection(judged, cwd)}</section>`;
}
