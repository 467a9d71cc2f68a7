// The web servers that lblab configures on backends: each answers every path with its node's name, and logs who asked.
import { nginxPaths, nginxService } from '../balancers/nginx.ts';
import type { Httpd, Node } from '../topology/types.ts';
import { nodeFolder } from './names.ts';
import { nodeFile } from './steps.ts';
import type { Step } from './types.ts';

interface Around {
  readonly kernel: 'host' | 'uml';
  /** Each connection begins with a PROXY protocol header. */
  readonly expectsProxy: boolean;
}

const APACHE_MODULES = '/usr/lib/apache2/modules';

/** A small Apache: one child, no module beyond what answering and logging take; up in 25 ms. */
function apacheConf(node: string, httpd: Httpd, expectsProxy: boolean): string {
  return [
    `ServerName ${node}`,
    ...httpd.ports.map((port) => `Listen ${port}`),
    'PidFile apache.pid',
    'DefaultRuntimeDir .',
    'ErrorLog error.log',
    ...['mpm_event', 'authz_core', 'dir', ...(expectsProxy ? ['remoteip'] : [])].map(
      (name) => `LoadModule ${name}_module ${APACHE_MODULES}/mod_${name}.so`,
    ),
    ...(expectsProxy ? ['RemoteIPProxyProtocol On'] : []),
    'StartServers 1',
    'ServerLimit 2',
    'ThreadsPerChild 16',
    'MaxRequestWorkers 32',
    // A client that keeps its connection ends it by itself.
    'KeepAliveTimeout 60',
    'MaxKeepAliveRequests 0',
    'DocumentRoot html',
    'FallbackResource /index.html',
    // The peer's address and port, so that a line can be matched with a connection.
    'LogFormat "%h:%{remote}p \\"%r\\" %>s" peer',
    'CustomLog access.log peer',
    '',
  ].join('\n');
}

function nginxHttpdConf(node: string, httpd: Httpd, ipv6: boolean, { kernel, expectsProxy }: Around): string {
  const more = expectsProxy ? ' proxy_protocol' : '';
  return [
    'worker_processes 1;',
    'pid nginx.pid;',
    'error_log stderr;',
    'events { worker_connections 1024; }',
    'http {',
    `    log_format peer '$remote_addr:$remote_port "$request" $status';`,
    '    access_log access.log peer;',
    ...nginxPaths(node, kernel).map((line) => `    ${line}`),
    '    server {',
    ...httpd.ports.map((port) => `        listen ${port}${more};`),
    ...(ipv6 ? httpd.ports.map((port) => `        listen [::]:${port}${more};`) : []),
    // The client of the header stands in the access log in place of the peer.
    ...(expectsProxy
      ? [
          '        set_real_ip_from 0.0.0.0/0;',
          '        set_real_ip_from ::/0;',
          '        real_ip_header proxy_protocol;',
        ]
      : []),
    '        root html;',
    '        location / { try_files $uri /index.html; }',
    '    }',
    '}',
    '',
  ].join('\n');
}

/** Files and the service that make a node answer HTTP. */
export function httpdSteps(node: Node, httpd: Httpd, around: Around): Step[] {
  const folder = nodeFolder(node.name);
  const file = (path: string, content: string, reason: string) => nodeFile(node.name, path, content, reason);
  const page = file('html/index.html', `${node.name}\n`, 'The page that tells which backend answered');
  const port = httpd.ports[0]!;
  const ipv6 = node.interfaces.some((link) => link.addresses.some(({ address }) => address.includes(':')));
  if (httpd.server === 'nginx') {
    return [
      page,
      file('nginx.conf', nginxHttpdConf(node.name, httpd, ipv6, around), 'nginx as a web server'),
      nginxService(node.name, `${node.name}.httpd`, port, 'The web server'),
    ];
  }
  return [
    page,
    file(
      'apache.conf',
      apacheConf(node.name, httpd, around.expectsProxy),
      'Apache httpd with the least it needs',
    ),
    {
      kind: 'service',
      id: `${node.name}.httpd`,
      part: 'lab',
      node: node.name,
      name: `${node.name}.apache`,
      argv: ['apache2', '-d', '.', '-f', 'apache.conf', '-DFOREGROUND'],
      cwd: folder,
      ready: { tcp: port },
      reason: 'The web server',
    },
  ];
}
