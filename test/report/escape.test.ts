// What is untrusted is inert wherever it is shown.
import { gfm, gfmHtml } from 'micromark-extension-gfm';
import { micromark } from 'micromark';
import { SaxesParser } from 'saxes';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  clip,
  forGithubMessage,
  forGithubProperty,
  forJson,
  forMarkdown,
  forTerminal,
  forXml,
} from '../../src/report/escape.ts';
import { HOSTILE } from './results.ts';

/** Text of any code units, lone surrogates and controls more often than chance has them. */
const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.array(fc.integer({ min: 0, max: 0xffff })).map((codes) => String.fromCharCode(...codes)),
  fc
    .array(
      fc.constantFrom(
        '`',
        '<',
        '>',
        '|',
        '*',
        '_',
        '[',
        ']',
        '(',
        ')',
        '!',
        '\\',
        '#',
        '~',
        '$',
        ':',
        '/',
        '&',
        ';',
        '@',
        ' ',
        'a',
        '1',
        '-',
        '+',
        '.',
        '\n',
        '\u001b',
        'www.',
        'http://',
        '::',
        '##[',
        '%',
        ',',
      ),
    )
    .map((parts) => parts.join('')),
);

/** The text that an XML document's one element has, as a strict parser reads it. */
function parsed(xml: string): { text: string; attribute: string } {
  let text = '';
  let attribute = '';
  const parser = new SaxesParser();
  parser.on('error', (error) => {
    throw error;
  });
  parser.on('text', (part) => (text += part));
  parser.on('opentag', ({ attributes }) => (attribute = (attributes as Record<string, string>).a ?? ''));
  parser.write(xml).close();
  return { text, attribute };
}

describe('a terminal', () => {
  test('gets control characters, overrides and lone surrogates as escapes', () => {
    expect(forTerminal('a\u001b[2Jb\u0000\u009b\u007f\r\n\t')).toBe(
      String.raw`a\x1b[2Jb\x00\x9b\x7f\x0d\x0a\x09`,
    );
    expect(forTerminal('\u202edesrever\u2066')).toBe(String.raw`\u202edesrever\u2066`);
    expect(forTerminal('\ud800x')).toBe(String.raw`\ud800x`);
    expect(forTerminal('日本語 ✓ 😀')).toBe('日本語 ✓ 😀');
  });

  test('gets no control character from any text', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        // eslint-disable-next-line no-control-regex
        expect(forTerminal(text)).not.toMatch(/[\u0000-\u001f\u007f-\u009f]|[\ud800-\udfff]/u);
      }),
    );
  });

  test('of a GitHub runner gets no workflow command', () => {
    expect(forTerminal('::error::x')).toBe(String.raw`\x3a:error::x`);
    expect(forTerminal('  ::error::x')).toBe(String.raw`  \x3a:error::x`);
    expect(forTerminal('x ##[command]y')).toBe(String.raw`x #\x23[command]y`);
    fc.assert(
      fc.property(anyText, (text) => {
        expect(forTerminal(text)).not.toMatch(/^\s*::|##\[/);
      }),
    );
  });
});

describe('XML', () => {
  test('is well-formed with any text in an element and in an attribute', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const attribute = forXml(text).replaceAll('\n', '&#10;');
        const lines = text.split('\n').map(forTerminal).join('\n');
        expect(parsed(`<t a="${attribute}">${forXml(text)}</t>`)).toEqual({ text: lines, attribute: lines });
      }),
    );
  });
});

describe('Markdown', () => {
  test('has no markup, no HTML and no link from any text, in a paragraph or a cell', () => {
    const render = (markdown: string) =>
      micromark(markdown, { extensions: [gfm()], htmlExtensions: [gfmHtml()], allowDangerousHtml: true });
    fc.assert(
      fc.property(fc.oneof(anyText, fc.constant(HOSTILE)), (text) => {
        const paragraph = render(`x ${forMarkdown(text)} y`);
        expect(paragraph.replace(/^<p>|<\/p>$/g, '')).not.toMatch(/<(?!a href="mailto:|\/a>)/);
        const cells = render(`| a | b |\n| --- | --- |\n| ${forMarkdown(text)} | end |`);
        expect(cells.match(/<td/g)).toHaveLength(2);
        expect(cells).toContain('<td>end</td>');
      }),
    );
  });
});

describe("GitHub's workflow commands", () => {
  test('have messages and properties escaped as the runner unescapes them', () => {
    expect(forGithubMessage('50%\na: b, c')).toBe('50%25%0Aa: b, c');
    expect(forGithubProperty('50%\na: b, c')).toBe('50%25%0Aa%3A b%2C c');
  });

  test('stay one line whatever the text', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(forGithubMessage(text)).not.toMatch(/[\r\n]/);
        expect(forGithubProperty(text)).not.toMatch(/[\r\n:,]/);
      }),
    );
  });
});

test('JSON has the same value, and nothing that a terminal acts on', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const json = forJson({ text });
      expect(JSON.parse(json)).toEqual({ text });
      // eslint-disable-next-line no-control-regex
      expect(json).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]|[\ud800-\udfff]/u);
    }),
  );
});

test('what is clipped says how much is left out', () => {
  expect(clip('abcdef', 6)).toBe('abcdef');
  expect(clip('abcdefg', 3)).toBe('abc... (4 more)');
});
