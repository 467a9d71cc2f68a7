// `lblab validate`: whether topology files are right, and all that is wrong in those that are not.
import { TopologyError, type Issue } from '../../topology/index.ts';
import { nextSteps } from '../../report/table.ts';
import type { Cli } from '../context.ts';
import { EXIT } from '../failure.ts';
import { loadTopology } from '../topologies.ts';

interface Result {
  readonly file: string;
  readonly ok: boolean;
  readonly issues: readonly Issue[];
}

/** A file that cannot be read ends everything: it is a mistake on the command line, not in a topology. */
async function check(cli: Cli, file: string): Promise<Result> {
  try {
    await loadTopology(cli, file);
    return { file, ok: true, issues: [] };
  } catch (error) {
    if (!(error instanceof TopologyError)) throw error;
    return { file, ok: false, issues: error.issues };
  }
}

export async function validate(cli: Cli, files: string[]): Promise<number> {
  const results = await Promise.all(files.map(async (file) => check(cli, file)));
  const ok = results.every((result) => result.ok);
  if (cli.json) {
    cli.out(JSON.stringify({ schema: 'lblab/validate@1', ok, files: results }) + '\n');
  } else {
    for (const result of results) {
      cli.out(result.ok ? `${result.file}: ok\n` : `${new TopologyError(result.issues).message}\n`);
    }
    if (ok && files.length === 1)
      cli.out(nextSteps([`lblab run ${files[0]}`, 'builds it and shows what it proves']));
  }
  return ok ? EXIT.ok : EXIT.usage;
}
