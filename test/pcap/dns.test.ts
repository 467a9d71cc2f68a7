// DNS messages at the limits of RFC 1035, and those that lie.
import { describe, expect, test } from 'vitest';
import { readCapture } from '../../src/pcap/index.ts';
import { decodeDns } from '../../src/pcap/dns.ts';
import { bytesOf, ethernet, ipv4, pcap, udp } from './build.ts';

const HEADER_OF = (questions: number, answers: number, flags = '8180') =>
  `1234 ${flags} ${half(questions)} ${half(answers)} 0000 0000`;
const half = (value: number) => value.toString(16).padStart(4, '0');
const label = (text: string) =>
  text.length.toString(16).padStart(2, '0') + Buffer.from(text, 'latin1').toString('hex');
const decode = (...hex: string[]) => decodeDns(bytesOf(hex.join(' ')));

/** A question for A of a name given in hexadecimal. */
const question = (name: string, type = '0001') => decode(HEADER_OF(1, 0), name, type, '0001')!.questions;
/** The root's record of a type. */
const answer = (type: number, data: string) =>
  decode(HEADER_OF(0, 1), '00', half(type), '0001 00000e10', half(bytesOf(data).length), data)!.answers[0];

describe('a header', () => {
  test.each([
    ['0000', { isResponse: false, isTruncated: false, rcode: 0 }],
    ['8000', { isResponse: true, isTruncated: false, rcode: 0 }],
    ['0200', { isResponse: false, isTruncated: true, rcode: 0 }],
    ['8003', { isResponse: true, isTruncated: false, rcode: 3 }],
    ['7def', { isResponse: false, isTruncated: false, rcode: 15 }],
    ['fff0', { isResponse: true, isTruncated: true, rcode: 0 }],
  ])('with flags %s', (flags, said) => {
    expect(decode(HEADER_OF(0, 0, flags))).toEqual({ id: 0x1234, questions: [], answers: [], ...said });
  });

  test('of eleven bytes is none', () => {
    const bytes = bytesOf(HEADER_OF(0, 0));
    expect(decodeDns(bytes.subarray(0, 11))).toBeUndefined();
    expect(decodeDns(bytes)).toBeDefined();
  });
});

describe('a name', () => {
  test.each([
    ['the root', '00', '.'],
    ['two labels', `${label('myapp1')}${label('example')}00`, 'myapp1.example'],
    ['the least and the greatest that is printed', `${label('!~')}00`, '!~'],
    ['what is not printed', `${label(' \x7f\xff\0')}00`, '\\032\\127\\255\\000'],
    ['a dot and a backslash inside a label', `${label('a.b\\c')}00`, 'a\\.b\\\\c'],
    ['a label of 63 bytes', `${label('x'.repeat(63))}00`, 'x'.repeat(63)],
  ])('%s', (_, hex, name) => {
    expect(question(hex)).toEqual([{ name, type: 'A' }]);
  });

  test.each([
    ['a label of 64 bytes', `40${'78'.repeat(64)}00`],
    ['a label of the kind that nobody defined', `80${'78'.repeat(128)}00`],
    ['a pointer to itself', 'c00c'],
    ['a pointer forwards', 'c00e'],
    ['a pointer to a label that leads to it again', `${label('x')}c00c`],
  ])('is not read from %s', (_, hex) => {
    expect(question(hex)).toEqual([]);
  });

  test('has 255 bytes at most, with the lengths of its labels', () => {
    const long = label('x'.repeat(63)).repeat(3);
    expect(question(`${long}${label('y'.repeat(62))}00`)).toHaveLength(1);
    expect(question(`${long}${label('y'.repeat(63))}00`)).toEqual([]);
  });

  test('may go on elsewhere, before it, and what follows it stands behind the pointer', () => {
    const message = decode(
      HEADER_OF(3, 0),
      `${label('a')}${label('b')}00 0001 0001`,
      `c00e 001c 0001`,
      `${label('c')}c00c 0005 0001`,
    );
    expect(message!.questions).toEqual([
      { name: 'a.b', type: 'A' },
      { name: 'b', type: 'AAAA' },
      { name: 'c.a.b', type: 'CNAME' },
    ]);
  });

  test('follows 32 pointers and no more', () => {
    // The data of a record at 23 hold the root, and behind it pointers that each point at what is before; a second record's name is the last.
    const named = (pointers: number) => {
      const chain = Array.from({ length: pointers - 1 }, (_, index) =>
        half(0xc000 | (22 + 2 * index + (index === 0 ? 1 : 0))),
      );
      const data = `00 ${chain.join(' ')}`;
      const last = half(0xc000 | (24 + 2 * (pointers - 2)));
      return decode(
        HEADER_OF(0, 2),
        `00 0010 0001 00000000 ${half(bytesOf(data).length)} ${data}`,
        `${last} 0001 0001 00000000 0004 0a000001`,
      )!.answers;
    };
    expect(named(32)[1]).toMatchObject({ name: '.', data: '10.0.0.1' });
    expect(named(33)).toHaveLength(1);
  });

  test.each([0x100, 0x200, 0x3f00])('may point %d bytes back', (length) => {
    const filler = `00 0010 0001 00000000 ${half(length)} ${'00'.repeat(length)}`;
    const record = `${half(0xc000 | (22 + length))} 0001 0001 00000000 0004 0a000001`;
    expect(decode(HEADER_OF(0, 2), filler, record)!.answers[1]).toMatchObject({
      name: '.',
      data: '10.0.0.1',
    });
  });
});

test('authority records are no answers', () => {
  const record = '00 0001 0001 00000000 0004 0a000001';
  const { answers } = decode('1234 8180 0000 0001 0001 0000', record, record)!;
  expect(answers).toHaveLength(1);
});

describe('a record', () => {
  test.each<[what: string, type: number, data: string, text: string]>([
    ['an address', 1, '0a000001', '10.0.0.1'],
    ['an address of three bytes', 1, '0a0000', '\\# 3 0a0000'],
    ['an address of five bytes', 1, '0a00000102', '\\# 5 0a00000102'],
    ['an address of IPv6', 28, `20010db8${'00'.repeat(11)}01`, '2001:db8::1'],
    ['an address of IPv6 of 15 bytes', 28, '00'.repeat(15), `\\# 15 ${'00'.repeat(15)}`],
    ['a name server', 2, `${label('ns')}00`, 'ns'],
    ['an alias', 5, `${label('www')}c00c`, 'www'],
    ['a pointer to a host', 12, '00', '.'],
    ['an alias that points to itself', 5, 'c017', '\\# 2 c017'],
    ['a text', 16, '026869', '\\# 3 026869'],
    ['nothing', 16, '', '\\# 0 '],
  ])('of %s', (_, type, data, text) => {
    expect(answer(type, data)).toMatchObject({ name: '.', ttl: 3600, data: text });
  });

  test('of a pointer without its second byte is none', () => {
    const { answers } = decode('0000 8180 0000 0001 0000 0000', '00 0005 0001 00000000 0001 c0')!;
    expect(answers[0]!.data).toBe('\\# 1 c0');
  });

  test('has its time to live as an unsigned number', () => {
    const { answers } = decode(HEADER_OF(0, 1), '00 0001 0001 ffffffff 0004 0a000001')!;
    expect(answers[0]!.ttl).toBe(4_294_967_295);
  });

  test.each([
    [1, 'A'],
    [2, 'NS'],
    [5, 'CNAME'],
    [6, 'SOA'],
    [12, 'PTR'],
    [15, 'MX'],
    [16, 'TXT'],
    [28, 'AAAA'],
    [33, 'SRV'],
    [41, 'OPT'],
    [64, 'SVCB'],
    [65, 'HTTPS'],
    [255, 'ANY'],
    [99, 'TYPE99'],
  ])('of type %d is %s', (type, name) => {
    expect(question('00', half(type))).toEqual([{ name: '.', type: name }]);
  });
});

test('a message cut at any place has what is whole of it', () => {
  // A question of 7 bytes, and two records of 16.
  const bytes = bytesOf(
    `${HEADER_OF(1, 2)} ${label('a')}00 0001 0001 c00c 0001 0001 00000000 0004 0a000001 c00c 0001 0001 00000000 0004 0a000002`,
  );
  const counts = Array.from({ length: bytes.length + 1 }, (_, length) => {
    const message = decodeDns(bytes.subarray(0, length));
    return message && `${message.questions.length} ${message.answers.length}`;
  });
  const expected = (from: number, to: number, text: string | undefined) =>
    Array.from({ length: to - from }, () => text);
  expect(counts).toEqual([
    ...expected(0, 12, undefined),
    ...expected(12, 19, '0 0'),
    ...expected(19, 35, '1 0'),
    ...expected(35, 51, '1 1'),
    ...expected(51, 52, '1 2'),
  ]);
});

test('DNS is what comes from or goes to its ports, multicast DNS among them', async () => {
  const message = bytesOf(HEADER_OF(0, 0));
  const ports: readonly (readonly [number, number])[] = [
    [40000, 53],
    [53, 40000],
    [5353, 5353],
    [40000, 5353],
    [5353, 40000],
    [40000, 54],
    [5354, 52],
  ];
  const frames = ports.map(([sourcePort, destinationPort]) =>
    ethernet(0x0800, ipv4(17, udp(message, { sourcePort, destinationPort }))),
  );
  const { packets } = await readCapture(pcap(frames));
  expect(packets.map(({ dns }) => dns !== undefined)).toEqual([true, true, true, true, true, false, false]);
});
