// Evidence made by hand: a recorded lab's topology with connections written down to the microsecond, for what no lab shows at will (a SYN at
// the instant of a request, an answer that never comes). Frames have no MAC addresses: on a balancer with two arms the interface tells the side.
import { readCapture } from '../../src/pcap/index.ts';
import type { CapturedPoint, Evidence } from '../../src/verify/types.ts';
import { ipv4, pcap, tcp } from '../pcap/build.ts';
import { recorded } from './evidence.ts';

const RAW = 101;
/** When the first packet could be, in nanoseconds since the epoch: a whole second. */
export const START = 1_700_000_000_000_000_000n;

export interface MadeConnection {
  /** `192.168.11.104:40000`. */
  readonly client: string;
  readonly server: string;
  /** Microseconds after the start; SYN-ACK and ACK follow in the next two. */
  readonly at: number;
  /** The SYN asks for explicit congestion notification, which some middleboxes take out of it (RFC 3168 section 6.1.1). */
  readonly ecn?: true;
  /** How far the handshake came; whole when left out. */
  readonly handshake?: 'syn' | 'syn-ack';
  /** Both initial sequence numbers are made from it; from the client's port when left out. */
  readonly isn?: number;
  /** What is sent after the handshake, each in a packet of its own: microseconds after the start, to the server or to the client. */
  readonly says?: readonly (readonly [at: number, to: '>' | '<', text: string])[];
}

/** A request and its answer, as a connection says them. */
export const asks = (
  at: number,
  fields: readonly string[] = [],
  version = 'HTTP/1.1',
): NonNullable<MadeConnection['says']> => [
  [at, '>', [`GET / ${version}`, ...fields, '', ''].join('\r\n')],
  [at + 1, '<', 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbe1'],
];

function packetsOf({ client, server, at, ecn, handshake, isn, says = [] }: MadeConnection) {
  const [[source = '', sourcePort], [destination = '', destinationPort]] = [
    client.split(':'),
    server.split(':'),
  ];
  const ports = { sourcePort: Number(sourcePort), destinationPort: Number(destinationPort) };
  const next = { '>': (isn ?? ports.sourcePort) * 1000, '<': (isn ?? ports.sourcePort) * 1000 + 500_000 };
  const send = (when: number, to: '>' | '<', flags: string, payload = '') => {
    const [own, other] = [next[to], next[to === '>' ? '<' : '>']];
    next[to] += payload.length + (flags.includes('S') ? 1 : 0);
    const acknowledgment = flags.includes('A') ? other : 0;
    const segment = tcp(
      to === '>'
        ? { ...ports, sequence: own, acknowledgment, flags, payload }
        : {
            sourcePort: ports.destinationPort,
            destinationPort: ports.sourcePort,
            sequence: own,
            acknowledgment,
            flags,
            payload,
          },
    );
    const ends = to === '>' ? { source, destination } : { source: destination, destination: source };
    return { frame: ipv4(6, segment, ends), time: START + BigInt(when) * 1000n };
  };
  return [
    send(at, '>', ecn ? 'SEC' : 'S'),
    ...(handshake === 'syn' ? [] : [send(at + 1, '<', 'SA')]),
    ...(handshake === undefined ? [send(at + 2, '>', 'A')] : []),
    ...says.map(([when, to, text]) => send(when, to, 'PA', text)),
  ];
}

/** A lab's topology with these connections alone, by capture point, and no other account of them. */
export async function made(
  lab: string,
  captures: Readonly<Record<string, readonly MadeConnection[]>>,
): Promise<Evidence> {
  const { topology } = await recorded(lab);
  const points = await Promise.all(
    Object.entries(captures).map(async ([name, connections]): Promise<[string, CapturedPoint]> => {
      const point = topology.captures.find((each) => each.name === name)!;
      const records = connections.flatMap(packetsOf).sort((a, b) => Number(a.time - b.time));
      const path = `${name}.pcap`;
      const capture = await readCapture(pcap(records, { linkType: RAW }), { path });
      return [name, { ...point, path, capture }];
    }),
  );
  return { topology, captures: new Map(points) };
}
