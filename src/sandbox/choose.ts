// Finds out what a machine has, and chooses the kernel that a lab runs on: this machine's where it has all that the lab needs, else a
// user-mode one, else an error that names what is missing and the package that has it.
import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { NEEDS, type Need } from './needs.ts';

export interface Machine {
  readonly uid: number;
  readonly gid: number;
  /** PATH. */
  readonly path: string;
  /** Where proc(5) is mounted. */
  readonly proc: string;
}

/** Where a lab runs: this machine's kernel, or a user-mode one. */
export type Kernel = 'host' | 'uml';

export type Choice = { readonly kernel: Kernel; readonly why: string };

/** Path of a program, or nothing. */
export async function which(program: string, path: string): Promise<string | undefined> {
  return find(program, path);
}

// Files are looked at synchronously here: the sixty looks that a choice takes cost 1 ms, and 20 ms by way of Node's threads.
function find(program: string, path: string): string | undefined {
  return path
    .split(':')
    .filter((folder) => folder.startsWith('/'))
    .map((folder) => join(folder, program))
    .find(isProgram);
}

function isProgram(file: string): boolean {
  try {
    if (statSync(file, { throwIfNoEntry: false })?.isFile() !== true) return false;
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** A file's text; empty when it cannot be read. */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}

interface Listing {
  /** Lists of modules. */
  readonly modules: string;
  /** The kernel's configuration, for one that comes without such lists, being without modules. */
  readonly config: string;
}

/** Read once: it does not change while the kernel runs. */
let listing: Listing | undefined;

function readListing(): Listing {
  const folder = `/lib/modules/${release()}`;
  const builtin = textOf(join(folder, 'modules.builtin'));
  return {
    modules: builtin + textOf(join(folder, 'modules.dep')),
    config: builtin === '' ? configuration() : '',
  };
}

function configuration(): string {
  try {
    return gunzipSync(readFileSync('/proc/config.gz')).toString('latin1');
  } catch {
    return '';
  }
}

/** Whether the running kernel has a feature, built in or as a module that it can load. */
export function kernelHas(config: string, module: string): boolean {
  if (existsSync(`/sys/module/${module}`)) return true;
  listing ??= readListing();
  // Names of modules take - and _ for the same.
  const file = new RegExp(`/${module.replaceAll('_', '[-_]')}\\.ko`);
  return listing.config.includes(`\nCONFIG_${config}=y\n`) || file.test(listing.modules);
}

/** Capabilities that a sandbox on this machine's kernel takes (capabilities(7)): CAP_NET_ADMIN, CAP_SYS_ADMIN. */
const WALL_BUILDING = (1n << 12n) | (1n << 21n);

/** What keeps this user from making namespaces, in words, with what to do about it; nothing when nothing does. */
export async function obstacle(machine: Machine): Promise<{ what: string; remedy: string } | undefined> {
  const text = (file: string) => textOf(join(machine.proc, file));
  if (machine.uid === 0) {
    const effective = /^CapEff:\s*([0-9a-f]+)/m.exec(text('self/status'))?.[1];
    if (effective === undefined || (BigInt(`0x${effective}`) & WALL_BUILDING) === WALL_BUILDING)
      return undefined;
    return {
      what: 'root may not make namespaces here: it lacks CAP_SYS_ADMIN or CAP_NET_ADMIN',
      remedy: 'give the container these capabilities, or run lblab outside it',
    };
  }
  const settings = [
    ['user.max_user_namespaces', 'sys/user/max_user_namespaces', (value: string) => value === '0', '16384'],
    [
      'kernel.unprivileged_userns_clone',
      'sys/kernel/unprivileged_userns_clone',
      (value: string) => value === '0',
      '1',
    ],
    [
      'kernel.apparmor_restrict_unprivileged_userns',
      'sys/kernel/apparmor_restrict_unprivileged_userns',
      (value: string) => value === '1',
      '0',
    ],
  ] as const;
  for (const [name, file, forbids, instead] of settings) {
    const value = text(file).trim();
    // AppArmor may have a profile that excepts bwrap: only a trial tells.
    if (forbids(value) && !(name.includes('apparmor') && (await sandboxStarts(machine)))) {
      return {
        what: `a plain user may not make user namespaces here: ${name} is ${value}`,
        remedy: `run lblab as root, or allow it: sudo sysctl -w ${name}=${instead}`,
      };
    }
  }
  return undefined;
}

async function sandboxStarts(machine: Machine): Promise<boolean> {
  const { tryInside } = await import('./trial.ts');
  return (await tryInside(SANDBOX_TRIAL, machine)).ok;
}

/** A node, a link between two and a segment, as every lab has them. */
export const SANDBOX_TRIAL =
  'ip netns add trial && ip link add trial0 type veth peer name trial1 && ip link add trial2 type bridge';

/** Whether this is root of the whole machine, not of a user namespace such as a container's. */
function isRealRoot(machine: Machine): boolean {
  const map = textOf(join(machine.proc, 'self/uid_map'));
  return machine.uid === 0 && (map === '' || /^\s*0\s+0\s+4294967295\s*$/.test(map));
}

/** Whether a need is met on this machine's own kernel. */
export async function isMet(need: Need, machine: Machine): Promise<boolean> {
  const what = NEEDS[need];
  if ('program' in what) return find(what.program, machine.path) !== undefined;
  if ('file' in what) return existsSync(what.file);
  switch (need) {
    case 'kernel:namespaces':
      return (await obstacle(machine)) === undefined;
    case 'kernel:ipvs':
      // Its netlink family wants privilege in the first user namespace: root's alone.
      return isRealRoot(machine) && kernelHas(what.config, what.module);
    default:
      return kernelHas(what.config, what.module);
  }
}

/** What every lab needs, whichever kernel it runs on. */
export const ALWAYS: readonly Need[] = [
  'bwrap',
  'ip',
  'nsenter',
  'setpriv',
  'tcpdump',
  'curl',
  'kernel:namespaces',
];
/** What a user-mode kernel needs. */
export const FOR_UML: readonly Need[] = ['user-mode-linux', 'uml-modules', 'modprobe', 'taskset'];

/** Tells whether a need is met on this machine. */
export type Judge = (need: Need) => boolean | Promise<boolean>;

/** The needs that are not met. */
async function unmet(kernel: Kernel, needs: readonly Need[], judge: Judge): Promise<Need[]> {
  const all = [...ALWAYS, ...(kernel === 'uml' ? FOR_UML : []), ...needs];
  const met = await Promise.all(
    all.map(async (need) => {
      const what = NEEDS[need];
      // The walls around a user-mode kernel are this machine's; what is inside them is not.
      const own = kernel === 'host' || !('config' in what) || need === 'kernel:namespaces';
      return own ? judge(need) : what.guest;
    }),
  );
  return all.filter((_, index) => !met[index]);
}

function describe(needs: readonly Need[]): string {
  return needs.map((need) => NEEDS[need].title).join(', ');
}

/** The Debian package that has a need, or nothing for what no package brings. */
export function packageOf(need: Need): string | undefined {
  const what = NEEDS[need];
  return 'package' in what ? what.package : undefined;
}

function remedy(needs: readonly Need[]): string {
  const packages = [...new Set(needs.flatMap((need) => packageOf(need) ?? []))];
  return packages.length === 0 ? '' : `; lblab doctor --fix installs ${packages.join(' ')}`;
}

/** What is said of programs that a lab which is up lacks; nothing when all are there. */
export async function remedyFor(needs: readonly Need[], machine: Machine): Promise<string | undefined> {
  const met = await Promise.all(needs.map(async (need) => isMet(need, machine)));
  const missing = needs.filter((_, index) => !met[index]);
  return missing.length === 0 ? undefined : `no ${describe(missing)}${remedy(missing)}`;
}

/** Chooses; `missing` says what stands in the way, and what to do about it. */
export async function chooseKernel(
  wanted: 'auto' | Kernel,
  needs: readonly Need[],
  machine: Machine,
  judge: Judge = async (need) => isMet(need, machine),
): Promise<Choice | { readonly missing: string }> {
  const onHost = wanted === 'uml' ? [] : await unmet('host', needs, judge);
  if (wanted !== 'uml' && onHost.length === 0) {
    const why = wanted === 'host' ? ', as asked' : ', which has all that it needs';
    return { kernel: 'host', why: `on ${TITLES.host}${why}` };
  }
  const onUml = wanted === 'host' ? [] : await unmet('uml', needs, judge);
  if ([...onHost, ...onUml].includes('kernel:namespaces')) {
    const reason = await obstacle(machine);
    // A user-mode kernel starts all the same. What its root may write is then what the user may.
    const others = onUml.filter((need) => need !== 'kernel:namespaces' && need !== 'bwrap');
    if (wanted !== 'host' && others.length === 0 && reason !== undefined) {
      return {
        kernel: 'uml',
        why: `on ${TITLES.uml}, with no walls around it: ${reason.what}; ${reason.remedy}`,
      };
    }
    return { missing: reason === undefined ? 'no sandbox starts here' : `${reason.what}; ${reason.remedy}` };
  }
  if (wanted !== 'auto') {
    const missing = wanted === 'host' ? onHost : onUml;
    if (missing.length === 0) return { kernel: 'uml', why: `on ${TITLES.uml}, as asked` };
    return { missing: `${TITLES[wanted]} cannot run it: no ${describe(missing)}${remedy(missing)}` };
  }
  const lacks = onHost.filter((need) => need.startsWith('kernel:'));
  // What a lab would lack on either kernel is not the kernel's fault.
  if (lacks.length === 0 || onUml.some((need) => onHost.includes(need))) {
    const missing = lacks.length === 0 ? onHost : onUml;
    return { missing: `no ${describe(missing)}${remedy(missing)}` };
  }
  const reserved = lacks.length === 1 && lacks[0] === 'kernel:ipvs' && kernelHas('IP_VS', 'ip_vs');
  const why = reserved ? `gives IPVS to root alone` : `has no ${describe(lacks)}`;
  if (onUml.length === 0) return { kernel: 'uml', why: `on ${TITLES.uml}: ${TITLES.host} ${why}` };
  return {
    missing: `${TITLES.host} ${why}, and for ${TITLES.uml} there is no ${describe(onUml)}${remedy(onUml)}`,
  };
}

const TITLES: Record<Kernel, string> = { host: "this machine's kernel", uml: 'a user-mode kernel' };
