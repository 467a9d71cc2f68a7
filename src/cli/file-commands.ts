// The commands that need no lab: what a topology says, what would be executed for it, and the shell's completion.
import { Argument, Option, type Command } from 'commander';
import { labName } from './arguments.ts';
import type { Define, Register } from './defining.ts';

export function defineFileCommands(program: Command, command: Define, act: Register): void {
  command(
    'plan',
    'what would be executed for a topology, step by step, each with its reason',
    `  lblab plan l7
  lblab plan nat --format sh > nat.sh        a script that does the same by itself
  lblab plan ./mine.yaml --format json
  lblab plan dsr --format ascii              the topology as a picture; mermaid and dot too`,
  )
    .argument('<topology>', 'a topology that ships, or a file')
    .addOption(
      new Option('--format <format>', 'text, json, sh; the topology as ascii, mermaid or dot').choices([
        'text',
        'json',
        'sh',
        'ascii',
        'mermaid',
        'dot',
      ]),
    )
    .addOption(new Option('--name <lab>', "the lab's name (default: the topology's)").argParser(labName))
    .action(act(async () => (await import('./commands/plan.ts')).plan));

  command(
    'validate',
    'check topology files: all that is wrong, with line and column; exit code 2 when something is',
    `  lblab validate ./mine.yaml
  lblab validate topologies/*.yaml --json`,
  )
    .argument('<file...>', 'topology files')
    .action(act(async () => (await import('./commands/validate.ts')).validate));

  command(
    'schema',
    "the topology file's JSON Schema, for editors",
    `  lblab schema > lblab.schema.json
  # yaml-language-server: $schema=./lblab.schema.json      (first line of a topology)`,
  ).action(act(async () => (await import('./commands/schema.ts')).schema));

  command('topologies', 'the topologies that ship', `  lblab topologies\n  lblab topologies --json`).action(
    act(async () => (await import('./commands/topologies.ts')).topologies),
  );

  command('init', 'write a topology to start from', `  lblab init\n  lblab init labs/mine.yaml`)
    .argument('[file]', 'the file to write; one that is there is left alone', 'lab.yaml')
    .action(act(async () => (await import('./commands/init.ts')).init));

  command(
    'completion',
    'completion for a shell',
    `  source <(lblab completion bash)                                  in ~/.bashrc
  source <(lblab completion zsh)                                   in ~/.zshrc, after compinit
  lblab completion fish > ~/.config/fish/completions/lblab.fish`,
  )
    .addArgument(new Argument('<shell>', 'the shell').choices(['bash', 'zsh', 'fish']))
    .action(act(async () => (await import('./commands/completion.ts')).completion));

  program
    .command('__complete', { hidden: true })
    .argument('[word...]', 'the words of the command line; the last is the one to complete')
    .allowUnknownOption()
    .helpOption(false)
    .action(
      act(async () => {
        const { complete } = await import('./commands/completion.ts');
        return async (cli, words: string[]) => complete(cli, program, words);
      }),
    );
}
