// The manual page: made from the commands, up to date, and one that both formatters take without a complaint.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { Command } from 'commander';
import { expect, it } from 'vitest';
import { define } from '../../src/cli/program.ts';
import { manual } from './manual.ts';

const root = resolve(import.meta.dirname, '../..');
const page = join(root, 'man/lblab.1');
const { version, man } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  version: string;
  man: string;
};
const readme = readFileSync(join(root, 'README.md'), 'utf8');
/** Of the last version in the changelog. */
const released = /^## [\d.]+, (\S+)$/m.exec(readFileSync(join(root, 'CHANGELOG.md'), 'utf8'))![1]!;
const exits = readme
  .split('| exit code |')[1]!
  .split('\n\n')[0]!
  .split('\n')
  .slice(2)
  .map((row) => row.split('|').map((cell) => cell.trim()))
  .map((cells) => [cells[1]!, cells[2]!] as const);

it('says what the commands say (npm run generate writes it)', async () => {
  const program = new Command('lblab');
  define(program, version, () => async () => {});
  const text = manual(program, exits, released);
  expect(exits.map(([code]) => code)).toEqual(['0', '1', '2', '3', '4', '70', '130, 143']);
  for (const command of program.commands.filter(
    ({ _hidden }: Command & { _hidden?: boolean }) => _hidden !== true,
  ))
    expect(text).toContain(`.SS \\fBlblab ${command.name()}`);
  await expect(text).toMatchFileSnapshot(page);
  expect(join(root, man)).toBe(page);
});

it('is a page that mandoc and groff take without a warning', async () => {
  const lint = await promisify(execFile)('mandoc', ['-T', 'lint', '-W', 'warning', page]).catch(
    (error: { stdout: string }) => error,
  );
  expect(lint.stdout).toBe('');
  const shown = await promisify(execFile)('mandoc', ['-T', 'utf8', page]);
  expect(shown.stdout).toContain('lblab run');
});
