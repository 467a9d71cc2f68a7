// ARCHITECTURE.md, followed to the letter: in a copy of the tree each of its recipes adds what it says, by the files that it names and no
// other; what was added is built and works.
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');
const RECIPES = { method: 'apache', output: 'csv', command: 'nodes' } as const;
const NAMES = Object.keys(RECIPES) as (keyof typeof RECIPES)[];

let copy: string;
const run = async (program: string, argv: readonly string[]) =>
  promisify(execFile)(program, argv, {
    cwd: copy,
    env: { ...process.env, LBLAB_STATE_DIR: join(copy, 'state') },
  });
const lblab = async (...argv: string[]) => run(process.execPath, ['bin/lblab.js', ...argv]);

/** The lines with `+` put beside those without, which are there already. */
function edit(text: string, hunk: string): string {
  const lines = hunk.split('\n').filter((line) => line !== '');
  const there = lines.filter((line) => line.startsWith(' ')).map((line) => line.slice(1));
  expect(text.split(there.join('\n'))).toHaveLength(2);
  return text.replace(there.join('\n'), () => lines.map((line) => line.slice(1)).join('\n'));
}

const hunksOf = async (recipe: string) =>
  (await readFile(join(import.meta.dirname, recipe, 'edits.diff'), 'utf8'))
    .split(/^--- /m)
    .slice(1)
    .map((part) => [part.slice(0, part.indexOf('\n')), part.slice(part.indexOf('\n') + 1)] as const);

async function newFiles(recipe: string): Promise<string[]> {
  const folder = join(import.meta.dirname, recipe);
  const all = await readdir(folder, { recursive: true, withFileTypes: true });
  return all
    .filter((entry) => entry.isFile() && entry.name !== 'edits.diff')
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
}

beforeAll(async () => {
  copy = await mkdtemp(join(tmpdir(), 'lblab-recipes-'));
  for (const name of ['package.json', 'tsconfig.json', 'bin', 'src', 'topologies'])
    await cp(join(ROOT, name), join(copy, name), { recursive: true });
  await symlink(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  for (const recipe of NAMES) {
    await cp(join(import.meta.dirname, recipe), copy, { recursive: true });
    for (const [path, hunk] of await hunksOf(recipe)) {
      const file = join(copy, path);
      await writeFile(file, edit(await readFile(file, 'utf8'), hunk));
    }
  }
  await run('npm', ['run', '--silent', 'build']);
}, 240_000);

afterAll(async () => rm(copy, { recursive: true, force: true }));

describe('ARCHITECTURE.md', () => {
  test.each(NAMES)('names the files that adding a %s takes, and no other', async (recipe) => {
    const text = await readFile(join(ROOT, 'ARCHITECTURE.md'), 'utf8');
    const section = text
      .split(`\n## To add a${recipe === 'output' ? 'n' : ''} ${recipe}\n`)[1]!
      .split('\n## ')[0]!;
    const steps = section.match(/^\d\. [^]*?(?=^\d\. |\n\n)/gm)!;
    const named = steps.map((step) => /`([\w.-]+\/[^`]+)`/.exec(step)![1]!.replace('NAME', RECIPES[recipe]));
    const taken = [...(await newFiles(recipe)), ...(await hunksOf(recipe)).map(([path]) => path)];
    expect(named.sort()).toEqual([...new Set(taken)].sort());
  });

  test('adds a method that is built, measured and judged', async () => {
    const { stdout } = await lblab('run', 'apache', '--json', '-o', 'captures');
    const [lab] = (JSON.parse(stdout) as { labs: { checks: { id: string; status: string }[] }[] }).labs;
    expect(lab!.checks.map(({ id, status }) => `${id} ${status}`)).toEqual(
      [
        'accounts',
        'l7.vip',
        'l7.source',
        'l7.two-connections',
        'l7.after-request',
        'l7.forwarded-for',
        'l7.spread',
      ].map((id) => `${id} pass`),
    );
    await expect(lblab('plan', 'apache', '--format', 'sh')).resolves.toMatchObject({
      stdout: expect.stringContaining('BalancerMember http://10.133.1.2'),
    });
  });

  test('adds an output', async () => {
    const { stdout } = await lblab('run', 'l7', '--report', 'csv', '-o', 'captures');
    expect(stdout).toMatch(/^"lab","claim","status"\r\n"l7","accounts","pass"\r\n"l7","l7.vip","pass"\r\n/);
  });

  test('adds a command, with its help and completion', async () => {
    expect((await lblab('nodes', 'l7')).stdout).toBe(
      'client client\nlb balancer\nbe1 backend\nbe2 backend\n',
    );
    expect((await lblab('nodes', '--help')).stdout).toContain('lblab nodes l7');
    expect((await lblab('__complete', 'nod')).stdout).toContain('nodes');
  });
});
