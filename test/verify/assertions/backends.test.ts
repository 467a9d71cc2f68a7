import { describe, expect, test } from 'vitest';
import { answers, asks, BE1, BE2, CLIENT, judgedRound, lineOf, talk, type Captured } from './made.ts';
import { judged } from './labs.ts';

/** A request whose answer names nobody, its request at 3 ms and the answer at 4 ms. */
const outside = talk();
/** What a proxy asks in between, on a connection of its own. */
const between = { client: '10.133.1.1:50001', at: 3500, step: 100 };
const inside = talk({ ...between, server: BE1 });

describe('which backend served a request', () => {
  const rows: readonly (readonly [what: string, lab: string, captures: Captured, line: string])[] = [
    [
      'at the backend itself',
      'nat',
      { client: outside, be1: talk({ server: BE1 }) },
      'pass: 1 request: by be1 [client 5]',
    ],
    // The balancer's outside and the client have the connection too, to the VIP.
    [
      'on its way there',
      'nat',
      { client: outside, eth0: outside, eth1: talk({ server: BE1 }), be1: 'absent', be2: 'absent' },
      'pass: 1 request: by be1 [client 5]',
    ],
    [
      'at another backend',
      'nat',
      { client: outside, be2: talk({ server: BE2 }) },
      'fail: 1 request: by be2 [client 5]',
    ],
    [
      'at a backend that has the VIP',
      'dsr',
      { client: outside, backend: outside },
      'pass: 1 request: by be1 [client 5]',
    ],
    [
      'nowhere, as the capture is not whole',
      'nat',
      { client: outside, be1: 'not whole' },
      'unknown: nothing tells which backend served request 1 of client',
    ],
    ['behind a proxy', 'l7', { client: outside, be1: inside }, 'pass: 1 request: by be1 [client 5]'],
    [
      'on the way from a proxy',
      'l7',
      { client: outside, eth0: outside, eth1: inside },
      'pass: 1 request: by be1 [client 5]',
    ],
    [
      'behind a proxy that gave an answer of its own',
      'l7',
      { client: talk({ answer: answers('sorry', 502) }), be1: inside },
      'fail: 1 request: by nobody (HTTP 502) [client 5]',
    ],
    // One was asked and is silent, the other gave such an answer: only a name in it would tell.
    [
      'at two backends',
      'l7',
      {
        client: outside,
        be1: talk({ ...between, at: 3100, step: 10, server: BE1, packets: [1, 2, 3, 4] }),
        be2: talk({ ...between, client: '10.133.1.1:50002', server: BE2 }),
      },
      'unknown: nothing tells which backend served request 1 of client',
    ],
    [
      'in the answer',
      'l7',
      { client: talk({ answer: answers('be1\nand more') }) },
      'pass: 1 request: by be1 [client 5]',
    ],
    [
      'in another answer',
      'l7',
      { client: talk({ answer: answers('be2') }) },
      'fail: 1 request: by be2 [client 5]',
    ],
    ['nowhere', 'l7', { client: outside }, 'unknown: nothing tells which backend served request 1 of client'],
    [
      'nowhere, and the answer has no body',
      'l7',
      { client: talk({ answer: 'HTTP/1.1 204 X\r\n\r\n' }) },
      'unknown: nothing tells which backend served request 1 of client',
    ],
    [
      'nowhere: 499',
      'l7',
      { client: talk({ answer: answers('no', 499) }) },
      'unknown: nothing tells which backend served request 1 of client',
    ],
    [
      'nowhere: 500',
      'l7',
      { client: talk({ answer: answers('no', 500) }) },
      'fail: 1 request: by nobody (HTTP 500) [client 5]',
    ],
    [
      'without an answer',
      'l7',
      { client: talk({ packets: [1, 2, 3, 4] }) },
      'fail: 1 request: by nobody (no answer) [client 1]',
    ],
  ];
  test.each(rows)('is told by what was captured %s', async (_, lab, captures, line) => {
    expect(lineOf(await judgedRound({ lab, captures }, '- backend: { request: 1, is: be1 }'))).toBe(line);
  });

  test('those that another one served are shown, and else all', async () => {
    const client = [
      ...talk({ answer: answers('be1') }),
      ...talk({ client: `${CLIENT}:40002`, at: 10_000, answer: answers('be2') }),
    ];
    const of = async (is: string) =>
      lineOf(
        await judgedRound({ lab: 'l7', captures: { client } }, `- backend: { request: all, is: ${is} }`),
      );
    expect(await of('be1')).toBe('fail: 2 requests: 1 by be1, 1 by be2 [client 13]');
    expect(await of('[be1, be2]')).toBe('pass: 2 requests: 1 by be1, 1 by be2 [client 5 13]');
  });

  test.each([
    ['request: 1, is: be1', 'request 1 is served by be1'],
    [
      'request: [1, 2], client: client, is: [be1, be2]',
      'requests 1 and 2 of client are served by be1 or be2',
    ],
  ])('%s reads: %s', async (said, sentence) => {
    const check = await judgedRound({ lab: 'nat', captures: {} }, `- backend: { ${said} }`);
    expect(check.expected).toBe(sentence);
  });
});

test('requests on one connection are each a request of its own', async () => {
  const checks = await judged('pair', '- status: 200\n- backend: { request: all, is: [be1, be2] }');
  expect(checks.map(lineOf).map((line) => line.replace(/ \[.*/, ''))).toEqual([
    'pass: 80 requests: all with 200',
    'pass: 80 requests: 59 by be1, 21 by be2',
  ]);
});

/** So many connections at a backend, each with one request; 8 packets each. */
const served = (address: string, times: number, more = {}) =>
  Array.from({ length: times }, (_, index) =>
    talk({ client: `${CLIENT}:${41_000 + index}`, server: address, at: 10_000 * index, ...more }),
  ).flat();

describe('a spread', () => {
  const twoOnOne = { request: asks() + asks(), answer: answers() + answers() };

  test.each([
    ['even', [2, 2], 'pass: 4 requests: be1 2 (50%), be2 2 (50%) [be1 1 9] [be2 1 9]'],
    ['even', [2, 1], 'pass: 3 requests: be1 2 (66.7%), be2 1 (33.3%) [be1 1 9] [be2 1]'],
    ['even', [3, 1], 'fail: 4 requests: be1 3 (75%), be2 1 (25%) [be1 1 9 17] [be2 1]'],
    [
      '{ even: true, tolerance: 25% }',
      [3, 1],
      'pass: 4 requests: be1 3 (75%), be2 1 (25%) [be1 1 9 17] [be2 1]',
    ],
    [
      '{ even: true, tolerance: 24.99% }',
      [3, 1],
      'fail: 4 requests: be1 3 (75%), be2 1 (25%) [be1 1 9 17] [be2 1]',
    ],
    ['{ be1: 75%, be2: 25% }', [3, 1], 'pass: 4 requests: be1 3 (75%), be2 1 (25%) [be1 1 9 17] [be2 1]'],
    ['{ be1: 100% }', [1, 0], 'pass: 1 request: be1 1 (100%), be2 0 (0%) [be1 1]'],
    ['{ be1: 100% }', [1, 1], 'fail: 2 requests: be1 1 (50%), be2 1 (50%) [be1 1] [be2 1]'],
    ['even', [1, 0], 'unknown: 1 request cannot spread over 2 backends'],
    ['even', [1, 1], 'pass: 2 requests: be1 1 (50%), be2 1 (50%) [be1 1] [be2 1]'],
    ['{ be1: 99.5%, be2: 0.5% }', [1, 0], 'unknown: 1 request cannot spread over 2 backends'],
    ['{ of: connections, even: true }', [0, 1], 'unknown: 1 connection cannot spread over 2 backends'],
    ['even', [0, 0], 'unknown: no SYN to port 80 was captured at a backend (be1 and be2)'],
    // Of ten 5 and 4.99 are wanted: be1 is one off, and be2 less than one.
    ['{ be1: 50%, be2: 49.9% }', [6, 4], 'fail: 10 requests: be1 6 (60%), be2 4 (40%) [be1 1 9 17 25 33 41]'],
  ])('%s of %j: %s', async (said, [one = 0, two = 0], line) => {
    const captures = { be1: served(BE1, one), be2: served(BE2, two) };
    expect(lineOf(await judgedRound({ lab: 'nat', captures }, `- spread: ${said}`))).toBe(line);
  });

  test.each([
    ['requests', 'pass: 4 requests: be1 2 (50%), be2 2 (50%) [be1 1] [be2 1 9]'],
    ['connections', 'pass: 3 connections: be1 1 (33.3%), be2 2 (66.7%) [be1 1] [be2 1 9]'],
  ])('of %s: one connection may have several requests', async (of, line) => {
    const captures = { be1: served(BE1, 1, twoOnOne), be2: served(BE2, 2) };
    expect(lineOf(await judgedRound({ lab: 'nat', captures }, `- spread: { even: true, of: ${of} }`))).toBe(
      line,
    );
  });

  test.each([
    // What backends answer counts; a request may be lost on the capture.
    [[1, 2, 3, 4], 'unknown: no backend served anything'],
    [[1, 2, 3, 5], 'unknown: no HTTP request reached a backend'],
  ])('is unknown where of each connection only packets %j were seen', async (packets, line) => {
    const captures = { be1: served(BE1, 1, { packets }), be2: served(BE2, 1, { packets }) };
    expect(lineOf(await judgedRound({ lab: 'nat', captures }, '- spread: even'))).toBe(line);
  });

  test.each([
    ['nat', 'even', 'requests spread evenly over be1 and be2'],
    ['nat-weight-zero', 'even', 'requests spread evenly over be1'],
    [
      'nat',
      '{ of: connections, be1: 66.67%, be2: 33.33%, tolerance: 0.5% }',
      'connections spread as be1 66.7% and be2 33.3%, give or take 0.5%',
    ],
  ])('in %s, %s reads: %s', async (lab, said, sentence) => {
    expect((await judgedRound({ lab, captures: {} }, `- spread: ${said}`)).expected).toBe(sentence);
  });
});
