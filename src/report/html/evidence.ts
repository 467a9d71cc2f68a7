// What was sent and what was captured: who answered, what each capture point has, and the connections in all of them together.
import { count, duration, endpoint } from '../../verify/words.ts';
import { clip, forTerminal } from '../escape.ts';
import { byBackend, succeeded } from '../json.ts';
import type { Traffic } from '../ladder/traffic.ts';
import type { Judged } from '../types.ts';
import { markup, NONE, type Markup } from './markup.ts';
import { scroll } from './parts.ts';

/** Connections in the list. */
const LISTED = 50;

/** Who answered, and how long it took. */
export function requestsSection({ evidence }: Judged): Markup {
  const { requests } = evidence;
  if (requests === undefined || requests.length === 0) return NONE;
  const shares = Object.entries(byBackend(evidence));
  const most = Math.max(1, ...shares.map(([, times]) => times));
  const rows = shares.map(
    ([backend, times]) =>
      markup`<tr><th scope="row">${backend}</th><td class="number">${times}</td><td><svg width="220" height="14" role="img" aria-label="${times} of ${requests.length}"><rect class="bar-back" width="220" height="14" rx="4" /><rect class="bar" width="${(220 * times) / most}" height="14" rx="4" /></svg></td></tr>`,
  );
  const times = requests.filter(({ error }) => error === undefined).map(({ seconds }) => seconds * 1e9);
  times.sort((a, b) => a - b);
  const took =
    times.length === 0
      ? ''
      : ` They took ${duration(times[(times.length - 1) >> 1]!)} (median), ${duration(times.at(-1)!)} (most).`;
  const errors = [...new Set(requests.flatMap(({ error }) => error ?? []))];
  const shown = errors
    .slice(0, 5)
    .map((error) => markup`<p class="note">${forTerminal(clip(error, 300))}</p>`);
  return markup`<div class="panel"><h3>Who answered</h3><p class="muted">${succeeded(evidence)} of ${count(requests.length, 'request')} answered.${took}</p>${shown}<div class="scroll" tabindex="0" role="group" aria-label="Answers by backend"><table><thead><tr><th scope="col">Backend</th><th scope="col" class="number">Answers</th><th scope="col"><span class="muted">share</span></th></tr></thead><tbody>${rows}</tbody></table></div></div>`;
}

/** What each capture point has, and the connections in all of them together. */
export function capturesSection({ topology, evidence }: Judged, traffic: Traffic): Markup {
  const points = topology.captures.map((point) => {
    const its = evidence.captures.get(point.name);
    const state =
      its === undefined
        ? 'not there'
        : its.incomplete === undefined
          ? 'complete'
          : forTerminal(its.incomplete);
    return markup`<tr><th scope="row"><code>${point.name}.pcap</code></th><td>${point.node} ${point.interface}</td><td><code>${point.filter === '' ? 'everything' : point.filter}</code></td><td class="number">${its === undefined ? '–' : String(its.capture.packets.length)}</td><td>${state}</td></tr>`;
  });
  const first = traffic.most[0]?.firstTime ?? 0n;
  const listed = traffic.most.slice(0, LISTED).map(({ client, server, state, http, firstTime }) => {
    const { request, response } = http[0] ?? {};
    const more = http.length > 1 ? ` and ${http.length - 1} more` : '';
    return markup`<tr><td class="number">${duration(firstTime - first)}</td><td><code>${endpoint(client.address, client.port)}</code></td><td><code>${endpoint(server.address, server.port)}</code></td><td>${state}</td><td>${forTerminal(clip(request?.startLine ?? '', 80))}${more}</td><td>${response?.status === undefined ? '' : String(response.status)}</td></tr>`;
  });
  const left = traffic.most.length - listed.length;
  const rest =
    left > 0
      ? markup`<p class="muted small">${count(left, 'connection')} more left out of this list.</p>`
      : NONE;
  const list =
    listed.length === 0
      ? markup`<p class="muted">No connections.</p>`
      : markup`<details class="more"><summary>${count(traffic.most.length, 'connection')} at the point that has most</summary>${scroll(
          'Connections',
          markup`<table><thead><tr><th scope="col" class="number">After</th><th scope="col">From</th><th scope="col">To</th><th scope="col">State</th><th scope="col">Request</th><th scope="col">Answer</th></tr></thead><tbody>${listed}</tbody></table>`,
        )}${rest}</details>`;
  return markup`<div class="panel"><h3>What was captured</h3>${scroll(
    'Capture points',
    markup`<table><thead><tr><th scope="col">File</th><th scope="col">Where</th><th scope="col">Filter</th><th scope="col" class="number">Packets</th><th scope="col">State</th></tr></thead><tbody>${points}</tbody></table>`,
  )}${list}</div>`;
}
