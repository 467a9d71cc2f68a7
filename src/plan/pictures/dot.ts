// A topology as a Graphviz graph (https://graphviz.org/doc/info/lang.html).
import type { Topology } from '../../topology/types.ts';
import { boxLines, segmentLabel } from './boxes.ts';

/** Lines centred. A backslash begins an escape in labels, and an ampersand an entity. */
const label = (lines: readonly string[]) =>
  `"${lines
    .map((line) => line.replace(/[\\"]/g, String.raw`\$&`).replaceAll('&', '&amp;'))
    .join(String.raw`\n`)}"`;

/** A graph, its last line ended. */
export function dotPicture(topology: Topology): string {
  const segments = new Map(topology.segments.map(({ name }, index) => [name, `segment${index}`]));
  // Whoever is first on a segment stands before it, the others behind: clients, their segment, the balancer, its other one, backends.
  const seen = new Set<string>();
  const wires = topology.nodes.flatMap((node, index) =>
    node.interfaces.map((link) => {
      const ends = [`node${index}`, segments.get(link.segment)!];
      if (seen.has(link.segment)) ends.reverse();
      seen.add(link.segment);
      return `  ${ends.join(' -- ')} [label=${label([link.name, ...link.addresses.map(({ address }) => address)])}];`;
    }),
  );
  return [
    `graph ${label([topology.name])} {`,
    '  rankdir=LR;',
    '  node [shape=box, style=rounded, fontname="Helvetica"];',
    '  edge [fontname="Helvetica", fontsize=10];',
    ...topology.segments.map(
      (segment) => `  ${segments.get(segment.name)} [shape=plain, label=${label([segmentLabel(segment)])}];`,
    ),
    ...topology.nodes.map((node, index) => {
      const isBalancer = topology.balancer?.node === node.name;
      return `  node${index} [label=${label(boxLines(topology, node))}${isBalancer ? ', peripheries=2' : ''}];`;
    }),
    ...wires,
    '}',
  ]
    .map((line) => `${line}\n`)
    .join('');
}
