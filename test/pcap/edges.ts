// Conversations that come to the very edges of the rules of analysis.ts, one byte or nanosecond on either side. What is right of them is
// what Wireshark says: recordings.ts.
import type { Record } from './build.ts';
import { pcap } from './build.ts';
import { framesOf, steps } from './conversation.ts';

/** Steps in words, with `after=`, the nanoseconds since the packet before, where it is not a millisecond; and initial sequence numbers. */
interface Conversation {
  readonly client?: number;
  readonly server?: number;
  readonly steps: readonly string[];
}

const SYNS = ['> S 0 0 0', '< SA 0 1 0'];
const HANDSHAKE = [...SYNS, '> A 1 1 0'];
const SCALED = ['> S 0 0 0 scale=7', '< SA 0 1 0 scale=7 win=100', '> A 1 1 0'];
const HALF_SCALED = ['> S 0 0 0 scale=7', '< SA 0 1 0 win=100', '> A 1 1 0'];
/** Bytes 11 to 20 are missed, and asked for `times` times. */
const missed = (times: number, acknowledgment = 11) => [
  ...HANDSHAKE,
  '> A 1 1 10',
  `< A 1 ${acknowledgment} 0`,
  '> A 21 1 10',
  ...Array.from({ length: times }, () => `< A 1 ${acknowledgment} 0`),
];
/** A round trip below 0, and bytes 10 to 18 missed. */
const BACKWARDS = ['> S 0 0 0', '< SA 0 1 0 after=-9', '> A 1 1 0 after=-9', '> A 1 1 9', '> A 19 1 9'];
const CLOSED = [...HANDSHAKE, '< A 1 1 0 win=0'];

const CONVERSATIONS: readonly Conversation[] = [
  // Zero window, its probes, their answers and the window's opening.
  ...[0, 1, 2].flatMap((length) => [
    { steps: [...CLOSED, `> A 1 1 ${length}`, '< A 1 1 0 win=0', '< A 1 1 0 win=0', '< A 1 1 0 win=5'] },
    { steps: [...CLOSED, `> A 2 1 ${length}`, '< A 1 1 0 win=0', '> A 1 1 10'] },
    { steps: [...CLOSED, '> A 1 1 1', `< A 1 2 0 win=${length}`, '> A 1 1 2', '> A 3 1 1'] },
    { steps: [...CLOSED, '> A 1 1 1', '< A 1 1 0 win=0', `> A 1 1 ${length}`, '> A 2 1 5', '> A 1 1 2'] },
    {
      steps: [...HANDSHAKE, `> A 1 1 ${length} win=0`, `> A 1 1 ${length} win=0`, `> FA 1 1 ${length} win=0`],
    },
  ]),
  { steps: [...CLOSED, '> A 1 1 1', '< A 1 1 0 win=0', '< A 1 1 0 win=0', '< A 1 1 1 win=0'] },
  { steps: ['> A 1 1 0 win=0', '< A 1 1 1', '> A 1 1 0 win=0', '> R 1 0 0 win=0', '> S 0 0 0 win=0'] },
  // Windows that change.
  { steps: [...HANDSHAKE, '< A 1 1 0 win=10', '< A 1 1 0 win=20', '< A 1 1 5 win=30', '< A 6 1 0 win=40'] },
  { steps: [...HANDSHAKE, '< A 1 1 0 win=10', '< A 2 1 0 win=20', '< A 1 2 0 win=30', '< FA 1 2 0 win=31'] },
  // Windows that are filled: to the byte before, to the byte, to the one after.
  ...[99, 100, 101].map((length) => ({ steps: [...SCALED, `> A 1 1 ${length}`] })),
  ...[99, 100, 101].map((length) => ({ steps: [...HALF_SCALED, '< A 1 1 0 win=100', `> A 1 1 ${length}`] })),
  ...[255, 256, 257].map((length) => ({ steps: [...SCALED, '< A 1 1 0 win=2', `> A 1 1 ${length}`] })),
  ...[255, 256, 257].map((length) => ({
    steps: [
      ...SCALED,
      '< A 1 1 0 win=2',
      '> A 1 1 6',
      `> A 7 1 ${length - 6}`,
      '< A 1 7 0 win=2',
      '> A 257 1 6',
    ],
  })),
  { steps: ['> A 1 1 0', '< A 1 1 0 win=2', '> A 1 1 2', '> A 3 1 254'] },
  { steps: ['> S 0 0 0', '< SA 0 1 0 scale=7', '> A 1 1 0', '< A 1 1 0 win=2', '> A 1 1 2', '> A 3 1 254'] },
  { steps: ['< SA 0 1 0 scale=7', '> A 1 1 0', '< A 1 1 0 win=2', '> A 1 1 2', '> A 3 1 254'] },
  { steps: ['> S 0 0 0 scale=7', '> A 1 1 0 win=2', '< A 1 1 2', '< A 3 1 254'] },
  { steps: ['> S 0 0 0 scale=0', '< SA 0 1 0 scale=15', '> A 1 1 0', '< A 1 1 0 win=1', '> A 1 1 16384'] },
  { steps: [...SCALED, '< A 1 1 0 win=2', '> FA 1 1 256', '> FA 1 1 255', '> PA 1 1 256'] },
  { steps: [...SCALED, '< A 1 1 0 win=2', '> S 1 1 256', '> A 1 1 256'] },
  { steps: [...SYNS, '< A 1 1 0 win=2', '> A 1 1 2', '> S 0 0 0 scale=3', '< SA 0 1 0', '> A 3 1 2'] },
  { steps: ['> S 0 0 0 scale=2', '< SA 0 1 0', '< SA 0 1 0 scale=2', '< A 1 1 0 win=1', '> A 1 1 4'] },
  { steps: ['< SA 0 1 0', '> S 0 0 0 scale=2', '> A 1 1 0 win=1', '< A 1 1 1', '< A 2 1 3'] },
  // Keep-alives.
  ...[0, 1, 2].flatMap((length) =>
    [9, 10, 11].map((sequence) => ({
      steps: [
        ...HANDSHAKE,
        '> A 1 1 10',
        '< A 1 11 0',
        `> A ${sequence} 1 ${length}`,
        '< A 1 11 0',
        '< A 1 11 0',
      ],
    })),
  ),
  { steps: [...HANDSHAKE, '> A 1 1 10', '< A 1 11 0', '> A 10 1 1', '< A 1 11 0 win=0', '< A 1 11 1'] },
  {
    steps: [
      ...HANDSHAKE,
      '> A 1 1 10',
      '< A 1 11 0',
      '> FA 10 1 0',
      '> S 10 1 0',
      '> R 10 1 0',
      '> F 10 1 1',
    ],
  },
  {
    steps: [...HANDSHAKE, '> A 1 1 10', '> A 10 1 1', '< A 1 10 0', '> A 10 1 1', '< A 1 11 0', '< A 1 11 0'],
  },
  // What is asked for again and again, and sent again: soon enough or not, what was asked for or not.
  ...[0, 1, 2, 3].flatMap((times) =>
    [19_999_999, 20_000_000].map((after) => ({ steps: [...missed(times), `> A 11 1 10 after=${after}`] })),
  ),
  ...[1, 10, 12].map((sequence) => ({ steps: [...missed(3), `> A ${sequence} 1 5`] })),
  { steps: [...missed(2), '> A 11 1 10', '< A 1 31 0', '< A 1 31 0', '> A 31 1 10', '> A 31 1 10'] },
  { steps: [...missed(3), '< A 1 11 0 win=99', '< A 1 11 3', '< A 4 11 0', '> A 11 1 10 after=20000000'] },
  { steps: [...missed(3, 16), '> A 16 1 1', '< A 1 41 0', '< A 1 41 0', '< A 1 41 0', '> A 11 1 10'] },
  { steps: [...HANDSHAKE, '> A 1 1 10', '< A 1 21 0', '< A 1 21 0', '> A 31 1 5', '> A 21 1 9'] },
  {
    steps: [...HANDSHAKE, '> A 1 1 10', '< A 1 21 0', '> A 31 1 5', '> A 21 1 9', '< A 1 36 0', '< A 1 50 0'],
  },
  // What overtook, and what is only late: the round trip, or else 3 ms.
  ...[999_999, 2_000_000, 2_999_999, 3_000_000, 3_000_001, -1].flatMap((after) =>
    [SYNS, HANDSHAKE, []].flatMap((start) => [
      { steps: [...start, '> A 1 1 10', '> A 21 1 10', `> A 11 1 9 after=${after}`] },
      { steps: [...start, '> A 1 1 10', '> A 21 1 10', `> A 11 1 20 after=${after}`] },
    ]),
  ),
  { steps: [...HANDSHAKE, '> A 1 1 10 after=-9000000', '> A 21 1 10 after=1', '> A 11 1 9 after=1'] },
  { steps: [...BACKWARDS, '> A 10 1 8'] },
  { steps: ['> S 0 0 0 after=9', '> A 1 1 0 after=0', '> A 1 1 9', '> A 19 1 9', '> A 10 1 8 after=9'] },
  // What had come already.
  ...[9, 10, 11].flatMap((end) => [
    { steps: [...HANDSHAKE, '> A 1 1 10', '< A 1 10 0', `> A 5 1 ${end - 5}`, `> FA 5 1 ${end - 5}`] },
    {
      steps: [
        ...HANDSHAKE,
        '> A 1 1 9',
        `> A ${end} 1 5`,
        '< A 1 10 0',
        '< A 1 15 0',
        '< A 1 16 0',
        '< A 1 17 0',
      ],
    },
  ]),
  { steps: [...HANDSHAKE, '> FA 1 1 0', '< A 1 2 0', '> FA 1 1 0', '< FA 1 2 0', '< FA 1 2 0', '> A 2 2 0'] },
  // Segments that were not seen: resets tell nothing of them.
  ...['A', 'R', 'FA', 'S', '', 'RA'].map((flags) => ({
    steps: [...HANDSHAKE, '> A 1 1 10', `> ${flags} 12 1 3`, '< A 1 15 0', '< A 1 15 0', `< ${flags} 1 16 0`],
  })),
  // Numbers of which none is 0, which Wireshark takes for unknown, and numbers that are, and those that go round.
  ...[0, 0xffff_ffff, 0xffff_fff6, 0x7fff_fff6].flatMap((initial) => [
    { client: initial, steps: missed(3) },
    { server: initial, steps: missed(3) },
    {
      client: initial,
      steps: [...HANDSHAKE, '> A 1 1 9', '< A 1 10 0', '< A 1 10 0', '> A 19 1 3', '> A 10 1 9'],
    },
    {
      client: initial,
      server: initial,
      steps: ['> A 0 0 0', '< A 0 0 5', '> A 0 5 5', '> A 10 5 5', '> A 5 5 5'],
    },
    {
      server: initial,
      steps: [...SCALED, '< A 1 1 0 win=2', '> A 1 1 256', '< A 1 257 0 win=1', '> A 257 1 128'],
    },
  ]),
  // Ports used again, and SYNs sent again.
  { steps: [...HANDSHAKE, '> S 0 0 0', '> S 1 0 0', '< SA 7 2 0', '> A 2 8 0', '> A 2 8 5'] },
  { steps: [...HANDSHAKE, '> A 1 1 5', '> RA 6 1 0', '> S 0 0 0', '< SA 0 1 0', '> A 1 1 0', '> A 1 1 5'] },
  { steps: [...HANDSHAKE, '> A 1 1 5', '< S 0 0 0', '< S 9 0 0', '> SA 0 10 0', '> A 6 10 0', '> A 6 10 5'] },
  { steps: ['> S 0 0 3', '< SA 0 4 0', '> A 4 1 0', '> S 9 0 2', '> S 9 0 2', '< RA 0 10 0'] },
  { steps: ['> S 0 0 0', '> S 0 0 0', '< RA 0 1 0', '> S 1 0 0', '< R 0 1 0', '> S 2 0 0', '< SA 0 0 0'] },
  // What the first segment carries.
  ...['S', 'SA', 'A', 'FA', 'R'].flatMap((flags) =>
    [0, 1, 2].map((length) => ({ steps: [`> ${flags} 0 0 ${length}`] })),
  ),
  // An ACK of what was not seen is taken for many repetitions by the other side, whose own begin to count from 1 then.
  ...[0, 1, 2, 3].map((times) => ({
    steps: [
      ...missed(0),
      '> A 31 2 0',
      ...Array.from({ length: times }, () => '< A 1 11 0'),
      '> A 11 1 9',
      '> A 31 2 0',
    ],
  })),
  // At a round trip below 0, which makes every other time the shorter one; none at all is shorter too.
  { steps: [...BACKWARDS, '> A 10 1 8 after=0'] },
  // Before any was offered Wireshark takes a window for as large as a number can be, which reaches to 0xffffffff.
  ...[14, 15, 16].map((length) => ({ client: 0xffff_fff0, steps: ['> S 0 0 0', `> A 0 0 ${length}`] })),
  // The smallest window that is open.
  {
    steps: [...HANDSHAKE, '< A 1 1 0 win=1', '< A 1 1 0 win=1', '> A 1 1 1', '> A 2 1 1', '< A 1 1 0 win=1'],
  },
  { steps: [...CLOSED, '> A 1 1 1', '< A 1 1 0 win=1', '< A 1 1 0 win=1', '< A 1 1 0 win=0', '> A 1 1 1'] },
  {
    steps: [
      ...HANDSHAKE,
      '> A 1 1 9 win=1',
      '< A 1 10 0',
      '> A 9 1 1 win=1',
      '< A 1 10 0 win=1',
      '> A 9 1 0',
    ],
  },
  // A keep-alive of one whose peer's window is closed.
  {
    steps: [
      ...HANDSHAKE,
      '> A 1 1 9',
      '< A 1 10 0 win=0',
      '> A 9 1 0',
      '< A 1 10 0 win=0',
      '< A 1 10 0 win=0',
    ],
  },
];

function records({ steps: texts, ...isn }: Conversation, port: number, start: bigint): Record[] {
  let time = start;
  const frames = framesOf(steps(...texts), { client: ['10.0.0.1', port], server: ['10.0.0.2', 80], isn });
  return frames.map((frame, index) => {
    time += BigInt(/after=(\S+)/.exec(texts[index]!)?.[1] ?? 1_000_000);
    return { time, frame };
  });
}

export function edges(): Buffer {
  return pcap(
    CONVERSATIONS.flatMap((conversation, index) =>
      records(conversation, 10_000 + index, 1_700_000_000_000_000_000n + BigInt(index) * 1_000_000_000n),
    ),
    { magic: 0xa1b23c4d },
  );
}
