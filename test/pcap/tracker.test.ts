// Which packets are of one connection, among very many; and which connections are let go of where there are too many.
import { describe, expect, test } from 'vitest';
import { Frame } from '../../src/pcap/frame.ts';
import type { ConnectionFigures } from '../../src/pcap/index.ts';
import { summarize } from '../../src/pcap/index.ts';
import { Tracker } from '../../src/pcap/tracker.ts';
import type { SegmentOptions } from './build.ts';
import { ethernet, ipv4, ipv6, pcap, segment, tcp, udp } from './build.ts';

/** Who talks to whom; addresses of IPv6 as 32 hexadecimal digits. */
interface Pair {
  readonly isUdp?: boolean;
  readonly version: 4 | 6;
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
}

function packetOf({ isUdp, version, ...ends }: Pair): Buffer {
  const transport =
    isUdp === true ? udp(Buffer.from('x'), ends) : tcp({ ...ends, sequence: 1, payload: 'x' });
  const protocol = isUdp === true ? 17 : 6;
  return version === 4
    ? ethernet(0x0800, ipv4(protocol, transport, ends))
    : ethernet(0x86dd, ipv6(protocol, transport, ends.source, ends.destination));
}

const reversed = (pair: Pair): Pair => ({
  ...pair,
  source: pair.destination,
  destination: pair.source,
  sourcePort: pair.destinationPort,
  destinationPort: pair.sourcePort,
});

const FOUR: Pair = {
  version: 4,
  source: '10.0.0.1',
  destination: '10.0.0.2',
  sourcePort: 40000,
  destinationPort: 80,
};
const SIX: Pair = {
  ...FOUR,
  version: 6,
  source: '20010db8000000010000000200000003',
  destination: '20010db8000000010000000200000004',
};
const COUNT = 700;
const numbers = Array.from({ length: COUNT }, (_, index) => index);
/** An address whose nth word is another, which is negative now and then as it is kept. */
const withWord = (address: string, word: number, value: number) =>
  address.slice(0, word * 8) +
  ((value * 0x9e37_79b1) >>> 0).toString(16).padStart(8, '0') +
  address.slice(word * 8 + 8);

describe.each<[string, readonly Pair[]]>([
  ['source ports', numbers.map((value) => ({ ...FOUR, sourcePort: 1000 + value }))],
  ['destination ports', numbers.map((value) => ({ ...FOUR, destinationPort: 1000 + value }))],
  ['sources', numbers.map((value) => ({ ...FOUR, source: `${value & 255}.0.${value >> 8}.9` }))],
  ['destinations', numbers.map((value) => ({ ...FOUR, destination: `${value & 255}.1.${value >> 8}.9` }))],
  ...[0, 1, 2, 3].flatMap((word): [string, readonly Pair[]][] => [
    [
      `IPv6 sources by word ${word}`,
      numbers.map((value) => ({ ...SIX, source: withWord(SIX.source, word, value) })),
    ],
    [
      `IPv6 destinations by word ${word}`,
      numbers.map((value) => ({ ...SIX, destination: withWord(SIX.destination, word, value) })),
    ],
  ]),
  [
    'IP versions, protocols and ends of equal words',
    [
      FOUR,
      SIX,
      { ...FOUR, isUdp: true },
      { ...SIX, isUdp: true },
      {
        ...SIX,
        source: `0a000001${'0'.repeat(24)}`,
        destination: `0a000002${'0'.repeat(24)}`,
      },
      { ...FOUR, sourcePort: 80, destinationPort: 40000 },
      { ...FOUR, destination: FOUR.source },
      { ...FOUR, destination: FOUR.source, destinationPort: 40001 },
    ],
  ],
])('connections that differ in nothing but their %s', (_, pairs) => {
  test('are told apart, whichever end speaks', async () => {
    // Half of them the one way first, half the other way.
    const turned = pairs.map((pair, index) => (index % 2 === 0 ? pair : reversed(pair)));
    const frames = [...turned, ...turned.map(reversed), ...turned].map(packetOf);
    const { connections } = await summarize(pcap(frames));
    expect(connections).toHaveLength(pairs.length);
    for (const { packets } of connections)
      expect([packets.toServer + packets.toClient, Math.min(packets.toServer, packets.toClient)]).toEqual([
        3, 1,
      ]);
  });
});

test('one IPv4 address that talks to itself is told by its ports, whatever IPv6 packet came before', async () => {
  const alone = { ...FOUR, destination: FOUR.source };
  const words = [0, 1, 2, 3].map((word) => packetOf({ ...SIX, source: withWord(SIX.source, word, 1) }));
  const both = words.flatMap((six) => [six, packetOf(alone), six, packetOf(reversed(alone))]);
  const turned = words.flatMap((six) => [six, packetOf(reversed(alone)), six, packetOf(alone)]);
  const { connections } = await summarize(pcap([...both, ...turned]));
  const own = connections.filter(({ client, server }) => client.address === server.address);
  expect(own.map(({ packets }) => packets)).toEqual([{ toServer: 8, toClient: 8 }]);
});

test('connections that have nothing in common are told apart, too', async () => {
  const six = {
    ...SIX,
    source: '20010db8000000010000000200000003'.replaceAll('0000000', '1000000'),
    isUdp: true,
  };
  const pairs = numbers.flatMap((value) => [
    { ...FOUR, sourcePort: 1000 + value },
    { ...six, destination: six.source.replace('3', '4'), sourcePort: 3000 + value, destinationPort: 81 },
  ]);
  const { connections } = await summarize(pcap([...pairs, ...pairs].map(packetOf)));
  expect(connections).toHaveLength(pairs.length);
});

test('an address is told from all of its words', async () => {
  const { connections } = await summarize(pcap([packetOf(SIX)]));
  expect(connections).toMatchObject([
    { client: { address: '2001:db8:0:1:0:2:0:3' }, server: { address: '2001:db8:0:1:0:2:0:4' } },
  ]);
});

test('among thousands a packet belongs to the last life of its pair', async () => {
  const first = { source: '10.9.9.9', sourcePort: 999, flags: 'S', sequence: 1 };
  const second = { ...first, sequence: 1000 };
  const others = numbers.map((value) => segment({ sourcePort: 1000 + value, flags: 'S' }));
  const frames = [segment(first), segment(second), ...others, segment({ ...second, flags: 'A' })];
  const { connections } = await summarize(pcap(frames));
  expect(connections.slice(0, 2).map(({ isn, packets }) => [isn.client, packets.toServer])).toEqual([
    [1, 1],
    [1000, 2],
  ]);
  expect(connections).toHaveLength(2 + COUNT);
});

test('the first connection of a capture goes on too, be it of datagrams', async () => {
  const pair = { ...FOUR, isUdp: true };
  const { connections } = await summarize(pcap([pair, reversed(pair), pair].map(packetOf)));
  expect(connections).toMatchObject([{ packets: { toServer: 2, toClient: 1 } }]);
});

test('of a fragment nobody can say how much payload there was: it counts as an ACK without any', async () => {
  const part = ipv4(6, tcp({ flags: 'A', payload: 'xxxx' }), { fragment: 0x2000 });
  const { connections } = await summarize(pcap([ethernet(0x0800, part)]));
  expect(connections).toMatchObject([{ completeness: 4, analysis: {} }]);
});

test('ten thousand connections are told apart, and each is found again', () => {
  const tracker = new Tracker();
  const frame = new Frame();
  frame.kind = 'tcp';
  frame.isCounted = true;
  const lives = () =>
    Array.from({ length: 10_000 }, (_, index) => {
      frame.sourcePort = 1 + index;
      return tracker.track(frame);
    });
  const begun = lives();
  expect(begun).toEqual(Array.from({ length: 10_000 }, (_, index) => index));
  expect(lives()).toEqual(begun);
});

/** Connections by their client's port: what is kept, and what was let go of in which order. */
async function limited(maximumConnections: number, segments: readonly SegmentOptions[]) {
  const gone: ConnectionFigures[] = [];
  const { connections, letGo } = await summarize(pcap(segments.map(segment)), {
    maximumConnections,
    onLetGo: (connection) => gone.push(connection),
  });
  return { kept: connections.map(portOf), gone: gone.map(portOf), letGo };
}

const portOf = ({ client }: ConnectionFigures) => client.port;
const ports = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);
const opened = (...its: readonly number[]): SegmentOptions[] =>
  its.map((sourcePort) => ({ sourcePort, flags: 'S', sequence: 1 }));
const reset = (...its: readonly number[]): SegmentOptions[] =>
  its.map((sourcePort) => ({ sourcePort, flags: 'R', sequence: 2 }));
const finished = (...its: readonly number[]): SegmentOptions[] =>
  its.flatMap((port) => [
    { sourcePort: port, flags: 'FA', sequence: 2 },
    {
      source: '10.0.0.2',
      destination: '10.0.0.1',
      sourcePort: 80,
      destinationPort: port,
      flags: 'FA',
      sequence: 9,
      acknowledgment: 3,
    },
  ]);

describe('where there are too many connections', () => {
  test('as many as may be are kept', async () => {
    expect(await limited(16, opened(...ports(101, 116)))).toEqual({
      kept: ports(101, 116),
      gone: [],
      letGo: { connections: 0, packets: 0, bytes: 0 },
    });
  });

  test('a quarter is let go of, those that have been silent for longest', async () => {
    const { kept, gone, letGo } = await limited(16, [
      ...opened(...ports(101, 116)),
      ...opened(102, 104),
      ...opened(117),
    ]);
    expect(gone).toEqual([101, 103, 105, 106]);
    expect(kept).toEqual([102, 104, ...ports(107, 117)]);
    expect(letGo).toEqual({ connections: 4, packets: 4, bytes: 4 * 54 });
  });

  test('those that stay go on', async () => {
    const segments = [...opened(...ports(101, 117)), ...opened(...ports(105, 117))];
    const { connections } = await summarize(pcap(segments.map(segment)), { maximumConnections: 16 });
    expect(connections.map((each) => [portOf(each), each.packets.toServer])).toEqual(
      ports(105, 117).map((port) => [port, 2]),
    );
  });

  test('a quarter also where they take just as much room as there is', async () => {
    const { letGo } = await limited(256, opened(...ports(1001, 1257)));
    expect(letGo).toEqual({ connections: 64, packets: 64, bytes: 64 * 54 });
  });

  test.each([
    ['by a reset', reset],
    ['by both FINs', finished],
  ])('those that have ended %s go first, but for the newest quarter of them', async (_, end) => {
    const { kept, gone } = await limited(16, [
      ...opened(...ports(101, 116)),
      ...end(115, 113, 105, 109),
      ...opened(117),
    ]);
    expect(gone).toEqual([105, 113, 115]);
    expect(kept).toEqual([...ports(101, 104), ...ports(106, 112), 114, 116, 117]);
  });

  test.each([0, 1])('a FIN of one side is no end: %s', async (side) => {
    const fin = finished(116)[side]!;
    expect((await limited(16, [...opened(...ports(101, 116)), fin, ...opened(117)])).gone).toEqual(
      ports(101, 104),
    );
  });

  test('where one in sixteen has ended that is enough, where fewer have it is not', async () => {
    expect((await limited(16, [...opened(...ports(101, 116)), ...reset(116), ...opened(117)])).gone).toEqual([
      116,
    ]);
    expect((await limited(17, [...opened(...ports(101, 117)), ...reset(117), ...opened(118)])).gone).toEqual([
      ...ports(101, 104),
      117,
    ]);
  });

  test('where all have ended three in four go', async () => {
    const { kept, gone } = await limited(8, [
      ...opened(...ports(101, 108)),
      ...reset(...ports(101, 108)),
      ...opened(109),
    ]);
    expect(gone).toEqual(ports(101, 106));
    expect(kept).toEqual([107, 108, 109]);
  });

  test('what both sides sent is counted', async () => {
    const { letGo } = await limited(2, [...opened(101), ...finished(101), ...opened(102, 103)]);
    expect(letGo).toEqual({ connections: 1, packets: 3, bytes: 3 * 54 });
  });

  test('two are kept at least', async () => {
    expect((await limited(0, opened(101, 102, 103))).kept).toEqual([102, 103]);
  });

  test('a connection that was let go of begins anew', async () => {
    const { kept, gone } = await limited(4, opened(101, 102, 103, 104, 105, 101, 103, 102));
    expect(gone).toEqual([101, 102, 104]);
    expect(kept).toEqual([103, 105, 101, 102]);
  });

  test.each<[limit: number, before: readonly SegmentOptions[]]>([
    [2, [...opened(101, 102), ...finished(101), ...reset(102)]],
    [4, [...opened(101, 102, 103, 104), ...finished(104)]],
  ])('one that takes the place of another has nothing of it, of %s', async (maximumConnections, before) => {
    const later = [...opened(105), { sourcePort: 105, flags: 'A', sequence: 2, acknowledgment: 1 }];
    const told = async (segments: readonly SegmentOptions[]) => {
      const { connections } = await summarize(pcap(segments.map(segment)), { maximumConnections });
      // Packets are numbered, and times counted, from the capture's first.
      const { firstTime: _first, lastTime: _last, handshake: _numbers, ...figures } = connections.at(-1)!;
      return figures;
    };
    expect(await told([...before, ...later])).toEqual(await told(later));
  });

  test('those that stay keep what was told of them', async () => {
    const file = pcap(
      [
        ...opened(...ports(101, 116)),
        ...ports(101, 116).map((sourcePort) => ({
          sourcePort,
          sequence: 2,
          payload: 'x'.repeat(sourcePort),
        })),
        ...reset(101, 103, 104),
        ...opened(117),
      ].map(segment),
    );
    const [kept, all] = [await summarize(file, { maximumConnections: 16 }), await summarize(file)];
    expect(kept.connections.map(portOf)).toEqual([102, ...ports(105, 117)]);
    expect(kept.connections).toEqual(
      all.connections.filter(({ client }) => kept.connections.some((other) => portOf(other) === client.port)),
    );
  });

  test('those whose headers are cut short take no more room, and are not told', async () => {
    const tracker = new Tracker(16, () => expect.unreachable());
    const frame = new Frame();
    frame.kind = 'tcp';
    frame.isCounted = false;
    for (frame.number = 1; frame.number <= 100; frame.number++) {
      frame.sourcePort = frame.number;
      tracker.track(frame);
      expect(tracker.lives.count).toBeLessThanOrEqual(16);
    }
    expect(tracker.letGo).toEqual({ connections: 0, packets: 0, bytes: 0 });
  });
});
