// The names that a plan gives things: network namespaces, bridges, ports, folders. All deterministic, so two runs diff clean.
import type { Topology } from '../topology/types.ts';

/** The network namespace of a node; the same inside a sandbox, in an exported script and under /run/netns. */
export function netnsOf(lab: string, node: string): string {
  return `lblab-${lab}-${node}`;
}

/** The network namespace that holds the segments' bridges. A node's name has no dot, so it cannot be a node's. */
export function switchNetns(lab: string): string {
  return `lblab-${lab}.segments`;
}

/** A node's folder in the lab's folder: its programs' working directory. */
export function nodeFolder(node: string): string {
  return `nodes/${node}`;
}

/** IFNAMSIZ in <linux/if.h>, less the terminating zero. */
const LONGEST_INTERFACE = 15;

/** Each segment's bridge: its own name where that is a possible interface name that no port has, else a numbered one. */
export function bridges(topology: Topology): Map<string, string> {
  return new Map(
    topology.segments.map((segment, index) => [
      segment.name,
      segment.name.length <= LONGEST_INTERFACE && !/^(port|segment)\d+$|^lo$/.test(segment.name)
        ? segment.name
        : `segment${index + 1}`,
    ]),
  );
}

/** The segment's end of an interface's cable, in the namespace of the segments. */
export function portOf(topology: Topology, node: string, interfaceName: string): string {
  const all = topology.nodes.flatMap((each) => each.interfaces.map((link) => ({ node: each.name, link })));
  return `port${all.findIndex((each) => each.node === node && each.link.name === interfaceName) + 1}`;
}
