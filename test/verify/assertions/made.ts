// Rounds of traffic made by hand: what each capture point of a lab would have taken, packet by packet, judged by an assertion.
import { readCapture } from '../../../src/pcap/index.ts';
import type { Topology } from '../../../src/topology/types.ts';
import { judgeAssertions } from '../../../src/verify/index.ts';
import type { CapturedPoint, Check, Evidence, RequestRecord } from '../../../src/verify/types.ts';
import {
  bytesOf,
  ethernet,
  pcap,
  segment,
  type Record as Recorded,
  type SegmentOptions,
} from '../../pcap/build.ts';
import { expecting } from './labs.ts';

/** Nanoseconds since the epoch. */
const BEGAN = 1_700_000_000_000_000_000n;

export const CLIENT = '192.168.11.104';
export const VIP = '192.168.11.107';
export const BE1 = '10.133.1.2';
export const BE2 = '10.133.1.3';

export const asks = (target = '/', headers = '') =>
  `GET ${target} HTTP/1.1\r\nHost: myapp1\r\n${headers}\r\n`;
export const answers = (body = 'hello', status = 200, headers = '') =>
  `HTTP/1.1 ${status} X\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`;

export interface Made extends Recorded {
  readonly linkType?: number;
}

export interface Talk {
  /** Addresses, with a port where it is not 40001 or 80. */
  readonly client?: string;
  readonly server?: string;
  /** Microseconds: when it begins, and from one packet to the next. */
  readonly at?: number;
  readonly step?: number;
  /** Initial sequence numbers; told by the client's port otherwise. */
  readonly isn?: readonly [client: number, server: number];
  /** MAC addresses; the same two on every frame otherwise. */
  readonly macs?: readonly [client: string, server: string];
  readonly request?: string;
  readonly answer?: string;
  /** Those captured: 1 SYN, 2 SYN-ACK, 3 ACK, 4 request, 5 answer, 6 the server's FIN, 7 the client's FIN, 8 the last ACK. */
  readonly packets?: readonly number[];
}

const endpoint = (text: string, usual: number) => {
  const [address = '', port = usual] = text.split(':');
  return [address, Number(port)] as const;
};

/** The packets of one connection with one request, closed by the server first. */
export function talk({
  client = CLIENT,
  server = VIP,
  at = 0,
  step = 1000,
  isn,
  macs: [clientMac, serverMac] = ['02:00:00:00:00:01', '02:00:00:00:00:02'],
  request = asks(),
  answer = answers(),
  packets = [1, 2, 3, 4, 5, 6, 7, 8],
}: Talk = {}): Made[] {
  const [source, sourcePort] = endpoint(client, 40001);
  const [destination, destinationPort] = endpoint(server, 80);
  const [theirs, own] = isn ?? [sourcePort * 1000, sourcePort * 1000 + 500];
  const [asked, said] = [request.length, answer.length];
  const to = (flags: string, sequence: number, acknowledgment: number, payload = ''): SegmentOptions => ({
    ...{ source, sourcePort, destination, destinationPort, flags, payload },
    ...{ sourceMac: clientMac, destinationMac: serverMac },
    sequence: theirs + sequence,
    acknowledgment: flags === 'S' ? 0 : own + acknowledgment,
  });
  const from = (flags: string, sequence: number, acknowledgment: number, payload = ''): SegmentOptions => ({
    ...{ source: destination, sourcePort: destinationPort, destination: source, destinationPort: sourcePort },
    ...{ sourceMac: serverMac, destinationMac: clientMac },
    ...{ flags, payload, sequence: own + sequence, acknowledgment: theirs + acknowledgment },
  });
  const all = [
    to('S', 0, 0),
    from('SA', 0, 1),
    to('A', 1, 1),
    to('PA', 1, 1, request),
    from('PA', 1, 1 + asked, answer),
    from('FA', 1 + said, 1 + asked),
    to('FA', 1 + asked, 2 + said),
    from('A', 2 + said, 2 + asked),
  ];
  return packets.map((number) => ({
    frame: segment(all[number - 1]!),
    time: timeOf(at + (number - 1) * step),
  }));
}

const timeOf = (microseconds: number) => BEGAN + BigInt(Math.round(microseconds * 1000));

export interface Asking {
  readonly operation: 'request' | 'reply';
  readonly mac: string;
  /** Sender and target addresses. */
  readonly sender: string;
  readonly target: string;
  /** The MAC address that the frame is for; everyone's where it is not said. */
  readonly to?: string;
}

const hex = (address: string) => Buffer.from(address.split('.').map(Number)).toString('hex');

/** An ARP packet (RFC 826). */
export function arp({ operation, mac, sender, target, to = 'ff:ff:ff:ff:ff:ff' }: Asking): Made {
  const body = `0001 0800 06 04 ${operation === 'request' ? '0001' : '0002'} ${mac} ${hex(sender)} 000000000000 ${hex(target)}`;
  return {
    frame: ethernet(0x0806, bytesOf(body), mac, to),
    time: BEGAN,
  };
}

/** A client's log of requests, from its ports; 0 is a request that got none. */
export const logged = (ports: readonly number[], client = 'client'): RequestRecord[] =>
  ports.map((localPort, index) => ({
    client,
    number: index + 1,
    localPort,
    status: localPort === 0 ? 0 : 200,
    seconds: 0.01,
  }));

/** Without Ethernet, as an interface that has none gives them: link type 101 (RAW). */
export const raw = (made: readonly Made[]): Made[] =>
  made.map(({ frame, time }) => ({ frame: frame.subarray(14), time, linkType: 101 }));

/** By capture point; of one that is not mentioned no packet came. */
export type Captured = Readonly<Record<string, readonly Made[] | 'absent' | 'not whole'>>;

async function pointOf(
  base: Pick<CapturedPoint, 'name' | 'node' | 'interface'>,
  made: Captured[string] = [],
): Promise<CapturedPoint[]> {
  if (made === 'absent') return [];
  const records = made === 'not whole' ? talk() : made;
  const sorted = [...records].sort((a, b) => Number(a.time! - b.time!));
  const path = `${base.name}.pcap`;
  const capture = await readCapture(pcap(sorted, { magic: 0xa1b23c4d, linkType: sorted[0]?.linkType }), {
    path,
  });
  return [{ ...base, path, capture, ...(made === 'not whole' && { incomplete: 'packets were dropped' }) }];
}

export interface Round {
  readonly lab: string;
  readonly captures: Captured;
  readonly more?: Partial<Evidence>;
  /** Makes another topology of the lab's. */
  readonly change?: (topology: Topology) => Topology;
}

/** The check of an `expect` entry on a round. */
export async function judgedRound(
  { lab, captures, more = {}, change = (same) => same }: Round,
  entry: string,
): Promise<Check> {
  const read = await expecting(lab, `expect:\n  ${entry.trim().split('\n').join('\n  ')}\n`);
  const topology = change(read.topology);
  const points = await Promise.all(topology.captures.map((point) => pointOf(point, captures[point.name])));
  const evidence = {
    topology,
    captures: new Map(points.flat().map((point) => [point.name, point])),
    ...more,
  };
  return judgeAssertions(evidence, { live: true })[0]!;
}

/** A verdict in one line: `fail: 2 connections: all from 10.133.1.1 (lb) [be1 1 9] [be2 1]`. */
export const lineOf = ({ status, observed, evidence }: Check) =>
  [
    `${status}: ${observed}`,
    ...evidence.map(({ capture, packets }) => `[${capture} ${packets.join(' ')}]`),
  ].join(' ');
