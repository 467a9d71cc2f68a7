// What another program's word for a scheduler is called here.
import { methodOf } from '../balancers/index.ts';
import type { Method } from './types.ts';

/** One idea, in the words of each program; a word may stand in several rows. */
const SAME: readonly (readonly string[])[] = [
  ['rr', 'wrr', 'round-robin', 'round_robin', 'roundrobin', 'weighted'],
  ['lc', 'wlc', 'least_conn', 'leastconn', 'least-conn', 'least_connections'],
  ['sh', 'mh', 'ip_hash', 'iphash', 'ip-hash', 'source', 'hash'],
  ['random', 'numgen'],
];

/** The method's own word for a scheduler that goes by another name elsewhere. */
export function translate(method: Method, scheduler: string): string | undefined {
  const row = SAME.find((words) => words.includes(scheduler.toLowerCase()));
  return row?.find((word) => methodOf(method).schedulers.includes(word));
}
