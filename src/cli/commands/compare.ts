// `lblab compare`: the same traffic through each method, on one kernel, and what each does to it.
import { buildPlan } from '../../plan/build.ts';
import { temporaryLab } from '../../lab/lab.ts';
import { runRound } from '../../lab/round.ts';
import { comparisonMarkdown, comparisonTable, comparisonText } from '../../report/compare.ts';
import type { Kernel } from '../../sandbox/start.ts';
import { checkAccounts } from '../../verify/accounts.ts';
import { compare as measure, type Comparison } from '../../verify/compare.ts';
import { MissingEvidenceError } from '../../verify/observe.ts';
import type { Cli } from '../context.ts';
import { EXIT, Failure } from '../failure.ts';
import { chooseFor } from '../kernel.ts';
import { buildOptions } from '../labs.ts';
import { openProgress, type LabProgress } from '../progress.ts';
import { loadTopology, type Loaded } from '../topologies.ts';

interface Options {
  readonly requests?: number;
  readonly concurrency?: number;
  readonly markdown?: boolean;
}

const METHODS = ['l7', 'nat', 'fullnat', 'dsr', 'tun'];

async function one(
  cli: Cli,
  loaded: Loaded,
  kernel: Kernel,
  cpu: number,
  options: Options,
  progress: LabProgress,
): Promise<Comparison> {
  const { topology } = loaded;
  if (topology.balancer === undefined)
    throw new Failure(`${topology.name} has no balancer to compare`, EXIT.usage);
  progress.begin(buildPlan(topology, topology.name, { ...options, kernel }).stages);
  const lab = await temporaryLab(buildOptions(cli, loaded, { kernel, cpu, onStep: progress.onStep }));
  try {
    const round = await runRound(lab, { ...options, traffic: true, signal: cli.signal });
    const accounts = checkAccounts(round.evidence);
    if (round.broken !== undefined || (accounts.judged && accounts.status !== 'pass')) {
      throw new Failure(
        `${topology.name}: ${round.broken ?? accounts.observed}; nothing is measured`,
        EXIT.undecided,
      );
    }
    try {
      return measure(round.evidence);
    } catch (error) {
      if (!(error instanceof MissingEvidenceError)) throw error;
      throw new Failure(`${topology.name}: ${error.message}; nothing is measured`, EXIT.undecided);
    }
  } finally {
    await lab.destroy();
  }
}

export async function compare(plain: Cli, names: string[], options: Options): Promise<number> {
  const loaded = await Promise.all(
    (names.length > 0 ? names : METHODS).map(async (name) => loadTopology(plain, name)),
  );
  // Times on different kernels do not compare: when one lab needs the user-mode kernel, all run on it.
  const quiet = { ...plain, json: true };
  const choices = await Promise.all(loaded.map(async ({ topology }) => chooseFor(quiet, topology)));
  const kernel: Kernel = choices.some((choice) => choice.kernel === 'uml') ? 'uml' : 'host';
  await Promise.all(loaded.map(async ({ topology }) => chooseFor({ ...quiet, kernel }, topology)));
  using progress = openProgress(plain);
  const { cli } = progress;
  cli.say(`all on ${kernel === 'uml' ? 'a user-mode kernel' : "this machine's kernel"}\n`);
  const lines = loaded.map(({ topology }) => progress.lab(topology.name));
  const comparisons: Comparison[] = [];
  let next = 0;
  await Promise.all(
    Array.from({ length: Math.min(cli.cores, loaded.length) }, async (_, cpu) => {
      for (let index = next++; index < loaded.length; index = next++) {
        const line = lines[index]!;
        comparisons[index] = await one(cli, loaded[index]!, kernel, cpu, options, line);
        line.end(true);
      }
    }),
  );
  const table = comparisonTable(comparisons);
  if (cli.json) cli.out(JSON.stringify({ schema: 'lblab/compare@1', kernel, methods: comparisons }) + '\n');
  else if (options.markdown === true) cli.out(comparisonMarkdown(table));
  else cli.out(comparisonText(table, cli.isTerminal ? cli.columns : 160));
  return EXIT.ok;
}
