// Claims about direct server return where one packet is not as the others. Packet numbers are those of the recorded labs `dsr` and `nat`.
import { expect, test } from 'vitest';
import { changes } from '../../src/verify/claims/forwarding.ts';
import {
  together,
  asRecorded,
  span,
  withoutCapture,
  change,
  leaveOut,
  add,
  packetOf,
  onlyPorts,
  readdressed,
  framed,
  aged,
  flipped,
  cut,
  withoutMacs,
  expectCase,
  type Case,
} from './edits.ts';
import { edited } from './evidence.ts';

/** The director's capture with one of the answers that the client has, not its SYN-ACK. */
const answerPasses = add('lb', (dsr) => [{ ...packetOf(dsr, 'client', 11), number: 51 }]);

/** The request of the first connection in two segments, of one byte and of the rest, on its way to the director. */
const recut = together(
  add('lb', (dsr) => [{ ...cut(packetOf(dsr, 'lb', 10), 1, 97), number: 51 }]),
  change('lb', [10], (packet) => cut(packet, 0, 1)),
);

/** A frame of the director that goes to a router and comes round, with the TTLs that it then has. */
const comesRound = (number: number, first: number, ttls: readonly number[]) =>
  together(
    change('lb', [number], framed({ destination: '02:00:c0:a8:0b:01' })),
    add('lb', (dsr) =>
      ttls.map((ttl, index) => ({ ...aged(ttl)(packetOf(dsr, 'lb', number)), number: first + index })),
    ),
  );

const be1 = '02:00:c0:a8:0b:6c (be1)';
const be2 = '02:00:c0:a8:0b:6d (be2)';

test.each<Case>([
  [
    'dsr.mac',
    'a request that offload has cut elsewhere on one side',
    'dsr',
    recut,
    'pass',
    /^20 client packets seen twice; nothing above Ethernet changes but the TTL; destination MAC /,
  ],
  [
    'dsr.mac',
    'and that is another request',
    'dsr',
    together(recut, change('lb', [11], flipped)),
    'fail',
    /^20 client packets seen twice; nothing above Ethernet changes but the TTL; 3 only once; destination MAC /,
    { lb: [10, 11, 51] },
  ],
  [
    'dsr.mac',
    'a packet of another connection beside the one that was cut',
    'dsr',
    together(recut, leaveOut('lb', [24])),
    'fail',
    /^19 client packets seen twice; nothing above Ethernet changes but the TTL; 1 only once; destination MAC /,
    { lb: [23] },
  ],
  [
    'dsr.mac',
    'an answer that is flooded to the director',
    'dsr',
    answerPasses,
    'pass',
    /^21 client packets seen twice; nothing above Ethernet changes but the TTL; destination MAC /,
  ],
  [
    'dsr.mac',
    'a frame that keeps the MAC address of its sender',
    'dsr',
    change('lb', [32], framed({ source: '02:00:c0:a8:0b:68' })),
    'fail',
    /; source MAC 02:00:c0:a8:0b:68 → 02:00:c0:a8:0b:6a \(20\), 02:00:c0:a8:0b:68 → 02:00:c0:a8:0b:68 \(1\); /,
    { lb: [31, 32] },
  ],
  [
    'dsr.mac',
    "a frame that goes to nobody's MAC address",
    'dsr',
    change('lb', [32], framed({ destination: '02:00:c0:a8:0b:01' })),
    'fail',
    /, 02:00:c0:a8:0b:6a → 02:00:c0:a8:0b:01 \(1\); /,
    { lb: [31, 32] },
  ],
  [
    'dsr.mac',
    'a connection that is not sent on',
    'dsr',
    leaveOut('lb', [30, 32, 34, 36, 38]),
    'fail',
    /^16 client packets seen twice; nothing above Ethernet changes but the TTL; 1 connection only once; /,
    { lb: [29] },
  ],
  ['dsr.mac', 'no MAC addresses', 'nat', withoutMacs, 'unknown', 'eth0 has no MAC addresses'],

  ['dsr.segment', 'no MAC addresses', 'nat', withoutMacs, 'unknown', 'eth1 has no MAC addresses'],
  [
    'dsr.segment',
    'answers by way of the director do not count',
    'nat',
    asRecorded,
    'pass',
    '20 frames sent on: 10 to 02:00:0a:85:01:02 (be1), 10 to 02:00:0a:85:01:03 (be2); TTL from director to backend 63 → 63',
  ],
  [
    'dsr.segment',
    'one frame to a router',
    'dsr',
    comesRound(32, 51, []),
    'fail',
    `21 frames sent on: 11 to ${be1}, 9 to ${be2}, 1 to 02:00:c0:a8:0b:01 (no backend's)`,
    { lb: [32] },
  ],
  [
    'dsr.segment',
    'one that comes back once',
    'dsr',
    comesRound(32, 51, [62]),
    'fail',
    /; one packet passes 2 times, its TTL falling from 63 to 62$/,
    { lb: [32, 51] },
  ],
  [
    'dsr.segment',
    'of those that come back most often the first is told of',
    'dsr',
    together(comesRound(32, 51, [62, 61]), comesRound(34, 53, [60, 59])),
    'fail',
    /; one packet passes 3 times, its TTL falling from 63 to 61$/,
    { lb: [32, 34, 51, 52, 53, 54] },
  ],
  [
    'dsr.segment',
    'one frame that is a router older at the backend',
    'dsr',
    change('backend', [3], aged(62)),
    'fail',
    `21 frames sent on: 11 to ${be1}, 10 to ${be2}; TTL from director to backend 63 → 63 (20), 63 → 62 (1)`,
    { backend: [3], lb: [22] },
  ],
  [
    'dsr.segment',
    'other connections at the backend than were sent on',
    'dsr',
    together(onlyPorts([33534], ['lb']), withoutCapture('backend2')),
    'unknown',
    'no frame that was sent on has been captured at a backend',
  ],

  [
    'dsr.missing',
    'a connection that had begun before',
    'dsr',
    leaveOut('lb', [29, 30]),
    'pass',
    '3 connections, 0 SYN-ACKs, 0 packets of a server; tcp.completeness 29 (SYN, ACK, DATA, FIN)',
  ],
  [
    'dsr.missing',
    'a connection that went on after',
    'dsr',
    leaveOut('lb', [37, 38]),
    'pass',
    '4 connections, 0 SYN-ACKs, 0 packets of a server; tcp.completeness 29 (SYN, ACK, DATA, FIN) in 3, 13 (SYN, ACK, DATA) in 1',
  ],
  [
    'dsr.missing',
    'one answer at the director',
    'dsr',
    answerPasses,
    'fail',
    /^4 connections, 0 SYN-ACKs, 1 packet of a server; /,
    { lb: [51] },
  ],
  [
    'dsr.missing',
    "answers in the backends' captures alone",
    'dsr',
    withoutCapture('client'),
    'pass',
    /^4 connections/,
  ],
  [
    'dsr.missing',
    "answers in the client's capture alone",
    'dsr',
    withoutCapture('backend', 'backend2'),
    'pass',
    /^4 connections/,
  ],
  [
    'dsr.missing',
    'answers in no capture',
    'dsr',
    withoutCapture('backend', 'backend2', 'client'),
    'unknown',
    'no backend answered',
  ],

  [
    'dsr.return',
    'one answer in all',
    'dsr',
    leaveOut('client', span(8, 48)),
    'pass',
    `the balancer sees none; the client gets 1: from ${be2}`,
    { client: [7] },
  ],
  [
    'dsr.return',
    'one answer from a stranger',
    'dsr',
    change('client', [31], framed({ source: '02:00:00:00:00:99' })),
    'fail',
    `the balancer sees none; the client gets 19: 9 from ${be1}, 9 from ${be2}, 1 from 02:00:00:00:00:99`,
    { client: [31] },
  ],
  [
    'dsr.return',
    'an answer that the director alone has seen',
    'dsr',
    together(answerPasses, withoutCapture('backend', 'backend2'), (dsr) =>
      edited(dsr, ['client'], (packet) => (packet.tcp?.sourcePort === 80 ? undefined : packet)),
    ),
    'fail',
    'the balancer sees 1 such packet; the client gets none',
    { lb: [51] },
  ],
  [
    'dsr.return',
    'no MAC addresses at the client',
    'dsr',
    change('client', span(1, 48), (packet) => ({ ...packet, ethernet: undefined })),
    'unknown',
    "the client's capture has no MAC addresses",
  ],
  [
    'dsr.return-source',
    "one answer from the backend's own address",
    'dsr',
    change('client', [20], readdressed('192.168.11.107', '192.168.11.108')),
    'fail',
    '4 SYN-ACKs: 3 from 192.168.11.107, 1 from 192.168.11.108',
    { client: [20] },
  ],
  [
    'dsr.arp',
    'a question that nobody answers',
    'dsr',
    leaveOut('client', [2]),
    'unknown',
    'no ARP packet with 192.168.11.107 as its sender was captured at the client',
  ],
  [
    'dsr.arp',
    'a lab without a VIP',
    'direct',
    asRecorded,
    'unknown',
    'no ARP packet with a VIP as its sender was captured at the client',
  ],
])('%s: %s (%s)', expectCase);

test('changes are told most frequent first, four of them at most', () => {
  const ttls = (...times: readonly number[]) =>
    changes(times.flatMap((each, index) => Array.from({ length: each }, () => [60 + index, 50 + index])));
  expect(changes([])).toBe('');
  expect(ttls(3)).toBe('60 → 50');
  expect(ttls(1, 2)).toBe('61 → 51 (2), 60 → 50 (1)');
  expect(ttls(4, 3, 2, 1)).toBe('60 → 50 (4), 61 → 51 (3), 62 → 52 (2), 63 → 53 (1)');
  expect(ttls(5, 4, 3, 2, 1)).toBe('60 → 50 (5), 61 → 51 (4), 62 → 52 (3), 63 → 53 (2), ...');
});
