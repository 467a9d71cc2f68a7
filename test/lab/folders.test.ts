// What is ended when a lab's folder is removed: the group of processes that the lab's note names, and no other that has its number by now.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { insideOf, remove, startTime } from '../../src/lab/folders.ts';
import { processesOf, until } from '../support/processes.ts';
import { temporaryFolder } from '../support/sandbox.ts';

/** A group of processes whose leader ends when it is told to, and leaves one that has `word` on its command line. */
async function group(word: string) {
  const script = 'sh -c "while :; do sleep 60; done" "$1" & echo begun; read -r _';
  const leader = spawn('sh', ['-c', script, 'sh', word], {
    detached: true,
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  await once(leader.stdout, 'data');
  const id = leader.pid!;
  onTestFinished(() => {
    try {
      process.kill(-id, 'SIGKILL');
    } catch {
      // It was ended.
    }
  });
  const end = async () => {
    leader.stdin.end();
    await once(leader, 'exit');
  };
  return { id, end };
}

async function lab(): Promise<{ dir: string; inside: string }> {
  const dir = join(await temporaryFolder(), 'lab');
  await mkdir(dir);
  return { dir, inside: insideOf(dir) };
}

test.each([
  ['is ended when its leader has gone and it knows the folder', true, false],
  ['is left alone when its leader has gone and it knows another folder', true, true],
  ['is left alone when its leader is another process of that number', false, false],
])('the group that a lab has noted %s', async (_, isLeaderGone, isOther) => {
  const { dir, inside } = await lab();
  const word = `${isOther ? (await lab()).inside : inside}/agent.sock`;
  const { id, end } = await group(word);
  const started = Number(await startTime(id));
  if (isLeaderGone) await end();
  await writeFile(join(dir, 'monitor'), `${id} ${isLeaderGone ? started : started - 1}\n${inside}`);
  await remove(dir);
  await expect(access(dir)).rejects.toMatchObject({ code: 'ENOENT' });
  if (isLeaderGone && !isOther)
    await until(
      async () => processesOf(word),
      (pids) => pids.length === 0,
    );
  else expect((await processesOf(word)).length).toBeGreaterThan(0);
});
