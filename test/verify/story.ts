// DNS round robin told line by line: what clients learn, whom they reach and when a backend stops, made into captures of the lab `dnsrr`.
import { readCapture } from '../../src/pcap/index.ts';
import type { CapturedPoint, Evidence } from '../../src/verify/types.ts';
import { ethernet, ipv4, pcap, segment, udp, type Record } from '../pcap/build.ts';
import { recorded } from './evidence.ts';

const { topology } = await recorded('dnsrr');

const linkOf = (name: string) => {
  const { mac, addresses } = topology.nodes.find((node) => node.name === name)!.interfaces[0]!;
  return { mac, address: addresses[0]!.address };
};

/** Seconds since the epoch at which a story begins: one that multiplied by 10^9 is exact. */
const BEGIN = 1_700_000_000;

const nanoseconds = (milliseconds: number) =>
  BigInt(BEGIN) * 1_000_000_000n + BigInt(milliseconds) * 1_000_000n;

/** A DNS response to `www.example.test` with A records that live for two seconds (RFC 1035 section 4). */
function dnsResponse(addresses: readonly string[]): Buffer {
  const name = Buffer.concat(
    ['www', 'example', 'test', ''].map((label) => Buffer.from([label.length, ...Buffer.from(label)])),
  );
  const records = addresses.map((address) =>
    Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 2, 0, 4, ...address.split('.').map(Number)]),
  );
  const header = Buffer.from([0, 1, 0x84, 0, 0, 1, 0, addresses.length, 0, 0, 0, 0]);
  return Buffer.concat([header, name, Buffer.from([0, 1, 0, 1]), ...records]);
}

function answer(client: string, backends: readonly string[]): Buffer {
  const [from, to] = [linkOf('dns'), linkOf(client)];
  const response = dnsResponse(backends.map((name) => linkOf(name).address));
  const datagram = udp(response, { sourcePort: 53, destinationPort: 40000 });
  return ethernet(
    0x0800,
    ipv4(17, datagram, { source: from.address, destination: to.address }),
    from.mac,
    to.mac,
  );
}

/** The frames of a connection: five with a request and its answer, or a SYN and its reset. */
function connection(client: string, server: string, number: number, isServed: boolean): Buffer[] {
  const [near, far] = [linkOf(client), linkOf(server)];
  const [sequence, answered] = [number * 1000, number * 1000 + 500];
  const forth = (flags: string, options: object) =>
    segment({
      sourceMac: near.mac,
      destinationMac: far.mac,
      source: near.address,
      destination: far.address,
      sourcePort: 40000 + number,
      destinationPort: 80,
      flags,
      ...options,
    });
  const back = (flags: string, options: object) =>
    segment({
      sourceMac: far.mac,
      destinationMac: near.mac,
      source: far.address,
      destination: near.address,
      sourcePort: 80,
      destinationPort: 40000 + number,
      flags,
      ...options,
    });
  const syn = forth('S', { sequence });
  if (!isServed) return [syn, back('RA', { acknowledgment: sequence + 1 })];
  const request = 'GET / HTTP/1.1\r\nHost: www.example.test\r\n\r\n';
  return [
    syn,
    back('SA', { sequence: answered, acknowledgment: sequence + 1 }),
    forth('A', { sequence: sequence + 1, acknowledgment: answered + 1 }),
    forth('PA', { sequence: sequence + 1, acknowledgment: answered + 1, payload: request }),
    back('PA', {
      sequence: answered + 1,
      acknowledgment: sequence + 1 + request.length,
      payload: 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
    }),
  ];
}

/**
 * Evidence of a story. Each line begins with its milliseconds: `0 client learns be1 be2`, `10 client reaches be1` (and is answered),
 * `20 client fails-at be1` (and is reset), `1000 be1 stops`.
 */
export async function story(lines: readonly string[]): Promise<Evidence> {
  const records = new Map<string, Record[]>(topology.captures.map(({ node }) => [node, []]));
  const faults = [];
  for (const [number, line] of lines.entries()) {
    const [at, who, does, ...whom] = line.split(' ') as [string, string, string, ...string[]];
    const time = nanoseconds(Number(at));
    if (does === 'stops') {
      const seconds = BEGIN + Number(at) / 1000;
      faults.push({ at: Number(at) / 1000, node: who, fault: 'stop-service', began: seconds, done: seconds });
      continue;
    }
    const frames =
      does === 'learns' ? [answer(who, whom)] : connection(who, whom[0]!, number, does === 'reaches');
    const ends = does === 'learns' ? ['dns', who] : [who, whom[0]!];
    for (const node of ends)
      records
        .get(node)!
        .push(...frames.map((frame, index) => ({ frame, time: time + BigInt(index) * 1000n })));
  }
  const captures = new Map<string, CapturedPoint>();
  for (const { name, node, interface: link } of topology.captures) {
    const ordered = records.get(node)!.sort((a, b) => Number(a.time! - b.time!));
    const capture = await readCapture(pcap(ordered));
    captures.set(name, { name, node, interface: link, path: '-', capture });
  }
  return { topology, captures, faults };
}
