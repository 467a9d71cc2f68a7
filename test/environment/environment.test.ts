// Machines that lack something or have it broken: this one, in namespaces in which a program is covered by another, or a call forbidden. The
// message names the cause and what to do, and nothing hangs.
import { execFile } from 'node:child_process';
import { chmod, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { NEEDS } from '../../src/sandbox/needs.ts';
import { place, type Place } from '../support/cli.ts';
import { processesOf } from '../support/processes.ts';

const FOLDERS = ['/usr/sbin', '/usr/bin', '/sbin', '/bin'];

async function aPlace(finished = onTestFinished, user: 'self' | 'plain' = 'plain'): Promise<Place> {
  const here = await place(user);
  finished(async () => {
    await here.run(['down', '--all']);
    await here.remove();
  });
  return here;
}

interface Ran {
  readonly code: number | null;
  readonly text: string;
  readonly seconds: number;
}

const word = (text: string) => `'${text.replaceAll("'", String.raw`'\''`)}'`;

/** Runs lblab in a mount namespace that a script has prepared, with variables of its own. */
async function inside(
  here: Place,
  prepare: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<Ran> {
  const began = performance.now();
  const [uid, gid] = [process.getuid!(), process.getgid!()];
  // What gives the privileges up is not the program that is covered.
  const [first, ...rest] = here.argv(args);
  const own = join(here.state, '../setpriv');
  const line =
    first === 'setpriv'
      ? [own, ...rest]
      : [own, '--inh-caps=-all', '--ambient-caps=-all', '--', first!, ...rest];
  const script = `set -e\ncp "$(command -v setpriv)" ${own}\n${prepare}\nexec ${line.map(word).join(' ')}`;
  const user = uid === 0 ? [] : ['--user', `--map-user=${uid}`, `--map-group=${gid}`, '--keep-caps'];
  const argv = ['unshare', ...user, '--mount', '--', 'sh', '-c', script];
  return new Promise((end) => {
    execFile(
      argv[0]!,
      argv.slice(1),
      { cwd: here.cwd, env: { ...here.env, ...env }, timeout: 90_000, killSignal: 'SIGKILL' },
      (error, out, talk) =>
        end({
          code: error === null ? 0 : error.killed ? null : Number(error.code),
          text: out + talk,
          seconds: (performance.now() - began) / 1000,
        }),
    );
  });
}

/** A user-mode kernel has iptables' older tables alone. */
const ALSO: Record<string, string[]> = { iptables: ['iptables', 'iptables-legacy'] };

/** Shell that puts something over a program, wherever it lies. */
const cover = (program: string, by: string) =>
  FOLDERS.flatMap((folder) => (ALSO[program] ?? [program]).map((name) => join(folder, name)))
    .filter((path) => existsSync(path))
    .map((path) => `mount --bind ${by} ${path}`)
    .join('\n');

/** What each program is needed for: a topology that uses it, and the kernel that the lab then runs on. */
const USES: Record<string, readonly [topology: string, kernel: string]> = {
  bwrap: ['l7', 'host'],
  ip: ['l7', 'host'],
  nsenter: ['l7', 'host'],
  setpriv: ['l7', 'host'],
  tcpdump: ['l7', 'host'],
  curl: ['l7', 'host'],
  nginx: ['l7', 'host'],
  apache2: ['l7', 'host'],
  dnsmasq: ['dnsrr', 'host'],
  ipvsadm: ['nat', 'uml'],
  iptables: ['fullnat', 'uml'],
  'linux.uml': ['nat', 'uml'],
  modprobe: ['nat', 'uml'],
  taskset: ['nat', 'uml'],
};

// They wait for each other: a test's time is its turn's, too.
describe.concurrent.each(Object.keys(USES))('%s', { timeout: 400_000 }, (program) => {
  const [topology, kernel] = USES[program]!;
  const run = ['run', topology, '--kernel', kernel, '--timeout', '3s', '-n', '2'];
  const need = Object.values(NEEDS).find((what) => 'program' in what && what.program === program)!;

  it('missing: the message names it and the package that has it', async ({ onTestFinished: finished }) => {
    const { code, text } = await inside(await aPlace(finished), cover(program, '/dev/null'), run);
    expect({ code, text }).toMatchObject({ code: 3 });
    expect(text).toContain(need.title);
    expect(text).toContain(`lblab doctor --fix installs ${'package' in need ? need.package : ''}`);
  });

  it.for([
    ['crashes', 'kill -SEGV $$'],
    ['says nothing sensible', "echo 'xyzzy \\033[31m'; exit 1"],
    ['hangs', 'exec sleep 1000'],
  ])(
    '%s: the message names it, and nothing hangs or is left',
    async ([, body], { onTestFinished: finished }) => {
      const here = await aPlace(finished);
      const fake = join(here.state, '../fake');
      await writeFile(fake, `#!/bin/sh\n${body}\n`);
      await chmod(fake, 0o755);
      const { code, text, seconds } = await inside(here, cover(program, fake), run);
      expect({ code, text }).not.toMatchObject({ code: null });
      expect({ code, text }).not.toMatchObject({ code: 0 });
      expect({ code, text }).not.toMatchObject({ code: 70 });
      expect(seconds).toBeLessThan(80);
      // The program is in the command that failed, or in what lblab doctor is to be asked about.
      expect(text).toMatch(new RegExp(`${program.replace('.', String.raw`\.`)}|lblab doctor`));
      expect(text).not.toContain('\u001b[31m');
      expect(await processesOf(here.state)).toEqual([]);
    },
  );
});

describe('a machine', () => {
  it('without /dev/net/tun runs labs: nothing needs it', async () => {
    const here = await aPlace();
    const { code, text } = await inside(
      here,
      '[ ! -e /dev/net/tun ] || mount --bind /dev/null /dev/net/tun',
      ['run', 'l7', '-n', '2'],
    );
    expect({ code, text }).toMatchObject({ code: 0 });
  });

  it('without user namespaces says which setting forbids them, and what to do', async () => {
    const here = await aPlace();
    const [setting, value] = ['/proc/sys/user/max_user_namespaces', join(here.state, '../zero')];
    await writeFile(value, '0\n');
    const { code, text } = await inside(here, `mount --bind ${value} ${setting}`, [
      'run',
      'l7',
      '--kernel',
      'host',
    ]);
    expect({ code, text }).toMatchObject({ code: 3 });
    expect(text).toMatch(
      /user\.max_user_namespaces is 0; run lblab as root, or allow it: sudo sysctl -w user\.max_user_namespaces=16384/,
    );
  });

  it('whose system call filter forbids namespaces says so', async () => {
    const here = await aPlace();
    // seccomp(2), as a container's: EPERM for unshare, clone with CLONE_NEWUSER. The filter is BPF: load nr; jeq 272 (unshare); ret.
    const filter = join(here.state, '../filter');
    const ops: [number, number, number, number][] = [
      [0x20, 0, 0, 0],
      [0x15, 0, 1, 272],
      [0x06, 0, 0, 0x00050001],
      [0x15, 0, 3, 56],
      [0x20, 0, 0, 16],
      [0x45, 0, 1, 0x10000000],
      [0x06, 0, 0, 0x00050001],
      [0x06, 0, 0, 0x7fff0000],
    ];
    const bytes = Buffer.alloc(ops.length * 8);
    ops.forEach(([code, jt, jf, k], i) => {
      bytes.writeUInt16LE(code, i * 8);
      bytes.writeUInt8(jt, i * 8 + 2);
      bytes.writeUInt8(jf, i * 8 + 3);
      bytes.writeUInt32LE(k, i * 8 + 4);
    });
    await writeFile(filter, bytes);
    const argv = here.argv(['run', 'l7', '--kernel', 'host']).map(word).join(' ');
    const { code, text } = await new Promise<{ code: number; text: string }>((end) => {
      execFile(
        'sh',
        ['-c', `exec bwrap --dev-bind / / --seccomp 9 -- ${argv} 9<${filter}`],
        { cwd: here.cwd, env: here.env },
        (error, out, talk) => end({ code: Number(error?.code ?? 0), text: out + talk }),
      );
    });
    expect({ code, text }).toMatchObject({ code: 3 });
    expect(text).toMatch(/bwrap: .*(not permitted|No permissions)/i);
    expect(text).toMatch(/lblab doctor/);
  });

  it('whose /tmp cannot be written still runs labs; one whose state folder cannot says where', async () => {
    const here = await aPlace();
    const { code, text } = await inside(here, 'mount -t tmpfs -o size=4k,mode=755 none /dev/shm', [
      'run',
      'nat',
      '-n',
      '2',
    ]);
    expect({ code, text }).toMatchObject({ code: 0 });
    const readOnly = await inside(
      here,
      `mount --bind ${here.state} ${here.state}; mount -o remount,bind,ro ${here.state}`,
      ['up', 'l7'],
    );
    expect(readOnly).toMatchObject({ code: 3 });
    expect(readOnly.text).toMatch(/EROFS.*state[^]*LBLAB_STATE_DIR/);
  });

  it.each([
    ['an empty PATH', { PATH: '' }],
    ['no PATH that leads anywhere', { PATH: '/nowhere:.:relative' }],
    ['the C locale', { LANG: 'C', LC_ALL: 'C' }],
    ['a locale that is not there', { LANG: 'xx_YY.UTF-8', LC_ALL: 'xx_YY.UTF-8' }],
    ['an odd time zone', { TZ: 'Pacific/Chatham' }],
    ['a time zone that is not there', { TZ: ':/no/such;zone' }],
    ['no HOME', { HOME: '' }],
    ['narrow', { COLUMNS: '40', TERM: 'dumb' }],
  ])('with %s runs labs', async (_, env) => {
    const here = await aPlace(onTestFinished, 'self');
    const { code, stdout, stderr } = await here.run(['run', 'l7', '-n', '2'], {
      env,
    });
    expect({ code, stderr, stdout }).toMatchObject({ code: 0 });
  });

  it('where a folder’s name is too long for a socket says so', async () => {
    const here = await aPlace();
    const state = join(here.cwd, 'x'.repeat(120));
    const { code, stderr } = await here.run(['up', 'l7'], { env: { LBLAB_STATE_DIR: state } });
    expect({ code, stderr }).toMatchObject({ code: 3 });
    expect(stderr).toMatch(/too long.*LBLAB_STATE_DIR/);
  });
});
