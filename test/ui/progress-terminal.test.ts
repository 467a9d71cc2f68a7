// Progress on a real terminal: drawn in place, gone at the end, whatever happens to the terminal or the command meanwhile.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { place, type Place } from '../support/cli.ts';
import { screen } from '../support/screen.ts';

/** A lab that takes long enough to be looked at. */
const SLOW = `
name: slow
segments: { lan: 10.9.0.0/24 }
nodes:
  one: { interfaces: { eth0: { segment: lan, address: 10.9.0.1 } }, setup: [[sleep, '4']] }
  two: { interfaces: { eth0: { segment: lan, address: 10.9.0.2 } }, setup: [[sleep, '5']] }
`;

let here: Place;
beforeAll(async () => {
  here = await place();
  await writeFile(join(here.cwd, 'slow.yaml'), SLOW);
  await writeFile(
    join(here.cwd, 'broken.yaml'),
    SLOW.replace('name: slow', 'name: broken').replace(
      "[sleep, '5']",
      "[sh, -c, 'sleep 4; echo no such luck >&2; exit 7']",
    ),
  );
});
afterAll(async () => {
  await here.run(['down', '--all']);
  await here.remove();
});

const on = async (
  args: readonly string[],
  more: { columns?: number; rows?: number; env?: NodeJS.ProcessEnv } = {},
) => screen(here.argv(args), { cwd: here.cwd, ...more, env: { ...here.env, ...more.env } });

const blurred = (lines: readonly string[]) =>
  lines.map((line) => line.replace(/[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]/, '*').replace(/ +[\d.]+ m?s$/, '  TIME'));

describe('on a terminal', () => {
  it.each([
    [80, 24],
    [200, 60],
  ])(
    'shows steps at %d columns and %d rows, and leaves only what the command came to',
    async (columns, rows) => {
      const { shows, lines, cursor, history } = await on(['up', 'slow.yaml', '--name', `at-${columns}`], {
        columns,
        rows,
      });
      expect(blurred(await shows('A set-up command of the topology'))).toEqual([
        'before',
        expect.stringMatching(/^slow: on this machine's kernel/),
        `* at-${columns}  TIME`,
        '  ✓ The sandbox  TIME',
        '  ✓ Segments and nodes  TIME',
        '  * Addresses, configuration, services  2 of 4  TIME',
        '    * one  A set-up command of the topology  TIME',
        '    * two  A set-up command of the topology  TIME',
      ]);
      expect(await cursor()).toBe('hidden');
      await shows('ended with 0');
      expect(blurred(await lines())).toEqual([
        'before',
        expect.stringMatching(/^slow: on this machine's kernel/),
        expect.stringMatching(/^at-\d+ is up, in/),
        ...(await lines()).slice(3, -1),
        'ended with 0',
      ]);
      expect(await history()).not.toMatch(/set-up command|[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏✓]/);
      expect(await cursor()).toBe('shown');
    },
  );

  it('follows a new size in mid-run and leaves nothing of the old one', async () => {
    const { shows, resize, history } = await on(['up', 'slow.yaml', '--name', 'sized']);
    await shows('A set-up command');
    await resize(61, 14);
    await shows('Addresses, configuration, services');
    await resize(120, 30);
    await shows('Addresses, configuration, services');
    await shows('ended with 0');
    expect(await history()).not.toMatch(/Addresses|[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏✓]/);
  });

  it('goes away on Ctrl-C', async () => {
    const { shows, press, history, cursor } = await on(['up', 'slow.yaml', '--name', 'cut-short']);
    await shows('A set-up command');
    await press('C-c');
    await shows('ended with 130');
    expect(await history()).toContain('interrupted; nothing of this command is left running');
    expect(await history()).not.toMatch(/Addresses|[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏✓]/);
    expect(await cursor()).toBe('shown');
  });

  it("ends with the tool's words when a step fails", async () => {
    const { shows, history } = await on(['up', 'broken.yaml']);
    await shows('A set-up command');
    await shows('ended with 1');
    expect(await history()).toContain('two.setup.1: exit code 7');
    expect(await history()).toContain('| no such luck');
    expect(await history()).not.toMatch(/[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]/);
  });

  it.each([
    ['TERM=dumb', { TERM: 'dumb' }],
    ['CI', { CI: 'true' }],
  ])('draws nothing with %s', async (_, env) => {
    const plain = await on(['up', 'slow.yaml', '--name', `no-${Object.keys(env)[0]!.toLowerCase()}`], {
      env,
    });
    await plain.shows('ended with 0');
    expect(await plain.history()).not.toMatch(/Addresses|\u001B\[\?/);
  });

  it('has no colours with NO_COLOR, and no character beyond ASCII where the locale has none', async () => {
    const { shows, history } = await on(['up', 'slow.yaml', '--name', 'grey'], {
      env: { NO_COLOR: '1', LANG: 'C' },
    });
    expect(await shows('A set-up command')).toContainEqual(expect.stringMatching(/^ {2}\+ The sandbox/));
    // eslint-disable-next-line no-control-regex
    expect(await history()).not.toMatch(/\u001B\[\d+m/);
  });
});

describe('off a terminal', () => {
  it('says nothing of its steps, but a line each with -v', async () => {
    expect(await here.run(['up', 'slow.yaml', '--name', 'silent', '--json'])).toMatchObject({
      code: 0,
      stderr: '',
    });
    const { stderr } = await here.run(['up', 'slow.yaml', '--name', 'told', '--json', '-v']);
    expect(stderr.split('\n')).toContainEqual(
      expect.stringMatching(/^told: two\.setup\.1 \(5\d\d\d ms\): A set-up command of the topology$/),
    );
  });
});
