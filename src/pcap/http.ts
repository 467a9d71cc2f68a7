// HTTP/1 messages (RFC 9112) in a direction's byte stream: start lines and headers as sent, bodies by their framing.
// Bodies are left as they are on the wire, compressed or not. Lines are limited to LINE_LIMIT and headers to
// HEADER_LIMIT bytes; what is longer is no message here, and reading goes on at the next start line.
import { createHash } from 'node:crypto';
import type { Piece } from './stream.ts';

/** A start line or header line may have this many bytes. */
export const LINE_LIMIT = 64 * 1024;
/** Start line and headers together, with their line ends, counted as two bytes each. */
export const HEADER_LIMIT = 256 * 1024;
/** This much of a body is kept; its length and digest count all of it. */
export const BODY_LIMIT = 1024 * 1024;

export interface HttpMessage {
  /** The whole start line as sent, without its line end. */
  readonly startLine: string;
  /** Requests only. */
  readonly method?: string;
  readonly target?: string;
  /** `HTTP/1.0` or `HTTP/1.1`. */
  readonly version: string;
  /** Responses only. */
  readonly status?: number;
  readonly reason?: string;
  /** As sent, in order, each byte a character (latin1). */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** The packets it came in. */
  readonly packets: readonly number[];
  /** Times of its first byte's packet and of the last packet it took, in nanoseconds since the epoch. */
  readonly firstTime: bigint;
  readonly lastTime: bigint;
  /** Of the body without its transfer coding, as far as it was captured. */
  readonly bodyLength: number;
  /** At most BODY_LIMIT bytes; undefined where there is no body. */
  readonly body?: Uint8Array;
  /** SHA-1 of the whole body in hexadecimal; undefined where there is no body. */
  readonly bodyDigest?: string;
  /** Whether headers and body were captured to their end. */
  readonly complete: boolean;
}

export interface HttpExchange {
  readonly request?: HttpMessage;
  readonly response?: HttpMessage;
}

const REQUEST = /^([!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}) (\S+) (HTTP\/1\.[01])$/;
const RESPONSE = /^(HTTP\/1\.[01]) (\d{3})(?: (.*))?$/s;

/**
 * Reads both directions of a connection and pairs them: the nth answer belongs to the nth request (RFC 9112 section 9.3).
 * @param isClosedByServer whether the server's FIN was captured, which ends a body without a length
 * @param most messages that are read in each direction
 */
export function readExchanges(
  toServer: readonly Piece[],
  toClient: readonly Piece[],
  isClosedByServer: boolean,
  most: number,
): HttpExchange[] {
  const requests = new MessageReader(toServer, false).read([], false, most);
  const methods = requests.map((request) => request.method!);
  const responses = new MessageReader(toClient, true).read(methods, isClosedByServer, most);
  const exchanges: HttpExchange[] = [];
  for (let index = 0; index < Math.max(requests.length, responses.length); index++)
    exchanges.push({ request: requests[index], response: responses[index] });
  return exchanges;
}

class MessageReader {
  readonly #pieces: readonly Piece[];
  readonly #isResponse: boolean;
  /** The place that comes next: a piece, and the byte in it. */
  #piece = 0;
  #byte = 0;
  /** Packets that the current message took. */
  #packets: number[] = [];
  #firstTime: bigint | undefined;
  #lastTime = 0n;
  /** Set when a gap was met. */
  #isGap = false;
  #viewed: Uint8Array | undefined;
  #buffer: Buffer | undefined;

  constructor(pieces: readonly Piece[], isResponse: boolean) {
    this.#pieces = pieces;
    this.#isResponse = isResponse;
  }

  /** @param methods of the requests that the responses answer */
  read(methods: readonly string[], isClosed: boolean, most: number): HttpMessage[] {
    const messages: HttpMessage[] = [];
    while (messages.length < most && this.#findStart()) {
      this.#packets = [];
      this.#firstTime = undefined;
      this.#lastTime = 0n;
      const message = this.#readMessage(methods[messages.length], isClosed);
      if (message === undefined) {
        // No start line after all, or too long a one: go on with the packet after it, which a gap has led to already.
        if (!this.#isGap) this.#piece++;
        this.#byte = 0;
      } else if (message.status === undefined || message.status >= 200 || message.status === 101) {
        messages.push(message);
      }
      // Interim answers (1xx) are not the answer (RFC 9110 section 15.2).
    }
    return messages;
  }

  /** Goes to where a message starts: here, or after a gap or something unknown at the start of a later packet. */
  #findStart(): boolean {
    for (; this.#piece < this.#pieces.length; this.#piece++, this.#byte = 0) {
      const { bytes } = this.#pieces[this.#piece]!;
      // A robust reader skips empty lines before a start line (RFC 9112 section 2.2).
      while (bytes[this.#byte] === 13 || bytes[this.#byte] === 10) this.#byte++;
      if (this.#byte < bytes.length && this.#looksLikeStart()) return true;
    }
    return false;
  }

  #looksLikeStart(): boolean {
    const text = this.#view().toString('latin1', this.#byte, this.#byte + 16);
    return this.#isResponse ? 'HTTP/1.'.startsWith(text.slice(0, 7)) : /^[A-Z-]+( |$)/.test(text);
  }

  #readMessage(method: string | undefined, isClosed: boolean): HttpMessage | undefined {
    this.#isGap = false;
    const startLine = this.#line() ?? '';
    const match = (this.#isResponse ? RESPONSE : REQUEST).exec(startLine);
    if (match === null) return undefined;
    const headers: [string, string][] = [];
    let isWhole = false;
    for (let size = startLine.length + 2; size <= HEADER_LIMIT;) {
      const line = this.#line();
      if (line === undefined) break;
      if (line === '') {
        isWhole = true;
        break;
      }
      size += line.length + 2;
      const colon = line.indexOf(':');
      if (colon < 0) headers.push([line, '']);
      else headers.push([line.slice(0, colon), trim(line.slice(colon + 1))]);
    }
    const status = this.#isResponse ? Number(match[2]) : undefined;
    const body = new Body();
    const complete = isWhole && this.#readBody(headers, status, method, isClosed, body);
    const message = {
      startLine,
      ...(status === undefined
        ? { method: match[1]!, target: match[2]!, version: match[3]! }
        : { version: match[1]!, status, reason: match[3] ?? '' }),
      headers,
      packets: this.#packets,
      firstTime: this.#firstTime!,
      lastTime: this.#lastTime,
      ...body.result(),
      complete,
    };
    return message;
  }

  /** Message body length, RFC 9112 section 6.3. Returns whether the body is whole. */
  #readBody(
    headers: readonly (readonly [string, string])[],
    status: number | undefined,
    method: string | undefined,
    isClosed: boolean,
    body: Body,
  ): boolean {
    const value = (name: string) => headers.findLast(([header]) => header.toLowerCase() === name)?.[1];
    if (status !== undefined) {
      if (method === 'HEAD' || status < 200 || status === 204 || status === 304) return true;
      // What follows is a tunnel's.
      if (method === 'CONNECT' && status < 300) return this.#skipAll();
    }
    const coding = value('transfer-encoding');
    if (coding !== undefined && /(^|,)\s*chunked\s*$/i.test(coding)) return this.#chunks(body);
    const length = value('content-length');
    if (coding === undefined && length !== undefined && /^\d{1,15}$/.test(length))
      return this.#take(Number(length), body);
    if (status === undefined) return true;
    this.#take(Number.POSITIVE_INFINITY, body);
    return isClosed && !this.#isGap;
  }

  #chunks(body: Body): boolean {
    for (;;) {
      const size = /^\s*([0-9a-f]{1,12})\s*(?:;|$)/i.exec(this.#line() ?? '');
      if (size === null) return false;
      const length = Number.parseInt(size[1]!, 16);
      if (length === 0) {
        for (let trailer = this.#line(); trailer !== ''; trailer = this.#line())
          if (trailer === undefined) return false;
        return true;
      }
      // A chunk that is cut short has no line end after it either.
      this.#take(length, body);
      if (this.#line() !== '') return false;
    }
  }

  #skipAll(): boolean {
    this.#piece = this.#pieces.length;
    return true;
  }

  /** Moves to the next byte that there is. False at a gap and at the end; a gap stops everything until #findStart. */
  #advance(): boolean {
    while (!this.#isGap && this.#piece < this.#pieces.length) {
      const { bytes, offset } = this.#pieces[this.#piece]!;
      if (this.#byte < bytes.length) return true;
      const next = this.#pieces[this.#piece + 1];
      if (next !== undefined && next.offset !== offset + bytes.length) this.#isGap = true;
      this.#piece++;
      this.#byte = 0;
    }
    return false;
  }

  #note(): void {
    const { packet } = this.#pieces[this.#piece]!;
    if (this.#packets.at(-1) !== packet.number) this.#packets.push(packet.number);
    this.#firstTime ??= packet.time;
    if (packet.time > this.#lastTime) this.#lastTime = packet.time;
  }

  /** The current piece's bytes: a piece has many lines. */
  #view(): Buffer {
    const { bytes } = this.#pieces[this.#piece]!;
    if (this.#viewed !== bytes) {
      this.#viewed = bytes;
      this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    }
    return this.#buffer!;
  }

  /** A line without its end, CRLF or LF; undefined when it is not there whole or too long. */
  #line(): string | undefined {
    let text = '';
    while (this.#advance()) {
      this.#note();
      const bytes = this.#view();
      const limit = Math.min(bytes.length, this.#byte + LINE_LIMIT + 1 - text.length);
      const end = bytes.indexOf(10, this.#byte);
      const isEnded = end >= 0 && end < limit;
      text += bytes.toString('latin1', this.#byte, isEnded ? end : limit);
      if (isEnded) {
        this.#byte = end + 1;
        return text.endsWith('\r') ? text.slice(0, -1) : text;
      }
      if (text.length > LINE_LIMIT) return undefined;
      this.#byte = limit;
    }
    return undefined;
  }

  /** Adds up to `length` bytes to the body. Returns whether there were so many. */
  #take(length: number, body: Body): boolean {
    while (length > 0) {
      if (!this.#advance()) return false;
      this.#note();
      const { bytes } = this.#pieces[this.#piece]!;
      const part = bytes.subarray(this.#byte, this.#byte + length);
      body.add(part);
      this.#byte += part.length;
      length -= part.length;
    }
    return true;
  }
}

class Body {
  readonly #parts: Uint8Array[] = [];
  #length = 0;
  #hash: ReturnType<typeof createHash> | undefined;

  add(bytes: Uint8Array): void {
    this.#hash ??= createHash('sha1');
    this.#hash.update(bytes);
    const room = BODY_LIMIT - this.#length;
    if (room > 0) this.#parts.push(bytes.subarray(0, room));
    this.#length += bytes.length;
  }

  result(): { bodyLength: number; body?: Uint8Array; bodyDigest?: string } {
    if (this.#hash === undefined) return { bodyLength: 0 };
    return {
      bodyLength: this.#length,
      body: Buffer.concat(this.#parts),
      bodyDigest: this.#hash.digest('hex'),
    };
  }
}

/**
 * Optional whitespace around a field value is no part of it (RFC 9110 section 5.5): spaces and tabs. A regular expression
 * would take quadratic time over a value full of them.
 */
function trim(value: string): string {
  let start = 0;
  let end = value.length;
  while (isBlank(value.charCodeAt(start))) start++;
  while (isBlank(value.charCodeAt(end - 1))) end--;
  return value.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
