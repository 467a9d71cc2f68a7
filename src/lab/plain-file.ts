// Files that came from elsewhere, or that a lab's programs may have put another thing in the place of: read when they are plain files of a
// size that fits memory. A pipe would never end, nor would /dev/zero.
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { LabError } from './lab-error.ts';

/** Bytes; a longer text does not fit a string of V8's. */
const LARGEST = 256 * 1024 * 1024;

/**
 * A file's bytes.
 * @throws Error of node:fs; LabError (exit code 2) when it is no plain file, or larger than `largest` bytes
 */
export function readPlain(path: string, largest = LARGEST): Buffer {
  return withPlain(path, (file, size) => {
    if (size > largest) throw new LabError(`${path} is too large: ${size} bytes, at most ${largest}`);
    return readFileSync(file);
  });
}

/** Opens such a file, by its descriptor and its size, for as long as `use` takes. */
export function withPlain<T>(path: string, use: (file: number, size: number) => T): T {
  // Opening a pipe would wait for its other end.
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const info = fstatSync(file);
    if (!info.isFile() && !info.isDirectory()) throw new LabError(`${path} is no plain file`);
    return use(file, info.size);
  } finally {
    closeSync(file);
  }
}
