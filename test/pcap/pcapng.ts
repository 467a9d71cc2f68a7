// Builds pcapng files block by block, in either byte order.

export interface PcapngOptions {
  bigEndian?: boolean;
}

type Option = readonly [code: number, value: Uint8Array];

export class PcapngBuilder {
  readonly #isBig: boolean;
  readonly #blocks: Buffer[] = [];

  constructor({ bigEndian = false }: PcapngOptions = {}) {
    this.#isBig = bigEndian;
  }

  /** A section with its length unknown, as writers that stream give it. */
  section(): this {
    return this.block(
      0x0a0d0d0a,
      Buffer.concat([this.words(0x1a2b3c4d), this.halves(1, 0), Buffer.alloc(8, 0xff)]),
    );
  }

  interface(linkType = 1, options: readonly Option[] = [], snapLength = 262_144): this {
    return this.block(
      1,
      Buffer.concat([this.halves(linkType, 0), this.words(snapLength), this.#options(options)]),
    );
  }

  /** An enhanced packet block; `ticks` in the interface's units. */
  packet(frame: Uint8Array, ticks: bigint, index = 0, originalLength = frame.length): this {
    const head = this.words(
      index,
      Number(ticks >> 32n),
      Number(ticks & 0xffff_ffffn),
      frame.length,
      originalLength,
    );
    return this.block(6, Buffer.concat([head, padded(frame), this.#options([[2, this.words(1)]])]));
  }

  simplePacket(frame: Uint8Array): this {
    return this.block(3, Buffer.concat([this.words(frame.length), padded(frame)]));
  }

  block(type: number, body: Uint8Array): this {
    const length = this.words(body.length + 12);
    this.#blocks.push(Buffer.concat([this.words(type), length, body, length]));
    return this;
  }

  build(): Buffer {
    return Buffer.concat(this.#blocks);
  }

  words(...values: readonly number[]): Buffer {
    const buffer = Buffer.alloc(values.length * 4);
    values.forEach((value, index) =>
      this.#isBig ? buffer.writeUInt32BE(value, index * 4) : buffer.writeUInt32LE(value, index * 4),
    );
    return buffer;
  }

  halves(...values: readonly number[]): Buffer {
    const buffer = Buffer.alloc(values.length * 2);
    values.forEach((value, index) =>
      this.#isBig ? buffer.writeUInt16BE(value, index * 2) : buffer.writeUInt16LE(value, index * 2),
    );
    return buffer;
  }

  #options(options: readonly Option[]): Buffer {
    if (options.length === 0) return Buffer.alloc(0);
    const parts = options.map(([code, value]) =>
      Buffer.concat([this.halves(code, value.length), padded(value)]),
    );
    return Buffer.concat([...parts, this.halves(0, 0)]);
  }
}

/** To a multiple of 4 bytes. */
function padded(bytes: Uint8Array): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
}
