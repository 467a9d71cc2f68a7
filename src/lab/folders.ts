// Where labs live on disk: one folder a lab, made whole or not at all, and swept when its owner has gone. The folder is all that is
// left when a lab's sandbox dies, and never more.
import { randomBytes } from 'node:crypto';
import { lstat, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Kernel } from '../sandbox/start.ts';
import type { Topology } from '../topology/types.ts';

/** What a lab that is up remembers: `lab.json` in its folder. */
export interface LabRecord {
  readonly schema: 'lblab/lab@1';
  readonly name: string;
  readonly kernel: Kernel;
  /** Pid of the sandbox's PID 1 and its start time (proc(5), field 22), so that a reused pid is not taken for it. */
  readonly pid: number;
  readonly pidStarted: string;
  /** Marks the network namespace links under /run/netns that are ours. */
  readonly uuid: string;
  readonly topologyFile: string;
  readonly topology: Topology;
  /** Milliseconds since the epoch. */
  readonly since: number;
}

export class LabError extends Error {
  /** The exit code that the command line ends with. */
  readonly exitCode: number;
  constructor(message: string, exitCode = 2) {
    super(message);
    this.name = 'LabError';
    this.exitCode = exitCode;
  }
}

/** A process's start time in clock ticks, or nothing when there is no such process. */
export async function startTime(pid: number): Promise<string | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'latin1');
    // The second field, the program's name in brackets, may hold anything; the 22nd counts from behind it.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

export async function isAlive(pid: number, started: string): Promise<boolean> {
  return started !== '' && (await startTime(pid)) === started;
}

/** Makes the folder that labs live in, private to `uid`. Throws when somebody else owns one of that name. */
export async function prepareHome(home: string, uid: number): Promise<void> {
  await mkdir(join(home, 'labs'), { recursive: true, mode: 0o755 });
  const info = await lstat(home);
  if (!info.isDirectory() || info.uid !== uid) {
    throw new LabError(`${home} is not ours (uid ${info.uid}); name another folder with LBLAB_STATE_DIR`, 3);
  }
}

/** A folder for a lab that ends with the command that makes it; its name tells who that is. */
export async function temporaryFolder(home: string, pid: number): Promise<string> {
  const dir = join(home, `run-${pid}-${(await startTime(pid)) ?? '0'}-${randomBytes(4).toString('hex')}`);
  await mkdir(dir, { mode: 0o755 });
  return dir;
}

/** Removes folders whose maker has gone. Somebody else may be doing the same. */
export async function sweep(home: string): Promise<void> {
  for (const name of await readdir(home).catch(() => [])) {
    const match = /^run-(\d+)-(\d+)-/.exec(name);
    if (match && !(await isAlive(Number(match[1]), match[2]!))) {
      await rm(join(home, name), { recursive: true, force: true });
    }
  }
}

/** What a lab's folder says of the lab. `gone`: it has died, or its making was cut short. */
export type LabState =
  | { readonly state: 'up'; readonly record: LabRecord }
  | { readonly state: 'making'; readonly pid: number }
  | { readonly state: 'gone' }
  | { readonly state: 'absent' };

export async function stateOf(dir: string): Promise<LabState> {
  const record = await readRecord(dir);
  if (record !== undefined) {
    return (await isAlive(record.pid, record.pidStarted)) ? { state: 'up', record } : { state: 'gone' };
  }
  const maker = await readFile(join(dir, 'maker'), 'utf8').catch(() => undefined);
  if (maker === undefined) return { state: (await lstat(dir).catch(() => undefined)) ? 'gone' : 'absent' };
  const [pid, started] = maker.split(' ');
  return (await isAlive(Number(pid), started ?? ''))
    ? { state: 'making', pid: Number(pid) }
    : { state: 'gone' };
}

/** Takes the name of a lab: makes its folder, or says who has it. Only one of several that try gets it. */
export async function reserve(home: string, name: string, pid: number): Promise<LabState & { dir: string }> {
  const dir = labFolder(home, name);
  const fresh = await temporaryFolder(home, pid);
  await writeFile(join(fresh, 'maker'), `${pid} ${(await startTime(pid)) ?? ''}`);
  for (let attempt = 0; attempt < 5; attempt++) {
    try {
      // rename(2) onto a folder succeeds only when that one is empty: a lab's never is.
      await rename(fresh, dir);
      return { state: 'absent', dir };
    } catch (error) {
      if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
    const found = await stateOf(dir);
    if (found.state === 'up' || found.state === 'making') {
      await rm(fresh, { recursive: true, force: true });
      return { ...found, dir };
    }
    await discard(home, dir, pid);
  }
  await rm(fresh, { recursive: true, force: true });
  throw new LabError(`${dir} cannot be taken; remove it by hand`, 3);
}

/** Removes a dead lab's folder. Moved away first, and looked at again: a living one that took its place is put back. */
export async function discard(home: string, dir: string, pid: number): Promise<void> {
  const away = join(home, `run-${pid}-${(await startTime(pid)) ?? '0'}-${randomBytes(4).toString('hex')}`);
  try {
    await rename(dir, away);
  } catch {
    return;
  }
  const found = await stateOf(away);
  const isOthers = found.state === 'making' && found.pid !== pid;
  if (found.state === 'up' || isOthers) await rename(away, dir);
  else await rm(away, { recursive: true, force: true });
}

export function labFolder(home: string, name: string): string {
  return join(home, 'labs', name);
}

export async function readRecord(dir: string): Promise<LabRecord | undefined> {
  try {
    return JSON.parse(await readFile(join(dir, 'lab.json'), 'utf8')) as LabRecord;
  } catch {
    return undefined;
  }
}

export async function writeRecord(dir: string, record: LabRecord): Promise<void> {
  await writeFile(join(dir, 'lab.json.new'), JSON.stringify(record));
  await rename(join(dir, 'lab.json.new'), join(dir, 'lab.json'));
}

/** The labs that have a record, by name; those that died are not alive, and are left to `down`. */
export async function labs(home: string): Promise<{ record: LabRecord; dir: string; alive: boolean }[]> {
  const names = await readdir(join(home, 'labs')).catch((): string[] => []);
  const found = await Promise.all(
    names.sort().map(async (name) => {
      const dir = labFolder(home, name);
      const record = await readRecord(dir);
      return record && { record, dir, alive: await isAlive(record.pid, record.pidStarted) };
    }),
  );
  return found.filter((lab) => lab !== undefined);
}
