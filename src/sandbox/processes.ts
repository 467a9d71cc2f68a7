// The programs of a sandbox, seen from inside it: starts them in a node's network namespace, keeps the last of what they say, knows when
// they are ready and when they end. Used by the agent alone.
import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { constants } from 'node:os';
import {
  closeSync,
  constants as files,
  fstatSync,
  openSync,
  readFileSync,
  readlinkSync,
  writeSync,
} from 'node:fs';
import { basename } from 'node:path';
import { CONFINED } from './enclosure.ts';
import { descendants } from './family.ts';
import type { Ended, ReadyWhen, ServiceStatus, Spawn, Terminal } from './protocol.ts';

const TAIL = 8 * 1024;
/** Standard output of a `run` beyond this is dropped, and said so. */
const MAX_OUTPUT = 8 * 1024 * 1024;

/** A program to run; `confined` where it could undo the sandbox's walls otherwise. */
export interface Confined extends Spawn {
  readonly confined?: boolean;
}

/**
 * The argv that runs a program in a network namespace; `nsenter` in place of `ip netns exec` saves a mount namespace and a /sys mount each. A
 * confined program gets its environment behind the walls, from env(1): PATH or LD_PRELOAD would put code of its choice into nsenter and
 * setpriv, which can undo them.
 */
function inNamespace(spec: Confined): string[] {
  const argv = spec.confined === true ? [...CONFINED, ...settings(spec), ...spec.argv] : [...spec.argv];
  return spec.netns === undefined ? argv : ['nsenter', `--net=/run/netns/${spec.netns}`, '--', ...argv];
}

function settings({ environment = {} }: Spawn): string[] {
  const all = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  return all.length === 0 ? [] : ['env', '--', ...all];
}

function environmentOf(spec: Confined): NodeJS.ProcessEnv {
  return spec.confined === true ? process.env : { ...process.env, ...spec.environment };
}

function launch(spec: Confined, stdio: StdioOptions, detached = false): ChildProcess {
  const [program, ...args] = inNamespace(spec);
  return spawn(program!, args, { cwd: spec.cwd, env: environmentOf(spec), stdio, detached });
}

/** A program of the lab's has put another thing in the place of a file. */
export class NotPlain extends Error {
  constructor(path: string) {
    super(`${path} is no plain file: a program of the lab's has changed lblab's own files`);
  }
}

/** Opens a plain file for writing, made where it is not there. Opening a pipe that nobody reads would stop the agent, and with it the lab. */
export function openToWrite(path: string, flag = files.O_TRUNC): number {
  const flags = files.O_WRONLY | files.O_CREAT | files.O_NONBLOCK | files.O_NOFOLLOW | flag;
  let file: number;
  try {
    file = openSync(path, flags, 0o644);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw ['ENXIO', 'ELOOP', 'EISDIR'].includes(code ?? '') ? new NotPlain(path) : error;
  }
  if (fstatSync(file).isFile()) return file;
  closeSync(file);
  throw new NotPlain(path);
}

const openOutput = (path: string | undefined) => (path === undefined ? undefined : openToWrite(path));

class Tail {
  text = '';
  add(chunk: Buffer): void {
    this.text = (this.text + chunk.toString('utf8')).slice(-TAIL);
  }
}

/** Milliseconds that a program whose caller has gone gets to end by itself. */
const GRACE = 1000;

/** Ends a program that nobody waits for any more; one that does not obey, or is stopped, is killed. */
function endChild(
  child: ChildProcess,
  signal: NodeJS.Signals = 'SIGTERM',
  kill = () => child.kill('SIGKILL'),
): void {
  child.kill(signal);
  const timer = setTimeout(kill, GRACE);
  child.once('exit', () => clearTimeout(timer));
}

/** Resolves when the child has ended and its streams are read to the end. */
async function ending(child: ChildProcess, tail: Tail): Promise<Ended> {
  return new Promise((resolve) => {
    child.once('error', (error) =>
      resolve({ code: null, signal: null, stderr: tail.text, error: error.message }),
    );
    child.once('close', (code, signal) => resolve({ code, signal, stderr: tail.text }));
  });
}

/**
 * Runs a program to its end. `seconds` is a limit: past it the program is killed and the error says so. `started` gets what ends it
 * earlier.
 */
export async function runToEnd(
  spec: Confined,
  stdin: Buffer,
  seconds: number,
  started?: (end: () => void) => void,
): Promise<{ ended: Ended; stdout: Buffer }> {
  const file = openOutput(spec.stdout);
  const child = launch(spec, ['pipe', file ?? 'pipe', 'pipe']);
  if (file !== undefined) closeSync(file);
  const tail = new Tail();
  const output: Buffer[] = [];
  let size = 0;
  child.stderr!.on('data', (chunk: Buffer) => tail.add(chunk));
  child.stdout?.on('data', (chunk: Buffer) => {
    if (size < MAX_OUTPUT) output.push(chunk.subarray(0, MAX_OUTPUT - size));
    size += chunk.length;
  });
  // A program may end without reading its input: that is its business, not an error of ours.
  child.stdin!.on('error', () => {});
  child.stdin!.end(stdin);
  started?.(() => endChild(child));
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill('SIGKILL');
  }, seconds * 1000);
  const ended = await ending(child, tail);
  clearTimeout(timer);
  if (late)
    return { ended: { ...ended, error: `not finished after ${seconds} s` }, stdout: Buffer.concat(output) };
  return { ended, stdout: Buffer.concat(output) };
}

/** Whether a TCP port listens in the network namespace of a process (proc(5), /proc/pid/net/tcp; state 0A is TCP_LISTEN). */
export function listens(pid: number, port: number): boolean {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  for (const table of ['tcp', 'tcp6']) {
    let text: string;
    try {
      text = readFileSync(`/proc/${pid}/net/${table}`, 'latin1');
    } catch {
      continue;
    }
    for (const line of text.split('\n')) {
      const fields = line.trim().split(/ +/);
      if (fields[3] === '0A' && fields[1]?.endsWith(local) === true) return true;
    }
  }
  return false;
}

/** Whether nsenter, setpriv and env have made way for the program that it was to start. */
function hasEntered(pid: number): boolean {
  try {
    return !['nsenter', 'setpriv', 'env'].includes(basename(readlinkSync(`/proc/${pid}/exe`)));
  } catch {
    return false;
  }
}

/** A program that stays. Its standard error goes to a file and, the last of it, into memory. */
export class Service {
  readonly name: string;
  readonly spec: Confined;
  readonly ended: Promise<Ended>;
  #state: ServiceStatus['state'] = 'starting';
  #end: Ended | undefined;
  readonly #child: ChildProcess;
  readonly #tail = new Tail();

  constructor(name: string, spec: Confined, stderrPath: string) {
    this.name = name;
    this.spec = spec;
    const log = openToWrite(stderrPath, files.O_APPEND);
    let stdout: number | undefined;
    try {
      stdout = openOutput(spec.stdout);
    } catch (error) {
      closeSync(log);
      throw error;
    }
    this.#child = launch(spec, ['ignore', stdout ?? log, 'pipe']);
    if (stdout !== undefined) closeSync(stdout);
    this.#child.stderr!.on('data', (chunk: Buffer) => {
      this.#tail.add(chunk);
      try {
        writeSync(log, chunk);
      } catch {
        // A full disk must not end the agent; the tail in memory still has the program's last words.
      }
    });
    this.ended = ending(this.#child, this.#tail).then((ended) => {
      closeSync(log);
      this.#state = 'ended';
      this.#end = ended;
      return ended;
    });
  }

  get status(): ServiceStatus {
    return {
      name: this.name,
      netns: this.spec.netns,
      argv: this.spec.argv,
      pid: this.#child.pid ?? 0,
      state: this.#state,
      ...(this.#end && { ended: this.#end }),
    };
  }

  /** SIGKILL is for all that the program has started too: a server's children would go on serving without it. */
  signal(signal: string): void {
    const { pid } = this.#child;
    const others = signal === 'SIGKILL' && pid !== undefined ? descendants(pid) : [];
    this.#child.kill(signal as NodeJS.Signals);
    for (const other of others) {
      try {
        process.kill(other, 'SIGKILL');
      } catch {
        // It has ended with its parent.
      }
    }
  }

  /** Ends a service whose caller has gone. */
  end(): void {
    endChild(this.#child, 'SIGTERM', () => {
      this.signal('SIGKILL');
      return true;
    });
  }

  /** Waits until the service is ready. Throws when it ends first or the limit passes, with its own last words. */
  async ready(when: ReadyWhen, seconds: number): Promise<void> {
    if (this.#child.pid === undefined) throw new NotReady('could not be started', await this.ended);
    await this.#until(when, seconds);
    if (this.#state === 'starting') this.#state = 'ready';
  }

  async #until(when: ReadyWhen, seconds: number): Promise<void> {
    const deadline = performance.now() + seconds * 1000;
    const what =
      'tcp' in when
        ? `TCP port ${when.tcp} to listen`
        : 'http' in when
          ? `an answer from ${when.http}`
          : 'stderr' in when
            ? `"${when.stderr}"`
            : 'its start';
    for (;;) {
      // An ended program is seen before its readiness is: a forking daemon's port must not hide that it left the foreground.
      if (this.#end !== undefined) throw new NotReady('ended before it was ready', this.#end);
      if (await this.#isReady(when)) return;
      if (performance.now() > deadline) {
        throw new NotReady(`waited ${seconds} s for ${what}`, {
          code: null,
          signal: null,
          stderr: this.#tail.text,
        });
      }
      await this.#pause('stderr' in when ? 50 : 3);
    }
  }

  async #isReady(when: ReadyWhen): Promise<boolean> {
    if ('started' in when) return this.spec.netns === undefined || hasEntered(this.#child.pid!);
    if ('stderr' in when) return this.#tail.text.includes(when.stderr);
    if ('tcp' in when) return listens(this.#child.pid!, when.tcp);
    const argv = ['curl', '--silent', '--output', '/dev/null', '--max-time', '2', '--', when.http];
    const { ended } = await runToEnd(
      { argv, netns: this.spec.netns, cwd: '/', confined: this.spec.confined },
      Buffer.alloc(0),
      3,
    );
    return ended.code === 0;
  }

  /** A moment, cut short by the program's end or its next words. */
  async #pause(milliseconds: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const stderr = this.#child.stderr!;
      const done = () => {
        clearTimeout(timer);
        stderr.off('data', done);
        resolve();
      };
      const timer = setTimeout(done, milliseconds);
      stderr.once('data', done);
      void this.ended.then(done);
    });
  }
}

/** A service that did not come up. */
export class NotReady extends Error {
  readonly ended: Ended;
  constructor(message: string, ended: Ended) {
    super(message);
    this.ended = ended;
  }
}

/** A program attached to a caller: its streams flow as they come. */
export interface Attached {
  write(data: Buffer, taken: () => void): void;
  end(): void;
  resize(columns: number, rows: number): void;
  kill(signal: string): void;
  pause(): void;
  resume(): void;
}

interface Sinks {
  readonly output: (stream: 'stdout' | 'stderr', data: Buffer) => void;
  readonly ended: (ended: Ended) => void;
}

/** Starts a program whose streams belong to a caller, on a terminal of its own when one is asked for. */
export async function attach(
  spec: Confined,
  terminal: Terminal | undefined,
  sinks: Sinks,
): Promise<Attached> {
  return terminal === undefined ? attachPipes(spec, sinks) : attachTerminal(spec, terminal, sinks);
}

function attachPipes(spec: Confined, sinks: Sinks): Attached {
  // A process group of its own: what a shell has started hears a signal too, as it would on a terminal.
  const child = launch(spec, ['pipe', 'pipe', 'pipe'], true);
  const kill = (signal: string) => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, signal);
    } catch {
      // All of it has ended.
    }
  };
  const tail = new Tail();
  child.stdout!.on('data', (chunk: Buffer) => sinks.output('stdout', chunk));
  child.stderr!.on('data', (chunk: Buffer) => sinks.output('stderr', chunk));
  child.stdin!.on('error', () => {});
  void ending(child, tail).then(sinks.ended);
  return {
    write: (data, taken) => child.stdin!.write(data, () => taken()),
    end: () => child.stdin!.end(),
    resize: () => {},
    kill,
    pause: () => {
      child.stdout!.pause();
      child.stderr!.pause();
    },
    resume: () => {
      child.stdout!.resume();
      child.stderr!.resume();
    },
  };
}

async function attachTerminal(spec: Confined, terminal: Terminal, sinks: Sinks): Promise<Attached> {
  const { spawn: spawnOnTerminal } = await import('@lydell/node-pty');
  const [program, ...args] = inNamespace(spec);
  const child = spawnOnTerminal(program!, args, {
    name: terminal.term,
    cols: terminal.columns,
    rows: terminal.rows,
    cwd: spec.cwd,
    env: environmentOf(spec),
    encoding: null,
  });
  child.onData((data) => sinks.output('stdout', data as unknown as Buffer));
  child.onExit(({ exitCode, signal }) =>
    sinks.ended({ code: signal ? null : exitCode, signal: signal ? signalName(signal) : null, stderr: '' }),
  );
  return {
    write: (data, taken) => {
      child.write(data as unknown as string);
      taken();
    },
    // A terminal's end of input is the character that the line discipline takes for it (termios(3), VEOF).
    end: () => child.write('\x04'),
    resize: (columns, rows) => child.resize(columns, rows),
    kill: (signal) => child.kill(signal),
    pause: () => child.pause(),
    resume: () => child.resume(),
  };
}

function signalName(number: number): string {
  return Object.entries(constants.signals).find(([, value]) => value === number)?.[0] ?? `signal ${number}`;
}
