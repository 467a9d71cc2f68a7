// A conversation of a client and a server in few words, for tests of what is said of connections.
import type { SegmentOptions } from './build.ts';
import { pcap, segment } from './build.ts';

/** `>` from the client, `<` from the server; numbers are relative to the initial ones. */
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
  /** Initial sequence numbers; 1000 and 5000 where none are given. */
  readonly isn?: { readonly client?: number; readonly server?: number };
}

const ENDS: Ends = { client: ['10.0.0.1', 40000], server: ['10.0.0.2', 80] };

export const HANDSHAKE: readonly Step[] = [
  ['>', 'S', 0, 0],
  ['<', 'SA', 0, 1],
  ['>', 'A', 1, 1],
];

/** Steps in words: `> FLAGS sequence acknowledgment`, then the payload's length, `win=` and `scale=` as needed. */
export function steps(...texts: readonly string[]): Step[] {
  return texts.map((text) => {
    const [direction, flags, sequence, acknowledgment, ...more] = text.split(' ');
    const options = new Map(more.map((word) => word.split('=') as [string, string | undefined]));
    const length = more.find((word) => !word.includes('=')) ?? '0';
    const [window, scale] = [options.get('win'), options.get('scale')];
    return [
      direction as '>' | '<',
      flags!,
      Number(sequence),
      Number(acknowledgment),
      {
        payload: 'x'.repeat(Number(length)),
        ...(window !== undefined && { window: Number(window) }),
        ...(scale !== undefined && { options: [1, 3, 3, Number(scale)] }),
      },
    ];
  });
}

/** The frames of a conversation. */
export function framesOf(conversing: readonly Step[], { client, server, isn }: Ends = ENDS): Buffer[] {
  const numbers = { client: 1000, server: 5000, ...isn };
  return conversing.map(([direction, flags, sequence, acknowledgment, more]) => {
    const isToServer = direction === '>';
    const [[source, sourcePort], [destination, destinationPort]] = isToServer
      ? [client, server]
      : [server, client];
    const [own, peer] = isToServer ? [numbers.client, numbers.server] : [numbers.server, numbers.client];
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
export const conversation = (...conversing: readonly Step[]) => pcap(framesOf(conversing));

/** A connection from its first packet to its last: one request, its answer in two segments, and the client's close. */
export const exchange = (request: string, answer: string) =>
  conversation(
    ...HANDSHAKE,
    ['>', 'PA', 1, 1, { payload: request }],
    ['<', 'A', 1, 1 + request.length, { payload: answer.slice(0, 30) }],
    ['<', 'PA', 31, 1 + request.length, { payload: answer.slice(30) }],
    ['>', 'FA', 1 + request.length, 1 + answer.length],
    ['<', 'FA', 1 + answer.length, 2 + request.length],
    ['>', 'A', 2 + request.length, 2 + answer.length],
  );
