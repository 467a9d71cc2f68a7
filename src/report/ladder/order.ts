// In which order a ladder's machines stand, and the rails of each: by their roles in the topology. Where there is none, they stay as they came.
import type { Topology } from '../../topology/types.ts';
import type { Roles } from '../../verify/roles.ts';
import type { Station } from './stations.ts';

/** From the clients to the backends. */
export function inOrder(groups: Station[][], topology: Topology, roles: Roles): Station[][] {
  const near = new Set(
    topology.nodes
      .filter(({ name }) => roles.clients.has(name))
      .flatMap(({ interfaces }) => interfaces.map(({ segment }) => segment)),
  );
  const backends = roles.backends.map(({ node }) => node);
  const rank = (group: Station[]): number => {
    const at = topology.nodes.findIndex(({ name }) => name === group[0]!.node);
    const node = topology.nodes[at];
    if (node === undefined) return 7000;
    if (roles.clients.has(node.name)) return at;
    if (roles.balancer?.name === node.name) return 3000;
    if (backends.includes(node.name)) return 5000 + backends.indexOf(node.name);
    if (node.role === 'dns') return 1000 + at;
    if (node.role !== 'router') return 6000 + at;
    return (node.interfaces.some(({ segment }) => near.has(segment)) ? 2000 : 4000) + at;
  };
  return groups
    .map((group) => [rank(group), group] as const)
    .sort(([a], [b]) => a - b)
    .map(([, group]) => group);
}

/** The outside of a balancer to the left; else in the topology's order. */
export function railOrder(group: Station[], topology: Topology, roles: Roles): Station[] {
  const node = topology.nodes.find(({ name }) => name === group[0]!.node);
  if (node === undefined) return group;
  const rank = ({ interface: name }: Station) =>
    node.interfaces.findIndex((link) => link.name === name) +
    (node.name === roles.balancer?.name && !roles.outside.has(name!) ? 1000 : 0);
  return [...group].sort((a, b) => rank(a) - rank(b));
}
