// What nobody sends on purpose: every fixture damaged in every way, and generated packets that must come back as they
// were made. Whatever the bytes are, reading them ends, throws nothing and stays within its memory.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { CaptureParser, NotACaptureError } from '../../src/pcap/file.ts';
import { Fragments } from '../../src/pcap/fragments.ts';
import { Frame } from '../../src/pcap/frame.ts';
import type { Packet } from '../../src/pcap/index.ts';
import { connections, joinRequests, joinTwins, readCapture } from '../../src/pcap/index.ts';
import { decodeFrame } from '../../src/pcap/link.ts';
import { toPacket } from '../../src/pcap/packet.ts';
import type { Record } from './build.ts';
import { checksummed, ethernet, ipv4, pcap, segment, tcp } from './build.ts';
import { PcapngBuilder } from './pcapng.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures/captures');
const CASES = 100_000;
/** Larger fixtures are cut here: so many cases must come round in a minute. */
const LONGEST = 3000;

function fixtures(): Uint8Array[] {
  return readdirSync(FIXTURES, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.pcap(ng)?(\.gz)?$/.test(name))
    .map((name) => {
      const file = readFileSync(join(FIXTURES, name));
      return new Uint8Array(name.endsWith('.gz') ? gunzipSync(file) : file).slice(0, LONGEST);
    });
}

/** All that the engine does with a file, but for reading it. */
function readAll(bytes: Uint8Array): Packet[] {
  const frame = new Frame();
  const fragments = new Fragments();
  const packets: Packet[] = [];
  const parser = new CaptureParser(frame, () => {
    decodeFrame(frame, fragments);
    packets.push(toPacket(frame));
    return true;
  });
  try {
    parser.finish(bytes, parser.parse(bytes, 0, bytes.length), bytes.length);
  } catch (error) {
    if (!(error instanceof NotACaptureError)) throw error;
  }
  return packets;
}

/** Numbers that a damaged length, offset or count likes to be. */
const EDGES = [0, 1, 2, 0x7f, 0x80, 0xff];

function damage(original: Uint8Array, random: () => number): Uint8Array {
  const bytes = original.slice();
  for (let times = 1 + Math.floor(random() * 4); times > 0; times--) {
    const at = Math.floor(random() * bytes.length);
    const kind = random();
    if (kind < 0.4) bytes[at] = Math.floor(random() * 256);
    else if (kind < 0.6) bytes[at] = EDGES[Math.floor(random() * EDGES.length)]!;
    else if (kind < 0.7) bytes[at]! ^= 1 << Math.floor(random() * 8);
    else if (kind < 0.8) bytes.fill(Math.floor(random() * 256), at, at + 1 + Math.floor(random() * 8));
    else if (kind < 0.9) bytes.copyWithin(at, Math.floor(random() * bytes.length), bytes.length);
    else return bytes.slice(0, at);
  }
  return bytes;
}

test(`${CASES} damaged captures are read without harm`, { timeout: 180_000 }, () => {
  const originals = fixtures();
  expect(originals.length).toBeGreaterThan(80);
  let state = 20_260_101;
  const random = () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
  let longest = 0;
  let packets = 0;
  for (let index = 0; index < CASES; index++) {
    const bytes = damage(originals[index % originals.length]!, random);
    const began = performance.now();
    const found = readAll(bytes);
    const lives = connections({ packets: found });
    if (index % 20 === 0) {
      expect(joinTwins([{ packets: found }, { packets: found }]).length).toBeLessThanOrEqual(
        found.length * 2,
      );
      joinRequests([lives, lives]);
    }
    packets += found.length;
    longest = Math.max(longest, performance.now() - began);
  }
  expect(packets).toBeGreaterThan(CASES);
  expect(longest).toBeLessThan(2000);
  expect(process.memoryUsage().rss).toBeLessThan(1024 ** 3);
});

const port = fc.integer({ min: 0, max: 0xffff });
const word = fc.integer({ min: 0, max: 0xffff_ffff });
const address = fc.ipV4();
const payload = fc.uint8Array({ maxLength: 100 });
const flags = fc.subarray(['F', 'S', 'R', 'P', 'A', 'U', 'E', 'C']).map((letters) => letters.join(''));
const time = fc.bigInt({ min: 0n, max: (1n << 32n) * 1_000_000_000n - 1n });

const segments = fc.array(
  fc.record({
    source: address,
    destination: address,
    sourcePort: port,
    destinationPort: port,
    ttl: fc.integer({ min: 0, max: 255 }),
    identification: port,
    sequence: word,
    acknowledgment: word,
    window: port,
    flags,
    payload,
    time,
  }),
  { maxLength: 20 },
);

/** What the packets were made of, as the reader tells it. */
async function roundTrip(bytes: Uint8Array) {
  const { packets, truncated } = await readCapture(bytes);
  expect(truncated).toBeUndefined();
  return packets.map(({ ip, tcp: decoded, time: own }) => ({
    source: ip!.source,
    destination: ip!.destination,
    sourcePort: decoded!.sourcePort,
    destinationPort: decoded!.destinationPort,
    ttl: ip!.ttl,
    identification: ip!.identification,
    sequence: decoded!.sequence,
    acknowledgment: decoded!.acknowledgment,
    window: decoded!.window,
    flags: Object.entries(decoded!.flags)
      .filter(([, isSet]) => isSet)
      .map(([name]) => name[0]!.toUpperCase())
      .join(''),
    payload: decoded!.payload,
    time: own,
  }));
}

test('segments that are built come back as they were built, from pcap in either byte order', async () => {
  await fc.assert(
    fc.asyncProperty(segments, fc.boolean(), async (made, bigEndian) => {
      const records: Record[] = made.map((one) => ({ frame: segment(one), time: one.time }));
      expect(await roundTrip(pcap(records, { bigEndian, magic: 0xa1b23c4d }))).toEqual(made);
    }),
  );
});

test('and from pcapng, with clocks that count anything', async () => {
  await fc.assert(
    fc.asyncProperty(segments, fc.boolean(), async (made, bigEndian) => {
      const builder = new PcapngBuilder({ bigEndian }).section().interface(1, [[9, Uint8Array.of(9)]]);
      for (const one of made) builder.packet(segment(one), one.time);
      expect(await roundTrip(builder.build())).toEqual(made);
    }),
  );
});

test('segments cut into any IP fragments, in any order, come back whole', async () => {
  const cuts = fc.uniqueArray(fc.integer({ min: 1, max: 14 }), { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(
      payload,
      cuts,
      fc.array(fc.nat(), { minLength: 7, maxLength: 7 }),
      async (bytes, places, order) => {
        const datagram = tcp({ payload: bytes });
        const inside = places.sort((a, b) => a - b).map((place) => place * 8);
        const ends = [...inside.filter((end) => end < datagram.length), datagram.length];
        const frames = ends.map((end, index) => {
          const start = ends[index - 1] ?? 0;
          const more = end < datagram.length ? 0x2000 : 0;
          const packet = ipv4(6, datagram.subarray(start, end), {
            identification: 1,
            fragment: more | (start / 8),
          });
          return { frame: ethernet(0x0800, checksummed(packet)), order: order[index]! };
        });
        frames.sort((a, b) => a.order - b.order);
        const { packets } = await readCapture(pcap(frames));
        expect(packets.at(-1)!.tcp!.payload).toEqual(bytes);
        expect(packets.slice(0, -1).every((packet) => packet.tcp === undefined)).toBe(true);
      },
    ),
  );
});
