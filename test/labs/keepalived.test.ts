// Labs that look after their servers: keepalived as the keeper of a director's table, nginx by itself. And what is said where keepalived is
// missing, or its configuration has a mistake in it.
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { place, type Place } from '../support/cli.ts';
import { processesOf } from '../support/processes.ts';

let here: Place;
beforeAll(async () => {
  here = await place();
});
afterAll(async () => {
  await here.run(['down', '--all']);
  expect(await processesOf(here.state)).toEqual([]);
  await here.remove();
});

it.each(['nat-keepalived', 'dsr-keepalived', 'pair', 'l7-max-fails'])(
  '%s is verified',
  async (name) => {
    const { code, stdout, stderr } = await here.run(['run', name, '--json'], { seconds: 110 });
    expect(stderr).toBe('');
    const [lab] = (JSON.parse(stdout) as { labs: { checks: { status: string }[] }[] }).labs;
    expect(lab!.checks.filter(({ status }) => status !== 'pass')).toEqual([]);
    expect(code).toBe(0);
  },
  120_000,
);

it('takes a server that is down out of the table, and puts it back', async () => {
  await here.run(['up', 'nat-keepalived', '--name', 'kept']);
  const reals = async () => {
    const { stdout } = await here.run(['exec', '-l', 'kept', 'lb', '--', 'ipvsadm', '-Ln']);
    return [...stdout.matchAll(/-> (10\.\S+)/g)].map((match) => match[1]!).sort();
  };
  const until = async (wanted: string[]) => {
    const deadline = performance.now() + 10_000;
    let seen = await reals();
    while (seen.join() !== wanted.join() && performance.now() < deadline) seen = await reals();
    expect(seen).toEqual(wanted);
  };
  await until(['10.133.1.2:80', '10.133.1.3:80']);
  await here.run(['fault', 'kept', 'be1', 'stop-service']);
  await until(['10.133.1.3:80']);
  const { stdout } = await here.run(['request', 'kept', '-n', '4', '--json']);
  expect(JSON.parse(stdout)).toMatchObject({ succeeded: 4, byBackend: { be1: 0, be2: 4 } });
  await here.run(['fault', 'kept', 'be1', 'start-service']);
  await until(['10.133.1.2:80', '10.133.1.3:80']);
  await here.run(['down', 'kept']);
}, 90_000);

it('links are slow and lossy where the kernel has netem', async () => {
  await here.run(['up', 'l7', '--kernel', 'uml']);
  const fault = async (...words: string[]) => {
    const { code, stdout, stderr } = await here.run(['fault', 'l7', ...words]);
    return code === 0 ? stdout : `${code}: ${stderr}`;
  };
  const times = async () => {
    const { stdout } = await here.run(['request', 'l7', '--json', '-n', '2']);
    return (JSON.parse(stdout) as { requests: { milliseconds: number; error?: string }[] }).requests;
  };
  expect(await fault('client', 'delay', '200ms')).toBe("client's eth0 sends with delay 200ms\n");
  expect(await fault('client', 'delay', '200ms')).toBe(
    '2: eth0 of client has delay 200ms already; lblab fault l7 client clear mends it\n',
  );
  for (const { milliseconds } of await times()) expect(milliseconds).toBeGreaterThan(400);
  expect(await fault('client', 'loss', '100%')).toBe("client's eth0 sends with loss 100%\n");
  expect(
    (await here.run(['exec', '-l', 'l7', 'client', '--', 'tc', 'qdisc', 'show', 'dev', 'eth0'])).stdout,
  ).toMatch(/netem .* delay 200ms.* loss 100%/);
  expect(await fault('client', 'clear')).toBe("client's eth0 sends as the topology says\n");
  for (const { milliseconds } of await times()) expect(milliseconds).toBeLessThan(200);
  await here.run(['down', 'l7']);
}, 60_000);

it('says keepalived’s own words and line of a configuration that is wrong', async () => {
  const text = await readFile('topologies/nat-keepalived.yaml', 'utf8');
  await writeFile(join(here.cwd, 'mine.conf'), 'virtual_server 192.168.11.107 80 {\n    delay_lop 1\n}\n');
  await writeFile(join(here.cwd, 'mine.yaml'), text.replace('path: /health', 'conf: mine.conf'));
  const { code, stderr } = await here.run(['up', 'mine.yaml']);
  expect(stderr).toMatch(/lb\.keepalived\.check: exit code \d+\n/);
  expect(stderr).toMatch(/\| \(keepalived\.conf: Line 2\) Unknown keyword 'delay_lop'\n/);
  expect(code).toBe(1);
  expect((await here.run(['ls'])).stdout).not.toMatch(/mine/);
}, 60_000);

it.skipIf(process.getuid!() !== 0)(
  'says that keepalived is missing, and which package has it, before anything is built (needs root, to hide it)',
  async () => {
    await writeFile(join(here.cwd, 'nothing'), '');
    const hide = 'mount --bind nothing "$(command -v keepalived)" && exec "$@"';
    const run = promisify(execFile);
    for (const words of [
      ['run', 'nat-keepalived'],
      ['failover', 'nat-keepalived'],
    ]) {
      const argv = ['-m', 'sh', '-c', hide, 'sh', ...here.argv(words)];
      const ended = run('unshare', argv, { cwd: here.cwd, env: { ...here.env, PATH: process.env.PATH } });
      await expect(ended).rejects.toMatchObject({
        code: 3,
        stderr: 'nat-keepalived: no keepalived; lblab doctor --fix installs keepalived\n',
      });
    }
  },
);
