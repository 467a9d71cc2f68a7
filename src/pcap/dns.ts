// DNS messages (RFC 1035 section 4) of one UDP datagram: header, questions and answers. Answers of types without a
// text form here are given in hexadecimal, as RFC 3597 does.
import { ipv4, ipv6 } from './address.ts';
import { uint16, uint32 } from './frame.ts';

export interface DnsQuestion {
  readonly name: string;
  /** A mnemonic such as `A`, or `TYPE65` (RFC 3597 section 5). */
  readonly type: string;
}

export interface DnsRecord extends DnsQuestion {
  /** Seconds. */
  readonly ttl: number;
  readonly data: string;
}

export interface DnsMessage {
  readonly id: number;
  readonly isResponse: boolean;
  /** Response code: 0 no error, 3 no such name (RFC 1035 section 4.1.1). */
  readonly rcode: number;
  readonly isTruncated: boolean;
  readonly questions: readonly DnsQuestion[];
  readonly answers: readonly DnsRecord[];
}

const TYPES: Readonly<Record<number, string>> = {
  1: 'A',
  2: 'NS',
  5: 'CNAME',
  6: 'SOA',
  12: 'PTR',
  15: 'MX',
  16: 'TXT',
  28: 'AAAA',
  33: 'SRV',
  41: 'OPT',
  64: 'SVCB',
  65: 'HTTPS',
  255: 'ANY',
};

/** A chain of pointers to pointers makes reading a name long and says nothing. */
const MAXIMUM_POINTERS = 32;

/** @returns what is whole of the message; undefined when not even its header is */
export function decodeDns(bytes: Uint8Array): DnsMessage | undefined {
  if (bytes.length < 12) return undefined;
  const questions: DnsQuestion[] = [];
  const answers: DnsRecord[] = [];
  const flags = uint16(bytes, 2);
  const message = {
    id: uint16(bytes, 0),
    isResponse: (flags & 0x8000) !== 0,
    rcode: flags & 0x0f,
    isTruncated: (flags & 0x0200) !== 0,
    questions,
    answers,
  };
  let at = 12;
  for (let count = uint16(bytes, 4); count > 0; count--) {
    const name = readName(bytes, at);
    if (name === undefined || name.end + 4 > bytes.length) return message;
    questions.push({ name: name.text, type: typeName(uint16(bytes, name.end)) });
    at = name.end + 4;
  }
  for (let count = uint16(bytes, 6); count > 0; count--) {
    const name = readName(bytes, at);
    if (name === undefined) return message;
    const type = uint16(bytes, name.end);
    const start = name.end + 10;
    const end = start + uint16(bytes, name.end + 8);
    if (end > bytes.length) return message;
    const ttl = uint32(bytes, name.end + 4);
    answers.push({ name: name.text, type: typeName(type), ttl, data: readData(bytes, type, start, end) });
    at = end;
  }
  return message;
}

function typeName(type: number): string {
  return TYPES[type] ?? `TYPE${type}`;
}

/**
 * A domain name without its final dot (the root is `.`). Compression pointers (RFC 1035 section 4.1.4) must point
 * backwards, which also ends every loop, and a few must do; a name has at most 255 bytes.
 */
function readName(bytes: Uint8Array, start: number): { text: string; end: number } | undefined {
  const labels: string[] = [];
  let at = start;
  let end: number | undefined;
  let lowest = start;
  let length = 0;
  let pointers = 0;
  for (;;) {
    if (at >= bytes.length) return undefined;
    const size = bytes[at]!;
    if (size === 0) {
      end ??= at + 1;
      return { text: labels.length === 0 ? '.' : labels.join('.'), end };
    }
    if ((size & 0xc0) === 0xc0) {
      if (at + 1 >= bytes.length) return undefined;
      const target = uint16(bytes, at) & 0x3fff;
      if (target >= lowest || ++pointers > MAXIMUM_POINTERS) return undefined;
      end ??= at + 2;
      lowest = at = target;
      continue;
    }
    length += size + 1;
    if (size > 63 || length > 255) return undefined;
    labels.push(labelText(bytes, at + 1, size));
    at += 1 + size;
  }
}

/** Bytes that are not printable, and dots inside a label, as RFC 1035 section 5.1 escapes them. */
function labelText(bytes: Uint8Array, at: number, size: number): string {
  let text = '';
  for (let index = at; index < at + size; index++) {
    const code = bytes[index]!;
    if (code < 0x21 || code > 0x7e) text += `\\${String(code).padStart(3, '0')}`;
    else if (code === 0x2e || code === 0x5c) text += `\\${String.fromCharCode(code)}`;
    else text += String.fromCharCode(code);
  }
  return text;
}

function readData(bytes: Uint8Array, type: number, at: number, end: number): string {
  const size = end - at;
  if (type === 1 && size === 4) return ipv4(bytes, at);
  if (type === 28 && size === 16) return ipv6(bytes, at);
  if (type === 2 || type === 5 || type === 12) {
    const name = readName(bytes, at);
    if (name !== undefined) return name.text;
  }
  return `\\# ${size} ${Buffer.from(bytes.subarray(at, end)).toString('hex')}`;
}
