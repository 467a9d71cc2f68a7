// Where a capture's bytes come from: a file, bytes in memory, or a stream; any of them gzip-compressed (RFC 1952).
// Feeds them to a CaptureParser through one buffer of fixed size, so that a file of any length takes the same memory.
import { readSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { createGunzip } from 'node:zlib';
import type { CaptureParser } from './file.ts';
import { MAXIMUM_RECORD, NotACaptureError } from './file.ts';

export type CaptureSource = string | Uint8Array | AsyncIterable<Uint8Array>;

/** Small enough to stay in a processor's own cache between being read and being parsed. */
const CHUNK = 256 * 1024;
/** After so many chunks of a file other things get their turn: timers, signals, the display. */
const CHUNKS_A_TURN = 32;

/** Puts up to `length` bytes into `buffer` at `offset` and says how many; 0 at the end. */
type Read = (buffer: Uint8Array, offset: number, length: number) => Promise<number>;

/**
 * Runs the parser over the source, to the end or until the parser stops.
 * @throws Error of node:fs when a file cannot be read; NotACaptureError when it is no capture
 */
export async function feed(source: CaptureSource, parser: CaptureParser): Promise<void> {
  if (typeof source !== 'string') {
    const iterator = (source instanceof Uint8Array ? once(source) : source)[Symbol.asyncIterator]();
    try {
      await pump(readerOf(iterator), parser);
    } finally {
      // A stream that was not read to its end is let go of.
      await iterator.return?.();
    }
    return;
  }
  await using file = await open(source, 'r');
  // A regular file is read on this thread: handing each piece over from another costs more than reading it.
  const isRegular = (await file.stat()).isFile();
  let chunks = 0;
  await pump(async (buffer, offset, length) => {
    if (!isRegular) return (await file.read(buffer, offset, length, null)).bytesRead;
    if (++chunks % CHUNKS_A_TURN === 0) await setImmediate();
    return readSync(file.fd, buffer, offset, length, null);
  }, parser);
}

async function pump(read: Read, parser: CaptureParser): Promise<void> {
  const buffer = new Uint8Array(MAXIMUM_RECORD + CHUNK);
  let filled = await fill(read, buffer, MAXIMUM_RECORD, 2);
  if (buffer[MAXIMUM_RECORD] === 0x1f && buffer[MAXIMUM_RECORD + 1] === 0x8b) {
    await pumpGzip(buffer.slice(MAXIMUM_RECORD, MAXIMUM_RECORD + filled), read, parser);
    return;
  }
  let start = MAXIMUM_RECORD;
  while (filled > 0 && !parser.stopped) {
    const end = MAXIMUM_RECORD + filled;
    start = parser.parse(buffer, start, end);
    // What is left of a record goes to just before the next piece.
    buffer.copyWithin(MAXIMUM_RECORD - (end - start), start, end);
    start = MAXIMUM_RECORD - (end - start);
    filled = await read(buffer, MAXIMUM_RECORD, CHUNK);
  }
  parser.finish(buffer, start, MAXIMUM_RECORD);
}

/** Reads until there are at least `least` bytes or no more. */
async function fill(read: Read, buffer: Uint8Array, offset: number, least: number): Promise<number> {
  let filled = 0;
  while (filled < least) {
    const count = await read(buffer, offset + filled, CHUNK - filled);
    if (count === 0) break;
    filled += count;
  }
  return filled;
}

async function pumpGzip(first: Uint8Array, read: Read, parser: CaptureParser): Promise<void> {
  let left = new Uint8Array(0);
  const gunzip = createGunzip({ chunkSize: 256 * 1024 });
  // Data are taken as they come out, not by iterating: an iterator drops what came out before a damaged place.
  gunzip.on('data', (chunk: Buffer) => {
    try {
      // A plain array: `slice` of a Buffer would not copy, and packets would hold on to it.
      const joined = left.length === 0 ? chunk : Buffer.concat([left, chunk]);
      const bytes = new Uint8Array(joined.buffer, joined.byteOffset, joined.length);
      left = bytes.slice(parser.parse(bytes, 0, bytes.length));
      if (parser.stopped) gunzip.destroy();
    } catch (error) {
      gunzip.destroy(error as Error);
    }
  });
  const ended = new Promise<Error | undefined>((resolve) => {
    gunzip.on('error', resolve);
    gunzip.on('close', () => resolve(undefined));
  });
  const input = new Uint8Array(CHUNK);
  for (let chunk = first; chunk.length > 0 && !gunzip.destroyed;) {
    const written = new Promise<void>((resolve) => gunzip.write(chunk, () => resolve()));
    await Promise.race([written, ended]);
    chunk = input.slice(0, await read(input, 0, CHUNK));
  }
  if (!gunzip.destroyed) gunzip.end();
  const error = await ended;
  if (error instanceof NotACaptureError) throw error;
  if (error === undefined || parser.format === undefined) parser.finish(left, 0, left.length);
  else parser.abandon(`the gzip stream is damaged (${error.message})`);
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}

function readerOf(iterator: AsyncIterator<Uint8Array>): Read {
  let rest: Uint8Array = new Uint8Array(0);
  return async (buffer, offset, length) => {
    while (rest.length === 0) {
      const { done, value } = await iterator.next();
      if (done === true) return 0;
      rest = value;
    }
    const part = rest.subarray(0, length);
    buffer.set(part, offset);
    rest = rest.subarray(part.length);
    return part.length;
  };
}
