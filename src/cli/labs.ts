// Finds the lab that a command is about, and the node in it: by name, or the only one that is up; and what one is built with.
import { dirname } from 'node:path';
import { checkHome, labs } from '../lab/folders.ts';
import { attachLab, type Lab, type UpOptions } from '../lab/lab.ts';
import { nearest } from '../topology/nearest.ts';
import type { Node } from '../topology/types.ts';
import type { Cli } from './context.ts';
import { EXIT, Failure } from './failure.ts';
import { follow } from './progress.ts';
import type { Loaded } from './topologies.ts';

/** What a lab of a topology is built with, in the name of the topology where no other is given. */
export function buildOptions(
  cli: Cli,
  { topology, file }: Loaded,
  rest: Pick<UpOptions, 'kernel' | 'cpu' | 'onStep'> & Partial<Pick<UpOptions, 'name' | 'signal'>>,
): UpOptions {
  return {
    host: cli.host,
    topology,
    topologyFile: file,
    name: topology.name,
    visible: [dirname(file)],
    timeout: cli.timeout,
    signal: cli.signal,
    ...rest,
  };
}

/**
 * The lab named, or the only one that is up. Throws Failure that lists those that are up.
 * @param orElse what else the name could have been, and is not: a file
 */
export async function nameOfLab(cli: Cli, name: string | undefined, orElse?: string): Promise<string> {
  await checkHome(cli.host.home, cli.host.uid);
  const found = await labs(cli.host.home);
  const up = found.filter((lab) => lab.alive).map((lab) => lab.record.name);
  if (name !== undefined) {
    if (found.some((lab) => lab.record.name === name)) return name;
    const near = nearest(name, up);
    const none =
      orElse === undefined
        ? `no lab ${name} is up`
        : `there is no ${orElse} ${name}, and no lab ${name} is up`;
    throw new Failure(
      up.length === 0
        ? `${none}, nor any other; lblab up builds one`
        : `${none}${near === undefined ? '' : `; did you mean ${near}?`}\nup: ${up.join(', ')}`,
      EXIT.usage,
    );
  }
  if (up.length === 1) return up[0]!;
  throw new Failure(
    up.length === 0
      ? 'no lab is up; lblab up l7 builds one'
      : `several labs are up: ${up.join(', ')}; name one`,
    EXIT.usage,
  );
}

/** Does something with a lab that is up, and lets go of it. Throws Failure when the lab ends meanwhile. */
export async function withLab<T>(
  cli: Cli,
  name: string | undefined,
  work: (lab: Lab) => Promise<T>,
): Promise<T> {
  const chosen = await nameOfLab(cli, name);
  const lab = await attachLab(cli.host, chosen, { timeout: cli.timeout, onStep: follow(cli, chosen) });
  try {
    return await work(lab);
  } catch (error) {
    if (!lab.client.lost || cli.signal.aborted) throw error;
    throw new Failure(
      `${chosen} has ended meanwhile; lblab down ${chosen} removes what is left`,
      EXIT.failed,
    );
  } finally {
    lab.client.release();
  }
}

/** A node by its name. Throws Failure that lists the lab's nodes. */
export function nodeOf(lab: Lab, name: string): Node {
  const nodes = lab.topology.nodes;
  const node = nodes.find((each) => each.name === name);
  if (node !== undefined) return node;
  const names = nodes.map((each) => each.name);
  const near = nearest(name, names);
  throw new Failure(
    `${lab.name} has no node ${JSON.stringify(name)}${near === undefined ? '' : `; did you mean ${near}?`}\n` +
      `its nodes: ${names.join(', ')}`,
    EXIT.usage,
  );
}
