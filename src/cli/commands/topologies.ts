// `lblab topologies`: what ships.
import { nextSteps, table } from '../../report/table.ts';
import type { Cli } from '../context.ts';
import { EXIT } from '../failure.ts';
import { loadTopology, shippedNames } from '../topologies.ts';

export async function topologies(cli: Cli): Promise<number> {
  const loaded = await Promise.all((await shippedNames()).map(async (name) => loadTopology(cli, name)));
  const found = loaded.map(({ topology, file }) => ({
    name: topology.name,
    title: topology.title,
    method: topology.balancer?.method ?? null,
    nodes: topology.nodes.length,
    file,
  }));
  if (cli.json) {
    cli.out(JSON.stringify({ schema: 'lblab/topologies@1', topologies: found }) + '\n');
  } else {
    cli.out(
      table([['NAME', 'METHOD', 'TITLE'], ...found.map((one) => [one.name, one.method ?? '-', one.title])]) +
        nextSteps(['lblab up l7', 'builds one'], ['lblab init', 'writes one of your own to start from']),
    );
  }
  return EXIT.ok;
}
