// The VIP and the path of packets, whichever program balances: the balancer's VIP beside an address of its own, forwarding, and backends that
// have the VIP and keep quiet about it.
import { isIPv6 } from 'node:net';
import { inNode, inspection } from '../plan/steps.ts';
import type { CommandStep } from '../plan/types.ts';
import { contains, parseIp } from '../topology/address.ts';
import type { Balancer, Sabotage, Topology } from '../topology/types.ts';
import type { Setting } from './types.ts';

/** Whether the VIP is one of the balancer's addresses already. */
function ownsVip(topology: Topology, balancer: Balancer): boolean {
  const node = topology.nodes.find(({ name }) => name === balancer.node)!;
  return [...node.loopback, ...node.interfaces.flatMap((link) => link.addresses)].some(
    ({ address }) => address === balancer.vip,
  );
}

/** The interface that clients reach the balancer on: of the segments that it shares with a client the first, else its first. */
export function outsideInterface(topology: Topology, balancer: Balancer): string {
  const segments = new Set(
    topology.nodes
      .filter((node) => node.role === 'client')
      .flatMap((node) => node.interfaces.map((link) => link.segment)),
  );
  const { interfaces } = topology.nodes.find(({ name }) => name === balancer.node)!;
  return (interfaces.find((link) => segments.has(link.segment)) ?? interfaces[0]!).name;
}

const host = (address: string) => `${address}/${isIPv6(address) ? 128 : 32}`;

/** Gives the director the VIP beside its own address, where the topology does not already. */
export function vipBeside({ topology, balancer }: Setting): CommandStep[] {
  if (ownsVip(topology, balancer)) return [];
  return [
    inNode(
      balancer.node,
      'vip',
      ['ip', 'addr', 'add', host(balancer.vip), 'dev', outsideInterface(topology, balancer)],
      "The VIP, beside an address of the director's own: with the VIP as sender of its ARP requests no backend would answer",
    ),
  ];
}

/** Lets a balancer pass packets on between its interfaces. */
export function forwarding({ balancer }: Setting): CommandStep[] {
  if (balancer.sabotage.includes('no-forwarding')) return [];
  const keys = isIPv6(balancer.vip) ? ['net.ipv6.conf.all.forwarding=1'] : ['net.ipv4.ip_forward=1'];
  return [
    inNode(
      balancer.node,
      'forwarding',
      ['sysctl', '-q', '-w', ...keys],
      "Backends' answers pass through the director, which must forward them",
    ),
  ];
}

/**
 * A backend that takes packets for the VIP and never says in ARP that it has it (https://docs.kernel.org/networking/ip-sysctl.html,
 * arp_ignore and arp_announce). `device` holds the VIP.
 */
export function quietVip(
  node: string,
  { balancer }: Setting,
  device: string,
  more: readonly string[] = [],
): CommandStep[] {
  const { sabotage } = balancer;
  const settings = [
    ...(sabotage.includes('no-arp-ignore') ? [] : ['net.ipv4.conf.all.arp_ignore=1']),
    ...(sabotage.includes('no-arp-ignore') || sabotage.includes('no-arp-announce')
      ? []
      : ['net.ipv4.conf.all.arp_announce=2']),
    ...more,
  ];
  return [
    ...(settings.length === 0
      ? []
      : [
          inNode(
            node,
            'arp',
            ['sysctl', '-q', '-w', ...settings],
            'Answers ARP for the addresses of the asked interface only, and never asks in the name of the VIP',
          ),
        ]),
    ...(sabotage.includes('no-loopback-vip')
      ? []
      : [
          inNode(
            node,
            'vip',
            ['ip', 'addr', 'add', host(balancer.vip), 'dev', device],
            'The VIP, so that packets for it are taken and answered from it',
          ),
        ]),
  ];
}

/** What can be left out of a backend that has the VIP. */
export const LOUD_VIP: readonly Sabotage[] = ['no-arp-ignore', 'no-arp-announce', 'no-loopback-vip'];

/** Every node forgets its neighbours, so that the captures show who answers for the VIP. */
export function forgetNeighbours({ topology }: Setting): CommandStep[] {
  return topology.nodes.map((node) =>
    inNode(
      node.name,
      'forget',
      ['ip', 'neigh', 'flush', 'all'],
      'Neighbours are asked for again, in the captures',
    ),
  );
}

/** Whether a node is a real server of any service. */
export function isReal(node: string, balancer: Balancer): boolean {
  return balancer.services.some((service) => service.backends.some((real) => real.node === node));
}

/** Ids of the claims that hold only when there is something to balance between. */
export function whenSeveral(topology: Topology, ...ids: string[]): string[] {
  return topology.balancer!.services[0]!.backends.length > 1 &&
    topology.balancer!.services[0]!.persistence === 0
    ? ids
    : [];
}

/** Ids of the claims about who answers ARP for the VIP: only where clients ask for it, having it on a subnet of theirs. */
export function whenOnLink(topology: Topology, ...ids: string[]): string[] {
  const vip = parseIp(topology.balancer!.vip)!;
  const asked = topology.nodes
    .filter((node) => node.role === 'client')
    .flatMap((node) => node.interfaces.flatMap((link) => link.addresses))
    .some(({ address, prefix }) => contains({ ip: parseIp(address)!, prefix }, vip));
  return asked ? ids : [];
}

/** What tells whether each backend has the VIP on `device`, named as its loopback whichever device that is. */
export const vipInspections = ({ balancer, topology }: Setting, device: string, reason: string) =>
  topology.nodes
    .filter((node) => isReal(node.name, balancer))
    .map((node) =>
      inspection(`${node.name}.loopback`, node.name, ['ip', '-json', 'addr', 'show', 'dev', device], reason),
    );
