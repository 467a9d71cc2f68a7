// The methods' comparison as a table: for the terminal, for Markdown, for whoever wants its cells.
import type { RewrittenField } from '../pcap/index.ts';
import type { Comparison, Load } from '../verify/compare.ts';
import { table } from './table.ts';

export interface ComparisonTable {
  /** Heads of the columns: what is measured, then one a method. */
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

const FIELDS: Readonly<Partial<Record<RewrittenField, string>>> = {
  'source-mac': 'source MAC',
  'destination-mac': 'destination MAC',
  'source-address': 'source address',
  'destination-address': 'destination address',
  'source-port': 'source port',
  'destination-port': 'destination port',
  ttl: 'TTL',
  'encapsulation-added': 'wrapped in IP',
  'encapsulation-removed': 'unwrapped',
};

const words = (fields: readonly RewrittenField[]) =>
  fields.length === 0 ? 'nothing' : fields.map((field) => FIELDS[field] ?? field).join(', ');

const rounded = (value: number) => (Number.isInteger(value) ? String(value) : value.toFixed(1));

const load = ({ packets, bytes }: Load) =>
  packets === 0 ? 'nothing' : `${rounded(packets)} packets, ${Math.round(bytes)} bytes`;

function caller({ callers }: Comparison): string {
  return callers
    .map(({ address, node }) => (node === undefined ? address : `${node} (${address})`))
    .join(', ');
}

/** One column a method, one row a measure. */
export function comparisonTable(comparisons: readonly Comparison[]): ComparisonTable {
  const row = (title: string, cell: (comparison: Comparison) => string) => [title, ...comparisons.map(cell)];
  return {
    head: row('', ({ topology }) => topology),
    rows: [
      row('requests', ({ requests }) => String(requests)),
      row('connections at the balancer, a request', ({ connections }) => rounded(connections)),
      row('who the backend thinks is calling', caller),
      row('rewritten towards the backend', ({ rewritten }) =>
        rewritten === undefined ? 'all: another connection' : words(rewritten.toServer),
      ),
      row('rewritten towards the client', ({ rewritten }) =>
        rewritten === undefined ? 'all: another connection' : words(rewritten.toClient),
      ),
      row('balancer receives from clients, a request', ({ fromClients }) => load(fromClients)),
      row('balancer receives from backends, a request', ({ fromBackends }) => load(fromBackends)),
      row("the client's TCP connection ends at", ({ tcpEnds }) => `the ${tcpEnds}`),
      row('added to the time of an answer', ({ addedMicroseconds }) => `${Math.round(addedMicroseconds)} µs`),
    ],
  };
}

/** A cell's lines, none longer than the width unless a word is. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const piece of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + piece.length <= width)
      lines[lines.length - 1] = `${last} ${piece}`;
    else lines.push(piece);
  }
  return lines;
}

/** For a terminal of so many columns: cells are wrapped to fit. */
export function comparisonText({ head, rows }: ComparisonTable, columns: number): string {
  const width = Math.max(12, Math.floor((columns - 2 * head.length) / (head.length + 0.5)));
  const lines = [head, ...rows].flatMap((row) => {
    const cells = row.map((cell, index) => wrap(cell, index === 0 ? Math.floor(width * 1.5) : width));
    const height = Math.max(...cells.map((cell) => cell.length));
    return Array.from({ length: height }, (_, line) => cells.map((cell) => cell[line] ?? ''));
  });
  return table(lines);
}

export function comparisonMarkdown({ head, rows }: ComparisonTable): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', String.raw`\|`)).join(' | ')} |\n`;
  return line(head) + line(head.map(() => '---')) + rows.map(line).join('');
}
