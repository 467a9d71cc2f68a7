// Evidence made by hand: a recorded lab's topology with packets written down to the nanosecond, for what no lab shows at will (a SYN at the
// instant of a request, an answer that never comes). Where connections have no MAC addresses the balancer's interface tells the side.
import { readCapture } from '../../src/pcap/index.ts';
import type { CapturedPoint, Evidence } from '../../src/verify/types.ts';
import { ethernet, ipv4, pcap, tcp, type Record as Captured } from '../pcap/build.ts';
import { recorded } from './evidence.ts';

/** Link types: with MAC addresses, and without. */
export const ETHERNET = 1;
const RAW = 101;
/** The start of all that is made, in nanoseconds since the epoch: a whole second. */
export const START = 1_700_000_000_000_000_000n;

export interface MadeConnection {
  /** `192.168.11.104:40000`. */
  readonly client: string;
  readonly server: string;
  /** MAC addresses of the two, in Ethernet frames. */
  readonly macs?: readonly [client: string, server: string];
  /** What goes to the server is wrapped in an IP packet (RFC 2003) with these addresses. */
  readonly tunnel?: readonly [source: string, destination: string];
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
  /** When the server resets it. */
  readonly reset?: number;
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

function endOf(text: string): { address: string; port: number } {
  const [address = '', port] = text.split(':');
  return { address, port: Number(port) };
}

/** The packets of a connection, in the order of what happens. */
export function packetsOf(connection: MadeConnection): Captured[] {
  const { at, ecn, handshake, macs, reset, says = [], tunnel } = connection;
  const ends = { '>': endOf(connection.client), '<': endOf(connection.server) };
  const first = (connection.isn ?? ends['>'].port) * 1000;
  const next = { '>': first, '<': first + 500_000 };
  const send = (when: number, to: '>' | '<', flags: string, payload = ''): Captured => {
    const back = to === '>' ? '<' : '>';
    const [own, other] = [ends[to], ends[back]];
    const segment = tcp({
      sourcePort: own.port,
      destinationPort: other.port,
      sequence: next[to],
      acknowledgment: flags.includes('A') ? next[back] : 0,
      flags,
      payload,
    });
    next[to] += payload.length + (flags.includes('S') ? 1 : 0);
    let frame = ipv4(6, segment, { source: own.address, destination: other.address });
    if (tunnel !== undefined && to === '>')
      frame = ipv4(4, frame, { source: tunnel[0], destination: tunnel[1] });
    if (macs !== undefined) frame = ethernet(0x0800, frame, ...(to === '>' ? macs : macs.toReversed()));
    return { frame, time: START + BigInt(when) * 1000n };
  };
  return [
    send(at, '>', ecn ? 'SEC' : 'S'),
    ...(handshake === 'syn' ? [] : [send(at + 1, '<', 'SA')]),
    ...(handshake === undefined ? [send(at + 2, '>', 'A')] : []),
    ...says.map(([when, to, text]) => send(when, to, 'PA', text)),
    ...(reset === undefined ? [] : [send(reset, '<', 'RA')]),
  ];
}

/** A lab's topology with these packets alone, by capture point, and no other account of them. */
export async function captured(
  lab: string,
  captures: Readonly<Record<string, readonly Captured[]>>,
  linkType = RAW,
): Promise<Evidence> {
  const { topology } = await recorded(lab);
  const points = await Promise.all(
    Object.entries(captures).map(async ([name, packets]): Promise<[string, CapturedPoint]> => {
      const point = topology.captures.find((each) => each.name === name)!;
      const records = packets.toSorted((a, b) => Number(a.time! - b.time!));
      const path = `${name}.pcap`;
      const capture = await readCapture(pcap(records, { linkType, magic: 0xa1b23c4d }), { path });
      return [name, { ...point, path, capture }];
    }),
  );
  return { topology, captures: new Map(points) };
}

/** The same with these connections alone. */
export async function made(
  lab: string,
  captures: Readonly<Record<string, readonly MadeConnection[]>>,
): Promise<Evidence> {
  const all = Object.entries(captures);
  const hasMacs = all.some(([, connections]) => connections.some(({ macs }) => macs !== undefined));
  return captured(
    lab,
    Object.fromEntries(all.map(([name, connections]) => [name, connections.flatMap(packetsOf)])),
    hasMacs ? ETHERNET : RAW,
  );
}
