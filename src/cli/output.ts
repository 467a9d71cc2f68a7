// Where captures go: a folder of the user's, theirs also under sudo.
import { mkdir, readFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { saveEvidence } from '../lab/evidence.ts';
import { labFolder } from '../lab/folders.ts';
import type { Lab } from '../lab/lab.ts';
import type { Evidence } from '../verify/types.ts';
import { giveToCaller, type Cli } from './context.ts';

/** `captures/LAB` under the current folder, or the folder named. Absolute. */
export function outputFolder(cli: Cli, lab: string, named: string | undefined): string {
  return named === undefined ? resolve(cli.cwd, 'captures', lab) : resolve(cli.cwd, named);
}

/** Where a lab's last captures were put: as the lab remembers, else `captures/LAB`. */
export async function lastCaptures(cli: Cli, name: string): Promise<string> {
  const noted = await readFile(join(labFolder(cli.host.home, name), 'last-captures'), 'utf8').catch(
    () => undefined,
  );
  return noted ?? outputFolder(cli, name, undefined);
}

/** Leaves a round's evidence in a folder; folders made on the way are the caller's too. */
export async function save(cli: Cli, lab: Lab, evidence: Evidence, folder: string): Promise<void> {
  const made = await mkdir(folder, { recursive: true });
  await saveEvidence(lab.dir, folder, evidence);
  await giveToCaller(cli, made ?? folder);
}

/** A path as the user would type it from here. */
export function shown(cli: Cli, path: string): string {
  const from = relative(cli.cwd, path);
  return from === '' ? '.' : from.startsWith('..') ? path : from;
}
