// Which schedulers each method has, and what another program's word for one is called here. IPVS's are the modules of Linux 6.1
// (net/netfilter/ipvs); the first of each list is the default. nftables has no scheduler, only what a map over numgen or jhash can do.
import type { Method } from './types.ts';

const IPVS = ['rr', 'wrr', 'lc', 'wlc', 'fo', 'ovf', 'lblc', 'lblcr', 'dh', 'sh', 'mh', 'sed', 'nq'];
const NFT_NAT = ['rr', 'wrr', 'random', 'sh', 'sh-port'];
/** Direct return has no connection tracking: only what is the same for each packet of a connection can pick. */
const NFT_DSR = ['sh', 'sh-port'];

export const SCHEDULERS: Readonly<Record<Method, readonly string[]>> = {
  nginx: ['rr', 'least_conn', 'ip_hash', 'random'],
  'nginx-stream': ['rr', 'least_conn', 'random'],
  'ipvs-nat': IPVS,
  'ipvs-fullnat': IPVS,
  'ipvs-dsr': IPVS,
  'ipvs-tun': IPVS,
  'nft-nat': NFT_NAT,
  'nft-dsr': NFT_DSR,
  // dnsmasq(8) turns the records of a name by one with each answer.
  dns: ['rr'],
};

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
  return row?.find((word) => SCHEDULERS[method].includes(word));
}
