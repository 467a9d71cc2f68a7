// Captures of several points that a packet passes: the article's client, balancer and backend, and what becomes of a segment between them.
import type { RewrittenField, Twin } from '../../src/pcap/index.ts';
import { joinTwins, readCapture } from '../../src/pcap/index.ts';
import type { Record, SegmentOptions } from './build.ts';
import { pcap, segment } from './build.ts';

export const START = 1_700_000_000_000_000_000n;
export const CLIENT = '192.168.11.104';
export const VIP = '192.168.11.107';
export const INSIDE = '10.133.1.1';
export const BACKEND = '10.133.1.2';
export const CLIENT_MAC = '02:00:00:00:00:68';
export const OUTSIDE_MAC = '02:00:00:00:00:6b';
export const INSIDE_MAC = '02:00:00:00:01:01';
export const BACKEND_MAC = '02:00:00:00:01:02';

/** A frame `microseconds` after the start. */
export function at(microseconds: number, frame: Uint8Array): Record {
  return { frame, time: START + BigInt(microseconds) * 1000n };
}

export async function joined(...files: readonly (readonly Record[])[]): Promise<Twin[]> {
  return joinTwins(await Promise.all(files.map((records) => readCapture(pcap(records)))));
}

/** `0.1 1.1`: packet 1 of capture 0, then packet 1 of capture 1. */
export function places(twins: readonly Twin[]): string[] {
  return twins.map(({ sightings }) =>
    sightings.map(({ capture, packets }) => `${capture}.${packets.join('+')}`).join(' '),
  );
}

export function fields(twin: Twin): RewrittenField[][] {
  return twin.steps.map(({ rewrites }) => rewrites.map(({ field }) => field));
}

/** The same segment before and after a hop. */
export function hop(before: SegmentOptions, after: SegmentOptions): [Buffer, Buffer] {
  return [segment(before), segment({ ...before, ...after })];
}

export const SYN: SegmentOptions = {
  sourceMac: CLIENT_MAC,
  destinationMac: OUTSIDE_MAC,
  source: CLIENT,
  destination: VIP,
  flags: 'S',
  sequence: 7,
};
export const SYN_ACK: SegmentOptions = {
  sourceMac: BACKEND_MAC,
  destinationMac: INSIDE_MAC,
  source: BACKEND,
  destination: CLIENT,
  sourcePort: 80,
  destinationPort: 40000,
  flags: 'SA',
  sequence: 900,
  acknowledgment: 8,
};
/** The timestamps option. */
export function stamp(value: number): number[] {
  return [1, 1, 8, 10, 0, 0, 0, value, 0, 0, 0, 0];
}

/** Of a segment that the balancer has passed on. */
export const FORWARDED = { sourceMac: INSIDE_MAC, destinationMac: BACKEND_MAC, ttl: 63 };
