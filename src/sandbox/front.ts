// Where callers of a sandbox come in: the command that made it, and whoever finds its socket. Knows who is there, not what they ask for; ends
// the sandbox when nobody can come any more.
import { lstatSync, watch } from 'node:fs';
import { createServer, Socket } from 'node:net';
import { encode, receive, type Control, type Envelope, type Reply, type Request } from './protocol.ts';

export type Message = Request | Control;
export type Send = (channel: number, id: number, reply: Reply, data?: Uint8Array) => void;
type Handle = (envelope: Envelope<Message>, data: Buffer) => void;

/** The channel of the command that made the sandbox. */
export const CONTROL = 1;

/** Ends this process and with it the sandbox: everything in its pid namespace dies. */
export function end(): never {
  process.exit(0);
}

/**
 * Ends the sandbox when its socket is removed, as nobody could reach it any more: the folders that labs are in by default are cleared at
 * logout and by those who clean /tmp. Unlinking a file changes its attributes (inotify(7), IN_ATTRIB). What a program of the lab's has put in its
 * place does not count: a lab is not ended that way.
 */
function endWith(socketPath: string): void {
  const look = () => {
    if (lstatSync(socketPath, { throwIfNoEntry: false }) === undefined) end();
  };
  try {
    watch(socketPath, look).on('error', () => {});
  } catch {
    // The user has no inotify instance left, or it has gone already.
  }
  look();
}

/** Takes callers: the command that made the sandbox, on descriptor 3, and later ones on a Unix socket. */
export class Front {
  readonly #sockets = new Map<number, Socket>();
  #committed = false;
  #next = CONTROL;
  readonly #handle: Handle;

  constructor(socketPath: string, handle: Handle) {
    this.#handle = handle;
    this.#take(new Socket({ fd: 3 }), true);
    const server = createServer((socket) => this.#take(socket, false));
    server.listen(socketPath, () => endWith(socketPath));
  }

  /** Sends to one caller, or to all (channel -1). A caller that has gone misses nothing that it asked for. */
  readonly send: Send = (channel, id, reply, data) => {
    const frame = encode({ channel: 0, id, message: reply }, data);
    if (channel === -1) for (const socket of this.#sockets.values()) socket.write(frame);
    else this.#sockets.get(channel)?.write(frame);
  };

  #take(socket: Socket, control: boolean): void {
    const channel = this.#next++;
    this.#sockets.set(channel, socket);
    receive<Message | { op: 'destroy' }>(socket, ({ id, message }, data) => {
      if (message.op === 'destroy') end();
      if (message.op === 'commit') this.#committed = true;
      this.#handle({ channel, id, message }, data);
    });
    socket.on('close', () => {
      this.#sockets.delete(channel);
      if (control && !this.#committed) end();
      this.#handle({ channel, id: 0, message: { op: 'closed' } }, Buffer.alloc(0));
    });
  }
}
