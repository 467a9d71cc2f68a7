// Looks at the machine's processes. What a test leaves is a defect, and is ended.
import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { descendants } from '../../src/sandbox/family.ts';

/** Pids of the processes whose command line has a text, zombies left out. */
export async function processesOf(text: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(
    pids.map(async (pid) => {
      const line = await readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '');
      return line.replaceAll('\0', ' ').includes(text) && pid !== process.pid ? pid : undefined;
    }),
  );
  return found.filter((pid) => pid !== undefined);
}

/** Waits until a condition holds; fails with what was seen last. */
export async function until<T>(look: () => Promise<T>, good: (seen: T) => boolean, seconds = 5): Promise<T> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    const seen = await look();
    if (good(seen)) return seen;
    if (performance.now() > deadline) throw new Error(`still ${JSON.stringify(seen)} after ${seconds} s`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Fails when processes stay whose command line has a text: a folder that is about to be removed, and nobody else's. */
export async function noneLeft(text: string, seconds = 5): Promise<void> {
  const left = () => processesOf(text);
  try {
    await until(left, (pids) => pids.length === 0, seconds);
  } catch {
    const pids = await left();
    const lines = await Promise.all(
      pids.map(async (pid) => readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '')),
    );
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended at last.
      }
    }
    const list = lines.map((line, index) => `${pids[index]} ${line.replaceAll('\0', ' ').slice(0, 200)}`);
    throw new Error(`processes are left that know ${text}:\n${list.join('\n')}`);
  }
}

/** Stops the agent of a lab that is up in a state folder: commands wait for its first answer, until what is returned is called. */
export async function stopAgent(state: string, lab: string): Promise<() => void> {
  const record = await readFile(join(state, 'labs', lab, 'lab.json'), 'utf8');
  const { pid } = JSON.parse(record) as { pid: number };
  const agent = descendants(pid)[0]!;
  process.kill(agent, 'SIGSTOP');
  return () => process.kill(agent, 'SIGCONT');
}

/** Waits until a command has turned to an agent: it has a socket beside its standard streams. */
export async function hasConnected(pid: number): Promise<void> {
  const folder = `/proc/${pid}/fd`;
  const sockets = async () =>
    Promise.all(
      (await readdir(folder).catch((): string[] => []))
        .filter((fd) => Number(fd) > 2)
        .map(async (fd) => readlink(join(folder, fd)).catch(() => '')),
    );
  await until(sockets, (links) => links.some((link) => link.startsWith('socket:')));
}
