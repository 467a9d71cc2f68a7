// A Linux kernel as an ordinary process (https://docs.kernel.org/virt/uml/user_mode_linux_howto_v2.html), for labs that need what this
// machine's kernel or this user lacks. It boots on the machine's own files, which the walls around it make read-only, and talks to its
// keeper over its first serial line.
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { word } from '../plan/shell.ts';

export interface Guest {
  /** The lab's folder: the guest's one writable piece of the machine. */
  readonly dir: string;
  readonly node: string;
  readonly agent: string;
  readonly netnsFolder: string;
  /** Folders that the guest's own /run and /tmp would hide. */
  readonly visible: readonly string[];
  /** MiB. */
  readonly memory: number;
  /** Counts through the CPUs that there are. */
  readonly cpu: number;
  /** Set where there are no walls: the file that takes the place of /etc/hosts, which the guest has to put there itself. */
  readonly hosts?: string;
}

/** Debian's user-mode-linux. */
export const UML = { kernel: 'linux.uml', modules: '/usr/lib/uml/modules' } as const;

/**
 * Initcalls that the guest does without. raid6_select_algo measures RAID checksum algorithms for 0.85 s of a 1.4 s boot; init_zswap sets up
 * compressed swap for 0.12 s. Nothing here has RAID or swap.
 */
const SKIPPED = ['raid6_select_algo', 'init_zswap'];

/** The CPUs that this process may run on (proc(5), Cpus_allowed_list): in a container not always from 0 on. */
async function allowedCpus(): Promise<number[]> {
  const status = await readFile('/proc/self/status', 'latin1');
  const list = /^Cpus_allowed_list:\s*(.*)$/m.exec(status)?.[1] ?? '0';
  return list.split(',').flatMap((part) => {
    const [first, last] = part.split('-').map(Number);
    return Array.from({ length: (last ?? first!) - first! + 1 }, (_, index) => first! + index);
  });
}

/** A field of fstab(5), which writes blanks in octal. */
const field = (text: string) =>
  text.replace(/[\s\\#]/g, (c) => `\\${c.charCodeAt(0).toString(8).padStart(3, '0')}`);

/** Writes what the guest boots with into the lab's folder, and gives the argv that starts it, serial line on descriptors 3 and 4. */
export async function prepareGuest(guest: Guest): Promise<string[]> {
  const own = join(guest.dir, 'guest');
  // Its memory is a file there; inside walls /tmp is private.
  const temporary = guest.hosts === undefined ? '/tmp' : join(own, 'memory');
  await Promise.all([
    mkdir(join(own, 'lib'), { recursive: true }),
    mkdir(join(own, 'memory'), { recursive: true }),
  ]);
  const hostfs = (path: string, options: string) =>
    `none ${field(path)} hostfs ${options},X-mount.mkdir,${field(path)} 0 0`;
  await Promise.all([
    symlink(UML.modules, join(own, 'lib/modules')),
    writeFile(join(own, 'modprobe'), `#!/bin/sh\nexec /sbin/modprobe -d ${word(own)} "$@"\n`, {
      mode: 0o755,
    }),
    // One mount process for all: a process costs 15 ms in there.
    writeFile(
      join(own, 'fstab'),
      [
        'proc /proc proc defaults 0 0',
        'sys /sys sysfs defaults 0 0',
        'run /run tmpfs mode=755 0 0',
        'tmp /tmp tmpfs mode=1777 0 0',
        'pts /dev/pts devpts ptmxmode=666,X-mount.mkdir 0 0',
        'shm /dev/shm tmpfs mode=1777,X-mount.mkdir 0 0',
        ...guest.visible.map((path) => hostfs(path, 'ro')),
        hostfs(guest.dir, 'rw'),
        ...(guest.hosts === undefined ? [] : [`${field(guest.hosts)} /etc/hosts none bind 0 0`]),
        '',
      ].join('\n'),
    ),
    writeFile(
      join(own, 'init'),
      [
        '#!/bin/sh',
        `export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:${word(dirname(guest.node))} TMPDIR=/tmp HOME=/root`,
        `mount -a -T ${word(join(own, 'fstab'))}`,
        `echo ${word(join(own, 'modprobe'))} > /proc/sys/kernel/modprobe`,
        'stty -F /dev/ttyS0 raw -echo',
        `cd ${word(guest.dir)}`,
        // This shell stays PID 1, which reaps what is orphaned.
        `${word(guest.node)} ${word(guest.agent)} guest /dev/ttyS0 ${word(guest.netnsFolder)}`,
        'echo o > /proc/sysrq-trigger',
        'sleep 5',
        '',
      ].join('\n'),
      { mode: 0o755 },
    ),
  ]);
  const cpus = await allowedCpus();
  return [
    ...['env', `TMPDIR=${temporary}`, 'taskset', '-c', String(cpus[guest.cpu % cpus.length])],
    UML.kernel,
    ...['root=/dev/root', 'rootfstype=hostfs', 'rootflags=/', 'ro', 'quiet'],
    `mem=${guest.memory}M`,
    `initcall_blacklist=${SKIPPED.join(',')}`,
    `uml_dir=${temporary}/`,
    ...['con=null', 'con0=null,fd:1', 'ssl=null', 'ssl0=fd:3,fd:4'],
    // Setuid mount(8) in a user namespace would become nobody; without new privileges it stays the guest's root.
    ...['init=/usr/bin/setpriv', '--', '--no-new-privs', join(own, 'init')],
  ];
}
