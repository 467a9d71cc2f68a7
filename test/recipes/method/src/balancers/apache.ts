// Apache httpd as an L7 balancer (mod_proxy_balancer): it reads the request and asks a backend over a connection of its own.
import { nodeFolder } from '../plan/names.ts';
import { nodeFile } from '../plan/steps.ts';
import { addressPort } from '../topology/address.ts';
import type { Balancer } from '../topology/types.ts';
import { NOTHING, type BalancingMethod } from './types.ts';
import { vipBeside, whenSeveral } from './vip.ts';

const MODULES = ['mpm_event', 'authz_core', 'slotmem_shm', 'proxy', 'proxy_http', 'proxy_balancer'];

function conf({ vip, services }: Balancer): string {
  const [service] = services;
  return [
    `ServerName balancer`,
    `Listen ${addressPort(vip, service!.port)}`,
    'PidFile apache.pid',
    'DefaultRuntimeDir .',
    'ErrorLog error.log',
    ...[...MODULES, `lbmethod_${service!.scheduler}`].map(
      (name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`,
    ),
    '<Proxy balancer://backends>',
    ...service!.backends.map(
      ({ address, port }) => `  BalancerMember http://${addressPort(address, port)} disablereuse=On`,
    ),
    `  ProxySet lbmethod=${service!.scheduler}`,
    '</Proxy>',
    'ProxyPass / balancer://backends/',
    '',
  ].join('\n');
}

export const apache: BalancingMethod = {
  method: 'apache',
  title: 'L7: Apache httpd reads the request and asks a backend over a second connection',
  forwards: 'proxy',
  schedulers: ['byrequests', 'bytraffic', 'bybusyness'],
  sabotages: [],
  instead: { persistence: 'another method' },
  needs: ['apache2'],
  modules: () => [],
  steps: (node, setting) =>
    node === setting.balancer.node
      ? {
          before: [
            ...vipBeside(setting),
            nodeFile(node, 'apache.conf', conf(setting.balancer), 'The balancer'),
          ],
          services: [
            {
              kind: 'service',
              id: `${node}.apache`,
              part: 'lab',
              node,
              name: `${node}.apache`,
              argv: ['apache2', '-d', '.', '-f', 'apache.conf', '-DFOREGROUND'],
              cwd: nodeFolder(node),
              ready: { tcp: setting.balancer.services[0]!.port },
              reason: 'The balancer',
            },
          ],
        }
      : NOTHING,
  inspect: () => [],
  claims: (topology) => [
    ...['l7.vip', 'l7.source', 'l7.two-connections', 'l7.after-request', 'l7.forwarded-for'],
    ...whenSeveral(topology, 'l7.spread'),
  ],
};
