// Which addresses a node answers for beside those of its interfaces.
import { isDirect, methodOf } from '../balancers/index.ts';
import type { Topology } from './types.ts';

export interface AddressBeside {
  readonly kind: 'VIP' | 'lo';
  readonly address: string;
}

/** The VIP first; then what the topology puts on the node's loopback. */
export function addressesBeside(topology: Topology, name: string): AddressBeside[] {
  const node = topology.nodes.find((each) => each.name === name);
  if (node === undefined) return [];
  const own = node.interfaces.flatMap((link) => link.addresses.map(({ address }) => address));
  const loopback = node.loopback.map(({ address }) => address);
  const { balancer } = topology;
  const isSharing =
    balancer !== undefined &&
    isDirect(methodOf(balancer.method).forwards) &&
    !balancer.sabotage.includes('no-loopback-vip') &&
    balancer.services.some(({ backends }) => backends.some((real) => real.node === name));
  const isVip = balancer !== undefined && (balancer.node === name || isSharing);
  const vip = isVip && ![...own, ...loopback].includes(balancer.vip) ? [balancer.vip] : [];
  return [
    ...vip.map((address) => ({ kind: 'VIP' as const, address })),
    ...loopback.map((address) => ({ kind: 'lo' as const, address })),
  ];
}
