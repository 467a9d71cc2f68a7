// Segmentation left to a network card (offload): what is one packet here is several there.
import { describe, expect, test } from 'vitest';
import type { Record } from './build.ts';
import { segment } from './build.ts';
import { at, FORWARDED, joined, places, SYN } from './points.ts';

const LETTERS = 'abcdefghijklmnopqrst';
/** Sequence number of the byte a, near the end of numbers. */
const FIRST = 0xffff_fffa;

/**
 * What one point saw of a connection: its SYN, and data that are written as letters, the first of which is also its place among all that is
 * sent. Capital letters are other bytes; `cd.` is a segment that was captured without its last byte; ` ` is an ACK without data at
 * the place of `f`.
 */
function point(index: number, ...data: readonly string[]): Record[] {
  const hop = index === 0 ? {} : { ...FORWARDED, ttl: 64 - index };
  const base = { ...SYN, ...hop };
  return [
    at(index, segment({ ...base, sequence: (FIRST - 1) >>> 0 })),
    ...data.map((text, nth) => {
      const letter = text === ' ' ? 'f' : text[0]!.toLowerCase();
      const frame = segment({
        ...base,
        flags: 'A',
        acknowledgment: 901,
        sequence: (FIRST + LETTERS.indexOf(letter)) >>> 0,
        payload: text.trim(),
      });
      const record = at(100 * (nth + 1) + index, frame);
      if (!text.endsWith('.')) return record;
      return { ...record, frame: frame.subarray(0, -1), originalLength: frame.length };
    }),
  ];
}

/** The data's twins: `2 = 2+3` is packet 2 outside and packets 2 and 3 inside; `2 =` came outside only. */
async function between(outside: readonly string[], inside: readonly string[]): Promise<string[]> {
  const twins = await joined(point(0, ...outside), point(1, ...inside));
  return twins.slice(1).map(({ sightings }) => {
    const seen = (own: number) =>
      sightings.filter(({ capture }) => capture === own).map(({ packets }) => packets.join('+'));
    return `${seen(0).join(' ')} = ${seen(1).join(' ')}`.trim();
  });
}

describe('one packet here, several there', () => {
  test.each([
    ['split', ['abcdefghij'], ['abcd', 'efgh', 'ij'], ['2 = 2+3+4']],
    ['merged', ['abcd', 'efgh', 'ij'], ['abcdefghij'], ['2+3+4 = 2']],
    ['cut at other places', ['abcdef', 'ghij'], ['abc', 'defgh', 'ij'], ['2+3 = 2+3+4']],
    [
      'in two parts that both end together',
      ['abcd', 'efgh'],
      ['ab', 'cd', 'ef', 'gh'],
      ['2 = 2+3', '3 = 4+5'],
    ],
    ['beside one that is the same at both', ['ab', 'cdef'], ['ab', 'cd', 'ef'], ['2 = 2', '3 = 3+4']],
    ['out of order', ['abcdef'], ['ef', 'ab', 'cd'], ['2 = 3+4+2']],
    ['of one byte each', ['ab'], ['a', 'b'], ['2 = 2+3']],
    [
      'with an ACK between, which is a packet of its own',
      ['a', 'bcdefghij'],
      ['abcde', ' ', 'fghij'],
      ['2+3 = 2+4', '= 3'],
    ],
    ['without the first, which was lost outside', ['cdef'], ['ab', 'cd', 'ef'], ['2 = 3+4', '= 2']],
    ['without the first, which was lost inside', ['ab', 'cdef'], ['cd', 'ef'], ['2 =', '3 = 2+3']],
    ['captured in part, which is believed', ['abcdef'], ['ab.', 'def'], ['2 = 2+3']],
    ['captured in part outside', ['abcde.'], ['ab', 'cd', 'ef'], ['2 = 2+3+4']],
  ])('%s', async (_, outside, inside, expected) => {
    expect(await between(outside, inside)).toEqual(expected);
  });

  test.each([
    ['with other bytes', ['abcdef'], ['ab', 'Cd', 'ef'], ['2 =', '= 2', '= 3', '= 4']],
    ['with the middle lost', ['abcdef'], ['ab', 'ef'], ['2 =', '= 2', '= 3']],
    ['with the end lost', ['abcdef'], ['ab', 'cd'], ['2 =', '= 2', '= 3']],
    ['with the beginning lost', ['abcdef'], ['cd', 'ef'], ['2 =', '= 2', '= 3']],
    ['with all lost', ['abcd'], [], ['2 =']],
    ['captured in part, with the end lost', ['abcdef'], ['abc.'], ['2 =', '= 2']],
    ['past the end', ['abcd'], ['ab', 'cdef'], ['2 =', '= 2', '= 3']],
  ])('is no twin %s', async (_, outside, inside, expected) => {
    expect(await between(outside, inside)).toEqual(expected);
  });

  test('what is broken does not stop what comes after it', async () => {
    expect(await between(['abcd', 'efgh', 'ijkl'], ['ab', 'ef', 'gh', 'ij', 'kl'])).toEqual([
      '2 =',
      '= 2',
      '3 = 3+4',
      '4 = 5+6',
    ]);
  });

  test('of no flow that is known to be the same', async () => {
    const [, outside] = point(0, 'abcd');
    const [, first, second] = point(1, 'ab', 'cd');
    expect(places(await joined([outside!], [first!, second!]))).toEqual(['0.1', '1.1', '1.2']);
  });
});

describe('sent again', () => {
  test('the nth copy belongs to the nth copy', async () => {
    expect(await between(['abcd', 'abcd'], ['ab', 'cd', 'ab', 'cd'])).toEqual(['2 = 2+3', '3 = 4+5']);
  });

  test('in other parts', async () => {
    expect(await between(['abcd', 'bcde'], ['ab', 'cd', 'bc', 'de'])).toEqual(['2 = 2+3', '3 = 4+5']);
  });

  test('so many times at most', async () => {
    const times = (count: number, ...data: readonly string[]) =>
      Array.from({ length: count }, () => data).flat();
    const paired = async (count: number) => {
      const found = await between(times(count, 'abcd'), times(count, 'ab', 'cd'));
      return found.filter((text) => text.includes('+')).length;
    };
    expect(await paired(16)).toBe(16);
    expect(await paired(17)).toBe(16);
  });
});

describe('at three points and more', () => {
  test('all that are split alike are one twin', async () => {
    const twins = await joined(
      point(0, 'abcdefghij'),
      point(1, 'abcd', 'efgh', 'ij'),
      point(2, 'abcd', 'efgh', 'ij'),
    );
    expect(places(twins)).toEqual(['0.1 1.1 2.1', '0.2 1.2+3+4 2.2+3+4']);
    expect(
      twins[1]!.steps.map(({ rewrites }) => rewrites.map(({ field, from, to }) => [field, from, to])),
    ).toEqual([expect.arrayContaining([['segmentation', 1, 3]]), [['ttl', 63, 62]]]);
  });

  test('so are those that are cut everywhere differently', async () => {
    const twins = await joined(point(0, 'abcdef'), point(1, 'abc', 'def'), point(2, 'ab', 'cd', 'ef'));
    expect(places(twins)).toEqual(['0.1 1.1 2.1', '0.2 1.2+3 2.2+3+4']);
  });

  test('what one of them missed is joined all the same', async () => {
    const twins = await joined(point(0, 'abcd'), point(1), point(2, 'ab', 'cd'));
    expect(places(twins)).toEqual(['0.1 1.1 2.1', '0.2 2.2+3']);
  });

  test('what one of them missed a part of is one twin too', async () => {
    const twins = await joined(point(0, 'abcdef'), point(1, 'abcd', 'ef'), point(2, 'abcd'));
    expect(places(twins)).toEqual(['0.1 1.1 2.1', '0.2 1.2+3 2.2']);
  });

  test('where each packet has a twin already, but on its own side of the split only', async () => {
    const twins = await joined(
      point(0, 'abcd'),
      point(1, 'abcd'),
      point(2, 'ab', 'cd'),
      point(3, 'ab', 'cd'),
    );
    expect(places(twins)).toEqual(['0.1 1.1 2.1 3.1', '0.2 1.2 2.2+3 3.2+3']);
  });
});
