// IPVS with -i: the director puts each packet into an IP packet of its own (RFC 2003) and sends that to a backend, over any number of
// routers. The backend takes the inner packet out, finds the VIP on itself, and answers the client directly.
import { inNode } from '../plan/steps.ts';
import {
  director,
  isDirector,
  pairClaims,
  schedulerModules,
  SCHEDULERS,
  TABLE,
  tableInspection,
  whenPersistent,
} from './ipvs.ts';
import { NOTHING, type BalancingMethod, type Setting } from './types.ts';
import {
  forgetNeighbours,
  isReal,
  LOUD_VIP,
  quietVip,
  vipInspections,
  whenOnLink,
  whenSeveral,
} from './vip.ts';

function backend(node: string, setting: Setting) {
  return [
    // Loads ipip where it is a module; where tunl0 came with it, "exists" (2) is fine.
    inNode(node, 'tunnel', ['ip', 'link', 'add', 'tunl0', 'type', 'ipip'], 'The end of every tunnel', {
      exitCodes: [0, 2],
    }),
    inNode(node, 'tunnel.up', ['ip', 'link', 'set', 'tunl0', 'up'], 'The end of every tunnel'),
    // The inner packet comes in on tunl0 from a client that is routed elsewhere: reverse path filtering would drop it (RFC 3704).
    ...quietVip(node, setting, 'tunl0', ['net.ipv4.conf.all.rp_filter=0', 'net.ipv4.conf.tunl0.rp_filter=0']),
  ];
}

export const ipvsTun: BalancingMethod = {
  method: 'ipvs-tun',
  title: 'L4 tunnel: IPVS wraps packets in IP-in-IP (ipvsadm -i)',
  forwards: 'wraps',
  schedulers: SCHEDULERS,
  sabotages: LOUD_VIP,
  health: true,
  needs: ['ipvsadm', 'sysctl', 'kernel:ipvs', 'kernel:ipip'],
  modules: (balancer) => [...schedulerModules(balancer), 'ipip'],
  steps: (node, setting) => {
    if (isDirector(node, setting.balancer)) return director(node, setting, '-i');
    return isReal(node, setting.balancer) ? { before: backend(node, setting), services: [] } : NOTHING;
  },
  settle: forgetNeighbours,
  inspect: (setting) => [
    tableInspection(setting.balancer),
    ...vipInspections(setting, 'tunl0', 'The VIP on the tunnel'),
  ],
  table: TABLE,
  claims: (topology) =>
    pairClaims(topology) ?? [
      'tun.vip',
      'tun.encapsulation',
      'tun.source',
      'tun.dst',
      'tun.return',
      'tun.return-source',
      'tun.one-connection',
      'tun.payload',
      ...whenSeveral(topology, 'tun.spread'),
      'tun.loopback',
      ...whenOnLink(topology, 'tun.arp'),
      'tun.table',
      ...whenPersistent(topology),
    ],
};
