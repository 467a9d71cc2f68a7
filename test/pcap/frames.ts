// One frame at a time, of headers put one behind the other, for tests of what is read of it.
import type { Packet } from '../../src/pcap/index.ts';
import { readCapture } from '../../src/pcap/index.ts';
import { bytesOf, ethernet, ipv4, ipv6, pcap, tcp } from './build.ts';

export async function only(
  frame: Uint8Array,
  { linkType = 1, originalLength = frame.length } = {},
): Promise<Packet> {
  const { packets } = await readCapture(pcap([{ frame, originalLength }], { linkType }));
  return packets[0]!;
}

/** Bytes one after the other: hexadecimal as text. */
export const joined = (...parts: readonly (string | Uint8Array)[]) =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? bytesOf(part) : part)));

export const hex = (value: number) => value.toString(16).padStart(2, '0');
export const A = `20010db8${'0'.repeat(23)}a`;
export const B = `20010db8${'0'.repeat(23)}b`;
export const in4 = (protocol: number, ...parts: readonly (string | Uint8Array)[]) =>
  ethernet(0x0800, ipv4(protocol, joined(...parts)));
export const in6 = (next: number, ...parts: readonly (string | Uint8Array)[]) =>
  ethernet(0x86dd, ipv6(next, joined(...parts), A, B));
export const inside = ipv4(6, tcp({}), { source: '192.0.2.1', destination: '192.0.2.2' });
