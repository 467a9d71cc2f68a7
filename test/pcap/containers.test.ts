// The limits of pcap and pcapng as files: what is taken, what is passed over, and what is corrupt and where.
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { IncrementalReader, readCapture } from '../../src/pcap/index.ts';
import { bytesOf, pcap, segment } from './build.ts';
import { PcapngBuilder } from './pcapng.ts';

const FRAME = segment({ flags: 'S', sequence: 1 });
/** As in libpcap. */
const LONGEST = 262_144;
/** The longest block that must be in memory as a whole. */
const LONGEST_BLOCK = LONGEST + 65_536;

const builder = () => new PcapngBuilder().section().interface();
const words = (...values: number[]) => new PcapngBuilder().words(...values);
const messageOf = async (bytes: Uint8Array) =>
  readCapture(bytes).then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? error.message : undefined),
  );

/** Of the file: whole, and in pieces of any length. */
async function read(file: Uint8Array) {
  const whole = await readCapture(file);
  for (const size of [1, 3, 1000, 65_536]) {
    if (file.length / size > 5000) continue;
    async function* pieces() {
      for (let at = 0; at < file.length; at += size) yield file.subarray(at, at + size);
    }
    const { packets, truncated } = await readCapture(pieces());
    expect({ numbers: packets.map(({ time }) => time), truncated }).toEqual({
      numbers: whole.packets.map(({ time }) => time),
      truncated: whole.truncated,
    });
  }
  return whole;
}

describe('a pcap file', () => {
  test('of a header alone is an empty capture; shorter it is none', async () => {
    expect(await read(pcap([]))).toMatchObject({ packets: [], linkType: 'ETHERNET' });
    for (const length of [4, 23])
      expect(await messageOf(pcap([]).subarray(0, length))).toBe(
        `it ends after ${length} bytes, within the header that it begins with`,
      );
    expect(await messageOf(pcap([]).subarray(0, 3))).toBe('the file has only 3 bytes');
  });

  test('may have packets of 262,144 bytes and no longer ones', async () => {
    expect((await read(pcap([Buffer.alloc(LONGEST), FRAME]))).packets).toHaveLength(2);
    expect(await read(pcap([FRAME, Buffer.alloc(LONGEST + 1)]))).toMatchObject({
      packets: [{ number: 1 }],
      truncated: 'the record at byte 94, after packet 1, says it has 262145 bytes: the file is corrupt',
    });
  });

  test('may have packets without a byte', async () => {
    const lengths = [{ capturedLength: 0, malformed: 'Ethernet header cut short' }, { capturedLength: 54 }];
    expect(await read(pcap([Buffer.alloc(0), FRAME]))).toMatchObject({ packets: lengths });
    expect(await read(pcap([FRAME, Buffer.alloc(0)]))).toMatchObject({ packets: lengths.toReversed() });
  });

  test('may say less of a packet’s length than was captured: that much it had', async () => {
    const lengths = [0, 53, 54, 55].map((originalLength) => ({ frame: FRAME, originalLength }));
    expect((await read(pcap(lengths))).packets.map(({ originalLength }) => originalLength)).toEqual([
      54, 54, 54, 55,
    ]);
  });

  test('has its link type in the lower 26 bits', async () => {
    const file = pcap([FRAME]);
    file.writeUInt32LE(0xf400_0001, 20);
    expect((await read(file)).linkType).toBe('ETHERNET');
    file.writeUInt32LE(0x03ff_ffff, 20);
    expect((await read(file)).linkType).toBe('LINKTYPE 67108863');
  });

  test('may end at any byte: the place is that of its last record', async () => {
    const file = pcap([FRAME, FRAME]);
    for (let left = 1; left < 70; left++)
      expect(await readCapture(file.subarray(0, -left))).toMatchObject({
        packets: [{ number: 1 }],
        truncated: 'the file ends inside a record that starts at byte 94, after packet 1',
      });
    expect((await readCapture(file.subarray(0, -70))).truncated).toBeUndefined();
  });
});

describe('a pcapng file', () => {
  const corrupt = (at: number, packets: number, what: string) =>
    `the block at byte ${at}, after packet ${packets}, has ${what}: the file is corrupt`;
  /** Where the first block after the section and its interface is. */
  const FIRST = 28 + 20;

  test.each<[what: string, bytes: Buffer, truncated: string]>([
    ['no byte order', bytesOf('0a0d0d0a 1c000000 11223344 01000000'), corrupt(0, 0, 'no byte order')],
    [
      'version 2',
      new PcapngBuilder().block(0x0a0d0d0a, Buffer.concat([words(0x1a2b3c4d, 2), Buffer.alloc(8)])).build(),
      corrupt(0, 0, 'version 2 of the format, not 1'),
    ],
    [
      'version 2, and nothing behind it',
      bytesOf('0a0d0d0a 1c000000 4d3c2b1a 02000000'),
      corrupt(0, 0, 'version 2 of the format, not 1'),
    ],
    [
      'a block of 8 bytes',
      Buffer.concat([builder().build(), words(5, 8, 8)]),
      corrupt(FIRST, 0, 'a block length of 8'),
    ],
    [
      'a block of 14 bytes',
      Buffer.concat([builder().build(), words(5, 14, 0, 0)]),
      corrupt(FIRST, 0, 'a block length of 14'),
    ],
    [
      'two lengths',
      Buffer.concat([builder().build(), words(5, 16, 0, 20)]),
      corrupt(FIRST, 0, 'two different block lengths'),
    ],
    [
      'a packet of no interface',
      new PcapngBuilder().section().packet(FRAME, 1n).build(),
      corrupt(28, 0, 'a bad packet block'),
    ],
    [
      'a packet of an interface that is not there',
      builder().packet(FRAME, 1n, 1).build(),
      corrupt(FIRST, 0, 'a bad packet block'),
    ],
    [
      'a simple packet of no interface',
      new PcapngBuilder().section().simplePacket(FRAME).build(),
      corrupt(28, 0, 'a bad packet block'),
    ],
    [
      'a simple packet without its length',
      builder().block(3, Buffer.alloc(0)).build(),
      corrupt(FIRST, 0, 'a bad packet block'),
    ],
    [
      'a packet block without its lengths',
      builder().block(6, Buffer.alloc(16)).build(),
      corrupt(FIRST, 0, 'a bad packet block'),
    ],
    [
      'a packet longer than its block',
      builder()
        .block(6, words(0, 0, 0, 5, 5, 0))
        .build(),
      corrupt(FIRST, 0, 'a bad packet block'),
    ],
    [
      'a packet of 262,145 bytes',
      builder()
        .packet(Buffer.alloc(LONGEST + 1), 1n)
        .build(),
      corrupt(FIRST, 0, 'a bad packet block'),
    ],
    [
      'a packet block too long to be one',
      builder().packet(Buffer.alloc(LONGEST_BLOCK), 1n).build(),
      corrupt(FIRST, 0, 'a block length of 327724'),
    ],
    [
      'an old packet block too long to be one',
      builder().block(2, Buffer.alloc(LONGEST_BLOCK)).build(),
      corrupt(FIRST, 0, 'a block length of 327692'),
    ],
    [
      'a simple packet block too long to be one',
      builder().block(3, Buffer.alloc(LONGEST_BLOCK)).build(),
      corrupt(FIRST, 0, 'a block length of 327692'),
    ],
    [
      'an interface too long to be one',
      builder().block(1, Buffer.alloc(LONGEST_BLOCK)).build(),
      corrupt(FIRST, 0, 'a block length of 327692'),
    ],
  ])('with %s is corrupt', async (_, bytes, truncated) => {
    const { packets, truncated: said } = await read(bytes);
    expect([packets.length, said]).toEqual([0, truncated]);
  });

  test('of the longest packet is read', async () => {
    expect(
      (await read(builder().packet(Buffer.alloc(LONGEST), 1n).packet(FRAME, 2n).build())).packets,
    ).toHaveLength(2);
  });

  test('may have an empty block, and packets without a byte', async () => {
    const file = builder()
      .block(5, Buffer.alloc(0))
      .packet(Buffer.alloc(0), 1n)
      .simplePacket(Buffer.alloc(0))
      .packet(FRAME, 2n);
    expect((await read(file.build())).packets.map(({ capturedLength }) => capturedLength)).toEqual([
      0, 0, 54,
    ]);
  });

  test.each([LONGEST_BLOCK - 12, LONGEST_BLOCK - 8, 3_000_000])(
    'passes over a comment of %d bytes',
    async (length) => {
      const file = builder().packet(FRAME, 1n).block(5, Buffer.alloc(length)).packet(FRAME, 2n).build();
      expect((await read(file)).packets.map(({ time }) => time)).toEqual([1000n, 2000n]);
    },
  );

  test('ends inside a comment: the place is where the comment goes on', async () => {
    const file = builder().packet(FRAME, 1n).block(5, Buffer.alloc(400_000)).build();
    expect((await readCapture(file.subarray(0, -1))).truncated).toMatch(
      /^the file ends inside a record .*, after packet 1$/,
    );
    expect((await readCapture(file)).truncated).toBeUndefined();
  });

  test('is read past a comment whose last byte comes later, or with all the rest', () => {
    const start = builder().packet(FRAME, 1n).block(5, Buffer.alloc(400_000)).build();
    const file = builder().packet(FRAME, 1n).block(5, Buffer.alloc(400_000)).packet(FRAME, 2n).build();
    for (const cuts of [[start.length - 1], [start.length - 300_000, start.length - 1], [start.length], []]) {
      const reader = new IncrementalReader();
      const times = [...cuts, file.length].flatMap((end, index) =>
        reader.push(file.subarray(cuts[index - 1] ?? 0, end)).map(({ time }) => time),
      );
      expect(times).toEqual([1000n, 2000n]);
    }
  });

  test('may have packet blocks of 327,680 bytes, most of it options', async () => {
    const options = Buffer.concat([words(0, 0, 1, 54, 54), FRAME, Buffer.alloc(327_680 - 12 - 20 - 54)]);
    expect((await read(builder().block(6, options).build())).packets).toMatchObject([{ capturedLength: 54 }]);
  });

  test('has 65,536 interfaces at most', async () => {
    const file = new PcapngBuilder().section();
    for (let index = 0; index < 65_536; index++) file.interface();
    expect((await readCapture(file.packet(FRAME, 1n, 65_535).build())).packets).toHaveLength(1);
    const at = file.build().length;
    expect((await readCapture(file.interface().build())).truncated).toBe(
      corrupt(at, 1, 'one interface too many'),
    );
  });

  test('begins its interfaces anew with each section', async () => {
    const file = Buffer.concat([
      builder().interface().packet(FRAME, 1n, 1).build(),
      builder().packet(FRAME, 1n, 1).build(),
    ]);
    expect(await read(file)).toMatchObject({
      packets: [{ number: 1 }],
      truncated: corrupt(216, 1, 'a bad packet block'),
    });
  });

  test('has simple packets cut at their interface’s snapshot length', async () => {
    const file = new PcapngBuilder().section().interface(1, [], 40);
    const head = Buffer.concat([words(54), FRAME.subarray(0, 40)]);
    expect((await read(file.block(3, head).build())).packets).toMatchObject([
      { capturedLength: 40, originalLength: 54 },
    ]);
    const unlimited = new PcapngBuilder().section().interface(1, [], 0).simplePacket(FRAME);
    expect((await read(unlimited.build())).packets).toMatchObject([
      { capturedLength: 54, originalLength: 54 },
    ]);
    const short = builder().block(3, head);
    expect((await read(short.build())).packets).toMatchObject([{ capturedLength: 40, originalLength: 54 }]);
  });

  test('has packets of the block type of old', async () => {
    for (const bigEndian of [false, true]) {
      const file = new PcapngBuilder({ bigEndian }).section().interface().interface(101);
      // Interface 1 of 16 bits, and one packet dropped.
      const head = Buffer.concat([file.halves(1, 1), file.words(0, 5, 20, 60)]);
      const { packets } = await read(file.block(2, Buffer.concat([head, FRAME.subarray(14, 34)])).build());
      expect(packets).toMatchObject([{ time: 5000n, linkType: 101, capturedLength: 20, originalLength: 60 }]);
    }
  });

  test('tells the link type of its first interface', async () => {
    expect((await read(new PcapngBuilder().section().interface(101).interface(1).build())).linkType).toBe(
      'RAW',
    );
    expect((await read(new PcapngBuilder().section().interface(0).interface(1).build())).linkType).toBe(
      'NULL',
    );
    expect((await read(new PcapngBuilder().section().build())).linkType).toBe('NONE');
    for (const bigEndian of [false, true])
      expect((await read(new PcapngBuilder({ bigEndian }).section().interface(276).build())).linkType).toBe(
        'LINUX_SLL2',
      );
  });
});

describe('the options of an interface', () => {
  const nanoseconds = Uint8Array.of(9);
  const timeOf = async (file: PcapngBuilder) =>
    (await read(file.packet(FRAME, 5_000_000n).build())).packets[0]!.time;
  const withOptions = (...options: readonly (readonly [number, Uint8Array])[]) =>
    new PcapngBuilder().section().interface(1, options);

  test('are found behind others of any length', async () => {
    for (let length = 0; length <= 5; length++)
      expect(await timeOf(withOptions([2, Buffer.alloc(length)], [9, nanoseconds]))).toBe(5_000_000n);
  });

  test('end with an option of code 0', async () => {
    expect(await timeOf(withOptions([0, Buffer.alloc(0)], [9, nanoseconds]))).toBe(5_000_000_000n);
  });

  test('of a wrong length are passed over', async () => {
    expect(await timeOf(withOptions([9, Uint8Array.of(9, 9)]))).toBe(5_000_000_000n);
    expect(await timeOf(withOptions([14, Uint8Array.of(9, 9, 9, 9)]))).toBe(5_000_000_000n);
  });

  test('that do not fit are not read', async () => {
    const file = new PcapngBuilder().section();
    const cut = Buffer.concat([file.halves(1, 0), file.words(0), file.halves(9, 1)]);
    expect(await timeOf(file.block(1, cut))).toBe(5_000_000_000n);
    const whole = Buffer.concat([cut, Buffer.of(9, 0, 0, 0)]);
    expect(await timeOf(new PcapngBuilder().section().block(1, whole))).toBe(5_000_000n);
  });

  test('fit where they end with their block', async () => {
    const file = new PcapngBuilder().section();
    const body = Buffer.concat([file.halves(1, 0), file.words(0), file.halves(14, 8), file.words(7, 0)]);
    expect(await timeOf(file.block(1, body))).toBe(12_000_000_000n);
  });

  test('move times by an offset, forwards and backwards', async () => {
    const offset = Buffer.alloc(8);
    for (const seconds of [7n, -3n]) {
      offset.writeBigInt64LE(seconds);
      expect(await timeOf(withOptions([14, offset]))).toBe((5n + seconds) * 1_000_000_000n);
    }
    const big = Buffer.alloc(8);
    big.writeBigInt64BE(7n);
    const file = new PcapngBuilder({ bigEndian: true }).section().interface(1, [[14, big]]);
    expect(await timeOf(file)).toBe(12_000_000_000n);
  });

  test('an interface without a link type is none', async () => {
    const file = new PcapngBuilder().section().block(1, Buffer.alloc(4)).packet(FRAME, 1n).build();
    expect((await read(file)).truncated).toContain('a bad packet block');
  });
});

describe('a clock of pcapng', () => {
  const RESOLUTIONS: readonly [code: number, ticks: bigint][] = [
    [0, 1n],
    [3, 1000n],
    [6, 1_000_000n],
    [9, 1_000_000_000n],
    [10, 10_000_000_000n],
    [0x80, 1n],
    [0x80 | 10, 1n << 10n],
    [0x80 | 30, 1n << 30n],
    [0x80 | 31, 1n << 31n],
  ];
  const SECONDS = [0n, 1n, 2n, 1_700_000_000n, 4_294_967_295n, 4_294_967_296n];

  test.each(RESOLUTIONS)('of resolution %d counts exactly around every second', async (code, ticks) => {
    const counts = SECONDS.flatMap((seconds) => [-1n, 0n, 1n].map((rest) => seconds * ticks + rest)).filter(
      (count) => count >= 0n && count < 1n << 64n,
    );
    const file = new PcapngBuilder().section().interface(1, [[9, Uint8Array.of(code)]]);
    for (const count of counts) file.packet(FRAME, count);
    const { packets } = await readCapture(file.build());
    expect(packets.map(({ time }) => time)).toEqual(
      counts.map((count) => (count / ticks) * 1_000_000_000n + ((count % ticks) * 1_000_000_000n) / ticks),
    );
  });

  test('counts exactly where a Number would not', async () => {
    const counts = Array.from({ length: 500 }, (_, index) => (2n ** 61n - 250n + BigInt(index)) * 4n + 3n);
    const file = new PcapngBuilder().section().interface(1, [[9, Uint8Array.of(9)]]);
    for (const count of counts) file.packet(FRAME, count / 4n).packet(FRAME, count);
    const { packets } = await readCapture(file.build());
    expect(packets.map(({ time }) => time)).toEqual(counts.flatMap((count) => [count / 4n, count]));
  });
});

describe('what is no capture is refused with what it looks like:', () => {
  test.each([
    ['\x1f\x8b\x08\x00', 'a gzip file inside a gzip file'],
    ['\x28\xb5\x2f\xfd', 'a Zstandard file: decompress it first'],
    ['\xfd7zXZ\0', 'an xz file: decompress it first'],
    ['BZh9', 'a bzip2 file: decompress it first'],
    ['\x04\x22\x4d\x18', 'an LZ4 file: decompress it first'],
    ['PK\x03\x04', 'a zip file: unpack it first'],
    ['\x89PNG\r\n', 'a PNG picture'],
    ['%PDF-1.7', 'a PDF document'],
    ['snoop\0\0\0', 'a snoop capture: convert it with editcap -F pcap'],
    ['GMBU\0', 'a Network Monitor capture: convert it with editcap -F pcap'],
    ['RTSS\0', 'a Network Monitor capture: convert it with editcap -F pcap'],
    ['#!/bin/sh\n', 'a script'],
    [' \n[1, 2]', 'JSON'],
    ['<!doctype html>', 'HTML or XML'],
    ['  <?xml?>', 'HTML or XML'],
    ['Grüße\t\r\n~', 'text'],
  ])('%j', async (content, what) => {
    // Compressed, as a file that begins like gzip is decompressed.
    expect(await messageOf(gzipSync(Buffer.from(content, 'latin1')))).toBe(`it looks like ${what}`);
  });

  test.each([
    ['abc\0', '61626300'],
    ['abcd\x1b', '61626364'],
    ['abcd\x7f', '61626364'],
  ])('%j is no text', async (content, hex) => {
    expect(await messageOf(Buffer.from(content, 'latin1'))).toBe(
      `it starts with ${hex}, which is no magic number of pcap or pcapng`,
    );
  });

  test('half of the mark of gzip is none', async () => {
    expect(await messageOf(Buffer.from('a\x8bcd', 'latin1'))).toBe('it looks like text');
    expect(await messageOf(Buffer.from('\x1fbcd'))).toContain('it starts with 1f626364');
    expect(await messageOf(Buffer.of(0x1f))).toBe('the file has only 1 bytes');
  });

  test('only its first 256 bytes say what it is', async () => {
    const text = 'x'.repeat(255);
    expect(await messageOf(Buffer.from(`${text}\0`))).toContain('it starts with 78787878');
    expect(await messageOf(Buffer.from(`${text}x\0`))).toBe('it looks like text');
  });
});
