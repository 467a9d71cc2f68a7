// Carries out a plan's stages in a sandbox: files first, then each stage's lanes side by side. Reports every step as it begins and ends.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { foldersOf, logOf } from '../plan/build.ts';
import { netnsOf } from '../plan/names.ts';
import { commandLine } from '../plan/shell.ts';
import type { CommandStep, ServiceStep, Stage, Step } from '../plan/types.ts';
import { SandboxError, type SandboxClient } from '../sandbox/client.ts';
import type { Ended, Spawn } from '../sandbox/protocol.ts';
import { LabError } from './lab-error.ts';

export type StepEvent =
  | { readonly type: 'began'; readonly step: Step }
  | { readonly type: 'done'; readonly step: Step; readonly milliseconds: number }
  | { readonly type: 'failed'; readonly step: Step; readonly error: Error };

export interface Context {
  readonly client: SandboxClient;
  readonly lab: string;
  /** The lab's folder. */
  readonly dir: string;
  /** Seconds that one step may take. */
  readonly timeout: number;
  readonly onStep?: (event: StepEvent) => void;
}

/** What steps are carried out with in a lab that runs. */
export function contextOf(lab: {
  readonly client: SandboxClient;
  readonly name: string;
  readonly dir: string;
  readonly timeout: number;
  readonly onStep?: (event: StepEvent) => void;
}): Context {
  return { client: lab.client, lab: lab.name, dir: lab.dir, timeout: lab.timeout, onStep: lab.onStep };
}

/** A step that failed, with the command as one could paste it and the tool's own words. */
export class StepError extends LabError {
  readonly step: Step;
  readonly ended?: Ended;
  constructor(step: Step, lab: string, what: string, ended: Ended | undefined, hint: string) {
    const words = ended?.stderr.trim() ?? '';
    const netns = step.node === undefined ? undefined : netnsOf(lab, step.node);
    const command = step.kind === 'file' ? step.path : commandLine(step, netns);
    super(
      [
        `${step.id}: ${what}`,
        `  command: ${command}`,
        ...(words === ''
          ? []
          : words
              .split('\n')
              .slice(-8)
              .map((line) => `  | ${line}`)),
        ...(hint === '' ? [] : [`  ${hint}`]),
      ].join('\n'),
      ended?.error?.includes('ENOENT') === true || ended?.code === 127 ? 3 : 1,
    );
    this.step = step;
    this.ended = ended;
  }
}

function describe(ended: Ended): string {
  if (ended.error !== undefined) return ended.error;
  return ended.signal === null ? `exit code ${ended.code}` : `ended by ${ended.signal}`;
}

/** What to do about a failure, from the tool's words. */
function hintFor(step: Step, ended: Ended | undefined): string {
  const words = `${ended?.stderr ?? ''} ${ended?.error ?? ''}`;
  const program = step.kind === 'file' ? '' : (step.argv[0] ?? '');
  if (/ENOENT|failed to execute|^env: .*No such file|not found/m.test(words) && words.includes(program)) {
    return `${program} is missing: lblab doctor --fix installs what labs need`;
  }
  if (/Address already in use/i.test(words)) {
    return `another program in ${step.node} has that port: see its services, and httpd: none if the built-in web server is not wanted`;
  }
  if (/No space left on device/i.test(words)) {
    return 'the disk is full: free some space, or name another folder with LBLAB_STATE_DIR';
  }
  if (/Operation not permitted/.test(words)) {
    return 'the sandbox may not do that on this kernel: lblab doctor says what is there';
  }
  if (ended !== undefined && ended.stderr.trim() === '') {
    const starters = step.node === undefined ? '' : ', or nsenter or setpriv, which start it,';
    return `it said nothing: ${program}${starters} may be broken: lblab doctor tries each program`;
  }
  return '';
}

export function spawnOf(context: Context, step: CommandStep | ServiceStep): Spawn {
  return {
    argv: step.argv,
    netns: step.node === undefined ? undefined : netnsOf(context.lab, step.node),
    cwd: join(context.dir, step.cwd),
    environment: step.environment,
    stdout: step.stdout === undefined ? undefined : join(context.dir, step.stdout),
  };
}

async function perform(context: Context, step: CommandStep | ServiceStep): Promise<void> {
  if (step.kind === 'service') {
    try {
      await context.client.start(
        step.name,
        spawnOf(context, step),
        step.ready,
        join(context.dir, logOf(step)),
        context.timeout,
        step.id.startsWith('capture.'),
      );
    } catch (error) {
      if (!(error instanceof SandboxError) || error.ended === undefined) throw error;
      const how =
        error.ended.code === null && error.ended.signal === null ? '' : ` (${describe(error.ended)})`;
      throw new StepError(step, context.lab, error.message + how, error.ended, hintFor(step, error.ended));
    }
    return;
  }
  const { ended } = await context.client.run(spawnOf(context, step), step.stdin, context.timeout);
  if (ended.error !== undefined || !(step.exitCodes ?? [0]).includes(ended.code ?? -1)) {
    throw new StepError(step, context.lab, describe(ended), ended, hintFor(step, ended));
  }
}

/** Writes a plan's files into the lab's folder, with the folders that its programs work in. */
export async function writeFiles(dir: string, stages: readonly Stage[]): Promise<void> {
  const steps = stages.flatMap((stage) => stage.steps);
  await Promise.all(foldersOf(stages).map(async (folder) => mkdir(join(dir, folder), { recursive: true })));
  await Promise.all(
    steps.map(async (step) =>
      step.kind === 'file' ? writeFile(join(dir, step.path), step.content) : undefined,
    ),
  );
}

function lanes(stage: Stage): Step[][] {
  const lane = new Map<string, Step[]>();
  for (const step of stage.steps) {
    const key = step.lane ?? step.node ?? '';
    const steps = lane.get(key);
    if (steps === undefined) lane.set(key, [step]);
    else steps.push(step);
  }
  return [...lane.values()];
}

/** `ip -n NETNS -batch -`: a node's addresses. */
function isBatch(step: Step): step is CommandStep & { stdin: string } {
  return (
    step.kind === 'command' &&
    step.node === undefined &&
    step.stdin !== undefined &&
    step.argv[0] === 'ip' &&
    step.argv[1] === '-n'
  );
}

/** From so many nodes on their addresses are set by one xargs(1). */
const MANY = 12;

/**
 * Runs the same `ip -batch` commands that the steps are, several at once and from a small process: starting one from this size of program takes
 * longer than `ip` does its work. Returns the steps that are done.
 */
async function runBatches(context: Context, steps: readonly Step[]): Promise<ReadonlySet<Step>> {
  const batches = steps.filter(isBatch);
  if (batches.length < MANY) return new Set();
  const folder = 'batches';
  const file = (step: CommandStep) => `${folder}/${step.argv[2]}`;
  await Promise.all(
    batches.map(async (step) => context.client.write(join(context.dir, file(step)), step.stdin)),
  );
  for (const step of batches) context.onStep?.({ type: 'began', step });
  const began = performance.now();
  const { ended } = await context.client.run(
    { argv: ['xargs', '-n', '4', '-P', '4', 'ip'], cwd: context.dir },
    batches.map((step) => `-n ${step.argv[2]} -batch ${file(step)}\n`).join(''),
    context.timeout,
  );
  if (ended.error !== undefined || ended.code !== 0) {
    const named = batches.find((step) => ended.stderr.includes(`${file(step)}:`)) ?? batches[0]!;
    const error = new StepError(named, context.lab, describe(ended), ended, hintFor(named, ended));
    context.onStep?.({ type: 'failed', step: named, error });
    throw error;
  }
  const milliseconds = performance.now() - began;
  for (const step of batches) context.onStep?.({ type: 'done', step, milliseconds });
  return new Set(batches);
}

/** Runs stages one after the other. Throws the first failure when the lanes beside it have come to rest. */
export async function execute(context: Context, stages: readonly Stage[]): Promise<void> {
  let failed = false;
  for (const stage of stages) {
    const done = await runBatches(context, stage.steps);
    const results = await Promise.allSettled(
      lanes(stage).map(async (steps) => {
        for (const step of steps) {
          if (step.kind === 'file' || done.has(step) || failed) continue;
          const began = performance.now();
          context.onStep?.({ type: 'began', step });
          try {
            await perform(context, step);
          } catch (error) {
            failed = true;
            context.onStep?.({ type: 'failed', step, error: error as Error });
            throw error;
          }
          context.onStep?.({ type: 'done', step, milliseconds: performance.now() - began });
        }
      }),
    );
    const failure = results.find((result) => result.status === 'rejected');
    if (failure !== undefined) throw failure.reason;
  }
}
