// A topology as a drawing in text: segments as rails, nodes hanging from them. Printable ASCII only, so that it can stand in a comment.
import type { Interface, Topology } from '../../topology/types.ts';
import { boxLines, segmentLabel } from './boxes.ts';

/** Between boxes. */
const GAP = 3;
/** From a box's side to its first wire, and from wire to wire. */
const INSET = 3;

interface Wire {
  readonly column: number;
  readonly segment: string;
  readonly label: readonly string[];
}

interface Box {
  readonly left: number;
  readonly width: number;
  readonly lines: readonly string[];
  readonly above: readonly Wire[];
  readonly below: readonly Wire[];
}

/** Lines of text, the last one ended. */
export function asciiPicture(topology: Topology): string {
  const isAbove = new Map(topology.segments.map(({ name }, index) => [name, index % 2 === 0]));
  let left = 2;
  const boxes = topology.nodes.map((node): Box => {
    const lines = boxLines(topology, node);
    const side = (above: boolean) => node.interfaces.filter(({ segment }) => isAbove.get(segment) === above);
    const [above, below] = [wires(side(true), left), wires(side(false), left)];
    const ends = [...above, ...below].map(({ column, label }) => column + 2 + longest(label) - left);
    const width = Math.max(
      longest(lines) + 4,
      ...[above, below].map((its) => (its.at(-1)?.column ?? left) - left + 3),
    );
    const box = { left, width, lines, above, below };
    left += Math.max(width, ...ends) + GAP;
    return box;
  });
  const width = left;
  const tops = topology.segments.filter((_, index) => index % 2 === 0);
  const bottoms = topology.segments.filter((_, index) => index % 2 === 1);
  const all = (side: 'above' | 'below') => boxes.flatMap((box) => box[side]);
  const height = Math.max(...boxes.map(({ lines }) => lines.length));
  const text = [
    ...tops.toReversed().flatMap((segment, index) => rail(segment, all('above'), width, index).toReversed()),
    ...labels(all('above'), width),
    edge(boxes, 'above', width),
    ...Array.from({ length: height }, (_, line) => content(boxes, line, width)),
    edge(boxes, 'below', width),
    ...(bottoms.length === 0 ? [] : labels(all('below'), width)),
    ...bottoms.flatMap((segment, index) => rail(segment, all('below'), width, bottoms.length - 1 - index)),
  ];
  return text.map((line) => `${line.trimEnd()}\n`).join('');

  /** A segment's rail and its name. Wires of segments further out cross it. */
  function rail(
    segment: Topology['segments'][number],
    its: readonly Wire[],
    columns: number,
    further: number,
  ): string[] {
    const side = isAbove.get(segment.name) === true ? tops : bottoms;
    const outer = new Set(side.slice(side.length - further).map(({ name }) => name));
    const own = its.filter((wire) => wire.segment === segment.name).map(({ column }) => column);
    const [from, to] = own.length === 0 ? [2, 12] : [Math.min(...own) - 2, Math.max(...own) + 3];
    const cells = blank(columns);
    put(cells, from, '='.repeat(to - from));
    for (const { column } of its.filter((wire) => outer.has(wire.segment))) put(cells, column, '|');
    for (const column of own) put(cells, column, '+');
    const named = blank(columns);
    for (const { column } of its.filter((wire) => outer.has(wire.segment))) put(named, column, '|');
    put(named, from, segmentLabel(segment));
    return [cells.join(''), named.join('')];
  }
}

const longest = (texts: readonly string[]) => Math.max(0, ...texts.map((text) => text.length));

function wires(links: readonly Interface[], left: number): Wire[] {
  let column = left + INSET;
  return links.map((link) => {
    const label = [link.name, ...link.addresses.map(({ address }) => address)];
    const wire = { column, segment: link.segment, label };
    column += longest(label) + INSET;
    return wire;
  });
}

function blank(columns: number): string[] {
  return Array.from({ length: columns }, () => ' ');
}

function put(cells: string[], column: number, text: string): void {
  for (let index = 0; index < text.length; index++) cells[column + index] = text[index]!;
}

/** Wires with the interfaces' names and addresses beside them. */
function labels(its: readonly Wire[], columns: number): string[] {
  const height = Math.max(1, ...its.map(({ label }) => label.length));
  return Array.from({ length: height }, (_, line) => {
    const cells = blank(columns);
    for (const { column, label } of its) put(cells, column, `| ${label[line] ?? ''}`);
    return cells.join('');
  });
}

function edge(boxes: readonly Box[], side: 'above' | 'below', columns: number): string {
  const cells = blank(columns);
  for (const box of boxes) {
    put(cells, box.left, `+${'-'.repeat(box.width - 2)}+`);
    for (const { column } of box[side]) put(cells, column, '+');
  }
  return cells.join('');
}

function content(boxes: readonly Box[], line: number, columns: number): string {
  const cells = blank(columns);
  for (const { left, width, lines } of boxes)
    put(cells, left, `| ${(lines[line] ?? '').padEnd(width - 4)} |`);
  return cells.join('');
}
