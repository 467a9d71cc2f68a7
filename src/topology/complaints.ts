// The schema's findings in the file's own words: what is wrong, what was got, what was probably meant. Knows how zod reports; the
// schema itself, and messages of its own (a text, a line break, a hint), are in schema.ts.
import type * as z from 'zod';
import { show, suggest } from './issues.ts';
import type { Path, Problem } from './issues.ts';
import { nearest } from './nearest.ts';

/** What zod says is wrong. */
type ShapeIssue = z.core.$ZodIssue;

/** One of the schema's issues, put for the person who wrote the file; several when it is about several keys. */
export function complain(issue: ShapeIssue, data: unknown, base: Path): Problem[] {
  const path = [...base, ...issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))];
  const got = lookUp(data, path);
  const label = labelOf(path);
  const problem = (message: string, hint?: string, key = false): Problem[] => [
    { path, key, message, ...(hint === undefined || hint === '' ? {} : { hint }) },
  ];

  if (issue.code === 'unrecognized_keys') {
    const known = issue.message.split(' ');
    return issue.keys.flatMap((key) => {
      const hint = suggest(nearest(key, known), known);
      const message = `unknown key ${show(key)}`;
      return { path: [...path, key], key: true, message, ...(hint === undefined ? {} : { hint }) };
    });
  }
  if (issue.code === 'invalid_key') {
    const [message = '', hint] = (issue.issues[0]?.message ?? '').split('\n');
    return problem(`${message} (got ${show(path.at(-1))})`, hint, true);
  }
  if (got === undefined) return problem(`${label} is missing`);
  if (issue.message.includes('\n')) {
    const [message = '', hint] = issue.message.split('\n');
    return problem(`${message.startsWith('must ') ? `${label} ` : ''}${message} (got ${show(got)})`, hint);
  }
  switch (issue.code) {
    case 'invalid_union':
      return union(issue, data, path, got);
    case 'invalid_value': {
      const values = issue.values.map(String);
      if (typeof got !== 'string') return problem(`${label} must be ${listed(values)} (got ${show(got)})`);
      return problem(`unknown ${nounOf(path)} (got ${show(got)})`, suggest(nearest(got, values), values));
    }
    case 'invalid_type':
      return problem(
        `${label} must be ${KINDS[issue.expected] ?? issue.expected} (got ${show(got)})`,
        conversion([issue.expected], got),
      );
    case 'too_big':
    case 'too_small': {
      const [limit, word] =
        issue.code === 'too_big' ? [issue.maximum, 'at most'] : [issue.minimum, 'at least'];
      const kind = { array: 'be a list of', string: 'have' }[String(issue.origin)] ?? 'be';
      const unit = issue.origin === 'string' ? ' characters' : '';
      const size = Array.isArray(got) ? String(got.length) : show(got);
      return problem(`${label} must ${kind} ${word} ${String(limit)}${unit} (got ${size})`);
    }
    default:
      return problem(`${label}: ${issue.message} (got ${show(got)})`);
  }
}

/** Keys that are not the name of what stands there. */
const NOUNS: Readonly<Record<string, string>> = { claims: 'claim', none: 'TCP analysis flag' };

function nounOf(path: Path): string {
  const key = String(path.findLast((part) => typeof part === 'string'));
  return NOUNS[key] ?? key;
}

function lookUp(data: unknown, path: Path): unknown {
  let at = data;
  for (const part of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, part)) return undefined;
    at = Reflect.get(at, part);
  }
  return at;
}

function labelOf(path: Path): string {
  const last = path.at(-1);
  if (typeof last === 'string') return last;
  const key = path.findLast((part) => typeof part === 'string');
  return key === undefined ? 'a topology' : `an entry of ${key}`;
}

const KINDS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping',
  record: 'a mapping',
};

function listed(values: readonly string[]): string {
  return values.length < 2 ? values.join('') : `${values.slice(0, -1).join(', ')} or ${values.at(-1) ?? ''}`;
}

/** How to write the value so that it has one of the kinds that are wanted. */
function conversion(wanted: readonly string[], got: unknown): string | undefined {
  if (wanted.includes('string') && (typeof got === 'number' || typeof got === 'boolean')) {
    return `write "${String(got)}"`;
  }
  if (typeof got !== 'string') return undefined;
  if (wanted.some((kind) => kind === 'number' || kind === 'int') && /^[0-9]{1,15}$/.test(got)) {
    return `write ${got} without quotes`;
  }
  if (wanted.some((kind) => kind === 'boolean' || kind === 'true') && /^(yes|on|y)$/i.test(got)) {
    return 'write true';
  }
  if (wanted.some((kind) => kind === 'boolean' || kind === 'false') && /^(no|off|n)$/i.test(got)) {
    return 'write false';
  }
  return undefined;
}

/** Only the branch that the value was meant for speaks: the one whose own type fits. */
function union(
  issue: Extract<ShapeIssue, { code: 'invalid_union' }>,
  data: unknown,
  path: Path,
  got: unknown,
): Problem[] {
  const wrongType = (inner: ShapeIssue) =>
    inner.path.length === 0 &&
    (inner.code === 'invalid_type' ||
      (inner.code === 'invalid_value' && !inner.values.some((each) => typeof each === typeof got)));
  const branch = issue.errors.find((inner) => !inner.some(wrongType));
  if (branch !== undefined) return branch.flatMap((inner) => complain(inner, data, path));
  const wanted = issue.errors.flat().flatMap((inner) => {
    if (inner.code === 'invalid_type') return [inner.expected];
    return inner.code === 'invalid_value' ? inner.values.map(String) : [];
  });
  const kinds = [...new Set(wanted.map((each) => KINDS[each] ?? each))].filter((kind) => kind !== 'null');
  const hint = conversion(wanted, got);
  const message = `${labelOf(path)} must be ${listed(kinds)} (got ${show(got)})`;
  return [{ path, message, ...(hint === undefined ? {} : { hint }) }];
}
