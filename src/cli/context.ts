// What a command knows of the world: where to write, in which colours, who calls, when to stop. Made once in program.ts and handed down.
import { randomUUID } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { Chalk, type ChalkInstance } from 'chalk';
import type { Host } from '../lab/lab.ts';
import type { Owner } from '../lab/outlet.ts';

/** Options that every command takes. */
export interface GlobalOptions {
  readonly json?: boolean;
  readonly verbose?: boolean;
  readonly debug?: boolean;
  readonly color?: boolean;
  readonly timeout?: number;
  readonly kernel?: 'auto' | 'host' | 'uml';
}

export interface Cli {
  /** Data: results that a script may read. */
  readonly out: (text: string) => void;
  /** Talk: progress, remarks, errors. */
  readonly say: (text: string) => void;
  readonly json: boolean;
  readonly verbose: boolean;
  readonly debug: boolean;
  /** Colours for what goes to standard output, and for standard error. */
  readonly paint: ChalkInstance;
  readonly paintTalk: ChalkInstance;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly host: Host;
  /** Seconds that a step may take. */
  readonly timeout: number;
  readonly kernel: 'auto' | 'host' | 'uml';
  readonly cores: number;
  /** Set by Ctrl-C and SIGTERM. */
  readonly signal: AbortSignal;
  /** Standard output is a terminal of this width. */
  readonly columns: number;
  readonly isTerminal: boolean;
  readonly isTalkTerminal: boolean;
  readonly stdin: NodeJS.ReadStream;
}

function colours(stream: NodeJS.WriteStream, env: Cli['env'], wanted: boolean | undefined): ChalkInstance {
  // https://no-color.org: present and not empty means no colour, whatever its value.
  const no = wanted === false || (env.NO_COLOR ?? '') !== '' || env.TERM === 'dumb';
  const forced = (env.FORCE_COLOR ?? '') !== '' && env.FORCE_COLOR !== '0';
  return new Chalk({ level: no || !(stream.isTTY || forced) ? 0 : 1 });
}

function stateFolder(env: Cli['env'], uid: number): string {
  if (env.LBLAB_STATE_DIR) return resolve(env.LBLAB_STATE_DIR);
  if (uid === 0) return '/run/lblab';
  return env.XDG_RUNTIME_DIR ? join(env.XDG_RUNTIME_DIR, 'lblab') : `/tmp/lblab-${uid}`;
}

/** A plain user's PATH often lacks the folders that ip, nginx and tcpdump are in. */
function searchPath(env: Cli['env']): string {
  const own = (env.PATH ?? '').split(':').filter((folder) => folder.startsWith('/'));
  return [
    ...new Set([...own, '/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']),
  ].join(':');
}

const DEFAULT_TIMEOUT = 30;

export function makeCli(options: GlobalOptions, signal: AbortSignal): Cli {
  const { env, stdout, stderr } = process;
  const uid = process.getuid!();
  const fromEnv = env.LBLAB_KERNEL as GlobalOptions['kernel'] | undefined;
  return {
    out: (text) => stdout.write(text),
    say: (text) => stderr.write(text),
    json: options.json === true,
    verbose: options.verbose === true,
    debug: options.debug === true,
    paint: colours(stdout, env, options.color),
    paintTalk: colours(stderr, env, options.color),
    env,
    cwd: process.cwd(),
    host: {
      home: stateFolder(env, uid),
      uid,
      gid: process.getgid!(),
      pid: process.pid,
      path: searchPath(env),
      now: Date.now,
      randomId: randomUUID,
    },
    timeout: options.timeout ?? DEFAULT_TIMEOUT,
    kernel: options.kernel ?? fromEnv ?? 'auto',
    cores: availableParallelism(),
    signal,
    columns: stdout.columns ?? 80,
    isTerminal: stdout.isTTY === true,
    isTalkTerminal: stderr.isTTY === true,
    stdin: process.stdin,
  };
}

/** The user who called sudo, if one did: what is left for the user is theirs. */
export function callerOf(cli: Cli): Owner | undefined {
  const uid = Number(cli.env.SUDO_UID);
  const gid = Number(cli.env.SUDO_GID);
  return cli.host.uid === 0 && Number.isInteger(uid) && Number.isInteger(gid) ? { uid, gid } : undefined;
}
