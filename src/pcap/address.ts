// Addresses as text: IPv4 dotted, IPv6 as RFC 5952 wants it, MACs with colons.
import { int32, uint16, uint32 } from './frame.ts';

// A network's few addresses stand in all its packets: each is made once, and comparing two is then comparing references.
const MACS = new Map<number, string>();
const IPV4 = new Map<number, string>();
const KEPT = 4096;

function keep(texts: Map<number, string>, key: number, text: string): string {
  if (texts.size === KEPT) texts.clear();
  texts.set(key, text);
  return text;
}

export function ipv4(bytes: Uint8Array, at: number): string {
  const word = int32(bytes, at);
  return IPV4.get(word) ?? keep(IPV4, word, fromWord(word));
}

export function ipv6(bytes: Uint8Array, at: number): string {
  return fromWords(int32(bytes, at), int32(bytes, at + 4), int32(bytes, at + 8), int32(bytes, at + 12));
}

/** The IPv4 address that a Frame holds as a big-endian word. */
export function fromWord(word: number): string {
  return `${word >>> 24}.${(word >>> 16) & 0xff}.${(word >>> 8) & 0xff}.${word & 0xff}`;
}

/** RFC 5952: lower case, no leading zeros, the first longest run of two or more zero groups as `::`. */
export function fromWords(...words: readonly [number, number, number, number]): string {
  const groups = words.flatMap((word) => [word >>> 16, word & 0xffff]);
  let best = 0;
  let bestLength = 1;
  let length = 0;
  groups.forEach((group, index) => {
    length = group === 0 ? length + 1 : 0;
    if (length <= bestLength) return;
    best = index + 1 - length;
    bestLength = length;
  });
  if (best === 0 && bestLength === 5 && groups[5] === 0xffff) return `::ffff:${fromWord(words[3])}`;
  const text = (from: number, to?: number) =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':');
  return bestLength === 1 ? text(0) : `${text(0, best)}::${text(best + bestLength)}`;
}

export function mac(bytes: Uint8Array, at: number): string {
  const key = uint16(bytes, at) * 2 ** 32 + uint32(bytes, at + 2);
  return MACS.get(key) ?? keep(MACS, key, macText(bytes, at));
}

function macText(bytes: Uint8Array, at: number): string {
  let text = HEX[bytes[at]!]!;
  for (let index = 1; index < 6; index++) text += `:${HEX[bytes[at + index]!]!}`;
  return text;
}

const HEX = Array.from({ length: 256 }, (_, value) => value.toString(16).padStart(2, '0'));
