// `lblab plan`: what would be executed, for people, for programs, or for a shell; or the topology's picture.
import { buildPlan } from '../../plan/build.ts';
import { asciiPicture } from '../../plan/pictures/ascii.ts';
import { dotPicture } from '../../plan/pictures/dot.ts';
import { mermaidPicture } from '../../plan/pictures/mermaid.ts';
import { planScript } from '../../plan/script.ts';
import { planText } from '../../report/plan.ts';
import type { Cli } from '../context.ts';
import { EXIT } from '../failure.ts';
import { loadTopology } from '../topologies.ts';

interface Options {
  readonly format?: 'text' | 'json' | 'sh' | keyof typeof PICTURES;
  readonly name?: string;
}

/** How a topology can be drawn. */
const PICTURES = { ascii: asciiPicture, mermaid: mermaidPicture, dot: dotPicture };

export async function plan(cli: Cli, name: string, options: Options): Promise<number> {
  const { topology } = await loadTopology(cli, name);
  const { format: wanted } = options;
  if (wanted === 'ascii' || wanted === 'mermaid' || wanted === 'dot') {
    cli.out(PICTURES[wanted](topology));
    return EXIT.ok;
  }
  const made = buildPlan(topology, options.name ?? topology.name, {
    kernel: cli.kernel === 'uml' ? 'uml' : 'host',
  });
  const format = wanted ?? (cli.json ? 'json' : 'text');
  if (format === 'json') cli.out(JSON.stringify(made, null, cli.json ? 0 : 2) + '\n');
  else if (format === 'sh') cli.out(planScript(made, topology, name));
  else cli.out(planText(made, name, cli));
  return EXIT.ok;
}
