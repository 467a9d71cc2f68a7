// Tries things out where labs live: runs a short program inside a sandbox's walls and tells what stood in its way. What it makes there goes
// with the walls; the machine keeps nothing of it, but for modules that its kernel loaded.
import { spawn } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { enclose } from './enclosure.ts';

export interface Trier {
  readonly uid: number;
  readonly gid: number;
  /** PATH. */
  readonly path: string;
}

/** Seconds that a trial may take. A working one takes some 10 ms. */
const LIMIT = 2;

export type Outcome = { readonly ok: boolean; readonly output: string };

/** Runs a program; `output` is all that it wrote, and what kept it from running when it could not. */
export async function tryProgram(argv: readonly string[], path: string): Promise<Outcome> {
  return run(argv, path);
}

/** Runs a shell script inside walls like a lab's. */
export async function tryInside(script: string, trier: Trier): Promise<Outcome> {
  const [bwrap, ...walls] = enclose(
    {
      // Any folder that is there will do: scripts write nothing.
      dir: dirname(fileURLToPath(import.meta.url)),
      root: trier.uid === 0,
      uid: trier.uid,
      gid: trier.gid,
      visible: [],
      netnsFolder: 'lblab-trial',
      hosts: '/etc/hosts',
      path: trier.path,
    },
    ['sh', '-c', script],
  );
  return run([bwrap!, '--die-with-parent', ...walls], trier.path);
}

async function run(argv: readonly string[], path: string): Promise<Outcome> {
  const child = spawn(argv[0]!, argv.slice(1), {
    env: { PATH: path, LC_ALL: 'C' },
    // The walls tell the pid of their first process on descriptor 4.
    stdio: ['ignore', 'pipe', 'pipe', 'ignore', 'pipe'],
    timeout: LIMIT * 1000,
    killSignal: 'SIGKILL',
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream!.setEncoding('utf8').on('data', (text: string) => {
      if (output.length < 64 * 1024) output += text;
    });
  }
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ ok: false, output: error.message }));
    child.once('close', (code) => {
      const late = child.killed ? `\nno answer within ${LIMIT} s` : '';
      resolve({ ok: code === 0, output: (output + late).trim() });
    });
  });
}
