// Where a capture's bytes come from: a file, bytes in memory, or a stream; any of them gzip-compressed (RFC 1952).
// Feeds them to a CaptureParser through two buffers of fixed size, so that a file of any length takes the same memory
// and the next piece is read while this one is parsed.
import { open } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import type { CaptureParser } from './file.ts';
import { MAXIMUM_RECORD, NotACaptureError } from './file.ts';

export type CaptureSource = string | Uint8Array | AsyncIterable<Uint8Array>;

const CHUNK = 2 * 1024 * 1024;

/** Puts up to `length` bytes into `buffer` at `offset` and says how many; 0 at the end. */
type Read = (buffer: Uint8Array, offset: number, length: number) => Promise<number>;

/**
 * Runs the parser over the source, to the end or until the parser stops.
 * @throws Error of node:fs when a file cannot be read; NotACaptureError when it is no capture
 */
export async function feed(source: CaptureSource, parser: CaptureParser): Promise<void> {
  if (typeof source !== 'string') {
    await pump(readerOf(source instanceof Uint8Array ? once(source) : source), parser);
    return;
  }
  await using file = await open(source, 'r');
  await pump(
    async (buffer, offset, length) => (await file.read(buffer, offset, length, null)).bytesRead,
    parser,
  );
}

async function pump(read: Read, parser: CaptureParser): Promise<void> {
  // What is left of a record at the end of one piece is copied to just before the next.
  let current = new Uint8Array(MAXIMUM_RECORD + CHUNK);
  let filled = await fill(read, current, MAXIMUM_RECORD, 2);
  if (filled >= 2 && current[MAXIMUM_RECORD] === 0x1f && current[MAXIMUM_RECORD + 1] === 0x8b) {
    await pumpGzip(current.slice(MAXIMUM_RECORD, MAXIMUM_RECORD + filled), read, parser);
    return;
  }
  let other = new Uint8Array(MAXIMUM_RECORD + CHUNK);
  let start = MAXIMUM_RECORD;
  while (!parser.stopped) {
    const end = MAXIMUM_RECORD + filled;
    const next = filled === 0 ? undefined : read(other, MAXIMUM_RECORD, CHUNK);
    try {
      start = parser.parse(current, start, end);
    } finally {
      filled = (await next) ?? 0;
    }
    if (filled === 0) {
      parser.finish(current, start, end);
      return;
    }
    const left = end - start;
    other.set(current.subarray(start, end), MAXIMUM_RECORD - left);
    start = MAXIMUM_RECORD - left;
    [current, other] = [other, current];
  }
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
    if (gunzip.destroyed) return;
    try {
      const bytes = left.length === 0 ? chunk : Buffer.concat([left, chunk]);
      left = bytes.slice(parser.parse(bytes, 0, bytes.length));
      if (parser.stopped) gunzip.destroy();
    } catch (error) {
      gunzip.destroy(error instanceof Error ? error : undefined);
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

function readerOf(chunks: AsyncIterable<Uint8Array>): Read {
  const iterator = chunks[Symbol.asyncIterator]();
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
