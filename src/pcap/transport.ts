// TCP (RFC 9293), UDP (RFC 768) and ICMP headers. Payloads are only located here; http.ts and dns.ts read them.
import type { Frame } from './frame.ts';
import { int32, SYN, uint16 } from './frame.ts';

/** @param sent how many bytes the segment had on the wire, `at` to `end` being what was captured of it */
export function decodeTcp(frame: Frame, bytes: Uint8Array, at: number, end: number, sent: number): void {
  if (end - at < 16) {
    frame.malformed = 'TCP header cut short';
    return;
  }
  const headerLength = (bytes[at + 12]! >> 4) << 2;
  frame.kind = 'tcp';
  if (frame.transportBytes !== bytes) frame.transportBytes = bytes;
  frame.transport = at;
  frame.sourcePort = uint16(bytes, at);
  frame.destinationPort = uint16(bytes, at + 2);
  frame.sequence = int32(bytes, at + 4);
  frame.acknowledgment = int32(bytes, at + 8);
  frame.flags = bytes[at + 13]!;
  frame.window = uint16(bytes, at + 14);
  frame.windowScale = -1;
  frame.payload = at + headerLength;
  frame.payloadLength = sent - headerLength;
  frame.payloadCaptured = Math.max(0, end - frame.payload);
  const isSound = headerLength >= 20 && sent >= headerLength;
  frame.isCounted = isSound && end >= frame.payload;
  frame.isAnalysed = sent >= headerLength && !frame.isPart;
  if (!isSound) {
    frame.malformed =
      headerLength < 20 ? `TCP header length ${headerLength}` : 'TCP segment shorter than its header';
    frame.payloadCaptured = 0;
  } else if (!frame.isCounted) {
    frame.malformed = 'TCP options cut short';
  } else if ((frame.flags & SYN) !== 0) {
    frame.windowScale = windowScale(bytes, at + 20, frame.payload);
  }
}

function windowScale(bytes: Uint8Array, at: number, end: number): number {
  while (at < end) {
    const kind = bytes[at]!;
    if (kind === 0) break;
    if (kind === 1) {
      at++;
      continue;
    }
    const length = bytes[at + 1] ?? 0;
    if (length < 2 || at + length > end) break;
    if (kind === 3 && length === 3) return Math.min(bytes[at + 2]!, 14);
    at += length;
  }
  return -1;
}

export function decodeUdp(frame: Frame, bytes: Uint8Array, at: number, end: number, sent: number): void {
  if (end - at < 8) {
    frame.malformed = 'UDP header cut short';
    return;
  }
  frame.kind = 'udp';
  frame.transportBytes = bytes;
  frame.transport = at;
  frame.sourcePort = uint16(bytes, at);
  frame.destinationPort = uint16(bytes, at + 2);
  const said = uint16(bytes, at + 4);
  // Over IPv6 0 is a jumbogram (RFC 2675 section 4).
  const length = said === 0 && frame.ipVersion === 6 ? sent : said;
  frame.payload = at + 8;
  frame.isCounted = length >= 8;
  if (length < 8) frame.malformed = `UDP length ${length}`;
  frame.payloadLength = Math.max(0, Math.min(length, sent) - 8);
  frame.payloadCaptured = Math.min(end - frame.payload, frame.payloadLength);
}

export function decodeIcmp(frame: Frame, bytes: Uint8Array, at: number, end: number): void {
  if (end - at < 4) {
    frame.malformed = 'ICMP header cut short';
    return;
  }
  frame.kind = 'icmp';
  frame.transportBytes = bytes;
  frame.transport = at;
  frame.payload = Math.min(at + 4, end);
  frame.payloadLength = frame.payloadCaptured = end - frame.payload;
}
