// The balancer: its VIP, its virtual services, and the rules that each method puts on them. What methods can and cannot do they say
// themselves, in src/balancers.
import { isDirect, methodOf } from '../balancers/index.ts';
import { formatIp, parseIp } from './address.ts';
import { resolveBackends } from './backends.ts';
import type { Context } from './context.ts';
import { resolveHealth, resolvePair } from './directors.ts';
import { show, suggest } from './issues.ts';
import type { Path } from './issues.ts';
import { checkOptions, dnsOptions, nginxOptions, ownOptions } from './method-options.ts';
import { nearest } from './nearest.ts';
import { translate } from './schedulers.ts';
import type { DeclaredBalancer } from './schema.ts';
import type { Balancer, Method, Role, VirtualService } from './types.ts';
import type { Machines } from './wiring.ts';

/** The part that the node of a method plays. */
export const roleFor = (method: Method): Role => (methodOf(method).forwards === 'names' ? 'dns' : 'balancer');

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
  const { forwards, schedulers } = methodOf(method);
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
    if (service.protocol === 'udp' && (forwards === 'proxy' || forwards === 'names')) {
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
        service.scheduler ?? schedulers[0]!,
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
    ...(forwards === 'names' && { dns: dnsOptions(balancer) }),
    ...ownOptions(balancer),
    ...resolveHealth(balancer, services, keepalivedConf, context),
    ...resolvePair(balancer, node, machines, context),
    sabotage: balancer.sabotage,
  };
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
  const { forwards, asks } = methodOf(balancer.method);
  if (forwards === 'names' && balancer.vip !== undefined) {
    return context.report(
      ['balancer', 'vip'],
      `method ${balancer.method} has no VIP (got ${show(balancer.vip)}): clients connect to the backends themselves`,
      'remove it; the name that they look up is dns: {name: ...}',
      true,
    );
  }
  if (balancer.vip === undefined) {
    if (isDirect(forwards)) {
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
  if (isDirect(forwards) && asks !== false) {
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
  const known = methodOf(method).schedulers;
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
  const instead = methodOf(method).instead?.persistence;
  if (persistence !== false && instead !== undefined) {
    context.report(path, `method ${method} has no persistence (got ${persistence})`, `use ${instead}`);
  }
  return persistence === false ? 0 : persistence;
}
