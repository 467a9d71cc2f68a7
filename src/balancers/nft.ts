// Balancing with nftables alone, for kernels that have it and no IPVS. It keeps no count of connections and knows no scheduler: what it can do
// is pick by a number that goes round or by chance (numgen), or by a hash of the source (jhash), nft(8).
import { inNode, inspection, nodeFile } from '../plan/steps.ts';
import type { Balancer, Node, Topology, VirtualService } from '../topology/types.ts';
import {
  forgetNeighbours,
  forwarding,
  isReal,
  LOUD_VIP,
  outsideInterface,
  quietVip,
  vipBeside,
  vipInspections,
  whenOnLink,
  whenSeveral,
} from './vip.ts';
import { NOTHING, type BalancingMethod, type Setting } from './types.ts';

/** The number that picks a real server: below the sum of the weights. */
function pick(service: VirtualService): string {
  const total = service.backends.reduce((sum, real) => sum + real.weight, 0);
  switch (service.scheduler) {
    case 'random':
      return `numgen random mod ${total}`;
    case 'sh':
      return `jhash ip saddr mod ${total}`;
    case 'sh-port':
      return `jhash ip saddr . ${service.protocol} sport mod ${total}`;
    default:
      return `numgen inc mod ${total}`;
  }
}

/** A map from such a number to each real server, as often as its weight says. */
function shares(
  service: VirtualService,
  valueOf: (real: VirtualService['backends'][number]) => string,
): string {
  let from = 0;
  const ranges = service.backends.flatMap((real) => {
    if (real.weight === 0) return [];
    const range = real.weight === 1 ? `${from}` : `${from}-${from + real.weight - 1}`;
    from += real.weight;
    return [`${range} : ${valueOf(real)}`];
  });
  return `{ ${ranges.join(', ')} }`;
}

const wanted = (balancer: Balancer, service: VirtualService) =>
  `ip daddr ${balancer.vip} ${service.protocol} dport ${service.port}`;

function natRules(balancer: Balancer): string {
  const rules = balancer.services.map(
    (service) =>
      `    ${wanted(balancer, service)} dnat ip to ${pick(service)} map ` +
      shares(service, (real) => `${real.address} . ${real.port}`),
  );
  return [
    'table ip lblab {',
    '  chain prerouting {',
    '    type nat hook prerouting priority dstnat;',
    ...rules,
    '  }',
    '}',
    '',
  ].join('\n');
}

function macOn(topology: Topology, balancer: Balancer, node: string): string {
  const segment = nodeOf(topology, balancer.node).interfaces.find(
    (link) => link.name === outsideInterface(topology, balancer),
  )!.segment;
  return nodeOf(topology, node).interfaces.find((link) => link.segment === segment)!.mac;
}

const nodeOf = (topology: Topology, name: string): Node => topology.nodes.find((node) => node.name === name)!;

function dsrRules(topology: Topology, balancer: Balancer): string {
  const device = outsideInterface(topology, balancer);
  const own = macOn(topology, balancer, balancer.node);
  const rules = balancer.services.map(
    (service) =>
      // The frame leaves with the director's own source address: with the client's, the segment's bridge would look for the client here.
      `    ${wanted(balancer, service)} ether saddr set ${own} ether daddr set ${pick(service)} map ` +
      `${shares(service, (real) => macOn(topology, balancer, real.node))} fwd to "${device}"`,
  );
  return [
    'table netdev lblab {',
    '  chain ingress {',
    `    type filter hook ingress device "${device}" priority 0;`,
    ...rules,
    '  }',
    '}',
    '',
  ].join('\n');
}

function load(node: string, rules: string) {
  return [
    nodeFile(node, 'balancer.nft', rules, 'The rules that balance'),
    inNode(node, 'nft', ['nft', '-f', `nodes/${node}/balancer.nft`], 'The rules that balance'),
  ];
}

const TABLE = ['nft', 'list', 'ruleset'] as const;
const table = (balancer: Balancer) => inspection('nft', balancer.node, TABLE, "The balancer's rules");

export const nftNat: BalancingMethod = {
  method: 'nft-nat',
  title: 'L4 NAT by nftables: dnat to a map',
  forwards: 'translates',
  schedulers: ['rr', 'wrr', 'random', 'sh', 'sh-port'],
  sabotages: ['no-forwarding'],
  instead: { persistence: 'scheduler: sh' },
  needs: ['nft', 'sysctl', 'kernel:nftables'],
  modules: () => ['nf_tables', 'nft_chain_nat', 'nft_numgen', 'nft_hash'],
  steps: (node, setting) =>
    node === setting.balancer.node
      ? {
          before: [...vipBeside(setting), ...forwarding(setting), ...load(node, natRules(setting.balancer))],
          services: [],
        }
      : NOTHING,
  inspect: ({ balancer }) => [table(balancer)],
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
  ],
};

export const nftDsr: BalancingMethod = {
  method: 'nft-dsr',
  title: 'L4 DSR by nftables: a new destination MAC address at ingress',
  forwards: 'frames',
  // Without connection tracking only what is the same for each packet of a connection can pick.
  schedulers: ['sh', 'sh-port'],
  sabotages: LOUD_VIP,
  instead: { persistence: 'scheduler: sh' },
  asks: false,
  needs: ['nft', 'sysctl', 'kernel:nftables'],
  modules: () => ['nf_tables', 'nft_fwd_netdev', 'nft_hash', 'nft_numgen'],
  steps: (node, setting: Setting) => {
    const { balancer, topology } = setting;
    if (node === balancer.node) {
      return { before: [...vipBeside(setting), ...load(node, dsrRules(topology, balancer))], services: [] };
    }
    return isReal(node, balancer) ? { before: quietVip(node, setting, 'lo'), services: [] } : NOTHING;
  },
  settle: forgetNeighbours,
  inspect: (setting) => [
    table(setting.balancer),
    ...vipInspections(setting, 'lo', 'The VIP on the loopback'),
  ],
  table: TABLE,
  claims: (topology) => [
    'dsr.vip',
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
  ],
};
