// The process inside a sandbox that does what the command line asks for. It is its own program (dist/agent.js) with three parts:
//   host     in a sandbox on this machine's kernel: takes requests and runs them
//   keeper   in front of a user-mode kernel (keeper.ts); a `lone-keeper` has no walls around it
//   guest    in the user-mode kernel, at the other end of its serial line
// Until the lab is committed as up, the end of the control socket (descriptor 3) is the end of the sandbox.
import { closeSync, constants, mkdirSync, openSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { ReadStream, WriteStream } from 'node:tty';
import { CONTROL, end, Front, type Message, type Send } from './front.ts';
import { keeper, LINE_CHANNEL } from './keeper.ts';
import {
  attach,
  NotPlain,
  NotReady,
  openToWrite,
  runToEnd,
  Service,
  type Attached,
  type Confined,
} from './processes.ts';
import {
  Decoder,
  encode,
  WINDOW,
  type Control,
  type Envelope,
  type Reply,
  type Request,
  type Spawn,
} from './protocol.ts';

interface Session {
  attached?: Attached;
  /** Requests that came before the program had started. */
  waiting: (() => void)[];
  outstanding: number;
}

/** Runs requests. Knows programs, not how its messages travel. */
class Agent {
  readonly #send: Send;
  readonly #services = new Map<string, Service>();
  readonly #sessions = new Map<string, Session>();
  /** What is held, by which caller, under which name. */
  readonly #held = new Map<string, { channel: number; holder: string }>();
  /** By caller: what ends the programs that end with it. */
  readonly #bound = new Map<number, Set<() => void>>();

  /** Whether walls stand around it that its programs could undo. */
  readonly #isWalled: boolean;

  constructor(send: Send, isWalled: boolean) {
    this.#send = send;
    this.#isWalled = isWalled;
  }

  /**
   * The lab is wired, from outside the nodes, by the command that makes it. What runs in a node, and what anybody else asks for (the lab's own
   * programs can reach the socket, too), goes without what would undo the walls.
   */
  #confine(channel: number, spec: Spawn): Confined {
    return { ...spec, confined: this.#isWalled && (spec.netns !== undefined || channel !== CONTROL) };
  }

  handle(envelope: Envelope<Message>, data: Buffer): void {
    const { channel, id, message } = envelope;
    const reply = (answer: Reply, bytes?: Uint8Array) => this.#send(channel, id, answer, bytes);
    this.#perform(channel, id, message, data, reply).catch((error: unknown) => {
      reply({
        event: 'failed',
        message: error instanceof Error ? error.message : String(error),
        ...(error instanceof NotReady && { ended: error.ended }),
        ...(error instanceof NotPlain && { changed: true }),
      });
    });
  }

  async #perform(
    channel: number,
    id: number,
    message: Message,
    data: Buffer,
    reply: (answer: Reply, bytes?: Uint8Array) => void,
  ): Promise<void> {
    switch (message.op) {
      case 'run': {
        let release = () => {};
        const { ended, stdout } = await runToEnd(
          this.#confine(channel, message.spawn),
          data,
          message.seconds,
          (end) => {
            release = this.#bind(channel, end);
          },
        );
        release();
        return reply({ event: 'ended', ended }, stdout);
      }
      case 'start': {
        const old = this.#services.get(message.name);
        if (old !== undefined && old.status.state !== 'ended') throw new Error(`${message.name} is running`);
        const service = new Service(message.name, this.#confine(channel, message.spawn), message.stderr);
        this.#services.set(message.name, service);
        if (message.bound === true) {
          void service.ended.then(this.#bind(channel, () => service.end()));
        }
        await service.ready(message.ready, message.seconds);
        void service.ended.then(() => this.#send(-1, 0, { event: 'died', service: service.status }));
        return reply({ event: 'ok' });
      }
      case 'signal':
        this.#service(message.name).signal(message.signal);
        return reply({ event: 'ok' });
      case 'wait': {
        const limit = new Promise<never>((_, reject) => {
          setTimeout(
            () => reject(new Error(`${message.name} has not ended after ${message.seconds} s`)),
            message.seconds * 1000,
          ).unref();
        });
        return reply({
          event: 'ended',
          ended: await Promise.race([this.#service(message.name).ended, limit]),
        });
      }
      case 'services':
        return reply({
          event: 'services',
          services: [...this.#services.values()].map((service) => service.status),
        });
      case 'clock':
        return reply({ event: 'clock', milliseconds: performance.timeOrigin + performance.now() });
      case 'write': {
        mkdirSync(dirname(message.path), { recursive: true });
        const file = openToWrite(message.path);
        try {
          writeFileSync(file, data);
        } finally {
          closeSync(file);
        }
        return reply({ event: 'ok' });
      }
      case 'remove':
        for (const path of message.paths) rmSync(path, { recursive: true, force: true });
        return reply({ event: 'ok' });
      case 'hold': {
        const held = this.#held.get(message.what);
        if (held !== undefined) return reply({ event: 'held', holder: held.holder });
        this.#held.set(message.what, { channel, holder: message.holder });
        return reply({ event: 'ok' });
      }
      case 'let-go':
        if (this.#held.get(message.what)?.channel === channel) this.#held.delete(message.what);
        return reply({ event: 'ok' });
      case 'exec':
        return this.#exec(channel, id, message, reply);
      case 'closed':
        for (const [what, held] of this.#held) if (held.channel === channel) this.#held.delete(what);
        for (const end of this.#bound.get(channel) ?? []) end();
        this.#bound.delete(channel);
        for (const [key, session] of this.#sessions) {
          if (!key.startsWith(`${channel}/`)) continue;
          // As the kernel does when a session's leader goes: one that is stopped must hear it, too.
          session.attached?.kill('SIGHUP');
          session.attached?.kill('SIGCONT');
        }
        return;
      case 'commit':
        return reply({ event: 'ok' });
      default:
        return this.#control(`${channel}/${id}`, message, data, reply);
    }
  }

  /** Notes what ends a program when its caller goes; returns what forgets it. */
  #bind(channel: number, end: () => void): () => void {
    const ends = this.#bound.get(channel) ?? new Set();
    this.#bound.set(channel, ends.add(end));
    return () => ends.delete(end);
  }

  #service(name: string): Service {
    const service = this.#services.get(name);
    if (service === undefined) throw new Error(`no service ${name}`);
    return service;
  }

  async #exec(
    channel: number,
    id: number,
    message: Extract<Request, { op: 'exec' }>,
    reply: (answer: Reply, bytes?: Uint8Array) => void,
  ): Promise<void> {
    const session: Session = { waiting: [], outstanding: 0 };
    const key = `${channel}/${id}`;
    this.#sessions.set(key, session);
    session.attached = await attach(this.#confine(channel, message.spawn), message.terminal, {
      output: (stream, bytes) => {
        session.outstanding += bytes.length;
        if (session.outstanding > WINDOW) session.attached?.pause();
        reply({ event: stream }, bytes);
      },
      ended: (ended) => {
        this.#sessions.delete(key);
        reply({ event: 'ended', ended });
      },
    });
    for (const act of session.waiting) act();
  }

  #control(key: string, message: Control, data: Buffer, reply: (answer: Reply) => void): void {
    const session = this.#sessions.get(key);
    if (session === undefined) return;
    const act = () => {
      const program = session.attached!;
      if (message.op === 'stdin') program.write(data, () => reply({ event: 'taken', bytes: data.length }));
      else if (message.op === 'stdin-end') program.end();
      else if (message.op === 'resize') program.resize(message.columns, message.rows);
      else if (message.op === 'kill') program.kill(message.signal);
      else if (message.op === 'taken') {
        session.outstanding -= message.bytes;
        if (session.outstanding <= WINDOW) program.resume();
      }
    };
    if (session.attached === undefined) session.waiting.push(act);
    else act();
  }
}

function host(socketPath: string): void {
  const agent = new Agent((...args) => front.send(...args), true);
  const front = new Front(socketPath, (envelope, data) => agent.handle(envelope, data));
  front.send(-1, 0, { event: 'hello' });
}

function guest(line: string, netnsFolder: string): void {
  mkdirSync(`/run/${netnsFolder}`, { recursive: true });
  symlinkSync(netnsFolder, '/run/netns');
  const output = new WriteStream(openSync(line, constants.O_WRONLY | constants.O_NOCTTY));
  const agent = new Agent((channel, id, reply, data) => {
    output.write(encode({ channel, id, message: reply }, data));
  }, false);
  const decoder = new Decoder<Message>((envelope, data) => agent.handle(envelope, data));
  // As a terminal the line is read by the event loop; as a file each 4 KiB would take a turn of the thread pool.
  const input = new ReadStream(openSync(line, constants.O_RDONLY | constants.O_NOCTTY));
  input.on('data', (chunk) => {
    output.write(encode({ channel: LINE_CHANNEL, id: 0, message: { event: 'taken', bytes: chunk.length } }));
    decoder.push(chunk);
  });
  // The keeper has gone: nobody is left to serve.
  input.on('close', end);
  input.on('error', end);
  output.write(encode({ channel: -1, id: 0, message: { event: 'hello' } }));
}

const [part, ...rest] = process.argv.slice(2);
// A caller that goes away in mid-sentence is no reason to end.
process.on('SIGPIPE', () => {});
process.on('SIGHUP', () => {});
if (part === 'host') host(rest[0]!);
else if (part === 'keeper' || part === 'lone-keeper')
  keeper(rest[0]!, rest[1]!, rest.slice(2), part === 'lone-keeper');
else if (part === 'guest') guest(rest[0]!, rest[1]!);
else throw new Error(`unknown part ${part}`);
