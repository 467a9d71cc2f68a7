// keepalived(8) as the director's keeper: it asks each real server in HTTP whether it lives and keeps IPVS's table by that, and of a pair of
// directors it gives the VIP to the one that is there (VRRP, RFC 5798). Knows keepalived.conf(5) and nothing of methods.
import { nodeFolder } from '../plan/names.ts';
import { inNode, nodeFile } from '../plan/steps.ts';
import type { ServiceStep, Step } from '../plan/types.ts';
import { addressPort } from '../topology/address.ts';
import { PRIORITY } from '../topology/pair.ts';
import type { Balancer, HealthCheck, Pair, VirtualService } from '../topology/types.ts';
import type { NodeSteps, Setting } from './types.ts';
import { outsideInterface } from './vip.ts';

export type LbKind = 'NAT' | 'DR' | 'TUN';

/** Both directors of a pair say this number, which tells their VRRP instance from others' on the segment. */
const VIRTUAL_ROUTER = 51;

function block(head: string, body: readonly string[]): string[] {
  return [`${head} {`, ...body.map((line) => `    ${line}`), '}'];
}

/** An address and a port as keepalived writes them: with a blank between. */
const place = (address: string, port: number) => `${address} ${port}`;

function virtualServer(
  balancer: Balancer,
  service: VirtualService,
  kind: LbKind,
  health: HealthCheck,
): string[] {
  return block(`virtual_server ${place(balancer.vip, service.port)}`, [
    `delay_loop ${health.every}`,
    `lb_algo ${service.scheduler}`,
    `lb_kind ${kind}`,
    'protocol TCP',
    ...(service.persistence > 0 ? [`persistence_timeout ${service.persistence}`] : []),
    ...service.backends.flatMap((real) =>
      block(`real_server ${place(real.address, real.port)}`, [
        `weight ${real.weight}`,
        ...block('HTTP_GET', [
          ...block('url', [`path ${health.path}`, 'status_code 200']),
          `connect_timeout ${health.timeout}`,
          `retry ${health.retries}`,
          `delay_before_retry ${health.retryAfter}`,
        ]),
      ]),
    ),
  ]);
}

function vrrpInstance({ topology, balancer }: Setting, node: string, pair: Pair): string[] {
  const isFirst = node === balancer.node;
  const device = outsideInterface(topology, { ...balancer, node });
  return block('vrrp_instance VIP', [
    `state ${isFirst ? 'MASTER' : 'BACKUP'}`,
    `interface ${device}`,
    `virtual_router_id ${VIRTUAL_ROUTER}`,
    `priority ${isFirst ? PRIORITY.first : PRIORITY.second}`,
    `advert_int ${pair.advert}`,
    ...block('virtual_ipaddress', [`${balancer.vip}/32 dev ${device}`]),
  ]);
}

/** keepalived.conf of a director. */
function keepalivedConf(setting: Setting, node: string, kind: LbKind): string {
  const { topology, balancer } = setting;
  const { health, pair } = balancer;
  if (health!.conf !== undefined) return health!.conf;
  const device = outsideInterface(topology, { ...balancer, node });
  return [
    ...block('global_defs', [
      `router_id ${node}`,
      ...(pair === undefined
        ? []
        : [
            // Version 2 has whole seconds between advertisements only.
            'vrrp_version 3',
            // Tells the other director of each connection, so that it can go on with them.
            ...(pair.sync ? [`lvs_sync_daemon ${device} VIP`] : []),
          ]),
    ]),
    ...(pair === undefined ? [] : vrrpInstance(setting, node, pair)),
    ...balancer.services.flatMap((service) => virtualServer(balancer, service, kind, health!)),
    '',
  ].join('\n');
}

/** keepalived on a director, in the foreground and with all its files in the node's folder. */
export function keepalived(node: string, setting: Setting, kind: LbKind): NodeSteps {
  const { topology, balancer } = setting;
  const pair = balancer.pair;
  const isUsers =
    balancer.health?.conf !== undefined ||
    topology.nodes.some((each) => each.name === node && Object.hasOwn(each.files, 'keepalived.conf'));
  const check: Step = inNode(
    node,
    'keepalived.check',
    ['keepalived', '--config-test', '--use-file', 'keepalived.conf'],
    'Started with a mistake in it, keepalived would only log that',
    { cwd: nodeFolder(node) },
  );
  const service: ServiceStep = {
    kind: 'service',
    id: `${node}.keepalived`,
    part: 'lab',
    node,
    name: `${node}.keepalived`,
    argv: [
      ...['keepalived', '--dont-fork', '--log-console', '--log-detail', '--no-syslog'],
      ...['--use-file', 'keepalived.conf', '--pid', 'keepalived.pid'],
      ...['--checkers_pid', 'checkers.pid', '--vrrp_pid', 'vrrp.pid'],
      ...(pair === undefined ? ['--check'] : []),
    ],
    cwd: nodeFolder(node),
    ready: {
      stderr:
        pair === undefined || isUsers
          ? 'Startup complete'
          : node === pair.node
            ? 'Entering BACKUP STATE'
            : 'Entering MASTER STATE',
    },
    reason:
      pair === undefined
        ? 'keepalived, which keeps the table by what its health checks find'
        : 'keepalived, which keeps the table, and holds the VIP or waits for it',
  };
  const servers = balancer.services.map(({ port }) => addressPort(balancer.vip, port)).join(', ');
  return {
    before: [
      nodeFile(
        node,
        'keepalived.conf',
        keepalivedConf(setting, node, kind),
        `The virtual service ${servers}, its real servers, and how they are asked`,
      ),
      ...(isUsers ? [check] : []),
    ],
    services: [],
    last: [service],
  };
}
