// Packets of a capture whose bytes are still coming. Counts every packet, and decodes as many as its reader wants.
import { CaptureParser } from './file.ts';
import { Fragments } from './fragments.ts';
import { ACK, Frame, SYN, uint32 } from './frame.ts';
import { decodeFrame } from './link.ts';
import { toPacket, type Packet } from './packet.ts';

/** Their first four bytes. */
const METHODS = new Set(
  ['GET ', 'HEAD', 'POST', 'PUT ', 'DELE', 'OPTI', 'PATC'].map((start) => Buffer.from(start).readUInt32BE()),
);

export class IncrementalReader {
  packets = 0;
  /** As on the wire. */
  bytes = 0;
  /** TCP connections that were asked for: SYNs without ACK, those sent again included. */
  connections = 0;
  /** HTTP requests: segments that begin with one of its usual methods (RFC 9110 section 9). */
  requests = 0;

  readonly #frame = new Frame();
  readonly #fragments = new Fragments();
  readonly #parser: CaptureParser;
  #left: Uint8Array = new Uint8Array(0);
  #wanted = 0;
  #read: Packet[] = [];

  constructor() {
    const frame = this.#frame;
    this.#parser = new CaptureParser(frame, () => {
      decodeFrame(frame, this.#fragments);
      this.packets++;
      this.bytes += frame.originalLength;
      if (frame.kind === 'tcp') {
        if ((frame.flags & (SYN | ACK)) === SYN) this.connections++;
        if (frame.payloadCaptured >= 4 && METHODS.has(uint32(frame.transportBytes, frame.payload)))
          this.requests++;
      }
      if (this.#read.length < this.#wanted) this.#read.push(toPacket(frame));
      return true;
    });
  }

  /**
   * Takes the capture's next bytes, cut anywhere.
   * @param wanted how many of the packets that are whole now are returned at most, the first ones
   * @throws NotACaptureError when it is no capture
   */
  push(bytes: Uint8Array, wanted = Number.POSITIVE_INFINITY): readonly Packet[] {
    this.#wanted = wanted;
    this.#read = [];
    let all = bytes;
    if (this.#left.length > 0) {
      all = new Uint8Array(this.#left.length + bytes.length);
      all.set(this.#left);
      all.set(bytes, this.#left.length);
    }
    this.#left = all.slice(this.#parser.parse(all, 0, all.length));
    return this.#read;
  }
}
