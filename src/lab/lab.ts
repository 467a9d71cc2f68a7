// A lab's life: made, left running or not, found again, ended.
import { execute, writeFiles, type StepEvent } from './execute.ts';
import {
  checkHome,
  discard,
  insideOf,
  isAlive,
  labFolder,
  noteMonitor,
  prepareHome,
  readRecord,
  remove,
  reserve,
  startTime,
  stateOf,
  sweep,
  temporaryFolder,
  writeRecord,
  type LabRecord,
} from './folders.ts';
import { LabError } from './lab-error.ts';
import { writeFile } from 'node:fs/promises';
import { kill } from 'node:process';
import { linkNamespaces, unlinkNamespaces } from './links.ts';
import { resolvConf } from '../balancers/dns.ts';
import { buildPlan } from '../plan/build.ts';
import { hostsFile } from '../plan/hosts.ts';
import type { Plan, Stage } from '../plan/types.ts';
import { connectTo, type SandboxClient } from '../sandbox/client.ts';
import { lastWords, sandboxFiles, startSandbox, type Kernel } from '../sandbox/start.ts';
import type { Topology } from '../topology/types.ts';

/** Who and where we are: what the command line knows and hands down. */
export interface Host {
  readonly home: string;
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
  /** PATH for the programs of labs. */
  readonly path: string;
  readonly now: () => number;
  readonly randomId: () => string;
}

export interface UpOptions {
  readonly host: Host;
  readonly topology: Topology;
  readonly topologyFile: string;
  readonly name: string;
  readonly kernel: Kernel;
  /** Of labs that one command runs side by side, the how manieth: each user-mode kernel is pinned to a CPU of its own. */
  readonly cpu?: number;
  /** Folders that the lab's programs read. */
  readonly visible: readonly string[];
  /** Seconds that a step, or the sandbox's start, may take. */
  readonly timeout: number;
  readonly signal?: AbortSignal;
  readonly onStep?: (event: StepEvent) => void;
}

/** A lab that runs. */
export interface Lab {
  readonly name: string;
  readonly dir: string;
  readonly topology: Topology;
  readonly plan: Plan;
  readonly kernel: Kernel;
  readonly client: SandboxClient;
  readonly pid: number;
  readonly uuid: string;
  /** Pid of the command that uses the lab now. */
  readonly user: number;
  readonly timeout: number;
  readonly onStep?: (event: StepEvent) => void;
  /** Ends the lab; resolves when nothing of it is left, its folder included. */
  readonly destroy: () => Promise<void>;
}

/** Stages that bring a lab up; the others belong to a round of captures. */
export const UP: readonly Stage['name'][] = ['sandbox', 'wire', 'nodes', 'directors'];

export function stagesOf(plan: Plan, names: readonly Stage['name'][]): Stage[] {
  return plan.stages.filter((stage) => names.includes(stage.name));
}

/** Bytes of a Unix socket's name (unix(7), sun_path less its terminating zero). */
const SOCKET_NAME = 107;

/** Builds a lab and starts its services in `dir`. Throws StepError or SandboxError, with nothing left behind but the folder. */
async function build(options: UpOptions, folder: string): Promise<Lab> {
  const { host, topology, name } = options;
  const plan = buildPlan(topology, name, { kernel: options.kernel });
  const uuid = host.randomId();
  const dir = insideOf(folder);
  const files = sandboxFiles(dir);
  // Node would cut a longer one, and meet another lab there.
  if (Buffer.byteLength(files.socket) > SOCKET_NAME)
    throw new LabError(
      `${files.socket} is too long for a socket's name; name a shorter folder with LBLAB_STATE_DIR`,
      3,
    );
  const resolver = resolvConf(topology);
  await Promise.all([
    writeFile(files.hosts, hostsFile(topology)),
    ...(resolver === undefined ? [] : [writeFile(files.resolver, resolver)]),
    writeFiles(dir, plan.stages),
  ]);
  const sandbox = await startSandbox({
    kernel: options.kernel,
    dir,
    home: host.home,
    uid: host.uid,
    gid: host.gid,
    visible: options.visible,
    uuid,
    memory: topology.kernel.memory,
    // Commands beside each other take CPUs beside each other, more often than not.
    cpu: host.pid + (options.cpu ?? 0),
    path: host.path,
    seconds: options.timeout,
    onSpawn: async (pid) => noteMonitor(folder, pid),
  });
  const { client } = sandbox;
  const lab: Lab = {
    name,
    dir,
    topology,
    plan,
    kernel: options.kernel,
    client,
    pid: sandbox.pid,
    uuid,
    user: host.pid,
    timeout: options.timeout,
    onStep: options.onStep,
    destroy: sandbox.destroy,
  };
  try {
    const context = { client, lab: name, dir, timeout: options.timeout, onStep: options.onStep };
    await Promise.race([execute(context, stagesOf(plan, UP)), interruption(options.signal)]);
    return lab;
  } catch (error) {
    const words = client.lost ? await lastWords(dir) : '';
    await sandbox.destroy();
    if (words !== '' && error instanceof Error) error.message += words;
    throw error;
  }
}

/** Rejects when the signal comes. */
export async function interruption(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    const abort = () => reject(new LabError('interrupted', 130));
    if (signal?.aborted === true) abort();
    signal?.addEventListener('abort', abort, { once: true });
  });
}

/**
 * A lab that lives as long as this process at most, in a folder of its own: any number of them, even of one topology, can run at once.
 * `destroy` removes its folder too.
 */
export async function temporaryLab(options: UpOptions): Promise<Lab> {
  const { host } = options;
  await prepareHome(host.home, host.uid);
  await sweep(host.home);
  const dir = await temporaryFolder(host.home, host.pid);
  try {
    const lab = await build(options, dir);
    return {
      ...lab,
      destroy: async () => {
        await lab.destroy();
        await remove(dir);
      },
    };
  } catch (error) {
    await remove(dir);
    throw error;
  }
}

/** Brings a lab up and leaves it running. Throws LabError when one of its name is up already. */
export async function up(options: UpOptions): Promise<LabRecord> {
  const { host, name, topology } = options;
  await prepareHome(host.home, host.uid);
  await sweep(host.home);
  const { dir, ...found } = await reserve(host.home, name, host.pid);
  if (found.state === 'up') throw new LabError(`${name} is up already`);
  if (found.state === 'making') throw new LabError(`${name} is being made by process ${found.pid}`);
  try {
    const lab = await build(options, dir);
    const { client } = lab;
    try {
      if (host.uid === 0 && lab.kernel === 'host') await linkNamespaces(name, topology, lab.pid, lab.uuid);
      const record: LabRecord = {
        schema: 'lblab/lab@1',
        name,
        kernel: lab.kernel,
        pid: lab.pid,
        pidStarted: (await startTime(lab.pid)) ?? '',
        uuid: lab.uuid,
        topologyFile: options.topologyFile,
        topology,
        since: host.now(),
      };
      await writeRecord(dir, record);
      await client.commit();
      client.release();
      return record;
    } catch (error) {
      await lab.destroy();
      throw error;
    }
  } catch (error) {
    await unlinkOf(dir);
    await discard(host.home, dir, host.pid);
    throw error;
  }
}

async function unlinkOf(dir: string): Promise<void> {
  const record = await readRecord(dir);
  if (record !== undefined) await unlinkNamespaces(record.uuid);
}

/** Finds a lab that is up. Throws LabError when it is not. */
export async function attachLab(
  host: Host,
  name: string,
  more: { timeout: number; onStep?: (event: StepEvent) => void },
): Promise<Lab> {
  await checkHome(host.home, host.uid);
  const folder = labFolder(host.home, name);
  const record = await readRecord(folder);
  const dir = insideOf(folder);
  if (record === undefined) throw new LabError(`no lab ${name} is up; lblab ls lists those that are`);
  const ended = async () =>
    new LabError(`${name} has ended${await lastWords(dir)}
lblab down ${name} removes what is left`);
  const client = await connectTo(sandboxFiles(dir).socket).catch(async () => {
    throw await ended();
  });
  // One that is stopped takes connections all the same.
  await client.clock().catch(async (error: unknown) => {
    if (client.lost) throw await ended();
    client.release();
    throw new LabError(
      `${name}: ${error instanceof Error ? error.message : String(error)}
lblab down ${name} ends it`,
      1,
    );
  });
  return {
    name,
    dir,
    topology: record.topology,
    plan: buildPlan(record.topology, name, { kernel: record.kernel }),
    kernel: record.kernel,
    client,
    pid: record.pid,
    uuid: record.uuid,
    user: host.pid,
    ...more,
    destroy: async () => client.destroy(),
  };
}

/** Ends a lab, whatever state it is in. Says whether there was one. */
export async function down(host: Host, name: string, seconds: number): Promise<boolean> {
  await checkHome(host.home, host.uid);
  const dir = labFolder(host.home, name);
  const found = await stateOf(dir);
  if (found.state === 'absent') return false;
  if (found.state === 'making') {
    throw new LabError(`${name} is being made by process ${found.pid}; end that command first`, 1);
  }
  if (found.state === 'up') await endSandbox(found.record, dir, seconds);
  await unlinkOf(dir);
  await discard(host.home, dir, host.pid);
  return true;
}

/** Asks the agent to end; kills PID 1 of the sandbox when it does not. Resolves when PID 1 has gone, and with it everything. */
async function endSandbox(record: LabRecord, dir: string, seconds: number): Promise<void> {
  const asked = connectTo(sandboxFiles(insideOf(dir)).socket).then(async (client) => client.destroy());
  const late = new Promise<'late'>((resolve) => {
    setTimeout(() => resolve('late'), 2000).unref();
  });
  await Promise.race([asked.catch(() => 'late'), late]);
  const deadline = performance.now() + seconds * 1000;
  let killed = false;
  while (await isAlive(record.pid, record.pidStarted)) {
    if (performance.now() > deadline)
      throw new LabError(`process ${record.pid} of ${record.name} does not end`, 1);
    if (!killed) {
      // The agent was PID 1's only business, so this is at most a moment early.
      try {
        kill(record.pid, 'SIGKILL');
      } catch {
        // It has just ended by itself.
      }
      killed = true;
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
