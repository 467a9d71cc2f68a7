// HAProxy. In mode http it ends the client's TCP connection, reads the request, and asks a backend over a connection of its own; in mode tcp
// it joins two connections and reads nothing. The PROXY protocol tells a backend in either mode who the client is, before any byte of HTTP.
import * as z from 'zod';
import { nodeFolder } from '../plan/names.ts';
import { nodeFile } from '../plan/steps.ts';
import { addressPort } from '../topology/address.ts';
import { line, mapping } from '../topology/shapes.ts';
import type { Balancer, VirtualService } from '../topology/types.ts';
import { NOTHING, type BalancingMethod } from './types.ts';
import { isReal, vipBeside, whenSeveral } from './vip.ts';

const lines = z.array(line(1024)).max(256).default([]);

const options = mapping({
  mode: z.enum(['http', 'tcp']).default('http').describe('Whether it reads HTTP, or passes bytes on.'),
  'forwarded-for': z
    .boolean()
    .default(true)
    .describe("In mode http, send X-Forwarded-For with the client's address (option forwardfor)."),
  'proxy-protocol': z
    .boolean()
    .default(false)
    .describe(
      'Begin each connection to a backend with a line that names the client (send-proxy). The web servers that lblab configures then expect it.',
    ),
  frontend: lines.describe('More lines for the frontend section.'),
  backend: lines.describe('More lines for the backend section.'),
});

const optionsOf = (balancer: Balancer) => balancer.options as z.output<typeof options>;

function section(head: string, body: readonly string[]): string[] {
  return [head, ...body.map((each) => `    ${each}`), ''];
}

function proxied(service: VirtualService, balancer: Balancer): string[] {
  const { frontend, backend, 'proxy-protocol': tells } = optionsOf(balancer);
  const servers = service.backends.map(
    (real) =>
      `server ${real.node} ${addressPort(real.address, real.port)}${real.weight === 1 ? '' : ` weight ${real.weight}`}` +
      `${tells ? ' send-proxy' : ''}${real.down === true ? ' disabled' : ''}`,
  );
  return [
    ...section(`frontend port${service.port}`, [
      `bind ${addressPort(balancer.vip, service.port)}`,
      `default_backend backends${service.port}`,
      ...frontend,
    ]),
    ...section(`backend backends${service.port}`, [`balance ${service.scheduler}`, ...servers, ...backend]),
  ];
}

function haproxyCfg(balancer: Balancer): string {
  const { mode, 'forwarded-for': forwardedFor } = optionsOf(balancer);
  return [
    ...section('global', [
      // One thread: each keeps connections to backends of its own.
      'nbthread 1',
      'maxconn 1000',
      // A machine that grants fewer open files gets fewer connections, and a balancer all the same.
      'no strict-limits',
      'log stdout format raw local0',
    ]),
    ...section('defaults', [
      `mode ${mode}`,
      'log global',
      `option ${mode}log`,
      'timeout connect 5s',
      'timeout client 60s',
      'timeout server 60s',
      ...(mode === 'http'
        ? [
            // Else it keeps the connection to the backend for a later request, and a capture ends before that does.
            'option http-server-close',
            ...(forwardedFor ? ['option forwardfor'] : []),
          ]
        : []),
    ]),
    ...balancer.services.flatMap((service) => proxied(service, balancer)),
  ].join('\n');
}

export const haproxy: BalancingMethod = {
  method: 'haproxy',
  title: 'L7 or L4 proxy: HAProxy asks a backend over a second connection',
  forwards: 'proxy',
  schedulers: ['roundrobin', 'static-rr', 'leastconn', 'first', 'source', 'random'],
  sabotages: [],
  instead: {
    persistence: 'scheduler: source',
    health: 'HAProxy has checks of its own: haproxy: {backend: ["default-server check inter 1s"]}',
  },
  down: true,
  section: 'haproxy',
  options,
  needs: ['haproxy'],
  modules: () => [],
  steps: (node, setting) => {
    const { balancer } = setting;
    if (node !== balancer.node) {
      return { ...NOTHING, expectsProxy: isReal(node, balancer) && optionsOf(balancer)['proxy-protocol'] };
    }
    const reason = 'HAProxy takes connections and hands them to the backends in turn';
    return {
      before: [...vipBeside(setting), nodeFile(node, 'haproxy.cfg', haproxyCfg(balancer), reason)],
      services: [
        {
          kind: 'service',
          id: `${node}.haproxy`,
          part: 'lab',
          node,
          name: `${node}.haproxy`,
          // -db: in the foreground.
          argv: ['haproxy', '-db', '-f', 'haproxy.cfg'],
          cwd: nodeFolder(node),
          ready: { tcp: balancer.services[0]!.port },
          reason: 'The balancer',
        },
      ],
    };
  },
  inspect: () => [],
  claims: (topology) => {
    const { mode, 'forwarded-for': forwardedFor, 'proxy-protocol': tells } = optionsOf(topology.balancer!);
    return [
      'l7.vip',
      'l7.source',
      'l7.two-connections',
      ...(mode === 'http' ? ['l7.after-request'] : ['proxy.at-once', 'proxy.untouched']),
      ...(mode === 'http' && forwardedFor ? ['l7.forwarded-for'] : []),
      ...(tells ? ['proxy.client'] : []),
      ...whenSeveral(topology, 'l7.spread'),
    ];
  },
};
