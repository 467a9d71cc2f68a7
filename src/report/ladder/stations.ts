// Who sent a frame and who got it: each MAC address is an interface of a machine. Knows a topology's machines by their MACs, those of any
// capture by what they send; where there are no MACs, addresses stand for them.
import type { Packet } from '../../pcap/index.ts';
import { endpoint } from '../../verify/words.ts';
import { rolesOf } from '../../verify/roles.ts';
import type { Node, Topology } from '../../topology/types.ts';
import type { Point } from './types.ts';

/** An interface. */
export interface Station {
  /** What tells it from others. */
  readonly key: string;
  /** The topology's node and interface. */
  readonly node?: string;
  readonly interface?: string;
  readonly addresses: readonly string[];
}

/** A loopback's, and those of captures whose link has none. */
const NO_MAC = '00:00:00:00:00:00';

export class Stations {
  readonly #topology: Topology | undefined;
  readonly #byKey = new Map<string, Station>();
  readonly #ofMac = new Map<string, Station>();
  #found: Habits | undefined;
  readonly #points: readonly Point[];

  constructor(points: readonly Point[], topology?: Topology) {
    this.#topology = topology;
    this.#points = points;
    for (const node of topology?.nodes ?? [])
      for (const link of node.interfaces) this.#ofMac.set(link.mac, this.#interface(node, link.name));
  }

  /** Both ends of the wire that a packet was seen on. */
  ends(packet: Packet): readonly [from: Station, to: Station] {
    const { ethernet, ip } = packet;
    const outer = packet.outer[0] ?? ip;
    if (ethernet !== undefined && ethernet.source !== NO_MAC)
      return [this.#station(ethernet.source), this.#station(ethernet.destination)];
    const [source, destination] = [outer?.source ?? '?', outer?.destination ?? '?'];
    if (source !== destination) return [this.#ofAddress(source), this.#ofAddress(destination)];
    const ports = packet.tcp ?? packet.udp;
    return [
      this.#named(endpoint(source, ports?.sourcePort ?? 0)),
      this.#named(endpoint(destination, ports?.destinationPort ?? 0)),
    ];
  }

  /** The node whose MAC address it is, or else its first address. */
  nameOfMac(mac: string): string {
    const { node, addresses } = this.#station(mac);
    return node ?? addresses[0] ?? mac;
  }

  /** The interface where a capture was made. */
  at({ node, interface: name }: Point): Station | undefined {
    const found = this.#topology?.nodes.find((each) => each.name === node);
    return found === undefined || name === undefined ? undefined : this.#interface(found, name);
  }

  /** Asked for where the topology does not know a MAC address: it takes a look at every packet. */
  get #habits(): Habits {
    this.#found ??= habitsOf(this.#points);
    return this.#found;
  }

  #interface(node: Node, name: string): Station {
    const key = `${node.name} ${name}`;
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    const link = node.interfaces.find((each) => each.name === name);
    const station: Station = {
      key,
      node: node.name,
      interface: name,
      addresses: link?.addresses.map(({ address }) => address) ?? [],
    };
    this.#byKey.set(key, station);
    return station;
  }

  #named(key: string, addresses: readonly string[] = [key]): Station {
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    const station = { key, addresses };
    this.#byKey.set(key, station);
    return station;
  }

  #station(mac: string): Station {
    const known = this.#ofMac.get(mac);
    if (known !== undefined) return known;
    const own = [...this.#habits.homes].filter(([, macs]) => macs.has(mac)).map(([address]) => address);
    const owners = own.flatMap((address) => this.#owners(address));
    // Captures of another machine's lab have its addresses, and MACs of their own.
    const station =
      owners.length === 1 && !owners[0]!.node.interfaces.some((link) => this.#isSeen(link.mac))
        ? this.#interface(owners[0]!.node, owners[0]!.name)
        : this.#named(mac, this.#addressesOf(mac, own));
    this.#ofMac.set(mac, station);
    return station;
  }

  #isSeen(mac: string): boolean {
    return [...this.#habits.homes.values()].some((macs) => macs.has(mac));
  }

  #addressesOf(mac: string, own: readonly string[]): readonly string[] {
    if (mac === 'ff:ff:ff:ff:ff:ff') return ['everyone'];
    const all = [...new Set([...(this.#habits.arp.get(mac) ?? []), ...own])];
    // Who never answers is known by what it is sent; a router is sent all kinds of addresses, or those of others.
    const sent = [...(this.#habits.sent.get(mac) ?? [])];
    if (all.length === 0) return sent.length === 1 && !this.#habits.homes.has(sent[0]!) ? sent : [mac];
    return all.length <= 2 ? all : [all[0]!, `and ${all.length - 1} more`];
  }

  #owners(address: string): { readonly node: Node; readonly name: string }[] {
    return (this.#topology?.nodes ?? []).flatMap((node) =>
      node.interfaces
        .filter((link) => link.addresses.some((own) => own.address === address))
        .map(({ name }) => ({ node, name })),
    );
  }

  #ofAddress(address: string): Station {
    const owners = this.#owners(address);
    if (owners.length === 1) return this.#interface(owners[0]!.node, owners[0]!.name);
    const topology = this.#topology;
    const balancer = topology?.balancer;
    if (topology !== undefined && balancer?.vip === address) {
      const { outside, balancer: node } = rolesOf(topology);
      const name = [...outside][0];
      if (node !== undefined && name !== undefined) return this.#interface(node, name);
    }
    return this.#named(address);
  }
}

/** What MAC addresses are known by. */
interface Habits {
  /** By address the MACs that it was sent from with the highest TTL: before anybody forwarded it. */
  readonly homes: ReadonlyMap<string, ReadonlySet<string>>;
  /** By MAC the addresses that it says in ARP that it has, and those that it was sent packets for. */
  readonly arp: ReadonlyMap<string, ReadonlySet<string>>;
  readonly sent: ReadonlyMap<string, ReadonlySet<string>>;
}

function habitsOf(points: readonly Point[]): Habits {
  const arp = new Map<string, Set<string>>();
  const sent = new Map<string, Set<string>>();
  const highest = new Map<string, { ttl: number; macs: Set<string> }>();
  for (const { capture } of points) {
    for (const packet of capture.packets) {
      const { ethernet } = packet;
      if (ethernet === undefined) continue;
      if (packet.arp !== undefined) {
        const { senderMac, senderAddress } = packet.arp;
        if (senderAddress !== '0.0.0.0')
          arp.set(senderMac, (arp.get(senderMac) ?? new Set()).add(senderAddress));
        continue;
      }
      const header = packet.outer[0] ?? packet.ip;
      if (header === undefined) continue;
      const received = sent.get(ethernet.destination) ?? new Set();
      sent.set(ethernet.destination, received.add(header.destination));
      const known = highest.get(header.source);
      if (known === undefined || header.ttl > known.ttl)
        highest.set(header.source, { ttl: header.ttl, macs: new Set([ethernet.source]) });
      else if (header.ttl === known.ttl) known.macs.add(ethernet.source);
    }
  }
  return { homes: new Map([...highest].map(([address, { macs }]) => [address, macs])), arp, sent };
}
