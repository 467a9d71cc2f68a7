// The commands, their options and examples; which file carries each out; and what an error becomes. Files are loaded when called.
import { setMaxListeners } from 'node:events';
import { sep } from 'node:path';
import { Command, CommanderError, Option, type Argument } from 'commander';
import { CONCURRENCY, FOR, labName, RATE, REQUESTS, seconds } from './arguments.ts';
import { defineFaultCommands } from './fault-commands.ts';
import { defineFileCommands } from './file-commands.ts';
import { defineInspect } from './inspect-command.ts';
import { defineLabCommands, keepCommandWhole } from './lab-commands.ts';
import { definePictures } from './picture-commands.ts';
import { makeCli, type Cli, type GlobalOptions } from './context.ts';
import type { Define, Register } from './defining.ts';
import { REPORT } from './reports.ts';
import { forTerminal } from '../report/escape.ts';
import { EXIT, Failure } from './failure.ts';

/** Runs the tool. Resolves with the exit code; everything that is said has been said. */
export async function main(argv: readonly string[], version: string): Promise<number> {
  const interrupt = new AbortController();
  // Every lab of a run listens to it.
  setMaxListeners(0, interrupt.signal);
  let signalCode = 0;
  const onSignal = (name: 'SIGINT' | 'SIGTERM', code: number) => () => {
    // A second one: leave at once. The sandbox ends with us, its control socket being closed.
    if (interrupt.signal.aborted) process.exit(code);
    signalCode = code;
    interrupt.abort(name);
  };
  process.on('SIGINT', onSignal('SIGINT', 130));
  process.on('SIGTERM', onSignal('SIGTERM', 143));
  // Whoever read our output has gone (`lblab ls | head -1`): nothing more to say.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT.ok);
    process.stderr.write(`standard output cannot be written to: ${error.message}\n`);
    process.exit(EXIT.missing);
  });

  let code = 0;
  let ownSignals = false;
  let cli: Cli | undefined;
  const program = new Command('lblab');
  const act: Register =
    (load, options = {}) =>
    async (...args) => {
      const command = args.at(-1) as Command;
      cli = makeCli(command.optsWithGlobals<GlobalOptions>(), interrupt.signal);
      ownSignals = options.ownSignals === true;
      code = await (await load())(cli, ...(args.slice(0, -1) as never[]));
    };
  define(program, version, act);
  for (const command of [program, ...program.commands]) {
    command.exitOverride().configureOutput({ outputError: (text, write) => write(text) });
    command.showHelpAfterError('(lblab help, or --help after a command, shows examples)');
  }
  try {
    await program.parseAsync(keepCommandWhole(argv), { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    if (signalCode !== 0) {
      process.stderr.write('interrupted; nothing of this command is left running\n');
      return signalCode;
    }
    return explain(error, cli?.debug ?? argv.includes('--debug'), cli?.host.home);
  }
  return signalCode === 0 || ownSignals ? code : signalCode;
}

/** What a place says that nothing can be written to. */
const NOT_WRITABLE = new Set(['ENOSPC', 'EACCES', 'EPERM', 'EROFS', 'EDQUOT', 'ENOTDIR', 'ENAMETOOLONG']);

/** Programs' own words are in many errors: what could steer a terminal is shown, not obeyed. */
function say(text: string): void {
  process.stderr.write(`${text.split('\n').map(forTerminal).join('\n')}\n`);
}

/** Whether Node's words of a file that is not there are of one in a folder. */
const isMissingIn = (folder: string, message: string) =>
  message.startsWith('ENOENT: ') && message.includes(`'${folder}${sep}`);

/** `state`: the folder that labs live in. */
function explain(error: unknown, debug: boolean, state?: string): number {
  const known = error as { name?: string; exitCode?: number; message: string };
  if (known.name === 'TopologyError' || known instanceof Failure || typeof known.exitCode === 'number') {
    say(debug && error instanceof Error ? error.stack! : known.message);
    return known.exitCode ?? EXIT.usage;
  }
  // Whoever finds it missing: a command, or the sandbox.
  if (state !== undefined && error instanceof Error && isMissingIn(state, error.message)) {
    say(`${error.message}
somebody else removed it: keep what cleans up from ${state}, or name another folder with LBLAB_STATE_DIR`);
    return EXIT.missing;
  }
  if (known.name === 'SandboxError') {
    say(`${known.message}\nlblab doctor says what this machine lacks`);
    return EXIT.missing;
  }
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (code !== undefined && (NOT_WRITABLE.has(code) || syscall === 'mkdir')) {
    process.stderr.write(
      `${known.message}\nname another folder with -o, or with LBLAB_STATE_DIR for what runs\n`,
    );
    return EXIT.missing;
  }
  process.stderr.write(
    `${error instanceof Error ? (debug ? error.stack : error.message) : String(error)}\nthis is a defect of lblab: please report it with the output of the same command and --debug\n`,
  );
  return EXIT.bug;
}

/** All commands, on a program. */
export function define(program: Command, version: string, act: Register): void {
  program
    .description(
      'Load-balancer labs in Linux network namespaces that prove what they teach from their packet captures.',
    )
    .version(version, '-V, --version')
    .configureHelp(HELP)
    .option('--json', 'one JSON document on standard output')
    .option('-v, --verbose', 'say more')
    .option('--debug', 'stack traces, and what goes on inside')
    .option('--no-color', 'no colours (NO_COLOR is honoured too)')
    .addOption(
      new Option('--timeout <time>', 'how long one step may take').argParser(seconds).default(30, '30s'),
    )
    .addOption(
      new Option('--kernel <kernel>', 'auto, host, or uml (default: LBLAB_KERNEL, or auto)').choices([
        'auto',
        'host',
        'uml',
      ]),
    )
    .addHelpText('before', EXAMPLES);

  const command: Define = (name, description, examples) =>
    program.command(name).description(description).addHelpText('before', `Examples:\n${examples}\n`);

  command(
    'run',
    "build, capture, verify and end; the article's cases (the first of `lblab topologies`) when none is named",
    `  lblab run l7
  lblab run ./mine.yaml --json > results.json
  lblab run nat dsr --report junit=results.xml --report markdown=results.md`,
  )
    .argument('[topology...]', 'topologies that ship, or files')
    .addOption(REQUESTS)
    .addOption(CONCURRENCY)
    .addOption(RATE)
    .addOption(FOR)
    .option('-o, --output <folder>', 'folder for the captures (default: captures/LAB)')
    .addOption(REPORT)
    .action(act(async () => (await import('./commands/run.ts')).run));

  command(
    'up',
    'build a lab, start its services, leave it running',
    `  lblab up l7
  lblab up ./mine.yaml --name blue`,
  )
    .argument('<topology>', 'a topology that ships, or a file')
    .addOption(new Option('--name <lab>', "the lab's name (default: the topology's)").argParser(labName))
    .option('--recreate', 'end the lab of that name first, if one is up')
    .action(act(async () => (await import('./commands/up.ts')).up));

  command(
    'down',
    'end a lab; one that is absent or half-built is fine',
    `  lblab down l7
  lblab down --all`,
  )
    .argument('[lab]', 'the lab', labName)
    .option('--all', 'every lab')
    .action(act(async () => (await import('./commands/down.ts')).down));

  defineLabCommands(command, act);
  defineFaultCommands(command, act);
  defineInspect(command, act);
  definePictures(command, act);
  defineFileCommands(program, command, act);

  command(
    'doctor',
    'what this machine has of what labs need, and which labs can run on it; exit code 3 when one cannot',
    `  lblab doctor
  lblab doctor --fix            installs the packages that are missing`,
  )
    .option('--fix', 'install the Debian packages that are missing')
    .action(act(async () => (await import('./commands/doctor.ts')).doctor));
}

/** Commander's help, with the options that all commands take below each command's own, and descriptions that 80 columns hold. */
const HELP = {
  showGlobalOptions: true,
  subcommandTerm: (command: Command) =>
    [command.name(), ...command.registeredArguments.map(humanReadable)].join(' '),
};

function humanReadable(argument: Argument): string {
  const name = argument.name() + (argument.variadic ? '...' : '');
  return argument.required ? `<${name}>` : `[${name}]`;
}

const EXAMPLES = `Examples:
  lblab run                     the article's cases, built, measured and verified
  lblab run ./mine.yaml         your own; exit code 1 when a check fails
  lblab up l7                   a lab to look around in ...
  lblab exec lb -- ss -tn       ... a command in one of its nodes
  lblab capture                 ... requests, and a pcap of every capture point
  lblab down l7                 ... and its end
`;
