// Verdicts are sentences.
import { expect, test } from 'vitest';
import { groupBy } from '../../src/pcap/index.ts';
import { count, duration, endpoint, list, spread, tally } from '../../src/verify/words.ts';

test('numbers of things', () => {
  expect(count(1, 'SYN')).toBe('1 SYN');
  expect(count(0, 'SYN')).toBe('0 SYNs');
  expect(count(2, 'reply', 'replies')).toBe('2 replies');
});

test('lists', () => {
  expect([[], ['a'], ['a', 'b'], ['a', 'b', 'c']].map(list)).toEqual(['', 'a', 'a and b', 'a, b and c']);
});

test('how values spread', () => {
  expect(spread(['x'], 'to')).toBe('to x');
  expect(spread(['x', 'x'], 'to')).toBe('all to x');
  expect(spread(['x', 'y', 'x'], 'to')).toBe('2 to x, 1 to y');
  expect(spread(['a', 'b', 'c', 'd', 'e', 'f', 'g'], 'to')).toBe(
    '1 to a, 1 to b, 1 to c, 1 to d, 1 to e and 2 more',
  );
  expect(spread(['a', 'b', 'c', 'd', 'e'], 'to')).toBe('1 to a, 1 to b, 1 to c, 1 to d, 1 to e');
  expect(spread(['a', 'b', 'c', 'd', 'e', 'f'], 'to')).toBe(
    '1 to a, 1 to b, 1 to c, 1 to d, 1 to e and 1 more',
  );
  expect(tally(['a', 'b', 'c', 'c', 'b', 'c'])).toEqual([
    ['c', 3],
    ['b', 2],
    ['a', 1],
  ]);
  expect(tally(['b', 'a', 'b', 'c', 'a'])).toEqual([
    ['a', 2],
    ['b', 2],
    ['c', 1],
  ]);
});

test.each([
  [0, '0 ns'],
  [850, '850 ns'],
  [12_345, '12.3 µs'],
  [4_560_000, '4.56 ms'],
  [250_000_000, '250 ms'],
  [1_200_000_000, '1.20 s'],
  [-2_500, '-2.50 µs'],
  [999, '999 ns'],
  [1_000, '1.00 µs'],
  [9_990, '9.99 µs'],
  [10_000, '10.0 µs'],
  [100_000, '100 µs'],
  [999_000, '999 µs'],
  [1_000_000, '1.00 ms'],
  [999_000_000, '999 ms'],
  [1_000_000_000, '1.00 s'],
  [-10_000, '-10.0 µs'],
])('%d nanoseconds are %s', (nanoseconds, text) => {
  expect(duration(nanoseconds)).toBe(text);
  expect(duration(BigInt(nanoseconds))).toBe(text);
});

test('endpoints', () => {
  expect(endpoint('192.168.11.107', 80)).toBe('192.168.11.107:80');
  expect(endpoint('2001:db8::107', 80)).toBe('[2001:db8::107]:80');
});

test('groups keep the order of their first items', () => {
  expect([...groupBy([3, 1, 4, 1, 5, 9], (number) => number % 2)]).toEqual([
    [1, [3, 1, 1, 5, 9]],
    [0, [4]],
  ]);
});
