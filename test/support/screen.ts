// A real terminal (tmux(1), on a server of its own) with a program on it, whose screen is read as a person would see it.
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { onTestFinished } from 'vitest';
import { until } from './processes.ts';

const run = promisify(execFile);

export interface Screen {
  /** Lines, without blanks at their ends and without empty lines at the end. */
  readonly lines: () => Promise<string[]>;
  /** With what has scrolled off the top, and with colours. */
  readonly history: () => Promise<string>;
  /** Waits for words; gives the lines that have them. */
  readonly shows: (words: string | RegExp, seconds?: number) => Promise<string[]>;
  /** Keys as tmux names them: `q`, `Enter`, `C-c`. */
  readonly press: (...keys: readonly string[]) => Promise<void>;
  readonly resize: (columns: number, rows: number) => Promise<void>;
  /** Whether a terminal's program has hidden the cursor. */
  readonly cursor: () => Promise<'shown' | 'hidden'>;
}

const word = (text: string) => `'${text.replaceAll("'", String.raw`'\''`)}'`;

/** A shell's line on a terminal of its own, after which `ended with CODE` stands there. */
export async function screen(
  argv: readonly string[],
  options: {
    readonly cwd: string;
    readonly env: NodeJS.ProcessEnv;
    readonly columns?: number;
    readonly rows?: number;
  },
): Promise<Screen> {
  const folder = await mkdtemp(join(tmpdir(), 'lblab-screen-'));
  const socket = join(folder, 'tmux');
  // Started from inside another tmux, or in CI, it is the same.
  const { TMUX: _tmux, CI: _ci, ...inherited } = process.env;
  const tmux = async (...args: readonly string[]) =>
    (
      await run('tmux', ['-S', socket, '-f', '/dev/null', ...args], {
        env: { ...inherited, LANG: 'C.UTF-8' },
      })
    ).stdout;
  const settings = Object.entries({ TERM: 'tmux-256color', ...options.env }).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${value}`],
  );
  const script = `trap : INT; echo before; ${argv.map(word).join(' ')}; echo "ended with $?"; exec sleep 600`;
  onTestFinished(async () => {
    await tmux('kill-server').catch(() => {});
    await rm(folder, { recursive: true, force: true });
  });
  await tmux(
    ...['new-session', '-d', '-x', String(options.columns ?? 80), '-y', String(options.rows ?? 24)],
    ...['-c', options.cwd],
    ['env', '-i', ...settings, 'sh', '-c', script].map(word).join(' '),
  );
  const lines = async () => {
    const text = await tmux('capture-pane', '-p');
    return text
      .trimEnd()
      .split('\n')
      .map((line) => line.trimEnd());
  };
  return {
    lines,
    history: async () => tmux('capture-pane', '-p', '-e', '-S', '-'),
    shows: async (words, seconds = 20) =>
      until(
        lines,
        (seen) => (typeof words === 'string' ? seen.join('\n').includes(words) : words.test(seen.join('\n'))),
        seconds,
      ),
    press: async (...keys) => {
      await tmux('send-keys', ...keys);
    },
    resize: async (columns, rows) => {
      await tmux('resize-window', '-x', String(columns), '-y', String(rows));
    },
    cursor: async () => ((await tmux('display', '-p', '#{cursor_flag}')).trim() === '1' ? 'shown' : 'hidden'),
  };
}
