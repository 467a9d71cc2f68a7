// `lblab shell` and `lblab exec -t` on a real terminal: keys, Ctrl-C, a new size, and our terminal as it was, however it ends.
import { readFile } from 'node:fs/promises';
import { spawn, type IPty } from '@lydell/node-pty';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { place, type Place } from '../support/cli.ts';
import { hasConnected, processesOf, stopAgent, until } from '../support/processes.ts';

let here: Place;
beforeAll(async () => {
  here = await place();
  expect(await here.run(['up', 'l7'])).toMatchObject({ code: 0 });
});
afterAll(async () => {
  await here.run(['down', '--all']);
  await here.remove();
});

interface Session {
  readonly terminal: IPty;
  readonly screen: () => string;
  /** Waits for words on the screen. */
  readonly shows: (words: string | RegExp) => Promise<void>;
}

const SETTINGS = 'icanon and echo';

/** A shell of ours around the command, which tells its exit code and whether the terminal is as it was. */
function session(args: readonly string[], env: Record<string, string> = {}): Session {
  const command = here.argv(args).map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`);
  const script = `${command.join(' ')}; echo "ended with $?"; stty -a | grep -q ' icanon' && stty -a | grep -q ' echo ' && echo "${SETTINGS}"`;
  const terminal = spawn('sh', ['-c', script], {
    cols: 90,
    rows: 25,
    cwd: here.cwd,
    env: { ...here.env, TERM: 'xterm', SHELL: '/bin/sh', ...env },
  });
  let text = '';
  terminal.onData((data) => (text += data));
  onTestFinished(() => terminal.kill('SIGKILL'));
  return {
    terminal,
    screen: () => text,
    shows: async (words) => {
      await until(
        async () => Promise.resolve(text),
        (seen) => (typeof words === 'string' ? seen.includes(words) : words.test(seen)),
        10,
      );
    },
  };
}

it.each([
  ['shell', ['shell', '-l', 'l7', 'lb']],
  ['exec -t', ['exec', '-t', '-l', 'l7', 'lb', '--', 'sleep', '4327']],
])('%s hears a signal that comes before its program runs', async (_, args) => {
  const goOn = await stopAgent(here.state, 'l7');
  const { shows } = session(args);
  const own = `lblab.js ${args.join(' ')}`;
  // The shell around it has these words too, in quotes.
  const [pid] = await until(
    async () => processesOf(own),
    (pids) => pids.length > 0,
  );
  await hasConnected(pid!);
  process.kill(pid!, 'SIGTERM');
  goOn();
  await shows(new RegExp(`ended with (129|143)\r\n${SETTINGS}`));
  await until(
    async () => processesOf('sleep 4327'),
    (pids) => pids.length === 0,
  );
});

describe('a shell in a node', () => {
  it('is there, with the node in its prompt, its own exit code, and the terminal as it was', async () => {
    const { terminal, shows } = session(['shell', 'lb']);
    await shows('(l7:lb) $ ');
    terminal.write('ip -br addr show eth1\r');
    await shows(/eth1@if\d+ +UP +10\.133\.1\.1\/24/);
    terminal.write('exit 3\r');
    await shows(`ended with 3\r\n${SETTINGS}`);
  });

  it('follows the size of the terminal', async () => {
    const { terminal, shows } = session(['shell', 'lb']);
    await shows('$ ');
    terminal.write('stty size\r');
    await shows('25 90');
    terminal.resize(120, 40);
    terminal.write('stty size\r');
    await shows('40 120');
  });

  it('takes Ctrl-C as a key, as often as it is pressed', async () => {
    const { terminal, shows, screen } = session(['shell', 'lb']);
    await shows('$ ');
    for (const round of [1, 2, 3]) {
      terminal.write(`echo begun $((${round} * 7)); sleep 1000\r`);
      await shows(new RegExp(`begun ${round * 7}\\r`));
      terminal.write('\x03');
      await until(
        async () => Promise.resolve(screen().split('(l7:lb) $ ').length),
        (prompts) => prompts >= round + 2,
      );
    }
    terminal.write('exit\r');
    await shows(/ended with \d+/);
  });

  it.each(['bash', 'zsh', 'fish'])("is %s when that is the user's own", async (name) => {
    const { stdout: path } = await here.run(['exec', 'lb', '--', 'sh', '-c', `command -v ${name} || :`]);
    // A shell that is not installed is nobody's; sh takes its place.
    const { terminal, shows } = session(['shell', 'lb'], {
      SHELL: path.trim() === '' ? '/bin/sh' : path.trim(),
    });
    await shows('(l7:lb) ');
    terminal.write('exit 4\r');
    await shows(`ended with 4\r\n${SETTINGS}`);
  });

  it('gives the terminal back when the lab ends, or the command is told to', async () => {
    expect(await here.run(['up', 'l7', '--name', 'short'])).toMatchObject({ code: 0 });
    const first = session(['shell', '-l', 'short', 'lb']);
    const second = session([
      'exec',
      '-t',
      '-l',
      'l7',
      'lb',
      '--',
      'sh',
      '-c',
      'echo "pid is $$"; exec sleep 1000',
    ]);
    await first.shows('$ ');
    await second.shows('pid is ');
    await here.run(['down', 'short']);
    await first.shows(/short has ended meanwhile.*\s+ended with 1\r\n/s);
    await first.shows(SETTINGS);
    process.kill(await child(second.terminal.pid), 'SIGTERM');
    await second.shows(`ended with 129\r\n${SETTINGS}`);
  });

  it('says what it needs when there is no terminal', async () => {
    expect(await here.run(['shell', '-l', 'l7', 'lb'])).toEqual({
      code: 2,
      stdout: '',
      stderr:
        'shell needs a terminal on standard input; lblab exec lb -- COMMAND runs a command without one\n',
    });
  });
});

/** Pid of the only child of a process. */
async function child(pid: number): Promise<number> {
  return Number((await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim());
}
