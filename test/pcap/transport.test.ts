// What is read of TCP, UDP and ICMP headers at the edges: one byte too few, lengths that lie.
import { describe, expect, test } from 'vitest';
import { Frame } from '../../src/pcap/frame.ts';
import { decodeIcmp, decodeTcp, decodeUdp } from '../../src/pcap/transport.ts';
import { bytesOf, tcp, udp } from './build.ts';

/** Bytes in front, which are not to be read. */
const AT = 50;

interface Given {
  /** Bytes captured; all when left out. */
  readonly captured?: number;
  /** Bytes sent; all when left out. */
  readonly sent?: number;
  readonly ipVersion?: 4 | 6;
  readonly isPart?: boolean;
}

function decoded(
  decode: typeof decodeTcp,
  header: Uint8Array,
  { captured = header.length, sent = header.length, ipVersion = 4, isPart = false }: Given = {},
): Frame {
  const bytes = Buffer.concat([Buffer.alloc(AT, 0xff), header, Buffer.alloc(50, 0xff)]);
  const frame = new Frame();
  frame.ipVersion = ipVersion;
  frame.isPart = isPart;
  frame.payloadCaptured = -1;
  decode(frame, bytes, AT, AT + captured, sent);
  return frame;
}

describe('a TCP segment', () => {
  const segment = tcp({
    payload: 'hello',
    sequence: 0x8000_0001,
    acknowledgment: 2,
    window: 77,
    flags: 'PA',
  });
  const withOffset = (words: number) => {
    const bytes = Buffer.from(segment);
    bytes[12] = words << 4;
    return bytes;
  };

  test.each<[string, Uint8Array, Given, Partial<Frame>]>([
    [
      'whole',
      segment,
      {},
      {
        kind: 'tcp',
        sequence: 0x8000_0001 | 0,
        acknowledgment: 2,
        window: 77,
        flags: 0x18,
        payload: AT + 20,
        payloadLength: 5,
        payloadCaptured: 5,
        isCounted: true,
        isAnalysed: true,
        windowScale: -1,
        malformed: undefined,
      },
    ],
    [
      'whose payload was captured in part',
      segment,
      { captured: 23 },
      { payloadLength: 5, payloadCaptured: 3, isCounted: true },
    ],
    [
      'whose header alone was captured',
      segment,
      { captured: 20 },
      { payloadLength: 5, payloadCaptured: 0, isCounted: true, malformed: undefined },
    ],
    [
      'cut short before its header ends',
      segment,
      { captured: 19 },
      {
        kind: 'tcp',
        payloadCaptured: 0,
        isCounted: false,
        isAnalysed: true,
        malformed: 'TCP options cut short',
      },
    ],
    [
      'cut short after what is needed',
      segment,
      { captured: 16 },
      { kind: 'tcp', window: 77, isCounted: false },
    ],
    ['cut short before', segment, { captured: 15 }, { kind: 'none', malformed: 'TCP header cut short' }],
    ['that is part of a datagram', segment, { isPart: true }, { isCounted: true, isAnalysed: false }],
    [
      'whose header is too short',
      withOffset(4),
      {},
      { isCounted: false, isAnalysed: true, payloadCaptured: 0, malformed: 'TCP header length 16' },
    ],
    [
      'that is shorter than its header',
      withOffset(7),
      {},
      {
        isCounted: false,
        isAnalysed: false,
        payloadCaptured: 0,
        malformed: 'TCP segment shorter than its header',
      },
    ],
    [
      'that is as long as its header',
      segment,
      { sent: 20, captured: 20 },
      { isCounted: true, isAnalysed: true, payloadLength: 0 },
    ],
    [
      'that is said to be shorter than it is',
      segment,
      { sent: 19 },
      { isCounted: false, payloadCaptured: 0, malformed: 'TCP segment shorter than its header' },
    ],
  ])('%s', (_, bytes, given, expected) => {
    expect(decoded(decodeTcp, bytes, given)).toMatchObject(expected);
  });

  test.each<[string, readonly number[], number]>([
    ['none', [], -1],
    ['at the beginning', [3, 3, 7, 0], 7],
    ['of 0', [3, 3, 0, 0], 0],
    ['at the end', [1, 3, 3, 7], 7],
    ['after others', [2, 4, 5, 180, 1, 3, 3, 9], 9],
    ['after others with gaps', [1, 1, 4, 2, 1, 3, 3, 9], 9],
    ['over 14, which is the most there is (RFC 7323 section 2.3)', [1, 3, 3, 15], 14],
    ['of 14', [1, 3, 3, 14], 14],
    ['after the end of options', [0, 3, 3, 7], -1],
    ['after the end of options, which has no length', [0, 2, 3, 3, 7, 0, 0, 0], -1],
    ['after an option without a length', [1, 5, 0, 1, 3, 3, 7, 0], -1],
    ['after an option whose length is 1', [5, 1, 3, 3, 7, 0, 0, 0], -1],
    ['after an option that goes past the end', [5, 9, 1, 1, 3, 3, 7, 0], -1],
    ['of another length', [3, 4, 7, 7], -1],
    ['of another kind', [4, 3, 7, 0], -1],
    ['cut after its kind', [1, 1, 1, 3], -1],
    ['cut after its length', [1, 1, 3, 3], -1],
  ])('with a window scale %s', (_, options, expected) => {
    // Behind the options are bytes that would be read as a scale.
    const syn = Buffer.concat([tcp({ flags: 'S', options }), Buffer.from([3, 3, 5])]);
    expect(decoded(decodeTcp, syn).windowScale).toBe(expected);
    expect(decoded(decodeTcp, tcp({ flags: 'S', options })).windowScale).toBe(expected);
  });

  test('without SYN has no window scale', () => {
    expect(decoded(decodeTcp, tcp({ flags: 'FRPAUEC', options: [1, 3, 3, 7] })).windowScale).toBe(-1);
    expect(decoded(decodeTcp, tcp({ flags: 'SA', options: [1, 3, 3, 7] })).windowScale).toBe(7);
  });
});

describe('a UDP datagram', () => {
  const datagram = (length: number) => {
    const bytes = udp(Buffer.from('hello'), { sourcePort: 0x0102, destinationPort: 0x0304 });
    bytes.writeUInt16BE(length, 4);
    return bytes;
  };

  test.each<[string, Uint8Array, Given, Partial<Frame>]>([
    [
      'whole',
      datagram(13),
      {},
      {
        kind: 'udp',
        sourcePort: 0x0102,
        destinationPort: 0x0304,
        payload: AT + 8,
        payloadLength: 5,
        payloadCaptured: 5,
        isCounted: true,
        malformed: undefined,
      },
    ],
    [
      'captured in part',
      datagram(13),
      { captured: 10 },
      { payloadLength: 5, payloadCaptured: 2, isCounted: true },
    ],
    [
      'of which the header was captured',
      datagram(13),
      { captured: 8 },
      { payloadLength: 5, payloadCaptured: 0 },
    ],
    ['cut short', datagram(13), { captured: 7 }, { kind: 'none', malformed: 'UDP header cut short' }],
    ['with bytes behind it', datagram(10), {}, { payloadLength: 2, payloadCaptured: 2 }],
    [
      'without payload',
      datagram(8),
      {},
      { payloadLength: 0, payloadCaptured: 0, isCounted: true, malformed: undefined },
    ],
    [
      'that is shorter than its header',
      datagram(7),
      {},
      { payloadLength: 0, payloadCaptured: 0, isCounted: false, malformed: 'UDP length 7' },
    ],
    [
      'that is longer than its packet',
      datagram(90),
      { captured: 13 },
      { payloadLength: 5, payloadCaptured: 5, isCounted: true },
    ],
    [
      'of no length over IPv4',
      datagram(0),
      {},
      { payloadLength: 0, isCounted: false, malformed: 'UDP length 0' },
    ],
    [
      'of no length over IPv6: a jumbogram',
      datagram(0),
      { ipVersion: 6 },
      { payloadLength: 5, payloadCaptured: 5, isCounted: true, malformed: undefined },
    ],
    ['over IPv6', datagram(10), { ipVersion: 6 }, { payloadLength: 2, isCounted: true }],
  ])('%s', (_, bytes, given, expected) => {
    expect(decoded(decodeUdp, bytes, given)).toMatchObject(expected);
  });
});

describe('an ICMP message', () => {
  test.each<[string, string, Partial<Frame>]>([
    [
      'whole',
      '0800 0000 12345678',
      { kind: 'icmp', transport: AT, payload: AT + 4, payloadLength: 4, payloadCaptured: 4 },
    ],
    [
      'of nothing but its header',
      '0800 0000',
      { kind: 'icmp', payload: AT + 4, payloadLength: 0, malformed: undefined },
    ],
    ['cut short', '0800 00', { kind: 'none', malformed: 'ICMP header cut short' }],
  ])('%s', (_, hex, expected) => {
    expect(decoded(decodeIcmp, bytesOf(hex))).toMatchObject(expected);
  });
});
