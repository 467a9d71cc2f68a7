// From what is written to what is meant: names followed, defaults filled in, addresses assigned, rules that span several keys checked.
// Gives the Topology that everything downstream works from; reads no file but through the reader it is handed.
import { dirname, isAbsolute, join, normalize } from 'node:path';
import { contains, formatIp, formatSubnet, network, parseIp, parseSubnet } from './address.ts';
import { balancerNode, resolveBalancer } from './balancing.ts';
import type { Machines } from './balancing.ts';
import type { Context } from './context.ts';
import { show, suggest } from './issues.ts';
import type { Path } from './issues.ts';
import { nearest } from './nearest.ts';
import { unreachable } from './reach.ts';
import type { Hop } from './reach.ts';
import type { Declared, DeclaredNode } from './schema.ts';
import type {
  Balancer,
  CapturePoint,
  Httpd,
  Node,
  Ready,
  Role,
  Route,
  Service,
  Topology,
  Traffic,
} from './types.ts';
import { milliseconds, resolveInterfaces, resolveLoopback, resolveSegments, toSegment } from './wiring.ts';
import type { Plug } from './wiring.ts';
import { splitWords } from './words.ts';

const MAX_FILE = 1024 * 1024;

export interface Surroundings {
  /** The topology file's name as the user gave it; other files are relative to its folder. */
  readonly file: string;
  /** The name to use when the file gives none. */
  readonly name: string;
  readonly readFile?: ((path: string) => Uint8Array) | undefined;
}

export function resolve(declared: Declared, around: Surroundings, context: Context): Topology {
  const wires = resolveSegments(declared.segments, context);
  const vip = declared.balancer?.vip === undefined ? undefined : parseIp(declared.balancer.vip);
  const plugs = resolveInterfaces(declared.nodes, wires, vip === undefined ? [] : [formatIp(vip)], context);
  const roles = new Map<string, Role>();
  for (const [name, node] of Object.entries(declared.nodes)) {
    roles.set(name, node.role ?? (declared.balancer?.node === name ? 'balancer' : 'node'));
  }
  checkNames(declared.nodes, ['nodes'], context);
  if (Object.keys(declared.segments).length === 0)
    context.absent(['segments'], 'there is no segment', undefined, true);
  if (Object.keys(declared.nodes).length === 0)
    context.absent(['nodes'], 'there is no node', undefined, true);

  const machines: Machines = { declared: declared.nodes, roles, plugs };
  const director =
    declared.balancer === undefined ? undefined : balancerNode(declared.balancer, machines, context);
  const confPath = declared.balancer?.nginx?.conf;
  const conf =
    confPath === undefined ? undefined : readText(confPath, ['balancer', 'nginx', 'conf'], around, context);
  const balancer =
    declared.balancer === undefined || director === undefined
      ? undefined
      : resolveBalancer(declared.balancer, director, machines, conf, context);

  const extra = new Map(balancer === undefined ? [] : [[balancer.vip, balancer.node]]);
  const nodes = Object.entries(declared.nodes).map(([name, node]) =>
    resolveNode(name, node, machines, { balancer, extra, around, context }),
  );
  checkGateways(declared.nodes, context);
  if (declared.balancer !== undefined && balancer !== undefined) {
    if (!declared.balancer.unchecked) checkReach(declared, nodes, machines, balancer, extra, context);
    checkBalancerPorts(declared.nodes, balancer, context);
  }
  const traffic = resolveTraffic(declared, machines, nodes, balancer, context);
  return {
    name: declared.name ?? around.name,
    title: declared.title,
    description: declared.description,
    kernel: { memory: mebibytes(declared.kernel.memory) },
    segments: [...wires.values()].map(toSegment),
    nodes,
    ...(balancer === undefined ? {} : { balancer }),
    captures: resolveCaptures(declared, machines, director, context),
    ...(traffic === undefined ? {} : { traffic }),
  };
}

function mebibytes(text: string): number {
  return Number(text.slice(0, -1)) * (text.endsWith('G') ? 1024 : 1);
}

/** Names become files, and some file systems keep no case. */
function checkNames(things: object, path: Path, context: Context): void {
  const seen = new Map<string, string>();
  for (const name of Object.keys(things)) {
    const other = seen.get(name.toLowerCase());
    if (other !== undefined) {
      context.report(
        [...path, name],
        `${show(name)} and ${show(other)} differ in case only`,
        'rename one',
        true,
      );
    }
    seen.set(name.toLowerCase(), name);
  }
}

interface Rest {
  readonly balancer: Balancer | undefined;
  readonly extra: ReadonlyMap<string, string>;
  readonly around: Surroundings;
  readonly context: Context;
}

function resolveNode(name: string, node: DeclaredNode, machines: Machines, rest: Rest): Node {
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

function parseUrl(text: string): URL | undefined {
  // WHATWG URLs forgive spaces, tabs and backslashes; curl does not.
  if (!/^https?:\/\/[!-~]+$/.test(text) || /[\\"<>^`{|}]/.test(text) || !URL.canParse(text)) return undefined;
  return new URL(text);
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

/** nginx listens in the balancer's own node. */
function checkBalancerPorts(nodes: Declared['nodes'], balancer: Balancer, context: Context): void {
  if (!balancer.method.startsWith('nginx')) return;
  const node = nodes[balancer.node];
  const ports = new Set(balancer.services.map(({ port }) => port));
  for (const [index, { port }] of (node?.services ?? []).entries()) {
    if (port === undefined || !ports.has(port)) continue;
    context.report(
      ['nodes', balancer.node, 'services', index, 'port'],
      `port ${port} is already used by the balancer`,
      'choose another',
    );
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
function nextHops(
  hop: string,
  name: string,
  path: Path,
  { declared, plugs }: Machines,
  rest: Rest,
): string[] {
  const { context, extra } = rest;
  const own = plugs.get(name) ?? [];
  const ip = parseIp(hop);
  if (ip !== undefined) {
    const address = formatIp(ip);
    if (!own.some((plug) => plug.ips.some((each) => contains(each, ip)))) {
      const subnets = own.flatMap((plug) => plug.ips.map((each) => formatSubnet(network(each))));
      context.absent(
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
    if (owner === undefined && !extra.has(address)) context.absent(path, `no node has the address ${hop}`);
    return [address];
  }
  if (context.find(new Map(Object.entries(declared)), hop, path, 'node', ['nodes']) === undefined) return [];
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
  context.absent(
    path,
    `${name} and ${hop} share no segment (got ${show(hop)})`,
    `${name} is on ${own.map(({ segment }) => segment).join(', ')}`,
  );
  return [];
}

/** Two default routes that point at each other carry what neither knows in a circle until its TTL ends. */
function checkGateways(nodes: Declared['nodes'], context: Context): void {
  const told = new Set<string>();
  for (const start of Object.keys(nodes)) {
    const chain: string[] = [];
    let at: string | undefined = start;
    while (at !== undefined && !chain.includes(at) && !told.has(at)) {
      chain.push(at);
      at = Object.hasOwn(nodes, at) ? nodes[at]?.gateway : undefined;
    }
    for (const each of chain) told.add(each);
    if (at !== start || chain.length < 2) continue;
    context.report(
      ['nodes', start, 'gateway'],
      `the gateways go round in a circle: ${[...chain, start].join(' -> ')}`,
      'remove one of them',
    );
  }
}

function checkReach(
  declared: Declared,
  nodes: readonly Node[],
  machines: Machines,
  balancer: Balancer,
  extra: ReadonlyMap<string, string>,
  context: Context,
): void {
  const hops = new Map<string, Hop>(
    nodes.map((node) => [node.name, { node, plugs: machines.plugs.get(node.name) ?? [] }]),
  );
  const written = declared.balancer?.services;
  const told = new Set<string>();
  for (const [index, service] of balancer.services.entries()) {
    const list = written?.[index]?.backends ?? declared.balancer?.backends;
    const base: Path =
      written?.[index]?.backends === undefined
        ? ['balancer', 'backends']
        : ['balancer', 'services', index, 'backends'];
    for (const real of service.backends) {
      if (told.has(real.address)) continue;
      told.add(real.address);
      const why = unreachable(hops, balancer.node, real.node, real.address);
      if (why === undefined) continue;
      const at = list?.findIndex((entry) => (typeof entry === 'string' ? entry : entry.node) === real.node);
      context.absent(
        at === undefined ? ['balancer'] : [...base, at],
        `the balancer ${balancer.node} cannot reach ${real.node} at ${real.address}: ${why}`,
        'say unchecked: true to see it fail',
        at === undefined,
      );
    }
  }
  for (const [name, role] of machines.roles) {
    if (role !== 'client' || extra.get(balancer.vip) === name) continue;
    const why = unreachable(hops, name, balancer.node, balancer.vip, extra);
    if (why === undefined) continue;
    context.absent(
      ['nodes', name],
      `the client ${name} cannot reach the VIP ${balancer.vip}: ${why}`,
      'say unchecked: true in balancer to see it fail',
      true,
    );
  }
}

function resolveFiles(
  { files }: DeclaredNode,
  path: Path,
  around: Surroundings,
  context: Context,
): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [name, value] of Object.entries(files ?? {})) {
    const at = [...path, 'files', name];
    const parts = name.split('/');
    if (name === '' || parts.includes('..') || isAbsolute(name)) {
      context.report(
        at,
        `a file outside the node's folder (got ${show(name)})`,
        'a path inside it, like html/index.html',
        true,
      );
      continue;
    }
    if (name.length > 200 || !/^[a-zA-Z0-9._-]+(\/[a-zA-Z0-9._-]+)*$/.test(name) || parts.includes('.')) {
      context.report(
        at,
        `not the path of a file (got ${show(name)})`,
        'letters, digits, ".", "_" and "-", folders parted by "/", 200 characters at most',
        true,
      );
      continue;
    }
    const inside = Object.keys(result).find(
      (other) => other.startsWith(`${name}/`) || name.startsWith(`${other}/`),
    );
    if (inside !== undefined)
      context.report(at, `${name} and ${inside}: one is a file and a folder`, undefined, true);
    result[name] =
      typeof value === 'string' ? value : (readText(value.from, [...at, 'from'], around, context) ?? '');
  }
  return result;
}

/** A relative path stays inside the topology file's folder, so that a topology from elsewhere reads nothing by stealth. */
function readText(
  from: string,
  path: Path,
  { file, readFile }: Surroundings,
  context: Context,
): string | undefined {
  if (from === '') return context.report(path, 'the path is empty');
  const clean = normalize(from);
  if (!isAbsolute(from) && (clean === '..' || clean.startsWith('../'))) {
    return context.report(
      path,
      `the path leads out of the topology's folder (got ${show(from)})`,
      'put the file there, or give its absolute path',
    );
  }
  const full = isAbsolute(from) ? clean : join(dirname(file), clean);
  if (readFile === undefined)
    return context.report(path, `no other files can be read here (got ${show(from)})`);
  let bytes: Uint8Array;
  try {
    bytes = readFile(full);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    const reason =
      { ENOENT: 'there is none', EACCES: 'it may not be read', EISDIR: 'it is a folder' }[code] ?? code;
    return context.report(path, `cannot read the file ${show(from)}: ${reason}`);
  }
  if (bytes.length > MAX_FILE) {
    return context.report(path, `the file is too large (got ${bytes.length} bytes)`, 'at most 1 MiB');
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return context.report(path, `the file is not UTF-8 text (got ${show(from)})`);
  }
}

function resolveCaptures(
  declared: Declared,
  machines: Machines,
  director: string | undefined,
  context: Context,
): CapturePoint[] {
  if (declared.captures === undefined) return defaultCaptures(machines, director);
  checkNames(declared.captures, ['captures'], context);
  const nodes = new Map(Object.entries(declared.nodes));
  const points: CapturePoint[] = [];
  for (const [name, value] of Object.entries(declared.captures)) {
    const path: Path = typeof value === 'string' ? ['captures', name] : ['captures', name, 'at'];
    const { at, filter } = typeof value === 'string' ? { at: value, filter: '' } : value;
    const [node = '', written, ...more] = at.split(':');
    if (more.length > 0 || node === '' || written === '') {
      context.report(path, `not a place to capture (got ${show(at)})`, 'write NODE:INTERFACE');
      continue;
    }
    if (context.find(nodes, node, path, 'node', ['nodes']) === undefined) continue;
    const interfaces = new Map(Object.entries(nodes.get(node)?.interfaces ?? {}));
    const only = interfaces.size === 1 ? [...interfaces.keys()][0] : undefined;
    if (written === undefined && only === undefined) {
      context.absent(
        path,
        `${node} has several interfaces (got ${show(at)})`,
        suggest(
          undefined,
          [...interfaces.keys()].map((each) => `${node}:${each}`),
        ),
      );
      continue;
    }
    const interface_ = written ?? only ?? '';
    const home: Path = ['nodes', node, 'interfaces'];
    if (
      interface_ !== 'lo' &&
      context.find(interfaces, interface_, path, `interface of ${node}`, home) === undefined
    ) {
      continue;
    }
    points.push({ name, node, interface: interface_, filter });
  }
  return points;
}

/** The balancer's interfaces by their own names; clients and backends by theirs, their further interfaces with `-NAME`. */
function defaultCaptures({ roles, plugs }: Machines, director: string | undefined): CapturePoint[] {
  const points: CapturePoint[] = [];
  const seen = new Set<string>();
  const add = (node: string, plug: Plug, wish: string) => {
    const clean = wish.replace(/[^a-zA-Z0-9-]/g, '-');
    const name = seen.has(clean.toLowerCase()) ? `${node}-${clean}` : clean;
    seen.add(name.toLowerCase());
    points.push({ name, node, interface: plug.name, filter: '' });
  };
  const nodes = [...roles].filter(
    ([name, role]) => name === director || role === 'client' || role === 'backend' || role === 'balancer',
  );
  const ordered = [
    ...nodes.filter(([name]) => name === director),
    ...nodes.filter(([name]) => name !== director),
  ];
  for (const [name] of ordered) {
    for (const [index, plug] of (plugs.get(name) ?? []).entries()) {
      add(name, plug, name === director ? plug.name : index === 0 ? name : `${name}-${plug.name}`);
    }
  }
  return points;
}

function resolveTraffic(
  declared: Declared,
  { roles }: Machines,
  nodes: readonly Node[],
  balancer: Balancer | undefined,
  context: Context,
): Traffic | undefined {
  const { traffic } = declared;
  const service = balancer?.services.find(({ protocol }) => protocol === 'tcp');
  const port = service?.port === 80 ? '' : `:${service?.port ?? 80}`;
  const host = balancer?.vip.includes(':') === true ? `[${balancer.vip}]` : balancer?.vip;
  const usual = service === undefined || host === undefined ? undefined : `http://${host}${port}/`;
  const every = [...roles].filter(([, role]) => role === 'client').map(([name]) => name);
  if (traffic === undefined) {
    if (usual === undefined || every.length === 0) return undefined;
    return { clients: every, url: usual, requests: 10, concurrency: 1, timeout: 5, headers: [] };
  }
  const clients = typeof traffic.clients === 'string' ? [traffic.clients] : (traffic.clients ?? every);
  const path: Path = ['traffic'];
  const byName = new Map(nodes.map((node) => [node.name, node]));
  for (const [index, name] of clients.entries()) {
    if (traffic.clients === undefined) continue;
    const at = typeof traffic.clients === 'string' ? [...path, 'clients'] : [...path, 'clients', index];
    context.find(byName, name, at, 'node', ['nodes']);
    if (clients.indexOf(name) !== index) context.report(at, `${name} is listed twice`);
  }
  if (clients.length === 0) context.absent(path, 'no node has role client', 'say which: clients: NAME', true);
  if (traffic.url === undefined && usual === undefined) {
    context.absent(
      path,
      'url is missing: there is no TCP service to take it from',
      'write url: http://ADDRESS/',
      true,
    );
  }
  const url = traffic.url ?? usual ?? '';
  const at = [...path, 'url'];
  const parsed = parseUrl(url);
  if (traffic.url !== undefined && parsed === undefined) {
    context.report(
      at,
      `not an HTTP URL (got ${show(url)})`,
      `write it like ${usual ?? 'http://192.168.11.107/'}`,
    );
  }
  const asked = parseIp(parsed?.hostname.replace(/^\[|\]$/g, '') ?? '');
  if (traffic.url !== undefined && asked !== undefined) {
    const known = new Set([
      ...(balancer === undefined ? [] : [balancer.vip]),
      ...nodes.flatMap((node) =>
        [...node.interfaces.flatMap((each) => each.addresses), ...node.loopback].map(
          ({ address }) => address,
        ),
      ),
    ]);
    if (!known.has(formatIp(asked)) && !/^127\.|^::1$/.test(formatIp(asked))) {
      context.absent(
        at,
        `no node has the address ${formatIp(asked)}`,
        suggest(nearest(formatIp(asked), known)),
      );
    }
  }
  return {
    clients,
    url,
    requests: traffic.requests,
    concurrency: traffic.concurrency,
    timeout: milliseconds(traffic.timeout) / 1000,
    headers: Object.entries(traffic.headers).map(([name, value]) => [name, String(value)] as const),
  };
}
