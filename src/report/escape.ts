// Makes text that came from packets, files or users harmless where it is shown.

/** Control characters (C0, DEL, C1) and bidirectional overrides become visible escapes: nothing moves the cursor or changes the terminal. */
export function forTerminal(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, (character) => {
    const code = character.codePointAt(0)!;
    return code < 0x100
      ? `\\x${code.toString(16).padStart(2, '0')}`
      : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

/** The first `length` characters, and how many more there are. */
export function clip(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length)}... (${text.length - length} more)`;
}
