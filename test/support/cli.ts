// The built command line as a process: as this user, or as one who is not root, from a copy that such a user can read.
import { spawn } from 'node:child_process';
import { cp, chmod, chown, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { noneLeft } from './processes.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** A uid that nobody has. */
const PLAIN = 54321;

export interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A place to run the tool from: its own state folder and working folder. `remove` removes it, and fails when processes of it are left. */
export interface Place {
  readonly cwd: string;
  readonly state: string;
  readonly run: (
    args: readonly string[],
    more?: { env?: Record<string, string>; input?: string; seconds?: number },
  ) => Promise<Result>;
  /** argv and options for a test that starts the process itself. */
  readonly argv: (args: readonly string[]) => string[];
  readonly env: NodeJS.ProcessEnv;
  readonly remove: () => Promise<void>;
}

async function collect(
  argv: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv,
  input: string,
  seconds: number,
) {
  const child = spawn(argv[0]!, argv.slice(1), { cwd, env, stdio: 'pipe' });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => (stdout += String(chunk)));
  child.stderr.on('data', (chunk) => (stderr += String(chunk)));
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const timer = setTimeout(() => child.kill('SIGKILL'), seconds * 1000);
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  clearTimeout(timer);
  return { code, stdout, stderr };
}

/** `plain`: as a user without privileges, whoever runs the tests. */
export async function place(user: 'self' | 'plain' = 'self'): Promise<Place> {
  const base = await mkdtemp(join(tmpdir(), 'lblab-test-'));
  await chmod(base, 0o755);
  const cwd = join(base, 'work');
  const state = join(base, 'state');
  await Promise.all([mkdir(cwd), mkdir(state)]);
  let bin = join(ROOT, 'bin/lblab.js');
  const drop = user === 'plain' && process.getuid!() === 0;
  if (drop) {
    await Promise.all([chown(cwd, PLAIN, PLAIN), chown(state, PLAIN, PLAIN)]);
    await Promise.all([
      ...['bin', 'dist', 'topologies', 'package.json'].map(async (name) =>
        cp(join(ROOT, name), join(base, 'lblab', name), { recursive: true }),
      ),
      cp(join(ROOT, 'node_modules/@lydell'), join(base, 'lblab/node_modules/@lydell'), { recursive: true }),
    ]);
    bin = join(base, 'lblab/bin/lblab.js');
  }
  const prefix = drop
    ? [
        'setpriv',
        `--reuid=${PLAIN}`,
        `--regid=${PLAIN}`,
        '--clear-groups',
        '--inh-caps=-all',
        '--',
        process.execPath,
        bin,
      ]
    : [process.execPath, bin];
  const env: NodeJS.ProcessEnv = {
    PATH: process.env.PATH,
    HOME: cwd,
    LANG: 'C.UTF-8',
    LBLAB_STATE_DIR: state,
  };
  const argv = (args: readonly string[]) => [...prefix, ...args];
  return {
    cwd,
    state,
    argv,
    env,
    run: async (args, more) =>
      collect(argv(args), cwd, { ...env, ...more?.env }, more?.input ?? '', more?.seconds ?? 60),
    remove: async () => {
      try {
        await noneLeft(base);
      } finally {
        await rm(base, { recursive: true, force: true });
      }
    },
  };
}
