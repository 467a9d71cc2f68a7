// Recognises packets that were seen before, at an earlier capture point, as they come: what joinTwins does for whole captures, for one
// packet at a time and within a short memory.
import type { Packet } from './packet.ts';
import { rewritesBetween, type Rewrite } from './rewrites.ts';
import { canBeTwins, twinKey } from './sight.ts';

/** What became of a packet since it was seen last. */
export interface Change {
  /** Index of the capture that had it. */
  readonly from: number;
  readonly rewrites: readonly Rewrite[];
}

/** Packets that are remembered: at 1,000 requests a second those of half a second. */
const MEMORY = 8192;

interface Seen {
  readonly capture: number;
  readonly packet: Packet;
}

export class Follower {
  readonly #last = new Map<string, Seen>();

  /** Takes the next packet in order of time; gives what was changed in it since its last sighting, if there was one. */
  follow(capture: number, packet: Packet): Change | undefined {
    const key = twinKey(packet);
    if (key === undefined) return undefined;
    const before = this.#last.get(key);
    // Anew, so that it is the youngest.
    this.#last.delete(key);
    this.#last.set(key, { capture, packet });
    if (this.#last.size > MEMORY) this.#last.delete(this.#last.keys().next().value!);
    if (before === undefined || !canBeTwins(before, { capture, packet })) return undefined;
    return { from: before.capture, rewrites: rewritesBetween([before.packet], [packet]) };
  }
}
