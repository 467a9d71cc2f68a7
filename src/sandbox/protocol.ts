// What the command line and the agent inside a sandbox say to each other: frames of a JSON message and raw bytes, over any byte stream (an
// inherited socket, a Unix socket, a user-mode kernel's serial line). Nothing here starts anything.
import type { Socket } from 'node:net';

/** Bytes of a stream that may be under way before the receiver says it has taken them: bounds memory at both ends. */
export const WINDOW = 1024 * 1024;
/** A frame larger than this is a broken peer, not data. */
const MAX_FRAME = 16 * 1024 * 1024;

export interface Spawn {
  readonly argv: readonly string[];
  /** Name of the network namespace under /run/netns; the sandbox's own when left out. */
  readonly netns?: string;
  /** Absolute working directory. */
  readonly cwd: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Absolute path of a file that takes standard output. */
  readonly stdout?: string;
}

export type ReadyWhen =
  | { readonly tcp: number }
  | { readonly http: string }
  | { readonly stderr: string }
  | { readonly started: true };

export interface Terminal {
  readonly columns: number;
  readonly rows: number;
  readonly term: string;
}

/** How a program ended; `error` when it could not be started at all. */
export interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  /** The last of what it wrote to standard error, at most 8 KiB. */
  readonly stderr: string;
  readonly error?: string;
}

export interface ServiceStatus {
  readonly name: string;
  readonly netns?: string;
  readonly argv: readonly string[];
  readonly pid: number;
  readonly state: 'starting' | 'ready' | 'ended';
  readonly ended?: Ended;
}

export type Request =
  | { readonly op: 'run'; readonly spawn: Spawn; readonly seconds: number }
  | {
      readonly op: 'start';
      readonly name: string;
      readonly spawn: Spawn;
      readonly stderr: string;
      readonly ready: ReadyWhen;
      readonly seconds: number;
      /** It ends when its caller goes, as a capture does; else it stays until the sandbox ends. */
      readonly bound?: boolean;
    }
  | { readonly op: 'signal'; readonly name: string; readonly signal: string }
  | { readonly op: 'wait'; readonly name: string; readonly seconds: number }
  | { readonly op: 'services' }
  | { readonly op: 'clock' }
  /** Writes a file, with the folders on its way: inside, where a symbolic link that the lab's programs left leads nowhere. */
  | { readonly op: 'write'; readonly path: string }
  | { readonly op: 'remove'; readonly paths: readonly string[] }
  /** What one caller at a time may do, such as to capture. Its end lets go. Fails with the holder's words about itself. */
  | { readonly op: 'hold'; readonly what: string; readonly holder: string }
  | { readonly op: 'let-go'; readonly what: string }
  | { readonly op: 'exec'; readonly spawn: Spawn; readonly terminal?: Terminal }
  | { readonly op: 'commit' };

/** To a running `exec`. */
export type Control =
  | { readonly op: 'stdin' }
  | { readonly op: 'stdin-end' }
  | { readonly op: 'taken'; readonly bytes: number }
  | { readonly op: 'resize'; readonly columns: number; readonly rows: number }
  | { readonly op: 'kill'; readonly signal: string }
  | { readonly op: 'closed' };

export type Reply =
  | { readonly event: 'ended'; readonly ended: Ended }
  | { readonly event: 'ok' }
  /** Somebody else holds what was asked for. */
  | { readonly event: 'held'; readonly holder: string }
  | { readonly event: 'services'; readonly services: readonly ServiceStatus[] }
  /** Milliseconds since the epoch by the sandbox's own clock. */
  | { readonly event: 'clock'; readonly milliseconds: number }
  /** `changed`: a program of the lab's has put another thing in the place of a file of lblab's. */
  | {
      readonly event: 'failed';
      readonly message: string;
      readonly ended?: Ended;
      readonly changed?: boolean;
    }
  | { readonly event: 'stdout' }
  | { readonly event: 'stderr' }
  | { readonly event: 'taken'; readonly bytes: number }
  /** The agent is up and takes requests (id 0). */
  | { readonly event: 'hello' }
  /** A service ended by itself (id 0). */
  | { readonly event: 'died'; readonly service: ServiceStatus };

/** `channel` tells one client of a shared line from another; `id` one request of a client from another. */
export interface Envelope<T> {
  readonly channel: number;
  readonly id: number;
  readonly message: T;
}

/** One frame: length of the rest, length of the JSON part (both 32 bits, big-endian), JSON, bytes. */
export function encode(envelope: Envelope<unknown>, data?: Uint8Array): Buffer {
  const json = Buffer.from(JSON.stringify([envelope.channel, envelope.id, envelope.message]));
  const frame = Buffer.allocUnsafe(8 + json.length + (data?.length ?? 0));
  frame.writeUInt32BE(4 + json.length + (data?.length ?? 0), 0);
  frame.writeUInt32BE(json.length, 4);
  json.copy(frame, 8);
  if (data !== undefined) frame.set(data, 8 + json.length);
  return frame;
}

/** Cuts a byte stream back into frames. Throws on a length that no peer of ours sends. */
export class Decoder<T> {
  #chunks: Buffer[] = [];
  #size = 0;
  readonly #deliver: (envelope: Envelope<T>, data: Buffer) => void;

  constructor(deliver: (envelope: Envelope<T>, data: Buffer) => void) {
    this.#deliver = deliver;
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    while (this.#size >= 8) {
      const head = this.#peek(8);
      const length = head.readUInt32BE(0);
      const jsonLength = head.readUInt32BE(4);
      if (length > MAX_FRAME || jsonLength + 4 > length)
        throw new Error('broken frame on the control channel');
      if (this.#size < 4 + length) return;
      const frame = this.#take(4 + length);
      const [channel, id, message] = JSON.parse(frame.toString('utf8', 8, 8 + jsonLength)) as [
        number,
        number,
        T,
      ];
      this.#deliver({ channel, id, message }, frame.subarray(8 + jsonLength));
    }
  }

  #peek(length: number): Buffer {
    if (this.#chunks[0]!.length < length) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0]!;
  }

  #take(length: number): Buffer {
    const all = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks);
    const rest = all.subarray(length);
    this.#chunks = rest.length > 0 ? [rest] : [];
    this.#size -= length;
    return all.subarray(0, length);
  }
}

/**
 * Delivers what comes over a socket. A peer that does not keep to the protocol is hung up on: a program of the lab's can have taken the place
 * of the agent, or talk to it.
 */
export function receive<T>(socket: Socket, deliver: (envelope: Envelope<T>, data: Buffer) => void): void {
  const decoder = new Decoder<T>(deliver);
  socket.on('data', (chunk: Buffer) => {
    try {
      decoder.push(chunk);
    } catch {
      socket.destroy();
    }
  });
  socket.on('error', () => {});
}
