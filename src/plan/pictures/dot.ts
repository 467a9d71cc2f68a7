// A topology as a Graphviz graph (https://graphviz.org/doc/info/lang.html).
import type { Topology } from '../../topology/types.ts';
import { boxLines, segmentLabel } from './boxes.ts';

const quoted = (text: string) => `"${text.replace(/[\\"]/g, String.raw`\$&`)}"`;

/** Lines centred; `\n` is Graphviz's own escape for their ends. */
const label = (lines: readonly string[]) => quoted(lines.join('\n')).replaceAll('\n', String.raw`\n`);

/** A graph, its last line ended. */
export function dotPicture(topology: Topology): string {
  const segmentId = (name: string) => quoted(`segment ${name}`);
  const seen = new Set<string>();
  const wires = topology.nodes.flatMap((node) =>
    node.interfaces.map((link) => {
      const ends = [quoted(node.name), segmentId(link.segment)];
      if (seen.has(link.segment)) ends.reverse();
      seen.add(link.segment);
      return `  ${ends.join(' -- ')} [label=${label([link.name, ...link.addresses.map(({ address }) => address)])}];`;
    }),
  );
  return [
    `graph ${quoted(topology.name)} {`,
    '  rankdir=LR;',
    '  node [shape=box, style=rounded, fontname="Helvetica"];',
    '  edge [fontname="Helvetica", fontsize=10];',
    ...topology.segments.map(
      (segment) => `  ${segmentId(segment.name)} [shape=plain, label=${label([segmentLabel(segment)])}];`,
    ),
    ...topology.nodes.map((node) => {
      const isBalancer = topology.balancer?.node === node.name;
      return `  ${quoted(node.name)} [label=${label(boxLines(topology, node))}${isBalancer ? ', peripheries=2' : ''}];`;
    }),
    ...wires,
    '}',
  ]
    .map((line) => `${line}\n`)
    .join('');
}
