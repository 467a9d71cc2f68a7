// Where labs live on disk: one folder a lab, made whole or not at all, and swept when its owner has gone. The folder is all that is
// left when a lab's sandbox dies, and never more. What lblab notes of a lab lies beside what the lab's programs can write.
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { chmod, link, lstat, mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { kill } from 'node:process';
import { LabError } from './lab-error.ts';
import { makeFolder } from './outlet.ts';
import { membersOf, statOf } from '../sandbox/family.ts';
import type { Kernel } from '../sandbox/start.ts';
import { NAME } from '../topology/name.ts';
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

/**
 * A process's start time in clock ticks, or nothing when there is no such process. One that has died is none, though a parent that is
 * stopped may not have taken note of it yet (proc(5), field 3: Z, X).
 */
export async function startTime(pid: number): Promise<string | undefined> {
  const stat = statOf(pid);
  return stat === undefined || 'ZX'.includes(stat[0]!) ? undefined : stat[19];
}

export async function isAlive(pid: number, started: string): Promise<boolean> {
  return started !== '' && (await startTime(pid)) === started;
}

/**
 * Looks at the folder that labs live in before anything there is believed: somebody else could have made it first (/tmp), and a record in it
 * says what to end. Throws LabError when it is another's or no folder; one that is not there is fine. What others may read of ours is closed.
 */
export async function checkHome(home: string, uid: number): Promise<void> {
  const info = await lstat(home).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (info === undefined) return;
  if (!info.isDirectory() || info.uid !== uid) {
    const what = info.isDirectory() ? `belongs to uid ${info.uid}` : 'is no folder';
    throw new LabError(`${home} ${what}; name another folder with LBLAB_STATE_DIR`, 3);
  }
  if ((info.mode & 0o077) !== 0) await chmod(home, 0o700);
}

/** Makes the folder that labs live in, private to `uid`. Throws when somebody else owns one of that name. */
export async function prepareHome(home: string, uid: number): Promise<void> {
  await makeFolder(dirname(home));
  await mkdir(home, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  await checkHome(home, uid);
  await makeFolder(join(home, 'labs'), undefined, 0o700);
}

/** The part of a lab's folder that its own programs see, and can write. */
export function insideOf(dir: string): string {
  return join(dir, 'lab');
}

/** A folder for a lab that ends with the command that makes it; its name tells who that is. */
export async function temporaryFolder(home: string, pid: number): Promise<string> {
  const dir = join(home, await temporaryName(pid));
  await mkdir(dir, 0o755);
  await mkdir(insideOf(dir), 0o755);
  return dir;
}

async function temporaryName(pid: number): Promise<string> {
  return `run-${pid}-${(await startTime(pid)) ?? '0'}-${randomBytes(4).toString('hex')}`;
}

/** Notes the process in front of a lab's sandbox. It ends with the sandbox, unless somebody has stopped it. */
export async function noteMonitor(dir: string, pid: number): Promise<void> {
  await writeFile(join(dir, 'monitor'), `${pid} ${(await startTime(pid)) ?? ''}\n${insideOf(dir)}`);
}

/**
 * Whether a process group is still the one that the process in front led. No pid is given anew while a group has it for its name; a group
 * whose leader has been killed is known by a command line that has the lab's folder, as PID 1's has.
 */
async function leads(pid: number, started: string, inside: string): Promise<boolean> {
  const leader = await startTime(pid);
  if (leader !== undefined) return leader === started;
  for (const member of membersOf(pid)) {
    const line = await readFile(`/proc/${member}/cmdline`, 'utf8').catch(() => '');
    if (line.includes(`${inside}/`)) return true;
  }
  return false;
}

/** Removes what is left of a lab whose sandbox has ended, or should have: the process in front leads a process group, and PID 1 is in it. */
export async function remove(dir: string): Promise<void> {
  const note = await readFile(join(dir, 'monitor'), 'utf8').catch(() => '');
  const [, pid, started, inside] = /^(\d+) (\d*)\n(.+)$/s.exec(note) ?? [];
  if (pid !== undefined && (await leads(Number(pid), started!, inside!))) {
    try {
      kill(-Number(pid), 'SIGKILL');
    } catch {
      // It has just ended by itself.
    }
  }
  // A claim of somebody who comes too late, or the last words of a program that is ending, may be put there meanwhile.
  await rm(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 10 });
}

/** Removes folders whose maker has gone. Somebody else may be doing the same. */
export async function sweep(home: string): Promise<void> {
  for (const name of await readdir(home).catch(() => [])) {
    const match = /^run-(\d+)-(\d+)-/.exec(name);
    if (match && !(await isAlive(Number(match[1]), match[2]!))) {
      await remove(join(home, name));
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
  for (let attempt = 0; attempt < 100; attempt++) {
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
    // Somebody else may be removing it.
    await new Promise((resolve) => setTimeout(resolve, attempt));
  }
  await rm(fresh, { recursive: true, force: true });
  throw new LabError(`${dir} cannot be taken; remove it by hand`, 3);
}

/**
 * Removes a dead lab's folder, unless somebody else does. Several commands may find the same lab dead at the same time, and one of them may
 * have made a new one of its name before another comes to remove the old: so whoever removes a folder first claims it, by a file in that very
 * folder, which an open descriptor holds on to. The claim of one who has died is followed by the next.
 */
export async function discard(home: string, dir: string, pid: number): Promise<void> {
  const folder = await open(dir, constants.O_RDONLY | constants.O_DIRECTORY).catch(() => undefined);
  if (folder === undefined) return;
  try {
    const pinned = `/proc/self/fd/${folder.fd}`;
    const found = await stateOf(pinned);
    if (found.state === 'up' || (found.state === 'making' && found.pid !== pid)) return;
    if (!(await claim(home, pinned, pid))) return;
    // Who claimed it first may have moved it away, and begun to remove what is in it, their claim too: another lab may be here by now.
    const here = await lstat(dir, { bigint: true }).catch(() => undefined);
    if (here?.ino !== (await folder.stat({ bigint: true })).ino) return;
    const away = join(home, await temporaryName(pid));
    await rename(dir, away);
    await remove(away);
  } finally {
    await folder.close();
  }
}

/** Whether this process is the one that removes a folder. */
async function claim(home: string, folder: string, pid: number): Promise<boolean> {
  const mine = join(home, await temporaryName(pid));
  await writeFile(mine, `${pid} ${(await startTime(pid)) ?? ''}`);
  try {
    for (let number = 0; ; number++) {
      const path = join(folder, `removed-by-${number}`);
      try {
        // A link comes with its content: nobody sees it half written.
        await link(mine, path);
        return true;
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'ENOENT') return false;
        if (code !== 'EEXIST') throw error;
      }
      const [other, started] = (await readFile(path, 'utf8').catch(() => '')).split(' ');
      if (await isAlive(Number(other), started ?? '')) return false;
    }
  } finally {
    await rm(mine, { force: true });
  }
}

/** @throws LabError for what is no lab's name, as that could lead to any folder */
export function labFolder(home: string, name: string): string {
  if (!NAME.test(name))
    throw new LabError(`${JSON.stringify(name)} is no name of a lab; lblab ls lists those that are up`);
  return join(home, 'labs', name);
}

/** The names of all labs that have a folder, whether they are up or not. */
export async function labNames(home: string): Promise<string[]> {
  const names = await readdir(join(home, 'labs')).catch((): string[] => []);
  return names.filter((name) => NAME.test(name)).sort((a, b) => a.localeCompare(b));
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

/** What a capture has last left outside: the folder, or nothing. */
export async function lastCapturesOf(dir: string): Promise<string | undefined> {
  return readFile(join(dir, 'last-captures'), 'utf8').catch(() => undefined);
}

export async function noteCaptures(dir: string, folder: string): Promise<void> {
  await writeFile(join(dir, 'last-captures'), folder);
}

/** The labs that have a record, by name; those that died are not alive, and are left to `down`. */
export async function labs(home: string): Promise<{ record: LabRecord; dir: string; alive: boolean }[]> {
  const found = await Promise.all(
    (await labNames(home)).map(async (name) => {
      const dir = labFolder(home, name);
      const record = await readRecord(dir);
      return record && { record, dir, alive: await isAlive(record.pid, record.pidStarted) };
    }),
  );
  return found.filter((lab) => lab !== undefined);
}
