// What is told of packets while they come: how long clients wait, what becomes of a packet from point to point, how much there was.
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { Frame } from '../../src/pcap/index.ts';
import {
  AnswerTimes,
  Follower,
  groupBy,
  IncrementalReader,
  readCapture,
  summarize,
} from '../../src/pcap/index.ts';
import type { SegmentOptions } from './build.ts';
import { ethernet, ipv4, ipv6, pcap, segment, tcp, udp } from './build.ts';
import { A, B } from './frames.ts';

const START = 1_700_000_000_000_000_000n;

describe('how long clients wait', () => {
  /** Each at so many microseconds; from the client's port `port`, or to it. */
  type Sent = readonly [microseconds: number, direction: '>' | '<', flags: string, options?: SegmentOptions];
  const isToServer = (frame: Frame) => frame.destinationPort === 80;

  async function answers(sent: readonly Sent[], make = segment): Promise<AnswerTimes> {
    const records = sent.map(([microseconds, direction, flags, options]) => ({
      time: START + BigInt(microseconds) * 1000n,
      frame: make({
        ...(direction === '<' && {
          source: '10.0.0.2',
          destination: '10.0.0.1',
          sourcePort: 80,
          destinationPort: 40000,
        }),
        flags,
        sequence: 1000,
        ...options,
      }),
    }));
    const times = new AnswerTimes();
    const belongs = (frame: Frame) => {
      times.take(frame, isToServer(frame));
      return true;
    };
    await summarize(pcap(records), { belongs });
    return times;
  }
  const x = { payload: 'x' };

  test.each<[what: string, sent: readonly Sent[], microseconds: readonly number[]]>([
    [
      'from the SYN to the first byte of the answer',
      [
        [10, '>', 'S'],
        [20, '<', 'SA'],
        [30, '>', 'PA', x],
        [50, '<', 'PA', x],
      ],
      [40],
    ],
    [
      'once, however long the answer',
      [
        [0, '>', 'S'],
        [5, '<', 'A', x],
        [9, '<', 'A', x],
      ],
      [5],
    ],
    [
      'from the first SYN where it is sent again',
      [
        [0, '>', 'S'],
        [3, '>', 'S'],
        [5, '<', 'A', x],
      ],
      [5],
    ],
    [
      'from a SYN of another number, which begins anew',
      [
        [0, '>', 'S'],
        [3, '>', 'S', { sequence: 7 }],
        [5, '<', 'A', x],
      ],
      [2],
    ],
    [
      'for each connection',
      [
        [0, '>', 'S', { sourcePort: 1 }],
        [1, '>', 'S', { sourcePort: 2 }],
        [5, '<', 'A', { destinationPort: 2, ...x }],
        [7, '<', 'A', { destinationPort: 1, ...x }],
      ],
      [4, 7],
    ],
    [
      'for each client',
      [
        [0, '>', 'S'],
        [1, '>', 'S', { source: '10.0.0.9' }],
        [5, '<', 'A', x],
        [7, '<', 'A', { destination: '10.0.0.9', ...x }],
      ],
      [5, 6],
    ],
    [
      'for each client, with each of its ports',
      [
        [0, '>', 'S', { source: '10.1.0.1', sourcePort: 1 }],
        [1, '>', 'S', { source: '10.0.0.1', sourcePort: 2 }],
        [5, '<', 'A', { destination: '10.1.0.1', destinationPort: 1, ...x }],
        [7, '<', 'A', { destination: '10.0.0.1', destinationPort: 2, ...x }],
      ],
      [5, 6],
    ],
    [
      'not for what has no payload',
      [
        [0, '>', 'S'],
        [5, '<', 'A'],
      ],
      [],
    ],
    [
      'not where no SYN was captured',
      [
        [0, '>', 'A', x],
        [5, '<', 'A', x],
      ],
      [],
    ],
    [
      'not from a SYN-ACK',
      [
        [0, '>', 'SA'],
        [5, '<', 'A', x],
      ],
      [],
    ],
    [
      'not from a SYN of the server',
      [
        [0, '<', 'S'],
        [5, '<', 'A', x],
      ],
      [],
    ],
  ])('%s', async (_, sent, microseconds) => {
    expect((await answers(sent)).times).toEqual(microseconds.map((each) => each * 1000));
  });

  test('from the first SYN to the last answer', async () => {
    const { first, last } = await answers([
      [10, '>', 'S'],
      [20, '>', 'S', { sourcePort: 2 }],
      [60, '<', 'A', x],
      [70, '<', 'A', { destinationPort: 2, ...x }],
      [90, '<', 'A', x],
    ]);
    expect([first, last]).toEqual([10_000, 70_000]);
    const none = await answers([]);
    expect([none.first, none.last]).toEqual([Infinity, -Infinity]);
  });

  test('over IPv6 too', async () => {
    const make = (options: SegmentOptions) =>
      ethernet(0x86dd, options.sourcePort === 80 ? ipv6(6, tcp(options), B, A) : ipv6(6, tcp(options), A, B));
    expect(
      (
        await answers(
          [
            [0, '>', 'S'],
            [5, '<', 'A', x],
          ],
          make,
        )
      ).times,
    ).toEqual([5000]);
  });
});

describe('a packet that is followed from point to point', () => {
  const packetOf = async (options: SegmentOptions) =>
    (await readCapture(pcap([segment(options)]))).packets[0]!;
  const before = { flags: 'A', sequence: 5, payload: 'abc' };

  test('says where it was last, and what was changed since', async () => {
    const follower = new Follower();
    expect(follower.follow(0, await packetOf(before))).toBeUndefined();
    expect(follower.follow(2, await packetOf({ ...before, ttl: 63 }))).toEqual({
      from: 0,
      rewrites: [expect.objectContaining({ field: 'ttl' })],
    });
    expect(follower.follow(1, await packetOf({ ...before, ttl: 63 }))).toEqual({ from: 2, rewrites: [] });
  });

  test('is not taken for another, nor for itself where nothing on its way was passed', async () => {
    const follower = new Follower();
    follower.follow(0, await packetOf(before));
    expect(follower.follow(1, await packetOf({ ...before, sequence: 6 }))).toBeUndefined();
    expect(follower.follow(0, await packetOf(before))).toBeUndefined();
    const [arp] = (await readCapture(pcap([ethernet(0x0806, Buffer.alloc(28))]))).packets;
    expect(follower.follow(1, arp!)).toBeUndefined();
    expect(follower.follow(2, arp!)).toBeUndefined();
  });

  test('is forgotten after 8192 others, counted from when it was seen last', async () => {
    const frames = Array.from({ length: 8193 }, (_, index) => segment({ ...before, sequence: index }));
    const [first, ...others] = (await readCapture(pcap(frames))).packets;
    const followed = (count: number) => {
      const follower = new Follower();
      follower.follow(0, first!);
      for (const other of others.slice(0, count)) follower.follow(0, other);
      return follower.follow(1, first!)?.from;
    };
    expect([followed(8191), followed(8192)]).toEqual([0, undefined]);
    const follower = new Follower();
    follower.follow(0, first!);
    follower.follow(0, others[0]!);
    follower.follow(1, first!);
    for (const other of others.slice(1)) follower.follow(0, other);
    expect(follower.follow(2, first!)?.from).toBe(1);
  });
});

test('a capture whose bytes are still coming counts connections asked for and HTTP requests', () => {
  const starts = [
    'GET /',
    'HEAD ',
    'POST ',
    'PUT /',
    'DELETE',
    'OPTIONS',
    'PATCH',
    'GET ',
    'GET',
    'HTTP/1.1',
    'get /',
    '',
  ];
  const reader = new IncrementalReader();
  reader.push(pcap(starts.map((payload) => segment({ flags: 'PA', payload }))));
  expect(reader).toMatchObject({ packets: 12, requests: 8, connections: 0 });
  const flags = ['S', 'SA', 'A', 'SP', 'F'].map((each) => segment({ flags: each }));
  const others = [ethernet(0x0800, ipv4(17, udp(Buffer.from('GET / ')))), ethernet(0x0806, Buffer.alloc(28))];
  const next = pcap([...flags, ...others]).subarray(24);
  reader.push(next);
  expect(reader).toMatchObject({ packets: 19, requests: 8, connections: 2 });
});

test('things are grouped in the order in which their keys first came', () => {
  expect([...groupBy(['b1', 'a1', 'b2', 'c1', 'a2'], (text) => text[0])]).toEqual([
    ['b', ['b1', 'b2']],
    ['a', ['a1', 'a2']],
    ['c', ['c1']],
  ]);
});

describe('a summary', () => {
  const frames = Array.from({ length: 3 }, (_, index) => ({
    frame: segment({ sourcePort: 7000 + index }),
    time: START + [5_000_000_123n, 1n, 9_000_000_000n][index]!,
  }));

  test('has the earliest and the latest time, to the nanosecond, whatever the order', async () => {
    expect(await summarize(pcap(frames, { magic: 0xa1b23c4d }))).toMatchObject({
      format: 'pcap',
      linkType: 'ETHERNET',
      packets: 3,
      bytes: 162,
      firstTime: START + 1n,
      lastTime: START + 9_000_000_000n,
      letGo: { connections: 0 },
    });
  });

  test('of nothing has no times', async () => {
    const summary = await summarize(pcap([]));
    expect(summary).toEqual({
      format: 'pcap',
      linkType: 'ETHERNET',
      packets: 0,
      bytes: 0,
      connections: [],
      letGo: { connections: 0, packets: 0, bytes: 0 },
    });
    expect(summary).not.toHaveProperty('truncated');
  });

  test('of what belongs has only that, but counts all', async () => {
    const { connections, packets, bytes } = await summarize(pcap(frames), {
      belongs: (frame) => frame.sourcePort === 7001,
    });
    expect(connections.map(({ client }) => client.port)).toEqual([7001]);
    expect([packets, bytes]).toEqual([3, 162]);
  });

  test('lets go of the connections that were silent for longest, and tells them', async () => {
    const many = Array.from({ length: 9 }, (_, index) => segment({ flags: 'S', sourcePort: 7000 + index }));
    const told: string[] = [];
    const { connections, letGo } = await summarize(pcap(many), {
      maximumConnections: 8,
      onLetGo: ({ client, state }) => told.push(`${client.port} ${state}`),
    });
    expect(told).toEqual(['7000 unanswered', '7001 unanswered']);
    expect(connections.map(({ client }) => client.port)).toEqual([7002, 7003, 7004, 7005, 7006, 7007, 7008]);
    expect(letGo).toEqual({ connections: 2, packets: 2, bytes: 108 });
    expect((await summarize(pcap(many), { maximumConnections: 8 })).letGo.connections).toBe(2);
  });

  test('says where it ended', async () => {
    const file = pcap(frames);
    expect((await summarize(file.subarray(0, -1))).truncated).toContain('after packet 2');
    expect((await summarize(gzipSync(file).subarray(0, -9))).truncated).toContain(
      'the gzip stream is damaged',
    );
  });
});
