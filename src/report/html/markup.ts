// HTML by template: what is put in is escaped unless it is markup already.
import { forXml } from '../escape.ts';

/** Text that is markup. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type Content = Markup | string | number | undefined | readonly Content[];

export const NONE = new Markup('');

/** A tag for template literals. Strings are escaped for content and for quoted attributes; `undefined` is nothing. */
export function markup(parts: TemplateStringsArray, ...values: readonly Content[]): Markup {
  let text = parts[0]!;
  values.forEach((value, index) => {
    text += toText(value) + parts[index + 1]!;
  });
  return new Markup(text);
}

function toText(value: Content): string {
  if (value === undefined) return '';
  if (value instanceof Markup) return value.text;
  if (typeof value === 'string') return forXml(value);
  if (typeof value === 'number') return String(Math.round(value * 10) / 10);
  return value.map(toText).join('');
}
