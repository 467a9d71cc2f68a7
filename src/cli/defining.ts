// How a command is defined: its name, description and examples, and the function that carries it out, whose file is loaded when it is called.
import type { Command } from 'commander';
import type { Cli } from './context.ts';

export type Act = (cli: Cli, ...args: never[]) => Promise<number>;

export interface ActOptions {
  /** Ctrl-C is an ordinary end of the command, or another program's business: the exit code is then the command's own. */
  readonly ownSignals?: boolean;
}

/** Makes a commander action of a command's function, which is loaded when called. */
export type Register = (
  load: () => Promise<Act>,
  options?: ActOptions,
) => (...args: unknown[]) => Promise<void>;

/** Adds a command with its examples. */
export type Define = (name: string, description: string, examples: string) => Command;
