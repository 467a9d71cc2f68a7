// What a claim says beside its verdict, and which packets it shows.
import { describe, expect, test } from 'vitest';
import { claim, cite, firstOf, type ClaimDefinition } from '../../src/verify/claim.ts';
import { MissingEvidenceError } from '../../src/verify/observe.ts';
import type { CapturedPoint } from '../../src/verify/types.ts';
import { recorded } from './evidence.ts';

const nat = await recorded('nat');

describe('a claim', () => {
  const plain: ClaimDefinition = {
    id: 'x.y',
    title: 'X is so',
    expected: ({ roles }) => `${roles.clients.size} client`,
    measure: () => ({ holds: true, observed: '1 client' }),
  };

  test('has an article’s words, and is about the lab itself, only where it says so', () => {
    expect(Object.keys(claim(plain))).toEqual(['id', 'title', 'check']);
    expect(Object.keys(claim({ ...plain, live: false }))).toEqual(['id', 'title', 'check']);
    expect(claim({ ...plain, article: '文', live: true })).toMatchObject({ article: '文', live: true });
  });

  test('passes or fails by what it finds, and shows that', () => {
    expect(claim(plain).check(nat)).toEqual({
      status: 'pass',
      expected: '1 client',
      observed: '1 client',
      evidence: [],
    });
    const evidence = [{ capture: 'eth0', packets: [1] }];
    const failing = claim({ ...plain, measure: () => ({ holds: false, observed: '2 clients', evidence }) });
    expect(failing.check(nat)).toEqual({
      status: 'fail',
      expected: '1 client',
      observed: '2 clients',
      evidence,
    });
  });

  test('has a remark of its own, or the finding’s', () => {
    const finding = { holds: true, observed: '', note: 'found' };
    expect(claim({ ...plain, note: 'always' }).check(nat).note).toBe('always');
    expect(claim({ ...plain, note: 'always', measure: () => finding }).check(nat).note).toBe('found');
    expect(claim({ ...plain, measure: () => finding }).check(nat).note).toBe('found');
  });

  test('is unknown without evidence, and breaks on any other mistake', () => {
    const throwing = (error: Error) =>
      claim({
        ...plain,
        measure: () => {
          throw error;
        },
      });
    expect(throwing(new MissingEvidenceError('nothing was captured')).check(nat)).toEqual({
      status: 'unknown',
      expected: '1 client',
      observed: 'nothing was captured',
      evidence: [],
    });
    expect(() => throwing(new TypeError('broken')).check(nat)).toThrow(new TypeError('broken'));
  });
});

test('what is shown first is the first of some lists that has anything in it', () => {
  expect(firstOf([], [1], [2, 3])).toEqual([1]);
  expect(firstOf([2, 3], [])).toEqual([2, 3]);
  expect(firstOf([], [])).toEqual([]);
});

describe('packets are shown', () => {
  const [packet] = nat.captures.get('client')!.capture.packets;
  const at = (name: string, ...numbers: readonly number[]) =>
    numbers.map((number) => ({ point: { name } as CapturedPoint, packet: { ...packet!, number } }));

  test('by capture, in order, each once', () => {
    expect(cite([...at('b', 10, 9, 10), ...at('c', 1), ...at('a', 2), ...at('b', 1)])).toEqual([
      { capture: 'a', packets: [2] },
      { capture: 'b', packets: [1, 9, 10] },
      { capture: 'c', packets: [1] },
    ]);
    expect(cite([])).toEqual([]);
  });

  test('the first twenty of each capture', () => {
    const numbers = Array.from({ length: 21 }, (_, index) => 21 - index);
    expect(cite(at('a', ...numbers))[0]!.packets).toEqual(numbers.toReversed().slice(0, 20));
  });
});
