// Runs `lblab inspect` as the command line does, in this process: real options, real files, output collected.
import { PassThrough } from 'node:stream';
import { Chalk } from 'chalk';
import { Command } from 'commander';
import type { Cli } from '../../src/cli/context.ts';
import { defineInspect } from '../../src/cli/inspect-command.ts';
import type { Define, Register } from '../../src/cli/defining.ts';

export interface Ran {
  readonly code: number;
  readonly out: string;
}

/** @param input what standard input has */
export async function inspect(
  argv: readonly string[],
  more: { readonly input?: Uint8Array | readonly Uint8Array[]; readonly isTerminal?: boolean } = {},
): Promise<Ran> {
  let out = '';
  let code = 0;
  const stdin = new PassThrough();
  const chunks = more.input === undefined ? [] : more.input instanceof Uint8Array ? [more.input] : more.input;
  for (const chunk of chunks) stdin.write(chunk);
  stdin.end();
  const plain = new Chalk({ level: 0 });
  const cli: Cli = {
    out: (text) => (out += text),
    say: () => {},
    json: argv.includes('--json'),
    verbose: argv.includes('-v'),
    debug: false,
    paint: plain,
    paintTalk: plain,
    env: {},
    cwd: process.cwd(),
    host: {
      home: '/nonexistent',
      uid: 1000,
      gid: 1000,
      pid: process.pid,
      path: '',
      now: () => 0,
      randomId: () => 'id',
    },
    timeout: 30,
    kernel: 'auto',
    cores: 1,
    signal: new AbortController().signal,
    columns: 80,
    isTerminal: false,
    isTalkTerminal: false,
    stdin: Object.assign(stdin, { isTTY: more.isTerminal === true }) as unknown as Cli['stdin'],
  };
  const program = new Command('lblab').exitOverride().option('--json').option('-v, --verbose');
  const define: Define = (name, description) =>
    program
      .command(name)
      .description(description)
      .exitOverride()
      .configureOutput({ writeErr: () => {}, outputError: () => {} });
  const register: Register =
    (load) =>
    async (...args) => {
      code = await (await load())(cli, ...(args.slice(0, -1) as never[]));
    };
  defineInspect(define, register);
  await program.parseAsync(['inspect', ...argv], { from: 'user' });
  return { code, out };
}
