// Files that a topology brings into a lab: where they may lie, and reading those that it names. The reader itself is the caller's.
import { dirname, isAbsolute, join, normalize } from 'node:path';
import type { Context } from './context.ts';
import { show } from './issues.ts';
import type { Path } from './issues.ts';
import type { DeclaredNode } from './schema.ts';

const MAX_FILE = 1024 * 1024;

export interface Surroundings {
  /** The topology file's name as the user gave it; other files are relative to its folder. */
  readonly file: string;
  /** The name to use when the file gives none. */
  readonly name: string;
  readonly readFile?: ((path: string) => Uint8Array) | undefined;
}

export function resolveFiles(
  { files }: DeclaredNode,
  path: Path,
  around: Surroundings,
  context: Context,
): Record<string, string> {
  const result: Record<string, string> = {};
  const folders = new Set<string>();
  for (const [name, value] of Object.entries(files ?? {})) {
    const at = [...path, 'files', name];
    const parts = name.split('/');
    if (name === '' || parts.includes('..') || isAbsolute(name)) {
      context.report(
        at,
        `a file outside the node's folder (got ${show(name)})`,
        'a path inside it, like html/index.html',
        true,
      );
      continue;
    }
    if (name.length > 200 || !/^[a-zA-Z0-9._-]+(\/[a-zA-Z0-9._-]+)*$/.test(name) || parts.includes('.')) {
      context.report(
        at,
        `not the path of a file (got ${show(name)})`,
        'letters, digits, ".", "_" and "-", folders parted by "/", 200 characters at most',
        true,
      );
      continue;
    }
    const above = parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('/'));
    const file = above.find((folder) => Object.hasOwn(result, folder));
    if (folders.has(name)) context.report(at, `${name} is a folder too`, 'rename one', true);
    if (file !== undefined)
      context.report(at, `${file} is a file, so nothing can lie in it`, 'rename one', true);
    for (const folder of above) folders.add(folder);
    result[name] =
      typeof value === 'string' ? value : (readText(value.from, [...at, 'from'], around, context) ?? '');
  }
  return result;
}

/** A relative path stays inside the topology file's folder, so that a topology from elsewhere reads nothing by stealth. */
export function readText(
  from: string,
  path: Path,
  { file, readFile }: Surroundings,
  context: Context,
): string | undefined {
  if (from === '') return context.report(path, 'the path is empty');
  const clean = normalize(from);
  if (!isAbsolute(from) && (clean === '..' || clean.startsWith('../'))) {
    return context.report(
      path,
      `the path leads out of the topology's folder (got ${show(from)})`,
      'put the file there, or give its absolute path',
    );
  }
  const full = isAbsolute(from) ? clean : join(dirname(file), clean);
  if (readFile === undefined)
    return context.report(path, `no other files can be read here (got ${show(from)})`);
  let bytes: Uint8Array;
  try {
    bytes = readFile(full);
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    const reason =
      { ENOENT: 'there is none', EACCES: 'it may not be read', EISDIR: 'it is a folder' }[code] ??
      (code || message);
    return context.report(path, `cannot read the file ${show(from)}: ${reason}`);
  }
  if (bytes.length > MAX_FILE) {
    return context.report(path, `the file is too large (got ${bytes.length} bytes)`, 'at most 1 MiB');
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return context.report(path, `the file is not UTF-8 text (got ${show(from)})`);
  }
}
