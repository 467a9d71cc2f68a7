// Chooses the kernel that a lab runs on, and says which it took and why.
import { chooseKernel, type Choice } from '../sandbox/choose.ts';
import { methodOf } from '../balancers/index.ts';
import type { Topology } from '../topology/types.ts';
import type { Cli } from './context.ts';
import { EXIT, Failure } from './failure.ts';

export async function chooseFor(cli: Cli, topology: Topology): Promise<Choice> {
  const needs = topology.balancer === undefined ? [] : methodOf(topology.balancer.method).needs;
  const netem = topology.nodes.some((node) => node.interfaces.some((link) => link.link !== undefined));
  const httpd = new Set(
    topology.nodes.map((node) => node.httpd?.server).filter((server) => server !== undefined),
  );
  const all = [
    ...needs,
    ...(netem ? (['kernel:netem'] as const) : []),
    ...[...httpd].map((server) => (server === 'apache' ? ('apache2' as const) : ('nginx' as const))),
  ];
  const choice = await chooseKernel(cli.kernel, [...new Set(all)], {
    uid: cli.host.uid,
    path: cli.env.PATH ?? '',
  });
  if ('missing' in choice) throw new Failure(`${topology.name}: ${choice.missing}`, EXIT.missing);
  if (!cli.json && cli.kernel === 'auto' && choice.why !== '') cli.say(`${topology.name}: ${choice.why}\n`);
  return choice;
}
