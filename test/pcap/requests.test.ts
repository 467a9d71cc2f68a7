import { describe, expect, test } from 'vitest';
import { connections, joinRequests, joinTwins, readCapture } from '../../src/pcap/index.ts';
import type { Record } from './build.ts';
import { pcap, segment } from './build.ts';
import { at, BACKEND, CLIENT, INSIDE, VIP } from './points.ts';

/** One request and its answer on a connection of its own. */
function exchange(
  start: number,
  end: number,
  from: string,
  to: string,
  port: number,
  initial: number,
  request: string,
  answer: string,
): Record[] {
  const client = { source: from, destination: to, sourcePort: port, destinationPort: 80 };
  const server = { source: to, destination: from, sourcePort: 80, destinationPort: port };
  const next = initial + 1;
  return [
    at(start, segment({ ...client, flags: 'S', sequence: initial })),
    at(start + 1, segment({ ...server, flags: 'SA', sequence: initial, acknowledgment: next })),
    at(
      start + 2,
      segment({ ...client, flags: 'PA', sequence: next, acknowledgment: next, payload: request }),
    ),
    at(
      end,
      segment({
        ...server,
        flags: 'PA',
        sequence: next,
        acknowledgment: next + request.length,
        payload: answer,
      }),
    ),
  ];
}

describe('a proxy', () => {
  const REQUEST = 'GET /a HTTP/1.1\r\nHost: vip\r\n\r\n';
  const PASSED_ON =
    'GET /a HTTP/1.0\r\nHost: myapp1\r\nX-Forwarded-For: 192.168.11.104\r\nConnection: close\r\n\r\n';
  const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

  test('passes on a request in another connection: no twins, but proxied requests', async () => {
    const files = [
      [
        ...exchange(0, 100, CLIENT, VIP, 40000, 1000, REQUEST, ANSWER),
        ...exchange(200, 300, CLIENT, VIP, 40001, 2000, REQUEST, ANSWER),
      ],
      [
        ...exchange(10, 50, INSIDE, BACKEND, 50000, 3000, PASSED_ON, ANSWER),
        ...exchange(210, 250, INSIDE, BACKEND, 50001, 4000, PASSED_ON, ANSWER),
      ],
    ];
    const captures = await Promise.all(files.map((records) => readCapture(pcap(records))));
    expect(joinTwins(captures).every(({ sightings }) => sightings.length === 1)).toBe(true);
    const found = joinRequests(captures.map(connections));
    expect(found).toMatchObject([
      {
        kind: 'proxied',
        outside: { capture: 0, connection: { client: { port: 40000 } }, exchange: 0 },
        inside: { capture: 1, connection: { client: { port: 50000 } }, exchange: 0 },
        nanoseconds: 10_000,
        isAnswerSame: true,
      },
      {
        outside: { connection: { client: { port: 40001 } } },
        inside: { connection: { client: { port: 50001 } } },
      },
    ]);
  });

  test('that got no answer may be passed on again, to another server', async () => {
    const unanswered = exchange(10, 20, INSIDE, BACKEND, 50000, 3000, PASSED_ON, '');
    const files = [
      exchange(0, 100, CLIENT, VIP, 40000, 1000, REQUEST, ANSWER),
      [...unanswered, ...exchange(60, 90, INSIDE, '10.0.0.3', 50001, 4000, PASSED_ON, ANSWER)],
    ];
    const captures = await Promise.all(files.map((records) => readCapture(pcap(records))));
    const pairs = joinRequests(captures.map(connections)).map(({ outside, inside, isAnswerSame }) => [
      outside.connection.client.port,
      inside.connection.client.port,
      isAnswerSame,
    ]);
    expect(pairs).toEqual([
      [40000, 50000, undefined],
      [40000, 50001, true],
    ]);
  });

  test('that serves two at once is known by its answers', async () => {
    const other = ANSWER.replace('ok', 'no');
    const files = [
      [
        ...exchange(0, 100, CLIENT, VIP, 40000, 1000, REQUEST, ANSWER),
        ...exchange(5, 110, CLIENT, VIP, 40001, 2000, REQUEST, other),
      ].sort((a, b) => Number(a.time! - b.time!)),
      [
        ...exchange(20, 60, INSIDE, BACKEND, 50000, 3000, PASSED_ON, other),
        ...exchange(30, 50, INSIDE, BACKEND, 50001, 4000, PASSED_ON, ANSWER),
      ].sort((a, b) => Number(a.time! - b.time!)),
    ];
    const captures = await Promise.all(files.map((records) => readCapture(pcap(records))));
    const pairs = joinRequests(captures.map(connections)).map(({ outside, inside }) => [
      outside.connection.client.port,
      inside.connection.client.port,
    ]);
    expect(pairs).toEqual([
      [40000, 50001],
      [40001, 50000],
    ]);
  });
});
