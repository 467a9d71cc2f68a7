// HTTP/1 messages where they begin and end: start lines, limits, framing, gaps, and the packets they take.
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { HttpExchange, HttpMessage } from '../../src/pcap/http.ts';
import { BODY_LIMIT, HEADER_LIMIT, LINE_LIMIT, readExchanges } from '../../src/pcap/http.ts';
import { readCapture } from '../../src/pcap/index.ts';
import type { Piece } from '../../src/pcap/stream.ts';
import { reassemble } from '../../src/pcap/stream.ts';
import { pcap, segment } from './build.ts';

const SECOND = 1_000_000_000n;
const MOST = 100;

/** A direction's segments, captured one a second from 1 s on, in the opposite order where told; a number is a gap of so many bytes. */
async function direction(parts: readonly (string | number)[], isBackwards = false): Promise<Piece[]> {
  let sequence = 1;
  const frames: Buffer[] = [];
  for (const part of parts) {
    if (typeof part === 'string')
      frames.push(segment({ flags: 'A', sequence, payload: Buffer.from(part, 'latin1') }));
    sequence += typeof part === 'string' ? part.length : part;
  }
  if (isBackwards) frames.reverse();
  const records = frames.map((frame, index) => ({ frame, time: BigInt(index + 1) * SECOND }));
  return reassemble((await readCapture(pcap(records))).packets, 0);
}

async function requests(...parts: readonly (string | number)[]): Promise<HttpMessage[]> {
  return readExchanges(await direction(parts), [], false, MOST).map(({ request }) => request!);
}

/** Answers to requests of these methods. */
async function answers(
  methods: readonly string[],
  parts: readonly (string | number)[],
  isClosed = false,
): Promise<HttpMessage[]> {
  const sent = methods.map((method) => `${method} / HTTP/1.1\r\n\r\n`);
  const found = readExchanges(await direction(sent), await direction(parts), isClosed, MOST);
  return found.flatMap(({ response }) => response ?? []);
}

const bodyOf = ({ body, complete }: HttpMessage): string =>
  `${body === undefined ? 'none' : Buffer.from(body).toString()}${complete ? '' : '...'}`;

const NEXT = 'GET /next HTTP/1.1\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

describe('a request begins', () => {
  test.each<[string, readonly (string | number)[], readonly string[]]>([
    ['with a version of 1', ['GET / HTTP/1.0\r\n\r\n', NEXT], ['/', '/next']],
    ['not with another version', ['GET / HTTP/1.2\r\n\r\n', NEXT], ['/next']],
    ['not with two parts', ['GET /\r\n\r\n', NEXT], ['/next']],
    ['not with words of another protocol', ['EHLO a\r\n', NEXT], ['/next']],
    ['with any method that is registered', ['VERSION-CONTROL / HTTP/1.1\r\n\r\n'], ['/']],
    ['with a method of many letters', ['UPDATEREDIRECTREF / HTTP/1.1\r\n\r\n'], ['/']],
    ['after empty lines', [`\r\n\n${NEXT}`], ['/next']],
    ['after segments of empty lines', ['\r\n', `\r\n${NEXT}`], ['/next']],
    ['in a packet after something unknown without a line end', ['\x16\x03\x01', NEXT], ['/next']],
    ['in the packet after a line that is none', [`GET nothing\r\n${NEXT}`, NEXT], ['/next']],
    ['after a gap in a start line', ['GET / HT', 5, NEXT], ['/next']],
    ['after a gap between requests', [NEXT.replace('next', '1'), 9, NEXT], ['/1', '/next']],
    ['after a gap, behind what is left of a line', ['GET /', 5, '.1\r\n\r\n', NEXT], ['/next']],
    ['where a segment has but its first letters', ['G', 'ET /cut HT', 'TP/1.1\r\n\r\n'], ['/cut']],
  ])('%s', async (_, parts, targets) => {
    expect((await requests(...parts)).map(({ target }) => target)).toEqual(targets);
  });
});

test('a start line has a method, a target and a version, or a version, a status and a reason', async () => {
  expect(await requests('DELETE /a?b=c HTTP/1.0\r\n\r\n')).toMatchObject([
    { startLine: 'DELETE /a?b=c HTTP/1.0', method: 'DELETE', target: '/a?b=c', version: 'HTTP/1.0' },
  ]);
  expect(await answers([], ['HTTP/1.0 404 Not Found\r\n\r\n'])).toMatchObject([
    { startLine: 'HTTP/1.0 404 Not Found', version: 'HTTP/1.0', status: 404, reason: 'Not Found' },
  ]);
});

describe('an answer begins', () => {
  test.each<[string, readonly (string | number)[], readonly (readonly [number, string])[]]>([
    ['with a reason', ['HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n'], [[404, 'Not Found']]],
    ['without a reason', ['HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n'], [[404, '']]],
    ['with an empty reason', ['HTTP/1.0 404 \r\nContent-Length: 0\r\n\r\n'], [[404, '']]],
    ['not with a status of two digits', ['HTTP/1.1 20 OK\r\n\r\n', OK], [[200, 'OK']]],
    ['not with another version', ['HTTP/2 200\r\n\r\n', OK], [[200, 'OK']]],
    ['after segments of empty lines', ['\r\n', `\r\n${OK}`], [[200, 'OK']]],
    ['in a packet after something unknown without a line end', ['\x16\x03\x01', OK], [[200, 'OK']]],
    ['where a segment has but its first letters', ['HT', 'TP/1.1 200 OK\r\n\r\n'], [[200, 'OK']]],
    ['after interim answers', ['HTTP/1.1 100 Continue\r\n\r\n', 'HTTP/1.1 199 X\r\n\r\n', OK], [[200, 'OK']]],
    ['with another protocol', ['HTTP/1.1 101 Switching Protocols\r\n\r\n'], [[101, 'Switching Protocols']]],
  ])('%s', async (_, parts, expected) => {
    const found = await answers([], parts);
    expect(found.map(({ status, reason }) => [status, reason])).toEqual(expected);
  });
});

describe('an answer has a body', () => {
  const at = (status: number, headers: string) => `HTTP/1.1 ${status} X\r\n${headers}\r\n`;
  test.each<[string, string, readonly (string | number)[], readonly string[]]>([
    ['of one byte', 'GET', [`${at(200, 'Content-Length: 1\r\n')}a${OK}`], ['a', 'ok']],
    ['of no bytes', 'GET', [at(200, 'Content-Length: 0\r\n')], ['none']],
    [
      'of the length said, in several packets',
      'GET',
      [at(200, 'Content-Length: 4\r\n'), 'ab', 'cd', OK],
      ['abcd', 'ok'],
    ],
    ['that a gap cuts short', 'GET', [at(200, 'Content-Length: 9\r\n'), 'ab', 5, 'cd', OK], ['ab...', 'ok']],
    ['not with 101', 'GET', [`${at(101, 'Content-Length: 2\r\n')}ab`], ['none']],
    ['not where it is interim', 'GET', [`${at(103, 'Content-Length: 2\r\n')}${OK}`], ['ok']],
    ['not with 204', 'GET', [at(204, 'Content-Length: 2\r\n') + OK], ['none', 'ok']],
    ['not with 304', 'GET', [at(304, 'Content-Length: 2\r\n') + OK], ['none', 'ok']],
    ['with 205 and 303', 'GET', [OK.replace('200', '205') + OK.replace('200', '303')], ['ok', 'ok']],
    ['not after HEAD', 'HEAD', [at(200, 'Content-Length: 2\r\n') + OK], ['none', 'ok']],
    ['not where a tunnel begins', 'CONNECT', [at(299, 'Content-Length: 2\r\n') + OK, OK], ['none']],
    ['where no tunnel begins', 'CONNECT', [OK.replace('200', '300') + OK], ['ok', 'ok']],
    ['of a length in letters until the close', 'GET', [`${at(200, 'Content-Length: x\r\n')}abc`], ['abc...']],
    [
      'of a length that is no number until the close',
      'GET',
      [`${at(200, `Content-Length: ${'1'.repeat(16)}\r\n`)}abc`],
      ['abc...'],
    ],
    [
      'with a coding that is not chunked until the close',
      'GET',
      [`${at(200, 'Content-Length: 2\r\nTransfer-Encoding: chunked, gzip\r\n')}abc`],
      ['abc...'],
    ],
    [
      'in chunks, whatever length is said',
      'GET',
      [`${at(200, 'Content-Length: 9\r\nTransfer-Encoding: gzip, Chunked \r\n')}2\r\nab\r\n0\r\n\r\n${OK}`],
      ['ab', 'ok'],
    ],
  ])('%s', async (_, method, parts, expected) => {
    expect((await answers([method, 'GET'], parts)).map(bodyOf)).toEqual(expected);
  });

  test('until the close, unless something is missing', async () => {
    expect((await answers(['GET'], [at(200, ''), 'ab', 'cd'], true)).map(bodyOf)).toEqual(['abcd']);
    expect((await answers(['GET'], [at(200, ''), 'ab', 1, 'cd'], true)).map(bodyOf)).toEqual(['ab...']);
  });
});

describe('chunks', () => {
  const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
  test.each<[string, readonly (string | number)[], string]>([
    ['have a length in hexadecimal', [`1A\r\n${'x'.repeat(26)}\r\n0\r\n\r\n`], 'x'.repeat(26)],
    ['may be cut anywhere', ['2', '\r', '\na', 'b\r', '\n0', '\r\n\r', '\n'], 'ab'],
    ['may be followed by trailers', ['2\r\nab\r\n0\r\nA: 1\r\nB: 2\r\n\r\n'], 'ab'],
    ['that are cut short', ['9\r\nab'], 'ab...'],
    ['that are longer than said', ['2\r\nabc\r\n0\r\n\r\n'], 'ab...'],
    ['without the last', ['2\r\nab\r\n'], 'ab...'],
    ['without the end of the trailers', ['2\r\nab\r\n0\r\nA: 1\r\n'], 'ab...'],
    ['without a length', ['\r\nab\r\n0\r\n\r\n'], 'none...'],
    ['that lack a part', ['9\r\nab', 7, '\r\n0\r\n\r\n'], 'ab...'],
  ])('%s', async (_, parts, body) => {
    expect((await answers(['GET'], [CHUNKED, ...parts])).map(bodyOf)).toEqual([body]);
  });
});

describe('headers', () => {
  const headersOf = async (...parts: readonly (string | number)[]) =>
    (await requests(...parts)).map(({ headers, complete }) => ({ headers, complete }));

  test.each<[string, readonly (string | number)[], readonly (readonly string[])[], boolean]>([
    ['with their line ends cut', ['GET / HTTP/1.1\r', '\nA: 1\r', '\n\r', '\n'], [['A', '1']], true],
    ['without an empty line', ['GET / HTTP/1.1\r\nA: 1\r\n'], [['A', '1']], false],
    ['without a line end', ['GET / HTTP/1.1\r\nA: 1\r\nB: 2'], [['A', '1']], false],
    ['with a gap', ['GET / HTTP/1.1\r\nA: 1\r\n', 4, '\r\n'], [['A', '1']], false],
    ['without a name', ['GET / HTTP/1.1\r\n:1\r\n\r\n'], [['', '1']], true],
    ['with blanks alone', ['GET / HTTP/1.1\r\nA: \t \r\n\r\n'], [['A', '']], true],
    ['with blanks inside', ['GET / HTTP/1.1\r\nA: \t! b!\t \r\n\r\n'], [['A', '! b!']], true],
  ])('%s', async (_, parts, headers, complete) => {
    expect(await headersOf(...parts)).toEqual([{ headers, complete }]);
  });

  /** Two segments: one packet does not hold 64 KiB. */
  const halves = (text: string, at = text.length >> 1) => [text.slice(0, at), text.slice(at)];

  test('may have lines of the limit, with the carriage return, and no longer ones', async () => {
    const value = 'x'.repeat(LINE_LIMIT - 'A:\r'.length);
    const start = 'GET / HTTP/1.1\r\n';
    expect(await headersOf(start, ...halves(`A:${value}\r\n\r\n`))).toEqual([
      { headers: [['A', value]], complete: true },
    ]);
    expect(await headersOf(start, ...halves(`A:${value}\r`), '\n\r\n')).toEqual([
      { headers: [['A', value]], complete: true },
    ]);
    expect(await headersOf(start, ...halves(`A:${value}x\r\n\r\n`), NEXT)).toEqual([
      { headers: [], complete: false },
      { headers: [], complete: true },
    ]);
  });

  test('may have as many bytes as the limit in all, with the start line, and no more', async () => {
    const start = 'GET / HTTP/1.1\r\n';
    const line = `A: ${'x'.repeat(995)}\r\n`;
    const lines = Array.from({ length: Math.floor((HEADER_LIMIT - start.length) / line.length) }, () => line);
    const left = HEADER_LIMIT - start.length - lines.length * line.length;
    const of = (last: number) => [start, ...lines, `B:${'x'.repeat(last - 'B:\r\n'.length)}\r\n`, '\r\n'];
    const whole = await headersOf(...of(left));
    expect(whole.map(({ headers, complete }) => [headers.length, complete])).toEqual([
      [lines.length + 1, true],
    ]);
    const more = await headersOf(...of(left + 1));
    expect(more.map(({ headers, complete }) => [headers.length, complete])).toEqual([
      [lines.length + 1, false],
    ]);
  });
});

describe('a message takes', () => {
  test('packets, each named once, and the time from its first byte to the last of them', async () => {
    const found = await requests('POST / HTTP/1.1\r\nA: 1\r\nContent-Length: 4\r\n\r\n', 'ab', `cd${NEXT}`);
    expect(found.map(({ packets, firstTime, lastTime }) => [packets, firstTime, lastTime])).toEqual([
      [[1, 2, 3], 1n * SECOND, 3n * SECOND],
      [[3], 3n * SECOND, 3n * SECOND],
    ]);
  });

  test('packets that come out of order, of which the latest ends it', async () => {
    const pieces = await direction(['GET / HTT', 'P/1.1\r\n', '\r\n', NEXT], true);
    const found = readExchanges(pieces, [], false, MOST).map(({ request }) => request!);
    expect(found.map(({ packets, firstTime, lastTime }) => [packets, firstTime, lastTime])).toEqual([
      [[4, 3, 2], 4n * SECOND, 4n * SECOND],
      [[1], 1n * SECOND, 1n * SECOND],
    ]);
  });

  test('a body, of which the digest counts what is no longer kept', async () => {
    // The last byte that is kept comes with others that are not.
    const sizes = [2 ** 15 - 1, ...Array.from({ length: BODY_LIMIT / 2 ** 15 + 1 }, () => 2 ** 15)];
    const body = sizes.map((size, index) => String(index % 10).repeat(size));
    const length = `Content-Length: ${BODY_LIMIT + 2 ** 16 - 1}`;
    const [answer] = await answers(['GET'], [`HTTP/1.1 200 OK\r\n${length}\r\n\r\n`, ...body]);
    const whole = Buffer.from(body.join(''));
    expect(answer).toMatchObject({ bodyLength: BODY_LIMIT + 2 ** 16 - 1, complete: true });
    expect(Buffer.compare(answer!.body!, whole.subarray(0, BODY_LIMIT))).toBe(0);
    expect(answer!.bodyDigest).toBe(createHash('sha1').update(whole).digest('hex'));
  });
});

test('limits are 64 KiB a line, 256 KiB of headers, and 1 MiB of a body that is kept', () => {
  expect([LINE_LIMIT, HEADER_LIMIT, BODY_LIMIT]).toEqual([65_536, 262_144, 1_048_576]);
});

test('no more messages are read than asked for in each direction', async () => {
  const [sent, answered] = [await direction([NEXT.repeat(3)]), await direction([OK.repeat(3)])];
  const pairs = (found: readonly HttpExchange[]) =>
    found.map(({ request, response }) => [request?.target, response?.status]);
  expect(pairs(readExchanges(sent, answered, false, 0))).toEqual([]);
  expect(pairs(readExchanges(sent, answered, false, 2))).toEqual([
    ['/next', 200],
    ['/next', 200],
  ]);
  expect(pairs(readExchanges(sent, answered.slice(0, 0), false, 1))).toEqual([['/next', undefined]]);
});
