import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compilePattern } from '../../src/topology/pattern.ts';

function matches(pattern: string, text: string): boolean {
  const compiled = compilePattern(pattern);
  if (typeof compiled === 'string') throw new Error(compiled);
  return compiled.test(text);
}

describe('a pattern', () => {
  test.each([
    ['abc', 'xxabcxx', true],
    ['^abc$', 'xabc', false],
    ['^192\\.168\\.11\\.\\d{1,3}$', '192.168.11.104', true],
    ['^192\\.168\\.11\\.\\d{1,3}$', '192x168.11.104', false],
    ['^(close|keep-alive)$', 'keep-alive', true],
    ['^(close|keep-alive)$', 'closed', false],
    ['Masq +1 +0', '  -> 10.133.1.2:80   Masq    1      0', true],
    ['[^a-c]', 'abcabc', false],
    ['[^a-c]', 'abcxabc', true],
    ['\\bfoo\\b', 'a foo b', true],
    ['\\bfoo\\b', 'afoo b', false],
    ['^a{2,3}$', 'aaaa', false],
    ['^(a|b)*?c$', 'ababc', true],
    ['[\\d.-]+$', 'be-1.2', true],
    ['[\\]x]', ']', true],
    ['\\x41\\u0042', 'AB', true],
    ['a||b', '', true],
    ['^$', '', true],
    ['^.$', '\n', false],
  ] as const)('%s in %j: %s', (pattern, text, found) => {
    expect(matches(pattern, text)).toBe(found);
  });

  test.each([
    ['(?=a)', 'it has a lookaround or a named group, and matching must take linear time'],
    ['(a)\\1', 'it refers back to a group, and matching must take linear time'],
    ['(a', 'it has a ( without a )'],
    ['a)', 'it has a ) without a ('],
    ['[a', 'it has a [ without a ]'],
    ['[]', 'it has an empty class: []'],
    ['[z-a]', 'it has a range that goes backwards'],
    ['*a', 'it has a * with nothing to repeat: write \\*'],
    ['a**', 'it repeats a repetition'],
    ['^*', 'it repeats what has no length'],
    ['a{x}', 'it has a { that counts nothing: write \\{'],
    ['a{3,2}', 'it repeats at least 3 and at most 2 times'],
    ['a{101}', 'it counts further than 100'],
    ['((a{50}){50}){50}', 'it is too large with its repetitions written out'],
    ['('.repeat(40) + ')'.repeat(40), 'it is nested deeper than 32 levels'],
    ['\\q', '\\q is not known'],
    ['a\\', 'it ends in a backslash'],
  ])('%s is refused: %s', (pattern, why) => {
    expect(compilePattern(pattern)).toBe(why);
  });

  test('finds what RegExp finds', () => {
    const atom = fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '\\d', '\\b', '^', '$', '1', '-');
    const { tree } = fc.letrec<{ tree: string }>((tie) => ({
      tree: fc.oneof(
        { maxDepth: 4 },
        atom,
        fc.tuple(tie('tree'), tie('tree')).map(([x, y]) => x + y),
        fc.tuple(tie('tree'), tie('tree')).map(([x, y]) => `(?:${x}|${y})`),
        fc
          .tuple(tie('tree'), fc.constantFrom('*', '+', '?', '{0,2}', '{2}', '{1,}', '*?'))
          .map(([x, y]) => `(${x})${y}`),
      ),
    }));
    fc.assert(
      fc.property(
        tree,
        fc.string({ unit: fc.constantFrom('a', 'b', '1', '-', '\n'), maxLength: 8 }),
        (pattern, text) => {
          const compiled = compilePattern(pattern);
          const found = typeof compiled === 'string' ? compiled : compiled.test(text);
          expect(found).toBe(new RegExp(pattern).test(text));
        },
      ),
      { numRuns: 3000 },
    );
  });

  test('that makes RegExp run for ages takes no time here', () => {
    const began = performance.now();
    expect(matches('^(a+)+$', `${'a'.repeat(5000)}!`)).toBe(false);
    expect(matches('^(a|a)*$', `${'a'.repeat(5000)}!`)).toBe(false);
    expect(matches('(.*)(.*)(.*)(.*)x', 'a'.repeat(5000))).toBe(false);
    expect(performance.now() - began).toBeLessThan(1000);
  });
});
