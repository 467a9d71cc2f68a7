import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { RewrittenField, Twin } from '../../src/pcap/index.ts';
import { connections, joinRequests, joinTwins, readCapture } from '../../src/pcap/index.ts';
import type { Record, SegmentOptions } from './build.ts';
import { ethernet, ipv4, pcap, segment, tcp, udp } from './build.ts';
import { run } from './tshark.ts';

const START = 1_700_000_000_000_000_000n;
const CLIENT = '192.168.11.104';
const VIP = '192.168.11.107';
const INSIDE = '10.133.1.1';
const BACKEND = '10.133.1.2';
const CLIENT_MAC = '02:00:00:00:00:68';
const OUTSIDE_MAC = '02:00:00:00:00:6b';
const INSIDE_MAC = '02:00:00:00:01:01';
const BACKEND_MAC = '02:00:00:00:01:02';

/** A frame `microseconds` after the start. */
function at(microseconds: number, frame: Uint8Array): Record {
  return { frame, time: START + BigInt(microseconds) * 1000n };
}

async function joined(...files: readonly (readonly Record[])[]): Promise<Twin[]> {
  return joinTwins(await Promise.all(files.map((records) => readCapture(pcap(records)))));
}

/** `0.1 1.1`: packet 1 of capture 0, then packet 1 of capture 1. */
function places(twins: readonly Twin[]): string[] {
  return twins.map(({ sightings }) =>
    sightings.map(({ capture, packets }) => `${capture}.${packets.join('+')}`).join(' '),
  );
}

function fields(twin: Twin): RewrittenField[][] {
  return twin.steps.map(({ rewrites }) => rewrites.map(({ field }) => field));
}

/** The same segment before and after a hop. */
function hop(before: SegmentOptions, after: SegmentOptions): [Buffer, Buffer] {
  return [segment(before), segment({ ...before, ...after })];
}

const SYN: SegmentOptions = {
  sourceMac: CLIENT_MAC,
  destinationMac: OUTSIDE_MAC,
  source: CLIENT,
  destination: VIP,
  flags: 'S',
  sequence: 7,
};
const SYN_ACK: SegmentOptions = {
  sourceMac: BACKEND_MAC,
  destinationMac: INSIDE_MAC,
  source: BACKEND,
  destination: CLIENT,
  sourcePort: 80,
  destinationPort: 40000,
  flags: 'SA',
  sequence: 900,
  acknowledgment: 8,
};
/** The timestamps option. */
function stamp(value: number): number[] {
  return [1, 1, 8, 10, 0, 0, 0, value, 0, 0, 0, 0];
}

function datagram(source: string): Buffer {
  return ethernet(0x0800, ipv4(17, udp(Buffer.from('query')), { source }));
}

const FORWARDED = { sourceMac: INSIDE_MAC, destinationMac: BACKEND_MAC, ttl: 63 };

describe('a packet that a balancer passes on', () => {
  test('by NAT: the destination changes on the way in, the source on the way out', async () => {
    const [synOutside, synInside] = hop(SYN, { ...FORWARDED, destination: BACKEND });
    const [ackInside, ackOutside] = hop(SYN_ACK, {
      sourceMac: OUTSIDE_MAC,
      destinationMac: CLIENT_MAC,
      ttl: 63,
      source: VIP,
    });
    const twins = await joined(
      [at(0, synOutside), at(40, ackOutside)],
      [at(10, synInside), at(25, ackInside)],
    );
    expect(places(twins)).toEqual(['0.1 1.1', '1.2 0.2']);
    expect(twins[0]).toEqual({
      sightings: [
        { capture: 0, packet: 1, packets: [1], time: START },
        { capture: 1, packet: 1, packets: [1], time: START + 10_000n },
      ],
      steps: [
        {
          nanoseconds: 10_000,
          rewrites: [
            { field: 'source-mac', from: CLIENT_MAC, to: INSIDE_MAC },
            { field: 'destination-mac', from: OUTSIDE_MAC, to: BACKEND_MAC },
            { field: 'destination-address', from: VIP, to: BACKEND },
            { field: 'ttl', from: 64, to: 63 },
          ],
        },
      ],
    });
    expect(fields(twins[1]!)).toEqual([['source-mac', 'destination-mac', 'source-address', 'ttl']]);
  });

  test('by full NAT: both addresses and the port change', async () => {
    const [outside, inside] = hop(SYN, {
      ...FORWARDED,
      source: INSIDE,
      destination: BACKEND,
      sourcePort: 1024,
      destinationPort: 8080,
    });
    const twins = await joined([at(0, outside)], [at(5, inside)]);
    expect(fields(twins[0]!)).toEqual([
      [
        'source-mac',
        'destination-mac',
        'source-address',
        'destination-address',
        'ttl',
        'source-port',
        'destination-port',
      ],
    ]);
  });

  test('by direct routing: twice in one capture, with other MACs and a lower TTL', async () => {
    const [arriving, leaving] = hop(SYN, { sourceMac: OUTSIDE_MAC, destinationMac: BACKEND_MAC, ttl: 63 });
    const twins = await joined([at(0, arriving), at(3, leaving)], [at(9, leaving)]);
    expect(places(twins)).toEqual(['0.1 0.2 1.1']);
    expect(fields(twins[0]!)).toEqual([['source-mac', 'destination-mac', 'ttl'], []]);
  });

  test('through a tunnel: IP in IP is added, and taken away again', async () => {
    const inner = ipv4(6, tcp(SYN), { source: CLIENT, destination: VIP, ttl: 63 });
    const tunnelled = ethernet(
      0x0800,
      ipv4(4, inner, { source: INSIDE, destination: BACKEND }),
      INSIDE_MAC,
      BACKEND_MAC,
    );
    const twins = await joined(
      [at(0, segment(SYN))],
      [at(4, tunnelled)],
      [at(8, segment({ ...SYN, ttl: 63 }))],
    );
    expect(places(twins)).toEqual(['0.1 1.1 2.1']);
    expect(twins[0]!.steps[0]!.rewrites).toContainEqual({
      field: 'encapsulation-added',
      from: '',
      to: '10.133.1.1 > 10.133.1.2 (4)',
    });
    expect(fields(twins[0]!)[1]).toContain('encapsulation-removed');
  });

  test('with rewritten sequence numbers: known by its timestamps', async () => {
    const data = { ...SYN, flags: 'PA', sequence: 8, acknowledgment: 901, payload: 'x', options: stamp(2) };
    const answer = { ...SYN_ACK, source: VIP, options: stamp(9) };
    const [syn, synAfter] = hop({ ...SYN, options: stamp(1) }, { ...FORWARDED, sequence: 5007 });
    const [synAck, synAckAfter] = hop({ ...answer, acknowledgment: 5008 }, { acknowledgment: 8, ttl: 63 });
    const [sent, sentAfter] = hop(data, { ...FORWARDED, sequence: 5008 });
    const twins = await joined(
      [at(0, syn), at(30, synAckAfter), at(40, sent)],
      [at(10, synAfter), at(20, synAck), at(50, sentAfter)],
    );
    expect(places(twins)).toEqual(['0.1 1.1', '1.2 0.2', '0.3 1.3']);
    expect(twins[2]!.steps[0]!.rewrites).toContainEqual({ field: 'sequence', from: 8, to: 5008 });
  });

  test('as a UDP datagram', async () => {
    const twins = await joined([at(0, datagram(CLIENT))], [at(2, datagram(INSIDE))]);
    expect(places(twins)).toEqual(['0.1 1.1']);
    expect(fields(twins[0]!)).toEqual([['source-address']]);
  });
});

describe('what is no twin', () => {
  test('another connection, even at the same time', async () => {
    const twins = await joined([at(0, segment(SYN))], [at(1, segment({ ...SYN, sequence: 8 }))]);
    expect(places(twins)).toEqual(['0.1', '1.1']);
  });

  test('another payload with the same numbers', async () => {
    const data = { ...SYN, flags: 'PA', acknowledgment: 1 };
    const twins = await joined(
      [at(0, segment({ ...data, payload: 'ab' }))],
      [at(1, segment({ ...data, payload: 'ac' }))],
    );
    expect(places(twins)).toEqual(['0.1', '1.1']);
  });

  test('a connection of another client with equal numbers: the unchanged end tells them apart', async () => {
    const other = { ...SYN, source: '192.168.11.105' };
    const nat = { ...FORWARDED, destination: BACKEND };
    const twins = await joined(
      [at(0, segment(SYN)), at(1, segment(other))],
      [at(2, segment({ ...other, ...nat })), at(3, segment({ ...SYN, ...nat }))],
    );
    expect(places(twins)).toEqual(['0.1 1.2', '0.2 1.1']);
  });

  test('a packet sent again: the nth copy belongs to the nth copy', async () => {
    const [outside, inside] = hop(SYN, FORWARDED);
    const twins = await joined([at(0, outside), at(1000, outside)], [at(5, inside), at(1005, inside)]);
    expect(places(twins)).toEqual(['0.1 1.1', '0.2 1.2']);
  });

  test('a copy that was lost on the way: its identification, or else its time, says which one came', async () => {
    const [first, second] = [
      { ...SYN, identification: 1 },
      { ...SYN, identification: 2 },
    ];
    const byIdentification = await joined(
      [at(0, segment(first)), at(1000, segment(second))],
      [at(5, segment({ ...second, ...FORWARDED }))],
    );
    expect(places(byIdentification)).toEqual(['0.1', '1.1 0.2']);
    const byTime = await joined(
      [at(0, segment(SYN)), at(1000, segment(SYN))],
      [at(1005, segment({ ...SYN, ...FORWARDED }))],
    );
    expect(places(byTime)).toEqual(['0.1', '0.2 1.1']);
  });
});

test('segmentation left to a network card: one packet here is several there, byte for byte', async () => {
  const data = (offset: number, payload: string) => ({
    ...SYN,
    flags: 'A',
    sequence: 8 + offset,
    acknowledgment: 901,
    payload,
  });
  const text = 'abcdefghij';
  const whole = [at(0, segment(SYN)), at(10, segment(data(0, text)))];
  const split = [
    at(1, segment({ ...SYN, ...FORWARDED })),
    at(11, segment({ ...data(0, text.slice(0, 4)), ...FORWARDED })),
    at(12, segment({ ...data(4, text.slice(4, 8)), ...FORWARDED })),
    at(13, segment({ ...data(8, text.slice(8)), ...FORWARDED })),
  ];
  const later = split.map(({ frame, time }) => ({ frame, time: time! + 20_000n }));
  const twins = await joined(whole, split, later);
  expect(places(twins)).toEqual(['0.1 1.1 2.1', '0.2 1.2+3+4 2.2+3+4']);
  expect(twins[1]!.steps[0]!.rewrites).toContainEqual({ field: 'segmentation', from: 1, to: 3 });
});

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

describe('real conversations, rewritten by tcprewrite as a router or balancer would', () => {
  const directory = mkdtempSync(join(tmpdir(), 'lblab-twins-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  const FIXTURES = join(import.meta.dirname, '../fixtures/captures');

  test.each([
    [
      'dpkt/http.pcap',
      '--pnat=145.254.160.237/32:10.133.1.1/32,65.208.228.223/32:10.133.1.2/32',
      ['--portmap=80:8080'],
    ],
    ['tcpdump/ssh.pcap', '--ttl=-1', ['--enet-smac=02:00:00:00:00:08']],
    ['tcpdump/of10_s4810.pcap', '--pnat=0.0.0.0/0:10.0.0.0/8', ['--enet-dmac=02:00:00:00:00:09', '--ttl=-1']],
  ])('%s', async (name, nat, more) => {
    const original = join(FIXTURES, name);
    const rewritten = join(directory, name.replace('/', '-'));
    await run('tcprewrite', [nat, ...more, `--infile=${original}`, `--outfile=${rewritten}.now`]);
    await run('editcap', ['-t', '0.0001', `${rewritten}.now`, rewritten]);
    const captures = await Promise.all([readCapture(original), readCapture(rewritten)]);
    const joinable = captures[0].packets.filter((packet) => packet.tcp ?? packet.udp ?? packet.icmp);
    const twins = joinTwins(captures);
    expect(twins).toHaveLength(joinable.length);
    for (const { sightings, steps } of twins) {
      // Packet n of one file is packet n of the other.
      expect(sightings.map(({ capture, packet }) => [capture, packet])).toEqual([
        [0, sightings[0]!.packet],
        [1, sightings[0]!.packet],
      ]);
      expect(steps[0]!.nanoseconds).toBe(100_000);
      expect(steps[0]!.rewrites.length).toBeGreaterThan(0);
    }
  });
});

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
