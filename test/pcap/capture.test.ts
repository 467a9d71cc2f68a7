import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { expect, test, describe } from 'vitest';
import { NotACaptureError, readCapture } from '../../src/pcap/index.ts';
import { bytesOf, checksummed, ethernet, ipv4, ipv6, pcap, segment, tcp, udp } from './build.ts';
import { PcapngBuilder } from './pcapng.ts';

const SYN = segment({
  flags: 'S',
  sequence: 1,
  options: [2, 4, 5, 180, 1, 3, 3, 7, 1, 1, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0],
});

describe('a pcap file', () => {
  test.each([
    ['little-endian, microseconds', { bigEndian: false, magic: 0xa1b2c3d4 }, 123_456_000n],
    ['big-endian, microseconds', { bigEndian: true, magic: 0xa1b2c3d4 }, 123_456_000n],
    ['little-endian, nanoseconds', { bigEndian: false, magic: 0xa1b23c4d }, 123_456_789n],
    ['big-endian, nanoseconds', { bigEndian: true, magic: 0xa1b23c4d }, 123_456_789n],
    ['with the longer record headers of old Linux', { bigEndian: false, magic: 0xa1b2cd34 }, 123_456_000n],
  ] as const)('%s', async (_, options, fraction) => {
    const capture = await readCapture(pcap([{ frame: SYN, time: 1_700_000_000_123_456_789n }], options));
    expect(capture).toMatchObject({ path: '-', format: 'pcap', linkType: 'ETHERNET' });
    expect(capture.packets).toHaveLength(1);
    expect(capture.packets[0]).toMatchObject({
      number: 1,
      time: 1_700_000_000_000_000_000n + fraction,
      capturedLength: SYN.length,
      ethernet: { source: '02:00:00:00:00:01', destination: '02:00:00:00:00:02', type: 0x0800, vlans: [] },
      ip: { version: 4, source: '10.0.0.1', destination: '10.0.0.2', ttl: 64, protocol: 6 },
      outer: [],
      tcp: {
        sourcePort: 40000,
        destinationPort: 80,
        sequence: 1,
        mss: 1460,
        windowScale: 7,
        timestamps: { value: 9, echo: 0 },
      },
    });
    expect(capture.truncated).toBeUndefined();
  });

  test('cut short gives the packets that are whole and says where it ends', async () => {
    const file = pcap([SYN, SYN]);
    const capture = await readCapture(file.subarray(0, file.length - 3));
    expect(capture.packets).toHaveLength(1);
    expect(capture.truncated).toBe(
      `the file ends inside a record that starts at byte ${24 + 16 + SYN.length}, after packet 1`,
    );
  });

  test('with an impossible length gives the packets before it', async () => {
    const file = pcap([SYN, SYN]);
    file.writeUInt32LE(0x7fffffff, 24 + 16 + SYN.length + 8);
    const capture = await readCapture(file);
    expect(capture.packets).toHaveLength(1);
    expect(capture.truncated).toBe(
      `the record at byte ${24 + 16 + SYN.length}, after packet 1, says it has 2147483647 bytes: the file is corrupt`,
    );
  });

  test('may come in any pieces', async () => {
    const file = pcap([SYN, SYN, SYN]);
    async function* bytewise() {
      for (const byte of file) yield Uint8Array.of(byte);
    }
    expect((await readCapture(bytewise())).packets.map((packet) => packet.number)).toEqual([1, 2, 3]);
  });
});

describe('a pcapng file', () => {
  test.each([false, true])('big-endian: %s', async (bigEndian) => {
    const file = new PcapngBuilder({ bigEndian })
      .section()
      .interface()
      .packet(SYN, 1_700_000_000_123_456n)
      .build();
    const capture = await readCapture(file);
    expect(capture).toMatchObject({ format: 'pcapng', linkType: 'ETHERNET' });
    expect(capture.packets).toMatchObject([{ time: 1_700_000_000_123_456_000n, tcp: { sequence: 1 } }]);
    expect(capture.truncated).toBeUndefined();
  });

  test.each([
    ['nanoseconds', 9, 1_700_000_000_123_456_789n, 1_700_000_000_123_456_789n],
    ['the last nanosecond of a second', 9, 1_699_999_999_999_999_999n, 1_699_999_999_999_999_999n],
    ['milliseconds', 3, 1_700_000_000_123n, 1_700_000_000_123_000_000n],
    ['seconds', 0, 1_700_000_000n, 1_700_000_000_000_000_000n],
    ['picoseconds', 12, 1_700_000_123_456_789_012n, 1_700_000_123_456_789n],
    ['2^-10 seconds', 0x80 | 10, 1_700_000_000n * 1024n + 512n, 1_700_000_000_500_000_000n],
    ['2^-32 seconds', 0x80 | 32, (1_700_000_000n << 32n) + (1n << 31n), 1_700_000_000_500_000_000n],
  ])('with a clock that counts %s', async (_, resolution, ticks, time) => {
    const file = new PcapngBuilder()
      .section()
      .interface(1, [[9, Uint8Array.of(resolution)]])
      .packet(SYN, ticks)
      .build();
    expect((await readCapture(file)).packets[0]!.time).toBe(time);
  });

  test('with an offset to its times', async () => {
    const offset = Buffer.alloc(8);
    offset.writeBigInt64LE(1_600_000_000n);
    const file = new PcapngBuilder()
      .section()
      .interface(1, [[14, offset]])
      .packet(SYN, 1_500_000n)
      .build();
    expect((await readCapture(file)).packets[0]!.time).toBe(1_600_000_001_500_000_000n);
  });

  test('with several interfaces and sections, each with its own clock and link type', async () => {
    const ip = ipv4(6, tcp({}));
    const one = new PcapngBuilder()
      .section()
      .interface()
      .interface(101, [[9, Uint8Array.of(9)]])
      .packet(SYN, 1n)
      .packet(ip, 1n, 1)
      .build();
    const other = new PcapngBuilder({ bigEndian: true }).section().interface(101).packet(ip, 2n).build();
    const { packets, linkType } = await readCapture(Buffer.concat([one, other]));
    expect(linkType).toBe('ETHERNET');
    expect(
      packets.map(({ time, linkType: own, tcp: segmentOf }) => [time, own, segmentOf?.sourcePort]),
    ).toEqual([
      [1000n, 1, 40000],
      [1n, 101, 40000],
      [2000n, 101, 40000],
    ]);
  });

  test('with simple packets, which have no time', async () => {
    const file = new PcapngBuilder().section().interface().simplePacket(SYN).build();
    expect((await readCapture(file)).packets).toMatchObject([{ time: 0n, tcp: { sequence: 1 } }]);
  });

  test('with a long comment, which is passed over', async () => {
    const builder = new PcapngBuilder().section().interface().packet(SYN, 1n);
    const file = builder.block(5, Buffer.alloc(3_000_000)).packet(SYN, 2n).build();
    expect((await readCapture(file)).packets).toHaveLength(2);
  });

  test('cut short or damaged gives the packets before and says where', async () => {
    const builder = new PcapngBuilder().section().interface().packet(SYN, 1n);
    const sound = builder.build().length;
    const file = builder.packet(SYN, 2n).build();
    expect(await readCapture(file.subarray(0, -3))).toMatchObject({
      packets: [{ number: 1 }],
      truncated: `the file ends inside a record that starts at byte ${sound}, after packet 1`,
    });
    file.writeUInt32LE(7, sound + 4);
    expect(await readCapture(file)).toMatchObject({
      packets: [{ number: 1 }],
      truncated: `the block at byte ${sound}, after packet 1, has a block length of 7: the file is corrupt`,
    });
  });
});

describe('a gzip-compressed capture', () => {
  const random = pcap(
    Array.from({ length: 2000 }, (_, index) => segment({ sequence: index, payload: randomBytes(200) })),
  );

  test.each([
    ['pcap', random],
    ['pcapng', new PcapngBuilder().section().interface().packet(SYN, 1n).build()],
  ])('%s reads like the file inside', async (_, file) => {
    const read = async (bytes: Uint8Array) =>
      (await readCapture(bytes)).packets.map((packet) => Buffer.from(packet.bytes));
    const [inside, plain] = [await read(gzipSync(file)), await read(file)];
    expect(plain.length).toBeGreaterThan(0);
    expect(Buffer.concat(inside).equals(Buffer.concat(plain))).toBe(true);
  });

  test('cut short gives what came before', async () => {
    const compressed = gzipSync(random);
    const { packets, truncated } = await readCapture(compressed.subarray(0, compressed.length >> 1));
    expect(packets.length).toBeGreaterThan(900);
    expect(truncated).toMatch(/^the gzip stream is damaged \(unexpected end of file\), after packet \d+$/);
  });

  test('damaged inside gives what came before', async () => {
    const compressed = gzipSync(random);
    compressed.fill(0xff, compressed.length >> 1, (compressed.length >> 1) + 4000);
    const { packets, truncated } = await readCapture(compressed);
    expect(packets.length).toBeGreaterThan(500);
    expect(truncated).toBeDefined();
  });

  // Decompressed a quarter of a mebibyte at a time: after the first such piece one byte of the next record is left.
  test('is read on from wherever a piece ends', async () => {
    const frames = Array.from({ length: 20_000 }, (_, index) => {
      const frame = Buffer.alloc(17);
      frame.writeUInt32BE(index, 13);
      return frame;
    });
    const { packets, truncated } = await readCapture(gzipSync(pcap(frames)));
    expect(truncated).toBeUndefined();
    expect(Buffer.concat(packets.map(({ bytes }) => bytes)).equals(Buffer.concat(frames))).toBe(true);
  });

  test('may come in pieces, however small', async () => {
    const file = gzipSync(random);
    async function* pieces() {
      yield file.subarray(0, -1);
      yield file.subarray(-1);
    }
    expect(await readCapture(pieces())).toMatchObject({ packets: { length: 2000 } });
    expect((await readCapture(pieces())).truncated).toBeUndefined();
  });

  test.each([1, 2, 30])('of a capture that ends %d bytes into a record says so', async (bytes) => {
    const file = pcap([SYN, SYN]);
    const second = file.length - 16 - SYN.length;
    const { packets, truncated } = await readCapture(gzipSync(file.subarray(0, second + bytes)));
    expect(packets).toHaveLength(1);
    expect(truncated).toBe(`the file ends inside a record that starts at byte ${second}, after packet 1`);
  });

  test('is not read on where reading has stopped', async () => {
    const file = gzipSync(random);
    let pieces = 0;
    async function* stream() {
      for (let at = 0; at < file.length; at += 4096) {
        pieces++;
        yield file.subarray(at, at + 4096);
      }
    }
    expect((await readCapture(stream(), { maximumPackets: 2 })).packets).toHaveLength(2);
    expect(pieces).toBeLessThan(file.length / 4096 / 2);
  });
});

test('a stream may begin with a piece of one byte, and go on with one of any size', async () => {
  const file = pcap(Array.from({ length: 5000 }, () => segment({ payload: 'x'.repeat(100) })));
  async function* pieces() {
    yield file.subarray(0, 1);
    yield file.subarray(1);
  }
  expect(await readCapture(pieces())).toMatchObject({ packets: { length: 5000 } });
});

test('a small compressed file of many large packets is read as far as memory allows', async () => {
  const frame = segment({ flags: 'A', sequence: 1, payload: '\0'.repeat(50_000) });
  const file = gzipSync(pcap(Array.from({ length: 100 }, () => frame)));
  expect(file.length).toBeLessThan(10_000);
  for (const maximumBytes of [19 * frame.length, 20 * frame.length - 1]) {
    const { packets, truncated } = await readCapture(file, { maximumBytes });
    expect(packets).toHaveLength(19);
    expect(truncated).toBe('stopped after 19 packets, which take all the memory that they may');
  }
});

test('a capture longer than what is kept says so', async () => {
  const capture = await readCapture(pcap([SYN, SYN, SYN]), { maximumPackets: 2 });
  expect(capture.packets).toHaveLength(2);
  expect(capture.truncated).toBe('stopped after 2 packets, the most that are kept');
  const compressed = gzipSync(pcap(Array.from({ length: 50_000 }, () => SYN)));
  expect((await readCapture(compressed, { maximumPackets: 2 })).packets).toHaveLength(2);
});

test('a stream is let go of where reading stops', async () => {
  let isOver = false;
  async function* endless() {
    try {
      yield pcap([SYN]);
      for (;;) yield pcap([SYN]).subarray(24);
    } finally {
      isOver = true;
    }
  }
  expect((await readCapture(endless(), { maximumPackets: 3 })).packets).toHaveLength(3);
  expect(isOver).toBe(true);
});

test('a file that cannot be read is an error of the file system', async () => {
  await expect(readCapture('/nonexistent.pcap')).rejects.toMatchObject({ code: 'ENOENT' });
});

test.each([
  ['', 'the file is empty'],
  ['{"schema": 1}', 'it looks like JSON'],
  ['hello there', 'it looks like text'],
  ['\x7fELF\x02\x01\x01', 'it looks like a program (ELF)'],
  ['\x00\x01\x02\x03\x04', 'it starts with 00010203, which is no magic number of pcap or pcapng'],
])('what is no capture is refused with what it looks like: %j', async (content, message) => {
  const error: unknown = await readCapture(Buffer.from(content, 'latin1')).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(NotACaptureError);
  expect(error).toMatchObject({ message });
});

async function only(frame: Uint8Array, linkType = 1) {
  return (await readCapture(pcap([frame], { linkType }))).packets[0]!;
}

describe('headers', () => {
  const ip = ipv4(6, tcp({}));

  test.each([
    ['raw IP', 101, ip],
    ['raw IP of old BSDs', 12, ip],
    ['raw IPv4', 228, ip],
    ['loopback, little-endian', 0, Buffer.concat([bytesOf('02000000'), ip])],
    ['loopback, big-endian', 0, Buffer.concat([bytesOf('00000002'), ip])],
    ["OpenBSD's loopback", 108, Buffer.concat([bytesOf('00000002'), ip])],
    ['Linux cooked', 113, Buffer.concat([bytesOf('0000 0001 0006 020000000001 0000 0800'), ip])],
    [
      'Linux cooked, version 2',
      276,
      Buffer.concat([bytesOf('0800 0000 00000002 0001 00 06 020000000001 0000'), ip]),
    ],
    ['IEEE 802.3 with SNAP', 1, ethernet(8 + ip.length, Buffer.concat([bytesOf('aaaa03 000000 0800'), ip]))],
    ['MPLS', 1, ethernet(0x8847, Buffer.concat([bytesOf('00010040 00020140'), ip]))],
    [
      'PPPoE',
      1,
      ethernet(0x8864, Buffer.concat([bytesOf(`1100 0001 00${(ip.length + 2).toString(16)} 0021`), ip])),
    ],
  ])('%s', async (_, linkType, frame) => {
    expect(await only(frame, linkType)).toMatchObject({
      ip: { source: '10.0.0.1', destination: '10.0.0.2' },
      tcp: { sourcePort: 40000, payloadLength: 0 },
    });
  });

  test('IPv4 options are no payload', async () => {
    const frame = ethernet(0x0800, ipv4(6, tcp({ payload: 'x' }), { options: [7, 3, 4, 0] }));
    expect((await only(frame)).tcp).toMatchObject({ sourcePort: 40000, payload: Uint8Array.from([0x78]) });
  });

  test('GRE, with a key and without', async () => {
    const inner = ipv4(6, tcp({}), { source: '192.0.2.1' });
    for (const header of ['0000 0800', '2000 0800 00000001']) {
      const packet = await only(ethernet(0x0800, ipv4(47, Buffer.concat([bytesOf(header), inner]))));
      expect(packet.outer).toMatchObject([{ source: '10.0.0.1', protocol: 47 }]);
      expect(packet).toMatchObject({ ip: { source: '192.0.2.1' }, tcp: { sourcePort: 40000 } });
    }
  });

  test('IPv4 fragments, in any order: the last one to come has the payload', async () => {
    const datagram = tcp({ payload: 'x'.repeat(44) });
    const fragments = [
      ipv4(6, datagram.subarray(0, 32), { identification: 7, fragment: 0x2000 }),
      ipv4(6, datagram.subarray(32, 56), { identification: 7, fragment: 0x2000 | 4 }),
      ipv4(6, datagram.subarray(56), { identification: 7, fragment: 7 }),
    ].map((packet) => ethernet(0x0800, checksummed(packet)));
    for (const order of [
      [0, 1, 2],
      [2, 0, 1],
      [2, 1, 0],
    ]) {
      const { packets } = await readCapture(pcap(order.map((index) => fragments[index]!)));
      expect(packets.map((packet) => packet.tcp?.payloadLength)).toEqual([undefined, undefined, 44]);
      expect(packets[0]!.ip!.fragment).toEqual({ offset: [0, 32, 56][order[0]!], more: order[0] !== 2 });
    }
  });

  test('IPv6 fragments', async () => {
    const datagram = tcp({ payload: 'x'.repeat(12) });
    const [source, destination] = [`fd${'0'.repeat(29)}1`, `fd${'0'.repeat(29)}2`];
    const fragments = [
      Buffer.concat([bytesOf('06 00 0001 00000009'), datagram.subarray(0, 16)]),
      Buffer.concat([bytesOf('06 00 0010 00000009'), datagram.subarray(16)]),
    ].map((payload) => ethernet(0x86dd, ipv6(44, payload, source, destination)));
    const { packets } = await readCapture(pcap(fragments));
    expect(packets.map((packet) => packet.tcp?.payloadLength)).toEqual([undefined, 12]);
    expect(packets[0]!.ip).toMatchObject({ identification: 9, fragment: { offset: 0, more: true } });
  });

  test('VLAN and QinQ tags, outermost first', async () => {
    const tagged = ethernet(0x88a8, Buffer.concat([bytesOf('0064 8100 00c8 0800'), ipv4(6, tcp({}))]));
    expect(await only(tagged)).toMatchObject({
      ethernet: { type: 0x0800, vlans: [100, 200] },
      tcp: { sourcePort: 40000 },
    });
  });

  test('ARP', async () => {
    const request = bytesOf('0001 0800 06 04 0001 020000000001 0a000001 000000000000 0a000002');
    expect((await only(ethernet(0x0806, request))).arp).toEqual({
      operation: 'request',
      senderMac: '02:00:00:00:00:01',
      senderAddress: '10.0.0.1',
      targetMac: '00:00:00:00:00:00',
      targetAddress: '10.0.0.2',
    });
  });

  test('IPv6 with extension headers', async () => {
    const address = '20010db8000000000000000000000001';
    const hopByHop = bytesOf('06 00 0104 00000000');
    const packet = await only(
      ethernet(
        0x86dd,
        ipv6(0, Buffer.concat([hopByHop, tcp({ payload: 'ab' })]), address, `${'0'.repeat(31)}1`),
      ),
    );
    expect(packet).toMatchObject({
      ip: { version: 6, source: '2001:db8::1', destination: '::1', protocol: 6 },
      tcp: { payloadLength: 2 },
    });
  });

  test('IP in IP', async () => {
    const inner = ipv4(6, tcp({}), { source: '192.0.2.1', destination: '192.0.2.2' });
    const packet = await only(ethernet(0x0800, ipv4(4, inner, { ttl: 63 })));
    expect(packet.outer).toMatchObject([
      { source: '10.0.0.1', destination: '10.0.0.2', ttl: 63, protocol: 4 },
    ]);
    expect(packet.ip).toMatchObject({ source: '192.0.2.1', destination: '192.0.2.2', ttl: 64, protocol: 6 });
  });

  test('ICMP', async () => {
    expect((await only(ethernet(0x0800, ipv4(1, bytesOf('03 01 0000 00000000'))))).icmp).toEqual({
      type: 3,
      code: 1,
      payload: new Uint8Array(4),
    });
  });

  test('a DNS answer', async () => {
    const message = bytesOf(
      '1234 8180 0001 0001 0000 0000 03777777 076578616d706c65 00 0001 0001 c00c 0001 0001 0000003c 0004 0a000003',
    );
    expect((await only(ethernet(0x0800, ipv4(17, udp(message))))).dns).toEqual({
      id: 0x1234,
      isResponse: true,
      isTruncated: false,
      rcode: 0,
      questions: [{ name: 'www.example', type: 'A' }],
      answers: [{ name: 'www.example', type: 'A', ttl: 60, data: '10.0.0.3' }],
    });
  });

  test('Ethernet padding is no payload', async () => {
    expect((await only(Buffer.concat([segment({}), Buffer.alloc(6)]))).tcp).toMatchObject({
      payloadLength: 0,
    });
  });

  test('a cut short header is named, and nothing is read past it', async () => {
    expect(await only(segment({}).subarray(0, 40))).toMatchObject({
      ip: { protocol: 6 },
      malformed: 'TCP header cut short',
    });
  });
});
