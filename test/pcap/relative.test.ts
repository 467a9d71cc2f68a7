// Packets whose sequence numbers a middlebox rewrites: known by their numbers relative to the SYNs', and something else.
import { expect, test } from 'vitest';
import type { Record, SegmentOptions } from './build.ts';
import { ethernet, ipv4, segment, udp } from './build.ts';
import type { Step } from './conversation.ts';
import { framesOf, HANDSHAKE } from './conversation.ts';
import { at, BACKEND, CLIENT, FORWARDED, joined, places, stamp, VIP } from './points.ts';

/** What one point saw, numbers relative to the initial ones, which are others at each point; `time` is that of the first packet. */
function point(index: number, time: number, steps: readonly Step[], all: SegmentOptions = {}): Record[] {
  const [client, server] = [1000 + index * 111_111, 0xffff_fffe - index * 222_222];
  const own = { ...(index === 0 ? {} : FORWARDED), ...all };
  const frames = framesOf(
    steps.map(([direction, flags, sequence, acknowledgment, more]) => [
      direction,
      flags,
      sequence,
      acknowledgment,
      { ...own, ...more },
    ]),
    { client: [CLIENT, 40000], server: [index === 0 ? VIP : BACKEND, 80], isn: { client, server } },
  );
  return frames.map((frame, nth) => at(time + 10 * nth, frame));
}

const STAMPED = { options: stamp(7) };
const both = async (outside: readonly Step[], inside: readonly Step[], all: SegmentOptions = STAMPED) =>
  places(await joined(point(0, 0, outside, all), point(1, 5, inside, all)));

test('all of a connection with timestamps is joined', async () => {
  const steps: readonly Step[] = [...HANDSHAKE, ['>', 'PA', 1, 1, { payload: 'hello' }], ['<', 'FA', 1, 6]];
  expect(await both(steps, steps)).toEqual(['0.1 1.1', '0.2 1.2', '0.3 1.3', '0.4 1.4', '0.5 1.5']);
});

test('a SYN that is sent again, before its answer or after', async () => {
  const [syn, synAck] = HANDSHAKE;
  expect(await both([syn!, syn!], [syn!, syn!])).toEqual(['0.1 1.1', '0.2 1.2']);
  const steps = [syn!, synAck!, syn!];
  expect(await both(steps, steps)).toEqual(['0.1 1.1', '0.2 1.2', '0.3 1.3']);
});

test('bytes that overtake each other, and ACKs that do', async () => {
  const [first, second]: readonly Step[] = [
    ['>', 'A', 2, 1, { payload: 'x' }],
    ['>', 'A', 3, 1, { payload: 'x' }],
  ];
  expect(await both([...HANDSHAKE, first!, second!], [...HANDSHAKE, second!, first!])).toEqual([
    '0.1 1.1',
    '0.2 1.2',
    '0.3 1.3',
    '0.4 1.5',
    '1.4 0.5',
  ]);
  const [one, other]: readonly Step[] = [
    ['>', 'A', 1, 2],
    ['>', 'A', 1, 3],
  ];
  expect(await both([...HANDSHAKE, one!, other!], [...HANDSHAKE, other!, one!])).toEqual([
    '0.1 1.1',
    '0.2 1.2',
    '0.3 1.3',
    '0.4 1.5',
    '1.4 0.5',
  ]);
});

test('nothing of which the SYNs were not captured', async () => {
  const [, synAck, ack] = HANDSHAKE;
  expect(await both([ack!], [ack!])).toEqual(['0.1', '1.1']);
  expect(await both([synAck!, ack!], [synAck!, ack!])).toEqual(['0.1', '1.1', '0.2', '1.2']);
});

test('nothing with other timestamps', async () => {
  const twins = await joined(point(0, 0, HANDSHAKE, STAMPED), point(1, 5, HANDSHAKE, { options: stamp(8) }));
  expect(twins).toHaveLength(6);
});

test('without timestamps what has its identification and its ends still', async () => {
  const [syn] = HANDSHAKE;
  const same = { source: CLIENT, destination: VIP };
  expect(await both([syn!], [syn!], { ...same, identification: 9 })).toEqual(['0.1 1.1']);
  expect(await both([syn!], [syn!], { identification: 9 })).toEqual(['0.1', '1.1']);
  expect(await both([syn!], [syn!], same)).toEqual(['0.1', '1.1']);
  const twins = await joined(
    point(0, 0, [syn!], { ...same, identification: 9 }),
    point(1, 5, [syn!], { ...same, identification: 8 }),
  );
  expect(twins).toHaveLength(2);
});

test('but not what is known by its numbers already, however alike it is', async () => {
  const [a, b] = [
    { options: stamp(7), sequence: 1 },
    { options: stamp(7), sequence: 2 },
  ];
  const inside = {
    ...FORWARDED,
    source: '10.1.1.1',
    sourcePort: 5,
    destination: '10.2.2.2',
    destinationPort: 6,
  };
  const syn = (more: SegmentOptions) => segment({ flags: 'S', ...more });
  const twins = await joined(
    [at(0, syn(a)), at(1, syn({ ...b, sourcePort: 7 }))],
    [at(5, syn({ ...inside, ...b })), at(6, syn({ ...inside, ...a, sourcePort: 8 }))],
  );
  expect(places(twins)).toEqual(['0.1 1.2', '0.2 1.1']);
});

test('datagrams beside it are no part of it', async () => {
  const query = ethernet(0x0800, ipv4(17, udp(Buffer.from('query'))));
  const twins = await joined(
    [at(0, query), ...point(0, 1, HANDSHAKE, STAMPED)],
    point(1, 5, HANDSHAKE, STAMPED),
  );
  expect(places(twins)).toEqual(['0.1', '0.2 1.1', '0.3 1.2', '0.4 1.3']);
});
