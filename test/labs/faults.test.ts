// What goes wrong around a lab: each a clear message and its exit code, and nothing left behind.
import { spawn } from 'node:child_process';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { place, type Place } from '../support/cli.ts';
import { processesOf, until } from '../support/processes.ts';

let here: Place;
beforeEach(async () => {
  here = await place();
});
afterEach(async () => here.remove());

async function topology(text: string): Promise<string> {
  await writeFile(join(here.cwd, 'mine.yaml'), text);
  return 'mine.yaml';
}

/** Symbolic links of labs under /run/netns, and folders in the state folder. */
async function leftovers(): Promise<{ links: string[]; folders: string[] }> {
  const links = await readdir('/run/netns').catch(() => []);
  const folders = [
    ...(await readdir(here.state)),
    ...(await readdir(join(here.state, 'labs')).catch(() => [])),
  ];
  return {
    links: links.filter((name) => name.startsWith('lblab-faulty')),
    folders: folders.filter((name) => name !== 'labs'),
  };
}

const NODE = (name: string, more: string) => `
  ${name}:
    role: node
    interfaces: { eth0: wire }
${more}`;

const LAB = (...nodes: string[]) =>
  `name: faulty\nsegments: { wire: 10.5.0.0/24 }\nnodes:${nodes.join('')}\n`;

describe('a step that fails', () => {
  it('names a program that is missing', async () => {
    const file = await topology(
      LAB(NODE('a', '    services: [{ name: s, command: [no-such-program], ready: started }]')),
    );
    const { code, stderr } = await here.run(['up', file]);
    expect(stderr).toContain('a.services.s: ');
    expect(stderr).toContain('command: ip netns exec lblab-faulty-a no-such-program');
    expect(stderr).toMatch(/no-such-program is missing|No such file or directory/);
    expect(code).toBe(3);
    expect(await leftovers()).toEqual({ links: [], folders: [] });
  });

  it('names a port that is in use, and who wanted it', async () => {
    const listen = `perl, -MIO::Socket::INET, -e, "$s = IO::Socket::INET->new(LocalPort => 80, Listen => 5) or die qq($! ); sleep 1000"`;
    const file = await topology(
      LAB(
        NODE(
          'a',
          `    services: [{ name: one, command: [${listen}], ready: { tcp: 80 } }, { name: two, command: [${listen}], ready: { tcp: 80 } }]`,
        ),
      ),
    );
    const { code, stderr } = await here.run(['up', file]);
    // Port 80 is seen to listen at once, being the first program's; the second's end tells all the same.
    expect(`${code} ${stderr}`).toMatch(/^(0|1) /);
    if (code === 0) {
      const status = await here.run(['status', 'faulty']);
      expect(status.stdout).toContain('Address already in use');
      await here.run(['down', 'faulty']);
    } else {
      expect(stderr).toContain('a.services.two: ended before it was ready');
      expect(stderr).toContain('Address already in use');
      expect(stderr).toContain('another program in a has that port');
    }
  });

  it('says what a service that does not come up was waited for', async () => {
    const file = await topology(
      LAB(NODE('a', '    services: [{ name: s, command: [sleep, "100"], ready: { tcp: 8080 } }]')),
    );
    const { code, stderr } = await here.run(['up', file, '--timeout', '0.5s']);
    expect(stderr).toContain('a.services.s: waited 0.5 s for TCP port 8080 to listen');
    expect(code).toBe(1);
    expect(await leftovers()).toEqual({ links: [], folders: [] });
  });

  it('shows the words of a set-up command', async () => {
    const file = await topology(LAB(NODE('a', '    setup: ["ip route add 10.9.0.0/16 via 10.77.0.1"]')));
    const { code, stderr } = await here.run(['up', file]);
    expect(stderr).toContain('a.setup.1: exit code 2');
    expect(stderr).toContain('command: ip netns exec lblab-faulty-a ip route add 10.9.0.0/16 via 10.77.0.1');
    expect(stderr).toMatch(/\| .*(unreachable|invalid gateway)/);
    expect(code).toBe(1);
  });

  it('cannot write the machine', async () => {
    const file = await topology(LAB(NODE('a', '    setup: [[touch, /etc/lblab-was-here]]')));
    const { code, stderr } = await here.run(['up', file]);
    expect(stderr).toContain('Read-only file system');
    expect(code).toBe(1);
  });
});

describe('interrupted', () => {
  const start = (args: string[]) => {
    const argv = here.argv(args);
    const child = spawn(argv[0]!, argv.slice(1), {
      cwd: here.cwd,
      env: here.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stderr = '';
    child.stderr.on('data', (chunk) => (stderr += String(chunk)));
    const ended = new Promise<{ code: number | null; signal: string | null; stderr: string }>((resolve) => {
      child.once('close', (code, signal) => resolve({ code, signal, stderr }));
    });
    return { child, ended };
  };
  const SLOW = LAB(NODE('a', '    services: [{ name: s, command: [sleep, "100"], ready: { tcp: 8080 } }]'));

  it('once: cleans up, exit code 130', async () => {
    const { child, ended } = start(['up', await topology(SLOW)]);
    await until(
      async () => processesOf(`sleep 100`),
      (pids) => pids.length > 0,
    );
    child.kill('SIGINT');
    expect(await ended).toMatchObject({
      code: 130,
      stderr: expect.stringContaining('interrupted') as string,
    });
    expect(await leftovers()).toEqual({ links: [], folders: [] });
  });

  it('twice: leaves at once, and nothing is left running', async () => {
    const { child, ended } = start(['up', await topology(SLOW)]);
    await until(
      async () => processesOf(`sleep 100`),
      (pids) => pids.length > 0,
    );
    child.kill('SIGINT');
    child.kill('SIGINT');
    expect((await ended).code).toBe(130);
    await until(
      async () => processesOf(here.state),
      (pids) => pids.length === 0,
    );
  });

  it('by SIGTERM: cleans up, exit code 143', async () => {
    const { child, ended } = start(['up', await topology(SLOW)]);
    await until(
      async () => processesOf(`sleep 100`),
      (pids) => pids.length > 0,
    );
    child.kill('SIGTERM');
    expect((await ended).code).toBe(143);
    expect(await leftovers()).toEqual({ links: [], folders: [] });
  });

  it.each([
    ['host', 'l7', [20, 80, 120, 160, 200, 240, 280, 340, 420, 500]],
    ['uml', 'nat', [300, 900, 2000, 3000]],
  ] as const)(
    'by kill -9 at any moment, on the %s kernel: nothing is left but a folder, which the next command removes',
    async (kernel, lab, moments) => {
      for (const moment of moments) {
        for (const args of [
          ['run', lab, '--kernel', kernel],
          ['up', lab, '--kernel', kernel],
        ]) {
          const { child, ended } = start(args);
          await new Promise((resolve) => setTimeout(resolve, moment));
          child.kill('SIGKILL');
          await ended;
          if (args[0] === 'up') await here.run(['down', lab]);
          await until(
            async () => processesOf(here.state),
            (pids) => pids.length === 0,
          );
        }
      }
      const { code } = await here.run(['down', '--all']);
      expect(code).toBe(0);
      expect(await leftovers()).toEqual({ links: [], folders: [] });
    },
    120_000,
  );

  /** What a `bwrap` does before, or in place of, the real one. */
  const bubblewrap = async (body: string) => {
    const folder = join(here.cwd, 'first');
    await mkdir(folder);
    await writeFile(join(folder, 'bwrap'), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
    return { env: { PATH: `${folder}:${process.env.PATH}` } };
  };

  it('by kill -9 just before its sandbox is made: the sandbox ends by itself', async () => {
    const more = await bubblewrap(
      'kill -9 $PPID; while kill -0 $PPID; do :; done; PATH=${PATH#*:} bwrap "$@"; : > "$HOME/over"',
    );
    expect(await here.run(['run', 'l7', '--kernel', 'host'], more)).toMatchObject({ code: null });
    await until(
      async () => readdir(here.cwd),
      (names) => names.includes('over'),
    );
    await until(
      async () => processesOf(here.state),
      (pids) => pids.length === 0,
    );
  });

  it('by the end of what makes its sandbox: what that has begun ends with it', async () => {
    const more = await bubblewrap(`sh -c 'sleep 1000; : ${here.state}' &\nkill -9 $$`);
    const { code, stderr } = await here.run(['run', 'l7', '--kernel', 'host'], more);
    expect(code).toBe(3);
    expect(stderr).toContain('ended while starting (SIGKILL)');
    await until(
      async () => processesOf(here.state),
      (pids) => pids.length === 0,
    );
  });
});

/** The user-mode kernel's first process, of many: the keeper's child. */
async function guestKernel(state = here.state): Promise<number> {
  const own = await processesOf(state);
  const stats = await Promise.all(
    own.map(async (pid) => {
      const [, comm, ppid] =
        /^\d+ \((.*)\) \S (\d+)/.exec(await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '')) ?? [];
      return { pid, comm, ppid: Number(ppid) };
    }),
  );
  const isKernel = ({ comm }: { comm?: string }) => comm === 'linux.uml';
  const kernels = new Set(stats.filter(isKernel).map(({ pid }) => pid));
  return stats.find((each) => isKernel(each) && !kernels.has(each.ppid))!.pid;
}

describe('a guest', () => {
  it('killed in the middle of a capture: undecided, exit code 4, and its captures are there', async () => {
    const argv = here.argv(['run', 'nat', '--kernel', 'uml', '-n', '3000', '--json']);
    const child = spawn(argv[0]!, argv.slice(1), {
      cwd: here.cwd,
      env: here.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => (stdout += String(chunk)));
    child.stderr.on('data', (chunk) => (stderr += String(chunk)));
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    const size = async () => {
      const run = (await readdir(here.state)).find((name) => name.startsWith('run-'));
      return run === undefined
        ? 0
        : (await readFile(join(here.state, run, 'lab/eth0.pcap')).catch(() => '')).length;
    };
    await until(size, (bytes) => bytes > 20_000, 30);
    process.kill(await guestKernel(), 'SIGKILL');
    expect(await ended).toBe(4);
    const [lab] = (
      JSON.parse(stdout) as { labs: { checks: { status: string }[]; captures: { path: string }[] }[] }
    ).labs;
    expect(new Set(lab!.checks.map((check) => check.status))).toEqual(new Set(['unknown']));
    expect((await readFile(lab!.captures[0]!.path)).length).toBeGreaterThan(0);
    expect(stderr).toContain('the sandbox ended');
  }, 60_000);
});

describe('a state folder that somebody removes', () => {
  it.each(['host', 'uml'])('takes its labs with it (%s)', async (kernel) => {
    expect(await here.run(['up', 'l7', '--kernel', kernel])).toMatchObject({ code: 0 });
    await rm(here.state, { recursive: true });
    await until(
      async () => processesOf(here.state),
      (pids) => pids.length === 0,
    );
    // Links of labs that have ended so are swept by the next lab.
    expect(await here.run(['up', 'l7', '--kernel', kernel])).toMatchObject({ code: 0 });
    expect(await here.run(['down', 'l7'])).toMatchObject({ code: 0 });
  });
});

describe('a state folder that is emptied again and again', () => {
  it('is named, and it is no defect of lblab', async () => {
    const going = { on: true };
    const emptied = (async () => {
      while (going.on)
        for (const name of await readdir(here.state))
          await rm(join(here.state, name), { recursive: true, force: true, maxRetries: 10 });
    })();
    const { code, stderr } = await here.run(['run', 'l7', '--kernel', 'host']);
    going.on = false;
    await emptied;
    expect({ code, stderr }).toMatchObject({ code: 3 });
    expect(stderr).toMatch(/LBLAB_STATE_DIR|the sandbox ended/);
  });
});

describe('a disk that is full', () => {
  it.skipIf(process.getuid!() !== 0)(
    'is named, and nothing is left (needs root, to mount a small file system)',
    async () => {
      // A file system of 200 KiB in a mount namespace of the test's own.
      const argv = here.argv(['run', 'l7']);
      const child = spawn(
        'unshare',
        [
          '-m',
          'sh',
          '-c',
          'mount -t tmpfs -o size=200k full "$LBLAB_STATE_DIR" && head -c 190k /dev/zero > "$LBLAB_STATE_DIR/filler" 2>/dev/null; exec "$@"',
          'sh',
          ...argv,
        ],
        { cwd: here.cwd, env: here.env, stdio: ['ignore', 'pipe', 'pipe'] },
      );
      let stderr = '';
      child.stderr.on('data', (chunk) => (stderr += String(chunk)));
      const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
      expect(stderr).toMatch(/no space left on device|disk is full/i);
      expect(stderr).toContain('LBLAB_STATE_DIR');
      expect([1, 3]).toContain(code);
    },
  );
});

describe.skipIf(process.getuid!() !== 0)('a machine (made as root) that', () => {
  const run = async (who: Place, argv: string[]) => {
    const child = spawn(argv[0]!, argv.slice(1), {
      cwd: who.cwd,
      env: who.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stderr = '';
    let stdout = '';
    child.stdout.on('data', (chunk) => (stdout += String(chunk)));
    child.stderr.on('data', (chunk) => (stderr += String(chunk)));
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
    return { code, stdout, stderr };
  };

  it('has a small /dev/shm where nothing may be executed runs a user-mode kernel all the same', async () => {
    const script = 'mount -t tmpfs -o size=64m,noexec shm /dev/shm; exec "$@"';
    const argv = here.argv(['run', 'nat', '--kernel', 'uml']);
    const { code, stdout } = await run(here, ['unshare', '-m', 'sh', '-c', script, 'sh', ...argv]);
    expect(stdout).toContain('verified: ');
    expect(code).toBe(0);
  }, 60_000);

  it('forbids user namespaces runs a user-mode kernel without walls, says so, and nothing outlives it', async () => {
    const plain = await place('plain');
    // In a user namespace in which no further one may be made, and without capabilities.
    const script =
      'echo 0 > /proc/sys/user/max_user_namespaces; exec setpriv --ambient-caps=-all --inh-caps=-all --bounding-set=-all -- "$@"';
    const confined = async (args: string[]) => {
      const argv = plain.argv(args);
      const program = argv.indexOf('--') + 1;
      const unshare = ['unshare', '-U', '--map-user=1000', '--keep-caps', 'sh', '-c', script, 'sh'];
      return run(plain, [...argv.slice(0, program), ...unshare, ...argv.slice(program)]);
    };
    try {
      const { code, stdout, stderr } = await confined(['run', 'nat']);
      expect(stderr).toContain(
        'on a user-mode kernel, with no walls around it: a plain user may not make user namespaces here',
      );
      expect(stdout).toContain('verified: ');
      expect(code).toBe(0);
      for (const victim of ['keeper', 'kernel']) {
        expect((await confined(['up', 'nat'])).code).toBe(0);
        const record = await readFile(join(plain.state, 'labs/nat/lab.json'), 'utf8');
        const { pid: keeper } = JSON.parse(record) as { pid: number };
        const chosen = victim === 'keeper' ? keeper : await guestKernel(plain.state);
        process.kill(chosen, 'SIGKILL');
        await until(
          async () => processesOf(plain.state),
          (pids) => pids.length === 0,
        );
        await confined(['down', 'nat']);
      }
    } finally {
      await plain.remove();
    }
  }, 120_000);
});
