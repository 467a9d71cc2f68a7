import { describe, expect, test } from 'vitest';
import { ethernet, ipv4, udp } from '../../pcap/build.ts';
import { judged } from './labs.ts';
import { BE1, BE2, CLIENT, judgedRound, lineOf, talk, type Captured, type Made } from './made.ts';

const TO_SERVER = [1, 3, 4, 7];
const TO_CLIENT = [2, 5, 6, 8];
/** At a point so many microseconds from the client. */
const away = (at: number, server?: string) => [
  ...talk({ server, at, packets: TO_SERVER }),
  ...talk({ server, at: -at, packets: TO_CLIENT }),
];
const WAY = { client: away(0), eth0: away(50), eth1: away(100, BE1), be1: away(150, BE1) };
const stray = (server?: string) => talk({ client: `${CLIENT}:40002`, server, at: 50_000, packets: [1] });

const THERE = '4 by client, eth0, eth1, be1';
const BACK = '4 by be1, eth1, eth0, client';
const at = (numbers: string) => `[be1 ${numbers}] [client ${numbers}] [eth0 ${numbers}] [eth1 ${numbers}]`;

describe('packets', () => {
  test.each([
    ['to-server: [client, eth0, eth1, be1]', `pass: 4 packets to the server: ${THERE} ${at('1 3 4 7')}`],
    ['to-server: [client, be1]', `pass: 4 packets to the server: ${THERE} ${at('1 3 4 7')}`],
    ['to-server: [clients, balancer, backends]', `pass: 4 packets to the server: ${THERE} ${at('1 3 4 7')}`],
    ['to-server: [eth1, eth0]', `fail: 4 of 4 packets to the server: ${THERE} ${at('1 3 4 7')}`],
    ['to-server: [eth0, eth0]', `fail: 4 of 4 packets to the server: ${THERE} ${at('1 3 4 7')}`],
    ['to-server: [balancer, balancer]', `pass: 4 packets to the server: ${THERE} ${at('1 3 4 7')}`],
    ['to-client: [be1, eth1, eth0, client]', `pass: 4 packets to the client: ${BACK} ${at('2 5 6 8')}`],
    ['to-client: [client, be1]', `fail: 4 of 4 packets to the client: ${BACK} ${at('2 5 6 8')}`],
    ['to-client: [be1], never: eth0', `fail: 4 of 4 packets to the client: ${BACK} ${at('2 5 6 8')}`],
    ['to-client: [be1], never: be2', `pass: 4 packets to the client: ${BACK} ${at('2 5 6 8')}`],
    [
      'to-server: [eth0], to-client: [client, eth0]',
      `fail: 4 packets to the server: ${THERE}. 4 of 4 packets to the client: ${BACK} ${at('2 5 6 8')}`,
    ],
    [
      'never: be2',
      `pass: 4 packets to the server: ${THERE}. 4 packets to the client: ${BACK} ${at('1 2 3 4 5 6 7 8')}`,
    ],
    [
      'never: [be2, eth1]',
      `fail: 4 of 4 packets to the server: ${THERE}. 4 of 4 packets to the client: ${BACK} ${at('1 2 3 4 5 6 7 8')}`,
    ],
  ])('%s: %s', async (said, line) => {
    expect(lineOf(await judgedRound({ lab: 'nat', captures: WAY }, `- path: { ${said} }`))).toBe(line);
  });

  /** Not of the service, or not of TCP. */
  const others: readonly Made[] = [
    ...talk({ client: `${CLIENT}:40003`, server: `${BE1}:22`, at: 60_000 }),
    {
      frame: ethernet(0x0800, ipv4(17, udp(Buffer.from('?')), { source: CLIENT, destination: BE1 })),
      time: talk({ at: 70_000, packets: [1] })[0]!.time,
    },
  ];
  const one = stray();
  const rows: readonly (readonly [string, string, Captured, string])[] = [
    [
      'seen at some of the places',
      'to-server: [client, eth0]',
      { ...WAY, client: [...away(0), ...one] },
      'fail: 1 of 5 packets to the server: 1 by client [client 9]',
    ],
    [
      'seen at none of the places',
      'to-server: [client, eth0]',
      { ...WAY, be2: stray(BE2) },
      `pass: 4 packets to the server: ${THERE} ${at('1 3 4 7')}`,
    ],
    [
      'one of them',
      'to-server: [client]',
      { client: one },
      'pass: 1 packet to the server: 1 by client [client 1]',
    ],
    [
      'at one time in any order',
      'to-server: [eth1, eth0]',
      { eth0: one, eth1: stray(BE1) },
      'pass: 1 packet to the server: 1 by eth0, eth1 [eth0 1] [eth1 1]',
    ],
    [
      'none of that direction',
      'to-client: [be1, client]',
      { client: one },
      'unknown: no packet to the client was captured at be1, at client',
    ],
    [
      'none of that direction',
      'never: eth0',
      { client: one },
      'unknown: no packet to the client was captured at eth0',
    ],
    [
      'where packets were dropped',
      'to-server: [eth0]',
      { client: one, eth0: 'not whole' },
      'unknown: the capture eth0 is not whole: packets were dropped',
    ],
    [
      'of the service only',
      'to-server: [client]',
      { client: [...one, ...others] },
      'pass: 1 packet to the server: 1 by client [client 1]',
    ],
    [
      'of the service only, either way',
      'never: be2',
      { client: [...talk(), ...others] },
      'pass: 4 packets to the server: 4 by client. 4 packets to the client: 4 by client [client 1 2 3 4 5 6 7 8]',
    ],
    [
      'from and to a port of the service',
      'to-server: [client]',
      { client: talk({ client: `${CLIENT}:80` }) },
      'pass: 4 packets to the server: 4 by client [client 1 3 4 7]',
    ],
    [
      'of a client that the topology does not know',
      'never: be2',
      { eth0: talk({ client: '192.0.2.9' }) },
      'pass: 4 packets to the server: 4 by eth0. 4 packets to the client: 4 by eth0 [eth0 1 2 3 4 5 6 7 8]',
    ],
  ];
  test.each(rows)('%s: %s', async (_, said, captures, line) => {
    expect(lineOf(await judgedRound({ lab: 'nat', captures }, `- path: { ${said} }`))).toBe(line);
  });

  test('of many paths four are shown, those that most packets took first', async () => {
    const points = ['client', 'eth0', 'eth1', 'be1', 'be2'];
    const seenAt = (name: string) =>
      points.flatMap((first, path) =>
        // As many packets as the path's place in the list, each seen from `first` on.
        points.indexOf(name) < points.indexOf(first)
          ? []
          : Array.from({ length: path + 1 }, (_, index) =>
              talk({
                client: `${CLIENT}:${42_000 + 10 * path + index}`,
                at: points.indexOf(name),
                packets: [1],
              }),
            ).flat(),
      );
    const captures = Object.fromEntries(points.map((name) => [name, seenAt(name)]));
    const check = await judgedRound({ lab: 'nat', captures }, '- path: { to-server: [be2] }');
    expect(check.observed).toBe(
      '15 packets to the server: 5 by be2; 4 by be1, be2; 3 by eth1, be1, be2; 2 by eth0, eth1, be1, be2',
    );
  });

  test('that one interface takes in and sends on pass it once, in words, and twice where it is said twice', async () => {
    const checks = await judged(
      'dsr',
      '- path: { to-server: [client, lb, lb, backends] }\n- path: { to-server: [client, client, lb] }',
    );
    expect(checks.map(({ status }) => status)).toEqual(['pass', 'fail']);
    expect(checks[0]!.observed).toMatch(
      /^\d+ packets to the server: \d+ by client, lb, backend2?; \d+ by client, lb, backend2?$/,
    );
  });

  test.each([
    ['to-server: [client, eth0]', 'packets to the server pass client, eth0'],
    ['to-client: [eth0], to-server: [eth1]', 'packets to the server pass eth1, to the client pass eth0'],
    ['to-server: [eth1], never: be2', 'packets to the server pass eth1, never be2'],
    ['never: [be1, be2]', 'packets either way pass never be1 or be2'],
    ['of: requests, never: be1', 'requests and answers either way pass never be1'],
  ])('%s reads: %s', async (said, sentence) => {
    expect((await judgedRound({ lab: 'nat', captures: {} }, `- path: { ${said} }`)).expected).toBe(sentence);
  });
});

describe('requests', () => {
  const outside = talk();
  const between = { client: '10.133.1.1:50001', at: 3500, step: 100 };
  const inside = talk({ ...between, server: BE1 });
  const rows: readonly (readonly [string, string, Captured, string])[] = [
    [
      'and answers, through a proxy',
      'to-server: [client, eth0, eth1, be1], to-client: [be1, eth1, eth0, client]',
      {
        client: outside,
        eth0: talk({ at: 1, step: 999.7 }),
        eth1: inside,
        be1: talk({ ...between, at: 3501, step: 99.7, server: BE1 }),
      },
      'pass: 1 message to the server: 1 by client, eth0, eth1, be1. 1 message to the client: 1 by be1, eth1, eth0, client [be1 4 5] [client 4 5] [eth0 4 5] [eth1 4 5]',
    ],
    [
      'on the balancer alone',
      'to-server: [eth0, eth1]',
      { eth0: outside, eth1: inside },
      'pass: 1 message to the server: 1 by eth0, eth1 [eth0 4] [eth1 4]',
    ],
    [
      'at its ends',
      'to-server: [client, be1]',
      { client: outside, be1: inside },
      'pass: 1 message to the server: 1 by client, be1 [be1 4] [client 4]',
    ],
    [
      'at its ends and outside',
      'to-server: [client, be1]',
      { client: outside, eth0: outside, be1: inside },
      'pass: 1 message to the server: 1 by eth0, client, be1 [be1 4] [client 4] [eth0 4]',
    ],
    [
      'at its ends and inside',
      'to-server: [client, be1]',
      { client: outside, eth1: inside, be1: inside },
      'pass: 1 message to the server: 1 by client, eth1, be1 [be1 4] [client 4] [eth1 4]',
    ],
    [
      'without an answer',
      'never: be2',
      { client: talk({ packets: [1, 2, 3, 4] }) },
      'unknown: no message to the client was captured at be2',
    ],
    [
      'at one place',
      'never: be2',
      { client: outside },
      'pass: 1 message to the server: 1 by client. 1 message to the client: 1 by client [client 4 5]',
    ],
  ];
  test.each(rows)('%s: %s', async (_, said, captures, line) => {
    expect(lineOf(await judgedRound({ lab: 'l7', captures }, `- path: { of: requests, ${said} }`))).toBe(
      line,
    );
  });

  /** Two alike under way together: one to be1, the other to be2. */
  const second = { client: `${CLIENT}:40002` };
  const toBe2 = { ...between, client: '10.133.1.1:50002', server: BE2 };

  test('alike and at once are told apart', async () => {
    const captures = {
      client: [...outside, ...talk({ ...second, at: 10 })],
      eth0: [...talk({ at: 1 }), ...talk({ ...second, at: 11 })],
      eth1: [...inside, ...talk({ ...toBe2, at: 3505 })],
      be1: talk({ ...between, server: BE1, at: 3520 }),
      be2: talk({ ...toBe2, at: 3525 }),
    };
    const said = '- path: { of: requests, to-server: [client, eth0, eth1, backends] }';
    expect((await judgedRound({ lab: 'l7', captures }, said)).observed).toBe(
      '2 messages to the server: 1 by client, eth0, eth1, be1; 1 by client, eth0, eth1, be2',
    );
  });

  test.each([
    ['another waits inside', second],
    ['another client waits for another server', { client: '192.168.11.105:40002', server: '10.133.1.1' }],
  ])('that come while %s are not what that one asked for', async (_, next) => {
    const captures = {
      eth0: [...outside, ...talk({ ...next, at: 850 })],
      eth1: [...inside, ...talk({ ...toBe2, at: 3750 })],
    };
    const said = '- path: { of: requests, to-server: [eth0, eth1] }';
    expect(lineOf(await judgedRound({ lab: 'l7', captures }, said))).toBe(
      'pass: 2 messages to the server: 2 by eth0, eth1 [eth0 7 8] [eth1 5 10]',
    );
  });

  test('that are passed on as they are keep out of those that a proxy asks', async () => {
    const captures = {
      eth0: [...outside, ...talk({ ...second, at: 10 })],
      // The first one's own connection, with another source; the second's is a new one.
      eth1: [...talk({ client: '10.133.1.1:40001', server: BE1, at: 20 }), ...talk({ ...toBe2, at: 3500 })],
    };
    const said = '- path: { of: requests, to-server: [eth0, eth1] }';
    expect((await judgedRound({ lab: 'l7', captures }, said)).observed).toBe(
      '2 messages to the server: 2 by eth0, eth1',
    );
  });
});
