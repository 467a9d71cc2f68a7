// Packets of a round's captures while they come: follows the files that tcpdump writes, which is the same on every kernel and takes nothing
// away from the files.
import type { FileHandle } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { IncrementalReader, type Packet } from '../pcap/index.ts';
import { openPlain } from './plain-file.ts';

/** A packet, and the index of the capture that has it. */
export interface Seen {
  readonly capture: number;
  readonly packet: Packet;
}

/** Milliseconds between two looks at the files. */
const PACE = 40;
/** Milliseconds that a packet waits for earlier ones of other points. */
const WINDOW = 120;
const CHUNK = 256 * 1024;

export interface Waiting extends Seen {
  readonly came: number;
}

/** A capture that is still written. */
export class GrowingCapture {
  readonly #path: string;
  readonly #reader = new IncrementalReader();
  #handle: FileHandle | undefined;
  #offset = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** What has come since. */
  async read(): Promise<Packet[]> {
    this.#handle ??= await openPlain(this.#path);
    const packets: Packet[] = [];
    const buffer = new Uint8Array(CHUNK);
    for (;;) {
      const { bytesRead } = await this.#handle.read(buffer, 0, CHUNK, this.#offset);
      this.#offset += bytesRead;
      packets.push(...this.#reader.push(buffer.subarray(0, bytesRead)));
      if (bytesRead < CHUNK) return packets;
    }
  }

  async close(): Promise<void> {
    await this.#handle?.close();
  }
}

/** Those that have waited since `before`, with all that are earlier, in order of time; and the rest. */
export function handOver(
  waiting: readonly Waiting[],
  before: number,
): { readonly ready: readonly Seen[]; readonly rest: Waiting[] } {
  const due = waiting.filter(({ came }) => came <= before);
  if (due.length === 0) return { ready: [], rest: [...waiting] };
  const last = due.reduce((latest, { packet: { time } }) => (time > latest ? time : latest), 0n);
  return {
    ready: waiting.filter(({ packet }) => packet.time <= last).sort(byTime),
    rest: waiting.filter(({ packet }) => packet.time > last),
  };
}

/**
 * Follows captures from their beginning. `onPackets` gets packets in order of time; one that comes more than WINDOW late is out of order.
 * @returns what reads the files to their ends, hands on what is left, and lets go of them
 */
export function followCaptures(
  paths: readonly string[],
  onPackets: (packets: readonly Seen[]) => void,
): { readonly close: () => Promise<void> } {
  const files = paths.map((path) => new GrowingCapture(path));
  let waiting: Waiting[] = [];
  const over = new AbortController();
  const look = async () => {
    const came = performance.now();
    const found = await Promise.all(files.map(async (file) => file.read()));
    for (const [capture, packets] of found.entries())
      for (const packet of packets) waiting.push({ capture, packet, came });
  };
  const handOn = (before: number) => {
    const { ready, rest } = handOver(waiting, before);
    waiting = rest;
    if (ready.length > 0) onPackets(ready);
  };
  const going = (async () => {
    while (!over.signal.aborted) {
      await look();
      handOn(performance.now() - WINDOW);
      await setTimeout(PACE, undefined, { signal: over.signal }).catch(() => {});
    }
    await look();
    handOn(Number.POSITIVE_INFINITY);
  })();
  // Whoever closes hears of it.
  going.catch(() => {});
  return {
    close: async () => {
      over.abort();
      try {
        await going;
      } finally {
        await Promise.all(files.map(async (file) => file.close()));
      }
    },
  };
}

/** Of two packets of the same time the one with the higher TTL was first. */
function byTime(a: Seen, b: Seen): number {
  return (
    Number(a.packet.time - b.packet.time) ||
    (b.packet.ip?.ttl ?? 0) - (a.packet.ip?.ttl ?? 0) ||
    a.capture - b.capture ||
    a.packet.number - b.packet.number
  );
}
