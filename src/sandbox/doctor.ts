// Examines a machine: runs each program that labs need for its version, starts a sandbox, and makes in one what labs make there. Says what
// is here and what works; which labs can run then is choose.ts's to say.
import { spawn } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { isMet, kernelHas, obstacle, SANDBOX_TRIAL, which, type Machine } from './choose.ts';
import { NEEDS, type Need } from './needs.ts';
import { tryInside, tryProgram, type Outcome } from './trial.ts';
import { UML } from './uml.ts';

export interface Finding {
  /** It is on this machine. */
  readonly found: boolean;
  /** It does what labs ask of it. */
  readonly works: boolean;
  readonly version?: string;
  /** What was tried, or what stands in the way. */
  readonly detail?: string;
}

export type Findings = Readonly<Record<Need, Finding>>;

interface Trial {
  /** Programs that the script runs. */
  readonly programs: readonly Need[];
  readonly script: string;
  readonly did: string;
}

/** What labs ask of a kernel, in small. The kernel loads the modules for it by itself where it has them. */
const TRIALS: Partial<Record<Need, Trial>> = {
  'kernel:ipvs': { programs: ['ipvsadm'], script: 'ipvsadm -Ln', did: 'a table was read' },
  'kernel:netem': {
    programs: ['tc'],
    script: 'tc qdisc add dev lo root netem delay 1ms',
    did: 'a delay was set',
  },
  'kernel:ipip': {
    programs: ['ip'],
    script: 'ip link add trial0 type ipip local 127.0.0.1 remote 127.0.0.2',
    did: 'a tunnel was made',
  },
  'kernel:nftables': {
    programs: ['nft'],
    script: 'nft add table ip trial && nft add table netdev trial',
    did: 'tables were made',
  },
};

/** Examines everything, side by side. Takes a few hundredths of a second; a trial that hangs is given up after two. */
export async function examine(machine: Machine): Promise<Findings> {
  const sandbox = tryInside(SANDBOX_TRIAL, machine);
  const findings = await Promise.all(
    (Object.keys(NEEDS) as Need[]).map(async (need): Promise<[Need, Finding]> => {
      return [need, await examineOne(need, machine, sandbox)];
    }),
  );
  return Object.fromEntries(findings) as Record<Need, Finding>;
}

async function examineOne(need: Need, machine: Machine, sandbox: Promise<Outcome>): Promise<Finding> {
  const what = NEEDS[need];
  if (need === 'kernel:namespaces') return examineSandbox(machine, await sandbox);
  if (need === 'user-mode-linux') return examineGuest(machine, sandbox);
  if (need === 'uml-modules') return examineGuestModules(machine);
  if ('config' in what) return examineFeature(need, machine, sandbox);
  if ('file' in what) {
    const found = await isMet(need, machine);
    return { found, works: found };
  }
  const program = await which(what.program, machine.path);
  if (program === undefined) return { found: false, works: false };
  const told = await tryProgram([program, ...what.version], machine.path);
  // ipvsadm tells nothing, not even its version, where the kernel has no IPVS.
  if (need === 'ipvsadm' && !told.ok) return { found: true, works: true };
  const version = versionIn(told.output);
  if (told.ok) return { found: true, works: true, version };
  return { found: true, works: false, detail: lastLine(told.output) };
}

/** The first thing in a text that looks like a version. */
export function versionIn(text: string): string | undefined {
  return /\b[vV]?(\d+(?:\.\d+)+[a-z]?\d*|\d{8}|(?<=version )\d+)\b/.exec(text)?.[1];
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)!.trim();
}

async function examineSandbox(machine: Machine, outcome: Outcome): Promise<Finding> {
  if (outcome.ok) return { found: true, works: true, detail: 'a sandbox was started' };
  const reason = await obstacle(machine);
  const detail = reason === undefined ? lastLine(outcome.output) : `${reason.what}; ${reason.remedy}`;
  return { found: true, works: false, detail };
}

async function examineFeature(need: Need, machine: Machine, sandbox: Promise<Outcome>): Promise<Finding> {
  const what = NEEDS[need] as { readonly config: string; readonly module: string };
  const trial = TRIALS[need]!;
  const listed = kernelHas(what.config, what.module);
  if (listed && !(await isMet(need, machine))) {
    return { found: true, works: false, detail: 'the kernel gives it to root alone' };
  }
  const lacking = [];
  for (const program of trial.programs)
    if (!(await isMet(program, machine))) lacking.push(NEEDS[program].title);
  if (lacking.length > 0 || !(await sandbox).ok) {
    const reason = lacking.length > 0 ? `no ${lacking.join(', ')}` : 'no sandbox';
    return { found: listed, works: listed, detail: listed ? `not tried: ${reason}` : 'not in this kernel' };
  }
  const outcome = await tryInside(trial.script, machine);
  if (outcome.ok) return { found: true, works: true, detail: trial.did };
  if (!listed) return { found: false, works: false, detail: 'not in this kernel' };
  return { found: true, works: false, detail: lastLine(outcome.output) };
}

/**
 * The user-mode kernel is told to make do with one byte of memory: it looks at the machine (ptrace, a temporary folder to map memory from),
 * and gives up for want of memory before it boots, in 10 ms.
 */
async function examineGuest(machine: Machine, sandbox: Promise<Outcome>): Promise<Finding> {
  const program = await which(UML.kernel, machine.path);
  if (program === undefined) return { found: false, works: false };
  const version = versionIn((await tryProgram([program, '--version'], machine.path)).output);
  const { output } = (await sandbox).ok
    ? await tryInside(`${UML.kernel} mem=1`, machine)
    : await tryProgram([program, 'mem=1'], machine.path);
  if (output.includes('Too few physical memory'))
    return { found: true, works: true, version, detail: 'it starts' };
  return { found: true, works: false, version, detail: lastLine(output) };
}

/** Modules load into the very kernel that they were built for. */
async function examineGuestModules(machine: Machine): Promise<Finding> {
  const versions = await readdir(UML.modules).catch((): string[] => []);
  if (versions.length === 0) return { found: false, works: false };
  const kernel = versionIn((await tryProgram([UML.kernel, '--version'], machine.path)).output);
  if (kernel === undefined || versions.includes(kernel))
    return { found: true, works: true, version: versions[0] };
  return {
    found: true,
    works: false,
    version: versions[0],
    detail: `they are not those of ${UML.kernel}, ${kernel}`,
  };
}

const SETUP = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../../bin/setup' : '../bin/setup', import.meta.url),
);

/** Installs the packages that are missing, or says how. Resolves with bin/setup's exit code: 0, or 3 where it may not install. */
export async function installMissing(env: Readonly<Record<string, string | undefined>>): Promise<number> {
  // What it says is talk; standard output is for data.
  const child = spawn('sh', [SETUP, '--packages'], { stdio: ['ignore', 2, 2], env });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 3));
  });
}
