// Finds out what a machine has, and chooses the kernel that a lab runs on: this machine's where it has all that the lab needs, else a
// user-mode one, else an error that names what is missing and the package that has it.
import { constants } from 'node:fs';
import { access, readFile } from 'node:fs/promises';
import { release } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { NEEDS, type Need } from './needs.ts';
import type { Kernel } from './start.ts';

export interface Machine {
  readonly uid: number;
  /** PATH. */
  readonly path: string;
}

export type Choice = { readonly kernel: Kernel; readonly why: string };

/** Path of a program, or nothing. */
export async function which(program: string, path: string): Promise<string | undefined> {
  for (const folder of path.split(':')) {
    const file = join(folder, program);
    if (folder.startsWith('/') && (await isExecutable(file))) return file;
  }
  return undefined;
}

async function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}

const exists = async (file: string) =>
  access(file).then(
    () => true,
    () => false,
  );

/** Whether the running kernel has a feature, built in or as a module that it can load. */
export async function kernelHas(config: string, module: string): Promise<boolean> {
  if (await exists(`/sys/module/${module}`)) return true;
  const modules = `/lib/modules/${release()}`;
  const pattern = new RegExp(`(^|/)${module.replaceAll('_', '[-_]')}\\.ko`, 'm');
  const [builtin, dependencies, configuration] = await Promise.all([
    readFile(join(modules, 'modules.builtin'), 'utf8').catch(() => ''),
    readFile(join(modules, 'modules.dep'), 'utf8').catch(() => ''),
    readFile('/proc/config.gz')
      .then(async (bytes) => (await promisify(gunzip)(bytes)).toString('latin1'))
      .catch(() => ''),
  ]);
  return (
    pattern.test(builtin) || pattern.test(dependencies) || configuration.includes(`CONFIG_${config}=y\n`)
  );
}

/** Whether this user may make user namespaces (root needs none). */
async function namespacesAllowed(uid: number): Promise<boolean> {
  if (uid === 0) return true;
  const number = async (file: string, otherwise: number) =>
    readFile(file, 'latin1').then(
      (text) => Number(text),
      () => otherwise,
    );
  const [most, debian, apparmor] = await Promise.all([
    number('/proc/sys/user/max_user_namespaces', 1),
    number('/proc/sys/kernel/unprivileged_userns_clone', 1),
    number('/proc/sys/kernel/apparmor_restrict_unprivileged_userns', 0),
  ]);
  return most > 0 && debian === 1 && apparmor === 0;
}

/** Whether a need is met on this machine's own kernel. */
export async function isMet(need: Need, machine: Machine): Promise<boolean> {
  const what = NEEDS[need];
  if ('program' in what) return (await which(what.program, machine.path)) !== undefined;
  if ('file' in what) return exists(what.file);
  switch (need) {
    case 'kernel:namespaces':
      return namespacesAllowed(machine.uid);
    case 'kernel:ipvs':
      // Its netlink family wants privilege in the first user namespace: root's alone.
      return machine.uid === 0 && kernelHas('IP_VS', 'ip_vs');
    default:
      return kernelHas(what.config, what.module);
  }
}

/** What every lab needs, whichever kernel it runs on. */
const ALWAYS: readonly Need[] = ['bwrap', 'ip', 'nsenter', 'tcpdump', 'curl', 'kernel:namespaces'];
/** What a user-mode kernel needs. */
const FOR_UML: readonly Need[] = ['user-mode-linux', 'uml-modules', 'modprobe', 'taskset', 'setpriv'];

/** The needs that are not met. A user-mode kernel has every kernel feature that labs ask for. */
export async function unmet(kernel: Kernel, needs: readonly Need[], machine: Machine): Promise<Need[]> {
  const all =
    kernel === 'host'
      ? [...ALWAYS, ...needs]
      : [...ALWAYS, ...FOR_UML, ...needs.filter((need) => !need.startsWith('kernel:'))];
  const met = await Promise.all(all.map(async (need) => isMet(need, machine)));
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

/** Chooses; `missing` says what stands in the way. */
export async function chooseKernel(
  wanted: 'auto' | Kernel,
  needs: readonly Need[],
  machine: Machine,
): Promise<Choice | { readonly missing: string }> {
  if (wanted !== 'auto') {
    const missing = await unmet(wanted, needs, machine);
    if (missing.length === 0) return { kernel: wanted, why: `${TITLES[wanted]}, as asked` };
    return { missing: `${TITLES[wanted]} cannot run it: no ${describe(missing)}${remedy(missing)}` };
  }
  const onHost = await unmet('host', needs, machine);
  if (onHost.length === 0) return { kernel: 'host', why: `on ${TITLES.host}, which has all that it needs` };
  const lacks = onHost.filter((need) => need.startsWith('kernel:'));
  if (lacks.length === 0) return { missing: `no ${describe(onHost)}${remedy(onHost)}` };
  const onUml = await unmet('uml', needs, machine);
  const why =
    machine.uid === 0 || !lacks.includes('kernel:ipvs')
      ? `has no ${describe(lacks)}`
      : `gives a plain user no ${describe(lacks)}`;
  if (onUml.length === 0) return { kernel: 'uml', why: `on ${TITLES.uml}: ${TITLES.host} ${why}` };
  return {
    missing: `${TITLES.host} ${why}, and for ${TITLES.uml} there is no ${describe(onUml)}${remedy(onUml)}`,
  };
}

const TITLES: Record<Kernel, string> = { host: "this machine's kernel", uml: 'a user-mode kernel' };
