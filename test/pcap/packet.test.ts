// A packet kept: what it owns, and what of it is found again.
import { expect, test } from 'vitest';
import { packetNumbered, readCapture } from '../../src/pcap/index.ts';
import { bytesOf, ethernet, ipv4, ipv6, pcap, segment, tcp } from './build.ts';

const [a, b] = ['a', 'b'].map((last) => `20010db8${'0'.repeat(23)}${last}`) as [string, string];

async function only(frame: Uint8Array, linkType = 1) {
  const { packets } = await readCapture(pcap([frame], { linkType }));
  return packets[0]!;
}

test.each([
  [1, 'request'],
  [2, 'reply'],
  [3, 3],
  [0, 0],
])('ARP operation %d is %s', async (operation, said) => {
  const packet = bytesOf(`0001 0800 06 04 000${operation} 020000000001 0a000001 020000000003 0a000002`);
  expect((await only(ethernet(0x0806, packet))).arp).toEqual({
    operation: said,
    senderMac: '02:00:00:00:00:01',
    senderAddress: '10.0.0.1',
    targetMac: '02:00:00:00:00:03',
    targetAddress: '10.0.0.2',
  });
});

test.each([
  ['another protocol than IPv4', '0001 86dd 06 04'],
  ['hardware addresses of another length', '0001 0800 08 04'],
  ['protocol addresses of another length', '0001 0800 06 10'],
])('ARP for %s is not read', async (_, head) => {
  const packet = await only(ethernet(0x0806, bytesOf(`${head} 0001 ${'00'.repeat(40)}`)));
  expect(packet.arp).toBeUndefined();
  expect(packet.malformed).toBe('ARP packet cut short, or not for IPv4 over Ethernet');
});

test('each TCP flag is its own bit', async () => {
  const letters = { F: 'fin', S: 'syn', R: 'rst', P: 'psh', A: 'ack', U: 'urg', E: 'ece', C: 'cwr' };
  const { packets } = await readCapture(pcap(Object.keys(letters).map((flags) => segment({ flags }))));
  expect(
    packets.map(({ tcp: own }) =>
      Object.entries(own!.flags).flatMap(([name, isSet]) => (isSet ? [name] : [])),
    ),
  ).toEqual(Object.values(letters).map((name) => [name]));
});

test.each<[what: string, options: string, read: object]>([
  [
    'all that are read',
    '020405b4 01 030307 080a0000000900000008 0101',
    { mss: 1460, windowScale: 7, timestamps: { value: 9, echo: 8 } },
  ],
  [
    'timestamps beyond 2^31',
    '080affffffff80000000 0000',
    { timestamps: { value: 4_294_967_295, echo: 2_147_483_648 } },
  ],
  ['a scale beyond 14 (RFC 7323 section 2.3)', '03030f 00', { windowScale: 14 }],
  ['a scale of 14', '03030e 00', { windowScale: 14 }],
  ['what nobody knows, passed over', 'fd04ffff 020405b4', { mss: 1460 }],
  ['the end before others', '0002 020405b4 0000', {}],
  ['a length of 0', 'fd00 020405b4 0000', {}],
  ['a length of 1', 'fd01 020405b4 0000', {}],
  ['a length beyond the header', 'fd05 0000', {}],
  ['a length just to the header’s end', 'fd04 0000', {}],
  ['a kind without a length at the end', '010101 02', {}],
  ['a segment size of another length', '0203 05 00', {}],
  ['a scale of another length', '0304 0707', {}],
  ['timestamps of another length', '0806 00000009 0000', {}],
  ['an option that fills the header to its end', '0101 0101 020405b4', { mss: 1460 }],
])('TCP options: %s', async (_, options, read) => {
  const made = tcp({ flags: 'S', options: [...bytesOf(options)], payload: 'x' });
  const { tcp: own } = await only(ethernet(0x0800, ipv4(6, made)));
  const { mss, windowScale, timestamps } = own!;
  expect({ mss, windowScale, timestamps }).toEqual({
    mss: undefined,
    windowScale: undefined,
    timestamps: undefined,
    ...read,
  });
  expect(own!.payload).toEqual(Uint8Array.of(0x78));
});

test('a payload that looks like an option is none', async () => {
  for (const options of [[], [1, 1, 1, 2], [1, 1, 1, 8]]) {
    const payload = Uint8Array.of(4, 2, 4, 5, 180, 0, 0, 0, 0, 0);
    for (const from of [0, 1]) {
      const made = tcp({ flags: 'S', options, payload: payload.subarray(from) });
      expect((await only(ethernet(0x0800, ipv4(6, made)))).tcp!.mss).toBeUndefined();
    }
  }
});

test('a segment cut inside its options shows those that came', async () => {
  const frame = ethernet(0x0800, ipv4(6, tcp({ flags: 'S', options: [2, 4, 5, 180, 3, 3, 7, 0] })));
  const { tcp: own } = await only(frame.subarray(0, 34 + 20 + 6));
  expect(own).toMatchObject({ mss: 1460, isCounted: false });
  expect(own!.windowScale).toBeUndefined();
});

test('a segment that says less than its header has no payload, and is not analysed', async () => {
  const frame = Buffer.from(segment({}));
  frame.writeUInt8(0x60, 46);
  expect((await only(frame)).tcp).toMatchObject({ payloadLength: 0, isCounted: false, isAnalysed: false });
  expect((await only(segment({}))).tcp).not.toHaveProperty('isCounted');
  expect((await only(segment({}))).tcp).not.toHaveProperty('isAnalysed');
});

test('a frame without a link header has no Ethernet; without IP neither outer headers nor an inner one', async () => {
  const raw = await only(ipv4(6, tcp({})), 101);
  expect([raw.ethernet, raw.outer]).toEqual([undefined, []]);
  const other = await only(ethernet(0x88cc, Buffer.alloc(4)));
  expect([other.ethernet!.type, other.ethernet!.vlans, other.ip, other.outer]).toEqual([
    0x88cc,
    [],
    undefined,
    [],
  ]);
});

test('the fragment header of a tunnel is not that of what it carries, nor its protocol', async () => {
  // An atomic fragment (RFC 6946) that carries an IPv6 packet.
  const inner = ipv6(6, tcp({}), b, a);
  const packet = await only(
    ethernet(0x86dd, ipv6(44, Buffer.concat([bytesOf('29 00 0000 00000007'), inner]), a, b)),
  );
  expect(packet.outer).toEqual([
    {
      version: 6,
      source: '2001:db8::a',
      destination: '2001:db8::b',
      ttl: 64,
      protocol: 44,
      totalLength: 108,
    },
  ]);
  expect(packet.ip).toEqual({
    version: 6,
    source: '2001:db8::b',
    destination: '2001:db8::a',
    ttl: 64,
    protocol: 6,
    totalLength: 60,
  });
});

test('an atomic fragment says so', async () => {
  const packet = await only(
    ethernet(0x86dd, ipv6(44, Buffer.concat([bytesOf('06 00 0000 00000007'), tcp({})]), a, b)),
  );
  expect(packet.ip).toMatchObject({ identification: 7, fragment: { offset: 0, more: false } });
});

test('packets are found by their numbers, also where some were left out', async () => {
  const { packets } = await readCapture(pcap(Array.from({ length: 9 }, () => segment({}))));
  for (let number = 1; number <= 9; number++)
    expect(packetNumbered(packets, number)).toBe(packets[number - 1]);
  const kept = packets.filter(({ number }) => number % 3 !== 1);
  for (let number = 0; number <= 10; number++)
    expect(packetNumbered(kept, number)?.number).toBe(
      [2, 3, 5, 6, 8, 9].includes(number) ? number : undefined,
    );
  expect(packetNumbered([], 1)).toBeUndefined();
});
