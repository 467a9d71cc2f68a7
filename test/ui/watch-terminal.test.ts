// `lblab watch` on a real terminal: what passes, keys that send, break and mend, a shell and back, other sizes, and the terminal as it was.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { place, type Place } from '../support/cli.ts';
import { hasConnected, processesOf, stopAgent, until } from '../support/processes.ts';
import { screen } from '../support/screen.ts';

let here: Place;
beforeAll(async () => {
  here = await place();
  expect(await here.run(['up', 'l7', '--kernel', 'host', '--name', 'seen'])).toMatchObject({ code: 0 });
});
afterAll(async () => {
  await here.run(['down', '--all']);
  await here.remove();
});

const on = async (more: { columns?: number; rows?: number; env?: NodeJS.ProcessEnv; lab?: string } = {}) =>
  screen(here.argv(['watch', more.lab ?? 'seen']), {
    cwd: here.cwd,
    ...more,
    env: { ...here.env, SHELL: '/bin/sh', ...more.env },
  });

const KEYS = 'r request  l load  k kill';

describe('the screen', () => {
  it('shows the lab, requests that are sent, and is gone on q', async () => {
    const { shows, press, lines, cursor } = await on();
    await shows(KEYS);
    expect((await lines()).slice(0, 10)).toEqual([
      "seen  nginx rr  VIP 192.168.11.107:80  this machine's kernel",
      'front 192.168.11.0/24                      packets/s conn/s req/s requests',
      ' ├─ client eth0 192.168.11.104 ─────────           0      0',
      ' └─ lb     eth0 192.168.11.107 ─────────           0      0',
      'back 10.133.1.0/24',
      ' ├─ lb     eth1 10.133.1.1     ─────────           0      0',
      '▶├─ be1    eth0 10.133.1.2     ─────────           0      0     0        0',
      ' └─ be2    eth0 10.133.1.3     ─────────           0      0     0        0',
      'packets',
      'none yet: r sends requests',
    ]);
    expect(await lines()).toHaveLength(24);
    await press('r');
    await shows('10 of 10 requests answered: be1 5, be2 5');
    await shows(/be1 .* 5 █*\n/);
    await shows(/^\d+\.\d{6} {2}(client|eth0|eth1|be1|be2) +192\.168\.11\.|10\.133\.1/m);
    await press('q');
    await shows('ended with 0');
    expect(await lines()).toEqual(['before', 'ended with 0']);
    expect(await cursor()).toBe('shown');
  });

  it('starts and stops a load', async () => {
    const { shows, press } = await on();
    await shows(KEYS);
    await press('l');
    await shows('load 20/s');
    await shows(/be2 .* [●─]{9} +[1-9]\d* +\d+ +[1-9]\d* +\d+/);
    await press('+');
    await shows('load 40/s');
    await press('l');
    await until(
      async () => (await shows(KEYS))[0]!,
      (head) => !head.includes('load'),
    );
    await shows(/be2 +eth0 10\.133\.1\.3 +─{9} +0 +0 +0/);
    await press('q');
    await shows('ended with 0');
    // The clients have ended, and are none of the lab's services.
    expect(await here.run(['status', 'seen'])).toMatchObject({ code: 0, stderr: '' });
  });

  it('kills, cuts and mends', async () => {
    const { shows, press } = await on();
    await shows(KEYS);
    await press('k');
    await shows(/be1 +eth0 10\.133\.1\.2 +killed/);
    expect(await here.run(['status', 'seen'])).toMatchObject({ code: 1, stderr: '' });
    await press('k');
    await shows(/be1\.\S+ started/);
    await press('Down');
    await press('c');
    await shows(/▶└─ be2 +eth0 10\.133\.1\.3 +cut/);
    await press('m');
    await shows("the link of be2's eth0 is up");
    await shows(/▶└─ be2 +eth0 10\.133\.1\.3 +─{9}/);
    await press('q');
    await shows('ended with 0');
    expect(await here.run(['request', 'seen', '-n', '4'])).toMatchObject({ code: 0 });
  });

  it('opens a shell and comes back from it', async () => {
    const { shows, press } = await on();
    await shows(KEYS);
    await press('s');
    await shows('(seen:be1) $');
    await press('ip -br addr show eth0', 'Enter');
    await shows(/eth0@if\d+ +UP +10\.133\.1\.2\/24/);
    await press('exit 3', 'Enter');
    await shows('the shell in be1 ended with 3');
    await press('?');
    await shows('up down   choose a link');
    await press('C-c');
    await shows('ended with 0');
  });

  it('follows the size of the terminal, to 200 columns and 60 rows and back', async () => {
    const { shows, press, resize, lines, history } = await on();
    await shows(KEYS);
    await resize(200, 60);
    await shows('==+=====================+==');
    expect(await lines()).toHaveLength(60);
    await resize(60, 12);
    await shows('r l k c d m s ? q');
    expect(await lines()).toHaveLength(12);
    await press('C-c');
    await shows('ended with 0');
    expect(await history()).not.toContain('packets');
  });

  it('costs nothing while nothing happens', async () => {
    const { shows, press } = await on();
    await shows(KEYS);
    const [pid] = await until(
      async () => processesOf(here.argv(['watch', 'seen']).slice(-2).join(' ')),
      (pids) => pids.length > 0,
    );
    const ticks = async () => {
      const fields = (await readFile(`/proc/${pid}/stat`, 'latin1')).split(') ')[1]!.split(' ');
      return Number(fields[11]) + Number(fields[12]);
    };
    await new Promise((resolve) => setTimeout(resolve, 2000));
    const before = await ticks();
    await new Promise((resolve) => setTimeout(resolve, 4000));
    // In hundredths of a second: under 5% of one core.
    expect((await ticks()) - before).toBeLessThan(20);
    await press('q');
    await shows('ended with 0');
  });

  it.each(['SIGTERM', 'SIGINT'])('ends with %s, and the shell that it has opened', async (signal) => {
    const { shows, press, lines } = await on();
    await shows(KEYS);
    await press('s');
    await shows('(seen:be1) $');
    const [pid] = await processesOf('lblab.js watch seen');
    process.kill(pid!, signal);
    await shows('ended with 0');
    expect(await lines()).toEqual(['before', '(seen:be1) $ ended with 0']);
  });

  it('ends with a signal that comes while the screen is made ready', async () => {
    const goOn = await stopAgent(here.state, 'seen');
    const { shows } = await on();
    const [pid] = await until(
      async () => processesOf('lblab.js watch seen'),
      (pids) => pids.length > 0,
    );
    await hasConnected(pid!);
    process.kill(pid!, 'SIGTERM');
    goOn();
    await shows('ended with 0');
  });

  it('sends no requests any more that were asked for just before its end', async () => {
    const log = join(here.state, 'labs/seen/lab/nodes/be1/access.log');
    const { shows, press } = await on();
    await shows(KEYS);
    const before = await readFile(log, 'latin1');
    const goOn = await stopAgent(here.state, 'seen');
    await press('r');
    await press('q');
    goOn();
    await shows('ended with 0');
    expect(await readFile(log, 'latin1')).toBe(before);
  });

  it('ends when its lab does', async () => {
    expect(await here.run(['up', 'l7', '--kernel', 'host', '--name', 'going'])).toMatchObject({ code: 0 });
    const { shows, cursor } = await on({ lab: 'going' });
    await shows(KEYS);
    await here.run(['down', 'going']);
    await shows('ended with 1');
    await shows('going has ended');
    expect(await cursor()).toBe('shown');
  });
});

it('needs a terminal', async () => {
  expect(await here.run(['watch', 'seen'])).toEqual({
    code: 2,
    stdout: '',
    stderr:
      'watch draws on a terminal, and there is none here; lblab status and lblab capture --live tell the same in lines\n',
  });
});

it("works on a user-mode kernel, with the balancer's own table, and delays a link", async () => {
  expect(await here.run(['up', 'nat', '--kernel', 'uml', '--name', 'seen-nat'])).toMatchObject({ code: 0 });
  const { shows, press } = await on({ lab: 'seen-nat', rows: 30 });
  await shows('-> 10.133.1.3:80                Masq');
  await press('r');
  await shows('10 of 10 requests answered: be1 5, be2 5');
  await shows(/<- .*ttl/);
  await press('d');
  await shows("be1's eth0 sends with delay 100ms");
  await shows(/be1 +eth0 10\.133\.1\.2 +100 ms/);
  await press('d');
  await shows(/be1 +eth0 10\.133\.1\.2 +─{9}/);
  await press('q');
  await shows('ended with 0');
});
