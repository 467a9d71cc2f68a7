import { expect, test, describe } from 'vitest';
import { NotACaptureError, readCapture } from '../../src/pcap/index.ts';
import { bytesOf, ethernet, ipv4, ipv6, pcap, segment, tcp, udp } from './build.ts';

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
