// Addresses as text: IPv4 dotted, IPv6 as RFC 5952 wants it, MACs with colons.

export function ipv4(bytes: Uint8Array, at: number): string {
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;
}

/** RFC 5952: lower case, no leading zeros, the first longest run of two or more zero groups as `::`. */
export function ipv6(bytes: Uint8Array, at: number): string {
  const groups: number[] = [];
  for (let index = 0; index < 8; index++)
    groups.push((bytes[at + 2 * index]! << 8) | bytes[at + 2 * index + 1]!);
  let best = -1;
  let bestLength = 1;
  for (let index = 0; index < 8; index++) {
    let length = 0;
    while (groups[index + length] === 0) length++;
    if (length > bestLength) {
      best = index;
      bestLength = length;
    }
    if (length > 0) index += length - 1;
  }
  const isMapped = best === 0 && bestLength === 5 && groups[5] === 0xffff;
  if (isMapped) return `::ffff:${ipv4(bytes, at + 12)}`;
  const text = (from: number, to: number) =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':');
  return best < 0 ? text(0, 8) : `${text(0, best)}::${text(best + bestLength, 8)}`;
}

export function mac(bytes: Uint8Array, at: number): string {
  let text = HEX[bytes[at]!]!;
  for (let index = 1; index < 6; index++) text += `:${HEX[bytes[at + index]!]!}`;
  return text;
}

const HEX = Array.from({ length: 256 }, (_, value) => value.toString(16).padStart(2, '0'));

/** The address that a Frame holds as big-endian words. */
export function fromWords(
  version: number,
  word0: number,
  word1: number,
  word2: number,
  word3: number,
): string {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, word0);
  view.setInt32(4, word1);
  view.setInt32(8, word2);
  view.setInt32(12, word3);
  return version === 4 ? ipv4(bytes, 0) : ipv6(bytes, 0);
}
