// One direction's bytes, put in order.
import { expect, test } from 'vitest';
import { readCapture } from '../../src/pcap/index.ts';
import { reassemble } from '../../src/pcap/stream.ts';
import { pcap, segment } from './build.ts';

const INITIAL = 0xffff_fff0;

/** Segments as `[offset, payload, flags]`; pieces as `offset payload packet`. */
async function pieces(...segments: readonly (readonly [number, string, string?])[]): Promise<string[]> {
  const frames = segments.map(([offset, payload, flags = 'A']) =>
    segment({ flags, payload, sequence: (INITIAL + offset + (flags === 'S' ? 0 : 1)) >>> 0 }),
  );
  const { packets } = await readCapture(pcap(frames));
  return reassemble(packets, INITIAL).map(
    ({ offset, bytes, packet }) => `${offset} ${Buffer.from(bytes).toString()} ${packet.number}`,
  );
}

test.each<[string, readonly (readonly [number, string, string?])[], readonly string[]]>([
  [
    'in order',
    [
      [0, 'abc'],
      [3, 'def'],
    ],
    ['0 abc 1', '3 def 2'],
  ],
  [
    'out of order',
    [
      [3, 'def'],
      [0, 'abc'],
    ],
    ['0 abc 2', '3 def 1'],
  ],
  [
    'with a gap',
    [
      [0, 'abc'],
      [5, 'fgh'],
    ],
    ['0 abc 1', '5 fgh 2'],
  ],
  [
    'with data in the SYN (RFC 7413)',
    [
      [0, 'abc', 'S'],
      [3, 'def'],
    ],
    ['0 abc 1', '3 def 2'],
  ],
  [
    'sent twice',
    [
      [0, 'abc'],
      [0, 'abc'],
      [3, 'def'],
    ],
    ['0 abc 1', '3 def 3'],
  ],
  [
    'sent again with more',
    [
      [0, 'abc'],
      [1, 'bcde'],
    ],
    ['0 abc 1', '3 de 2'],
  ],
  [
    'sent again in part, before what goes further',
    [
      [0, 'abcdef'],
      [1, 'bc'],
      [4, 'efgh'],
    ],
    ['0 abcdef 1', '6 gh 3'],
  ],
  [
    'sent again with its last byte',
    [
      [0, 'abc'],
      [2, 'c'],
      [3, 'd'],
    ],
    ['0 abc 1', '3 d 3'],
  ],
  [
    'over the end of numbers',
    [
      [0, 'abcdefghijklmnop'],
      [16, 'q'],
    ],
    ['0 abcdefghijklmnop 1', '16 q 2'],
  ],
  [
    'with segments that carry nothing',
    [
      [0, ''],
      [0, 'abc'],
      [3, ''],
      [3, 'd'],
    ],
    ['0 abc 2', '3 d 4'],
  ],
  [
    'with numbers of resets that lead astray',
    [
      [0, 'ab'],
      [0x6000_0000, '', 'R'],
      [0xc000_0000, '', 'R'],
      [2, 'cd'],
    ],
    ['0 ab 1', '2 cd 4'],
  ],
  [
    'over 4 GB, each within 2 GB of the one before',
    [
      [0, 'a'],
      [0x7000_0000, 'b'],
      [0xe000_0000, 'c'],
      [0x1_0000_0000 + 5, 'd'],
    ],
    ['0 a 1', '1879048192 b 2', '3758096384 c 3', '4294967301 d 4'],
  ],
])('%s', async (_, segments, expected) => {
  expect(await pieces(...segments)).toEqual(expected);
});
