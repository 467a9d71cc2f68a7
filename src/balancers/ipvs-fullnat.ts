// IPVS with -m and MASQUERADE: both addresses are translated, so a backend sees the director as the client and needs no route through it.
import { inNode, inspection } from '../plan/steps.ts';
import {
  iptables,
  ipvsadm,
  schedulerModules,
  SCHEDULERS,
  TABLE,
  tableInspection,
  whenPersistent,
} from './ipvs.ts';
import { NOTHING, type BalancingMethod, type Setting } from './types.ts';
import { forwarding, vipBeside, whenSeveral } from './vip.ts';

function masquerade(setting: Setting) {
  const { balancer } = setting;
  if (balancer.sabotage.includes('no-masquerade')) return [];
  return [
    inNode(
      balancer.node,
      'conntrack',
      ['sysctl', '-q', '-w', 'net.ipv4.vs.conntrack=1'],
      'IPVS tells connection tracking of its connections; the rule below sees none otherwise',
    ),
    ...balancer.services.map((service) =>
      inNode(
        balancer.node,
        `masquerade.${service.protocol}${service.port}`,
        [
          ...[iptables(setting), '-t', 'nat', '-A', 'POSTROUTING'],
          ...['-m', 'ipvs', '--vaddr', `${balancer.vip}/32`, '--vport', String(service.port)],
          ...['-j', 'MASQUERADE'],
        ],
        "What IPVS sends on gets the director's own address as its source",
      ),
    ),
  ];
}

export const ipvsFullnat: BalancingMethod = {
  method: 'ipvs-fullnat',
  title: 'L4 full NAT: IPVS rewrites the destination, iptables the source',
  forwards: 'translates',
  schedulers: SCHEDULERS,
  sabotages: ['no-forwarding', 'no-masquerade'],
  needs: ['ipvsadm', 'iptables', 'sysctl', 'kernel:ipvs'],
  modules: (balancer) => [...schedulerModules(balancer), 'iptable_nat', 'xt_ipvs', 'xt_MASQUERADE'],
  steps: (node, setting) =>
    node === setting.balancer.node
      ? {
          before: [
            ...vipBeside(setting),
            ...forwarding(setting),
            ...ipvsadm(setting.balancer, '-m'),
            ...masquerade(setting),
          ],
          services: [],
        }
      : NOTHING,
  inspect: (setting) => [
    tableInspection(setting.balancer),
    inspection(
      'iptables-nat',
      setting.balancer.node,
      [iptables(setting), '-t', 'nat', '-S'],
      'The rules that translate sources',
    ),
  ],
  table: TABLE,
  claims: (topology) => [
    'fullnat.source',
    'fullnat.one-connection',
    ...whenSeveral(topology, 'fullnat.spread'),
    'fullnat.no-gateway',
    ...whenPersistent(topology),
  ],
};
