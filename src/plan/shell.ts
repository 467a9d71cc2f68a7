// Commands as a person would paste them: POSIX shell words, quoted only where they must be.
import type { CommandStep, ServiceStep } from './types.ts';

/** One word of a POSIX shell command (XCU 2.2). */
export function word(text: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

export function words(argv: readonly string[]): string {
  return argv.map(word).join(' ');
}

/** A step's command, in its node: `netns` names the node's network namespace. */
export function commandLine(step: CommandStep | ServiceStep, netns?: string): string {
  const environment = Object.entries(step.environment ?? {}).map(([name, value]) => word(`${name}=${value}`));
  const prefix = environment.length > 0 ? ['env', ...environment] : [];
  const inside = step.node === undefined ? [] : ['ip', 'netns', 'exec', netns ?? step.node];
  return [...inside, ...prefix, words(step.argv)].join(' ');
}
