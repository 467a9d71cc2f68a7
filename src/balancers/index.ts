// The balancing methods: a file each, an entry here.
import { dns } from './dns.ts';
import { haproxy } from './haproxy.ts';
import { ipvsDsr } from './ipvs-dsr.ts';
import { ipvsFullnat } from './ipvs-fullnat.ts';
import { ipvsNat } from './ipvs-nat.ts';
import { ipvsTun } from './ipvs-tun.ts';
import { nftDsr, nftNat } from './nft.ts';
import { nginx, nginxStream } from './nginx.ts';
import type { Topology } from '../topology/types.ts';
import type { BalancingMethod } from './types.ts';

const ALL: readonly BalancingMethod[] = [
  nginx,
  nginxStream,
  haproxy,
  ipvsNat,
  ipvsFullnat,
  ipvsDsr,
  ipvsTun,
  nftNat,
  nftDsr,
  dns,
];

const BY_NAME: ReadonlyMap<string, BalancingMethod> = new Map(ALL.map((each) => [each.method, each]));

/** The names of all methods. */
export const METHODS: readonly string[] = [...BY_NAME.keys()];

/** @throws RangeError for a name that no method has; a topology that was read has none of those */
export function methodOf(name: string): BalancingMethod {
  const found = BY_NAME.get(name);
  if (found === undefined) throw new RangeError(`there is no method ${name}`);
  return found;
}

/** Ids of what a topology's balancing method claims. */
export function claimsOf(topology: Topology): readonly string[] {
  return topology.balancer === undefined ? [] : methodOf(topology.balancer.method).claims(topology);
}

export { isDirect, type BalancingMethod } from './types.ts';
