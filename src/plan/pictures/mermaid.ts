// A topology as a Mermaid flowchart (https://mermaid.js.org/syntax/flowchart.html), which GitHub draws in Markdown.
import type { Topology } from '../../topology/types.ts';
import { boxLines, segmentLabel } from './boxes.ts';

/** Inside quotes Mermaid takes entity codes with `#`, and HTML. */
const quoted = (text: string) =>
  `"${text.replace(/[#&<>"`\\]/g, (character) => `#${character.codePointAt(0)};`)}"`;

/** Lines joined as Mermaid breaks them. */
const label = (lines: readonly string[]) =>
  `"${lines.map((line) => quoted(line).slice(1, -1)).join('<br>')}"`;

/** A flowchart definition, its last line ended. */
export function mermaidPicture(topology: Topology): string {
  const segments = new Map(topology.segments.map(({ name }, index) => [name, `segment${index}`]));
  const shapes = topology.segments.map(
    (segment) => `  ${segments.get(segment.name)}([${quoted(segmentLabel(segment))}])`,
  );
  const nodes = topology.nodes.map((node, index) => {
    const [open, close] = topology.balancer?.node === node.name ? ['[[', ']]'] : ['[', ']'];
    return `  node${index}${open}${label(boxLines(topology, node))}${close}`;
  });
  // The order of a wire's ends is the order from left to right: clients, their segment, the balancer, its other segment, backends.
  const seen = new Set<string>();
  const wires = topology.nodes.flatMap((node, index) =>
    node.interfaces.map((link) => {
      const segment = segments.get(link.segment)!;
      const words = quoted([link.name, ...link.addresses.map(({ address }) => address)].join(' '));
      const isKnown = seen.has(link.segment);
      seen.add(link.segment);
      const [from, to] = isKnown ? [segment, `node${index}`] : [`node${index}`, segment];
      return `  ${from} ---|${words}| ${to}`;
    }),
  );
  return ['flowchart LR', ...shapes, ...nodes, ...wires].map((line) => `${line}\n`).join('');
}
