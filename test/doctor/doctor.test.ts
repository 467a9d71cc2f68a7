// `lblab doctor`: tells what is here by trying it, what follows for each lab, and what to do about what is missing. Machines that lack
// something are this one with a program covered up, or with a kernel setting of a namespace of its own.
import { execFile, spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { chooseKernel, obstacle, type Machine } from '../../src/sandbox/choose.ts';
import { versionIn } from '../../src/sandbox/doctor.ts';
import { processesOf, until } from '../support/processes.ts';
import { PATH, temporaryFolder } from '../support/sandbox.ts';

const LBLAB = resolve(import.meta.dirname, '../../bin/lblab.js');

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs lblab with a command in front of it, such as one that makes a namespace. */
async function lblab(args: readonly string[], front: readonly string[] = []): Promise<Ran> {
  const argv = [...front, process.execPath, LBLAB, ...args];
  const env = { PATH, HOME: process.env.HOME, LBLAB_STATE_DIR: await temporaryFolder() };
  return new Promise((end) => {
    execFile(argv[0]!, argv.slice(1), { env }, (error, out, err) => {
      end({ code: error === null ? 0 : Number(error.code), out, err });
    });
  });
}

interface Document {
  schema: string;
  needs: {
    need: string;
    found: boolean;
    works: boolean;
    version: string | null;
    package: string | null;
    detail: string | null;
  }[];
  labs: { topology: string; kernel: string | null; why: string }[];
  missingPackages: string[];
}

async function examined(front: readonly string[] = []) {
  const { code, out, err } = await lblab(['doctor', '--json'], front);
  const document = JSON.parse(out) as Document;
  const need = (name: string) => document.needs.find((one) => one.need === name)!;
  const lab = (name: string) => document.labs.find((one) => one.topology === name)!;
  return { code, err, document, need, lab };
}

/** A user namespace in which this is a plain user; a file can be covered by an empty one. */
function plainUser(...covered: string[]): string[] {
  return [
    ...[
      'bwrap',
      '--unshare-user',
      '--uid',
      '1000',
      '--gid',
      '1000',
      '--cap-drop',
      'ALL',
      '--dev-bind',
      '/',
      '/',
    ],
    ...covered.flatMap((file) => ['--ro-bind', '/dev/null', file]),
  ];
}

describe('on this machine', () => {
  it('finds every program, its version and its package', async () => {
    const { code, document, need } = await examined();
    expect(code).toBe(0);
    expect(document.schema).toBe('lblab/doctor@1');
    expect(document.missingPackages).toEqual([]);
    expect(need('bwrap')).toMatchObject({ found: true, works: true, package: 'bubblewrap' });
    expect(need('bwrap').version).toMatch(/^\d+\.\d+\.\d+$/);
    expect(need('user-mode-linux')).toMatchObject({ works: true, detail: 'it starts' });
    expect(need('uml-modules').version).toBe(need('user-mode-linux').version);
    expect(need('kernel:namespaces')).toMatchObject({ works: true, detail: 'a sandbox was started' });
    expect(document.labs.map((lab) => lab.kernel)).not.toContain(null);
  });

  it('shows a row for each, and for each lab the kernel that it would run on', async () => {
    const { code, out } = await lblab(['doctor']);
    expect(code).toBe(0);
    expect(out).toMatch(/\n {2}✓ tcpdump +4\.\d+\.\d+ +tcpdump +every lab\n/);
    expect(out).toMatch(/\n {2}namespaces +✓ +✓ +every lab +a sandbox was started\n/);
    expect(out).toMatch(/\n {2}✓ .*\bl7\b.* on this machine's kernel, which has all that it needs\n/);
    expect(out).toMatch(/\nAll can run here\.\n$/);
  });

  it('has nothing to fix', async () => {
    const { code, err } = await lblab(['doctor', '--fix']);
    expect({ code, err }).toEqual({ code: 0, err: '' });
  });
});

describe('for a plain user', () => {
  it('finds that all labs can run, those with IPVS in a user-mode kernel', async () => {
    const { code, lab } = await examined(plainUser());
    expect(code).toBe(0);
    expect(lab('l7').kernel).toBe('host');
    expect(lab('nat').kernel).toBe('uml');
  });
});

describe('on a machine that lacks a program', () => {
  const front = plainUser('/usr/sbin/ipvsadm');

  it('names the package, and the labs that cannot run', async () => {
    const { code, document, need, lab } = await examined(front);
    expect(code).toBe(3);
    expect(document.missingPackages).toEqual(['ipvsadm']);
    expect(need('ipvsadm')).toMatchObject({ found: false, works: false });
    expect(lab('l7').kernel).toBe('host');
    expect(lab('nat')).toEqual({
      topology: 'nat',
      kernel: null,
      why: 'no ipvsadm; lblab doctor --fix installs ipvsadm',
    });
  });

  it('tells a user who may not install it the line that does', async () => {
    const { code, err, out } = await lblab(['doctor', '--fix'], front);
    expect(code).toBe(3);
    expect(err).toMatch(
      /^setup: these packages are missing: ipvsadm\nsetup: install them.* sh '.*\/bin\/setup' --packages\n$/,
    );
    expect(out).toMatch(/\n {2}✗ ipvsadm +missing +ipvsadm +.*nat/);
  });

  it('says so to the command that needs it, and to nobody else', async () => {
    const without = plainUser('/usr/bin/h2load');
    const { code, need } = await examined(without);
    expect(code).toBe(0);
    expect(need('h2load')).toMatchObject({ found: false, works: false });
    expect(await lblab(['load', 'l7'], without)).toEqual({
      code: 3,
      out: '',
      err: 'l7: no h2load; lblab doctor --fix installs nghttp2-client\n',
    });
  });

  it('does not call a program found that cannot be run', async () => {
    const { need } = await examined(plainUser('/usr/bin/linux.uml'));
    expect(need('user-mode-linux')).toMatchObject({ found: false, works: false });
  });
});

it('leaves no program that it has tried when it is killed', async () => {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'keepalived'), '#!/bin/sh\nexec sleep 4326\n', { mode: 0o755 });
  const env = { PATH: `${folder}:${PATH}`, LBLAB_STATE_DIR: await temporaryFolder() };
  const doctor = spawn(process.execPath, [LBLAB, 'doctor'], { env, stdio: 'ignore' });
  const hanging = async () => processesOf('sleep 4326');
  await until(hanging, (pids) => pids.length > 0);
  doctor.kill('SIGKILL');
  await until(hanging, (pids) => pids.length === 0);
});

describe('where user namespaces are forbidden', () => {
  const front = [
    ...['unshare', '--user', '--map-user=1000', '--map-group=1000', '--keep-caps', 'sh', '-c'],
    'echo 0 >/proc/sys/user/max_user_namespaces && exec setpriv --inh-caps=-all --ambient-caps=-all "$@"',
    'sh',
  ];

  it('says so, and that labs run on a user-mode kernel without walls', async () => {
    const { code, need, document } = await examined(front);
    expect(code).toBe(0);
    const why =
      'a plain user may not make user namespaces here: user.max_user_namespaces is 0; ' +
      'run lblab as root, or allow it: sudo sysctl -w user.max_user_namespaces=16384';
    expect(need('kernel:namespaces')).toMatchObject({ works: false, detail: why });
    expect(new Set(document.labs.map((lab) => lab.why))).toEqual(
      new Set([`on a user-mode kernel, with no walls around it: ${why}`]),
    );
  });

  it('lblab refuses the kernel of the machine, saying the same', async () => {
    const { code, err } = await lblab(['run', 'l7', '--kernel', 'host'], front);
    expect(code).toBe(3);
    expect(err).toContain('user.max_user_namespaces is 0; run lblab as root');
  });
});

describe('what keeps a user from making namespaces', () => {
  async function machine(files: Record<string, string>, uid: number): Promise<Machine> {
    const proc = await temporaryFolder();
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(proc, name)), { recursive: true });
      await writeFile(join(proc, name), `${text}\n`);
    }
    return { uid, gid: uid, path: PATH, proc };
  }

  it('nothing, where no setting forbids it', async () => {
    const settings = { 'sys/user/max_user_namespaces': '96113', 'sys/kernel/unprivileged_userns_clone': '1' };
    expect(await obstacle(await machine(settings, 1000))).toBeUndefined();
    expect(await obstacle(await machine({}, 1000))).toBeUndefined();
  });

  it("Debian's own switch", async () => {
    const found = await obstacle(await machine({ 'sys/kernel/unprivileged_userns_clone': '0' }, 1000));
    expect(found?.remedy).toContain('sysctl -w kernel.unprivileged_userns_clone=1');
  });

  it("Ubuntu's AppArmor restriction, unless a sandbox starts all the same", async () => {
    const restricted = { 'sys/kernel/apparmor_restrict_unprivileged_userns': '1' };
    const here = await machine(restricted, 1000);
    expect(await obstacle(here)).toBeUndefined();
    const found = await obstacle({ ...here, path: '/nowhere' });
    expect(found?.what).toContain('kernel.apparmor_restrict_unprivileged_userns is 1');
  });

  it("for root, a container's missing capabilities", async () => {
    const without = await machine({ 'self/status': 'Name:\tnode\nCapEff:\t00000000a80425fb' }, 0);
    expect((await obstacle(without))?.what).toContain('it lacks CAP_SYS_ADMIN or CAP_NET_ADMIN');
    const whole = await machine({ 'self/status': 'Name:\tnode\nCapEff:\t000001ffffffffff' }, 0);
    expect(await obstacle(whole)).toBeUndefined();
  });
});

describe('the choice of a kernel', () => {
  const machine: Machine = { uid: 0, gid: 0, path: PATH, proc: '/proc' };
  const lacking =
    (...needs: string[]) =>
    (need: string) =>
      !needs.includes(need);

  it.each([
    ['auto', [], { kernel: 'host', why: "on this machine's kernel, which has all that it needs" }],
    [
      'auto',
      ['kernel:netem'],
      { kernel: 'uml', why: "on a user-mode kernel: this machine's kernel has no netem" },
    ],
    ['host', ['kernel:netem'], { missing: "this machine's kernel cannot run it: no netem" }],
    ['host', [], { kernel: 'host', why: "on this machine's kernel, as asked" }],
    ['uml', ['kernel:netem'], { kernel: 'uml', why: 'on a user-mode kernel, as asked' }],
    [
      'uml',
      ['user-mode-linux'],
      {
        missing:
          'a user-mode kernel cannot run it: no user-mode kernel (linux.uml); lblab doctor --fix installs user-mode-linux',
      },
    ],
    ['auto', ['tc', 'curl'], { missing: 'no curl, tc; lblab doctor --fix installs curl iproute2' }],
    [
      'auto',
      ['kernel:netem', 'modprobe'],
      {
        missing:
          "this machine's kernel has no netem, and for a user-mode kernel there is no modprobe; lblab doctor --fix installs kmod",
      },
    ],
    ['auto', ['kernel:netem', 'curl'], { missing: 'no curl; lblab doctor --fix installs curl' }],
  ] as const)('%s, lacking %j', async (wanted, lacks, choice) => {
    expect(await chooseKernel(wanted, ['tc', 'kernel:netem'], machine, lacking(...lacks))).toEqual(choice);
  });

  it('does not send nftables labs to a user-mode kernel, which has no tables for IP', async () => {
    expect(await chooseKernel('uml', ['nft', 'kernel:nftables'], machine, lacking())).toEqual({
      missing: 'a user-mode kernel cannot run it: no nftables',
    });
  });
});

it.each([
  ['bubblewrap 0.8.0', '0.8.0'],
  ['ip utility, iproute2-6.1.0, libbpf 1.1.2', '6.1.0'],
  ['nginx version: nginx/1.22.1', '1.22.1'],
  ['Server version: Apache/2.4.71 (Debian)\nServer built:   2025-01-01', '2.4.71'],
  ['iptables v1.8.9 (nf_tables)', '1.8.9'],
  ['kmod version 30\n+ZSTD', '30'],
  ['ping from iputils 20221126', '20221126'],
  ['nothing', undefined],
])('reads the version in %j', (text, version) => {
  expect(versionIn(text)).toBe(version);
});
