// `lblab completion`: scripts for shells, which ask `lblab __complete` at every Tab; and that command's answers.
import type { Command, Option } from 'commander';
import { checkHome, labs, type LabRecord } from '../../lab/folders.ts';
import type { Topology } from '../../topology/types.ts';
import type { Cli } from '../context.ts';
import { EXIT } from '../failure.ts';
import { shippedNames } from '../topologies.ts';

// Each hands the words typed so far to __complete and gets candidates, one a line; an answer of `:files` alone means file names.
const BASH = `# bash completion for lblab
_lblab() {
  local answer
  # Words as typed: bash itself would split them at colons.
  local words
  IFS=$' \\t\\n' read -ra words <<<"\${COMP_LINE:0:COMP_POINT}"
  [[ \${COMP_LINE:COMP_POINT-1:1} == [[:space:]] ]] && words+=('')
  local current=\${words[\${#words[@]}-1]}
  answer=$(lblab __complete -- "\${words[@]:1}" 2>/dev/null) || return
  if [[ $answer == :files ]]; then
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}")
    return
  fi
  COMPREPLY=()
  [[ -n $answer ]] || return
  # Not compgen -W, which expands what it is given as a shell does.
  mapfile -t COMPREPLY <<<"$answer"
  # What stands before the last colon is on the line already.
  if [[ $current == *:* && $COMP_WORDBREAKS == *:* ]]; then
    COMPREPLY=("\${COMPREPLY[@]#"\${current%"\${current##*:}"}"}")
  fi
}
complete -F _lblab lblab
`;

const ZSH = `#compdef lblab
_lblab() {
  local -a answer
  answer=("\${(@f)$(lblab __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ $answer[1] == :files ]]; then
    _files
  else
    compadd -- $answer
  fi
}
if [[ $funcstack[1] == _lblab ]]; then
  _lblab "$@"
else
  compdef _lblab lblab
fi
`;

const FISH = `# fish completion for lblab
function __lblab_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l answer (lblab __complete -- $words[2..-1] 2>/dev/null)
    if test "$answer" = :files
        __fish_complete_path (commandline -ct)
    else
        printf '%s\\n' $answer
    end
end
complete -c lblab -f -a '(__lblab_complete)'
`;

const SCRIPTS = { bash: BASH, zsh: ZSH, fish: FISH };

export async function completion(cli: Cli, shell: keyof typeof SCRIPTS): Promise<number> {
  cli.out(SCRIPTS[shell]);
  return Promise.resolve(EXIT.ok);
}

const FILES = [':files'];

interface Typed {
  readonly command: Command | undefined;
  readonly operands: readonly string[];
  /** The option whose value is being typed. */
  readonly option: Option | undefined;
  readonly lab: string | undefined;
  /** Behind `exec NODE`: another program's words. */
  readonly foreign: boolean;
}

function parse(program: Command, words: readonly string[]): Typed {
  let command: Command | undefined;
  let option: Option | undefined;
  let lab: string | undefined;
  const operands: string[] = [];
  for (const text of words) {
    if (option !== undefined) {
      if (option.long === '--lab') lab = text;
      option = undefined;
    } else if (text.startsWith('-') && text !== '-') {
      const options = [...(command?.options ?? []), ...program.options];
      const found = options.find((each) => each.short === text || each.long === text);
      if (found?.required === true) option = found;
    } else if (command === undefined) {
      command = program.commands.find((each) => each.name() === text);
      if (command === undefined) break;
    } else {
      operands.push(text);
    }
  }
  return { command, operands, option, lab, foreign: command?.name() === 'exec' && operands.length > 0 };
}

/** The labs that are up; none where the folder that they live in is another's. */
async function labsOf(cli: Cli): Promise<LabRecord[]> {
  const { home, uid } = cli.host;
  const isOurs = await checkHome(home, uid).then(
    () => true,
    () => false,
  );
  return isOurs ? (await labs(home)).map(({ record }) => record) : [];
}

async function topologiesOfLabs(cli: Cli, lab: string | undefined): Promise<Topology[]> {
  return (await labsOf(cli))
    .filter(({ name }) => lab === undefined || name === lab)
    .map(({ topology }) => topology);
}

const unique = (words: readonly string[]) => [...new Set(words)].sort();

async function labNames(cli: Cli): Promise<string[]> {
  return (await labsOf(cli)).map(({ name }) => name);
}

async function valuesOf(cli: Cli, option: Option, lab: string | undefined): Promise<readonly string[]> {
  if (option.argChoices !== undefined) return option.argChoices;
  switch (option.long) {
    case '--lab':
      return labNames(cli);
    case '--topology':
      return shippedNames();
    case '--output':
    case '--captures':
      return FILES;
    case '--write':
      return ['-'];
    case '--at': {
      const all = await topologiesOfLabs(cli, lab);
      return unique(
        all.flatMap(({ nodes }) =>
          nodes.flatMap((node) => node.interfaces.map((link) => `${node.name}:${link.name}`)),
        ),
      );
    }
    default:
      return [];
  }
}

async function operandsOf(cli: Cli, { command, operands, lab }: Typed): Promise<readonly string[]> {
  const names = command!.registeredArguments;
  const argument = names[operands.length] ?? (names.at(-1)?.variadic === true ? names.at(-1) : undefined);
  if (argument?.argChoices !== undefined) return argument.argChoices;
  switch (argument?.name()) {
    case 'lab':
      return labNames(cli);
    case 'node': {
      const all = await topologiesOfLabs(cli, lab);
      return unique(all.flatMap(({ nodes }) => nodes.map((node) => node.name)));
    }
    case 'topology':
      return shippedNames();
    case 'file':
      return FILES;
    default:
      return [];
  }
}

/** Answers for the last of the words: what it could become. */
export async function complete(cli: Cli, program: Command, words: readonly string[]): Promise<number> {
  const current = words.at(-1) ?? '';
  const typed = parse(program, words.slice(0, -1));
  const candidates = async (): Promise<readonly string[]> => {
    if (typed.foreign) return FILES;
    if (typed.option !== undefined) return valuesOf(cli, typed.option, typed.lab ?? typed.operands[0]);
    if (current.startsWith('-')) {
      return [...(typed.command?.options ?? []), ...program.options].flatMap((option) => option.long ?? []);
    }
    if (typed.command !== undefined) return operandsOf(cli, typed);
    // A word that is no command: nothing that follows can be right.
    if (words.slice(0, -1).some((text) => !text.startsWith('-'))) return [];
    return program.commands.map((command) => command.name()).filter((name) => !name.startsWith('_'));
  };
  const found = await candidates();
  const fitting = found.filter((candidate) => candidate.startsWith(current));
  // A file of one's own can stand wherever the name of one that ships can.
  const files = found === FILES || (fitting.length === 0 && isTopology(typed));
  cli.out((files ? FILES : fitting).map((candidate) => `${candidate}\n`).join(''));
  return EXIT.ok;
}

function isTopology({ command, operands, option }: Typed): boolean {
  if (option !== undefined) return option.long === '--topology';
  const names = command?.registeredArguments ?? [];
  return (names[operands.length] ?? names.at(-1))?.name() === 'topology';
}
