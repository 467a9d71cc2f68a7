// A command written as one string, split into its arguments. Knows quotes and backslashes as POSIX sh reads them (POSIX.1-2017, Shell
// Command Language, 2.2); what only a shell can do is refused by name, because nothing here ever starts a shell.

export type Words =
  { readonly words: readonly string[] } | { readonly message: string; readonly operator?: string };

const operators = new Set('|&;<>()`$*?[]{}#~!\n');

/** The words, or why there are none. A shell's operators and expansions are refused where they are not quoted. */
export function splitWords(text: string): Words {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (let index = 0; index < text.length; index++) {
    const character = text.charAt(index);
    if (quote === "'") {
      if (character === "'") quote = '';
      else word = (word ?? '') + character;
    } else if (quote === '"') {
      if (character === '"') quote = '';
      else if (character === '$' || character === '`') return refuse(character);
      else if (character === '\\' && '$`"\\'.includes(text.charAt(index + 1) || ' ')) {
        index++;
        word += text.charAt(index);
      } else word += character;
    } else if (character === "'" || character === '"') {
      quote = character;
      word ??= '';
    } else if (character === '\\') {
      index++;
      if (index >= text.length) return { message: 'the command ends in a backslash' };
      word = (word ?? '') + text.charAt(index);
    } else if (character === ' ' || character === '\t') {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (operators.has(character)) {
      // `#` and `~` are special only where a word begins; braces only when there is something to expand.
      if ('#~!'.includes(character) && word !== undefined) word += character;
      else return refuse(character);
    } else {
      word = (word ?? '') + character;
    }
  }
  if (quote !== '') return { message: `the command has an opening ${quote} without a closing one` };
  if (word !== undefined) words.push(word);
  if (words.length === 0) return { message: 'the command is empty' };
  return { words };
}

function refuse(operator: string): Words {
  const name = operator === '\n' ? 'a line break' : `"${operator}"`;
  return { message: `${name} is for a shell, and no shell reads this command`, operator };
}
