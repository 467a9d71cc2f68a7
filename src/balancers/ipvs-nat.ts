// IPVS with -m: the director rewrites the destination address on the way in and the source address on the way out. One TCP connection,
// the client's, end to end.
import {
  director,
  isDirector,
  schedulerModules,
  SCHEDULERS,
  TABLE,
  tableInspection,
  whenPersistent,
} from './ipvs.ts';
import { NOTHING, type BalancingMethod } from './types.ts';
import { forwarding, whenSeveral } from './vip.ts';

export const ipvsNat: BalancingMethod = {
  method: 'ipvs-nat',
  title: 'L4 NAT: IPVS rewrites addresses (ipvsadm -m)',
  forwards: 'translates',
  schedulers: SCHEDULERS,
  sabotages: ['no-forwarding'],
  health: true,
  needs: ['ipvsadm', 'sysctl', 'kernel:ipvs'],
  modules: schedulerModules,
  steps: (node, setting) =>
    isDirector(node, setting.balancer) ? director(node, setting, '-m', forwarding(setting)) : NOTHING,
  inspect: ({ balancer }) => [tableInspection(balancer)],
  table: TABLE,
  claims: (topology) => [
    'nat.vip',
    'nat.one-connection',
    'nat.port',
    'nat.rewrite',
    'nat.both-ways',
    'nat.passed-through',
    'nat.source',
    ...whenSeveral(topology, 'nat.spread'),
    'nat.payload',
    'nat.table',
    ...whenPersistent(topology),
  ],
};
