// The walls of a sandbox: namespaces of its own in which the machine's files are read-only and only the lab's folder can be written.
// Bubblewrap builds them (recursive read-only binds with every mount's locked flags kept), with root and without.
import { dirname, sep } from 'node:path';

export interface Walls {
  /** The lab's folder, the one place on the machine that can be written. */
  readonly dir: string;
  /** Real root: no user namespace, so that IPVS, which asks for privilege in the first one, can be configured. */
  readonly root: boolean;
  /** Whose programs are inside: this machine's kernel's, or a user-mode kernel. */
  readonly kernel: 'host' | 'uml';
  /** Where all labs of this user have their folders. */
  readonly home?: string;
  readonly uid: number;
  readonly gid: number;
  /** Folders that must stay visible although /tmp and /run are private. */
  readonly visible: readonly string[];
  /** Where the network namespaces are mounted: /run/NAME, with /run/netns pointing at it. */
  readonly netnsFolder: string;
  /** A file that takes the place of /etc/hosts. */
  readonly hosts: string;
  /** A file, and what it takes the place of: where /etc/resolv.conf leads on this machine. */
  readonly resolver?: { readonly source: string; readonly target: string };
  /** PATH of the programs inside. */
  readonly path: string;
  /** The machine's Unix sockets that a program inside could see. */
  readonly sockets?: readonly string[];
}

/** What real root may do to files and processes inside. */
const BASIC = ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'KILL', 'SETGID', 'SETPCAP', 'SETUID'];
/**
 * What a lab as real root may do. Not among them: loading modules, raw I/O, device nodes, the clock, rebooting. CAP_SYS_ADMIN makes nodes and
 * enters them, and would undo the walls: it is the agent's alone, and its programs go without (CONFINED).
 */
const CAPABILITIES = [
  ...BASIC,
  ...['AUDIT_WRITE', 'IPC_LOCK', 'NET_ADMIN', 'NET_BIND_SERVICE', 'NET_RAW'],
  ...['SYS_ADMIN', 'SYS_CHROOT', 'SYS_NICE', 'SYS_RESOURCE'],
];

const UNDOING = '-sys_admin,-sys_ptrace,-sys_module,-sys_rawio,-mknod';
/** Runs a program that cannot undo the walls that it is in (capabilities(7)). */
export const CONFINED: readonly string[] = [
  'setpriv',
  ...[`--bounding-set=${UNDOING}`, `--inh-caps=${UNDOING}`, `--ambient-caps=${UNDOING}`],
  '--',
];

/** A user-mode kernel is a program that needs no capabilities of its own; a lab on this machine's kernel needs some, in its user namespace all. */
function plainCapabilities({ root, kernel }: Walls): string[] {
  if (root) return [];
  return kernel === 'uml' ? ['--cap-drop', 'ALL'] : ['--cap-add', 'ALL'];
}

/** bwrap leaves root's bounding set as it is, and from that every program of root's would have all again (capabilities(7)). */
function rootCapabilities({ root, kernel }: Walls): string[] {
  if (!root) return [];
  const kept = (kernel === 'uml' ? BASIC : CAPABILITIES).map((name) => `+${name.toLowerCase()}`);
  return ['setpriv', `--bounding-set=-all,${kept.join(',')}`, '--'];
}

/**
 * A root's settings of the kernel that are not its network namespace's would be the machine's: /proc/sys/kernel/core_pattern names a program
 * that the machine runs.
 */
const SETTINGS = ['--ro-bind', '/proc/sys', '/proc/sys', '--bind', '/proc/sys/net', '/proc/sys/net'];

const PRIVATE = ['/tmp', '/run', '/dev/shm'];

const isPrivate = (path: string) => PRIVATE.some((mount) => path.startsWith(mount + sep));

/** The folders among `paths` that a private /tmp or /run would hide. */
export function hidden(paths: readonly string[]): string[] {
  const under = paths.filter(isPrivate);
  const tops = under.filter((path) => !under.some((other) => other !== path && path.startsWith(other + sep)));
  return [...new Set(tops)];
}

/**
 * What PID 1 does before its program: nothing answers behind the sockets named, as a read-only mount keeps nobody from talking to one. One that
 * has gone meanwhile needs nothing.
 */
const MASKING =
  'n=$1; shift; while [ "$n" -gt 0 ]; do mount --bind /dev/null "$1" 2>/dev/null; shift; n=$((n - 1)); done';

/**
 * Of the kernel's list of Unix sockets (/proc/net/unix, proc_net(5)) those whose names are files that walls leave visible. A user-mode kernel's
 * programs talk to that kernel alone.
 */
export function visibleSockets(list: string, { kernel, dir, home, visible }: Walls): string[] {
  if (kernel === 'uml') return [];
  const isUnder = (path: string, folder: string | undefined) =>
    folder !== undefined && path.startsWith(folder + sep);
  const paths = list.split('\n').flatMap((line) => /^(?:\S+\s+){7}(\/.*)$/.exec(line)?.[1] ?? []);
  return [...new Set(paths)].filter(
    (path) =>
      !isUnder(path, dir) &&
      (visible.some((folder) => isUnder(path, folder)) || !(isPrivate(path) || isUnder(path, home))),
  );
}

/** bwrap's argv for a program, which is the one child that it has. */
export function enclose(walls: Walls, argv: readonly string[]): string[] {
  return [
    'bwrap',
    ...(walls.root ? [] : ['--unshare-user', '--uid', String(walls.uid), '--gid', String(walls.gid)]),
    '--unshare-net',
    '--unshare-pid',
    '--unshare-ipc',
    '--unshare-uts',
    ...['--ro-bind', '/', '/'],
    // For a plain user bwrap's own /dev would take a second user namespace, in which network namespaces cannot be mounted. What such a
    // user may do to the machine's devices is the same inside as outside.
    ...(walls.root ? ['--dev', '/dev'] : ['--dev-bind', '/dev', '/dev']),
    ...['--proc', '/proc'],
    ...(walls.root ? SETTINGS : []),
    ...PRIVATE.flatMap((mount) => ['--tmpfs', mount]),
    // Read-only keeps nobody from talking to a socket: other labs' agents are not to be seen.
    ...(walls.home === undefined || isPrivate(walls.home) ? [] : ['--tmpfs', walls.home]),
    ...['--dir', `/run/${walls.netnsFolder}`],
    ...['--symlink', walls.netnsFolder, '/run/netns'],
    ...hidden(walls.visible).flatMap((path) => ['--ro-bind', path, path]),
    ...['--bind', walls.dir, walls.dir],
    ...['--ro-bind-try', walls.hosts, '/etc/hosts'],
    ...(walls.resolver === undefined ? [] : ['--ro-bind', walls.resolver.source, walls.resolver.target]),
    ...plainCapabilities(walls),
    ...['--setenv', 'PATH', walls.path],
    ...['--setenv', 'TMPDIR', '/tmp'],
    ...['--hostname', 'lblab'],
    ...['--chdir', walls.dir],
    // PID 1 is a shell that waits for the agent and reaps what is orphaned meanwhile. When the agent ends, so does it, and with it all that
    // is in the pid namespace. bwrap's own PID 1 would wait for every process to end by itself.
    '--as-pid-1',
    '--',
    ...rootCapabilities(walls),
    ...['sh', '-c', `${MASKING}; "$@"; exit`, 'sh'],
    ...[String(walls.sockets?.length ?? 0), ...(walls.sockets ?? [])],
    ...argv,
  ];
}

/** Folders that a program and its libraries are read from, as `visible` wants them. */
export function foldersOf(...files: readonly string[]): string[] {
  return files.map((file) => dirname(file));
}
