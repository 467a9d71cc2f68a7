import { execFileSync } from 'node:child_process';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { splitWords } from '../../src/topology/words.ts';

describe('a command as one text', () => {
  test.each([
    ['python3 server.py', ['python3', 'server.py']],
    ['  a \t b  ', ['a', 'b']],
    [`sh -c 'true; echo "$HOME"'`, ['sh', '-c', 'true; echo "$HOME"']],
    ['echo "a b" \'\' ""', ['echo', 'a b', '', '']],
    ['a\\ b "c\\"d" "e\\f"', ['a b', 'c"d', 'e\\f']],
    ['curl http://h/a#b x~y --opt=a,b', ['curl', 'http://h/a#b', 'x~y', '--opt=a,b']],
  ])('%j', (text, words) => {
    expect(splitWords(text)).toEqual({ words });
  });

  test.each([
    ['a | b', '|'],
    ['a && b', '&'],
    ['a; b', ';'],
    ['a > b', '>'],
    ['a $B', '$'],
    ['a "$B"', '$'],
    ['a `b`', '`'],
    ['a *.c', '*'],
    ['a {b,c}', '{'],
    ['a ~', '~'],
    ['a # b', '#'],
  ])('%j is for a shell', (text, operator) => {
    expect(splitWords(text)).toEqual({
      message: `"${operator}" is for a shell, and no shell reads this command`,
      operator,
    });
  });

  test('that is not finished', () => {
    expect(splitWords('a "b')).toEqual({ message: 'the command has an opening " without a closing one' });
    expect(splitWords('a \\')).toEqual({ message: 'the command ends in a backslash' });
    expect(splitWords('   ')).toEqual({ message: 'the command is empty' });
  });

  test('is split as sh splits it, whenever it is split at all', () => {
    const text = fc.string({ unit: fc.constantFrom(...`ab'" \\$#~=-{|!\t`.split('')), maxLength: 12 });
    fc.assert(
      fc.property(text, (command) => {
        const result = splitWords(command);
        if (!('words' in result)) return;
        const printed = execFileSync('sh', ['-c', `printf '%s\\0' ${command}`], { encoding: 'utf8' });
        expect(printed.split('\0').slice(0, -1)).toEqual(result.words);
      }),
      { numRuns: 2000 },
    );
  });
});
