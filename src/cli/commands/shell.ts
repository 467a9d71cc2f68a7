// `lblab shell`: the user's own shell in a node, on a real terminal, with the node's name in its prompt.
import { basename, join } from 'node:path';
import { which } from '../../sandbox/choose.ts';
import type { Lab } from '../../lab/lab.ts';
import type { Node } from '../../topology/types.ts';
import type { Cli } from '../context.ts';
import { EXIT, Failure } from '../failure.ts';
import { exitCodeOf, inNode } from '../inside.ts';
import { nodeOf, withLab } from '../labs.ts';
import { onTerminal } from '../terminal.ts';

/** How a shell is started with a prompt of ours before the user's own. `files` lie in `folder`. */
interface Start {
  readonly argv: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string>>;
}

// The user's home is read-only in a lab: history is not written.
const BASHRC = `[ -r /etc/bash.bashrc ] && . /etc/bash.bashrc
[ -r ~/.bashrc ] && . ~/.bashrc
unset HISTFILE
PS1="($LBLAB_PROMPT) \${PS1-\\\\$ }"
PROMPT_COMMAND=
`;
const ZSHRC = `ZDOTDIR=$HOME
[ -r ~/.zshrc ] && . ~/.zshrc
unset HISTFILE
PROMPT="($LBLAB_PROMPT) \${PROMPT-%# }"
`;
const FISH = `test -r ~/.config/fish/config.fish; and source ~/.config/fish/config.fish
set -g fish_greeting
functions -q fish_prompt; and functions -c fish_prompt lblab_prompt
function fish_prompt; echo -n "($LBLAB_PROMPT) "; functions -q lblab_prompt; and lblab_prompt; or echo -n '> '; end`;

/** `folder` is where this shell's own files may be written. */
function startOf(program: string, prompt: string, folder: string): Start {
  const environment = { LBLAB_PROMPT: prompt };
  switch (basename(program)) {
    case 'bash':
      return {
        argv: [program, '--rcfile', join(folder, 'bashrc'), '-i'],
        environment,
        files: { bashrc: BASHRC },
      };
    case 'zsh':
      return {
        argv: [program, '-i'],
        environment: { ...environment, ZDOTDIR: folder },
        files: { '.zshrc': ZSHRC },
      };
    case 'fish':
      return {
        argv: [program, '--private', '-C', FISH],
        // fish keeps state where it reads its settings; those of the user's are read by FISH.
        environment: { ...environment, XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder },
      };
    default:
      return { argv: [program, '-i'], environment: { ...environment, PS1: `(${prompt}) $ ` } };
  }
}

async function shellOf(cli: Cli): Promise<string> {
  const wanted = [cli.env.SHELL ?? '', 'bash', 'sh'].filter((name) => name !== '');
  for (const name of wanted) {
    const found = name.startsWith('/')
      ? await which(basename(name), name.slice(0, name.lastIndexOf('/')) || '/')
      : await which(name, cli.host.path);
    if (found !== undefined && !/(false|nologin)$/.test(found)) return found;
  }
  throw new Failure('no shell is found; set SHELL to the path of one', EXIT.missing);
}

export async function shell(cli: Cli, name: string, options: { lab?: string }): Promise<number> {
  if (cli.stdin.isTTY !== true) {
    throw new Failure(
      `shell needs a terminal on standard input; lblab exec ${name} -- COMMAND runs a command without one`,
      EXIT.usage,
    );
  }
  return withLab(cli, options.lab, async (lab) => openShell(cli, lab, nodeOf(lab, name)));
}

/** The user's shell in a node, on our terminal, until it ends. Resolves with its exit code. */
export async function openShell(cli: Cli, lab: Lab, node: Node): Promise<number> {
  const folder = join(lab.dir, 'shell');
  const start = startOf(await shellOf(cli), `${lab.name}:${node.name}`, folder);
  for (const [file, content] of Object.entries(start.files ?? {}))
    await lab.client.write(join(folder, file), content);
  return exitCodeOf(await onTerminal(cli, lab.client, inNode(cli, lab, node, start.argv, start.environment)));
}
