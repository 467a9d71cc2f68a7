// Sandboxes for tests: in a folder of their own under the temporary folder, ended and removed with the test.
import { mkdtemp, rm, writeFile, chmod } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { onTestFinished } from 'vitest';
import { noneLeft } from './processes.ts';
import { sandboxFiles, startSandbox, type Kernel, type Sandbox } from '../../src/sandbox/start.ts';

export const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export async function temporaryFolder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'lblab-test-'));
  await chmod(dir, 0o755);
  onTestFinished(async () => {
    try {
      await noneLeft(dir);
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });
  return dir;
}

/** A started sandbox of this process's user. */
export async function sandbox(
  kernel: Kernel,
  more: { dir?: string } = {},
): Promise<Sandbox & { dir: string }> {
  const dir = more.dir ?? (await temporaryFolder());
  await writeFile(sandboxFiles(dir).hosts, '127.0.0.1 localhost\n');
  const started = await startSandbox({
    kernel,
    dir,
    uid: process.getuid!(),
    gid: process.getgid!(),
    visible: [],
    uuid: randomUUID(),
    memory: 256,
    cpu: 0,
    path: PATH,
    seconds: 20,
  });
  onTestFinished(async () => started.destroy());
  return { ...started, dir };
}

export { processesOf } from './processes.ts';
