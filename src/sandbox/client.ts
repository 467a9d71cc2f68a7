// A sandbox as the rest of lblab sees it: run a program, start one that stays, attach to one, end it all. It does not show which kernel is
// behind it. Talks to the agent over one socket.
import { EventEmitter } from 'node:events';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import {
  encode,
  receive,
  WINDOW,
  type Control,
  type Ended,
  type ReadyWhen,
  type Reply,
  type Request,
  type ServiceStatus,
  type Spawn,
  type Terminal,
} from './protocol.ts';

/** Output is told to be taken in steps of so many bytes, far fewer than the window: a message for each piece would cost more than the piece. */
const TOLD = WINDOW / 16;

/** Something inside the sandbox failed; `ended` has the program's own words when there was one. */
export class SandboxError extends Error {
  readonly ended?: Ended;
  constructor(message: string, ended?: Ended) {
    super(message);
    this.name = 'SandboxError';
    this.ended = ended;
  }
}

/** A program of the lab's has changed what lblab works with: nothing can be said of the lab. */
export class ChangedError extends SandboxError {
  /** The exit code that the command line ends with. */
  readonly exitCode = 4;
}

/** Streams of an attached program; writing obeys the receiver's window. */
export interface Attachment {
  /** Sends standard input; resolves when there is room for more. */
  write(data: Buffer): Promise<void>;
  end(): void;
  resize(columns: number, rows: number): void;
  kill(signal: string): void;
  readonly ended: Promise<Ended>;
}

/** Seconds that an agent may take to answer, beyond what the work itself may. */
const PATIENCE = 10;

type Listener = (reply: Reply, data: Buffer) => void;

/**
 * Events: `died` (a service ended by itself, with its ServiceStatus) and `lost` (the sandbox ended, with an Error).
 */
export class SandboxClient extends EventEmitter<{ died: [ServiceStatus]; lost: [Error] }> {
  readonly #socket: Socket;
  readonly #listeners = new Map<number, Listener>();
  #next = 1;
  #lost: Error | undefined;
  readonly #hello: Promise<void>;

  constructor(socket: Socket) {
    super();
    this.#socket = socket;
    let greet: () => void;
    this.#hello = new Promise((resolve) => (greet = resolve));
    receive<Reply>(socket, ({ id, message }, data) => {
      if (message.event === 'hello') greet();
      else if (message.event === 'died') this.emit('died', message.service);
      else this.#listeners.get(id)?.(message, data);
    });
    socket.on('close', () => {
      this.#lost = new SandboxError('the sandbox ended');
      for (const listener of this.#listeners.values())
        listener({ event: 'failed', message: this.#lost.message }, Buffer.alloc(0));
      this.#listeners.clear();
      this.emit('lost', this.#lost);
    });
  }

  /** Resolves when the agent has said that it takes requests; only the socket that made the sandbox hears it. */
  async hello(): Promise<void> {
    await this.#hello;
  }

  get lost(): boolean {
    return this.#lost !== undefined;
  }

  /** Runs a program to its end, within `seconds`. Throws SandboxError only when it could not be run to its end. */
  async run(
    spawn: Spawn,
    stdin: string | Uint8Array = '',
    seconds = 30,
  ): Promise<{ ended: Ended; stdout: Buffer }> {
    const { reply, data } = await this.#ask({ op: 'run', spawn, seconds }, Buffer.from(stdin));
    if (reply.event !== 'ended') throw new SandboxError('unexpected reply');
    return { ended: reply.ended, stdout: data };
  }

  /**
   * Starts a program that stays; resolves when it is ready, throws SandboxError when it ends first or takes longer than `seconds`. With
   * `bound` it ends when this client goes.
   */
  async start(
    name: string,
    spawn: Spawn,
    ready: ReadyWhen,
    stderr: string,
    seconds: number,
    bound = false,
  ): Promise<void> {
    await this.#ask({ op: 'start', name, spawn, ready, stderr, seconds, bound });
  }

  async signal(name: string, signal: string): Promise<void> {
    await this.#ask({ op: 'signal', name, signal });
  }

  /** Waits for a service's end. */
  async wait(name: string, seconds: number): Promise<Ended> {
    const { reply } = await this.#ask({ op: 'wait', name, seconds });
    if (reply.event !== 'ended') throw new SandboxError('unexpected reply');
    return reply.ended;
  }

  async services(): Promise<readonly ServiceStatus[]> {
    const { reply } = await this.#ask({ op: 'services' });
    return reply.event === 'services' ? reply.services : [];
  }

  /** Milliseconds since the epoch, by the clock that the sandbox's captures have too. */
  async clock(): Promise<number> {
    const { reply } = await this.#ask({ op: 'clock' });
    if (reply.event !== 'clock') throw new SandboxError('unexpected reply');
    return reply.milliseconds;
  }

  /** Writes a file in the lab's folder, with the folders on its way. Not from outside: the lab's programs can put links in the way. */
  async write(path: string, content: string): Promise<void> {
    await this.#ask({ op: 'write', path }, Buffer.from(content));
  }

  /** Removes files and folders in the lab's folder; those that are not there are fine. */
  async remove(...paths: readonly string[]): Promise<void> {
    await this.#ask({ op: 'remove', paths });
  }

  /** Takes hold of something until it is let go, or this client goes. Resolves with the holder's name when another has it. */
  async hold(what: string, holder: string): Promise<string | undefined> {
    const { reply } = await this.#ask({ op: 'hold', what, holder });
    return reply.event === 'held' ? reply.holder : undefined;
  }

  async letGo(what: string): Promise<void> {
    await this.#ask({ op: 'let-go', what });
  }

  /** From here on the sandbox outlives this process. */
  async commit(): Promise<void> {
    await this.#ask({ op: 'commit' });
  }

  /** Attaches to a program; `output` may return a promise to slow it down. */
  attach(
    spawn: Spawn,
    output: (stream: 'stdout' | 'stderr', data: Buffer) => void | Promise<void>,
    terminal?: Terminal,
  ): Attachment {
    const id = this.#next++;
    const send = (message: Request | Control, data?: Uint8Array) => this.#send(id, message, data);
    let outstanding = 0;
    let taken = 0;
    let room: (() => void) | undefined;
    const ended = new Promise<Ended>((resolve, reject) => {
      this.#listeners.set(id, (reply, data) => {
        if (reply.event === 'stdout' || reply.event === 'stderr') {
          void Promise.resolve(output(reply.event, data)).then(() => {
            taken += data.length;
            if (taken < TOLD) return;
            send({ op: 'taken', bytes: taken });
            taken = 0;
          });
        } else if (reply.event === 'taken') {
          outstanding -= reply.bytes;
          if (outstanding < WINDOW) room?.();
        } else {
          this.#listeners.delete(id);
          if (reply.event === 'ended') resolve(reply.ended);
          else reject(new SandboxError(reply.event === 'failed' ? reply.message : 'unexpected reply'));
        }
      });
    });
    send({ op: 'exec', spawn, terminal });
    return {
      ended,
      write: async (data) => {
        for (let at = 0; at < data.length; at += 64 * 1024) {
          const part = data.subarray(at, at + 64 * 1024);
          outstanding += part.length;
          send({ op: 'stdin' }, part);
          if (outstanding >= WINDOW)
            await Promise.race([new Promise<void>((resolve) => (room = resolve)), ended]);
        }
      },
      end: () => send({ op: 'stdin-end' }),
      resize: (columns, rows) => send({ op: 'resize', columns, rows }),
      kill: (signal) => send({ op: 'kill', signal }),
    };
  }

  /** Ends the sandbox and everything in it; resolves when the agent has gone. */
  async destroy(): Promise<void> {
    if (this.lost) return;
    const gone = new Promise<void>((resolve) => this.once('lost', () => resolve()));
    this.#socket.write(encode({ channel: 0, id: 0, message: { op: 'destroy' } }));
    await gone;
  }

  /** Lets go of the sandbox without ending it. */
  release(): void {
    this.#socket.destroy();
  }

  #send(id: number, message: Request | Control, data?: Uint8Array): void {
    this.#socket.write(encode({ channel: 0, id, message }, data));
  }

  /** Asks, and waits for the answer somewhat longer than the agent itself waits: past that the sandbox hangs. */
  async #ask(message: Request, data?: Uint8Array): Promise<{ reply: Reply; data: Buffer }> {
    if (this.#lost !== undefined) throw this.#lost;
    const id = this.#next++;
    const limit = ('seconds' in message ? message.seconds : 0) + PATIENCE;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#listeners.delete(id);
        reject(new SandboxError(`the sandbox does not answer: waited ${limit} s for ${message.op}`));
      }, limit * 1000);
      this.#listeners.set(id, (reply, bytes) => {
        clearTimeout(timer);
        this.#listeners.delete(id);
        if (reply.event === 'failed')
          reject(new (reply.changed === true ? ChangedError : SandboxError)(reply.message, reply.ended));
        else resolve({ reply, data: bytes });
      });
      this.#send(id, message, data);
    });
  }
}

/** <asm-generic/fcntl.h>: a descriptor of the file itself, whatever it is (open(2)). */
const O_PATH = 0o10000000;

/**
 * Connects to the agent of a lab that is up. Throws when nothing listens there: the lab has ended. A symbolic link that the lab's programs have
 * put there, which may lead to another lab's agent, is not followed.
 */
export async function connectTo(socketPath: string): Promise<SandboxClient> {
  await using file = await open(socketPath, O_PATH | constants.O_NOFOLLOW);
  if (!(await file.stat()).isSocket()) throw new SandboxError(`${socketPath} is no socket`);
  const socket = connect(`/proc/self/fd/${file.fd}`);
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  return new SandboxClient(socket);
}
