// What the IPVS methods share: the director's commands as ipvsadm(8) wants them, and its table.
import { inNode, inspection } from '../plan/steps.ts';
import type { CommandStep, Step } from '../plan/types.ts';
import { isIPv6 } from 'node:net';
import { addressPort } from '../topology/address.ts';
import type { Balancer, Topology, VirtualService } from '../topology/types.ts';
import { keepalived } from './keepalived.ts';
import type { NodeSteps, Setting } from './types.ts';
import { vipBeside } from './vip.ts';

/** `-t VIP:PORT` or `-u VIP:PORT`. */
function virtual(balancer: Balancer, service: VirtualService): string[] {
  return [service.protocol === 'tcp' ? '-t' : '-u', addressPort(balancer.vip, service.port)];
}

/** The director's set-up, one command a step, as the article types them. `forward` is -m, -g or -i. */
export function ipvsadm(balancer: Balancer, forward: '-m' | '-g' | '-i'): CommandStep[] {
  const { node } = balancer;
  return [
    inNode(node, 'ipvsadm.clear', ['ipvsadm', '-C'], 'An empty table'),
    ...balancer.services.flatMap((service) => {
      const name = `${service.protocol}${service.port}`;
      const persistence = service.persistence > 0 ? ['-p', String(service.persistence)] : [];
      return [
        inNode(
          node,
          `ipvsadm.${name}`,
          ['ipvsadm', '-A', ...virtual(balancer, service), '-s', service.scheduler, ...persistence],
          'The virtual service that clients ask for',
        ),
        ...service.backends.map((real) =>
          inNode(
            node,
            `ipvsadm.${name}.${real.node}`,
            [
              'ipvsadm',
              '-a',
              ...virtual(balancer, service),
              '-r',
              real.port === service.port ? bare(real.address) : addressPort(real.address, real.port),
              forward,
              ...(real.weight === 1 ? [] : ['-w', String(real.weight)]),
            ],
            `${real.node} is one of its real servers`,
          ),
        ),
      ];
    }),
  ];
}

const bare = (address: string) => (isIPv6(address) ? `[${address}]` : address);

const KINDS = { '-m': 'NAT', '-g': 'DR', '-i': 'TUN' } as const;

/** Whether a node directs: the one that the topology names, or the second of a pair. */
export function isDirector(node: string, { node: first, pair }: Balancer): boolean {
  return node === first || node === pair?.node;
}

/**
 * A director's steps: its VIP, what lies on the packets' path, and the table, by ipvsadm or by keepalived. The VIP of a pair is
 * keepalived's business.
 */
export function director(
  node: string,
  setting: Setting,
  forward: '-m' | '-g' | '-i',
  path: readonly Step[] = [],
): NodeSteps {
  const { balancer } = setting;
  if (balancer.health === undefined) {
    return { before: [...vipBeside(setting), ...path, ...ipvsadm(balancer, forward)], services: [] };
  }
  const kept = keepalived(node, setting, KINDS[forward]);
  const vip = balancer.pair === undefined ? vipBeside(setting) : [];
  return { ...kept, before: [...vip, ...path, ...kept.before] };
}

/** The modules of Linux 6.1 (net/netfilter/ipvs). */
export const SCHEDULERS = [
  'rr',
  'wrr',
  'lc',
  'wlc',
  'fo',
  'ovf',
  'lblc',
  'lblcr',
  'dh',
  'sh',
  'mh',
  'sed',
  'nq',
];

/** The kernel modules of the schedulers in use. */
export function schedulerModules(balancer: Balancer): string[] {
  return ['ip_vs', ...new Set(balancer.services.map((service) => `ip_vs_${service.scheduler}`))];
}

export const TABLE = ['ipvsadm', '-Ln'] as const;

export function tableInspection(balancer: Balancer): CommandStep {
  return inspection('ipvsadm', balancer.node, TABLE, "The director's table");
}

export const iptables = ({ kernel }: Setting): string => (kernel === 'uml' ? 'iptables-legacy' : 'iptables');

/** The persistence claim, where the topology asks for it. */
export function whenPersistent(topology: Topology): string[] {
  return topology.balancer!.services.some((service) => service.persistence > 0) ? ['l4.persistence'] : [];
}

/** The claims about a pair whose first director goes down; nothing for other topologies. What IPVS does is claimed of one director. */
export function pairClaims({ balancer, faults = [], traffic }: Topology): string[] | undefined {
  if (balancer?.pair === undefined || !faults.some(({ node }) => node === balancer.node)) return undefined;
  return ['pair.takeover', 'pair.moves', ...(traffic?.reuse === undefined ? [] : ['pair.connections'])];
}
