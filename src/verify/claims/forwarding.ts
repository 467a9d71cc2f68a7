// Statements about balancers that pass packets on, whichever way: where answers go, what the director's table and the backends' addresses
// are. Shared by the methods whose real servers answer the client directly.
import { cite, claim, firstOf } from '../claim.ts';
import {
  pairForwarded,
  rangesOf,
  streamOf,
  twinsOf,
  type Pair,
  type Pairing,
  type Twins,
} from '../measure.ts';
import { MissingEvidenceError, type Observation, type SeenPacket } from '../observe.ts';
import { parseAddresses, parseIpvsadm, type RealServer, type VirtualServer } from '../tables.ts';
import type { Claim } from '../types.ts';
import { count, endpoint, list, spread, tally } from '../words.ts';
import { vipText, where, type Heading } from './common.ts';

/** Whether anything but resets came back from a server, as far as clients and backends were captured. */
export function wasAnswered(seen: Observation): boolean {
  return (['client', 'backend'] as const)
    .filter((place) => seen.has(place))
    .some((place) => seen.packets(place).some(({ toServer, packet }) => !toServer && !packet.tcp.flags.rst));
}

export function demandAnswers(seen: Observation): void {
  if (!wasAnswered(seen)) throw new MissingEvidenceError('no backend answered');
}

export interface Passing extends Pairing {
  readonly twins: readonly Twins[];
  /** Packets of paired connections that are on one side only. */
  readonly lone: readonly SeenPacket[];
}

/** Connections on both sides of the balancer and the packets that it passed on. */
export function passing(seen: Observation): Passing {
  const pairing = pairForwarded(seen.opened('outside'), seen.opened('inside'));
  const matches = pairing.pairs.map(twinsOf);
  return {
    ...pairing,
    twins: matches.flatMap(({ twins }) => twins),
    lone: matches.flatMap(({ onlyFirst, onlySecond }) => onlyFirst.concat(onlySecond)),
  };
}

/** Whether a packet and what became of it are equal in addresses, ports and payload; sequence numbers are what made them twins. */
export function isUnchanged({ first, second }: Twins): boolean {
  const { ip, tcp } = first.packet;
  const after = second.packet;
  return (
    ip.source === after.ip.source &&
    ip.destination === after.ip.destination &&
    tcp.sourcePort === after.tcp.sourcePort &&
    tcp.destinationPort === after.tcp.destinationPort &&
    Buffer.from(tcp.payload).equals(after.tcp.payload)
  );
}

function sameBytes({ first, second }: Pair): boolean {
  return (
    rangesOf(first, 'toServer') === rangesOf(second, 'toServer') &&
    streamOf(first, 'toServer').equals(streamOf(second, 'toServer'))
  );
}

/** What clients sent and only one side saw: packets of paired connections, SYNs of others; and how many, in words. */
export function seenOnce({ pairs, lone, onlyFirst, onlySecond }: Passing): {
  readonly packets: readonly SeenPacket[];
  readonly words: readonly string[];
} {
  // Offload may have cut a run of bytes elsewhere on one side: what counts then is the bytes.
  const recut = new Set(
    pairs.filter(sameBytes).flatMap((pair) => pair.first.packets.concat(pair.second.packets)),
  );
  const single = lone.filter(
    (seen) => seen.toServer && !(seen.packet.tcp.payloadLength > 0 && recut.has(seen)),
  );
  const unpaired = [...onlyFirst, ...onlySecond].map(({ syn }) => syn);
  return {
    packets: [...single, ...unpaired],
    words: [
      ...(single.length === 0 ? [] : [`${single.length} only once`]),
      ...(unpaired.length === 0 ? [] : [`${count(unpaired.length, 'connection')} only once`]),
    ],
  };
}

export function noCounterpart(seen: Observation): string {
  return `no connection on ${where(seen.opened('outside'))} has a counterpart on ${where(seen.opened('inside'))}`;
}

/** Values before and after, as `64 → 63 (60), 63 → 62 (2)`. */
export function changes(
  values: readonly (readonly [before: string | number, after: string | number])[],
): string {
  const counts = tally(values.map(([before, after]) => `${before} → ${after}`));
  if (counts.length === 1) return counts[0]![0];
  const shown = counts.slice(0, 4).map(([value, times]) => `${value} (${times})`);
  return counts.length > 4 ? `${shown.join(', ')}, ...` : shown.join(', ');
}

/** Answers go past the balancer: it has none of them, the client has them from a backend's MAC. */
export function answersDirectly(heading: Heading): Claim {
  return claim({
    title: 'Answers do not pass the balancer',
    ...heading,
    expected: (seen) =>
      `the balancer sees no packet from ${vipText(seen)} to a client; the client gets them from a backend's MAC address`,
    measure: (seen) => {
      const { vip, servicePorts, clientAddresses, backends } = seen.roles;
      const isAnswer = ({ packet: { ip, tcp } }: SeenPacket) =>
        ip.source === vip && servicePorts.has(tcp.sourcePort) && clientAddresses.has(ip.destination);
      const passed = [...seen.packets('outside'), ...seen.packets('inside')].filter(isAnswer);
      const arrived = seen.packets('client').filter(isAnswer);
      if (arrived.length === 0 && passed.length === 0) demandAnswers(seen);
      if (arrived.some(({ packet }) => packet.ethernet === undefined)) {
        throw new MissingEvidenceError("the client's capture has no MAC addresses");
      }
      const macs = new Map(
        backends.flatMap(({ node }) => [...seen.macs(node)].map((mac) => [mac, node] as const)),
      );
      const strange = arrived.filter(({ packet }) => !macs.has(packet.ethernet!.source));
      const senders = arrived.map(({ packet }) => {
        const { source } = packet.ethernet!;
        const node =
          macs.get(source) ??
          (seen.macs(seen.roles.balancer?.name ?? '').has(source) ? 'the balancer' : undefined);
        return node === undefined ? source : `${source} (${node})`;
      });
      const holds = passed.length === 0 && arrived.length > 0 && strange.length === 0;
      return {
        holds,
        observed:
          `the balancer sees ${passed.length === 0 ? 'none' : count(passed.length, 'such packet')}; ` +
          `the client ${arrived.length === 0 ? 'gets none' : `gets ${arrived.length}: ${spread(senders, 'from')}`}`,
        evidence: cite(firstOf(passed, strange, arrived)),
      };
    },
  });
}

/** The client takes an answer only from the address that it asked. */
export function answersFromVip(heading: Heading): Claim {
  return claim({
    title: "The answer's source address is the VIP",
    ...heading,
    expected: ({ roles }) => `every SYN-ACK at the client comes from ${roles.vip ?? 'the VIP'}`,
    measure: (seen) => {
      const answers = seen
        .packets('client')
        .filter(({ toServer, packet: { tcp } }) => !toServer && tcp.flags.syn && tcp.flags.ack);
      if (answers.length === 0) throw new MissingEvidenceError('no SYN-ACK came to the client');
      const others = answers.filter(({ packet }) => packet.ip.source !== seen.roles.vip);
      return {
        holds: others.length === 0,
        observed: `${count(answers.length, 'SYN-ACK')}: ${spread(
          answers.map(({ packet }) => packet.ip.source),
          'from',
        )}`,
        evidence: cite(firstOf(others, answers)),
      };
    },
  });
}

/** The VIP is silent in ARP on the backends: nobody but the director says that it has it, neither in a reply nor as who asks. */
export function silentInArp(heading: Heading): Claim {
  return claim({
    title: 'The VIP on the backends is silent in ARP',
    ...heading,
    expected: ({ roles }) =>
      `at the client no ARP packet, reply or request, has ${roles.vip ?? 'the VIP'} as its sender but the director's`,
    measure: (seen) => {
      const { vip, balancer } = seen.roles;
      const arps = seen
        .points('client')
        .flatMap((point) =>
          point.capture.packets.flatMap((packet) =>
            packet.arp !== undefined && (packet.arp.senderAddress === vip || packet.arp.targetAddress === vip)
              ? { point, packet, arp: packet.arp }
              : [],
          ),
        );
      const own = seen.macs(balancer?.name ?? '');
      const claiming = arps.filter(({ arp }) => arp.senderAddress === vip);
      if (claiming.length === 0)
        throw new MissingEvidenceError(
          `no ARP packet with ${vip ?? 'a VIP'} as its sender was captured at the client`,
        );
      const others = claiming.filter(({ arp }) => !own.has(arp.senderMac));
      const nodeOf = (mac: string) =>
        own.has(mac)
          ? 'the director'
          : (seen.roles.backends.find(({ node }) => seen.macs(node).has(mac))?.node ?? 'unknown');
      const senders = claiming.map(
        ({ arp }) => `${arp.senderMac} (${nodeOf(arp.senderMac)}, ${arp.operation})`,
      );
      return {
        holds: others.length === 0,
        observed: `${count(arps.length, 'ARP packet')} about ${vip}, ${claiming.length} with it as the sender: ${spread(senders, 'from')}`,
        evidence: cite(firstOf(others, arps)),
      };
    },
  });
}

/** The VIP is among each backend's addresses. */
export function hasVip(heading: Heading, title: string): Claim {
  return claim({
    title,
    live: true,
    ...heading,
    expected: ({ roles }) =>
      `${roles.vip ?? 'the VIP'} on each of ${list(roles.backends.map(({ node }) => node))}`,
    measure: (seen) => {
      const { vip, backends } = seen.roles;
      if (backends.length === 0) throw new MissingEvidenceError('there are no backends');
      const found = backends.map(({ node }) => {
        const text = seen.evidence.tables?.get(`${node}.loopback`);
        if (text === undefined) throw new MissingEvidenceError(`the addresses of ${node} were not read`);
        return { node, addresses: parseAddresses(text) };
      });
      return {
        holds: found.every(({ addresses }) => addresses.includes(vip ?? '')),
        observed: found.map(({ node, addresses }) => `${node} has ${list(addresses) || 'none'}`).join('; '),
      };
    },
  });
}

/** Service names as `ipvsadm -L` without -n writes them (services(5)); the few that a web lab can meet. */
const SERVICE_NAMES: Readonly<Record<string, number>> = {
  http: 80,
  https: 443,
  'http-alt': 8080,
  domain: 53,
};

const portNumber = (port: string) => SERVICE_NAMES[port] ?? Number(port);

/** The director's table has the virtual service with its scheduler, and each backend with the way packets go and its weight. */
export function hasTable(heading: Heading, forward: 'Masq' | 'Route' | 'Tunnel'): Claim {
  return claim({
    title: `The director's table shows the backends as ${forward}`,
    live: true,
    ...heading,
    expected: ({ evidence }) =>
      (evidence.topology.balancer?.services ?? [])
        .map(
          (service) =>
            `${service.protocol.toUpperCase()} ${endpoint(evidence.topology.balancer!.vip, service.port)} ${service.scheduler} to ` +
            list(
              service.backends.map(
                (real) => `${endpoint(real.address, real.port)} ${forward} ${real.weight}`,
              ),
            ),
        )
        .join('; ') || `a table of real servers by ${forward}`,
    measure: (seen) => {
      const { topology, tables } = seen.evidence;
      const text = tables?.get('ipvsadm');
      if (text === undefined) throw new MissingEvidenceError("the director's table was not read");
      const services = parseIpvsadm(text);
      // Without -n ipvsadm shows names, which a lab's hosts file has.
      const isHost = (host: string, address: string) =>
        host === address ||
        topology.nodes.some(
          (node) =>
            node.name === host &&
            node.interfaces.some((link) => link.addresses.some((own) => own.address === address)),
        ) ||
        (host === topology.balancer?.node && address === topology.balancer.vip);
      const isReal = (found: RealServer, real: { address: string; port: number; weight: number }) =>
        isHost(found.host, real.address) &&
        portNumber(found.port) === real.port &&
        found.forward === forward &&
        found.weight === real.weight;
      const wanted = topology.balancer?.services ?? [];
      const holds =
        wanted.length > 0 &&
        services.length === wanted.length &&
        wanted.every((service) => {
          const found = services.find(
            (each) =>
              each.protocol === service.protocol.toUpperCase() &&
              portNumber(each.port) === service.port &&
              isHost(each.host, topology.balancer!.vip),
          );
          return (
            found?.scheduler === service.scheduler &&
            found.reals.length === service.backends.length &&
            service.backends.every((real) => found.reals.some((each) => isReal(each, real)))
          );
        });
      return { holds, observed: services.map(describeService).join('; ') || 'an empty table' };
    },
  });
}

function describeService({ protocol, host, port, scheduler, reals }: VirtualServer): string {
  const targets = reals.map((real) => `${real.host}:${real.port} ${real.forward} ${real.weight}`);
  return `${protocol} ${host}:${port} ${scheduler} to ${list(targets) || 'nobody'}`;
}
