// `lblab schema`: the topology file's JSON Schema.
import { topologySchema } from '../../topology/index.ts';
import type { Cli } from '../context.ts';
import { EXIT } from '../failure.ts';

export async function schema(cli: Cli): Promise<number> {
  cli.out(JSON.stringify(topologySchema(), null, cli.json ? 0 : 2) + '\n');
  return Promise.resolve(EXIT.ok);
}
