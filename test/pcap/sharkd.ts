// Asks Wireshark about a capture: sharkd is tshark's engine as a service, which gives exact numbers where
// `tshark -z conv,tcp` rounds, and reads file after file without starting anew.
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface SharkdConversation {
  readonly saddr: string;
  readonly daddr: string;
  readonly sport: string;
  readonly dport: string;
  /** Frames and bytes that the source sent, and that it received. */
  readonly txf: number;
  readonly txb: number;
  readonly rxf: number;
  readonly rxb: number;
}

export class Sharkd {
  readonly #child: ChildProcessWithoutNullStreams = spawn('sharkd', ['-']);
  readonly #replies = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  #last: Promise<unknown> = Promise.resolve();
  #id = 0;

  constructor() {
    this.#child.stderr.resume();
  }

  /** Conversations, and the fields of each frame that `filter` matches, as Wireshark's columns show them. */
  async read(file: string, fields: readonly string[], filter: string) {
    const columns = Object.fromEntries(fields.map((field, index) => [`column${index}`, `${field}:1`]));
    const job = this.#last.then(async () => {
      // It does not answer the loading of a file that ends inside a packet, though it has loaded it.
      this.#request('load', { file });
      const tap = this.#request('tap', { tap0: 'conv:TCP', tap1: 'conv:UDP' });
      // It keeps a filter's result under the filter's text, from one file to the next: so each text is used once.
      const list = this.#request('frames', {
        filter: `${filter} && frame.number < ${4e9 - this.#id}`,
        ...columns,
      });
      const { taps }: { taps: { proto: string; convs?: SharkdConversation[] }[] } = await this.#reply(tap);
      const frames: { c: string[]; num: number }[] = await this.#reply(list);
      return { conversations: taps, frames };
    });
    this.#last = job.catch(() => undefined);
    return job;
  }

  close(): void {
    this.#child.stdin.end();
  }

  #request(method: string, params: object): number {
    this.#child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id: ++this.#id, method, params })}\n`);
    return this.#id;
  }

  async #reply<Result>(id: number): Promise<Result> {
    for (;;) {
      const { value, done } = await this.#replies.next();
      if (done === true) throw new Error('sharkd ended');
      const reply: { id: number; result: Result; error?: { message: string } } = JSON.parse(value);
      if (reply.id !== id) continue;
      if (reply.error !== undefined) throw new Error(`sharkd: ${reply.error.message}`);
      return reply.result;
    }
  }
}
