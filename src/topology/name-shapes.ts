// The shapes of names and of what several sections number: what can be a name, and why a text is none.
import * as z from 'zod';
import { NAME } from './name.ts';
import { what } from './shapes.ts';

/** Why a text is no name, and what it may have been meant to be. */
export function nameProblem(kind: string, value: unknown): string {
  const text = typeof value === 'string' ? value : '';
  const slug = toName(text);
  const hint = slug === '' || slug === text ? undefined : `write ${slug}`;
  const subject = `${/^[aeiou]/.test(kind) ? 'an' : 'a'} ${kind}'s name`;
  if (text === '') return what(`${subject} is empty`);
  if (text.length > 31)
    return what(`${subject} is too long`, 'it is part of file names: at most 31 characters');
  if (/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(text))
    return what(`${subject} must not hold control characters`, hint);
  if (text.startsWith('-')) return what(`${subject} must not look like an option`, hint);
  if (/[/\\]|^\.+/.test(text)) return what(`${subject} must not be a path`, hint);
  if (/[;&|<>$`'"(){}*?[\]!#~\n]/.test(text)) return what(`${subject} must not hold shell syntax`, hint);
  return what(
    `${subject} has letters, digits and "-" inside, and begins with a letter`,
    hint ?? 'for example lb1',
  );
}

/** The nearest text that is a name; empty when nothing of it is left. */
export function toName(text: string): string {
  return text
    .replace(/[^a-zA-Z0-9]+/g, '-')
    .replace(/^[^a-zA-Z]+/, '')
    .slice(0, 31)
    .replace(/-+$/, '');
}

export const named = (kind: string) =>
  z.string().regex(NAME, { error: (issue) => nameProblem(kind, issue.input) });

export const reserved = (kind: string, names: readonly string[]) =>
  named(kind).refine((value) => !names.includes(value.toLowerCase()), {
    error: what(`a ${kind} cannot have this name`, `reserved: ${names.join(', ')}`),
  });

export const port = z
  .int()
  .min(1)
  .max(65_535)
  .describe('A port number, 1 to 65535.')
  .meta({ examples: [80] });
