// The balancing methods, one file each.
import type { Method } from '../topology/types.ts';
import { nginx, nginxStream } from './nginx.ts';
import type { BalancingMethod } from './types.ts';

const METHODS: Partial<Record<Method, BalancingMethod>> = {
  nginx,
  'nginx-stream': nginxStream,
};

export function methodOf(method: Method): BalancingMethod {
  return METHODS[method]!;
}

export type { BalancingMethod } from './types.ts';
