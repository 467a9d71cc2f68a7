// Files that came from elsewhere, or that a lab's programs may have put another thing in the place of: read when they are plain files of a
// size that fits memory. A pipe would never end, nor would /dev/zero.
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { LabError } from './lab-error.ts';

/** A file that is not as lblab leaves it: exit code 2, or 4 where a program of a lab's that is up has put it there. */
export class ForeignFileError extends LabError {}

export const notPlain = (path: string) => new ForeignFileError(`${path} is no plain file`);

/** Bytes; a longer text does not fit a string of V8's. */
const LARGEST = 256 * 1024 * 1024;
/** Bytes that are read at once of a file whose size says nothing: those of /proc are 0 bytes long. */
const CHUNK = 256 * 1024;

/**
 * A file's bytes.
 * @throws Error of node:fs; LabError (exit code 2) when it is no plain file, or larger than `largest` bytes
 */
export function readPlain(path: string, largest = LARGEST): Buffer {
  return withPlain(path, (file, size) => {
    const refuse = (bytes: number) =>
      new LabError(`${path} is too large: ${bytes} bytes, at most ${largest}`);
    if (size > largest) throw refuse(size);
    const chunks: Buffer[] = [];
    let length = 0;
    for (;;) {
      const chunk = Buffer.allocUnsafe(Math.max(CHUNK, size - length + 1));
      const count = readSync(file, chunk, 0, chunk.length, null);
      if (count === 0) return Buffer.concat(chunks);
      chunks.push(chunk.subarray(0, count));
      length += count;
      if (length > largest) throw refuse(length);
    }
  });
}

/** Opens such a file, by its descriptor and its size, for as long as `use` takes. */
export function withPlain<T>(path: string, use: (file: number, size: number) => T): T {
  // Opening a pipe would wait for its other end.
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const info = fstatSync(file);
    if (!info.isFile() && !info.isDirectory()) throw notPlain(path);
    return use(file, info.size);
  } finally {
    closeSync(file);
  }
}

/**
 * Opens a file that a lab's programs may have replaced, for as long as it is used. A symbolic link is not followed.
 * @throws Error of node:fs; LabError (exit code 2) when it is no plain file
 */
export async function openPlain(path: string): Promise<FileHandle> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW).catch(
    (error: NodeJS.ErrnoException) => {
      throw error.code === 'ELOOP' ? notPlain(path) : error;
    },
  );
  if ((await file.stat()).isFile()) return file;
  await file.close();
  throw notPlain(path);
}

/** A path to what is open (proc(5)): nothing can take its place. */
export const openedPath = (file: FileHandle) => `/proc/self/fd/${file.fd}`;

/** Reads a capture that a lab has written. */
export async function withCapture<T>(path: string, use: (opened: string) => Promise<T>): Promise<T> {
  await using file = await openPlain(path);
  return await use(openedPath(file));
}
