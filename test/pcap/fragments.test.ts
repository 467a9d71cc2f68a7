// Fragments of IP datagrams: which belong together, which are refused, and how many are waited for.
import { describe, expect, test } from 'vitest';
import { Fragments } from '../../src/pcap/fragments.ts';
import { Frame } from '../../src/pcap/frame.ts';

interface Fragment {
  readonly offset: number;
  readonly data: string;
  readonly isLast?: boolean;
  /** Of the frame: whose it is. */
  readonly of?: Partial<Frame>;
}

function add(fragments: Fragments, { offset, data, isLast = false, of = {} }: Fragment): string | undefined {
  const frame = Object.assign(new Frame(), { ipVersion: 4, protocol: 17, ...of });
  frame.fragmentOffset = offset;
  frame.moreFragments = !isLast;
  const whole = fragments.add(frame, Buffer.from(`..${data}..`), 2, data.length);
  return whole && Buffer.from(whole).toString();
}

/** What the last of the fragments makes whole; none before it does. */
function together(...its: readonly Fragment[]): string | undefined {
  const fragments = new Fragments();
  const results = its.map((one) => add(fragments, one));
  expect(results.slice(0, -1).every((whole) => whole === undefined)).toBe(true);
  return results.at(-1);
}

const last = (offset: number, data: string): Fragment => ({ offset, data, isLast: true });

describe('a datagram', () => {
  test.each<[string, readonly Fragment[], string | undefined]>([
    ['in order', [{ offset: 0, data: 'abcd' }, last(4, 'ef')], 'abcdef'],
    ['backwards', [last(4, 'ef'), { offset: 0, data: 'abcd' }], 'abcdef'],
    ['of one fragment', [last(0, 'ab')], 'ab'],
    [
      'that overlaps: the one that starts lower counts',
      [{ offset: 0, data: 'abcd' }, last(2, 'XYef')],
      'abcdef',
    ],
    [
      'that overlaps: of two at one place the first counts',
      [{ offset: 0, data: 'ab' }, { offset: 0, data: 'XY' }, last(2, 'cd')],
      'abcd',
    ],
    [
      'with one inside another',
      [{ offset: 0, data: 'abcdef' }, { offset: 2, data: 'XY' }, last(6, 'gh')],
      'abcdefgh',
    ],
    ['that goes on behind its end', [{ offset: 0, data: 'abcdef' }, last(2, 'cd')], 'abcd'],
    [
      'without its end',
      [
        { offset: 0, data: 'ab' },
        { offset: 2, data: 'cd' },
      ],
      undefined,
    ],
    ['without its beginning', [last(2, 'cd')], undefined],
    [
      'with a hole, though as many bytes came',
      [{ offset: 0, data: 'ab' }, { offset: 0, data: 'ab' }, last(4, 'ef')],
      undefined,
    ],
    [
      'with a hole at its end',
      [{ offset: 0, data: 'abcd' }, { offset: 0, data: 'ab' }, last(6, '')],
      undefined,
    ],
    [
      'with a hole, though what is behind it came twice',
      [{ offset: 0, data: 'ab' }, { offset: 4, data: 'ef' }, last(4, 'efgh')],
      undefined,
    ],
    [
      'that goes on behind its end in the middle',
      [{ offset: 0, data: 'ab' }, { offset: 2, data: 'cdefgh' }, last(4, 'ef')],
      'abcdef',
    ],
  ])('%s', (_, its, expected) => {
    expect(together(...its)).toBe(expected);
  });

  test('that has come whole is forgotten', () => {
    const fragments = new Fragments();
    expect(add(fragments, { offset: 0, data: 'ab' })).toBeUndefined();
    expect(add(fragments, last(2, 'cd'))).toBe('abcd');
    expect(add(fragments, last(2, 'cd'))).toBeUndefined();
    expect(add(fragments, { offset: 0, data: 'XY' })).toBe('XYcd');
  });

  test('whose hole is filled later comes whole', () => {
    expect(
      together({ offset: 0, data: 'ab' }, { offset: 0, data: 'ab' }, last(4, 'ef'), {
        offset: 2,
        data: 'cd',
      }),
    ).toBe('abcdef');
  });

  test('may be as long as IP allows, and no longer', () => {
    const most = 'x'.repeat(65_535 - 8);
    expect(together({ offset: 0, data: 'abcdefgh' }, last(8, most))).toHaveLength(65_535);
    expect(together({ offset: 0, data: 'abcdefgh' }, last(8, `${most}x`))).toBeUndefined();
    expect(together({ offset: 0, data: 'abcdefgh' }, last(65_536, ''))).toBeUndefined();
  });

  test.each([
    'ipVersion',
    'source0',
    'source1',
    'source2',
    'source3',
    'destination0',
    'destination1',
    'destination2',
    'destination3',
    'identification',
    'protocol',
  ])('is told from another by %s', (field) => {
    expect(together({ offset: 0, data: 'ab' }, { ...last(2, 'cd'), of: { [field]: 1 } })).toBeUndefined();
  });
});

describe('of very many', () => {
  const begin = (fragments: Fragments, identification: number) =>
    add(fragments, { offset: 0, data: 'ab', of: { identification } });
  const end = (fragments: Fragments, identification: number) =>
    add(fragments, { ...last(2, 'cd'), of: { identification } });

  test('64 datagrams are waited for, and the oldest is let go of', () => {
    const fragments = new Fragments();
    for (let index = 1; index <= 64; index++) begin(fragments, index);
    expect(end(fragments, 1)).toBe('abcd');
    begin(fragments, 65);
    begin(fragments, 66);
    expect(end(fragments, 3)).toBe('abcd');
    expect(end(fragments, 2)).toBeUndefined();
  });

  test('8192 fragments of one datagram are kept', () => {
    const pieces = (count: number) => Array.from({ length: count }, (_, offset) => ({ offset, data: 'x' }));
    expect(together(...pieces(8191), last(8191, 'y'))).toHaveLength(8192);
    expect(together(...pieces(8192), last(8192, 'y'))).toBeUndefined();
  });
});
