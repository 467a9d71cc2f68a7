// Puts one direction of a TCP connection back in order (RFC 9293 section 3.4): bytes sent twice count once, as they first
// came, and what was not captured stays a gap.
import type { Packet } from './packet.ts';

/** A run of bytes in order, with the packet each part came in. */
export interface Piece {
  /** Place in the direction's byte stream, 0 for the first byte after the SYN. */
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly packet: Packet;
}

/**
 * @param packets of one direction that carry payload, in order of capture
 * @param initial initial sequence number
 * @returns pieces that neither overlap nor go backwards; between two there may be a gap
 */
export function reassemble(packets: readonly Packet[], initial: number): Piece[] {
  const segments: Piece[] = [];
  let reference = 0;
  for (const packet of packets) {
    const { sequence, payload, flags } = packet.tcp!;
    if (payload.length === 0) continue;
    // Sequence numbers wrap after 4 GB; a segment lies within 2 GB of the one before it.
    const wrapped = sequence - initial - 1 + (flags.syn ? 1 : 0) - reference;
    const offset = reference + (wrapped | 0);
    segments.push({ offset, bytes: payload, packet });
    reference = offset;
  }
  segments.sort((a, b) => a.offset - b.offset);
  const pieces: Piece[] = [];
  let next = Number.NEGATIVE_INFINITY;
  for (const { offset, bytes, packet } of segments) {
    const skip = Math.max(0, next - offset);
    if (skip >= bytes.length) continue;
    pieces.push({ offset: offset + skip, bytes: bytes.subarray(skip), packet });
    next = offset + bytes.length;
  }
  return pieces;
}
