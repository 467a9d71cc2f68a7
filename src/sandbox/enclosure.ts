// The walls of a sandbox: namespaces of its own in which the machine's files are read-only and only the lab's folder can be written.
// Bubblewrap builds them (recursive read-only binds with every mount's locked flags kept), with root and without.
import { dirname, sep } from 'node:path';

export interface Walls {
  /** The lab's folder, the one place on the machine that can be written. */
  readonly dir: string;
  /** Real root: no user namespace, so that IPVS, which asks for privilege in the first one, can be configured. */
  readonly root: boolean;
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
}

/** What a lab as real root may do. Not among them: loading modules, raw I/O, device nodes, the clock, rebooting. */
const CAPABILITIES = [
  'CAP_AUDIT_WRITE',
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FOWNER',
  'CAP_IPC_LOCK',
  'CAP_KILL',
  'CAP_NET_ADMIN',
  'CAP_NET_BIND_SERVICE',
  'CAP_NET_RAW',
  'CAP_SETGID',
  'CAP_SETPCAP',
  'CAP_SETUID',
  'CAP_SYS_ADMIN',
  'CAP_SYS_CHROOT',
  'CAP_SYS_NICE',
  'CAP_SYS_PTRACE',
  'CAP_SYS_RESOURCE',
];

const PRIVATE = ['/tmp', '/run', '/dev/shm'];

/** The folders among `paths` that a private /tmp or /run would hide. */
export function hidden(paths: readonly string[]): string[] {
  const under = paths.filter((path) => PRIVATE.some((mount) => path.startsWith(mount + sep)));
  const tops = under.filter((path) => !under.some((other) => other !== path && path.startsWith(other + sep)));
  return [...new Set(tops)];
}

/** bwrap's argv for a program; descriptor 4 is told the pid of the sandbox's PID 1, as the machine sees it. */
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
    ...PRIVATE.flatMap((mount) => ['--tmpfs', mount]),
    ...['--dir', `/run/${walls.netnsFolder}`],
    ...['--symlink', walls.netnsFolder, '/run/netns'],
    ...hidden(walls.visible).flatMap((path) => ['--ro-bind', path, path]),
    ...['--bind', walls.dir, walls.dir],
    ...['--ro-bind-try', walls.hosts, '/etc/hosts'],
    ...(walls.resolver === undefined ? [] : ['--ro-bind', walls.resolver.source, walls.resolver.target]),
    ...(walls.root ? CAPABILITIES.flatMap((capability) => ['--cap-add', capability]) : ['--cap-add', 'ALL']),
    ...['--setenv', 'PATH', walls.path],
    ...['--setenv', 'TMPDIR', '/tmp'],
    ...['--hostname', 'lblab'],
    ...['--chdir', walls.dir],
    ...['--info-fd', '4'],
    // PID 1 is a shell that waits for the agent and reaps what is orphaned meanwhile. When the agent ends, so does it, and with it all that
    // is in the pid namespace. bwrap's own PID 1 would wait for every process to end by itself.
    '--as-pid-1',
    '--',
    ...['sh', '-c', '"$@"; exit', 'sh'],
    ...argv,
  ];
}

/** Folders that a program and its libraries are read from, as `visible` wants them. */
export function foldersOf(...files: readonly string[]): string[] {
  return files.map((file) => dirname(file));
}
