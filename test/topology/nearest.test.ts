import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { distance, nearest } from '../../src/topology/nearest.ts';

describe('distance', () => {
  test.each([
    ['', '', 0],
    ['nat', 'nat', 0],
    ['', 'abc', 3],
    ['rr', 'wrr', 1],
    ['adress', 'address', 1],
    ['ipvs-drs', 'ipvs-dsr', 1],
    ['kitten', 'sitting', 3],
    ['ca', 'abc', 3],
  ])('from %j to %j is %i', (a, b, expected) => {
    expect(distance(a, b)).toBe(expected);
  });

  test('is the same both ways, and above its limit only when it exceeds it', () => {
    const word = fc.string({ unit: fc.constantFrom(...'abc'.split('')), maxLength: 8 });
    fc.assert(
      fc.property(word, word, fc.nat({ max: 8 }), (a, b, limit) => {
        const full = distance(a, b);
        expect(distance(b, a)).toBe(full);
        expect(Math.min(distance(a, b, limit), limit + 1)).toBe(Math.min(full, limit + 1));
      }),
    );
  });
});

describe('nearest', () => {
  const methods = ['nginx', 'nginx-stream', 'ipvs-nat', 'ipvs-fullnat', 'ipvs-dsr', 'ipvs-tun'];
  test.each([
    ['ipvs-nta', 'ipvs-nat'],
    ['NGINX', 'nginx'],
    ['ipvs-fulnat', 'ipvs-fullnat'],
    ['ngnix', 'nginx'],
    ['haproxy', undefined],
    ['', undefined],
    ['x'.repeat(100_000), undefined],
  ])('to %j is %j', (word, expected) => {
    expect(nearest(word, methods)).toBe(expected);
  });

  test('is the first of equals', () => {
    expect(nearest('be3', ['be1', 'be2'])).toBe('be1');
  });

  test('guesses nothing from a single letter', () => {
    expect(nearest('x', ['a', 'lb'])).toBeUndefined();
  });
});
