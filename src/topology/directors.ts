// What keeps a director's table true and its VIP alive: health checks by keepalived, and a second director. How keepalived is told is left
// to src/balancers.
import { isDirect, methodOf, METHODS, type BalancingMethod } from '../balancers/index.ts';
import type { Context } from './context.ts';
import { show } from './issues.ts';
import type { Path } from './issues.ts';
import type { DeclaredBalancer } from './schema.ts';
import { milliseconds } from './time.ts';
import type { HealthCheck, Pair, VirtualService } from './types.ts';
import type { Machines } from './wiring.ts';

const those = (is: (method: BalancingMethod) => boolean) =>
  METHODS.filter((name) => is(methodOf(name))).join(', ');

const HEALTH = { every: '2s', timeout: '1s', retries: 1, 'retry-after': '1s', path: '/health' };

export function resolveHealth(
  { method, health, pair }: DeclaredBalancer,
  services: readonly VirtualService[],
  conf: string | undefined,
  context: Context,
): { readonly health?: HealthCheck } {
  if ((health === undefined || health === false) && pair === undefined) return {};
  if (health !== undefined && health !== false && methodOf(method).health !== true) {
    const instead = methodOf(method).instead?.health ?? `it is for ${those((each) => each.health === true)}`;
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

/** With NAT a backend answers through the director whose address is its gateway: that does not move. */
const canMove = ({ health, forwards }: BalancingMethod) => health === true && isDirect(forwards);

export function resolvePair(
  { method, pair, vip }: DeclaredBalancer,
  node: string,
  { declared, roles, plugs }: Machines,
  context: Context,
): { readonly pair?: Pair } {
  if (pair === undefined) return {};
  const path: Path = ['balancer', 'pair'];
  if (!canMove(methodOf(method))) {
    context.report(path, `a pair of directors with method ${method}`, `it is for ${those(canMove)}`, true);
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
