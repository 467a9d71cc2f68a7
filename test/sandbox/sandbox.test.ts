// One specification for both kernels: what runs in a sandbox, what it may write, and that nothing outlives it.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { connectTo, type SandboxClient } from '../../src/sandbox/client.ts';
import { sandboxFiles } from '../../src/sandbox/start.ts';
import { processesOf, until } from '../support/processes.ts';
import { sandbox } from '../support/sandbox.ts';

const kernels = ['host', 'uml'] as const;

async function sh(client: SandboxClient, script: string, cwd: string, stdin = '') {
  const { ended, stdout } = await client.run({ argv: ['sh', '-c', script], cwd }, stdin);
  return { code: ended.code, out: stdout.toString(), err: ended.stderr };
}

describe.each(kernels)('a sandbox on the %s kernel', (kernel) => {
  it('runs a program with its input, output, errors and exit code', async () => {
    const { client, dir } = await sandbox(kernel);
    expect(await sh(client, 'cat; echo oops >&2; exit 7', dir, 'in\n')).toEqual({
      code: 7,
      out: 'in\n',
      err: 'oops\n',
    });
    const { ended } = await client.run({ argv: ['sh', '-c', 'kill -TERM $$'], cwd: dir });
    expect(ended).toMatchObject({ code: null, signal: 'SIGTERM' });
    const missing = await client.run({ argv: ['no-such-program'], cwd: dir });
    expect(missing.ended.error).toContain('ENOENT');
    const late = await client.run({ argv: ['sleep', '60'], cwd: dir }, '', 0.2);
    expect(late.ended.error).toBe('not finished after 0.2 s');
  });

  it('attaches to a program: large streams both ways arrive whole', async () => {
    const { client, dir } = await sandbox(kernel);
    const size = 3_000_000;
    let received = 0;
    const attached = client.attach({ argv: ['cat'], cwd: dir }, (_, data) => {
      received += data.length;
    });
    await attached.write(Buffer.alloc(size, 'x'));
    attached.end();
    expect(await attached.ended).toMatchObject({ code: 0 });
    expect(received).toBe(size);
    // And what comes behind is heard: a line that was overfull once must not go deaf.
    for (const length of [3900, 4000, 5000, 20_000]) {
      expect(await sh(client, 'wc -c', dir, 'x'.repeat(length))).toMatchObject({
        code: 0,
        out: `${length}\n`,
      });
    }
  });

  it('gives a terminal that resizes', async () => {
    const { client, dir } = await sandbox(kernel);
    let seen = '';
    const attached = client.attach(
      {
        argv: [
          'sh',
          '-c',
          'trap "stty size" WINCH; stty size; while :; do read line || continue; [ "$line" = end ] && exit 3; done',
        ],
        cwd: dir,
      },
      (_, data) => {
        seen += data.toString();
      },
      { columns: 90, rows: 30, term: 'xterm' },
    );
    await until(
      async () => seen,
      (text) => text.includes('30 90'),
    );
    attached.resize(120, 40);
    // A shell runs its trap when the read in the foreground returns.
    await attached.write(Buffer.from('go\r'));
    await until(
      async () => seen,
      (text) => text.includes('40 120'),
    );
    await attached.write(Buffer.from('end\r'));
    expect(await attached.ended).toMatchObject({ code: 3 });
  });

  it('ends what a caller attached to when the caller goes away', async () => {
    const { client, dir } = await sandbox(kernel);
    const caller = await connectTo(sandboxFiles(dir).socket);
    const attached = caller.attach(
      { argv: ['sh', '-c', 'echo $$ > pid; exec sleep 1000'], cwd: dir },
      () => {},
    );
    attached.ended.catch(() => {});
    await until(
      async () => readFile(join(dir, 'pid'), 'utf8').catch(() => ''),
      (text) => text !== '',
    );
    caller.release();
    const alive = async () => (await sh(client, 'kill -0 $(cat pid)', dir)).code;
    await until(alive, (code) => code !== 0);
  });

  it('can write its own folder and nothing else of the machine', async () => {
    const { client, dir } = await sandbox(kernel);
    expect(await sh(client, 'echo ok > mine && cat mine', dir)).toMatchObject({ code: 0, out: 'ok\n' });
    expect(await readFile(join(dir, 'mine'), 'utf8')).toBe('ok\n');
    for (const path of [
      '/etc/lblab-was-here',
      '/usr/lblab-was-here',
      '/var/tmp/lblab-was-here',
      '/root/lblab-was-here',
    ]) {
      const { code, err } = await sh(client, `echo no > ${path}`, dir);
      expect(`${code} ${err}`).toMatch(/^2 .*(Read-only|Permission denied|nonexistent)/);
    }
  });

  it('keeps its services, tells when one is ready and when one dies, and shows its last words', async () => {
    const { client, dir } = await sandbox(kernel);
    const died = new Promise((resolve) => client.once('died', resolve));
    await client.start(
      'a',
      { argv: ['sh', '-c', 'echo up >&2; sleep 0.1; echo bye >&2; exit 4'], cwd: dir },
      { stderr: 'up' },
      join(dir, 'a.log'),
      5,
    );
    expect(await died).toMatchObject({ name: 'a', state: 'ended', ended: { code: 4, stderr: 'up\nbye\n' } });
    await expect(
      client.start(
        'b',
        { argv: ['sh', '-c', 'echo broken >&2; exit 1'], cwd: dir },
        { tcp: 80 },
        join(dir, 'b.log'),
        5,
      ),
    ).rejects.toMatchObject({ message: 'ended before it was ready', ended: { code: 1, stderr: 'broken\n' } });
    await expect(
      client.start('c', { argv: ['sleep', '60'], cwd: dir }, { tcp: 80 }, join(dir, 'c.log'), 0.2),
    ).rejects.toMatchObject({ message: 'waited 0.2 s for TCP port 80 to listen' });
  });

  it('is gone, with everything in it, when it is destroyed', async () => {
    const { client, dir, destroy } = await sandbox(kernel);
    await client.start(
      's',
      { argv: ['sh', '-c', 'setsid sleep 4711 & exec sleep 4711'], cwd: dir },
      { started: true },
      join(dir, 's.log'),
      5,
    );
    expect(await processesOf(dir)).not.toEqual([]);
    await destroy();
    expect(await processesOf(dir)).toEqual([]);
  });

  it('is gone when its agent, its PID 1, or what stands between dies', async () => {
    for (const choose of [
      (pids: number[]) => Math.max(...pids),
      (_: number[], pid1: number) => pid1,
      (pids: number[]) => pids.find((pid) => pid !== Math.max(...pids))!,
    ]) {
      const { dir, pid, client } = await sandbox(kernel);
      const lost = new Promise((resolve) => client.once('lost', resolve));
      process.kill(choose(await processesOf(dir), pid), 'SIGKILL');
      const monitor = await Promise.race([
        lost.then(() => true),
        new Promise((resolve) => setTimeout(() => resolve(false), 500)),
      ]);
      // Killing bwrap's outermost process leaves a sandbox that works; it ends with its control socket.
      if (monitor === false) client.release();
      await until(
        async () => processesOf(dir),
        (pids) => pids.length === 0,
      );
    }
  });
});

describe('a user-mode kernel', () => {
  it('gives its root no way to write the machine', async () => {
    const { client, dir } = await sandbox('uml');
    const mark = join('/var/tmp', 'lblab-escape');
    for (const attempt of [
      `mount -o remount,rw / && echo no > ${mark}`,
      `mkdir -p /tmp/again && mount none /tmp/again -t hostfs -o / && echo no > /tmp/again${mark}`,
      `mkdir -p /tmp/var && mount none /tmp/var -t hostfs -o rw,/var/tmp && echo no > /tmp/var/lblab-escape`,
      `mount --bind / /mnt && mount -o remount,bind,rw /mnt && echo no > /mnt${mark}`,
    ]) {
      const { code } = await sh(client, attempt, dir);
      expect(code, attempt).not.toBe(0);
    }
    await expect(readFile(mark)).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await sh(client, 'id -u; cat /proc/net/dev | wc -l', dir)).toMatchObject({ out: '0\n3\n' });
  });

  it('names the guest that cannot boot, with the last lines of its console', async () => {
    const dir = await (await import('../support/sandbox.ts')).temporaryFolder();
    await writeFile(sandboxFiles(dir).hosts, '');
    const { startSandbox } = await import('../../src/sandbox/start.ts');
    const started = startSandbox({
      kernel: 'uml',
      dir,
      uid: process.getuid!(),
      gid: process.getgid!(),
      visible: [],
      uuid: 'x',
      memory: 8,
      cpu: 0,
      path: process.env.PATH!,
      seconds: 20,
    });
    await expect(started).rejects.toThrow(/the sandbox ended while starting[^]*(memory|panic)/i);
    expect(await processesOf(dir)).toEqual([]);
  });

  it('is given up when it hangs while booting', async () => {
    const { startSandbox } = await import('../../src/sandbox/start.ts');
    const dir = await (await import('../support/sandbox.ts')).temporaryFolder();
    await writeFile(sandboxFiles(dir).hosts, '');
    const started = startSandbox({
      kernel: 'uml',
      dir,
      uid: process.getuid!(),
      gid: process.getgid!(),
      visible: [],
      uuid: 'x',
      memory: 256,
      cpu: 0,
      path: process.env.PATH!,
      seconds: 0.3,
    });
    await expect(started).rejects.toThrow('did not start within 0.3 s');
    expect(await processesOf(dir)).toEqual([]);
  });
});
