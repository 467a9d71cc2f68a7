// What clients learned from DNS, and which of their connections were made on what answer. Packets only.
import type { Packet } from '../pcap/index.ts';
import type { Observation, Sighting } from './observe.ts';
import type { CapturedPoint } from './types.ts';

/** An answer of a DNS server with addresses in it. */
export interface SeenAnswer {
  readonly point: CapturedPoint;
  readonly packet: Packet;
  readonly time: bigint;
  readonly name: string;
  /** In the answer's order. */
  readonly addresses: readonly string[];
  /** Seconds: the smallest of the records'. */
  readonly ttl: number;
}

/** Answers for the name that is asked for, at some nodes, by time. Of a topology without such a name every answer. */
export function answersAt(seen: Observation, nodes: ReadonlySet<string>): SeenAnswer[] {
  const { topology, captures } = seen.evidence;
  const wanted = topology.balancer?.dns?.name.toLowerCase();
  const found = [...captures.values()]
    .filter(({ node }) => nodes.has(node))
    .flatMap((point) =>
      point.capture.packets.flatMap((packet): SeenAnswer[] => {
        const { dns, time } = packet;
        if (dns?.isResponse !== true) return [];
        const records = dns.answers.filter(({ type }) => type === 'A' || type === 'AAAA');
        const name = dns.questions[0]?.name.toLowerCase().replace(/\.$/, '') ?? '';
        if (records.length === 0 || (wanted !== undefined && name !== wanted)) return [];
        const ttl = Math.min(...records.map((record) => record.ttl));
        return [{ point, packet, time, name, addresses: records.map(({ data }) => data), ttl }];
      }),
    );
  return found.sort((a, b) => Number(a.time - b.time));
}

/** A client's answer and the connections that it opened on it. */
export interface Followed {
  readonly answer: SeenAnswer;
  readonly sightings: readonly Sighting[];
}

/** Nanoseconds that a client may take from an answer to the connection that it makes on it. */
const SLOW = 1_000_000_000n;

/**
 * A client's answers in order, each with what it opened on it. With several requests under way the last answer before a SYN may be another
 * request's: then it is the last but one, if that began with the address.
 */
export function followedBy(seen: Observation, client: string, sightings: readonly Sighting[]): Followed[] {
  const answers = answersAt(seen, new Set([client]));
  const opened = answers.map((): Sighting[] => []);
  for (const sighting of sightings) {
    const { firstTime, server } = sighting.connection;
    const last = answers.findLastIndex(({ time }) => time <= firstTime);
    if (last < 0) continue;
    const isOn = (index: number) => answers[index]?.addresses[0] === server.address;
    const isOld = !isOn(last) && isOn(last - 1) && firstTime - answers[last]!.time < SLOW;
    opened[isOld ? last - 1 : last]!.push(sighting);
  }
  return answers.map((answer, index) => ({ answer, sightings: opened[index]! }));
}

/** Whether a request on a connection was answered: its server sent something. */
export const isServed = ({ connection }: Sighting): boolean => connection.payload.toClient > 0;

/** Whether a client keeps answers: it had more requests answered than names looked up. Attempts that failed may be one request's. */
export function keeps(followed: readonly Followed[]): boolean {
  const requests = followed.flatMap(({ sightings }) => sightings.filter(isServed)).length;
  return requests > followed.length;
}
