// The schema's findings in the file's own words: what is wrong, what was got, what was probably meant. Knows how zod reports; the
// schema itself is in schema.ts.
import { show, suggest } from './issues.ts';
import type { Path, Problem } from './issues.ts';
import { nearest } from './nearest.ts';
import type { ShapeIssue } from './schema.ts';

function lookUp(data: unknown, path: Path): unknown {
  let at = data;
  for (const part of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, part)) return undefined;
    at = Reflect.get(at, part);
  }
  return at;
}

/** One of the schema's issues, put for the person who wrote the file; several when it is about several keys. */
export function complain(issue: ShapeIssue, data: unknown, base: Path): Problem[] {
  const path = [...base, ...issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))];
  const got = lookUp(data, path);
  const name = path.at(-1);
  const problem = (message: string, hint?: string, extra?: Partial<Problem>): Problem[] => [
    { path, message, ...(hint === undefined ? {} : { hint }), ...extra },
  ];
  switch (issue.code) {
    case 'unrecognized_keys': {
      const known = issue.message.split(' ');
      return issue.keys.flatMap((key) => ({
        path: [...path, key],
        key: true,
        message: `unknown key ${show(key)}`,
        ...hintOf(suggest(nearest(key, known), known)),
      }));
    }
    case 'invalid_key':
      return issue.issues.slice(0, 1).flatMap((inner) => {
        const [message = '', hint] = inner.message.split('\n');
        return problem(`${message} (got ${show(name)})`, hint, { key: true });
      });
    case 'invalid_union':
      return union(issue, data, path, got);
    case 'invalid_value': {
      const values = issue.values.map(String);
      const kind = typeof name === 'number' ? 'this' : String(name);
      if (typeof got !== 'string')
        return problem(`${kind} must be one of ${values.join(', ')} (got ${show(got)})`);
      return problem(`unknown ${kind} (got ${show(got)})`, suggest(nearest(got, values), values));
    }
    case 'invalid_type':
      return missingOrWrong(issue.expected, path, got);
    case 'too_big':
    case 'too_small':
      return range(issue, path, got);
    default: {
      const [message = '', hint] = issue.message.split('\n');
      return problem(`${labelled(message, name)} (got ${show(got)})`, hint);
    }
  }
}

const hintOf = (hint: string | undefined) => (hint === undefined ? {} : { hint });

/** Messages that begin with a verb speak of the key. */
function labelled(message: string, name: string | number | undefined): string {
  return message.startsWith('must ')
    ? `${typeof name === 'number' ? 'this' : String(name)} ${message}`
    : message;
}

const KINDS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping',
  record: 'a mapping',
  null: 'nothing',
};

function missingOrWrong(expected: string, path: Path, got: unknown): Problem[] {
  const name = path.at(-1);
  const label = name === undefined ? 'a topology' : typeof name === 'number' ? 'this' : name;
  if (got === undefined) return [{ path, message: `${label} is missing` }];
  const kind = KINDS[expected] ?? expected;
  let hint: string | undefined;
  if (expected === 'string' && (typeof got === 'number' || typeof got === 'boolean'))
    hint = `write "${String(got)}"`;
  if ((expected === 'number' || expected === 'int') && typeof got === 'string' && /^[0-9]+$/.test(got)) {
    hint = `write ${got} without quotes`;
  }
  if (expected === 'boolean' && typeof got === 'string') {
    if (/^(yes|on|y)$/i.test(got)) hint = 'write true';
    if (/^(no|off|n)$/i.test(got)) hint = 'write false';
  }
  return [{ path, message: `${label} must be ${kind} (got ${show(got)})`, ...hintOf(hint) }];
}

function range(
  issue: Extract<ShapeIssue, { code: 'too_big' | 'too_small' }>,
  path: Path,
  got: unknown,
): Problem[] {
  const name = path.at(-1);
  const label = typeof name === 'number' ? 'this' : String(name);
  const [limit, word] = issue.code === 'too_big' ? [issue.maximum, 'at most'] : [issue.minimum, 'at least'];
  const [own, hint] = issue.message.split('\n');
  if (hint !== undefined) return [{ path, message: `${own ?? ''} (got ${show(got)})`, hint }];
  const unit = { string: ' characters', array: ' entries' }[issue.origin as string];
  if (unit === undefined) {
    return [{ path, message: `${label} must be ${word} ${String(limit)} (got ${show(got)})` }];
  }
  const size = Array.isArray(got) ? got.length : 0;
  return [
    {
      path,
      message: `${label} must have ${word} ${String(limit)}${unit} (got ${issue.origin === 'array' ? size : show(got)})`,
    },
  ];
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
  const expected = issue.errors.flatMap((inner) =>
    inner
      .filter(wrongType)
      .flatMap((each) =>
        each.code === 'invalid_type'
          ? [each.expected]
          : each.code === 'invalid_value'
            ? each.values.map(String)
            : [],
      ),
  );
  const numeric = expected.find((each) => each === 'int' || each === 'number');
  const [single] = missingOrWrong(
    typeof got === 'string' && numeric !== undefined ? numeric : (expected[0] ?? 'value'),
    path,
    got,
  );
  const kinds = [...new Set(expected.map((each) => KINDS[each] ?? each))].filter(
    (kind) => kind !== 'nothing',
  );
  if (single === undefined || got === undefined || got === null) {
    return [{ path, message: `${String(path.at(-1))} is missing` }];
  }
  const label = typeof path.at(-1) === 'number' ? 'this' : String(path.at(-1));
  return [{ ...single, message: `${label} must be ${kinds.join(' or ')} (got ${show(got)})` }];
}
