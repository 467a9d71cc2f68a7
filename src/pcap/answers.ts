// How long clients wait: from a connection's first SYN to the first byte of its answer. Taken packet by packet, in memory for the connections
// that wait and a number for each that was answered.
import { ACK, SYN, type Frame } from './frame.ts';

export class AnswerTimes {
  /** Nanoseconds, in the order of the answers. */
  readonly times: number[] = [];
  /** Of the first SYN and of the last answer, in nanoseconds that both count from the same moment. */
  first = Number.POSITIVE_INFINITY;
  last = Number.NEGATIVE_INFINITY;
  /** By the client's address and port: a connection that began and was not answered yet. */
  readonly #waiting = new Map<number, { readonly isn: number; readonly began: number }>();

  /** Takes a TCP packet in order of time. */
  take(frame: Frame, toServer: boolean): void {
    if (toServer && (frame.flags & (SYN | ACK)) === SYN) {
      const key = keyOf(frame.source0 ^ frame.source3, frame.sourcePort);
      // A SYN that is sent again begins nothing.
      if (this.#waiting.get(key)?.isn === frame.sequence) return;
      this.#waiting.set(key, { isn: frame.sequence, began: frame.time });
      if (frame.time < this.first) this.first = frame.time;
    } else if (!toServer && frame.payloadLength > 0) {
      const key = keyOf(frame.destination0 ^ frame.destination3, frame.destinationPort);
      const waited = this.#waiting.get(key);
      if (waited === undefined) return;
      this.#waiting.delete(key);
      this.times.push(frame.time - waited.began);
      if (frame.time > this.last) this.last = frame.time;
    }
  }
}

const keyOf = (address: number, port: number) => address * 65_536 + port;
