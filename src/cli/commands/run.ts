// `lblab run`: up, capture, verify, down. What CI calls.
import { resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { claimsOf } from '../../balancers/index.ts';
import { buildPlan } from '../../plan/build.ts';
import { interruption, temporaryLab, type Lab } from '../../lab/lab.ts';
import { runRound, type Round } from '../../lab/round.ts';
import { runDocument, type LabResult } from '../../report/json.ts';
import { judgeRound, summary, wantsAnotherRound, type Check } from '../../verify/index.ts';
import type { Cli } from '../context.ts';
import { EXIT } from '../failure.ts';
import { chooseFor } from '../kernel.ts';
import { buildOptions } from '../labs.ts';
import { save } from '../output.ts';
import { openProgress, type LabProgress } from '../progress.ts';
import { openReports, type WantedReport } from '../reports.ts';
import { requireRate } from './request.ts';
import { loadTopology, articleNames, type Loaded } from '../topologies.ts';

interface Options {
  readonly requests?: number;
  readonly concurrency?: number;
  readonly rate?: number;
  readonly for?: number;
  readonly output?: string;
  readonly report?: readonly WantedReport[];
}

/** Milliseconds between rounds that are repeated. */
const PAUSE = 100;

/** A round of traffic, and more of them as long as an assertion has time to come true. What is judged and kept is the last one. */
async function roundsOf(
  cli: Cli,
  lab: Lab,
  options: Options,
  timings: Record<string, number>,
): Promise<{ round: Round; checks: readonly Check[] }> {
  const { topology } = lab;
  const ids = claimsOf(topology);
  const began = performance.now();
  for (;;) {
    const round = await runRound(lab, {
      ...options,
      seconds: options.for,
      traffic: true,
      signal: cli.signal,
    });
    const judging = performance.now();
    const checks = judgeRound(round.evidence, ids, { live: true });
    Object.assign(timings, round.timings, { verify: performance.now() - judging });
    const isOver = round.broken !== undefined || cli.signal.aborted;
    if (isOver || !wantsAnotherRound(checks, topology, performance.now() - began)) return { round, checks };
    if (cli.verbose) cli.say(`${topology.name}: another round, for what has not come true yet\n`);
    await Promise.race([setTimeout(PAUSE), interruption(cli.signal)]);
  }
}

/** Runs one topology from nothing to verdicts, and leaves its captures in `output`. */
async function runOne(
  cli: Cli,
  loaded: Loaded,
  output: string,
  options: Options,
  cpu: number,
  progress: LabProgress,
): Promise<LabResult> {
  const { topology } = loaded;
  const began = performance.now();
  const timings: Record<string, number> = {};
  const choice = await chooseFor(cli, topology);
  progress.begin(buildPlan(topology, topology.name, { ...options, kernel: choice.kernel }).stages);
  const lab = await temporaryLab(
    buildOptions(cli, loaded, { kernel: choice.kernel, cpu, onStep: progress.onStep }),
  );
  timings.up = performance.now() - began;
  try {
    const { round, checks } = await roundsOf(cli, lab, options, timings);
    if (round.broken !== undefined) cli.say(`${topology.name}: ${round.broken}\n`);
    const saving = performance.now();
    await save(cli, lab, round.evidence, output);
    timings.save = performance.now() - saving;
    return {
      topology,
      file: loaded.file,
      kernel: choice.kernel,
      evidence: round.evidence,
      output,
      checks,
      status: summary(checks),
      timings,
    };
  } finally {
    const ending = performance.now();
    await lab.destroy();
    timings.down = performance.now() - ending;
    timings.total = performance.now() - began;
  }
}

export async function run(plain: Cli, names: string[], options: Options): Promise<number> {
  const wanted = names.length > 0 ? names : await articleNames();
  const loaded = await Promise.all(wanted.map(async (name) => loadTopology(plain, name)));
  for (const { topology } of loaded) requireRate({ topology }, options);
  using progress = openProgress(plain);
  const { cli } = progress;
  const output = (one: Loaded) =>
    options.output === undefined
      ? resolve(cli.cwd, 'captures', one.topology.name)
      : loaded.length === 1
        ? resolve(cli.cwd, options.output)
        : resolve(cli.cwd, options.output, one.topology.name);
  const reports = await openReports(cli, options.report);
  const lines = loaded.map(({ topology }) => progress.lab(topology.name));
  const results: LabResult[] = [];
  let next = 0;
  await Promise.all(
    Array.from({ length: Math.min(cli.cores, loaded.length) }, async (_, cpu) => {
      for (let index = next++; index < loaded.length; index = next++) {
        const one = loaded[index]!;
        const line = lines[index]!;
        const result = await runOne(cli, one, output(one), options, cpu, line);
        results[index] = result;
        line.end(result.status === 'pass');
        reports.each(result);
      }
    }),
  );
  await reports.finish(results, () => runDocument(results));
  const statuses = results.map((result) => result.status);
  if (statuses.includes('fail')) return EXIT.failed;
  return statuses.includes('unknown') ? EXIT.undecided : EXIT.ok;
}
