// Makes a sandbox: starts its walls with the agent inside, waits until the agent answers, and sees to it that a sandbox that cannot start
// says why.
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, constants, existsSync, openSync, readFileSync } from 'node:fs';
import { open, readFile, realpath, writeFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { obstacle, type Kernel } from './choose.ts';
import { SandboxClient, SandboxError } from './client.ts';
import { enclose, foldersOf, hidden, visibleSockets, type Walls } from './enclosure.ts';
import { descendants } from './family.ts';

export type { Kernel } from './choose.ts';

export interface StartOptions {
  readonly kernel: Kernel;
  /** The lab's folder: absolute, there, ours. */
  readonly dir: string;
  /** Where all labs of this user have their folders. */
  readonly home?: string;
  readonly uid: number;
  readonly gid: number;
  /** Folders beside the lab's own that its programs read, such as the topology's. */
  readonly visible: readonly string[];
  /** Names the folder under /run that the network namespaces are mounted in. */
  readonly uuid: string;
  /** MiB of memory of a user-mode kernel. */
  readonly memory: number;
  /** The CPU that a user-mode kernel is pinned to: its processes are the machine's, and switching CPUs costs it half its speed. */
  readonly cpu: number;
  /** Where programs are looked for. */
  readonly path: string;
  /** Limit for the start, in seconds. */
  readonly seconds: number;
  /** Told the pid of the process in front of the sandbox before anything else is waited for. */
  readonly onSpawn?: (pid: number) => Promise<void>;
}

export interface Sandbox {
  readonly client: SandboxClient;
  readonly kernel: Kernel;
  /** Pid of the sandbox's PID 1, as this process sees it. */
  readonly pid: number;
  /** Ends the sandbox, and resolves when nothing of it is left. */
  readonly destroy: () => Promise<void>;
}

export const AGENT = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../../dist/agent.js' : 'agent.js', import.meta.url),
);

/** Paths inside a lab's folder that belong to its sandbox. */
export function sandboxFiles(dir: string): {
  socket: string;
  log: string;
  console: string;
  hosts: string;
  resolver: string;
} {
  return {
    socket: join(dir, 'agent.sock'),
    log: join(dir, 'sandbox.log'),
    console: join(dir, 'console.log'),
    hosts: join(dir, 'hosts'),
    resolver: join(dir, 'resolv.conf'),
  };
}

/** Starts a sandbox. Throws SandboxError with what the tools said when it does not come up. */
export async function startSandbox(options: StartOptions): Promise<Sandbox> {
  const files = sandboxFiles(options.dir);
  // Often a symbolic link into /run, which is private inside: the file is put where the link leads.
  const target = existsSync(files.resolver)
    ? await realpath('/etc/resolv.conf').catch(() => undefined)
    : undefined;
  const seen: Walls = {
    dir: options.dir,
    root: options.uid === 0,
    kernel: options.kernel,
    home: options.home,
    uid: options.uid,
    gid: options.gid,
    visible: [...options.visible, ...foldersOf(process.execPath), resolve(AGENT, '../..')],
    netnsFolder: `lblab-${options.uuid}`,
    hosts: files.hosts,
    ...(target !== undefined && { resolver: { source: files.resolver, target } }),
    // The programs of our own that labs run are Node's.
    path: `${options.path}:${dirname(process.execPath)}`,
  };
  const walls = {
    ...seen,
    sockets: visibleSockets(await readFile('/proc/net/unix', 'utf8').catch(() => ''), seen),
  };
  // A user-mode kernel runs where no namespaces may be made, too: without walls, as choose.ts says to the user.
  const machine = { uid: options.uid, gid: options.gid, path: options.path, proc: '/proc' };
  const bare = options.kernel === 'uml' && (await obstacle(machine)) !== undefined;
  const inner =
    options.kernel === 'host'
      ? [process.execPath, AGENT, 'host', files.socket]
      : await umlKeeper(options, walls, bare);
  const argv = bare ? inner : enclose(walls, inner);
  await writeFile(files.log, '');
  const log = openSync(files.log, 'a');
  const child = spawn(argv[0]!, argv.slice(1), {
    stdio: ['ignore', log, log, 'pipe'],
    cwd: options.dir,
    // Ours may lack the folders that bwrap is in.
    env: { ...process.env, PATH: options.path },
    // The sandbox may outlive this process (`up`); until then its control socket's end is what ends it.
    detached: true,
  });
  closeSync(log);
  child.unref();
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(`could not be started: ${error.message}`));
    child.once('exit', (code, signal) => resolve(`ended while starting (${signal ?? `exit code ${code}`})`));
  });
  const control = child.stdio[3] as unknown as Socket;
  const client = new SandboxClient(control);
  try {
    if (child.pid !== undefined) await options.onSpawn?.(child.pid);
  } catch (error) {
    client.release();
    await endOf(child, ended);
    throw error;
  }
  const limit = new AbortController();
  const late = new Promise<string>((resolve) => {
    const timer = setTimeout(
      () => resolve(`did not start within ${options.seconds} s`),
      options.seconds * 1000,
    );
    limit.signal.addEventListener('abort', () => clearTimeout(timer));
  });
  let pid = 0;
  const ready = client.hello().then(() => {
    pid = bare ? child.pid! : firstPid(child.pid!);
    return pid > 0 ? undefined : `has no process that can be seen in /proc, of process ${child.pid}`;
  });
  const failure = await Promise.race([ready, ended, late]);
  limit.abort();
  if (failure !== undefined) {
    client.release();
    await endOf(child, ended);
    throw new SandboxError(`the sandbox ${failure}${await lastWords(options.dir)}`);
  }
  return {
    client,
    kernel: options.kernel,
    pid,
    destroy: async () => {
      control.destroy();
      await endOf(child, ended);
    },
  };
}

/** Milliseconds that a sandbox gets to end by itself when its control socket is closed. It takes some 10. */
const PATIENCE = 2000;

/**
 * Waits for the sandbox's end. One that is stopped, or is no bwrap at all, is killed: its process group has the process in front, PID 1 and
 * the agent, and with PID 1 goes everything else. One that was killed before PID 1 had begun has left it waiting.
 */
async function endOf(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  const kill = () => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      // It has just ended by itself.
    }
  };
  child.ref();
  const timer = setTimeout(kill, PATIENCE);
  await ended;
  clearTimeout(timer);
  kill();
}

/** Loaded only when needed: most sandboxes are on this machine's kernel. */
async function umlKeeper(options: StartOptions, walls: Walls, bare: boolean): Promise<string[]> {
  const { prepareGuest } = await import('./uml.ts');
  const files = sandboxFiles(options.dir);
  const kernel = await prepareGuest({
    dir: options.dir,
    node: process.execPath,
    agent: AGENT,
    netnsFolder: walls.netnsFolder,
    visible: hidden([
      ...walls.visible,
      ...(walls.resolver === undefined ? [] : foldersOf(walls.resolver.target)),
      walls.dir,
    ]).filter((path) => path !== walls.dir),
    memory: options.memory,
    cpu: options.cpu,
    ...(bare && { hosts: files.hosts }),
  });
  return [process.execPath, AGENT, bare ? 'lone-keeper' : 'keeper', files.socket, files.console, ...kernel];
}

/** Bytes of a log that are looked at. */
const LOG_END = 16 * 1024;

/** The end of a file. The lab's programs could have put a pipe in its place, or a link, or made it of any length. */
async function endOfFile(path: string): Promise<string> {
  await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  const info = await file.stat();
  if (!info.isFile()) return '';
  const from = Math.max(0, info.size - LOG_END);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(LOG_END), 0, LOG_END, from);
  return buffer.toString('utf8', 0, bytesRead);
}

/** The last lines that the sandbox's own programs wrote, to put behind an error. */
export async function lastWords(dir: string, lines = 8): Promise<string> {
  const files = sandboxFiles(dir);
  const texts = await Promise.all(
    [files.console, files.log].map(async (file) => endOfFile(file).catch(() => '')),
  );
  const last = texts
    .flatMap((text) => text.trimEnd().split('\n').slice(-lines))
    .filter((line) => line !== '');
  return last.length > 0 ? `:\n  ${last.join('\n  ')}` : '';
}

/**
 * The sandbox's PID 1, bwrap's one child; 0 when it cannot be seen. bwrap would tell it by itself, but one whose listener has just died dies of
 * telling, and leaves behind a child that waits for it for ever.
 */
function firstPid(monitor: number): number {
  try {
    return Number.parseInt(readFileSync(`/proc/${monitor}/task/${monitor}/children`, 'latin1'), 10) || 0;
  } catch {
    // A kernel without CONFIG_PROC_CHILDREN.
    return descendants(monitor)[0] ?? 0;
  }
}
