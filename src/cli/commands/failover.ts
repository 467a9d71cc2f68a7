// `lblab failover`: the same fault in several labs, and what it costs the clients of each.
import { resolve } from 'node:path';
import { methodOf } from '../../balancers/index.ts';
import { failoverRound, failoverTopology, type FailoverOptions } from '../../lab/failover.ts';
import { refuseLinks, writeNamed } from '../../lab/outlet.ts';
import { temporaryLab, type Lab } from '../../lab/lab.ts';
import { buildPlan } from '../../plan/build.ts';
import {
  complaints,
  failoverTable,
  failoverTimeline,
  failoverTitle,
  subjectOf,
} from '../../report/failover.ts';
import { htmlReport } from '../../report/html.ts';
import type { Topology } from '../../topology/types.ts';
import { failovers, isReliable, type Failover } from '../../verify/failover.ts';
import { MissingEvidenceError } from '../../verify/observe.ts';
import { nextSteps } from '../../report/table.ts';
import { callerOf, type Cli } from '../context.ts';
import { EXIT, Failure } from '../failure.ts';
import { chooseFor } from '../kernel.ts';
import { buildOptions } from '../labs.ts';
import { save, shown } from '../output.ts';
import { openProgress, type LabProgress, type Progress } from '../progress.ts';
import { loadTopology, type Loaded } from '../topologies.ts';

interface Options {
  readonly rate: number;
  readonly after: number;
  readonly ttl: number;
  readonly fault: FailoverOptions['fault'];
  readonly scheduler: string;
  readonly output?: string;
  readonly html?: string;
}

/** In turn: so each figure tells how long it took, not who was lucky. A balancer that has none by this name keeps its own. */
const SCHEDULER = 'rr';

/** Labs that run side by side for each processor. */
const LABS_PER_CORE = 4;

/** Without health checks and with, by DNS and by balancers. */
const METHODS = ['dnsrr', 'l7', 'nat', 'nat-keepalived', 'dsr-keepalived', 'pair'];

const plainOptions = ({ rate, after, ttl, fault, scheduler }: Options): FailoverOptions => ({
  rate,
  after,
  ttl,
  fault,
  ...(scheduler !== 'own' && { scheduler }),
});

interface Outcome {
  readonly rows: readonly Failover[];
  /** Why there are no rows, or why they may not be relied on. */
  readonly doubt?: string;
  /** Why this is not what the lab showed beside the others, but by itself. */
  readonly again?: string;
}

/** A lab that is wanted: where its captures go, and what is told of it. */
interface Wanted {
  readonly loaded: Loaded;
  readonly topology: Topology;
  readonly output: string;
  readonly progress: LabProgress;
}

async function up(cli: Cli, { loaded, topology, progress }: Wanted, cpu: number): Promise<Lab> {
  const { kernel } = await chooseFor(cli, topology);
  progress.begin(buildPlan(topology, topology.name, { kernel }).stages);
  return temporaryLab(buildOptions(cli, { ...loaded, topology }, { kernel, cpu, onStep: progress.onStep }));
}

async function measure(cli: Cli, lab: Lab, { output, progress }: Wanted, options: Options): Promise<Outcome> {
  const { evidence, broken } = await failoverRound(lab, plainOptions(options), cli.signal);
  await save(cli, lab, evidence, output);
  let rows: readonly Failover[] = [];
  let doubt = broken;
  try {
    rows = failovers(evidence);
  } catch (error) {
    if (!(error instanceof MissingEvidenceError)) throw error;
    doubt ??= error.message;
  }
  progress.end(doubt === undefined && rows.every(isReliable));
  return { rows, ...(doubt !== undefined && { doubt }) };
}

/** Throws Failure for a scheduler that none of the topologies' methods has. */
function requireScheduler(all: readonly Loaded[], { scheduler }: Options): void {
  const known = new Set(
    all.flatMap(({ topology: { balancer } }) =>
      balancer === undefined ? [] : methodOf(balancer.method).schedulers,
    ),
  );
  if (scheduler === 'own' || scheduler === SCHEDULER || known.has(scheduler)) return;
  throw new Failure(
    `no balancer here has a scheduler ${JSON.stringify(scheduler)}; there are own, ${[...known].join(', ')}`,
    EXIT.usage,
  );
}

/** All are up before anything is measured: a user-mode kernel that starts takes all the time of a processor. */
async function together(cli: Cli, wanted: readonly Wanted[], options: Options): Promise<Outcome[]> {
  const labs = await Promise.allSettled(wanted.map(async (each, index) => up(cli, each, index)));
  try {
    const ready = labs.map((lab) => {
      if (lab.status === 'rejected') throw lab.reason;
      return lab.value;
    });
    return await Promise.all(ready.map(async (lab, index) => measure(cli, lab, wanted[index]!, options)));
  } finally {
    await Promise.all(
      labs.map(async (lab) => (lab.status === 'fulfilled' ? lab.value.destroy() : undefined)),
    );
  }
}

/** Why a lab is worth another look: it had too little of the machine, or may have had, as timers come late then. */
function doubtful({ rows }: Outcome, isAlone: boolean): string | undefined {
  return rows.filter((row) => !isReliable(row) || (row.status === 'fail' && !isAlone)).flatMap(complaints)[0];
}

async function write(cli: Cli, path: string, text: string): Promise<void> {
  try {
    await writeNamed(path, text, callerOf(cli));
  } catch (error) {
    throw new Failure(`${shown(cli, path)} cannot be written: ${(error as Error).message}`, EXIT.usage);
  }
}

/** What each lab showed. One that did not do well beside the others is measured again, by itself. */
async function measureAll(
  progress: Progress,
  wanted: readonly Wanted[],
  options: Options,
): Promise<Outcome[]> {
  const { cli } = progress;
  const outcomes: Outcome[] = [];
  // Requests come at a slow pace, so a processor carries several labs.
  const limit = cli.cores * LABS_PER_CORE;
  for (let from = 0; from < wanted.length; from += limit)
    outcomes.push(...(await together(cli, wanted.slice(from, from + limit), options)));
  for (const [index, each] of wanted.entries()) {
    const doubt = doubtful(outcomes[index]!, wanted.length === 1);
    if (doubt === undefined) continue;
    const { name } = each.topology;
    if (!cli.json) cli.say(`${name}: measured again, by itself: ${doubt}\n`);
    const again = { ...each, progress: progress.lab(`${name} again`) };
    outcomes[index] = { ...(await together(cli, [again], options))[0]!, again: doubt };
  }
  return outcomes;
}

function documentOf(wanted: readonly Wanted[], outcomes: readonly Outcome[], ok: boolean, options: Options) {
  const { rate, after, ttl, fault } = options;
  return {
    schema: 'lblab/failover@1',
    ok,
    ...{ fault, rate, after, ttl },
    labs: wanted.map(({ topology, output }, index) => ({
      topology: topology.name,
      captures: output,
      ...outcomes[index]!,
    })),
  };
}

export async function failover(plain: Cli, names: string[], options: Options): Promise<number> {
  const all = await Promise.all(
    (names.length > 0 ? names : METHODS).map(async (name) => loadTopology(plain, name)),
  );
  requireScheduler(all, options);
  const topologies = all.map(({ topology }) => failoverTopology(topology, plainOptions(options)));
  const twice = topologies.find(
    ({ name }, index) => topologies.findIndex((each) => each.name === name) < index,
  );
  if (twice !== undefined) throw new Failure(`${twice.name} is named twice`, EXIT.usage);
  const folder = resolve(plain.cwd, options.output ?? 'captures/failover');
  if (options.output === undefined) await refuseLinks(plain.cwd, folder);
  using progress = openProgress(plain);
  const { cli } = progress;
  const wanted = all.map((loaded, index): Wanted => ({
    loaded,
    topology: topologies[index]!,
    output: resolve(folder, topologies[index]!.name),
    progress: progress.lab(topologies[index]!.name),
  }));
  const outcomes = await measureAll(progress, wanted, options);

  const rows = outcomes.flatMap((outcome) => outcome.rows);
  const doubts = outcomes.flatMap(({ doubt }, index) =>
    doubt === undefined ? [] : [`${topologies[index]!.name}: ${doubt}`],
  );
  const isUnknown = doubts.length > 0 || rows.some(({ status }) => status === 'unknown');
  const isWrong = rows.some(({ status }) => status === 'fail');
  const document = JSON.stringify(documentOf(wanted, outcomes, !isUnknown && !isWrong, options)) + '\n';
  const file = resolve(folder, 'failover.json');
  await write(cli, file, document);
  if (options.html !== undefined)
    await write(cli, resolve(cli.cwd, options.html), htmlReport([], cli.cwd, rows));
  if (cli.json) cli.out(document);
  else if (rows.length > 0) {
    const columns = cli.isTerminal ? cli.columns : 100;
    cli.out(
      `${failoverTitle(rows)}\n\n${failoverTable(rows, cli.paint)}\n${failoverTimeline(rows, columns, cli.paint)}\n` +
        nextSteps([`lblab report ${shown(cli, file)}`, 'the same as a page']),
    );
  }
  const said = rows.flatMap((row) => complaints(row).map((words) => `${subjectOf(row)}: ${words}`));
  for (const words of [...said, ...doubts]) cli.say(`${words}\n`);
  if (isWrong) return EXIT.failed;
  return isUnknown ? EXIT.undecided : EXIT.ok;
}
