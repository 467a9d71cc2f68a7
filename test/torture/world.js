// The world that torture happens in: a pid, mount and network namespace of its own, with a private /tmp, /run and /dev/shm and a copy of
// lblab that any user can read. Every process in it but the harness is lblab's doing, and so is every file: what is left is seen whole.
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const INSIDE = 'LBLAB_TORTURE_WORLD';
/** Where the copy and the lanes are. */
export const BASE = '/mnt';
export const LBLAB = join(BASE, 'lblab/bin/lblab.js');
/** A uid that nobody has. */
export const PLAIN = 54321;

/** Runs this program again, in a world of its own, and ends with its exit code. Returns in that world only. `write` gets what it prints; with
 * `growing` this very process makes labs, as the user that it is. */
export function enterWorld({ write, growing }) {
  const isRoot = process.getuid() === 0;
  if (process.env[INSIDE] === undefined) {
    const user = isRoot
      ? []
      : ['--user', `--map-user=${process.getuid()}`, `--map-group=${process.getgid()}`, '--keep-caps'];
    const mounts = [
      ...['/run', '/dev/shm'].map((path) => `mount -t tmpfs none ${path}`),
      `mount -t tmpfs -o mode=755 none ${BASE}`,
      `mkdir -p ${BASE}/repository ${BASE}/node && mount --rbind "$1" ${BASE}/repository`,
      'mount -t tmpfs -o mode=1777 none /tmp',
      'mkdir -p /run/netns',
      'shift',
      `cd ${BASE}/repository`,
      // A shell as PID 1 takes in what is orphaned, as a machine's init does.
      `${isRoot || !growing ? '' : 'setpriv --inh-caps=-all --ambient-caps=-all -- '}"$@"; exit $?`,
    ];
    const { status, stdout } = spawnSync(
      'unshare',
      [
        ...user,
        ...['--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc', '--'],
        ...['sh', '-c', mounts.join('\n'), 'sh', ROOT],
        ...[
          process.execPath,
          '--expose-gc',
          join(BASE, 'repository/test/torture/run.js'),
          ...process.argv.slice(2),
        ],
      ],
      { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, [INSIDE]: '1' } },
    );
    process.stdout.write(stdout);
    // A file of the world outside.
    if (write !== undefined) writeFileSync(write, stdout);
    process.exit(status ?? 70);
  }
  delete process.env[INSIDE];
  for (const name of ['bin', 'dist', 'topologies', 'package.json', 'node_modules/@lydell'])
    cpSync(join(BASE, 'repository', name), join(BASE, 'lblab', name), { recursive: true });
  return { isRoot };
}

/** A process that is there, with what it is called in the table. Zombies are none. */
function look(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if ('ZX'.includes(fields[0])) return undefined;
    const argv = readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0');
    const comm = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
    return { pid, parent: Number(fields[1]), threads: Number(fields[17]), argv, kind: kindOf(comm, argv) };
  } catch {
    return undefined;
  }
}

function kindOf(comm, argv) {
  const line = argv.join(' ');
  if (line.includes('dist/agent.js') || line.includes('/agent.js ')) {
    if (argv[0].endsWith('bwrap')) return 'bwrap';
    if (argv[0] === 'sh') return 'PID 1';
    if (line.includes(' guest ')) return 'user-mode kernel';
    return line.includes('keeper') ? 'keeper' : 'agent';
  }
  if (line.includes('bin/lblab.js')) return 'command';
  if (line.includes('linux.uml') || comm.startsWith('linux.uml')) return 'user-mode kernel';
  if (line.includes('paced.js')) return 'client';
  return comm;
}

/** Every process of this world but PID 1, the harness, and what is given. */
export function processes(but = []) {
  const own = new Set([1, process.pid, ...but]);
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && !own.has(Number(name)))
    .map((name) => look(Number(name)))
    .filter((found) => found !== undefined);
}

/** Of processes those that a lane started: they have its state folder in their environment, or come from one that has, or share its world. */
export function processesOf(state) {
  const all = processes();
  const pidNamespace = (pid) => {
    try {
      return readlinkSync(`/proc/${pid}/ns/pid`);
    } catch {
      return '';
    }
  };
  const outside = pidNamespace(process.pid);
  const marked = new Set();
  const worlds = new Set();
  for (const { pid } of all) {
    let environment = '';
    try {
      environment = readFileSync(`/proc/${pid}/environ`, 'latin1');
    } catch {
      continue;
    }
    if (!environment.includes(`LBLAB_STATE_DIR=${state}\0`)) continue;
    marked.add(pid);
    const world = pidNamespace(pid);
    if (world !== outside && world !== '') worlds.add(world);
  }
  for (let grown = true; grown;) {
    grown = false;
    for (const { pid, parent } of all) {
      if (marked.has(pid) || !(marked.has(parent) || worlds.has(pidNamespace(pid)))) continue;
      marked.add(pid);
      grown = true;
    }
  }
  return all.filter(({ pid }) => marked.has(pid));
}

/** Namespaces that some process is in. */
export function namespaces() {
  const found = new Set();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    for (const kind of ['mnt', 'net', 'pid', 'user', 'uts', 'ipc', 'cgroup', 'time']) {
      try {
        found.add(readlinkSync(`/proc/${pid}/ns/${kind}`));
      } catch {
        // It has ended.
      }
    }
  }
  return found;
}

/** Objects of the kernel's by slab (slabinfo(5)); nothing where it may not be read. The whole machine's, so a rough measure. */
export function slabs() {
  try {
    const text = readFileSync('/proc/slabinfo', 'latin1');
    const wanted = ['net_namespace', 'pid_namespace', 'mnt_cache', 'nsproxy', 'filp', 'task_struct'];
    return Object.fromEntries(
      wanted.flatMap((name) => {
        const active = new RegExp(`^${name} +(\\d+)`, 'm').exec(text)?.[1];
        return active === undefined ? [] : [[name, Number(active)]];
      }),
    );
  } catch {
    return {};
  }
}

export const mounts = () => readFileSync('/proc/self/mountinfo', 'latin1').trim().split('\n');
export const links = () =>
  readFileSync('/proc/net/dev', 'latin1')
    .trim()
    .split('\n')
    .slice(2)
    .map((line) => line.split(':')[0].trim());
/** Kernel locks that somebody of this world holds (proc(5), /proc/locks: those of other pid namespaces have pid 0 or none). */
export const locks = () => {
  const here = new Set(processes().map(({ pid }) => String(pid)));
  return readFileSync('/proc/locks', 'latin1')
    .trim()
    .split('\n')
    .filter((line) => here.has(line.split(/ +/)[4]));
};
/** The process's own control groups' children: lblab makes none. */
export const cgroups = () => {
  const count = (folder, depth) =>
    depth === 0 || !existsSync(folder)
      ? 0
      : readdirSync(folder, { withFileTypes: true })
          .filter((entry) => entry.isDirectory())
          .reduce((sum, entry) => sum + 1 + count(join(folder, entry.name), depth - 1), 0);
  return count('/sys/fs/cgroup', 3);
};

/** All files under folders, but those named. */
export function files(folders, but = []) {
  const found = [];
  const walk = (path) => {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      const full = join(path, entry.name);
      if (but.includes(full)) continue;
      found.push(full);
      if (entry.isDirectory()) walk(full);
    }
  };
  for (const folder of folders) if (existsSync(folder)) walk(folder);
  return found;
}

/** A fresh folder. */
export function fresh(path, mode = 0o755) {
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { recursive: true, mode });
  return path;
}
