// bin/setup: quick and silent when nothing is missing; installs without starting services; builds what is older than its source.
// Where packages would be installed, it runs in a namespace of its own in which a short program takes apt-get's place.
import { spawn } from 'node:child_process';
import { cp, mkdir, readFile, symlink, utimes, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { NEEDS } from '../../src/sandbox/needs.ts';
import { PATH, temporaryFolder } from '../support/sandbox.ts';

const root = resolve(import.meta.dirname, '../..');

interface Ran {
  readonly code: number | null;
  readonly text: string;
}

async function run(argv: readonly string[]): Promise<Ran> {
  const child = spawn(argv[0]!, argv.slice(1), {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH, HOME: process.env.HOME },
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
  }
  const code = await new Promise<number | null>((end) => {
    child.once('close', end);
  });
  return { code, text };
}

/** A namespace whose /usr/sbin is the given folder: no nginx, no ip, no policy-rc.d there but what the folder has. */
function bare(sbin: string, uid: number, script: string): string[] {
  return [
    ...['bwrap', '--unshare-user', '--uid', String(uid), '--gid', String(uid), '--unshare-pid'],
    ...['--dev-bind', '/', '/', '--bind', sbin, '/usr/sbin', '--proc', '/proc', '--tmpfs', '/run'],
    ...['--dir', '/run/lock', '--bind', join(sbin, 'apt-get'), '/usr/bin/apt-get'],
    ...['--tmpfs', '/tmp', '--dir', '/tmp/a folder', '--ro-bind', join(root, 'bin'), '/tmp/a folder/bin'],
    ...['--chdir', '/', '--', 'sh', '-c', script],
  ];
}

const POLICY = '/usr/sbin/policy-rc.d';

async function sbinWith(aptGet: string): Promise<string> {
  const dir = await temporaryFolder();
  await writeFile(join(dir, 'apt-get'), `#!/bin/sh\n${aptGet}\n`, { mode: 0o755 });
  return dir;
}

const INSTALLS =
  'echo "apt-get $*" >&2; case " $* " in *" install "*) sh /usr/sbin/policy-rc.d; echo "$?" >/run/policy;; esac';
const SETUP = "sh '/tmp/a folder/bin/setup' --packages";

describe('on a machine that has everything', () => {
  it('says nothing, and takes less than 0.2 s', async () => {
    const times = [];
    for (let round = 0; round < 5; round++) {
      const began = performance.now();
      expect(await run(['sh', join(root, 'bin/setup'), '--packages', '--test'])).toEqual({
        code: 0,
        text: '',
      });
      times.push(performance.now() - began);
    }
    expect(Math.min(...times)).toBeLessThan(200);
  });

  it('knows every package that the doctor knows', async () => {
    const text = await readFile(join(root, 'bin/setup'), 'utf8');
    const listed = /^RUN='\n([^']*)'/m.exec(text)![1]!.trim().split('\n');
    const wanted = Object.values(NEEDS).flatMap((what) =>
      'config' in what ? [] : [`${what.package}:${'file' in what ? what.file : what.program}`],
    );
    expect(listed).toEqual(expect.arrayContaining(wanted));
  });
});

describe('on a machine that lacks packages', () => {
  it('installs them with services told not to start, and leaves no policy behind', async () => {
    const sbin = await sbinWith(INSTALLS);
    const { code, text } = await run(
      bare(sbin, 0, `${SETUP} 2>/run/said; echo "code $?"; cat /run/said /run/policy; ls /tmp ${POLICY}`),
    );
    expect(text).toMatch(/^code 0\nsetup: installing iproute2 .*nginx-light .*\n101\n/);
    expect(text).toContain('a folder\n');
    expect(text).not.toContain('tmp.');
    expect(text).toContain(`cannot access '${POLICY}'`);
    expect(code).toBe(2);
  });

  it('asks for package lists, then for the packages without those they recommend', async () => {
    const sbin = await sbinWith('echo "$*" >>/run/asked');
    const { text } = await run(bare(sbin, 0, `${SETUP}; cat /run/asked`));
    const lines = text.split('\n');
    expect(lines[1]).toBe('-qq update');
    expect(lines[2]).toMatch(/^-qq -y --no-install-recommends .* install iproute2 /);
  });

  it("leaves the machine's own policy as it is", async () => {
    const sbin = await sbinWith(INSTALLS);
    const own = '#!/bin/sh\nexit 104\n';
    await writeFile(join(sbin, 'policy-rc.d'), own, { mode: 0o755 });
    const { text } = await run(bare(sbin, 0, `${SETUP}; cat /run/policy`));
    expect(text).toMatch(/\n104\n$/);
    expect(await readFile(join(sbin, 'policy-rc.d'), 'utf8')).toBe(own);
  });

  it('takes its policy back on Ctrl-C, which the terminal sends to apt-get too', async () => {
    const sbin = await sbinWith(
      `case "$*" in *install*) cat ${POLICY} >/run/policy; kill -INT 0; sleep 1;; esac`,
    );
    const { text } = await run(bare(sbin, 0, `setsid -w ${SETUP}; echo "code $?"; cat /run/policy`));
    expect(text).toMatch(/\ncode 130\n#!\/bin\/sh\n.*\nexit 101\n$/);
    await expect(readFile(join(sbin, 'policy-rc.d'))).rejects.toThrow('ENOENT');
  });

  it('clears up after one that was killed', async () => {
    const sbin = await sbinWith('case "$*" in *install*) kill -9 $PPID;; esac');
    await run(bare(sbin, 0, SETUP));
    expect(await readFile(join(sbin, 'policy-rc.d'), 'utf8')).toContain('exit 101');
    await writeFile(join(sbin, 'apt-get'), `#!/bin/sh\n${INSTALLS}\n`);
    const { text } = await run(bare(sbin, 0, `${SETUP}; cat /run/policy`));
    expect(text).toContain('setup: finishing an installation that was killed');
    expect(text).toMatch(/\n101\n$/);
    await expect(readFile(join(sbin, 'policy-rc.d'))).rejects.toThrow('ENOENT');
  });

  it("shows apt-get's words when it fails", async () => {
    const sbin = await sbinWith('case "$*" in *install*) echo "E: Unable to fetch"; exit 100;; esac');
    const { text } = await run(bare(sbin, 0, `${SETUP}; echo "code $?"`));
    expect(text).toMatch(/\nE: Unable to fetch\nsetup: apt-get could not install iproute2 .*\ncode 3\n$/);
    await expect(readFile(join(sbin, 'policy-rc.d'))).rejects.toThrow('ENOENT');
  });

  it('tells a plain user who may not install the one line that does', async () => {
    const sbin = await sbinWith('exit 1');
    const { code, text } = await run(bare(sbin, 1000, SETUP));
    expect(code).toBe(3);
    expect(text).toMatch(/^setup: these packages are missing: iproute2 .*nginx-light .*\n/);
    expect(text).toMatch(/\nsetup: install them.* sh '\/tmp\/a folder\/bin\/setup' --packages\n$/);
  });
});

describe('in a clone', () => {
  it('builds what is older than its source, once', async () => {
    const clone = join(await temporaryFolder(), "it's a clone");
    await mkdir(clone);
    for (const name of ['bin', 'src', 'topologies', 'package.json', 'package-lock.json', 'tsconfig.json']) {
      await cp(join(root, name), join(clone, name), { recursive: true, preserveTimestamps: true });
    }
    await symlink(join(root, 'node_modules'), join(clone, 'node_modules'));
    // A lock file newer than the packages would have npm take them all away, and those are the checkout's own.
    await utimes(join(clone, 'package-lock.json'), new Date(0), new Date(0));
    const setup = async () => run(['sh', join(clone, 'bin/setup')]);
    expect(await setup()).toEqual({ code: 0, text: 'setup: building\n' });
    expect(await setup()).toEqual({ code: 0, text: '' });
    expect(await run([join(clone, 'bin/lblab.js'), '--version'])).toEqual({ code: 0, text: '0.1.0\n' });
    const later = new Date(Date.now() + 1000);
    await utimes(join(clone, 'src/cli/main.ts'), later, later);
    expect((await setup()).text).toBe('setup: building\n');
  });

  it('leaves a package without sources as it came', async () => {
    const installed = await temporaryFolder();
    await cp(join(root, 'bin'), join(installed, 'bin'), { recursive: true });
    expect(await run(['sh', join(installed, 'bin/setup')])).toEqual({ code: 0, text: '' });
  });
});
