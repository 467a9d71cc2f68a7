// What IP does beyond one header: routing headers that name another destination, and datagrams that come in fragments.
import { describe, expect, test } from 'vitest';
import { readCapture } from '../../src/pcap/index.ts';
import { bytesOf, checksummed, ethernet, ipv4, ipv6, pcap, tcp, udp } from './build.ts';

const address = (last: string) => `20010db8${last.padStart(24, '0')}`;
const [A, B] = ['a', 'b'].map(address) as [string, string];
const C = '20010db81122334455667788990000cc';
const D = '20010db81122334455667788990000dd';
const hex = (value: number) => value.toString(16).padStart(2, '0');

async function read(...frames: readonly Uint8Array[]) {
  return (await readCapture(pcap(frames))).packets;
}

describe('a routing header', () => {
  /** With TCP behind it, from A to B. */
  const routed = (type: number, left: number, stops: readonly string[], rest = '') => {
    const body = bytesOf(`${hex(type)} ${hex(left)} 00000000 ${stops.join('')} ${rest}`);
    const length = hex((body.length + 2 - 8) / 8);
    return ethernet(0x86dd, ipv6(43, Buffer.concat([bytesOf(`06 ${length}`), body, tcp({})]), A, B));
  };

  test.each([
    [
      'of type 0 (RFC 2460): the last that it lists',
      routed(0, 1, [C, D]),
      '2001:db8:1122:3344:5566:7788:9900:dd',
    ],
    ['of type 0 with one stop', routed(0, 1, [C]), '2001:db8:1122:3344:5566:7788:9900:cc'],
    [
      'of type 0 with something behind its stops',
      routed(0, 1, [C], '0000000000000000'),
      '2001:db8:1122:3344:5566:7788:9900:cc',
    ],
    ['of type 2 (RFC 6275): the home address', routed(2, 1, [C]), '2001:db8:1122:3344:5566:7788:9900:cc'],
    [
      'of segment routing (RFC 8754): the first that it lists',
      routed(4, 1, [C, D]),
      '2001:db8:1122:3344:5566:7788:9900:cc',
    ],
    ['with no stop left: where the IP header says', routed(0, 0, [C]), undefined],
    ['without a whole address', routed(0, 1, [], '0000000000000000'), undefined],
    ['of RPL, type 3 (RFC 6554), which compresses its addresses', routed(3, 1, [C]), undefined],
    ['of type 1, which is Nimrod’s', routed(1, 1, [C]), undefined],
    ['of type 5, which nobody has', routed(5, 1, [C]), undefined],
  ])('%s', async (_, frame, finalDestination) => {
    const [packet] = await read(frame);
    expect(packet!.ip).toMatchObject({ destination: '2001:db8::b', protocol: 6 });
    expect(packet!.ip!.finalDestination).toBe(finalDestination);
    expect(packet!.tcp).toMatchObject({ sourcePort: 40000, payloadLength: 0 });
  });

  test('that was cut short says nothing; just whole it does', async () => {
    const frame = routed(0, 1, [C]);
    const [cut, whole] = await read(frame.subarray(0, 54 + 23), frame.subarray(0, 54 + 24));
    expect(cut!.ip!.finalDestination).toBeUndefined();
    expect(whole!.ip!.finalDestination).toBe('2001:db8:1122:3344:5566:7788:9900:cc');
  });

  test('of one packet says nothing of the next', async () => {
    const plain = ethernet(0x86dd, ipv6(6, tcp({}), A, B));
    const [, next] = await read(routed(0, 1, [C]), plain);
    expect(next!.ip!.finalDestination).toBeUndefined();
  });
});

test.each([
  ['an authentication header (RFC 4302)', 51, '06 04 0000 00000001 00000002 000000000000000000000000'],
  ['destination options', 60, '06 00 0104 00000000'],
  ['a mobility header (RFC 6275)', 135, '06 00 0000 00000000'],
  ['an atomic fragment (RFC 6946)', 44, '06 00 0000 00000007'],
])('IPv6 with %s', async (_, next, header) => {
  const payload = Buffer.concat([bytesOf(header), tcp({ payload: 'ab' })]);
  const [packet] = await read(ethernet(0x86dd, ipv6(next, payload, A, B)));
  expect(packet!.ip).toMatchObject({ protocol: 6, source: '2001:db8::a', destination: '2001:db8::b' });
  expect(packet!.tcp).toMatchObject({ sourcePort: 40000, payloadLength: 2, payload: { length: 2 } });
  expect(packet!.malformed).toBeUndefined();
});

test('an authentication header of IPv4 is passed over', async () => {
  const header = bytesOf('11 04 0000 00000001 00000002 000000000000000000000000');
  const [packet] = await read(ethernet(0x0800, ipv4(51, Buffer.concat([header, udp(Buffer.from('xy'))]))));
  expect(packet).toMatchObject({ ip: { protocol: 17 }, udp: { sourcePort: 40000, payloadLength: 2 } });
});

describe('a datagram in fragments', () => {
  const datagram = tcp({ payload: 'x'.repeat(44) });
  const piece = (from: number, to: number, options: object = {}) =>
    ipv4(6, datagram.subarray(from, to), {
      identification: 7,
      fragment: (to < datagram.length ? 0x2000 : 0) | (from / 8),
      ...options,
    });
  const framed = (packet: Uint8Array) => ethernet(0x0800, packet);

  test.each(['10.0.0.1', '10.255.255.254', '255.255.0.1', '0.0.0.1', '128.128.128.128', '254.253.252.251'])(
    'is put together where the header checksums are right: from %s',
    async (source) => {
      const pieces = [piece(0, 32, { source }), piece(32, 64, { source })];
      const [, last] = await read(...pieces.map((packet) => framed(checksummed(packet))));
      expect(last!.tcp).toMatchObject({ payloadLength: 44, payload: new Uint8Array(44).fill(0x78) });
      expect(last!.tcp!.isAnalysed).toBeUndefined();
    },
  );

  test.each([1, 0x0100, 0xffff])('and not where one is wrong, by %d', async (by) => {
    const [first, second] = [checksummed(piece(0, 32)), checksummed(piece(32, 64))];
    second.writeUInt16BE((second.readUInt16BE(10) + by + (by === 0xffff ? -1 : 0)) & 0xffff, 10);
    const [, last] = await read(framed(first), framed(second));
    expect(last!.tcp).toBeUndefined();
  });

  test('that was cut by the snapshot length shows its ports, in its first fragment alone', async () => {
    const records = [piece(0, 32), piece(32, 64)].map((packet) => {
      const frame = framed(checksummed(packet));
      return { frame: frame.subarray(0, -1), originalLength: frame.length };
    });
    const { packets } = await readCapture(pcap(records));
    expect(packets[0]!.tcp).toMatchObject({ sourcePort: 40000, payloadLength: 12, isAnalysed: false });
    expect(packets[1]!.tcp).toBeUndefined();
  });

  test('with a damaged header shows its ports too', async () => {
    const [first] = await read(framed(piece(0, 32)), framed(piece(32, 64)));
    expect(first!.tcp).toMatchObject({ sourcePort: 40000, isAnalysed: false });
  });

  test('leaves no mark on the packet after it', async () => {
    const [, next] = await read(framed(piece(0, 32)), framed(ipv4(6, tcp({}))));
    expect(next!.ip!.fragment).toBeUndefined();
    expect(next!.tcp!.isAnalysed).toBeUndefined();
  });

  test('is read through the headers inside it', async () => {
    const inner = Buffer.concat([
      bytesOf('06 04 0000 00000001 00000002 000000000000000000000000'),
      tcp({ payload: 'x'.repeat(20) }),
    ]);
    const pieces = [
      ipv4(51, inner.subarray(0, 40), { identification: 9, fragment: 0x2000 }),
      ipv4(51, inner.subarray(40), { identification: 9, fragment: 5 }),
    ];
    const [first, last] = await read(...pieces.map((packet) => framed(checksummed(packet))));
    expect(first!.tcp).toBeUndefined();
    expect(last!.tcp).toMatchObject({ sourcePort: 40000, payloadLength: 20 });
  });

  test('is told from another by its identification', async () => {
    const pieceOf = (letter: string, identification: number, from: number, to: number) => {
      const whole = tcp({ payload: letter.repeat(44) });
      const fragment = (to < 64 ? 0x2000 : 0) | (from / 8);
      return framed(checksummed(ipv4(6, whole.subarray(from, to), { identification, fragment })));
    };
    const packets = await read(
      pieceOf('a', 7, 0, 32),
      pieceOf('b', 8, 0, 32),
      pieceOf('a', 7, 32, 64),
      pieceOf('b', 8, 32, 64),
    );
    const payloads = packets.map(({ tcp: own }) => own && Buffer.from(own.payload).toString());
    expect(payloads).toEqual([undefined, undefined, 'a'.repeat(44), 'b'.repeat(44)]);
  });

  test('in two pieces, the first of eight bytes', async () => {
    const pieces = [piece(0, 8), piece(8, 64)].map((packet) => framed(checksummed(packet)));
    const [first, last] = await read(...pieces);
    expect([first!.tcp, last!.tcp?.payloadLength]).toEqual([undefined, 44]);
  });

  test('of eight bytes each', async () => {
    const pieces = Array.from({ length: 8 }, (_, index) =>
      framed(checksummed(piece(index * 8, index * 8 + 8))),
    );
    const packets = await read(...pieces);
    expect(packets.map(({ ip }) => ip!.fragment)).toEqual(
      pieces.map((_, index) => ({ offset: index * 8, more: index < 7 })),
    );
    expect(packets.at(-1)!.tcp).toMatchObject({ payloadLength: 44 });
  });

  test('of IPv6: named by what it carries, put together, and never read in part', async () => {
    const fragments = [
      `06 00 0001 0a000009 ${datagram.subarray(0, 32).toString('hex')}`,
      `06 00 0020 0a000009 ${datagram.subarray(32).toString('hex')}`,
    ].map((text) => ethernet(0x86dd, ipv6(44, bytesOf(text), A, B)));
    const [first, last] = await read(...fragments);
    expect(first!.ip).toMatchObject({
      protocol: 6,
      identification: 0x0a000009,
      fragment: { offset: 0, more: true },
    });
    expect(last!.ip).toMatchObject({ protocol: 6, fragment: { offset: 32, more: false } });
    expect([first!.tcp, last!.tcp?.payloadLength]).toEqual([undefined, 44]);
    const cut = fragments.map((frame) => ({ frame: frame.subarray(0, -1), originalLength: frame.length }));
    const { packets } = await readCapture(pcap(cut));
    expect(packets.map((packet) => packet.tcp)).toEqual([undefined, undefined]);
  });

  test('of IPv6 with options inside: only the unfragmented headers are followed', async () => {
    const [first] = await read(
      ethernet(0x86dd, ipv6(44, bytesOf('3c 00 0001 00000009 0600010400000000'), A, B)),
    );
    expect(first!.ip).toMatchObject({ protocol: 60, fragment: { offset: 0, more: true } });
    const [last] = await read(
      ethernet(0x86dd, ipv6(44, bytesOf('3c 00 0008 00000009 0600010400000000'), A, B)),
    );
    expect(last!.ip).toMatchObject({ protocol: 60, fragment: { offset: 8, more: false } });
    expect(last!.tcp).toBeUndefined();
  });
});
