// What is wrong with a topology file, where, and what to do about it. Knows how a wrong value is shown; finding it is left to the
// stages that read, check and resolve.

export interface Issue {
  readonly file: string;
  /** 1-based, as editors count. */
  readonly line: number;
  /** 1-based, in UTF-16 code units. */
  readonly column: number;
  readonly message: string;
  /** What to do about it, or the word that was probably meant. */
  readonly hint?: string;
}

/** Every problem of one topology file. The message has them all, one a line, in the file's order. */
export class TopologyError extends Error {
  override readonly name = 'TopologyError';
  readonly issues: readonly Issue[];

  constructor(issues: readonly Issue[]) {
    super(issues.map(formatIssue).join('\n'));
    this.issues = issues;
  }
}

function formatIssue({ file, line, column, message, hint }: Issue): string {
  return `${printable(file)}:${line}:${column}: ${message}${hint === undefined ? '' : `; ${hint}`}`;
}

/** Keys and list indices from the document's root to a value. */
export type Path = readonly (string | number)[];

/** Something wrong at a path: at the value, or with `key` at the key itself. */
export interface Problem {
  readonly path: Path;
  readonly key?: boolean;
  readonly message: string;
  readonly hint?: string;
}

// Beside the C0 controls that JSON escapes: C1 controls, and what hides or reorders text on a terminal.
const invisible = /[\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/** The text with what a terminal would act upon written out. */
export function printable(text: string): string {
  return text
    .replace(/[\u0000-\u001f]/g, (character) => JSON.stringify(character).slice(1, -1))
    .replace(invisible, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** A value from the file as messages show it: quoted, escaped, and cut after 40 characters. */
export function show(value: unknown): string {
  if (typeof value === 'string') {
    const cut = value.length > 40 ? `${value.slice(0, 40)}…` : value;
    const quoted = printable(JSON.stringify(cut));
    return value.length > 40 ? `${quoted}, ${value.length} characters` : quoted;
  }
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : 'a mapping';
}

/** `, did you mean` as a hint, when there is a near word; else the choices, when they are few. */
export function suggest(near: string | undefined, choices: readonly string[] = []): string | undefined {
  if (near !== undefined) return `did you mean ${near}?`;
  if (choices.length === 0 || choices.length > 24) return undefined;
  return choices.length === 1 ? `there is ${choices.join('')}` : `there are ${choices.join(', ')}`;
}
