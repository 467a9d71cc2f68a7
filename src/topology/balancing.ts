// The balancer: its VIP, virtual services and real servers, and the rules that each method puts on them. Knows what methods can and
// cannot do; how they do it is left to src/balancers.
import { formatIp, parseIp } from './address.ts';
import type { Context } from './context.ts';
import { show, suggest } from './issues.ts';
import type { Path } from './issues.ts';
import { nearest } from './nearest.ts';
import { SCHEDULERS, translate } from './schedulers.ts';
import type { Declared, DeclaredBalancer } from './schema.ts';
import type {
  Balancer,
  DnsOptions,
  HealthCheck,
  Method,
  NginxOptions,
  Pair,
  Real,
  Role,
  Sabotage,
  VirtualService,
} from './types.ts';
import { milliseconds } from './wiring.ts';
import type { Plug } from './wiring.ts';

/** Methods that leave the packet's destination address and port alone: the backend owns the VIP too. */
const DIRECT: readonly Method[] = ['ipvs-dsr', 'ipvs-tun', 'nft-dsr'];
/** Methods that hand a frame to the backend's own MAC address. */
const SAME_SEGMENT: ReadonlySet<Method> = new Set(['ipvs-dsr', 'nft-dsr']);

export interface Machines {
  readonly declared: Declared['nodes'];
  readonly roles: ReadonlyMap<string, Role>;
  readonly plugs: ReadonlyMap<string, readonly Plug[]>;
}

/** The part that the node of a method plays. */
const roleFor = (method: Method): Role => (method === 'dns' ? 'dns' : 'balancer');

/** The node that balances: the one named, else the only one of role balancer (of role dns where DNS balances). */
export function balancerNode(
  balancer: DeclaredBalancer,
  machines: Machines,
  context: Context,
): string | undefined {
  const path: Path = ['balancer'];
  const wanted = roleFor(balancer.method);
  const nodes = new Map(Object.entries(machines.declared));
  if (balancer.node !== undefined) {
    const found = context.find(nodes, balancer.node, [...path, 'node'], 'node', ['nodes']);
    const role = found?.role ?? wanted;
    if (role !== wanted) {
      return context.report([...path, 'node'], `${balancer.node} has role ${role}`, `give it role ${wanted}`);
    }
    return found === undefined ? undefined : balancer.node;
  }
  const all = [...nodes]
    .filter(([name, node]) => node.role === wanted && name !== balancer.pair?.node)
    .map(([name]) => name);
  if (all.length === 1) return all[0];
  return all.length === 0
    ? context.absent(path, `no node has role ${wanted}`, `give one role: ${wanted}`, true)
    : context.absent(
        path,
        `several nodes have role ${wanted}: ${all.join(', ')}`,
        'say which: node: NAME',
        true,
      );
}

/** Puts the section together; undefined when it is too broken to speak of. */
export function resolveBalancer(
  balancer: DeclaredBalancer,
  node: string,
  machines: Machines,
  { conf, keepalivedConf }: { readonly conf?: string; readonly keepalivedConf?: string },
  context: Context,
): Balancer | undefined {
  const path: Path = ['balancer'];
  const { method } = balancer;
  const vip = resolveVip(balancer, node, machines, context);
  checkOptions(balancer, context);
  const services: VirtualService[] = [];
  const seen = new Set<string>();
  for (const [index, service] of declaredServices(balancer, context).entries()) {
    const at: Path = balancer.services === undefined ? path : [...path, 'services', index];
    const inherits = (key: 'scheduler' | 'persistence' | 'backends'): Path =>
      balancer.services?.[index]?.[key] === undefined ? [...path, key] : [...at, key];
    const id = `${service.protocol}/${service.port}`;
    if (seen.has(id)) {
      context.report([...at, 'port'], `${id} is already a virtual service`, 'a VIP has one service a port');
    }
    seen.add(id);
    if (service.protocol === 'udp' && (method.startsWith('nginx') || method === 'dns')) {
      context.report(
        [...at, 'protocol'],
        `method ${method} balances TCP only (got udp)`,
        'use ipvs-nat or nft-nat',
      );
    }
    services.push({
      protocol: service.protocol,
      port: service.port,
      scheduler: resolveScheduler(
        service.scheduler ?? SCHEDULERS[method][0] ?? 'rr',
        method,
        inherits('scheduler'),
        context,
      ),
      persistence: resolvePersistence(service.persistence ?? false, method, inherits('persistence'), context),
      backends: resolveBackends(service.backends, service.port, inherits('backends'), {
        balancer,
        node,
        machines,
        vip,
        context,
      }),
    });
  }
  if (vip === undefined) return undefined;
  return {
    node,
    method,
    vip,
    services,
    nginx: nginxOptions(balancer, conf),
    ...(method === 'dns' && { dns: dnsOptions(balancer) }),
    ...resolveHealth(balancer, services, keepalivedConf, context),
    ...resolvePair(balancer, node, machines, context),
    sabotage: balancer.sabotage,
  };
}

/** Methods whose table keepalived can keep, and those whose VIP can move without the backends' taking note. */
const KEPT: readonly Method[] = ['ipvs-nat', 'ipvs-dsr', 'ipvs-tun'];
const MOVING: readonly Method[] = ['ipvs-dsr', 'ipvs-tun'];

const HEALTH = { every: '2s', timeout: '1s', retries: 1, 'retry-after': '1s', path: '/health' };

function resolveHealth(
  { method, health, pair }: DeclaredBalancer,
  services: readonly VirtualService[],
  conf: string | undefined,
  context: Context,
): { readonly health?: HealthCheck } {
  if ((health === undefined || health === false) && pair === undefined) return {};
  if (health !== undefined && health !== false && !KEPT.includes(method)) {
    const instead =
      method === 'nginx' || method === 'nginx-stream'
        ? 'nginx has checks of its own: nginx: {max-fails: 1, fail-timeout: 5s}'
        : `it is for ${KEPT.join(', ')}`;
    context.report(['balancer', 'health'], `health checks with method ${method}`, instead, true);
  }
  const udp = services.find(({ protocol }) => protocol === 'udp');
  if (udp !== undefined) {
    context.report(
      ['balancer', 'health'],
      `health checks ask in HTTP, and udp/${udp.port} has none`,
      'remove one of them',
      true,
    );
  }
  const written = typeof health === 'object' ? health : HEALTH;
  const seconds = (text: string) => milliseconds(text) / 1000;
  return {
    health: {
      every: seconds(written.every),
      timeout: seconds(written.timeout),
      retries: written.retries,
      retryAfter: seconds(written['retry-after']),
      path: written.path,
      ...(conf !== undefined && { conf }),
    },
  };
}

function resolvePair(
  { method, pair, vip }: DeclaredBalancer,
  node: string,
  { declared, roles, plugs }: Machines,
  context: Context,
): { readonly pair?: Pair } {
  if (pair === undefined) return {};
  const path: Path = ['balancer', 'pair'];
  if (!MOVING.includes(method)) {
    context.report(path, `a pair of directors with method ${method}`, `it is for ${MOVING.join(', ')}`, true);
  }
  const nodes = new Map(Object.entries(declared));
  if (context.find(nodes, pair.node, [...path, 'node'], 'node', ['nodes']) === undefined) return {};
  const role = roles.get(pair.node);
  if (pair.node === node)
    context.report([...path, 'node'], `${node} is the first director itself`, 'name another node');
  else if (role !== 'balancer') {
    context.report([...path, 'node'], `${pair.node} has role ${role}`, 'give it role balancer');
  } else {
    const segments = new Set((plugs.get(node) ?? []).map(({ segment }) => segment));
    const isBeside = (plugs.get(pair.node) ?? []).some(({ segment }) => segments.has(segment));
    if (!isBeside)
      context.follows(
        [...path, 'node'],
        `${node} and ${pair.node} share no segment, so they cannot hear each other`,
        `plug ${pair.node} into ${[...segments].join(' or ')}`,
      );
  }
  if (vip !== undefined && vip.includes(':')) {
    context.report(
      ['balancer', 'vip'],
      `a pair of directors moves an IPv4 VIP (got ${show(vip)})`,
      'write an IPv4 address',
    );
  }
  const advert = milliseconds(pair.advert) / 1000;
  if (advert < 0.1 || advert > 40) {
    context.report(
      [...path, 'advert'],
      `VRRP advertises every 100ms to 40s (got ${pair.advert})`,
      'for example 1s',
    );
  }
  return { pair: { node: pair.node, advert, sync: pair.sync } };
}

/** What clients look up and for how long, where nothing is said of it. */
const DNS = { name: 'www.example.test', ttl: '30s' };

function dnsOptions({ dns }: DeclaredBalancer): DnsOptions {
  const { name, ttl } = dns ?? DNS;
  return { name, ttl: milliseconds(ttl) / 1000 };
}

interface DeclaredService {
  readonly port: number;
  readonly protocol: 'tcp' | 'udp';
  readonly scheduler: string | undefined;
  readonly persistence: number | false | undefined;
  readonly backends: DeclaredBalancer['backends'];
}

function declaredServices(balancer: DeclaredBalancer, context: Context): DeclaredService[] {
  const { port, protocol, scheduler, persistence, backends, services } = balancer;
  if (services === undefined) {
    return [{ port: port ?? 80, protocol: protocol ?? 'tcp', scheduler, persistence, backends }];
  }
  for (const key of ['port', 'protocol'] as const) {
    if (balancer[key] === undefined) continue;
    context.report(['balancer', key], `${key} beside services`, `write it inside services`, true);
  }
  return services.map((service) => ({
    port: service.port,
    protocol: service.protocol,
    scheduler: service.scheduler ?? scheduler,
    persistence: service.persistence ?? persistence,
    backends: service.backends ?? backends,
  }));
}

function resolveVip(
  balancer: DeclaredBalancer,
  node: string,
  { plugs, roles }: Machines,
  context: Context,
): string | undefined {
  const path: Path = ['balancer', 'vip'];
  const own = plugs.get(node) ?? [];
  if (balancer.method === 'dns' && balancer.vip !== undefined) {
    return context.report(
      ['balancer', 'vip'],
      `method dns has no VIP (got ${show(balancer.vip)}): clients connect to the backends themselves`,
      'remove it; the name that they look up is dns: {name: ...}',
      true,
    );
  }
  if (balancer.vip === undefined) {
    if (DIRECT.includes(balancer.method)) {
      return context.absent(
        ['balancer'],
        `vip is missing: with ${balancer.method} the backends have the VIP too, so it is not the balancer's own address`,
        'write vip: ADDRESS',
      );
    }
    const client = [...roles].find(([, role]) => role === 'client')?.[0];
    const segment = client === undefined ? undefined : plugs.get(client)?.[0]?.segment;
    const plug = own.find((each) => each.segment === segment) ?? own[0];
    const vip = plug?.addresses[0]?.address;
    return vip ?? context.follows(['balancer'], 'no address can be the VIP', 'write vip: ADDRESS', true);
  }
  const ip = parseIp(balancer.vip);
  if (ip === undefined) {
    return context.report(path, `not an address (got ${show(balancer.vip)})`, 'write it like 192.168.11.107');
  }
  const vip = formatIp(ip);
  for (const [name, list] of plugs) {
    if (name === node) continue;
    if (list.some((plug) => plug.addresses.some(({ address }) => address === vip))) {
      return context.report(path, `${vip} is the address of ${name}`, `the VIP is the balancer's`);
    }
  }
  // A director asks ARP for a backend with its primary address as sender. When that is the VIP, the backend, which has it on its
  // loopback, takes the request for a martian and never answers.
  if (balancer.method === 'ipvs-dsr' || balancer.method === 'ipvs-tun') {
    const only = own.find(({ addresses }) => addresses[0]?.address === vip);
    if (only !== undefined) {
      return context.report(
        path,
        `${vip} is the first address of ${node}:${only.name}, from which ${node} would ask ARP for its backends; they have it too and would not answer`,
        `give ${node} an address of its own`,
      );
    }
  }
  return vip;
}

function resolveScheduler(scheduler: string, method: Method, path: Path, context: Context): string {
  const known = SCHEDULERS[method];
  if (!known.includes(scheduler)) {
    context.report(
      path,
      `${method} has no scheduler of this name (got ${show(scheduler)})`,
      suggest(translate(method, scheduler) ?? nearest(scheduler, known), known),
    );
  }
  return scheduler;
}

function resolvePersistence(
  persistence: number | false,
  method: Method,
  path: Path,
  context: Context,
): number {
  if (persistence !== false && !method.startsWith('ipvs-')) {
    const instead = {
      nginx: 'scheduler: ip_hash or nginx: {sticky-cookie: NAME}',
      dns: 'another method, such as ipvs-nat',
    } as Partial<Record<Method, string>>;
    const nft = method.startsWith('nft-')
      ? 'scheduler: sh'
      : 'nginx: {upstream-directives: ["hash $remote_addr;"]}';
    context.report(
      path,
      `method ${method} has no persistence (got ${persistence})`,
      `use ${instead[method] ?? nft}`,
    );
  }
  return persistence === false ? 0 : persistence;
}

interface Around {
  readonly balancer: DeclaredBalancer;
  readonly node: string;
  readonly machines: Machines;
  readonly vip: string | undefined;
  readonly context: Context;
}

function resolveBackends(
  written: DeclaredBalancer['backends'],
  servicePort: number,
  path: Path,
  around: Around,
): Real[] {
  const { balancer, machines, context } = around;
  const { method } = balancer;
  const list = written ?? [...machines.roles].filter(([, role]) => role === 'backend').map(([name]) => name);
  if (list.length === 0) {
    context.absent(
      ['balancer'],
      'no node has role backend',
      'give some role: backend, or list backends',
      true,
    );
  }
  const nodes = new Map(Object.entries(machines.declared));
  const reals: Real[] = [];
  for (const [index, entry] of list.entries()) {
    const at: Path = written === undefined ? ['balancer'] : [...path, index];
    const real = typeof entry === 'string' ? { node: entry, weight: 1 } : entry;
    const inside = (key: string): Path => (typeof entry === 'string' ? at : [...at, key]);
    if (context.find(nodes, real.node, inside('node'), 'node', ['nodes']) === undefined) continue;
    if (real.node === around.node) {
      context.report(inside('node'), `${real.node} is the balancer itself`, 'a backend is another node');
      continue;
    }
    const port = real.port ?? servicePort;
    if (port !== servicePort && DIRECT.includes(method)) {
      context.report(
        inside('port'),
        `${method} cannot change the port (got ${port}, the service has ${servicePort})`,
        'only the MAC address or an outer header is written: remove it, or use ipvs-nat',
      );
    }
    if (method === 'dns' && port !== servicePort) {
      context.report(
        inside('port'),
        `method dns cannot change the port (got ${port}, the service has ${servicePort})`,
        'an answer has addresses only: remove it',
      );
    }
    if (method === 'dns' && real.weight !== 1) {
      context.report(inside('weight'), `method dns has no weights (got ${real.weight})`, 'remove it', true);
    }
    if (method.startsWith('nginx') && real.weight === 0) {
      context.report(inside('weight'), 'nginx has no weight 0', 'write down: true');
    }
    if (real.down !== undefined && !method.startsWith('nginx')) {
      context.report(inside('down'), `down is for nginx, not ${method}`, 'write weight: 0', true);
    }
    const address = backendAddress(real, at, inside, around);
    if (address === undefined) continue;
    if (reals.some((other) => other.address === address && other.port === port)) {
      context.report(at, `${real.node} is already a backend on port ${port}`, 'list it once');
    }
    reals.push({
      node: real.node,
      address,
      port,
      weight: real.weight,
      ...(real.down === undefined ? {} : { down: real.down }),
    });
  }
  return reals;
}

/** An address of the VIP's family, by preference on a segment that the balancer is on; by the backend's own order. */
function backendAddress(
  real: { readonly node: string; readonly address?: string | undefined },
  path: Path,
  inside: (key: string) => Path,
  { balancer, node, machines, vip, context }: Around,
): string | undefined {
  const plugs = machines.plugs.get(real.node) ?? [];
  const own = new Set((machines.plugs.get(node) ?? []).map(({ segment }) => segment));
  const mixed = balancer.method.startsWith('nginx') || balancer.method === 'ipvs-tun';
  const family = vip === undefined ? undefined : parseIp(vip)?.family;
  const all = plugs.flatMap((plug) => plug.ips.map(({ ip }) => ({ ip, near: own.has(plug.segment) })));
  const fitting = all.filter(({ ip }) => family === undefined || ip.family === family);
  const candidates = fitting.length === 0 && mixed ? all : fitting;
  if (real.address !== undefined) {
    const ip = parseIp(real.address);
    const found = ip === undefined ? undefined : all.find((each) => formatIp(each.ip) === formatIp(ip));
    if (found !== undefined) return formatIp(found.ip);
    const addresses = all.map((each) => formatIp(each.ip));
    return context.report(
      inside('address'),
      `not an address of ${real.node} (got ${show(real.address)})`,
      suggest(nearest(real.address, addresses), addresses),
    );
  }
  const chosen = candidates.find(({ near }) => near) ?? candidates[0];
  if (chosen === undefined) {
    return context.follows(
      path,
      `${real.node} has no IPv${family ?? 4} address, which the VIP ${vip ?? ''} asks for`,
    );
  }
  if (SAME_SEGMENT.has(balancer.method) && !chosen.near && !balancer.unchecked) {
    context.follows(
      path,
      `${balancer.method} hands frames to the backend's MAC address, and ${real.node} shares no segment with ${node}`,
      `plug ${real.node} into ${[...own].join(' or ')}, or say unchecked: true to see it fail`,
    );
  }
  return formatIp(chosen.ip);
}

function checkOptions(balancer: DeclaredBalancer, context: Context): void {
  const { method, nginx } = balancer;
  if (nginx !== undefined && !method.startsWith('nginx')) {
    context.report(['balancer', 'nginx'], `nginx options with method ${method}`, 'remove them', true);
  }
  if (balancer.dns !== undefined && method !== 'dns') {
    context.report(['balancer', 'dns'], `dns options with method ${method}`, 'remove them', true);
  }
  for (const key of ['sticky-cookie', 'http', 'location'] as const) {
    if (method !== 'nginx-stream' || nginx?.[key] === undefined || nginx[key].length === 0) continue;
    context.report(
      ['balancer', 'nginx', key],
      `nginx-stream reads no HTTP, so it has no ${key}`,
      'remove it, or use method nginx',
      true,
    );
  }
  for (const [index, sabotage] of balancer.sabotage.entries()) {
    if (SABOTAGED[sabotage].includes(method)) continue;
    context.report(
      ['balancer', 'sabotage', index],
      `method ${method} does not have what ${sabotage} takes away`,
      `it is for ${SABOTAGED[sabotage].join(', ')}`,
    );
  }
}

const SABOTAGED: Readonly<Record<Sabotage, readonly Method[]>> = {
  'no-arp-ignore': DIRECT,
  'no-arp-announce': DIRECT,
  'no-loopback-vip': DIRECT,
  'no-forwarding': ['ipvs-nat', 'ipvs-fullnat', 'ipvs-dsr', 'ipvs-tun', 'nft-nat', 'nft-dsr'],
  'no-masquerade': ['ipvs-fullnat', 'nft-nat'],
};

function nginxOptions({ nginx }: DeclaredBalancer, conf: string | undefined): NginxOptions {
  const version = nginx?.['http-version'] ?? '1.0';
  return {
    upstream: nginx?.upstream ?? 'myapp1',
    forwardedFor: nginx?.['forwarded-for'] ?? true,
    httpVersion: version === '1.1' || version === 1.1 ? '1.1' : '1.0',
    ...(nginx?.['max-fails'] !== undefined && { maxFails: nginx['max-fails'] }),
    ...(nginx?.['fail-timeout'] !== undefined && { failTimeout: milliseconds(nginx['fail-timeout']) / 1000 }),
    ...(nginx?.['connect-timeout'] !== undefined && {
      connectTimeout: milliseconds(nginx['connect-timeout']) / 1000,
    }),
    ...(nginx?.['sticky-cookie'] === undefined ? {} : { stickyCookie: nginx['sticky-cookie'] }),
    http: nginx?.http ?? [],
    upstreamDirectives: nginx?.['upstream-directives'] ?? [],
    server: nginx?.server ?? [],
    location: nginx?.location ?? [],
    ...(conf === undefined ? {} : { conf }),
  };
}
