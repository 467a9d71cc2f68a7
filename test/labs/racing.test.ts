// Commands beside each other: labs at once, and several commands on one lab. Each works or says who is in its way, and what it says holds.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startTime } from '../../src/lab/folders.ts';
import { descendants } from '../../src/sandbox/family.ts';
import { place, type Place, type Result } from '../support/cli.ts';
import { processesOf, until } from '../support/processes.ts';

const isRoot = process.getuid!() === 0;
let here: Place;
beforeEach(async () => {
  here = await place();
});
afterEach(async () => {
  await here.run(['down', '--all']);
  await here.remove();
});

const times = <T>(count: number, what: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => what(index));

/** The labs that `ls` shows, by name. */
async function listed(where = here): Promise<Record<string, string>> {
  const { labs } = JSON.parse((await where.run(['ls', '--json'])).stdout) as {
    labs: { name: string; state: string }[];
  };
  return Object.fromEntries(labs.map(({ name, state }) => [name, state]));
}

/** Nothing of this place is left but the folder that labs live in. */
async function expectNothing(where = here): Promise<void> {
  await until(
    async () => processesOf(where.state),
    (pids) => pids.length === 0,
  );
  expect(await readdir(where.state)).toEqual(['labs']);
  expect(await readdir(join(where.state, 'labs'))).toEqual([]);
}

const worked = ({ code }: Result) => code === 0;

describe('labs at once', () => {
  it('eight, four of them of one topology, do not meet', async () => {
    const labs = {
      ...Object.fromEntries(['red', 'green', 'blue', 'grey'].map((name) => [name, 'l7'])),
      ...{ one: 'dnsrr', two: 'dnsrr', first: 'nat', second: 'dsr' },
    };
    const names = Object.keys(labs);
    const ups = await Promise.all(
      Object.entries(labs).map(async ([name, topology]) => here.run(['up', topology, '--name', name])),
    );
    expect(ups.map(({ code, stderr }) => (code === 0 ? 0 : stderr))).toEqual(names.map(() => 0));
    expect(await listed()).toEqual(Object.fromEntries(names.map((name) => [name, 'up'])));
    const asked = await Promise.all(
      names.map(async (name) => here.run(['request', name, '-n', '4', '--json'])),
    );
    for (const { stdout } of asked) {
      const { lab, requests } = JSON.parse(stdout) as {
        lab: string;
        requests: { status: number; error?: string }[];
      };
      expect({ lab, errors: requests.flatMap(({ error }) => error ?? []) }).toEqual({ lab, errors: [] });
      expect(requests).toHaveLength(4);
    }
    const downs = await Promise.all(names.map(async (name) => here.run(['down', name])));
    expect(downs.every(worked)).toBe(true);
    await expectNothing();
  });

  it.runIf(isRoot)(
    'of one name in two state folders: the second is told whose the name is, and harms nothing',
    async () => {
      const other = await place();
      try {
        const both = [here, other];
        const ups = await Promise.all(both.map(async (one) => one.run(['up', 'l7'])));
        expect(ups.filter(worked)).toHaveLength(1);
        const [winner, loser] = worked(ups[0]!) ? [here, other] : [other, here];
        const refused = ups.find((end) => !worked(end))!;
        expect(refused.code).toBe(2);
        expect(refused.stderr).toMatch(
          /^\/run\/netns\/lblab-l7-be1 belongs to another lab of this name, process \d+ in \S+; give this lab another name with --name\n$/m,
        );
        expect(refused.stderr).toContain(` in ${winner.state}/labs/l7;`);
        await expectNothing(loser);
        expect((await winner.run(['request', '-n', '2'])).code).toBe(0);
        expect((await readdir('/run/netns')).filter((name) => name.startsWith('lblab-l7-')).sort()).toEqual(
          ['be1', 'be2', 'client', 'lb'].map((node) => `lblab-l7-${node}`),
        );
        // Its sweeping leaves the other's links alone; another name is free.
        expect((await loser.run(['down', '--all'])).code).toBe(0);
        expect((await loser.run(['up', 'l7', '--name', 'mine'])).code).toBe(0);
        expect(await readlink('/run/netns/lblab-l7-lb')).toMatch(/^\/proc\/\d+\/root\//);
        expect((await winner.run(['exec', 'lb', '--', 'true'])).code).toBe(0);
      } finally {
        await other.run(['down', '--all']);
        await other.remove();
      }
    },
  );

  it('of one name in two state folders of a plain user do not meet', async () => {
    const both = [await place('plain'), await place('plain')];
    try {
      const ups = await Promise.all(both.map(async (one) => one.run(['up', 'l7'])));
      expect(ups.map(worked)).toEqual([true, true]);
    } finally {
      for (const one of both) {
        await one.run(['down', '--all']);
        await one.remove();
      }
    }
  });
});

describe('on one lab', () => {
  it('of several that make it one does, the others say who', async () => {
    for (let round = 0; round < 4; round++) {
      // Every other time there is what a dead one has left, which each of them finds first.
      if (round % 2 === 1) {
        await here.run(['up', 'l7']);
        const { labs } = JSON.parse((await here.run(['ls', '--json'])).stdout) as { labs: { pid: number }[] };
        process.kill(labs[0]!.pid, 'SIGKILL');
        await until(listed, (seen) => seen['l7'] === 'gone');
      }
      const ups = await Promise.all(times(5, async () => here.run(['up', 'l7'])));
      const made = ups.filter(({ stdout }) => stdout.startsWith('l7 is up, in'));
      expect(made).toHaveLength(1);
      for (const { stdout, stderr } of ups.filter((end) => !made.includes(end)))
        expect(stdout + stderr.split('\n').at(-2)).toMatch(/^l7 is (up already|being made by process \d+)/m);
      expect(await listed()).toEqual({ l7: 'up' });
      expect((await here.run(['exec', 'lb', '--', 'true'])).code).toBe(0);
      expect((await here.run(['down'])).code).toBe(0);
      await expectNothing();
    }
  });

  it('up and down leave one that is up, or nothing', async () => {
    for (let round = 0; round < 6; round++) {
      const ends = await Promise.all([
        ...times(2, async () => here.run(['up', 'l7'])),
        ...times(2, async () => {
          await new Promise((resolve) => setTimeout(resolve, round * 120));
          return here.run(['down', 'l7']);
        }),
      ]);
      for (const { code, stdout, stderr } of ends)
        if (code !== 0)
          expect(stdout + stderr).toMatch(
            /l7 is being made by process \d+|l7 is up already|l7 (was ended|has ended)|the sandbox ended/,
          );
      const state = (await listed())['l7'];
      expect(state).not.toBe('making');
      if (state === 'up') expect((await here.run(['exec', 'lb', '--', 'true'])).code).toBe(0);
      expect((await here.run(['down', 'l7'])).code).toBe(0);
      await expectNothing();
    }
  });

  it('one captures and one sends at a time, and the others say who does', async () => {
    await here.run(['up', 'l7']);
    const captures = await Promise.all(
      times(4, async (index) => here.run(['capture', '-n', '20', '-o', `out${index}`])),
    );
    expect(captures.filter(worked).length).toBeGreaterThan(0);
    for (const { stderr } of captures.filter((end) => !worked(end)))
      expect(stderr).toMatch(
        /^(a capture is|requests are) under way in l7 already, by process \d+: wait for its end\n$/m,
      );
    expect((await here.run(['capture', '-n', '1'])).code).toBe(0);
  });

  it('a command whose lab goes down says so', async () => {
    await here.run(['up', 'l7']);
    const [down, ...execs] = await Promise.all([
      here.run(['down', 'l7']),
      ...times(4, async () => here.run(['exec', '-l', 'l7', 'lb', '--', 'sleep', '0.3'])),
    ]);
    expect(down.code).toBe(0);
    for (const { code, stderr } of execs)
      if (code !== 0) expect(stderr).toMatch(/l7 has ended|no lab (l7 )?is up/);
    await expectNothing();
  });

  it('what somebody holds is let go with their end, and a stale name in the way is no lock', async () => {
    await here.run(['up', 'l7']);
    await writeFile(join(here.state, 'labs/l7/lab/capture.held'), '1 1');
    for (let round = 0; round < 3; round++) {
      const ended = here.run(['capture', '-n', '1000000'], { seconds: 0.8 });
      expect((await ended).code).toBe(null);
      await until(
        async () => here.run(['capture', '-n', '1']),
        ({ code }) => code === 0,
      );
    }
  });
});

it.each([
  ['whose command was killed', false],
  ['whose command and bwrap were killed', true],
])('a sandbox whose PID 1 is stopped, and %s, goes with the next lab', async (_, alone) => {
  const [program, ...args] = here.argv(['run', 'l7', '--kernel', 'host', '-n', '5000']);
  const command = spawn(program!, args, { cwd: here.cwd, env: here.env, stdio: 'ignore' });
  const monitor = await until(
    async () => {
      const folder = (await readdir(here.state)).find((name) => name.startsWith('run-'));
      const note = folder && (await readFile(join(here.state, folder, 'monitor'), 'utf8').catch(() => ''));
      return note ? Number(note.split(' ')[0]) : 0;
    },
    (pid) => pid > 0 && descendants(pid).length > 4,
  );
  const all = descendants(monitor);
  process.kill(all[0]!, 'SIGSTOP');
  if (alone) process.kill(monitor, 'SIGKILL');
  command.kill('SIGKILL');
  await once(command, 'exit');
  expect(await here.run(['up', 'l7', '--kernel', 'host'])).toMatchObject({ code: 0 });
  expect(await here.run(['down', 'l7'])).toMatchObject({ code: 0 });
  const isThere = async (pid: number) => (await startTime(pid)) !== undefined;
  await until(
    async () => Promise.all(all.map(isThere)),
    (there) => !there.includes(true),
  );
  await expectNothing();
});

it.each([
  ['a pipe in the place of a log', 'eth0.log', 'mkfifo', /eth0\.log is no plain file: a program/m],
  ['nothing in the place of a log', 'eth0.log', ':', /eth0\.log'?: a program/m],
  ['a pipe in the place of a capture', 'eth0.pcap', 'mkfifo', /eth0\.pcap is no plain file: a program/m],
  [
    'another file in the place of a capture',
    'eth0.pcap',
    'head -c 99 /dev/zero >',
    /eth0\.pcap: not a capture: .*: a program/m,
  ],
  ['a folder in the place of a capture', 'eth0.pcap', 'mkdir', /eth0\.pcap is no plain file: a program/m],
])("a lab's program that puts %s holds up nobody", async (_, name, put, words) => {
  expect(await here.run(['up', 'l7', '--kernel', 'host'])).toMatchObject({ code: 0 });
  const file = join(here.state, 'labs/l7/lab', name);
  // lblab removes what is there when a capture begins: it is to come back before tcpdump and after.
  const others = put.startsWith('head')
    ? `[ $(stat -c %s ${file}) = 99 ]`
    : `[ -d ${file} ] || [ -p ${file} ]`;
  const script = `while :; do ${others} || { rm -f ${file}; ${put} ${file}; }; done 2>/dev/null`;
  const [program, ...args] = here.argv(['exec', 'lb', '--', 'sh', '-c', script]);
  const attack = spawn(program!, args, { cwd: here.cwd, env: here.env, stdio: 'ignore' });
  try {
    const began = performance.now();
    const captured = await here.run(['capture', '--no-traffic', '--for', '1s']);
    expect(captured).toMatchObject({ code: 4, stderr: expect.stringMatching(words) });
    expect(captured.stderr).toMatch(
      /a program of the lab's(, or somebody who cleans up,)? has changed lblab's own files$/m,
    );
    expect(performance.now() - began).toBeLessThan(15_000);
  } finally {
    attack.kill('SIGKILL');
  }
  await until(
    async () => here.run(['capture', '--no-traffic', '--for', '0.1s']),
    ({ code }) => code === 0,
  );
});

it('a tcpdump that a program of the lab has stopped is ended, and its capture is not whole', async () => {
  expect(await here.run(['up', 'l7', '--kernel', 'host'])).toMatchObject({ code: 0 });
  const log = join(here.state, 'labs/l7/lab/eth0.log');
  const script = `until grep -q listening ${log}; do sleep 0.1; done; sleep 0.5; pkill -STOP -x tcpdump; sleep 60`;
  const [program, ...args] = here.argv(['exec', 'lb', '--', 'sh', '-c', script]);
  const attack = spawn(program!, args, { cwd: here.cwd, env: here.env, stdio: 'ignore' });
  try {
    const captured = await here.run(['capture', '--no-traffic', '--for', '1500ms', '--timeout', '3s']);
    expect(captured).toMatchObject({
      code: 4,
      stderr: expect.stringMatching(/^eth0\.pcap is not whole: tcpdump did not end in order$/m),
    });
  } finally {
    attack.kill('SIGKILL');
  }
  expect((await here.run(['capture', '-n', '1'])).code).toBe(0);
});
