// Files in the place of which a lab's programs, or somebody before us, put something else: what is read of them, and what is refused.
import { execFile } from 'node:child_process';
import { closeSync, constants, openSync, readFileSync, writeSync } from 'node:fs';
import { mkdir, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { openPlain, readPlain } from '../../src/lab/plain-file.ts';
import { GrowingCapture } from '../../src/lab/tail.ts';
import { openToWrite } from '../../src/sandbox/processes.ts';
import { lastWords } from '../../src/sandbox/start.ts';
import { temporaryFolder } from '../support/sandbox.ts';

const pipe = async (path: string) => promisify(execFile)('mkfifo', [path]);

test('a file is read whole, up to a limit', async () => {
  const path = join(await temporaryFolder(), 'file');
  await writeFile(path, 'x'.repeat(300_000));
  expect(readPlain(path).length).toBe(300_000);
  expect(readPlain(path, 300_000).length).toBe(300_000);
  expect(() => readPlain(path, 299_999)).toThrow(`${path} is too large: 300000 bytes, at most 299999`);
});

test('one of /proc, which is longer than it says, is read up to the limit', () => {
  expect(readPlain('/proc/self/status').toString()).toMatch(/^Name:/);
  // 8 bytes for every page that there could be.
  expect(() => readPlain('/proc/self/pagemap', 1_000_000)).toThrow(
    /is too large: \d{7} bytes, at most 1000000/,
  );
});

test('a pipe, a folder and a link are no capture that a lab has written', async () => {
  const folder = await temporaryFolder();
  const paths = ['pipe', 'folder', 'link', 'device'].map((name) => join(folder, name));
  await pipe(paths[0]!);
  await mkdir(paths[1]!);
  await symlink('/etc/passwd', paths[2]!);
  await symlink('/dev/zero', paths[3]!);
  for (const path of paths) {
    await expect(openPlain(path)).rejects.toMatchObject({ exitCode: 2, message: `${path} is no plain file` });
    await expect(new GrowingCapture(path).read()).rejects.toMatchObject({ exitCode: 2 });
  }
});

test('the last words of a sandbox are the end of its logs, whatever their length, and nothing of what is none', async () => {
  const dir = await temporaryFolder();
  await writeFile(join(dir, 'sandbox.log'), 'first\n');
  await truncate(join(dir, 'sandbox.log'), 5e9);
  await writeFile(join(dir, 'sandbox.log'), '\nthe last\n', { flag: 'a' });
  await pipe(join(dir, 'console.log'));
  expect(await lastWords(dir, 1)).toBe(':\n  the last');
});

test('what a sandbox writes goes into plain files alone, and waits for no reader of a pipe', async () => {
  const folder = await temporaryFolder();
  const at = (name: string) => join(folder, name);
  await pipe(at('pipe'));
  await pipe(at('read'));
  await mkdir(at('folder'));
  await symlink(at('elsewhere'), at('link'));
  const reader = openSync(at('read'), constants.O_RDONLY | constants.O_NONBLOCK);
  for (const name of ['pipe', 'read', 'folder', 'link'])
    expect(() => openToWrite(at(name))).toThrow(
      `${at(name)} is no plain file: a program of the lab's has changed lblab's own files`,
    );
  closeSync(reader);
  for (const [flag, text] of [
    [undefined, 'one'],
    [constants.O_APPEND, 'onetwo'],
    [undefined, 'one'],
  ] as const) {
    const file = openToWrite(at('file'), flag);
    writeSync(file, flag === undefined ? 'one' : 'two');
    closeSync(file);
    expect(readFileSync(at('file'), 'utf8')).toBe(text);
  }
});
