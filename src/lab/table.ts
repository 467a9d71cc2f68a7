// The balancer's own table, as its own tool shows it.
import { methodOf } from '../balancers/index.ts';
import { netnsOf } from '../plan/names.ts';
import type { Lab } from './lab.ts';

export interface BalancerTable {
  readonly command: readonly string[];
  readonly text: string;
}

/** Nothing where the method keeps no table. */
export async function balancerTable(lab: Lab): Promise<BalancerTable | undefined> {
  const { balancer } = lab.topology;
  const command = balancer && methodOf(balancer.method).table;
  if (balancer === undefined || command === undefined) return undefined;
  const { ended, stdout } = await lab.client.run(
    { argv: command, netns: netnsOf(lab.name, balancer.node), cwd: lab.dir },
    '',
    lab.timeout,
  );
  return { command, text: ended.code === 0 ? stdout.toString() : ended.stderr };
}
