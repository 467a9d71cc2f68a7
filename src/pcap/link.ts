// What lies under IP: Ethernet with its tags, raw IP, loopback and Linux cooked headers.
// It finds the network-layer header and hands it on; of the link it keeps addresses, type and VLAN tags.
import type { Frame } from './frame.ts';
import { int32, uint16 } from './frame.ts';
import { decodeIp } from './ip.ts';
import type { Fragments } from './fragments.ts';

const IPV4 = 0x0800;
const ARP = 0x0806;
const VLAN = 0x8100;
const IPV6 = 0x86dd;
const MPLS = 0x8847;
const MPLS_UPSTREAM = 0x8848;
const PPPOE_SESSION = 0x8864;
const PROVIDER_VLAN = 0x88a8;
const OLD_PROVIDER_VLAN = 0x9100;

/** Names as the registry of link types has them without the LINKTYPE_ prefix. */
const LINK_TYPES: Readonly<Record<number, string>> = {
  0: 'NULL',
  1: 'ETHERNET',
  12: 'RAW',
  14: 'RAW',
  101: 'RAW',
  108: 'LOOP',
  113: 'LINUX_SLL',
  228: 'IPV4',
  229: 'IPV6',
  276: 'LINUX_SLL2',
};

/** `NONE` for -1: a pcapng file without interfaces. */
export function linkTypeName(linkType: number): string {
  if (linkType < 0) return 'NONE';
  return LINK_TYPES[linkType] ?? `LINKTYPE ${linkType}`;
}

/** Takes the frame apart from its link type down. Never throws; what it could not read is in `frame.malformed`. */
export function decodeFrame(frame: Frame, fragments: Fragments | undefined): void {
  const { bytes, start, end } = frame;
  switch (frame.linkType) {
    case 1:
      return decodeEthernet(frame, bytes, start, end, frame.originalLength, fragments);
    case 12:
    case 14:
    case 101:
    case 228:
    case 229:
      return decodeRawIp(frame, start, fragments);
    case 0:
    case 108: {
      // The address family is in the byte order of the machine that captured (NULL) or of the network (LOOP), and the
      // number for IPv6 differs between systems: 10, 24, 28 or 30. The IP version says it more surely.
      if (end - start < 4) return short(frame, 'loopback header');
      const family = int32(bytes, start);
      const isLarge = family >>> 16 !== 0;
      const value = isLarge ? (family >>> 24) | ((family >>> 8) & 0xff00) : family;
      if (value === 2 || value === 10 || value === 24 || value === 28 || value === 30)
        return decodeRawIp(frame, start + 4, fragments);
      return;
    }
    case 113:
      if (end - start < 16) return short(frame, 'Linux cooked header');
      return decodeNetwork(
        frame,
        uint16(bytes, start + 14),
        bytes,
        start + 16,
        end,
        frame.originalLength - 16,
        fragments,
      );
    case 276:
      if (end - start < 20) return short(frame, 'Linux cooked header');
      return decodeNetwork(
        frame,
        uint16(bytes, start),
        bytes,
        start + 20,
        end,
        frame.originalLength - 20,
        fragments,
      );
    default:
      frame.malformed = `link type ${frame.linkType} is not decoded`;
  }
}

function decodeEthernet(
  frame: Frame,
  bytes: Uint8Array,
  at: number,
  end: number,
  sent: number,
  fragments: Fragments | undefined,
): void {
  if (end - at < 14) return short(frame, 'Ethernet header');
  frame.ethernet = at;
  const type = uint16(bytes, at + 12);
  if (type === IPV4) {
    frame.etherType = type;
    return decodeIp(frame, 4, bytes, at + 14, end, sent - 14, fragments);
  }
  decodeNetwork(frame, type, bytes, at + 14, end, sent - 14, fragments);
}

/**
 * Reads what an EtherType announces: VLAN tags, SNAP, ARP, IP.
 * @param end where the captured bytes end in `bytes`
 * @param sent how many bytes there were on the wire from `at` on
 */
export function decodeNetwork(
  frame: Frame,
  type: number,
  bytes: Uint8Array,
  at: number,
  end: number,
  sent: number,
  fragments: Fragments | undefined,
): void {
  while (type === VLAN || type === PROVIDER_VLAN || type === OLD_PROVIDER_VLAN) {
    if (end - at < 4) return short(frame, 'VLAN tag');
    if (frame.vlanCount < frame.vlans.length) frame.vlans[frame.vlanCount++] = uint16(bytes, at) & 0x0fff;
    type = uint16(bytes, at + 2);
    at += 4;
    sent -= 4;
  }
  // Up to 1500 it is a length (IEEE 802.3), and the type stands in the SNAP header (RFC 1042).
  if (type <= 1500 && end - at >= 8 && bytes[at] === 0xaa && bytes[at + 1] === 0xaa && bytes[at + 2] === 3) {
    sent = Math.min(sent, type);
    end = Math.min(end, at + sent);
    if ((int32(bytes, at + 3) & ~0xff) !== 0) return;
    type = uint16(bytes, at + 6);
    at += 8;
    sent -= 8;
  }
  frame.etherType = type;
  if (type === IPV4) {
    decodeIp(frame, 4, bytes, at, end, sent, fragments);
  } else if (type === IPV6) {
    decodeIp(frame, 6, bytes, at, end, sent, fragments);
  } else if (type === ARP) {
    frame.kind = 'arp';
    frame.arp = at;
  } else if (type === MPLS || type === MPLS_UPSTREAM) {
    decodeMpls(frame, bytes, at, end, sent, fragments);
  } else if (type === PPPOE_SESSION && end - at >= 8) {
    // RFC 2516 section 4: the length in its header cuts off padding; then PPP's protocol number.
    const length = Math.min(uint16(bytes, at + 4), sent - 6);
    const version = PPP_IP[uint16(bytes, at + 6)];
    const payloadEnd = Math.min(end, at + 6 + length);
    if (version !== undefined) decodeIp(frame, version, bytes, at + 8, payloadEnd, length - 2, fragments);
  }
}

/** PPP's numbers for the two IP versions (RFC 1332, RFC 5072). */
const PPP_IP: Readonly<Record<number, 4 | 6>> = { 0x0021: 4, 0x0057: 6 };

/** A label stack (RFC 3032) does not say what is under it; IP is known by its version. */
function decodeMpls(
  frame: Frame,
  bytes: Uint8Array,
  at: number,
  end: number,
  sent: number,
  fragments: Fragments | undefined,
): void {
  for (let isBottom = false; !isBottom; at += 4, sent -= 4) {
    if (end - at < 4) return short(frame, 'MPLS label');
    isBottom = (bytes[at + 2]! & 1) !== 0;
  }
  if (at >= end) return;
  const version = bytes[at]! >> 4;
  if (version === 4 || version === 6) decodeIp(frame, version, bytes, at, end, sent, fragments);
}

function decodeRawIp(frame: Frame, at: number, fragments: Fragments | undefined): void {
  const { bytes, end } = frame;
  if (at >= end) return short(frame, 'IP header');
  const version = bytes[at]! >> 4;
  if (version !== 4 && version !== 6) {
    frame.malformed = `IP version ${version}`;
    return;
  }
  decodeIp(frame, version, bytes, at, end, frame.originalLength - (at - frame.start), fragments);
}

function short(frame: Frame, what: string): void {
  frame.malformed = `${what} cut short`;
}
