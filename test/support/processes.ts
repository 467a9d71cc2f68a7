// Looks at the machine's processes without ending any.
import { readdir, readFile } from 'node:fs/promises';

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
