// IPVS with -g: the director sends each frame on to a backend's MAC address. The backend has the VIP on its loopback and answers the
// client directly: Direct Server Return.
import { inspection } from '../plan/steps.ts';
import {
  director,
  iptables,
  isDirector,
  pairClaims,
  schedulerModules,
  SCHEDULERS,
  TABLE,
  tableInspection,
  whenPersistent,
} from './ipvs.ts';
import { NOTHING, type BalancingMethod } from './types.ts';
import {
  forgetNeighbours,
  isReal,
  LOUD_VIP,
  quietVip,
  vipInspections,
  whenOnLink,
  whenSeveral,
} from './vip.ts';

export const ipvsDsr: BalancingMethod = {
  method: 'ipvs-dsr',
  title: 'L4 DSR: IPVS rewrites the destination MAC address (ipvsadm -g)',
  forwards: 'frames',
  schedulers: SCHEDULERS,
  sabotages: LOUD_VIP,
  health: true,
  needs: ['ipvsadm', 'iptables', 'sysctl', 'kernel:ipvs'],
  modules: (balancer) => [...schedulerModules(balancer), 'iptable_filter', 'iptable_nat'],
  steps: (node, setting) => {
    if (isDirector(node, setting.balancer)) return director(node, setting, '-g');
    return isReal(node, setting.balancer) ? { before: quietVip(node, setting, 'lo'), services: [] } : NOTHING;
  },
  settle: forgetNeighbours,
  inspect: (setting) => {
    const { balancer } = setting;
    return [
      tableInspection(balancer),
      inspection(
        'iptables-filter',
        balancer.node,
        [iptables(setting), '-S'],
        'No packet filter rule is involved',
      ),
      inspection(
        'iptables-nat',
        balancer.node,
        [iptables(setting), '-t', 'nat', '-S'],
        'Nor one that translates',
      ),
      ...vipInspections(setting, 'lo', 'The VIP on the loopback'),
    ];
  },
  table: TABLE,
  claims: (topology) =>
    pairClaims(topology) ?? [
      'dsr.vip',
      'dsr.mac',
      'dsr.source',
      'dsr.dst',
      'dsr.return',
      'dsr.return-source',
      'dsr.segment',
      'dsr.loopback',
      ...whenOnLink(topology, 'dsr.arp'),
      'dsr.missing',
      'dsr.one-connection',
      'dsr.payload',
      ...whenSeveral(topology, 'dsr.spread'),
      'dsr.norules',
      'dsr.table',
      ...whenPersistent(topology),
    ],
};
