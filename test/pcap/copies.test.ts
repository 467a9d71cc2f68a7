// Packets that have equal numbers: copies that were sent again, and connections that chose the same numbers.
import { describe, expect, test } from 'vitest';
import type { SegmentOptions } from './build.ts';
import { ethernet, ipv4, segment, udp } from './build.ts';
import { at, BACKEND, CLIENT, FORWARDED, joined, places, SYN, VIP } from './points.ts';

const NAT = { ...FORWARDED, destination: BACKEND };

/** The SYN seen so many microseconds after the start, outside and inside; each time with what else is as told. */
function copies(
  times: readonly number[],
  more: SegmentOptions = {},
  identifications: readonly number[] = [],
) {
  return times.map((time, index) =>
    at(time, segment({ ...SYN, ...more, identification: identifications[index] ?? 0 })),
  );
}

describe('of copies some of which were lost', () => {
  test.each<[string, readonly number[], readonly number[], readonly string[]]>([
    ['the first came', [0, 1000], [5], ['0.1 1.1', '0.2']],
    ['the second came', [0, 1000], [1005], ['0.1', '0.2 1.1']],
    ['one came half way between, and not before it was sent', [0, 1000], [500], ['0.1 1.1', '0.2']],
    ['one came after the middle', [0, 1000], [501], ['0.1', '1.1 0.2']],
    ['one came with the second, at the same time', [0, 1000], [1000], ['0.1', '0.2 1.1']],
    ['the second was lost', [0, 1000, 2000], [5, 2005], ['0.1 1.1', '0.2', '0.3 1.2']],
    ['two came late, in order', [0, 1000, 2000], [1990, 2005], ['0.1', '0.2 1.1', '0.3 1.2']],
    ['two came early, in order', [0, 1000, 2000], [1, 2], ['0.1 1.1', '1.2 0.2', '0.3']],
    ['the second was not seen outside', [0], [5, 1005], ['0.1 1.1', '1.2']],
    ['the first was not seen outside', [1000], [5, 1005], ['1.1', '0.1 1.2']],
    [
      'the seventh of ten was lost',
      [0, 10, 20, 30, 40, 50, 60, 70, 80, 90],
      [1, 11, 21, 31, 41, 51, 71, 81, 91],
      [
        '0.1 1.1',
        '0.2 1.2',
        '0.3 1.3',
        '0.4 1.4',
        '0.5 1.5',
        '0.6 1.6',
        '0.7',
        '0.8 1.7',
        '0.9 1.8',
        '0.10 1.9',
      ],
    ],
    [
      'all but the eighth were lost',
      [0, 10, 20, 30, 40, 50, 60, 70, 80, 90],
      [71],
      ['0.1', '0.2', '0.3', '0.4', '0.5', '0.6', '0.7', '0.8 1.1', '0.9', '0.10'],
    ],
  ])('the time says that %s', async (_, outside, inside, expected) => {
    expect(places(await joined(copies(outside), copies(inside, NAT)))).toEqual(expected);
  });

  test.each<[string, readonly number[], readonly number[], readonly string[]]>([
    ['the second came, though it was late', [1, 2, 3], [2], ['0.1', '0.2 1.1', '0.3']],
    ['one overtook the other', [1, 2], [2, 1], ['0.1 1.2', '0.2 1.1']],
    ['nothing, where it was rewritten', [1, 2], [9], ['0.1', '0.2 1.1']],
    ['nothing, where one was rewritten', [1, 2, 3], [1, 9], ['0.1', '0.2 1.1', '0.3 1.2']],
    ['nothing, where it is not its own', [1, 1, 1], [1, 1], ['0.1', '0.2 1.1', '0.3 1.2']],
    ['nothing, where two inside have one', [1, 2, 3], [1, 1], ['0.1', '0.2 1.1', '0.3 1.2']],
  ])('the identification says: %s', async (_, outside, inside, expected) => {
    const found = await joined(
      copies([0, 1000, 2000].slice(0, outside.length), {}, outside),
      copies([1900, 2100], NAT, inside).slice(0, inside.length),
    );
    expect(places(found).toSorted()).toEqual(expected.toSorted());
  });

  test('a capture may have them out of order', async () => {
    expect(places(await joined(copies([0, 1000]), copies([1005, 5], NAT)))).toEqual(['0.1 1.2', '0.2 1.1']);
    expect(places(await joined(copies([0, 0, 500]), copies([5, 5, 400], NAT)))).toEqual([
      '0.1 1.1',
      '0.2 1.2',
      '1.3 0.3',
    ]);
  });
});

describe('connections that chose equal numbers are told apart', () => {
  /** Each seen outside, then each inside as something else; in the order given. */
  const between = async (outside: readonly SegmentOptions[], inside: readonly SegmentOptions[]) =>
    places(
      await joined(
        outside.map((own, index) => at(index, segment({ ...SYN, ...own }))),
        inside.map((own, index) => at(100 + index, segment({ ...SYN, ...FORWARDED, ...own }))),
      ),
    );
  const OTHER = { source: '10.1.1.1', sourcePort: 1, destination: '10.2.2.2', destinationPort: 2 };
  const ANOTHER = { source: '10.3.3.3', sourcePort: 3, destination: '10.4.4.4', destinationPort: 4 };

  test.each<[string, SegmentOptions, SegmentOptions, SegmentOptions]>([
    [
      'both ends',
      { source: CLIENT, destination: VIP, sourcePort: 7, destinationPort: 80 },
      { source: CLIENT, destination: BACKEND, sourcePort: 7, destinationPort: 80 },
      { source: CLIENT, destination: VIP, sourcePort: 7, destinationPort: 80 },
    ],
    [
      "the client's end",
      { source: CLIENT, sourcePort: 7 },
      OTHER,
      { ...ANOTHER, source: CLIENT, sourcePort: 7 },
    ],
    [
      "the server's end",
      { destination: VIP, destinationPort: 7 },
      OTHER,
      { ...ANOTHER, destination: VIP, destinationPort: 7 },
    ],
    ["the client's port", { sourcePort: 7 }, OTHER, { ...ANOTHER, sourcePort: 7 }],
    ["the server's port", { destinationPort: 7 }, OTHER, { ...ANOTHER, destinationPort: 7 }],
    [
      "the client's end, which is more than both ports",
      { source: CLIENT, sourcePort: 7, destinationPort: 8 },
      { ...OTHER, sourcePort: 7, destinationPort: 9 },
      { ...ANOTHER, source: CLIENT, sourcePort: 7, destinationPort: 9 },
    ],
    [
      "the server's end, which is more than both ports",
      { destination: VIP, sourcePort: 7, destinationPort: 8 },
      { ...OTHER, sourcePort: 9, destinationPort: 8 },
      { ...ANOTHER, destination: VIP, sourcePort: 9, destinationPort: 8 },
    ],
    [
      'a port, and not by an address alone',
      { ...OTHER, destinationPort: 7 },
      { source: CLIENT, destination: VIP, sourcePort: 8, destinationPort: 9 },
      { ...ANOTHER, source: CLIENT, destination: VIP, destinationPort: 7 },
    ],
  ])('by %s', async (_, right, wrong, seen) => {
    expect(await between([wrong, right], [seen])).toEqual(['0.1', '0.2 1.1']);
  });

  test('and else by their order', async () => {
    const rewritten = { source: '10.5.5.5', sourcePort: 5, destination: '10.6.6.6', destinationPort: 6 };
    expect(await between([{}, OTHER], [ANOTHER, rewritten])).toEqual(['0.1 1.1', '0.2 1.2']);
  });

  test('by ports of one client, though one overtakes the other', async () => {
    const [a, b] = [{ sourcePort: 1111 }, { sourcePort: 2222 }];
    expect(
      await between(
        [a, b],
        [
          { ...NAT, ...b },
          { ...NAT, ...a },
        ],
      ),
    ).toEqual(['0.1 1.2', '0.2 1.1']);
  });

  test('by the point next to it, whichever order the captures are given in', async () => {
    // Full NAT leaves nothing of the client; the backend sees what the balancer sends.
    const [a, b] = [OTHER, ANOTHER];
    const client = [at(0, segment(SYN)), at(1, segment({ ...SYN, source: '192.168.11.105', sourcePort: 9 }))];
    const inside = [a, b].map((own, index) => at(10 + index, segment({ ...SYN, ...FORWARDED, ...own })));
    const backend = [b, a].map((own, index) =>
      at(20 + index, segment({ ...SYN, ...FORWARDED, ...own, ttl: 62, destination: '10.9.9.9' })),
    );
    expect(places(await joined(client, inside, backend))).toEqual(['0.1 1.1 2.2', '0.2 1.2 2.1']);
    expect(places(await joined(client, backend, inside))).toEqual(['0.1 2.1 1.2', '0.2 2.2 1.1']);
  });

  test('also where there are very many, as in a port scan', async () => {
    const flows = Array.from({ length: 100 }, (_, index) => ({
      destinationPort: 1 + index,
      source: `10.0.0.${index}`,
    }));
    const swapped = flows.map((own) => ({ ...own, ...NAT, source: own.source }));
    const found = await joined(
      flows.map((own, index) => at(index, segment({ ...SYN, ...own }))),
      flows.map((own, index) =>
        at(1000 + index, segment({ ...SYN, ...own, ttl: 63, sourceMac: FORWARDED.sourceMac })),
      ),
      swapped.map((own, index) => at(2000 + index, segment({ ...SYN, ...own }))),
    );
    expect(places(found).slice(0, 68)).toEqual(
      Array.from({ length: 68 }, (_, index) => `0.${index + 1} 1.${index + 1}`),
    );
    expect(
      places(found)
        .slice(68, 100)
        .every((text) => text.split(' ').length === 3),
    ).toBe(true);
  });
});

test('an ACK and a FIN with the same numbers are two packets', async () => {
  const ack = { ...SYN, flags: 'A', acknowledgment: 1 };
  const fin = { ...ack, flags: 'FA' };
  const found = await joined(
    [at(0, segment(ack)), at(10, segment(fin))],
    [at(4, segment({ ...fin, ...NAT }))],
  );
  expect(places(found)).toEqual(['0.1', '1.1 0.2']);
});

test('sightings at one time are in order of TTL, then of captures; twins in that of captures and packets', async () => {
  const far = segment({ ...SYN, ...NAT });
  expect(places(await joined([at(0, far)], [at(0, segment(SYN))]))).toEqual(['1.1 0.1']);
  expect(places(await joined([at(0, far)], [at(0, far)]))).toEqual(['0.1 1.1']);
  const [first, second, third] = [1, 2, 3].map((sequence) => at(0, segment({ ...SYN, sequence })));
  expect(places(await joined([second!, third!], [first!, second!]))).toEqual(['0.1 1.2', '0.2', '1.1']);
  expect(places(await joined([first!, second!], [second!]))).toEqual(['0.1', '0.2 1.1']);
  expect(places(await joined([first!], [second!], [second!]))).toEqual(['0.1', '1.1 2.1']);
});

test('what is neither TCP, UDP nor ICMP has no twins', async () => {
  const arp = ethernet(0x0806, Buffer.alloc(28));
  const other = ethernet(0x0800, ipv4(89, Buffer.from('ospf')));
  const query = ethernet(0x0800, ipv4(17, udp(Buffer.from('q'))));
  expect(places(await joined([at(0, arp), at(1, other), at(2, query)], [at(3, arp), at(4, other)]))).toEqual([
    '0.3',
  ]);
});
