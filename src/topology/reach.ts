// Whether a packet gets from one node to an address: every hop's connected subnets and routes, longest prefix first, as the kernel
// would look them up. Judges forwarding only; what a balancer rewrites on the way is not its matter.
import { contains, formatIp, formatSubnet, parseIp, parseSubnet } from './address.ts';
import type { Ip } from './address.ts';
import type { Node } from './types.ts';
import type { Plug } from './wiring.ts';

export interface Hop {
  readonly node: Pick<Node, 'name' | 'role' | 'routes' | 'sysctls'>;
  readonly plugs: readonly Plug[];
}

const HOPS = 16;

/** Nothing when the packet arrives at `target`; else why not, as the end of a sentence. `extra` has addresses that no interface shows. */
export function unreachable(
  hops: ReadonlyMap<string, Hop>,
  from: string,
  target: string,
  address: string,
  extra: ReadonlyMap<string, string> = new Map(),
): string | undefined {
  const destination = parseIp(address);
  let at = hops.get(from);
  if (destination === undefined || at === undefined) return undefined;
  for (let count = 0; count < HOPS; count++) {
    const here = at;
    if (here.node.name === target) return undefined;
    const lookup = nextHop(here, destination);
    if (lookup === undefined) return `${here.node.name} has no route to ${address}`;
    const next = neighbour(hops, here, lookup.via ?? destination, extra);
    if (next === undefined) {
      return `no node on ${lookup.where} answers for ${formatIp(lookup.via ?? destination)}`;
    }
    if (next.node.name !== target && !forwards(next, destination)) {
      return `${next.node.name}, which it would pass, forwards nothing: give it role router`;
    }
    at = next;
  }
  return `routes to ${address} go round in a circle`;
}

function nextHop(hop: Hop, destination: Ip): { via?: Ip; where: string } | undefined {
  let best: { via?: Ip; where: string; prefix: number } | undefined;
  for (const plug of hop.plugs) {
    for (const { ip, prefix } of plug.ips) {
      if (contains({ ip, prefix }, destination) && prefix > (best?.prefix ?? -1)) {
        best = { where: `segment ${plug.segment}`, prefix };
      }
    }
  }
  for (const route of hop.node.routes) {
    const via = parseIp(route.via);
    if (via === undefined || via.family !== destination.family) continue;
    const to = route.to === 'default' ? undefined : parseSubnet(route.to);
    const fits = route.to === 'default' || (to !== undefined && contains(to, destination));
    const prefix = to?.prefix ?? 0;
    if (fits && prefix > (best?.prefix ?? -1)) {
      best = {
        via,
        where: to === undefined ? 'its default route' : `its route to ${formatSubnet(to)}`,
        prefix,
      };
    }
  }
  return best;
}

function neighbour(
  hops: ReadonlyMap<string, Hop>,
  from: Hop,
  address: Ip,
  extra: ReadonlyMap<string, string>,
): Hop | undefined {
  const segments = new Set(from.plugs.map(({ segment }) => segment));
  const text = formatIp(address);
  for (const hop of hops.values()) {
    if (hop === from) continue;
    for (const plug of hop.plugs) {
      if (!segments.has(plug.segment)) continue;
      if (plug.addresses.some((each) => each.address === text) || extra.get(text) === hop.node.name)
        return hop;
    }
  }
  return undefined;
}

function forwards({ node }: Hop, { family }: Ip): boolean {
  const key = family === 4 ? 'net.ipv4.ip_forward' : 'net.ipv6.conf.all.forwarding';
  const set = node.sysctls[key];
  return set === undefined ? node.role === 'router' || node.role === 'balancer' : set !== '0';
}
