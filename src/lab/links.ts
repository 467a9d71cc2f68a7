// Symbolic links under /run/netns, so that `ip netns exec` reaches a lab's nodes from any terminal of root's. They point into the
// lab's own mount namespace through its PID 1 and a folder named after the lab's uuid: a reused pid cannot resolve.
import { mkdir, readdir, readlink, stat, symlink, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { netnsOf } from '../plan/names.ts';
import type { Topology } from '../topology/types.ts';
import { LabError } from './lab-error.ts';

const NETNS = '/run/netns';
const OURS = /^\/proc\/\d+\/root\/run\/lblab-[0-9a-f-]{36}\//;

/** Removes links of ours that lead nowhere any more. Links of others are never touched. */
export async function sweepLinks(): Promise<void> {
  const names = await readdir(NETNS).catch(() => []);
  await Promise.all(
    names.map(async (name) => {
      const path = join(NETNS, name);
      const target = await readlink(path).catch(() => undefined);
      if (target === undefined || !OURS.test(target)) return;
      if ((await stat(path).catch(() => undefined)) === undefined) await unlink(path).catch(() => {});
    }),
  );
}

/** Makes a lab's links. Throws when a name is taken by something that is not ours. */
export async function linkNamespaces(
  lab: string,
  topology: Topology,
  pid: number,
  uuid: string,
): Promise<void> {
  await sweepLinks();
  await mkdir(NETNS, { recursive: true });
  // In the order of names: of two labs of one name that come up at once, the first to get the first name gets all.
  for (const node of topology.nodes.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const name = netnsOf(lab, node.name);
    const path = join(NETNS, name);
    try {
      await symlink(`/proc/${pid}/root/run/lblab-${uuid}/${name}`, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const holder = await holderOf(path);
      await unlinkNamespaces(uuid);
      throw new LabError(`${path} belongs to ${holder}; give this lab another name with --name`);
    }
  }
}

/** Who has a name under /run/netns. A lab's PID 1 works in the lab's folder. */
async function holderOf(path: string): Promise<string> {
  const pid = /^\/proc\/(\d+)\/root\/run\/lblab-/.exec(await readlink(path).catch(() => ''))?.[1];
  if (pid === undefined) return 'a namespace that is not ours';
  const folder = await readlink(`/proc/${pid}/cwd`).catch(() => undefined);
  return `another lab of this name, process ${pid}${folder === undefined ? '' : ` in ${dirname(folder)}`}`;
}

/** Removes the links of one lab. */
export async function unlinkNamespaces(uuid: string): Promise<void> {
  const names = await readdir(NETNS).catch(() => []);
  await Promise.all(
    names.map(async (name) => {
      const path = join(NETNS, name);
      const target = await readlink(path).catch(() => undefined);
      if (target?.includes(`/root/run/lblab-${uuid}/`) === true) await unlink(path).catch(() => {});
    }),
  );
}
