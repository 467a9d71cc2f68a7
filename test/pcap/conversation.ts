// A conversation of a client and a server in few words, for tests of what is said of connections.
import type { SegmentOptions } from './build.ts';
import { pcap, segment } from './build.ts';

/** `>` from the client, `<` from the server; numbers are relative to 1000 and 5000. */
export type Step = readonly [
  direction: '>' | '<',
  flags: string,
  sequence: number,
  acknowledgment: number,
  more?: SegmentOptions,
];

export interface Ends {
  readonly client: readonly [address: string, port: number];
  readonly server: readonly [address: string, port: number];
}

const ENDS: Ends = { client: ['10.0.0.1', 40000], server: ['10.0.0.2', 80] };

export const HANDSHAKE: readonly Step[] = [
  ['>', 'S', 0, 0],
  ['<', 'SA', 0, 1],
  ['>', 'A', 1, 1],
];

/** The frames of a conversation. */
export function framesOf(steps: readonly Step[], { client, server }: Ends = ENDS): Buffer[] {
  return steps.map(([direction, flags, sequence, acknowledgment, more]) => {
    const isToServer = direction === '>';
    const [[source, sourcePort], [destination, destinationPort]] = isToServer
      ? [client, server]
      : [server, client];
    const [own, peer] = isToServer ? [1000, 5000] : [5000, 1000];
    return segment({
      source,
      destination,
      sourcePort,
      destinationPort,
      flags,
      sequence: own + sequence,
      acknowledgment: flags.includes('A') ? peer + acknowledgment : 0,
      ...more,
    });
  });
}

/** A capture of a conversation, its packets a millisecond apart. */
export const conversation = (...steps: readonly Step[]) => pcap(framesOf(steps));
