// What a picture of a topology says of each node, whatever draws it.
import { addressesBeside } from '../../topology/beside.ts';
import type { Node, Topology } from '../../topology/types.ts';

/** The node's name, the part it plays, and addresses that it has beside its interfaces' own. */
export function boxLines(topology: Topology, node: Node): string[] {
  const { balancer } = topology;
  const part =
    balancer?.node === node.name
      ? `${balancer.method} ${[...new Set(balancer.services.map(({ scheduler }) => scheduler))].join(', ')}`
      : node.role;
  const beside = addressesBeside(topology, node.name).map(({ kind, address }) => `${kind} ${address}`);
  return [node.name, ...(part === node.name ? [] : [part]), ...beside];
}

/** `front 192.168.11.0/24`. */
export function segmentLabel({ name, subnets }: Topology['segments'][number]): string {
  return [name, ...subnets].join(' ');
}
