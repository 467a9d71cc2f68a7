// Makes text that came from packets, files or users harmless where it is shown: terminals, XML, HTML, Markdown, GitHub's logs.

/**
 * Control characters (C0, DEL, C1), lone surrogates and bidirectional overrides become visible escapes: nothing moves the cursor or changes
 * the terminal. Nor is it a command to GitHub's runner, which takes `::` at the start of a line and `##[` anywhere for one.
 */
export function forTerminal(text: string): string {
  return text
    .replace(
      // eslint-disable-next-line no-control-regex
      /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufffe\uffff]|[\ud800-\udfff]/gu,
      visible,
    )
    .replace(/^(\s*)::/, String.raw`$1\x3a:`)
    .replaceAll('##[', String.raw`#\x23[`);
}

function visible(character: string): string {
  const code = character.codePointAt(0)!;
  return code < 0x100
    ? `\\x${code.toString(16).padStart(2, '0')}`
    : `\\u${code.toString(16).padStart(4, '0')}`;
}

/** The first `length` characters, and how many more there are. */
export function clip(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length)}... (${text.length - length} more)`;
}

const MARKUP: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/**
 * For XML 1.0 and HTML, in content and in quoted attributes. What XML forbids even as a reference (section 2.2: most control characters,
 * lone surrogates) becomes a visible escape; line feeds stay.
 */
export function forXml(text: string): string {
  return text
    .split('\n')
    .map(forTerminal)
    .join('\n')
    .replace(/[&<>"']/g, (character) => MARKUP[character]!);
}

/**
 * For GitHub's Markdown, in a paragraph or a table's cell: every character that could be markup is a character reference, which never is
 * one (CommonMark section 2.5), and so are the dots and colons that links grow from. One line.
 */
export function forMarkdown(text: string): string {
  return forTerminal(text)
    .replace(/[&<>"'`*_[\]()#~|\\!{}$@]/g, reference)
    .replace(/:(?=\/\/)/g, reference)
    .replace(/(?<=www)\./gi, reference);
}

function reference(character: string): string {
  return `&#${character.codePointAt(0)};`;
}

/** The message of a GitHub workflow command: line ends and percent signs are escaped, the rest is text. */
export function forGithubMessage(text: string): string {
  return text.split('\n').map(forTerminal).join('\n').replaceAll('%', '%25').replaceAll('\n', '%0A');
}

/** A property of a GitHub workflow command, where colons and commas have a meaning too. */
export function forGithubProperty(text: string): string {
  return forGithubMessage(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}

/** One line of JSON in which control characters beyond ASCII and bidirectional overrides are escaped too, which changes no value. */
export function forJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufffe\uffff]/g,
    (character) => `\\u${character.codePointAt(0)!.toString(16).padStart(4, '0')}`,
  );
}
