// Captures made to be slow or large to read. Each must be read in a moment; the limits are generous, a hang is far off them.
import { describe, expect, test } from 'vitest';
import { connections, joinRequests, joinTwins, readCapture, summarize } from '../../src/pcap/index.ts';
import { ethernet, ipv4, pcap, segment, tcp, udp } from './build.ts';
import { PcapngBuilder } from './pcapng.ts';

const MOMENT = 15_000;

async function took(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

async function read(frames: readonly Uint8Array[]) {
  const capture = await readCapture(pcap(frames));
  return { capture, found: connections(capture) };
}

describe('is read in a moment:', () => {
  test('a request line that never ends', async () => {
    const frames = Array.from({ length: 20_000 }, (_, index) =>
      segment({ flags: 'A', sequence: 1 + index * 8, acknowledgment: 1, payload: 'GET /aaa' }),
    );
    expect(await took(() => read(frames))).toBeLessThan(MOMENT);
  });

  test('a header value of nothing but spaces', async () => {
    const payload = `GET / HTTP/1.1\r\nX: a${' '.repeat(60_000)}b\r\n\r\n`;
    const frame = segment({ flags: 'A', sequence: 1, acknowledgment: 1, payload });
    expect(await took(() => read(Array.from({ length: 50 }, () => frame)))).toBeLessThan(MOMENT);
  });

  test('DNS names that point to one another', async () => {
    const message = Buffer.alloc(60_000);
    message.writeUInt16BE(8000, 4);
    for (let at = 14; at < 16_000; at += 2) message.writeUInt16BE(0xc000 | (at - 2), at);
    for (let at = 16_000; at + 6 < message.length; at += 6) message.writeUInt16BE(0xc000 | 15_998, at);
    const frame = ethernet(0x0800, ipv4(17, udp(message)));
    expect(await took(() => read(Array.from({ length: 20 }, () => frame)))).toBeLessThan(MOMENT);
  });

  test('tunnels inside tunnels', async () => {
    let inner: Buffer = ipv4(6, tcp({}));
    for (let depth = 0; depth < 1000; depth++) inner = ipv4(4, inner);
    const { capture } = await read([ethernet(0x0800, inner)]);
    expect(capture.packets[0]).toMatchObject({ malformed: 'more than 8 IP headers inside one another' });
  });

  test('fragments that never become whole', async () => {
    const piece = (identification: number) =>
      ipv4(6, Buffer.alloc(8), { identification, fragment: 0x2000 | (identification & 0xfff) });
    const frames = Array.from({ length: 20_000 }, (_, index) => ethernet(0x0800, piece(index)));
    expect(await took(() => read(frames))).toBeLessThan(MOMENT);
  });

  test('requests that nobody answers, thousands of one connection in a packet', async () => {
    const payload = 'GET / HTTP/1.1\r\n\r\n'.repeat(3000);
    const frames = Array.from({ length: 20 }, (_, index) =>
      segment({ flags: 'A', sequence: 1 + index * payload.length, acknowledgment: 1, payload }),
    );
    const { found } = await read(frames);
    const began = performance.now();
    expect(joinRequests([found, found])).toEqual([]);
    expect(performance.now() - began).toBeLessThan(MOMENT);
    // Of packets that carry a message each, as those of most captures do, there is always room for all.
    expect(found[0]!.http).toHaveLength(10_040);
  });

  test('requests that nobody answers, each of a connection of its own, on both sides of a proxy', async () => {
    const side = (source: string, destination: string) =>
      Array.from({ length: 10_000 }, (_, index) =>
        segment({
          source,
          destination,
          sourcePort: 1000 + index,
          flags: 'PA',
          payload: 'GET /a HTTP/1.1\r\n\r\n',
        }),
      );
    const sides = [side('10.0.0.1', '10.0.0.2'), side('10.0.1.1', '10.0.1.2')];
    const found = await Promise.all(sides.map(async (frames) => (await read(frames)).found));
    const began = performance.now();
    joinRequests(found);
    expect(performance.now() - began).toBeLessThan(MOMENT);
  });

  test('a port scan whose SYNs all have one number, seen at two points', async () => {
    const scan = (ttl: number) =>
      Array.from({ length: 20_000 }, (_, index) =>
        segment({ flags: 'S', sequence: 7, destinationPort: index, ttl }),
      );
    const captures = await Promise.all([scan(64), scan(63)].map((frames) => readCapture(pcap(frames))));
    const began = performance.now();
    const twins = joinTwins(captures);
    expect(performance.now() - began).toBeLessThan(MOMENT);
    expect(twins).toHaveLength(20_000);
    expect(twins.every(({ sightings }) => sightings.length === 2)).toBe(true);
  });

  test('one packet very often, of which half was lost on the way', async () => {
    const copies = (count: number, ttl: number) =>
      Array.from({ length: count }, () => segment({ flags: 'A', ttl }));
    const captures = await Promise.all(
      [copies(20_000, 64), copies(10_000, 63)].map((frames) => readCapture(pcap(frames))),
    );
    const began = performance.now();
    expect(joinTwins(captures)).toHaveLength(20_000);
    expect(performance.now() - began).toBeLessThan(MOMENT);
  });
});

test('a summary keeps to its limit and counts what it let go of', async () => {
  const frames = Array.from({ length: 5000 }, (_, index) =>
    segment({ flags: 'S', sequence: index, sourcePort: index }),
  );
  const told: number[] = [];
  const {
    connections: kept,
    letGo,
    packets,
  } = await summarize(pcap(frames), {
    maximumConnections: 1000,
    onLetGo: ({ client }) => told.push(client.port),
  });
  expect(packets).toBe(5000);
  expect(kept.length).toBeLessThanOrEqual(1000);
  expect(letGo).toEqual({
    connections: 5000 - kept.length,
    packets: 5000 - kept.length,
    bytes: (5000 - kept.length) * 54,
  });
  // The oldest went first, and the last were kept.
  expect(told).toEqual(Array.from({ length: told.length }, (_, index) => index));
  expect(kept.at(-1)!.client.port).toBe(4999);
});

test('of connections those that have ended go first', async () => {
  const connection = (port: number) => [
    segment({ flags: 'S', sequence: 1, sourcePort: port }),
    ...(port % 2 === 0 ? [segment({ flags: 'RA', sequence: 2, acknowledgment: 2, sourcePort: port })] : []),
  ];
  const frames = Array.from({ length: 150 }, (_, index) => connection(index)).flat();
  const { connections: kept } = await summarize(pcap(frames), { maximumConnections: 100 });
  expect(kept.filter(({ state }) => state === 'unanswered')).toHaveLength(75);
});

test('a pcapng file cannot have any number of interfaces', async () => {
  const builder = new PcapngBuilder().section();
  for (let index = 0; index < 65_537; index++) builder.interface();
  expect((await readCapture(builder.build())).truncated).toContain('has one interface too many');
});
