// The balancing methods, one file each.
import type { Method } from '../topology/types.ts';
import { dns } from './dns.ts';
import { ipvsDsr } from './ipvs-dsr.ts';
import { ipvsFullnat } from './ipvs-fullnat.ts';
import { ipvsNat } from './ipvs-nat.ts';
import { ipvsTun } from './ipvs-tun.ts';
import { nftDsr, nftNat } from './nft.ts';
import { nginx, nginxStream } from './nginx.ts';
import type { BalancingMethod } from './types.ts';

const METHODS: Readonly<Record<Method, BalancingMethod>> = {
  nginx,
  'nginx-stream': nginxStream,
  'ipvs-nat': ipvsNat,
  'ipvs-fullnat': ipvsFullnat,
  'ipvs-dsr': ipvsDsr,
  'ipvs-tun': ipvsTun,
  'nft-nat': nftNat,
  'nft-dsr': nftDsr,
  dns,
};

export function methodOf(method: Method): BalancingMethod {
  return METHODS[method];
}

export type { BalancingMethod } from './types.ts';
