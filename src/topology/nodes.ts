// A node's own section: its services, web server, ports, routes, files and commands.
import { contains, formatIp, formatSubnet, network, parseIp, parseSubnet } from './address.ts';
import type { Context } from './context.ts';
import { resolveFiles } from './files.ts';
import type { Surroundings } from './files.ts';
import { show, suggest } from './issues.ts';
import type { Path } from './issues.ts';
import { parseUrl } from './names.ts';
import type { DeclaredNode } from './schema.ts';
import type { Balancer, Httpd, Node, Ready, Role, Route, Service } from './types.ts';
import { resolveLoopback } from './wiring.ts';
import type { Machines } from './wiring.ts';
import { splitWords } from './words.ts';

export interface Rest {
  readonly balancer: Balancer | undefined;
  readonly extra: ReadonlyMap<string, string>;
  readonly around: Surroundings;
  readonly context: Context;
}

export function resolveNode(name: string, node: DeclaredNode, machines: Machines, rest: Rest): Node {
  const { context } = rest;
  const path: Path = ['nodes', name];
  const role = machines.roles.get(name) ?? 'node';
  const services = resolveServices(node, path, context);
  const httpd = resolveHttpd(name, node, role, rest.balancer);
  checkPorts(node, httpd, path, context);
  return {
    name,
    role,
    interfaces: (machines.plugs.get(name) ?? []).map(({ ips: _ips, path: _path, ...plug }) => plug),
    loopback: resolveLoopback(node.loopback ?? [], [...path, 'loopback'], context),
    routes: resolveRoutes(name, node, machines, rest),
    sysctls: texts(node.sysctls),
    ...(httpd === undefined ? {} : { httpd }),
    services,
    files: resolveFiles(node, path, rest.around, context),
    environment: texts(node.environment),
    setup: (node.setup ?? []).map((command, index) => toArgv(command, [...path, 'setup', index], context)),
  };
}

function texts(values: Readonly<Record<string, string | number>> | undefined): Record<string, string> {
  return Object.fromEntries(Object.entries(values ?? {}).map(([key, value]) => [key, String(value)]));
}

function toArgv(command: string | readonly string[], path: Path, context: Context): readonly string[] {
  if (typeof command !== 'string') {
    if (command[0] === '') context.report([...path, 0], 'the program is empty');
    return command;
  }
  const result = splitWords(command);
  if ('words' in result) return result.words;
  context.report(
    path,
    `${result.message} (got ${show(command)})`,
    result.operator === undefined ? undefined : `quote it, or write [sh, -c, ${JSON.stringify(command)}]`,
  );
  return [];
}

function resolveServices(node: DeclaredNode, path: Path, context: Context): Service[] {
  const seen = new Set<string>();
  return (node.services ?? []).map((service, index) => {
    const at: Path = [...path, 'services', index];
    if (seen.has(service.name)) {
      context.report(
        [...at, 'name'],
        `a second service of this name (got ${show(service.name)})`,
        'rename it',
      );
    }
    seen.add(service.name);
    return {
      name: service.name,
      command: toArgv(service.command, [...at, 'command'], context),
      ready: resolveReady(service, at, context),
      environment: texts(service.environment),
    };
  });
}

function resolveReady(
  { port, ready }: NonNullable<DeclaredNode['services']>[number],
  path: Path,
  context: Context,
): Ready {
  const at = [...path, 'ready'];
  const started: Ready = { started: true };
  if (ready === undefined) return port === undefined ? started : { tcp: port };
  if (ready === 'started') return started;
  if (typeof ready === 'string') {
    if (port === undefined) {
      context.report(at, `ready: ${ready} without a port`, `write port: 8080, or ready: {${ready}: ...}`);
      return started;
    }
    return ready === 'tcp' ? { tcp: port } : { http: `http://127.0.0.1:${port}/` };
  }
  const { tcp, http } = ready;
  if ((tcp === undefined) === (http === undefined)) {
    context.report(at, 'ready must have either tcp or http');
    return started;
  }
  if (tcp !== undefined) return { tcp };
  const url = http ?? '';
  if (parseUrl(url) === undefined) {
    context.report(
      [...at, 'http'],
      `not an HTTP URL (got ${show(url)})`,
      'write it like http://127.0.0.1:8080/',
    );
  }
  return { http: url };
}

function resolveHttpd(
  name: string,
  { httpd, services }: DeclaredNode,
  role: Role,
  balancer: Balancer | undefined,
): Httpd | undefined {
  if (httpd === 'none') return undefined;
  if (httpd === undefined && (role !== 'backend' || (services ?? []).length > 0)) return undefined;
  const asked = (balancer?.services ?? []).flatMap((service) =>
    service.backends
      .filter((real) => real.node === name)
      .map(({ port }) => ({ port, protocol: service.protocol })),
  );
  const tcp = [...new Set(asked.filter(({ protocol }) => protocol === 'tcp').map(({ port }) => port))];
  if (httpd === undefined && tcp.length === 0 && asked.length > 0) return undefined;
  const sent = tcp.length === 0 ? [80] : tcp;
  if (httpd === undefined) return { server: 'apache', ports: sent };
  if (typeof httpd === 'string') return { server: httpd, ports: sent };
  const written = [...(httpd.port === undefined ? [] : [httpd.port]), ...(httpd.ports ?? [])];
  return { server: httpd.server, ports: written.length === 0 ? sent : written };
}

function checkPorts(node: DeclaredNode, httpd: Httpd | undefined, path: Path, context: Context): void {
  const used = new Map<number, string>();
  const take = (port: number, owner: string, at: Path) => {
    const other = used.get(port);
    if (other !== undefined) context.report(at, `port ${port} is already used by ${other}`, 'choose another');
    used.set(port, owner);
  };
  if (httpd !== undefined) {
    const key =
      typeof node.httpd === 'object' && node.httpd.ports !== undefined ? ['httpd', 'ports'] : ['httpd'];
    for (const port of httpd.ports) take(port, 'httpd', [...path, ...key]);
  }
  for (const [index, service] of (node.services ?? []).entries()) {
    if (service.port !== undefined) take(service.port, service.name, [...path, 'services', index, 'port']);
  }
}

function resolveRoutes(name: string, node: DeclaredNode, machines: Machines, rest: Rest): Route[] {
  const { context } = rest;
  const routes: Route[] = [];
  const seen = new Set<string>();
  const add = (to: string, via: string, path: Path) => {
    const key = `${to} ${parseIp(via)?.family ?? 4}`;
    if (seen.has(key)) context.report(path, `a second route to ${to}`, 'remove one');
    seen.add(key);
    routes.push({ to, via });
  };
  const at: Path = ['nodes', name, 'gateway'];
  if (node.gateway !== undefined) {
    for (const via of nextHops(node.gateway, name, at, machines, rest)) add('default', via, at);
  }
  for (const [index, route] of (node.routes ?? []).entries()) {
    const path: Path = ['nodes', name, 'routes', index];
    const subnet = route.to === 'default' ? undefined : parseSubnet(route.to);
    if (route.to !== 'default') {
      const ip = parseIp(route.to);
      if (subnet === undefined) {
        context.report(
          [...path, 'to'],
          `not a subnet (got ${show(route.to)})`,
          ip === undefined
            ? 'write it like 10.9.0.0/16, or default'
            : `did you mean ${route.to}/${ip.family === 4 ? 32 : 128}?`,
        );
        continue;
      }
      if (formatSubnet(network(subnet)) !== formatSubnet(subnet)) {
        context.report(
          [...path, 'to'],
          `a subnet has no host bits (got ${show(route.to)})`,
          `did you mean ${formatSubnet(network(subnet))}?`,
        );
        continue;
      }
    }
    const hops = nextHops(route.via, name, [...path, 'via'], machines, rest);
    const fitting = hops.filter((via) => subnet === undefined || parseIp(via)?.family === subnet.ip.family);
    if (hops.length > 0 && fitting.length === 0) {
      context.report([...path, 'via'], `${route.via} and ${route.to} are not of one address family`);
    }
    for (const via of fitting) {
      add(subnet === undefined ? 'default' : formatSubnet(subnet), via, [...path, 'to']);
    }
  }
  return routes;
}

/** The addresses that a next hop stands for: one a family, on the first segment that both are on. */
function nextHops(hop: string, name: string, path: Path, { plugs }: Machines, rest: Rest): string[] {
  const { context, extra } = rest;
  const own = plugs.get(name) ?? [];
  const ip = parseIp(hop);
  if (ip !== undefined) {
    const address = formatIp(ip);
    if (!own.some((plug) => plug.ips.some((each) => contains(each, ip)))) {
      const subnets = own.flatMap((plug) => plug.ips.map((each) => formatSubnet(network(each))));
      context.follows(
        path,
        `${hop} is on none of the subnets of ${name}`,
        suggest(undefined, [...new Set(subnets)]),
      );
      return [];
    }
    const owner = [...plugs].find(([, list]) =>
      list.some((plug) => plug.addresses.some((each) => each.address === address)),
    );
    if (owner?.[0] === name) {
      context.report(path, `${hop} is an address of ${name} itself`, 'a next hop is another node');
      return [];
    }
    if (owner === undefined && !extra.has(address)) context.follows(path, `no node has the address ${hop}`);
    return [address];
  }
  if (context.find(plugs, hop, path, 'node', ['nodes']) === undefined) return [];
  if (hop === name) {
    context.report(path, `${name} is its own next hop`, 'name another node');
    return [];
  }
  const theirs = plugs.get(hop) ?? [];
  for (const plug of own) {
    const other = theirs.find(({ segment }) => segment === plug.segment);
    if (other === undefined) continue;
    const found = ([4, 6] as const).flatMap((family) => {
      const mine = plug.ips.some((each) => each.ip.family === family);
      const via = other.ips.find((each) => each.ip.family === family);
      return mine && via !== undefined ? [formatIp(via.ip)] : [];
    });
    if (found.length > 0) return found;
  }
  context.follows(
    path,
    `${name} and ${hop} share no segment (got ${show(hop)})`,
    `${name} is on ${own.map(({ segment }) => segment).join(', ')}`,
  );
  return [];
}
