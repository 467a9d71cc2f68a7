import { expect, test } from 'vitest';
import { judged } from './labs.ts';
import { BE1, CLIENT, judgedRound, lineOf, talk } from './made.ts';

const TO_SERVER = [1, 3, 4, 7];
const TO_CLIENT = [2, 5, 6, 8];

/** A balancer that takes 100 µs for what goes to the server, and twice that for what comes back. */
const eth0 = talk();
const eth1 = [
  ...talk({ server: BE1, at: 100, packets: TO_SERVER }),
  ...talk({ server: BE1, at: -200, packets: TO_CLIENT }),
];
/** Captured there alone. */
const stray = (server: string) => talk({ client: `${CLIENT}:40002`, server, at: 50_000, packets: [1] });

const THERE = '4 packets: median 100 µs, 100 µs to 100 µs';
const BACK = '4 packets: median 200 µs, 200 µs to 200 µs';
const BOTH = '8 packets: median 100 µs, 100 µs to 200 µs';
const ALL = '[eth0 1 2 3 4 5 6 7 8] [eth1 1 2 3 4 5 6 7 8]';

test.each([
  ['max: 100us, way: to-server', `pass: ${THERE} [eth0 1 3 4 7] [eth1 1 3 4 7]`],
  ['max: 200us, way: to-client', `pass: ${BACK} [eth0 2 5 6 8] [eth1 2 5 6 8]`],
  ['max: 200us', `pass: ${BOTH} ${ALL}`],
  ['max: 199us', `fail: ${BOTH} [eth0 2 5 6 8] [eth1 2 5 6 8]`],
  ['min: 100us', `pass: ${BOTH} ${ALL}`],
  ['min: 101us', `fail: ${BOTH} [eth0 1 3 4 7] [eth1 1 3 4 7]`],
  ['median: 100us', `pass: ${BOTH} ${ALL}`],
  ['median: 99us', `fail: ${BOTH} ${ALL}`],
])('%s: %s', async (said, line) => {
  const captures = { eth0, eth1 };
  for (const where of ['', 'from: eth0, to: eth1, '])
    expect(lineOf(await judgedRound({ lab: 'nat', captures }, `- latency: { ${where}${said} }`))).toBe(line);
});

const EIGHT = { eth0, eth1: talk({ server: BE1 }) };

test.each([
  ['at one time', EIGHT, `pass: 8 packets: median 0 ns, 0 ns to 0 ns ${ALL}`],
  [
    'at one of the places only',
    { eth0, eth1: talk({ server: BE1, packets: [1, 2] }) },
    'pass: 2 packets: median 0 ns, 0 ns to 0 ns [eth0 1 2] [eth1 1 2]',
  ],
  [
    'nobody knows from where',
    { eth0, eth1: [...EIGHT.eth1, ...stray(BE1)] },
    `pass: 8 packets: median 0 ns, 0 ns to 0 ns ${ALL}`,
  ],
  // What leaves before it comes did not pass.
  [
    'the other way about',
    { eth0, eth1: talk({ server: BE1, at: -10, packets: TO_SERVER }) },
    'unknown: no packet was captured both at eth0 and at eth1',
  ],
  ['nowhere else', { eth0, eth1: stray(BE1) }, 'unknown: no packet was captured both at eth0 and at eth1'],
  [
    'where packets were dropped',
    { eth0: 'not whole' as const, eth1 },
    'unknown: the capture eth0 is not whole: packets were dropped',
  ],
])('packets seen %s', async (_, captures, line) => {
  expect(
    lineOf(await judgedRound({ lab: 'nat', captures }, '- latency: { from: eth0, to: eth1, max: 1s }')),
  ).toBe(line);
});

test('a balancer with nothing captured on one of its sides', async () => {
  const captures = { eth0: 'absent', eth1 } as const;
  expect(lineOf(await judgedRound({ lab: 'nat', captures }, '- latency: { max: 1s }'))).toBe(
    "unknown: nothing was captured on the balancer's outside",
  );
});

test("through a proxy it is the request's, and its answer's", async () => {
  // The request comes at 3 ms and leaves at 3.8; the answer comes at 3.9 and leaves at 4.
  const inside = talk({ client: '10.133.1.1:50001', server: BE1, at: 3500, step: 100 });
  const check = await judgedRound({ lab: 'l7', captures: { eth0, eth1: inside } }, '- latency: { max: 1s }');
  expect(lineOf(check)).toBe('pass: 2 messages: median 100 µs, 100 µs to 800 µs [eth0 4 5] [eth1 4 5]');
  const toServer = await judgedRound(
    { lab: 'l7', captures: { eth0, eth1: inside } },
    '- latency: { max: 1s, way: to-server }',
  );
  expect(lineOf(toServer)).toBe('pass: 1 message: median 800 µs, 800 µs to 800 µs [eth0 4] [eth1 4]');
});

test('a director with one interface has each packet twice', async () => {
  const [check] = await judged('dsr', '- latency: { min: 0.001us, max: 900ms, way: to-server }');
  expect(check!.status).toBe('pass');
});

test.each([
  ['max: 5ms, way: to-server', 'packets to the server take at most 5.00 ms each through the balancer'],
  [
    'from: eth0, to: eth1, median: 1ms, max: 20ms, min: 10us',
    'packets take a median of at most 1.00 ms, at most 20.0 ms each and at least 10.0 µs each between eth0 and eth1',
  ],
])('%s reads: %s', async (said, sentence) => {
  expect((await judgedRound({ lab: 'nat', captures: {} }, `- latency: { ${said} }`)).expected).toBe(sentence);
});
