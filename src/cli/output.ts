// Where captures go: a folder of the user's, theirs also under sudo.
import { mkdir } from 'node:fs/promises';
import { relative, resolve } from 'node:path';
import { saveEvidence } from '../lab/evidence.ts';
import type { Lab } from '../lab/lab.ts';
import type { Evidence } from '../verify/types.ts';
import { giveToCaller, type Cli } from './context.ts';

/** `captures/LAB` under the current folder, or the folder named. Absolute. */
export function outputFolder(cli: Cli, lab: string, named: string | undefined): string {
  return named === undefined ? resolve(cli.cwd, 'captures', lab) : resolve(cli.cwd, named);
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
