// DNS round robin: no balancer at all, but a DNS server that answers with the backends' addresses in turning order. The client connects to
// a backend itself. dnsmasq(8) turns the records of a name by one with each answer.
import { nodeFolder } from '../plan/names.ts';
import { nodeFile } from '../plan/steps.ts';
import type { Balancer, Topology } from '../topology/types.ts';
import { NOTHING, type BalancingMethod } from './types.ts';

/** The file in the DNS server's folder that has the name's addresses; dnsmasq reads it again on SIGHUP. */
export const ADDRESSES = 'addresses';

/** The service that answers, as the sandbox names it. */
export const dnsService = (node: string): string => `${node}.dnsmasq`;

/** Lines of hosts(5) for the name, without the backends that are withdrawn. */
export function addressesFile(balancer: Balancer, withdrawn: ReadonlySet<string> = new Set()): string {
  return balancer.services[0]!.backends.filter(({ node }) => !withdrawn.has(node))
    .map(({ address }) => `${address} ${balancer.dns!.name}\n`)
    .join('');
}

function dnsmasqConf(balancer: Balancer): string {
  const { name, ttl } = balancer.dns!;
  return [
    // In the foreground, as the user that it is, and in the folder that it is in: as a daemon it would change to /.
    'no-daemon',
    'no-resolv',
    'no-hosts',
    `addn-hosts=${ADDRESSES}`,
    // Nothing but these addresses is known of the name, so a question for AAAA is answered with none, and at once.
    `local=/${name}/`,
    `local-ttl=${ttl}`,
    `listen-address=${balancer.vip}`,
    'bind-interfaces',
    'log-queries',
    'log-facility=-',
    '',
  ].join('\n');
}

/** resolv.conf(5) of a lab's nodes; nothing where no node serves DNS. */
export function resolvConf({ balancer }: Topology): string | undefined {
  return balancer?.dns === undefined
    ? undefined
    : `nameserver ${balancer.vip}\noptions timeout:1 attempts:2\n`;
}

export const dns: BalancingMethod = {
  method: 'dns',
  title: 'DNS round robin: the client picks a backend from the addresses that DNS answers with',
  forwards: 'names',
  // dnsmasq(8) turns the records of a name by one with each answer.
  schedulers: ['rr'],
  sabotages: [],
  instead: { persistence: 'another method, such as ipvs-nat' },
  weights: 'none',
  section: 'dns',
  needs: ['dnsmasq'],
  modules: () => [],
  steps: (node, { balancer }) =>
    node === balancer.node
      ? {
          before: [
            nodeFile(node, ADDRESSES, addressesFile(balancer), 'The name, and an address for each backend'),
            nodeFile(node, 'dnsmasq.conf', dnsmasqConf(balancer), 'dnsmasq, which turns their order'),
          ],
          services: [
            {
              kind: 'service',
              id: `${node}.dnsmasq`,
              part: 'lab',
              node,
              name: dnsService(node),
              argv: ['dnsmasq', '--conf-file=dnsmasq.conf'],
              cwd: nodeFolder(node),
              ready: { tcp: 53 },
              reason: 'The DNS server',
            },
          ],
        }
      : NOTHING,
  inspect: () => [],
  claims: ({ balancer, traffic, faults }) => {
    const kinds = new Set(Object.values(traffic?.lookup ?? {}));
    const several = balancer!.services[0]!.backends.length > 1;
    const asks = kinds.has('asking') || kinds.has('ordinary');
    return [
      ...(several ? ['dnsrr.rotates'] : []),
      'dnsrr.direct',
      ...(several && kinds.has('caching') ? ['dnsrr.skew'] : []),
      ...(several && kinds.has('caching') && faults !== undefined ? ['dnsrr.failover'] : []),
      ...(several && asks ? ['dnsrr.persistence'] : []),
    ];
  },
};
