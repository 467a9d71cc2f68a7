// What a topology needs of the machine, and the kernel that its lab runs on.
import { chooseKernel, type Choice, type Machine } from '../sandbox/choose.ts';
import type { Need } from '../sandbox/needs.ts';
import { methodOf } from '../balancers/index.ts';
import type { Topology } from '../topology/types.ts';
import type { Cli } from './context.ts';
import { EXIT, Failure } from './failure.ts';

export function machineOf(cli: Cli): Machine {
  const { uid, gid, path } = cli.host;
  return { uid, gid, path, proc: '/proc' };
}

/** What a topology needs beyond what every lab does. */
export function needsOf(topology: Topology): Need[] {
  const method = topology.balancer === undefined ? [] : methodOf(topology.balancer.method).needs;
  const shaped =
    topology.nodes.some((node) => node.interfaces.some((link) => link.link !== undefined)) ||
    topology.faults?.some(({ kind }) => kind === 'delay' || kind === 'loss') === true;
  const servers = topology.nodes.flatMap((node) => node.httpd?.server ?? []);
  return [
    ...new Set<Need>([
      ...method,
      ...(topology.balancer?.health === undefined ? [] : (['keepalived'] as const)),
      ...(shaped ? (['tc', 'kernel:netem'] as const) : []),
      ...servers.map((server) => (server === 'apache' ? 'apache2' : 'nginx')),
    ]),
  ];
}

/** `more` is what the command needs beside the topology. */
export async function chooseFor(cli: Cli, topology: Topology, more: readonly Need[] = []): Promise<Choice> {
  const choice = await chooseKernel(cli.kernel, [...needsOf(topology), ...more], machineOf(cli));
  if ('missing' in choice) throw new Failure(`${topology.name}: ${choice.missing}`, EXIT.missing);
  if (!cli.json && cli.kernel === 'auto' && choice.why !== '') cli.say(`${topology.name}: ${choice.why}\n`);
  return choice;
}
