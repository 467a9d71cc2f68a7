// nginx as an L7 balancer: ends the client's TCP connection, reads the request, and asks a backend over a connection of its own.
import { nodeFolder } from '../plan/names.ts';
import { nodeFile } from '../plan/steps.ts';
import type { ServiceStep } from '../plan/types.ts';
import type { Balancer, VirtualService, Topology } from '../topology/types.ts';
import { addressPort } from '../topology/address.ts';
import { vipBeside, whenSeveral } from './vip.ts';
import { NOTHING, type BalancingMethod, type NodeSteps, type Setting } from './types.ts';

/**
 * Where nginx puts what does not fit its memory: its own defaults point into /var. In the node's folder they need no privilege and leave nothing;
 * but a user-mode kernel's root may not give away a file of the machine's, as nginx wants to, so there they go into the guest's own /tmp.
 */
export function nginxPaths(node: string, kernel: Setting['kernel']): string[] {
  return ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${kernel === 'uml' ? `/tmp/${node}-${kind}` : `temp/${kind}`};`,
  );
}

function block(head: string, body: readonly string[]): string[] {
  return [`${head} {`, ...body.map((line) => `    ${line}`), '}'];
}

/** When a server is left out for its failures, where the topology says so. */
function passiveChecks({ nginx: { maxFails, failTimeout } }: Balancer): string {
  return (
    (maxFails === undefined ? '' : ` max_fails=${maxFails}`) +
    (failTimeout === undefined ? '' : ` fail_timeout=${failTimeout}s`)
  );
}

/** A time in nginx's words; a bare number is seconds, and only whole ones. A server's fail_timeout is in whole seconds always. */
const milliseconds = (seconds: number) => `${Math.round(seconds * 1000)}ms`;

/** nginx takes port 80 for granted in HTTP alone. */
function upstream(name: string, balancer: Balancer, service: VirtualService, stream = false): string[] {
  const scheduler =
    service.scheduler === 'rr' || service.scheduler === 'wrr' ? [] : [`${service.scheduler};`];
  const servers = service.backends.map(
    (real) =>
      `server ${real.port === 80 && !stream ? addressPort(real.address) : addressPort(real.address, real.port)}` +
      `${real.weight === 1 ? '' : ` weight=${real.weight}`}${passiveChecks(balancer)}${real.down === true ? ' down' : ''};`,
  );
  return block(`upstream ${name}`, [...scheduler, ...servers, ...balancer.nginx.upstreamDirectives]);
}

/** Maps between the sticky cookie's value, a backend's name, and the backend's address. */
function stickyMaps(cookie: string, name: string, service: VirtualService): string[] {
  const backends = service.backends.map((real) => [real.node, addressPort(real.address, real.port)] as const);
  return [
    ...block(`map $cookie_${cookie} $lblab_target`, [
      `default ${name};`,
      ...backends.map(([node, address]) => `${node} ${address};`),
    ]),
    ...block(
      'map $upstream_addr $lblab_backend',
      backends.map(([node, address]) => `${address} ${node};`),
    ),
  ];
}

function virtualServer(name: string, balancer: Balancer, service: VirtualService): string[] {
  const { nginx } = balancer;
  const sticky = nginx.stickyCookie;
  return block('server', [
    `listen ${addressPort(balancer.vip, service.port)};`,
    ...nginx.server,
    ...block('location /', [
      ...(nginx.connectTimeout === undefined
        ? []
        : [`proxy_connect_timeout ${milliseconds(nginx.connectTimeout)};`]),
      `proxy_pass http://${sticky === undefined ? name : '$lblab_target'};`,
      ...(nginx.forwardedFor ? ['proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;'] : []),
      ...(nginx.httpVersion === '1.1' ? ['proxy_http_version 1.1;', 'proxy_set_header Connection "";'] : []),
      ...(sticky === undefined
        ? []
        : [
            `proxy_set_header Host ${name};`,
            `add_header Set-Cookie "${sticky}=$lblab_backend; Path=/; HttpOnly";`,
          ]),
      ...nginx.location,
    ]),
  ]);
}

/** The nginx.conf of the balancer; the user's own when the topology gives one. */
export function nginxConf(
  { balancer, kernel }: Pick<Setting, 'balancer' | 'kernel'>,
  stream: boolean,
): string {
  if (balancer.nginx.conf !== undefined) return balancer.nginx.conf;
  const nameOf = (index: number) =>
    index === 0 ? balancer.nginx.upstream : `${balancer.nginx.upstream}_${index + 1}`;
  const head = [
    // One worker: round robin is counted a worker, and spreads unevenly over several.
    'worker_processes 1;',
    'pid nginx.pid;',
    'error_log stderr;',
    ...block('events', ['worker_connections 4096;']),
  ];
  if (stream) {
    return [
      'load_module /usr/lib/nginx/modules/ngx_stream_module.so;',
      ...head,
      ...block('stream', [
        ...balancer.services.flatMap((service, index) => [
          ...upstream(nameOf(index), balancer, service, true),
          ...block('server', [
            `listen ${addressPort(balancer.vip, service.port)};`,
            `proxy_pass ${nameOf(index)};`,
          ]),
        ]),
      ]),
      '',
    ].join('\n');
  }
  return [
    ...head,
    ...block('http', [
      'access_log access.log;',
      ...nginxPaths(balancer.node, kernel),
      ...balancer.nginx.http,
      ...balancer.services.flatMap((service, index) => [
        ...upstream(nameOf(index), balancer, service),
        ...(balancer.nginx.stickyCookie === undefined
          ? []
          : stickyMaps(balancer.nginx.stickyCookie, nameOf(index), service)),
        ...virtualServer(nameOf(index), balancer, service),
      ]),
    ]),
    '',
  ].join('\n');
}

/** nginx in the foreground in a node's folder, with the configuration lying there. */
export function nginxService(node: string, id: string, port: number, reason: string): ServiceStep {
  return {
    kind: 'service',
    id,
    part: 'lab',
    node,
    name: `${node}.nginx`,
    argv: ['nginx', '-p', '.', '-e', 'stderr', '-c', 'nginx.conf', '-g', 'daemon off;'],
    cwd: nodeFolder(node),
    ready: { tcp: port },
    reason,
  };
}

function nginxSteps(stream: boolean) {
  return (node: string, setting: Setting): NodeSteps => {
    const { balancer } = setting;
    if (node !== balancer.node) return NOTHING;
    const reason = stream
      ? 'nginx passes bytes on, without reading HTTP'
      : 'nginx takes requests and hands them to the backends in turn';
    return {
      before: [...vipBeside(setting), nodeFile(node, 'nginx.conf', nginxConf(setting, stream), reason)],
      services: [nginxService(node, `${node}.nginx`, balancer.services[0]!.port, 'The balancer')],
    };
  };
}

/** Whether a backend goes down while requests go on: then there are connections that carry no request, and the load is not even. */
const losesBackend = ({ faults = [], balancer }: Topology) =>
  faults.some(({ node }) =>
    balancer?.services.some(({ backends }) => backends.some((real) => real.node === node)),
  );

const CHECKS = 'nginx has checks of its own: nginx: {max-fails: 1, fail-timeout: 5s}';

export const nginx: BalancingMethod = {
  method: 'nginx',
  title: 'L7: nginx reads the request and asks a backend over a second connection',
  forwards: 'proxy',
  schedulers: ['rr', 'least_conn', 'ip_hash', 'random'],
  sabotages: [],
  instead: {
    persistence: 'scheduler: ip_hash or nginx: {sticky-cookie: NAME}',
    health: CHECKS,
  },
  weights: 'positive',
  down: true,
  section: 'nginx',
  needs: ['nginx'],
  modules: () => [],
  steps: nginxSteps(false),
  inspect: () => [],
  claims: (topology) =>
    losesBackend(topology)
      ? ['l7.vip', 'l7.source', 'l7.left-out']
      : [
          'l7.vip',
          'l7.source',
          'l7.two-connections',
          'l7.after-request',
          ...(topology.balancer!.nginx.forwardedFor ? ['l7.forwarded-for'] : []),
          ...(topology.balancer!.nginx.httpVersion === '1.0' ? ['l7.proxy-request'] : []),
          ...whenSeveral(topology, 'l7.spread'),
          ...(topology.balancer!.nginx.stickyCookie === undefined ? [] : ['l7.sticky']),
          ...(topology.balancer!.services[0]!.scheduler === 'ip_hash' ? ['l7.ip-hash'] : []),
        ],
};

export const nginxStream: BalancingMethod = {
  method: 'nginx-stream',
  title: 'L4 proxy: nginx joins two TCP connections without reading what they carry',
  forwards: 'proxy',
  schedulers: ['rr', 'least_conn', 'random'],
  sabotages: [],
  instead: { persistence: 'nginx: {upstream-directives: ["hash $remote_addr;"]}', health: CHECKS },
  weights: 'positive',
  down: true,
  section: 'nginx',
  needs: ['nginx', 'nginx-stream'],
  modules: () => [],
  steps: nginxSteps(true),
  inspect: () => [],
  claims: (topology) => ['l7.vip', 'l7.source', 'l7.two-connections', ...whenSeveral(topology, 'l7.spread')],
};
