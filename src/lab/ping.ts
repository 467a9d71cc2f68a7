// Who should reach whom in a lab, and who does: one ping(8) for each pair, side by side.
import { netnsOf } from '../plan/names.ts';
import { contains, parseIp, parseSubnet, type Ip } from '../topology/address.ts';
import { unreachable, type Hop } from '../topology/reach.ts';
import type { Node, Topology } from '../topology/types.ts';
import { LabError } from './lab-error.ts';
import type { Lab } from './lab.ts';

export interface Pair {
  readonly from: string;
  readonly to: string;
  /** The address of `to` that is asked. */
  readonly address: string;
}

export interface Answer extends Pair {
  readonly answered: boolean;
  /** Round trip in milliseconds, when it answered. */
  readonly milliseconds?: number;
  /** ping's own words, when it did not. */
  readonly words?: string;
}

/** The source address that the kernel takes for a destination: that of the interface with the longest matching prefix. */
function sourceFor(node: Node, destination: Ip): string | undefined {
  let best: { address: string; prefix: number } | undefined;
  const consider = (target: Ip, prefix: number) => {
    for (const link of node.interfaces) {
      for (const own of link.addresses) {
        const ip = parseIp(own.address)!;
        if (!contains({ ip, prefix: own.prefix }, target)) continue;
        const length = Math.max(prefix, prefix < 0 ? own.prefix : -1);
        if (length > (best?.prefix ?? -1)) best = { address: own.address, prefix: length };
      }
    }
  };
  consider(destination, -1);
  for (const route of node.routes) {
    const via = parseIp(route.via);
    const to = route.to === 'default' ? undefined : parseSubnet(route.to);
    if (via === undefined || via.family !== destination.family) continue;
    if (route.to === 'default' || (to !== undefined && contains(to, destination)))
      consider(via, to?.prefix ?? 0);
  }
  return best?.address;
}

/**
 * The pairs of nodes of which the first should reach the second: there is a way there and a way back. Of a node with several addresses
 * the one on a common segment is asked, else the first that can be reached.
 */
export function pairsOf(topology: Topology): Pair[] {
  const hops = new Map<string, Hop>(
    topology.nodes.map((node) => [
      node.name,
      {
        node,
        plugs: node.interfaces.map((link) => ({
          ...link,
          ips: link.addresses.map(({ address, prefix }) => ({ ip: parseIp(address)!, prefix })),
          path: [],
        })),
      },
    ]),
  );
  const reaches = (from: Node, to: Node, address: string): boolean => {
    if (unreachable(hops, from.name, to.name, address) !== undefined) return false;
    const source = sourceFor(from, parseIp(address)!);
    return source !== undefined && unreachable(hops, to.name, from.name, source) === undefined;
  };
  return topology.nodes.flatMap((from) => {
    const segments = new Set(from.interfaces.map((link) => link.segment));
    return topology.nodes.flatMap((to): Pair[] => {
      if (to === from) return [];
      const ordered = [
        ...to.interfaces.filter((link) => segments.has(link.segment)),
        ...to.interfaces.filter((link) => !segments.has(link.segment)),
      ].flatMap((link) => link.addresses);
      const found = ordered.find(({ address }) => reaches(from, to, address));
      return found === undefined ? [] : [{ from: from.name, to: to.name, address: found.address }];
    });
  });
}

/** So many pings at once: a lab of many nodes must not start thousands of processes. */
const AT_ONCE = 32;

async function ask(lab: Lab, pair: Pair): Promise<Answer> {
  const argv = ['ping', '-n', '-c', '1', '-W', '1', pair.address];
  const { ended, stdout } = await lab.client.run(
    { argv, netns: netnsOf(lab.name, pair.from), cwd: lab.dir },
    '',
    10,
  );
  if (ended.code === 127 || ended.error?.includes('ENOENT') === true) {
    throw new LabError('no ping here: it is in the package iputils-ping; lblab doctor --fix installs it', 3);
  }
  const time = /time[=<]([\d.]+) ms/.exec(stdout.toString());
  if (ended.code === 0) {
    return { ...pair, answered: true, ...(time && { milliseconds: Number(time[1]) }) };
  }
  const words = `${stdout.toString()}\n${ended.stderr}\n${ended.error ?? ''}`
    .split('\n')
    .find((line) => line !== '' && !/^(PING|---|rtt)|^\d+ packets/.test(line));
  return { ...pair, answered: false, words: words ?? 'no answer within a second' };
}

/** Asks every pair. Throws LabError (exit code 3) when ping itself is missing. */
export async function pingAll(lab: Lab): Promise<Answer[]> {
  const pairs = pairsOf(lab.topology);
  const answers: Answer[] = [];
  let next = 0;
  await Promise.all(
    Array.from({ length: Math.min(AT_ONCE, pairs.length) }, async () => {
      for (let index = next++; index < pairs.length; index = next++) {
        answers[index] = await ask(lab, pairs[index]!);
      }
    }),
  );
  return answers;
}
