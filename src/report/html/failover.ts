// What a fault cost, as part of a page: the table, and for each client a picture of time in which each request is a dot.
import { FIGURES, type Failover } from '../../verify/failover.ts';
import {
  FAILOVER_HEADS,
  failoverTitle,
  figureText,
  markedText,
  secondsText,
  sharesText,
  spanText,
  subjectOf,
} from '../failover.ts';
import { markup, NONE, type Markup } from './markup.ts';
import { scroll } from './parts.ts';

/** Pixels. */
const WIDTH = 1000;
const LABEL = 90;
const LANE = 22;
const HEAD = 26;
const FOOT = 24;
const DOT = 3.2;
/** Numbers below a picture, at most. */
const TICKS = 60;
/** Seconds before the fault that are drawn. */
const BEFORE = 1;
/** Seconds from which on a request is drawn as long as it took. */
const WAITED = 0.15;

function timelineSvg(row: Failover, last: number): Markup {
  const backends = [...new Set([...Object.keys(row.served.before), ...Object.keys(row.served.after)])].sort();
  const lanes = [...backends, 'lost'];
  const height = HEAD + lanes.length * LANE + FOOT;
  const x = (at: number) => LABEL + ((at + BEFORE) / (last + BEFORE)) * (WIDTH - LABEL - 16);
  const y = (index: number) => HEAD + index * LANE + LANE / 2;
  // Logs from elsewhere may put the requests any number of seconds behind the fault.
  const step = Math.max(1, Math.ceil(last / TICKS));
  const ticks = Array.from({ length: Math.floor(last / step) + 1 }, (_, index) => index * step);
  const dots = row.timeline
    .filter(({ at }) => at >= -BEFORE)
    .map((moment) => {
      const index = moment.isLost ? lanes.length - 1 : backends.indexOf(moment.backend ?? '');
      if (index < 0) return undefined;
      const where = moment.isLost ? 'lost' : `answered by ${moment.backend}`;
      // A request that waited is drawn from its beginning to its answer.
      const end = Math.min(moment.at + moment.seconds, last);
      const wait =
        moment.isLost || moment.seconds < WAITED
          ? NONE
          : markup`<line class="wait" x1="${x(moment.at)}" x2="${x(end)}" y1="${y(index)}" y2="${y(index)}"/>`;
      return markup`${wait}<circle class="${moment.isLost ? 'gone' : 'served'}" cx="${x(moment.at)}" cy="${y(index)}" r="${DOT}"><title>${moment.at.toFixed(2)} s: ${where} after ${secondsText(moment.seconds)}</title></circle>`;
    });
  const rails = lanes.map(
    (name, index) =>
      markup`<line class="rail" x1="${LABEL}" x2="${WIDTH - 16}" y1="${y(index)}" y2="${y(index)}"/><text x="0" y="${y(index) + 4}">${name}</text>`,
  );
  const scale = ticks.map(
    (second) =>
      markup`<text class="faint" x="${x(second)}" y="${height - 6}" text-anchor="middle">${second === 0 ? '0 s' : second}</text>`,
  );
  const words = `${subjectOf(row)}: ${figureText('lost', row.log.lost, row.requests)} requests lost`;
  return markup`<svg role="img" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" aria-label="${words}">${rails}<line class="fault" x1="${x(0)}" x2="${x(0)}" y1="${HEAD - 8}" y2="${height - FOOT + 2}"/><text class="faint" x="${x(0) + 6}" y="${HEAD - 10}">${row.fault} of ${row.node}</text>${dots}${scale}</svg>`;
}

/** The table and the pictures, as a section of a page. */
export function failoverSection(rows: readonly Failover[]): Markup {
  const end = Math.max(1, ...rows.map(({ timeline }) => timeline.at(-1)?.at ?? 0));
  const heads = FIGURES.map((key) => markup`<th scope="col">${FAILOVER_HEADS[key].toLowerCase()}</th>`);
  const body = rows.map(
    (row) =>
      markup`<tr><th scope="row">${subjectOf(row)}</th>${FIGURES.map((key) => {
        const { text, status } = markedText(row, key);
        return markup`<td><strong class="${status === 'pass' ? '' : status}">${text}</strong><br><span class="muted small">${spanText(key, row.allowed[key])}</span></td>`;
      })}<td>${sharesText(row.served.after)}<br><span class="muted small">${row.allowed.why}</span></td></tr>`,
  );
  const pictures = rows.map(
    (row) =>
      markup`<h3>${subjectOf(row)}</h3>${scroll(`Requests over time: ${subjectOf(row)}`, timelineSvg(row, end))}`,
  );
  return markup`<section aria-labelledby="failover"><div class="panel"><h2 id="failover">When a server goes down</h2><p>${failoverTitle(rows)}. Below each figure stands what the configuration allows. Times count from the fault; each figure was read from the packets and from the client's own log${rows.every(({ agree }) => agree) ? ', and both tell the same' : '; where they differ it is undecided'}.</p>${scroll(
    'What the fault cost',
    markup`<table class="comparison"><thead><tr><td></td>${heads}<th scope="col">served after</th></tr></thead><tbody>${body}</tbody></table>`,
  )}<ul class="legend"><li><span class="to-client">●</span> a request that was answered, when it began; a line when it waited</li><li><span class="fail">●</span> a request that was lost</li></ul>${pictures}</div></section>`;
}
