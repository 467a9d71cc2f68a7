// Shapes that several sections of a topology file share, and how a message of our own is put. Which keys there are is left to schema.ts
// and expect-schema.ts; these three alone know zod.
import * as z from 'zod';

/** A mapping without other keys; a key that is not there is answered with the nearest that is. */
export function mapping<const Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? Object.keys(shape).join(' ') : undefined),
  });
}

/** A message of our own: what is wrong and, after a line break, what to do. One that begins with `must` is about the key. */
export const what = (message: string, hint = '') => `${message}
${hint}`;

/** Without NUL (argv and environment end at it) and within one line. */
export const line = (limit = 4096) =>
  z
    .string()
    .max(limit)
    .regex(/^[^\0\r\n]*$/, { error: what('must be one line without NUL bytes') });

export const oneOrMore = <Item extends z.ZodType>(item: Item) =>
  z.union([item, z.array(item).min(1).max(64)]);

/** What `oneOrMore` gives, as a list. */
export const asList = <Item>(value: Item | Item[]): Item[] => (Array.isArray(value) ? value : [value]);

/** Text that must look one way, so a bare number is told the same as a wrong text. */
export const like = (pattern: RegExp, message: string, hint: string) =>
  z.string({ error: what(message, hint) }).regex(pattern, { error: what(message, hint) });

export const duration = (example: string) =>
  like(
    /^(0|[1-9][0-9]{0,5})(\.[0-9]{1,3})?(ms|s|m)$/,
    'a duration has a unit, ms, s or m',
    `for example ${example}`,
  );

/** A header field's name. */
export const fieldName = () =>
  z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$/, {
    error: what('not a header name (RFC 9110 section 5.6.2)', 'for example X-Test'),
  });
