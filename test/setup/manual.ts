// The manual page, made from the commands as commander knows them. man(7) macros, as groff and mandoc both take them.
import type { Command, Option } from 'commander';

/** Text in roff: no line is taken for a request, no backslash for an escape, and a hyphen stays one when it is copied. */
const plain = (text: string) =>
  text.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll("'", '\\(aq').replace(/^[.]/gm, '\\&.');

const bold = (text: string) => `\\fB${plain(text)}\\fP`;

/** Commander prints examples before a help. */
function examplesOf(command: Command): string {
  let text = '';
  command.configureOutput({ writeOut: (part) => (text += part) }).outputHelp();
  return text
    .split('\nUsage:')[0]!
    .replace(/^Examples:\n/, '')
    .replace(/^ {2}/gm, '')
    .trimEnd();
}

function terms(items: readonly { readonly flags: string; readonly words: string }[]): string[] {
  return items.flatMap(({ flags, words }) => ['.TP', bold(flags), plain(words)]);
}

function wordsOf(option: Option): string {
  const choices = option.argChoices === undefined ? '' : ` [${option.argChoices.join(', ')}]`;
  const preset = option.defaultValueDescription ?? option.defaultValue;
  const said = typeof preset === 'string' && preset !== '' ? ` (default: ${preset})` : '';
  return option.description + choices + said;
}

const options = (command: Command) =>
  terms(
    command.options
      .filter(({ hidden }) => !hidden)
      .map((option) => ({ flags: option.flags, words: wordsOf(option) })),
  );

function section(command: Command): string[] {
  const examples = examplesOf(command);
  return [
    `.SS ${bold(`lblab ${command.name()} ${command.usage()}`)}`,
    plain(command.description()[0]!.toUpperCase() + command.description().slice(1) + '.'),
    ...terms(
      command.registeredArguments
        .filter(({ description }) => description !== '')
        .map((argument) => ({ flags: argument.name(), words: argument.description })),
    ),
    ...options(command),
    ...(examples === '' ? [] : ['.PP', '.nf', '.RS', plain(examples), '.RE', '.fi']),
  ];
}

/**
 * @param exits exit codes and what each means
 * @param date of the last release
 */
export function manual(
  program: Command,
  exits: readonly (readonly [code: string, meaning: string])[],
  date: string,
): string {
  const commands = program.commands.filter((command) => !command.name().startsWith('_'));
  return [
    '.\\" Made from the commands by npm run generate; not to be edited.',
    `.TH LBLAB 1 ${date} "lblab ${program.version()}" "User Commands"`,
    '.SH NAME',
    'lblab \\- load\\-balancer labs that prove what they teach from their packet captures',
    '.SH SYNOPSIS',
    '.B lblab',
    '[\\fIoptions\\fP] \\fIcommand\\fP [\\fIarguments\\fP]',
    '.SH DESCRIPTION',
    plain(
      'lblab builds a small network of clients, a balancer and backends in Linux network namespaces, sends requests, captures with ' +
        'tcpdump at every interface, and judges each statement about the balancing method from the packets.',
    ),
    '.SH OPTIONS',
    ...options(program),
    '.SH COMMANDS',
    ...commands.flatMap(section),
    '.SH EXIT STATUS',
    ...terms(exits.map(([flags, words]) => ({ flags, words }))),
    '.SH ENVIRONMENT',
    ...terms([
      { flags: 'LBLAB_KERNEL', words: 'what --kernel is when it is not given: auto, host or uml' },
      { flags: 'LBLAB_STATE_DIR', words: 'the folder that has the labs that are up' },
      { flags: 'NO_COLOR', words: 'no colours, when it is set to anything' },
    ]),
    '.SH SEE ALSO',
    '.BR ip\\-netns (8),',
    '.BR tcpdump (8),',
    '.BR ipvsadm (8),',
    '.BR wireshark (1)',
    '',
  ].join('\n');
}
