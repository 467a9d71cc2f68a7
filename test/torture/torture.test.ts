// A short torture run (docs/torture.md has a long one), and a short run of a lab that goes up and down: nothing is left, nothing grows.
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly talk: string;
}

async function torture(...args: readonly string[]): Promise<Ran> {
  const program = resolve(import.meta.dirname, 'run.js');
  return new Promise((end) => {
    execFile(process.execPath, [program, ...args], (error, out, talk) =>
      end({ code: error === null ? 0 : Number(error.code), out, talk }),
    );
  });
}

it('leaves nothing when programs are killed and stopped, disks are full and clocks jump', async () => {
  const seed = String(Date.now() % 1_000_000);
  const { code, out, talk } = await torture(
    '--seed',
    seed,
    '--minutes',
    '0.6',
    '--times',
    '1000',
    '--labs',
    '2',
  );
  expect({ code, out, talk }, talk).toMatchObject({ code: 0 });
  const [, tries, ...left] = /\| \*\*all\*\* \|  \|  \| (\d+) \| (.*) \|/.exec(out)!;
  expect(Number(tries)).toBeGreaterThan(2);
  expect(left.join('')).toBe(Array(7).fill('0').join(' | '));
}, 300_000);

it('does not grow when labs go up and down', async () => {
  const { code, out, talk } = await torture('--ups', '10');
  expect({ code, talk }, out + talk).toMatchObject({ code: 0 });
  expect(out).toMatch(/\| namespaces \| (\d+) \|.* \1 \|\n/);
});
