// What the user's terminal can show.
import type { Cli } from './context.ts';

/** Whether what is written is read as UTF-8, by POSIX's order of variables. */
export function isUtf8({ env }: Cli): boolean {
  const locale = [env.LC_ALL, env.LC_CTYPE, env.LANG].find((value) => (value ?? '') !== '');
  return /utf-?8/i.test(locale ?? '');
}

/** Whether something may be drawn again and again on a terminal: not on a printing one, nor in a log of continuous integration. */
export function isLively({ env }: Cli): boolean {
  const isCi = env.CI !== undefined && !['', '0', 'false'].includes(env.CI);
  return !isCi && env.TERM !== undefined && env.TERM !== '' && env.TERM !== 'dumb';
}
