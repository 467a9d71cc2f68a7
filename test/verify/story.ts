// DNS round robin told line by line: what clients learn, whom they reach and when a backend stops, made into captures of the lab `dnsrr`.
import type { Evidence, FaultRecord } from '../../src/verify/types.ts';
import { ethernet, ipv4, udp, type Record as Captured } from '../pcap/build.ts';
import { recorded } from './evidence.ts';
import { asks, captured, ETHERNET, packetsOf, START } from './made.ts';

const { topology } = await recorded('dnsrr');

const linkOf = (name: string) => {
  const { mac, addresses } = topology.nodes.find((node) => node.name === name)!.interfaces[0]!;
  return { mac, address: addresses[0]!.address };
};

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

/** Times in microseconds after the start. */
function answer(at: number, client: string, backends: readonly string[]): Captured[] {
  const [from, to] = [linkOf('dns'), linkOf(client)];
  const response = dnsResponse(backends.map((name) => linkOf(name).address));
  const datagram = udp(response, { sourcePort: 53, destinationPort: 40000 });
  const packet = ipv4(17, datagram, { source: from.address, destination: to.address });
  return [{ frame: ethernet(0x0800, packet, from.mac, to.mac), time: START + BigInt(at) * 1000n }];
}

/** A connection of five packets, with a request and its answer, or of a SYN and its reset. */
function connection(at: number, client: string, server: string, port: number, isServed: boolean): Captured[] {
  const [near, far] = [linkOf(client), linkOf(server)];
  return packetsOf({
    client: `${near.address}:${port}`,
    server: `${far.address}:80`,
    macs: [near.mac, far.mac],
    at,
    ...(isServed ? { says: asks(at + 3) } : { handshake: 'syn', reset: at + 1 }),
  });
}

/**
 * Evidence of a story. Each line begins with its milliseconds: `0 client learns be1 be2`, `10 client reaches be1` (and is answered),
 * `20 client fails-at be1` (and is reset), `1000 be1 stops`.
 */
export async function story(lines: readonly string[]): Promise<Evidence> {
  const packets = new Map<string, Captured[]>(topology.captures.map(({ node }) => [node, []]));
  const faults: FaultRecord[] = [];
  for (const [index, line] of lines.entries()) {
    const [milliseconds, who, does, ...whom] = line.split(' ') as [string, string, string, ...string[]];
    const at = Number(milliseconds) * 1000;
    if (does === 'stops') {
      const began = Number(START) / 1e9 + at / 1e6;
      faults.push({ at: at / 1e6, node: who, fault: 'stop-service', began, done: began });
      continue;
    }
    const taken =
      does === 'learns'
        ? answer(at, who, whom)
        : connection(at, who, whom[0]!, 40_001 + index, does === 'reaches');
    for (const node of [who, does === 'learns' ? 'dns' : whom[0]!]) packets.get(node)!.push(...taken);
  }
  const points = topology.captures.map(({ name, node }) => [name, packets.get(node)!] as const);
  return { ...(await captured('dnsrr', Object.fromEntries(points), ETHERNET)), faults };
}
