// The real servers of a virtual service: which nodes, at which of their addresses, and what the method can do with ports and weights.
import { isDirect, methodOf } from '../balancers/index.ts';
import { formatIp, parseIp } from './address.ts';
import type { Context } from './context.ts';
import { show, suggest } from './issues.ts';
import type { Path } from './issues.ts';
import { nearest } from './nearest.ts';
import type { DeclaredBalancer } from './schema.ts';
import type { Real } from './types.ts';
import type { Machines } from './wiring.ts';

interface Around {
  readonly balancer: DeclaredBalancer;
  readonly node: string;
  readonly machines: Machines;
  readonly vip: string | undefined;
  readonly context: Context;
}

export function resolveBackends(
  written: DeclaredBalancer['backends'],
  servicePort: number,
  path: Path,
  around: Around,
): Real[] {
  const { balancer, machines, context } = around;
  const { method } = balancer;
  const { forwards, weights, down } = methodOf(method);
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
    if (port !== servicePort && isDirect(forwards)) {
      context.report(
        inside('port'),
        `${method} cannot change the port (got ${port}, the service has ${servicePort})`,
        'only the MAC address or an outer header is written: remove it, or use ipvs-nat',
      );
    }
    if (forwards === 'names' && port !== servicePort) {
      context.report(
        inside('port'),
        `method ${method} cannot change the port (got ${port}, the service has ${servicePort})`,
        'an answer has addresses only: remove it',
      );
    }
    if (weights === 'none' && real.weight !== 1) {
      context.report(
        inside('weight'),
        `method ${method} has no weights (got ${real.weight})`,
        'remove it',
        true,
      );
    }
    if (weights === 'positive' && real.weight === 0) {
      context.report(inside('weight'), `${method} has no weight 0`, 'write down: true');
    }
    if (real.down !== undefined && down !== true) {
      context.report(inside('down'), `method ${method} marks no server down`, 'write weight: 0', true);
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
  const { forwards } = methodOf(balancer.method);
  // What goes on to the backend is a packet of another kind.
  const mixed = forwards === 'proxy' || forwards === 'wraps';
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
  if (forwards === 'frames' && !chosen.near && !balancer.unchecked) {
    context.follows(
      path,
      `${balancer.method} hands frames to the backend's MAC address, and ${real.node} shares no segment with ${node}`,
      `plug ${real.node} into ${[...own].join(' or ')}, or say unchecked: true to see it fail`,
    );
  }
  return formatIp(chosen.ip);
}
