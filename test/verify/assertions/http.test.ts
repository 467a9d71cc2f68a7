import { describe, expect, test } from 'vitest';
import { answers, asks, CLIENT, judgedRound, lineOf, logged, talk } from './made.ts';

const FORWARDED = `X-Forwarded-For: ${CLIENT}\r\n`;
/** Their requests are packets 4 and 12, their answers 5 and 13. */
const one = talk({ request: asks('/', FORWARDED) });
const plain = talk({ client: `${CLIENT}:40002`, at: 10_000, answer: answers('no', 404, 'Via: lb\r\n') });
const both = [...one, ...plain];

describe('a header', () => {
  const XFF = 'name: X-Forwarded-For';
  test.each([
    [XFF, `pass: 1 request at eth1: with ${CLIENT} [eth1 4]`, one],
    ['name: x-forwarded-for', `pass: 1 request at eth1: with ${CLIENT} [eth1 4]`, one],
    [XFF, `fail: 2 requests at eth1: 1 with ${CLIENT}, 1 with no X-Forwarded-For [eth1 12]`, both],
    [`${XFF}, is: ${CLIENT}`, `pass: 1 request at eth1: with ${CLIENT} [eth1 4]`, one],
    [`${XFF}, is: { address: client }`, `pass: 1 request at eth1: with ${CLIENT} [eth1 4]`, one],
    [`${XFF}, is: { address: be1 }`, `fail: 1 request at eth1: with ${CLIENT} [eth1 4]`, one],
    [`${XFF}, is: { matches: "4$" }`, `pass: 1 request at eth1: with ${CLIENT} [eth1 4]`, one],
    [`${XFF}, is: { matches: "5$" }`, `fail: 1 request at eth1: with ${CLIENT} [eth1 4]`, one],
    [
      `${XFF}, absent: true`,
      `fail: 2 requests at eth1: 1 with ${CLIENT}, 1 with no X-Forwarded-For [eth1 4]`,
      both,
    ],
    [`${XFF}, absent: true`, 'pass: 1 request at eth1: with no X-Forwarded-For [eth1 4]', plain],
    ['of: response, name: Content-Length, is: 5', 'pass: 1 response at eth1: with 5 [eth1 5]', one],
    [
      'of: response, name: Via, absent: true',
      'fail: 2 responses at eth1: 1 with lb, 1 with no Via [eth1 13]',
      both,
    ],
    [
      'of: response, name: Via',
      'unknown: no HTTP response was captured at eth1',
      talk({ packets: [1, 2, 3, 4] }),
    ],
    ['name: Via', 'unknown: no HTTP request was captured at eth1', []],
    // One value, joined by commas (RFC 9110 section 5.3).
    [
      'name: A, is: "1, 2"',
      'pass: 1 request at eth1: with 1, 2 [eth1 4]',
      talk({ request: asks('/', 'A: 1\r\na: 2\r\n') }),
    ],
  ])('%s: %s', async (said, line, eth1) => {
    const round = { lab: 'l7', captures: { eth1, eth0: one } };
    expect(lineOf(await judgedRound(round, `- header: { at: eth1, ${said} }`))).toBe(line);
  });

  test('may be in what was not captured of a message', async () => {
    const eth1 = talk({ request: 'GET / HTTP/1.1\r\nHost: myapp1\r\n' });
    const of = async (said: string) =>
      lineOf(await judgedRound({ lab: 'l7', captures: { eth1 } }, `- header: { at: eth1, ${said} }`));
    expect(await of('name: Via, absent: true')).toBe('unknown: a request in eth1 was captured in part only');
    expect(await of('name: Host')).toBe('pass: 1 request at eth1: with myapp1 [eth1 4]');
  });

  test.each([
    [8192, 'pass'],
    [8193, 'unknown: a value has 8193 characters, too many to match'],
  ])('of %i characters is matched: %s', async (length, line) => {
    const eth1 = talk({ request: asks('/', `Long: ${'a'.repeat(length)}\r\n`) });
    const said = '- header: { at: eth1, name: Long, is: { matches: "a$" } }';
    expect(
      lineOf(await judgedRound({ lab: 'l7', captures: { eth1 } }, said)).replace(/pass:.*/, 'pass'),
    ).toBe(line);
  });

  test.each([
    [XFF, 'every request at eth1 has X-Forwarded-For'],
    [`${XFF}, is: 10`, 'every request at eth1 has X-Forwarded-For: 10'],
    [
      `${XFF}, is: { address: client }`,
      'every request at eth1 has X-Forwarded-For: the address of client (192.168.11.104)',
    ],
    [`${XFF}, is: { matches: "^1" }`, 'every request at eth1 has X-Forwarded-For: something that matches ^1'],
    ['of: response, name: Via, absent: true', 'no response at eth1 has Via'],
  ])('%s reads: %s', async (said, sentence) => {
    const check = await judgedRound({ lab: 'l7', captures: {} }, `- header: { at: eth1, ${said} }`);
    expect(check.expected).toBe(sentence);
  });
});

describe('a status', () => {
  const silent = talk({ client: `${CLIENT}:40003`, at: 20_000, packets: [1, 2, 3, 4] });
  test.each([
    ['is: 200', 'pass: 1 request: with 200 [client 5]', one],
    ['is: 200', 'fail: 2 requests: 1 with 200, 1 with 404 [client 13]', both],
    ['is: [200, 404]', 'pass: 2 requests: 1 with 200, 1 with 404 [client 5 13]', both],
    ['is: [2xx, 4xx]', 'pass: 2 requests: 1 with 200, 1 with 404 [client 5 13]', both],
    ['is: 2xx', 'fail: 2 requests: 1 with 200, 1 with 404 [client 13]', both],
    ['is: 404, request: 2', 'pass: 1 request: with 404 [client 13]', both],
    ['is: 200, request: 2', 'fail: 1 request: with 404 [client 13]', both],
    ['is: 200, request: 3', 'unknown: there is no request 3: 2 requests were sent', both],
    [
      'is: 200',
      'fail: 3 requests: 1 with 200, 1 with 404, 1 with no answer [client 13 17]',
      [...both, ...silent],
    ],
    // Whatever a client's machine passes on of others is not its own.
    ['is: 200', 'pass: 1 request: with 200 [client 9]', [...one, ...talk({ client: '192.0.2.9', at: 5 })]],
    // Connections on which nothing was asked are no requests.
    ['is: 200', 'unknown: no request was sent', talk({ packets: [1, 2, 3] })],
  ])('%s: %s', async (said, line, client) => {
    expect(lineOf(await judgedRound({ lab: 'l7', captures: { client } }, `- status: { ${said} }`))).toBe(
      line,
    );
  });

  test.each([
    ['is: 200', 'every request is answered with status 200'],
    ['is: [200, 404], client: client', 'every request of client is answered with status 200 or 404'],
    ['is: 2xx, request: 3', 'request 3 is answered with status 2xx'],
    ['is: 200, request: [1, 2], client: client', 'requests 1 and 2 of client are answered with status 200'],
  ])('%s reads: %s', async (said, sentence) => {
    expect((await judgedRound({ lab: 'l7', captures: {} }, `- status: { ${said} }`)).expected).toBe(sentence);
  });
});

describe("a client's log tells its requests", () => {
  const attempt = talk({ client: `${CLIENT}:40002`, at: 10_000, packets: [1] });

  test('one that got no port is the connection that nobody answered', async () => {
    const round = {
      lab: 'l7',
      captures: { client: [...one, ...attempt] },
      more: { requests: logged([40_001, 0]) },
    };
    expect(lineOf(await judgedRound(round, '- status: 200'))).toBe(
      'fail: 2 requests: 1 with 200, 1 with no answer [client 9]',
    );
    expect(lineOf(await judgedRound(round, '- status: { is: 200, request: 2 }'))).toBe(
      'fail: 1 request: with no answer [client 9]',
    );
  });

  test('one that got no port may have been sent all the same, and timed out', async () => {
    const client = [...one, ...talk({ client: `${CLIENT}:40002`, at: 10_000, packets: [1, 2, 3, 4] })];
    const round = { lab: 'l7', captures: { client }, more: { requests: logged([0, 40_001]) } };
    expect(lineOf(await judgedRound(round, '- status: 200'))).toBe(
      'fail: 2 requests: 1 with 200, 1 with no answer [client 9]',
    );
    expect(lineOf(await judgedRound(round, '- status: { is: 200, request: 2 }'))).toBe(
      'pass: 1 request: with 200 [client 5]',
    );
  });

  test('a log with nothing in it is that of a client that sent nothing', async () => {
    const round = { lab: 'l7', captures: { client: attempt }, more: { requests: [] } };
    expect(lineOf(await judgedRound(round, '- status: 200'))).toBe('unknown: no request was sent');
  });

  const ofClient2 = talk({ client: '192.168.11.105:40005', at: 30_000, answer: answers('no', 404) });

  test('a client without a log is asked for nothing where others have theirs', async () => {
    const captures = { client: one, client2: 'absent' } as const;
    const round = { lab: 'nat-two-clients', captures, more: { requests: logged([40_001]) } };
    expect(lineOf(await judgedRound(round, '- status: 200'))).toBe('pass: 1 request: with 200 [client 5]');
  });

  test('each client has a first request', async () => {
    const requests = [...logged([40_001]), ...logged([40_005], 'client2')];
    for (const more of [{}, { requests }]) {
      const round = { lab: 'nat-two-clients', captures: { client: one, client2: ofClient2 }, more };
      const of = async (said: string) => lineOf(await judgedRound(round, `- status: { ${said} }`));
      expect(await of('is: 200, request: 1, client: client')).toBe('pass: 1 request: with 200 [client 5]');
      expect(await of('is: 200, request: 1, client: client2')).toBe('fail: 1 request: with 404 [client2 5]');
      expect(await of('is: 200, request: 1')).toBe('fail: 2 requests: 1 with 200, 1 with 404 [client2 5]');
    }
  });

  test('without one they are numbered by time, wherever they left the client', async () => {
    const round = {
      lab: 'l7',
      captures: { client: plain, other: one },
      change: (topology) => ({
        ...topology,
        captures: [
          ...topology.captures,
          { ...topology.captures.find(({ name }) => name === 'client')!, name: 'other' },
        ],
      }),
    } satisfies Parameters<typeof judgedRound>[0];
    const of = async (number: number) =>
      lineOf(await judgedRound(round, `- status: { is: 200, request: ${number} }`));
    expect(await of(1)).toBe('pass: 1 request: with 200 [other 5]');
    expect(await of(2)).toBe('fail: 1 request: with 404 [client 5]');
  });
});
