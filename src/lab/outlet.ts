// Files that lblab leaves outside its own folders: captures, reports. They belong to the user who asked for them, also under sudo, and a
// symbolic link that somebody has left where one of them goes is never written through.
import { constants } from 'node:fs';
import { copyFile, lstat, mkdir, open, rm, stat, type FileHandle } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { LabError } from './lab-error.ts';

/** Whose files they are. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Makes a folder and those on its way; the ones made are the owner's. mkdir(2) a folder: Node's own recursive mkdir tells ENOENT of a
 * read-only file system.
 */
export async function makeFolder(path: string, owner?: Owner, mode = 0o777): Promise<void> {
  const missing: string[] = [];
  let at = resolve(path);
  let info = await stat(at).catch(absent);
  for (; info === undefined; info = await stat(at).catch(absent)) {
    missing.unshift(at);
    at = dirname(at);
  }
  if (!info.isDirectory()) throw new LabError(`${at} is no folder`);
  for (const folder of missing) {
    try {
      await mkdir(folder, mode);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') continue;
      throw error;
    }
    await using handle = await open(folder, FOLDER);
    if (owner !== undefined) await handle.chown(owner.uid, owner.gid);
  }
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error;
}

const FOLDER = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const NEW = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/** Throws LabError (exit code 2) where a folder below `top` on the way to `path` is a symbolic link. */
export async function refuseLinks(top: string, path: string): Promise<void> {
  const names = path.slice(top.length).split(sep).filter(Boolean);
  for (let at = top, index = 0; index < names.length; index++) {
    at = join(at, names[index]!);
    const info = await lstat(at).catch(absent);
    if (info?.isSymbolicLink() === true)
      throw new LabError(`${at} is a symbolic link; if that is meant, name the folder with -o`);
  }
}

/** Writes a file that the user has named. Throws LabError (exit code 2) for a symbolic link to a file of another name. */
export async function writeNamed(path: string, content: string, owner?: Owner): Promise<void> {
  await makeFolder(dirname(path), owner);
  // /dev/stdout and /dev/fd/3 are links, and meant.
  const isDevice = /^\/(dev|proc)\//.test(path);
  const flags =
    constants.O_WRONLY | constants.O_CREAT | (isDevice ? 0 : constants.O_TRUNC | constants.O_NOFOLLOW);
  const isThere = (await lstat(path).catch(absent)) !== undefined;
  const file = await open(path, flags, 0o666).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ELOOP')
      throw new LabError(`${path} is a symbolic link; name the file that it leads to`);
    throw error;
  });
  try {
    await file.writeFile(content);
    if (owner !== undefined && !isThere) await file.chown(owner.uid, owner.gid);
  } finally {
    await file.close();
  }
}

/** A folder for files of ours. It stays the one that was opened, whatever its path leads to meanwhile. */
export class Outlet {
  readonly #path: string;
  readonly #folder: FileHandle;
  readonly #owner: Owner | undefined;

  private constructor(path: string, folder: FileHandle, owner: Owner | undefined) {
    this.#path = path;
    this.#folder = folder;
    this.#owner = owner;
  }

  /** Opens a folder, made where it is not there. */
  static async open(path: string, owner?: Owner): Promise<Outlet> {
    await makeFolder(path, owner);
    return new Outlet(path, await open(path, constants.O_RDONLY | constants.O_DIRECTORY), owner);
  }

  /** Writes a file, in the place of what has its name. `path` is relative, of plain names. */
  async write(path: string, content: string): Promise<void> {
    await this.#place(path, async (file) => file.writeFile(content));
  }

  /** Copies a file of a lab's. One that is not there is not copied; nor is what is no plain file, such as a link that a lab's program left. */
  async copy(from: string, path: string): Promise<void> {
    const source = await open(from, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT' || error.code === 'ELOOP') return undefined;
        throw error;
      },
    );
    if (source === undefined) return;
    try {
      if (!(await source.stat()).isFile()) return;
      await this.#place(path, async (_, there) => copyFile(`/proc/self/fd/${source.fd}`, there));
    } finally {
      await source.close();
    }
  }

  /** Removes files and folders; those that are not there are fine. Links are removed, not followed. */
  async remove(...names: readonly string[]): Promise<void> {
    await Promise.all(
      names.map(async (name) => rm(join(at(this.#folder), name), { recursive: true, force: true })),
    );
  }

  async close(): Promise<void> {
    await this.#folder.close();
  }

  async #place(path: string, fill: (file: FileHandle, there: string) => Promise<void>): Promise<void> {
    const folders = path.split('/');
    const name = folders.pop()!;
    const opened: FileHandle[] = [];
    try {
      let folder = this.#folder;
      for (const [index, each] of folders.entries()) {
        const made = await mkdir(join(at(folder), each)).then(
          () => true,
          (error: NodeJS.ErrnoException) => {
            if (error.code !== 'EEXIST') throw error;
            return false;
          },
        );
        folder = await open(join(at(folder), each), FOLDER).catch((error: NodeJS.ErrnoException) => {
          if (error.code !== 'ELOOP' && error.code !== 'ENOTDIR') throw error;
          const full = join(this.#path, ...folders.slice(0, index + 1));
          throw new LabError(`${full} is no folder; remove it, or name another place with -o`);
        });
        opened.push(folder);
        if (made && this.#owner !== undefined) await folder.chown(this.#owner.uid, this.#owner.gid);
      }
      const there = join(at(folder), name);
      await rm(there, { force: true });
      const file = await open(there, NEW, 0o666);
      opened.push(file);
      if (this.#owner !== undefined) await file.chown(this.#owner.uid, this.#owner.gid);
      await fill(file, `/proc/self/fd/${file.fd}`);
    } finally {
      for (const handle of opened) await handle.close();
    }
  }
}

/** A path to what a descriptor has open (proc(5)). */
const at = (handle: FileHandle) => `/proc/self/fd/${handle.fd}`;
