// Tries things out where labs live: runs a short program inside a sandbox's walls and tells what stood in its way. What it makes there goes
// with the walls; the machine keeps nothing of it, but for modules that its kernel loaded.
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { enclose } from './enclosure.ts';

export interface Trier {
  readonly uid: number;
  readonly gid: number;
  /** PATH. */
  readonly path: string;
}

/**
 * Seconds that a trial may take. A working one takes some 10 ms. timeout(1) beside the program sees to it, so it holds as well when this process
 * has gone. `bwrap --die-with-parent` would not do: in its first moments it dies and leaves behind a PID 1 that waits for it for ever, and so
 * does one that a terminal's signals reach.
 */
const LIMIT = 2;
const LIMITED = ['timeout', '--signal', 'KILL', String(LIMIT)];

export type Outcome = { readonly ok: boolean; readonly output: string };

/** Runs a program; `output` is all that it wrote, and what kept it from running when it could not. */
export async function tryProgram(argv: readonly string[], path: string): Promise<Outcome> {
  return run([...LIMITED, ...argv], path);
}

/** Runs a shell script inside walls like a lab's. */
export async function tryInside(script: string, trier: Trier): Promise<Outcome> {
  const walls = enclose(
    {
      // Any folder that is there will do: scripts write nothing.
      dir: dirname(fileURLToPath(import.meta.url)),
      root: trier.uid === 0,
      kernel: 'host',
      uid: trier.uid,
      gid: trier.gid,
      visible: [],
      netnsFolder: 'lblab-trial',
      hosts: '/etc/hosts',
      path: trier.path,
    },
    [...LIMITED, 'sh', '-c', script],
  );
  return run(walls, trier.path);
}

async function run(argv: readonly string[], path: string): Promise<Outcome> {
  const { failed, durationMs, all, shortMessage, exitCode, signal } = await execa(argv[0]!, argv.slice(1), {
    env: { PATH: path, LC_ALL: 'C' },
    extendEnv: false,
    stdio: ['ignore', 'pipe', 'pipe'],
    all: true,
    reject: false,
    detached: true,
    // For walls that hang before there is a program in them.
    timeout: (LIMIT + 1) * 1000,
    killSignal: 'SIGKILL',
    maxBuffer: 64 * 1024,
  });
  const isLate = failed && durationMs >= LIMIT * 1000;
  const late = isLate ? `\nno answer within ${LIMIT} s` : '';
  const words = exitCode === undefined && signal === undefined ? shortMessage : all;
  return { ok: !failed, output: `${words}${late}`.trim() };
}
