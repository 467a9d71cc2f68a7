import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { BODY_LIMIT, HEADER_LIMIT, LINE_LIMIT } from '../../src/pcap/http.ts';
import type { HttpExchange } from '../../src/pcap/index.ts';
import { connections, readCapture } from '../../src/pcap/index.ts';
import type { SegmentOptions } from './build.ts';
import { pcap, segment } from './build.ts';

const CLIENT = { source: '10.0.0.1', destination: '10.0.0.2', sourcePort: 40000, destinationPort: 80 };
const SERVER = { source: '10.0.0.2', destination: '10.0.0.1', sourcePort: 80, destinationPort: 40000 };
const SEGMENT_SIZE = 50_000;

/** What each side sends, in segments; numbers in front lose or repeat them. */
async function exchanges(
  sent: string | Buffer,
  answered: string | Buffer = '',
  end = '',
): Promise<HttpExchange[]> {
  const frames = [
    segment({ ...CLIENT, flags: 'S', sequence: 100 }),
    segment({ ...SERVER, flags: 'SA', sequence: 500, acknowledgment: 101 }),
    ...segments(CLIENT, 101, 501, Buffer.from(sent as string, 'latin1')),
    ...segments(SERVER, 501, 101 + sent.length, Buffer.from(answered as string, 'latin1')),
    ...(end === ''
      ? []
      : [
          segment({
            ...SERVER,
            flags: end,
            sequence: 501 + answered.length,
            acknowledgment: 101 + sent.length,
          }),
        ]),
  ];
  return [...connections(await readCapture(pcap(frames)))[0]!.http];
}

function segments(side: SegmentOptions, sequence: number, acknowledgment: number, bytes: Buffer): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / SEGMENT_SIZE) }, (_, index) =>
    segment({
      ...side,
      flags: 'A',
      sequence: sequence + index * SEGMENT_SIZE,
      acknowledgment,
      payload: bytes.subarray(index * SEGMENT_SIZE, (index + 1) * SEGMENT_SIZE),
    }),
  );
}

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

describe('bodies', () => {
  test.each([
    ['by Content-Length', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello', '', 'hello', true],
    ['cut short', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello', '', 'hello', false],
    [
      'chunked',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nT: 1\r\n\r\n',
      '',
      'hello',
      true,
    ],
    [
      'chunked, cut short',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n',
      '',
      'hello',
      false,
    ],
    ['until the server closes', 'HTTP/1.0 200 OK\r\n\r\nhello', 'FA', 'hello', true],
    [
      'until the server closes, of which nothing was seen',
      'HTTP/1.0 200 OK\r\n\r\nhello',
      '',
      'hello',
      false,
    ],
  ])('%s', async (_, answer, end, body, complete) => {
    const [exchange] = await exchanges(GET, answer, end);
    expect(exchange!.response).toMatchObject({ body: Buffer.from(body), bodyLength: body.length, complete });
  });

  test('there is none after HEAD, with 204, with 304', async () => {
    for (const [method, status] of [
      ['HEAD', '200 OK'],
      ['GET', '204 No Content'],
      ['GET', '304 Not Modified'],
    ] as const) {
      const answer = `HTTP/1.1 ${status}\r\nContent-Length: 100\r\n\r\n`;
      const found = await exchanges(`${method} / HTTP/1.1\r\n\r\n${GET}`, answer + OK);
      expect(found.map(({ response }) => [response!.bodyLength, response!.complete])).toEqual([
        [0, true],
        [2, true],
      ]);
    }
  });

  test('are left compressed', async () => {
    const body = gzipSync('hello hello hello');
    const head = `HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${body.length}\r\n\r\n`;
    const [exchange] = await exchanges(GET, Buffer.concat([Buffer.from(head), body]));
    expect(exchange!.response!.body).toEqual(body);
  });

  test('are kept up to a limit, and counted and digested whole', async () => {
    const body = 'x'.repeat(BODY_LIMIT + 5);
    const [exchange] = await exchanges(
      GET,
      `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    expect(exchange!.response).toMatchObject({ bodyLength: body.length, complete: true });
    expect(exchange!.response!.body).toHaveLength(BODY_LIMIT);
    expect(exchange!.response!.bodyDigest).toMatch(/^[0-9a-f]{40}$/);
  });
});

describe('one connection', () => {
  test('can carry requests one after the other and all at once', async () => {
    const found = await exchanges(
      GET + GET.replace('/ ', '/b ') + GET.replace('/ ', '/c '),
      OK + OK.replace('ok', 'bb') + OK.replace('ok', 'cc'),
    );
    expect(found.map(({ request, response }) => [request!.target, response!.body!.toString()])).toEqual([
      ['/', 'ok'],
      ['/b', 'bb'],
      ['/c', 'cc'],
    ]);
  });

  test('has answers to its requests, and interim answers are none', async () => {
    const post = 'POST /form HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\na=b';
    const found = await exchanges(
      post,
      `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${OK}`,
    );
    expect(found).toMatchObject([
      { request: { method: 'POST', body: Buffer.from('a=b') }, response: { status: 200 } },
    ]);
  });

  test('shows requests without answers, and answers without requests', async () => {
    expect(await exchanges(GET)).toMatchObject([{ request: { method: 'GET' }, response: undefined }]);
    expect(await exchanges('', OK)).toMatchObject([{ request: undefined, response: { status: 200 } }]);
  });

  test('has none of HTTP after CONNECT', async () => {
    const found = await exchanges(
      'CONNECT a:443 HTTP/1.1\r\n\r\n',
      `HTTP/1.1 200 OK\r\n\r\n\x16\x03\x01HTTP/1.1 200 OK\r\n`,
    );
    expect(found).toMatchObject([{ response: { status: 200, bodyLength: 0 } }]);
    expect(found).toHaveLength(1);
  });

  test('that speaks something else has no requests', async () => {
    expect(await exchanges('SSH-2.0-OpenSSH\r\n', 'SSH-2.0-OpenSSH\r\n')).toEqual([]);
    expect(await exchanges(Buffer.from('160301020001000001fc0303', 'hex'))).toEqual([]);
  });
});

describe('segments', () => {
  const parts = [GET.slice(0, 3), GET.slice(3, 20), GET.slice(20)];
  const at = (index: number) => 101 + parts.slice(0, index).join('').length;
  const part = (index: number) =>
    segment({ ...CLIENT, flags: 'A', sequence: at(index), acknowledgment: 1, payload: parts[index]! });
  const syn = segment({ ...CLIENT, flags: 'S', sequence: 100 });
  const requests = async (...frames: readonly Buffer[]) =>
    connections(await readCapture(pcap([syn, ...frames])))[0]!.http.map(({ request }) => request!);

  test('may cut lines anywhere, come out of order and twice', async () => {
    expect(await requests(part(0), part(1), part(2))).toMatchObject([
      { method: 'GET', packets: [2, 3, 4], complete: true },
    ]);
    expect(await requests(part(2), part(0), part(0), part(1))).toMatchObject([
      { method: 'GET', packets: [3, 5, 2] },
    ]);
  });

  test('may overlap: what came first counts', async () => {
    const longer = segment({
      ...CLIENT,
      flags: 'A',
      sequence: 101,
      acknowledgment: 1,
      payload: GET.slice(0, 10).replace('G', 'X'),
    });
    expect(await requests(part(0), longer, part(1), part(2))).toMatchObject([
      { method: 'GET', packets: [2, 3, 4, 5] },
    ]);
  });

  test('that are missing end a message, and the next one starts anew', async () => {
    const next = segment({
      ...CLIENT,
      flags: 'A',
      sequence: 101 + GET.length,
      acknowledgment: 1,
      payload: GET.replace('/', '/next'),
    });
    const found = await requests(part(0), part(1), next);
    expect(found.map(({ target, complete }) => [target, complete])).toEqual([
      ['/', false],
      ['/next', true],
    ]);
  });

  test('go on over the end of sequence numbers', async () => {
    const start = { ...CLIENT, flags: 'S', sequence: 0xffff_fff0 };
    const first = {
      ...CLIENT,
      flags: 'A',
      sequence: 0xffff_fff1,
      acknowledgment: 1,
      payload: GET.slice(0, 20),
    };
    const second = { ...first, sequence: (0xffff_fff1 + 20) >>> 0, payload: GET.slice(20) };
    const [connection] = connections(await readCapture(pcap([start, first, second].map(segment))));
    expect(connection!.http).toMatchObject([{ request: { complete: true, packets: [2, 3] } }]);
    expect(connection!.analysis).toEqual({});
  });
});

describe('headers', () => {
  test('are given as sent: case, order, repetition, bytes', async () => {
    const [exchange] = await exchanges(
      'GET / HTTP/1.1\r\nhOST:a\r\nX: \x1b[31m\0\xe9\t \r\nX:2\r\nno colon\r\n\r\n',
    );
    expect(exchange!.request!.headers).toEqual([
      ['hOST', 'a'],
      ['X', '\x1b[31m\0\xe9'],
      ['X', '2'],
      ['no colon', ''],
    ]);
  });

  test('may end in bare line feeds', async () => {
    const [exchange] = await exchanges('GET / HTTP/1.1\nHost: a\n\n');
    expect(exchange!.request).toMatchObject({ headers: [['Host', 'a']], complete: true });
  });

  test('are limited in length of line and in all', async () => {
    const fitting = 'x'.repeat(LINE_LIMIT - 10);
    const [exchange] = await exchanges(`GET / HTTP/1.1\r\nX: ${fitting}\r\n\r\n`);
    expect(exchange!.request!.headers).toEqual([['X', fitting]]);
    const [tooLong] = await exchanges(`GET / HTTP/1.1\r\nX: ${'x'.repeat(1_000_000)}\r\n\r\n`);
    expect(tooLong!.request).toMatchObject({ headers: [], complete: false });
    const many = await exchanges(`GET / HTTP/1.1\r\n${`X: ${'x'.repeat(1000)}\r\n`.repeat(1000)}\r\n`);
    expect(many[0]!.request!.complete).toBe(false);
    expect(many[0]!.request!.headers.length).toBeLessThanOrEqual(Math.ceil(HEADER_LIMIT / 1000));
  });
});
