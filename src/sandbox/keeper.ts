// In front of a user-mode kernel: starts it, and passes requests on to the agent in it over its first serial line.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { openSync } from 'node:fs';
import type { Socket } from 'node:net';
import { end, Front } from './front.ts';
import { Decoder, encode, type Reply } from './protocol.ts';

/**
 * Bytes under way to the guest. A user-mode kernel (6.1) that throttles its serial line, which it does when 3,968 bytes lie unread
 * (drivers/tty/n_tty.c), stops listening to it for ever: arch/um/drivers/line.c takes the line out of its poll set and never puts it back.
 */
const LINE_WINDOW = 3072;
/** The channel on which the guest says what it has read of the line. */
export const LINE_CHANNEL = -2;

/** Writes to the guest's line, never more than it is sure to take in. */
class Line {
  readonly #line: Socket;
  #waiting: Buffer[] = [];
  #room = LINE_WINDOW;

  constructor(line: Socket) {
    this.#line = line;
  }

  write(data: Buffer): void {
    this.#waiting.push(data);
    this.#pump();
  }

  taken(bytes: number): void {
    this.#room += bytes;
    this.#pump();
  }

  #pump(): void {
    while (this.#room > 0 && this.#waiting.length > 0) {
      const first = this.#waiting[0]!;
      const part = first.subarray(0, this.#room);
      if (part.length === first.length) this.#waiting.shift();
      else this.#waiting[0] = first.subarray(part.length);
      this.#room -= part.length;
      this.#line.write(part);
    }
  }
}

/** `argv` is the user-mode kernel and its parameters, whose first serial line is on its descriptors 3 and 4. */
export function keeper(
  socketPath: string,
  consolePath: string,
  argv: readonly string[],
  alone: boolean,
): void {
  const console = openSync(consolePath, 'w', 0o644);
  // With a randomised address space the kernel counts the gap before its heap, up to a gigabyte, as memory. Some containers forbid the
  // personality(2) that turns it off; then the guest is only larger.
  const fixed = spawnSync('setarch', ['-R', 'true']).status === 0 ? ['setarch', '-R', ...argv] : argv;
  const guest = spawn(fixed[0]!, fixed.slice(1), {
    stdio: ['ignore', console, console, 'pipe', 'pipe'],
    detached: alone,
  });
  if (alone) watchOver(guest);
  const [fromCommand, toCommand] = [guest.stdio[4] as Socket, guest.stdio[3] as Socket];
  const toGuest = new Line(toCommand);
  const front = new Front(socketPath, ({ channel, id, message }, data) => {
    toGuest.write(encode({ channel, id, message }, data));
  });
  const decoder = new Decoder<Reply>(({ channel, id, message }, data) => {
    if (channel === LINE_CHANNEL && message.event === 'taken') toGuest.taken(message.bytes);
    else front.send(channel, id, message, data);
  });
  fromCommand.on('data', (chunk: Buffer) => decoder.push(chunk));
  for (const line of [fromCommand, toCommand]) line.on('error', () => {});
  guest.once('error', end);
  guest.once('exit', end);
}

/**
 * Without a pid namespace to end, the kernel's processes are ended as their process group: by this process when it ends, and by a shell that
 * waits for its end should it be killed.
 */
function watchOver(kernel: ChildProcess): void {
  const group = String(kernel.pid);
  const watcher = spawn('sh', ['-c', 'read -r _; kill -KILL -- "-$1"', 'sh', group], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  watcher.unref();
  process.once('exit', () => {
    try {
      process.kill(-kernel.pid!, 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
  });
}
