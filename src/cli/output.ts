// Where captures go: a folder of the user's, theirs also under sudo.
import { relative, resolve } from 'node:path';
import { saveEvidence } from '../lab/evidence.ts';
import { checkHome, labFolder, lastCapturesOf } from '../lab/folders.ts';
import type { Lab } from '../lab/lab.ts';
import { refuseLinks } from '../lab/outlet.ts';
import type { Evidence } from '../verify/types.ts';
import { callerOf, type Cli } from './context.ts';

/** `captures/LAB` under the current folder, or the folder named. Absolute. */
export function outputFolder(cli: Cli, lab: string, named: string | undefined): string {
  return named === undefined ? resolve(cli.cwd, 'captures', lab) : resolve(cli.cwd, named);
}

/** Where a lab's last captures were put: as the lab remembers, else `captures/LAB`. */
export async function lastCaptures(cli: Cli, name: string): Promise<string> {
  await checkHome(cli.host.home, cli.host.uid);
  return (await lastCapturesOf(labFolder(cli.host.home, name))) ?? outputFolder(cli, name, undefined);
}

/**
 * Leaves a round's evidence in a folder; folders made on the way are the caller's too. Below the current folder, where nobody has named it, no
 * symbolic link is followed.
 */
export async function save(cli: Cli, lab: Lab, evidence: Evidence, folder: string): Promise<void> {
  if (folder === outputFolder(cli, lab.name, undefined)) await refuseLinks(cli.cwd, folder);
  await saveEvidence(lab.dir, folder, evidence, callerOf(cli));
}

/** A path as the user would type it from here. */
export function shown(cli: Cli, path: string): string {
  const from = relative(cli.cwd, path);
  return from === '' ? '.' : from.startsWith('..') ? path : from;
}
