// What only one command at a time may do in a lab: capture at its points, write its clients' logs. A command that was killed leaves its
// hold behind; the next one sees that it has gone.
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isAlive, LabError, startTime } from './folders.ts';
import type { Lab } from './lab.ts';

const DOING = { capture: 'a capture is under way', requests: 'requests are under way' };

/** Takes hold of one of the two; returns what lets go. Throws LabError (exit code 1) that names the process that has it. */
export async function hold(lab: Lab, what: keyof typeof DOING): Promise<() => Promise<void>> {
  const path = join(lab.dir, `${what}.held`);
  const mine = `${lab.user} ${(await startTime(lab.user)) ?? ''}`;
  for (let attempt = 0; attempt < 5; attempt++) {
    try {
      await writeFile(path, mine, { flag: 'wx' });
      return async () => rm(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const [pid = '', started = ''] = (await readFile(path, 'utf8').catch(() => '')).split(' ');
    if (await isAlive(Number(pid), started)) {
      throw new LabError(`${DOING[what]} in ${lab.name} already, by process ${pid}: wait for its end`, 1);
    }
    // Of several that see a stale hold one moves it away; the file moved by the others, if any, is a new one, and is put back.
    const away = `${path}.${lab.user}`;
    await rename(path, away).then(
      async () => {
        const text = await readFile(away, 'utf8');
        if (text === `${pid} ${started}`) await rm(away, { force: true });
        else await rename(away, path);
      },
      () => {},
    );
  }
  throw new LabError(`${path} cannot be taken; remove it by hand`, 1);
}
