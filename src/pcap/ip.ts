// IPv4 (RFC 791) and IPv6 (RFC 8200) headers, with options and extension headers, and the tunnels that carry IP in IP:
// IPIP (RFC 2003), 6in4 (RFC 4213) and GRE (RFC 2784, RFC 2890). Fragments go to fragments.ts and come back whole.
import type { Fragments } from './fragments.ts';
import type { Frame } from './frame.ts';
import { int32, MAXIMUM_TUNNELS, uint16 } from './frame.ts';
import { decodeNetwork } from './link.ts';
import { decodeIcmp, decodeTcp, decodeUdp } from './transport.ts';

const HOP_BY_HOP = 0;
const ICMP = 1;
const IPV4_INSIDE = 4;
const TCP = 6;
const UDP = 17;
const IPV6_INSIDE = 41;
const ROUTING = 43;
const FRAGMENT = 44;
const GRE = 47;
const AUTHENTICATION = 51;
const ICMPV6 = 58;
const DESTINATION_OPTIONS = 60;
const MOBILITY = 135;

/**
 * Reads the IP header at `at` and all that it carries.
 * @param end where the captured bytes end in `bytes`
 * @param sent how many bytes there were on the wire from `at` on
 */
export function decodeIp(
  frame: Frame,
  version: number,
  bytes: Uint8Array,
  at: number,
  end: number,
  sent: number,
  fragments: Fragments | undefined,
): void {
  if (frame.ipCount === MAXIMUM_TUNNELS) {
    frame.malformed = `more than ${MAXIMUM_TUNNELS} IP headers inside one another`;
    return;
  }
  if (version === 4) decodeIpv4(frame, bytes, at, end, sent, fragments);
  else decodeIpv6(frame, bytes, at, end, sent, fragments);
}

function decodeIpv4(
  frame: Frame,
  bytes: Uint8Array,
  at: number,
  end: number,
  sent: number,
  fragments: Fragments | undefined,
): void {
  if (end - at < 20) return malformed(frame, 'IPv4 header cut short');
  const version = bytes[at]! >> 4;
  if (version !== 4) return malformed(frame, `IPv4 header with version ${version}`);
  const headerLength = (bytes[at]! & 0x0f) << 2;
  if (headerLength < 20) return malformed(frame, `IPv4 header length ${headerLength}`);
  // A sender that leaves segmentation to its network card may write 0 into the total length: the frame's own then counts.
  let length = uint16(bytes, at + 2) || sent;
  if (length < headerLength) return malformed(frame, `IPv4 total length ${length}`);
  // The total length also cuts off Ethernet padding and trailers.
  if (length > sent) length = sent;
  const fragment = uint16(bytes, at + 6);
  frame.addIp(bytes, at);
  frame.ipVersion = 4;
  frame.protocol = bytes[at + 9]!;
  frame.identification = uint16(bytes, at + 4);
  frame.source0 = int32(bytes, at + 12);
  frame.destination0 = int32(bytes, at + 16);
  frame.moreFragments = (fragment & 0x2000) !== 0;
  frame.fragmentOffset = (fragment & 0x1fff) << 3;
  if (end > at + length) end = at + length;
  if (end < at + headerLength) return malformed(frame, 'IPv4 options cut short');
  // Nearly every packet: straight on.
  if (frame.protocol === TCP && (fragment & 0x3fff) === 0)
    return decodeTcp(frame, bytes, at + headerLength, end, length - headerLength);
  decodePayload(frame, frame.protocol, bytes, at + headerLength, end, length - headerLength, fragments);
}

function decodeIpv6(
  frame: Frame,
  bytes: Uint8Array,
  at: number,
  end: number,
  sent: number,
  fragments: Fragments | undefined,
): void {
  if (end - at < 40) return malformed(frame, 'IPv6 header cut short');
  const version = bytes[at]! >> 4;
  if (version !== 6) return malformed(frame, `IPv6 header with version ${version}`);
  // 0 is a jumbogram (RFC 2675) or segmentation left to the network card.
  let length = 40 + uint16(bytes, at + 4);
  if (length === 40 || length > sent) length = sent;
  if (end > at + length) end = at + length;
  frame.addIp(bytes, at);
  frame.ipVersion = 6;
  frame.source0 = int32(bytes, at + 8);
  frame.source1 = int32(bytes, at + 12);
  frame.source2 = int32(bytes, at + 16);
  frame.source3 = int32(bytes, at + 20);
  frame.destination0 = int32(bytes, at + 24);
  frame.destination1 = int32(bytes, at + 28);
  frame.destination2 = int32(bytes, at + 32);
  frame.destination3 = int32(bytes, at + 36);
  frame.moreFragments = false;
  frame.fragmentOffset = 0;
  frame.fragmentHeader = -1;

  let next = bytes[at + 6]!;
  let offset = at + 40;
  const packetEnd = at + length;
  for (;;) {
    frame.protocol = next;
    if (
      next !== HOP_BY_HOP &&
      next !== ROUTING &&
      next !== FRAGMENT &&
      next !== DESTINATION_OPTIONS &&
      next !== MOBILITY &&
      next !== AUTHENTICATION
    )
      break;
    if (end - offset < 8) return malformed(frame, 'IPv6 extension header cut short');
    const kind = next;
    next = bytes[offset]!;
    if (kind === FRAGMENT) {
      const place = uint16(bytes, offset + 2);
      frame.moreFragments = (place & 1) !== 0;
      frame.fragmentOffset = place & 0xfff8;
      frame.identification = int32(bytes, offset + 4) >>> 0;
      frame.fragmentHeader = offset;
      offset += 8;
      if (frame.moreFragments || frame.fragmentOffset !== 0) {
        frame.protocol = next;
        break;
      }
    } else {
      if (kind === ROUTING) followRoute(frame, bytes, offset, end);
      offset += kind === AUTHENTICATION ? (bytes[offset + 1]! + 2) << 2 : (bytes[offset + 1]! + 1) << 3;
    }
    if (offset > end) return malformed(frame, 'IPv6 extension header cut short');
  }
  decodePayload(frame, frame.protocol, bytes, offset, end, packetEnd - offset, fragments);
}

function decodePayload(
  frame: Frame,
  protocol: number,
  bytes: Uint8Array,
  at: number,
  end: number,
  sent: number,
  fragments: Fragments | undefined,
): void {
  if (frame.moreFragments || frame.fragmentOffset !== 0) {
    const isWhole = end - at >= sent && (frame.ipVersion === 6 || isChecksumRight(frame));
    if (isWhole) {
      const datagram = fragments?.add(frame, bytes, at, sent);
      if (datagram === undefined) return;
      bytes = datagram;
      at = 0;
      end = sent = datagram.length;
    } else {
      // It cannot be put together, but an IPv4 datagram's first fragment has the ports.
      if (frame.fragmentOffset !== 0 || frame.ipVersion === 6) return;
      frame.isPart = true;
    }
    frame.moreFragments = false;
    frame.fragmentOffset = 0;
  }
  switch (protocol) {
    case TCP:
      return decodeTcp(frame, bytes, at, end, sent);
    case UDP:
      return decodeUdp(frame, bytes, at, end, sent);
    case ICMP:
    case ICMPV6:
      return decodeIcmp(frame, bytes, at, end);
    case IPV4_INSIDE:
      return decodeIp(frame, 4, bytes, at, end, sent, fragments);
    case IPV6_INSIDE:
      return decodeIp(frame, 6, bytes, at, end, sent, fragments);
    case GRE:
      return decodeGre(frame, bytes, at, end, sent, fragments);
    case AUTHENTICATION: {
      const length = (bytes[at + 1]! + 2) << 2;
      if (end - at < length) return malformed(frame, 'authentication header cut short');
      frame.protocol = bytes[at]!;
      return decodePayload(frame, frame.protocol, bytes, at + length, end, sent - length, fragments);
    }
    default:
  }
}

/**
 * A routing header with stops left (type 0, RFC 2460; type 2, RFC 6275; segment routing, RFC 8754) names the final
 * destination, and that is the one a connection goes to.
 */
function followRoute(frame: Frame, bytes: Uint8Array, at: number, end: number): void {
  const length = (bytes[at + 1]! + 1) << 3;
  const type = bytes[at + 2]!;
  if (bytes[at + 3] === 0 || length < 24 || end - at < length) return;
  if (type !== 0 && type !== 2 && type !== 4) return;
  // Segment routing lists the last stop first.
  const last = type === 4 ? at + 8 : at + 8 + ((length - 24) & ~15);
  frame.isRouted = true;
  frame.destination0 = int32(bytes, last);
  frame.destination1 = int32(bytes, last + 4);
  frame.destination2 = int32(bytes, last + 8);
  frame.destination3 = int32(bytes, last + 12);
}

/** RFC 1071. A fragment with a damaged header is not put together, just as its receiver would not. */
function isChecksumRight(frame: Frame): boolean {
  const bytes = frame.ipBuffers[frame.ipCount - 1]!;
  const at = frame.ipOffsets[frame.ipCount - 1]!;
  const length = (bytes[at]! & 0x0f) << 2;
  let sum = 0;
  for (let index = 0; index < length; index += 2) sum += uint16(bytes, at + index);
  // A right sum is a multiple of 0xffff, of which one addition of the carries leaves just that.
  return (sum & 0xffff) + (sum >>> 16) === 0xffff;
}

function decodeGre(
  frame: Frame,
  bytes: Uint8Array,
  at: number,
  end: number,
  sent: number,
  fragments: Fragments | undefined,
): void {
  if (end - at < 4) return malformed(frame, 'GRE header cut short');
  const flags = uint16(bytes, at);
  if ((flags & 0x0007) !== 0) return; // version 1 is PPTP's (RFC 2637), which carries PPP
  if ((flags & 0x4000) !== 0) return malformed(frame, 'GRE source route (RFC 1701) is not decoded');
  let length = 4;
  if ((flags & 0x8000) !== 0) length += 4;
  if ((flags & 0x2000) !== 0) length += 4;
  if ((flags & 0x1000) !== 0) length += 4;
  if (end - at < length) return malformed(frame, 'GRE header cut short');
  decodeNetwork(frame, uint16(bytes, at + 2), bytes, at + length, end, sent - length, fragments);
}

function malformed(frame: Frame, why: string): void {
  frame.malformed = why;
}
