// `lblab nodes`: the machines of a topology and the parts that they play.
import type { Cli } from '../context.ts';
import { EXIT } from '../failure.ts';
import { loadTopology } from '../topologies.ts';

export async function nodes(cli: Cli, text: string): Promise<number> {
  const { topology } = await loadTopology(cli, text);
  for (const { name, role } of topology.nodes) cli.out(`${name} ${role}\n`);
  return EXIT.ok;
}
