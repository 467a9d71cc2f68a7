// The service's packets and connections as seen at each place. On the balancer a packet belongs to a side by its destination MAC and its
// direction, so one arm or two makes no difference. What the packets prove is left to the claims.
import { connections, groupBy, type Connection, type Packet } from '../pcap/index.ts';
import { placesOf, rolesOf, type Place, type Roles } from './roles.ts';
import type { CapturedPoint, Evidence } from './types.ts';
import { list } from './words.ts';

/** Thrown by a measurement that has nothing to measure: the verdict is `unknown`, with the message as what was observed. */
export class MissingEvidenceError extends Error {
  override readonly name = 'MissingEvidenceError';
}

type TcpPacket = Packet & {
  readonly tcp: NonNullable<Packet['tcp']>;
  readonly ip: NonNullable<Packet['ip']>;
};

function isTcp(packet: Packet): packet is TcpPacket {
  return packet.tcp !== undefined;
}

/** A TCP packet of the service at one capture point. */
export interface SeenPacket {
  readonly point: CapturedPoint;
  readonly packet: TcpPacket;
  readonly toServer: boolean;
}

/** A connection at one node whose SYN was captured; a node's answers may leave by another interface than requests come in. */
export interface Sighting {
  readonly node: string;
  /** Its packet numbers are not a capture's but what `numbered` takes: a node may have several captures. */
  readonly connection: Connection;
  readonly packets: readonly SeenPacket[];
  readonly syn: SeenPacket;
  readonly numbered: (number: number) => SeenPacket;
}

export interface Observation {
  readonly evidence: Evidence;
  readonly roles: Roles;
  /** Whether anything was captured at a place. */
  has(place: Place): boolean;
  /** MAC addresses of a node: as its captures show them, else as the topology says. */
  macs(node: string): ReadonlySet<string>;
  /** Capture points at a place. Throws MissingEvidenceError when there is none or one is not whole. */
  points(place: Place): readonly CapturedPoint[];
  /** The service's packets at a place, point by point. Throws as `points` does. */
  packets(place: Place): readonly SeenPacket[];
  /** Connections opened at a place, by the time of their first packet. Throws as `points` does, and when no SYN was captured. */
  opened(place: Place): readonly Sighting[];
}

const PLACE_WORDS: Readonly<Record<Place, string>> = {
  client: 'at a client',
  outside: "on the balancer's side towards the clients",
  inside: "on the balancer's side towards the backends",
  backend: 'at a backend',
};

/**
 * The MACs of the interface that a capture was made on: the topology's, where frames have it. A capture made elsewhere has other MACs; an
 * interface's own is then the one that every unicast frame comes from or goes to, or, of the two hosts on a wire, the one whose part in the
 * service is the node's. Nothing when that does not tell either.
 */
function ownMacs(
  point: CapturedPoint,
  declared: ReadonlySet<string>,
  places: readonly Place[],
  packets: readonly SeenPacket[],
): ReadonlySet<string> | undefined {
  let common: Set<string> | undefined;
  for (const { ethernet } of point.capture.packets) {
    if (ethernet === undefined || isGroup(ethernet.destination)) continue;
    if (declared.has(ethernet.source) || declared.has(ethernet.destination)) return declared;
    const ends = [ethernet.source, ethernet.destination];
    common = new Set(common === undefined ? ends : ends.filter((mac) => common!.has(mac)));
  }
  if (common?.size === 1) return common;
  const first = packets.find(({ packet }) => packet.ethernet !== undefined);
  if (first === undefined || places.length !== 1) return undefined;
  const { source, destination } = first.packet.ethernet!;
  const isSender = places[0] === 'client' || places[0] === 'inside' ? first.toServer : !first.toServer;
  return new Set([isSender ? source : destination]);
}

/** Whether a MAC address stands for several interfaces: its first byte is odd (IEEE 802). */
export const isGroup = (mac: string) => /^.[13579bdf]/.test(mac);

function servicePackets(point: CapturedPoint, roles: Roles): SeenPacket[] {
  const servers = new Set([...roles.balancerAddresses, ...roles.backendAddresses]);
  return point.capture.packets.flatMap((packet) => {
    if (!isTcp(packet)) return [];
    const { tcp, ip } = packet;
    // Health checks are the director's own business.
    if (roles.checkers.has(ip.source) || roles.checkers.has(ip.destination)) return [];
    const to = roles.ports.has(tcp.destinationPort);
    const from = roles.ports.has(tcp.sourcePort);
    if (!to && !from) return [];
    const toServer = to && from ? servers.has(ip.destination) && !servers.has(ip.source) : to;
    return { point, packet, toServer };
  });
}

/**
 * Without the frames that a segment flooded to an interface that they are not for, as a switch does until it has learnt where a MAC address is.
 * Captures made elsewhere, which have none of the topology's MACs, are left as they are.
 */
function withoutFlooded(packets: readonly SeenPacket[], macs: ReadonlySet<string>): readonly SeenPacket[] {
  const isOwn = ({ packet: { ethernet } }: SeenPacket) =>
    ethernet !== undefined && (macs.has(ethernet.source) || macs.has(ethernet.destination));
  return packets.some(isOwn) ? packets.filter(isOwn) : packets;
}

/** Splits what the balancer captured into its two sides. */
function bySide(
  point: CapturedPoint,
  roles: Roles,
  packets: readonly SeenPacket[],
): { outside: SeenPacket[]; inside: SeenPacket[] } {
  const places = placesOf(roles, point.node, point.interface);
  const macs = ownMacs(point, roles.balancerMacs, places, packets);
  const isInside = ({ packet, toServer }: SeenPacket): boolean => {
    if (macs !== undefined && packet.ethernet !== undefined) {
      const received = macs.has(packet.ethernet.destination);
      return toServer ? !received : received;
    }
    // Without MACs (tcpdump -i any) the interface tells the side, or else the addresses.
    if (!places.includes('outside')) return true;
    if (!places.includes('inside')) return false;
    const server = toServer ? packet.ip.destination : packet.ip.source;
    return packet.outer.length > 0 || roles.backendAddresses.has(server);
  };
  const inside = packets.filter(isInside);
  const isIn = new Set(inside);
  return { outside: packets.filter((packet) => !isIn.has(packet)), inside };
}

/** Packets in the order of time, those that two capture points on one interface both have taken only once. */
function inOrder(packets: readonly SeenPacket[]): SeenPacket[] {
  const sorted = [...packets].sort((a, b) => Number(a.packet.time - b.packet.time));
  const known = new Map<string, SeenPacket[]>();
  return sorted.filter((seen) => {
    const { point, packet } = seen;
    const key = `${point.interface}/${packet.time}`;
    const others = known.get(key) ?? [];
    const isSame = (other: SeenPacket) =>
      other.point !== point && Buffer.compare(other.packet.bytes, packet.bytes) === 0;
    if (others.some(isSame)) return false;
    known.set(key, [...others, seen]);
    return true;
  });
}

function openedAmong(packets: readonly SeenPacket[]): Sighting[] {
  const sightings: Sighting[] = [];
  for (const [node, own] of groupBy(packets, ({ point }) => point.node)) {
    const ordered = inOrder(own);
    const numbered = (number: number) => ordered[number - 1]!;
    const renumbered = ordered.map(({ packet }, index) => Object.assign({}, packet, { number: index + 1 }));
    for (const connection of connections({ packets: renumbered })) {
      if (connection.handshake.syn === undefined) continue;
      sightings.push({
        node,
        connection,
        packets: connection.packetNumbers.map(numbered),
        syn: numbered(connection.handshake.syn),
        numbered,
      });
    }
  }
  return sightings.sort((a, b) => Number(a.connection.firstTime - b.connection.firstTime));
}

function makeObservation(evidence: Evidence): Observation {
  const roles = rolesOf(evidence.topology);
  const captured = [...evidence.captures.values()];
  const at = (place: Place) =>
    captured.filter((point) => placesOf(roles, point.node, point.interface).includes(place));
  const received = (point: CapturedPoint) => {
    const node = evidence.topology.nodes.find(({ name }) => name === point.node);
    return withoutFlooded(servicePackets(point, roles), new Set(node?.interfaces.map(({ mac }) => mac)));
  };
  const sides = new Map<CapturedPoint, ReturnType<typeof bySide>>();
  const sidesOf = (point: CapturedPoint) => {
    const known = sides.get(point) ?? bySide(point, roles, servicePackets(point, roles));
    sides.set(point, known);
    return known;
  };
  const has = (place: Place) => at(place).length > 0;
  const macsOf = new Map<string, ReadonlySet<string>>();
  const macs = (name: string) => {
    const known = macsOf.get(name);
    if (known !== undefined) return known;
    const node = evidence.topology.nodes.find((each) => each.name === name);
    const declared = new Set(node?.interfaces.map(({ mac }) => mac));
    const own = captured
      .filter((point) => point.node === name)
      .map((point) => ownMacs(point, declared, placesOf(roles, name, point.interface), received(point)))
      .filter((macsOfPoint) => macsOfPoint !== undefined);
    const found = own.length === 0 ? declared : new Set(own.flatMap((set) => Array.from(set)));
    macsOf.set(name, found);
    return found;
  };
  const points = (place: Place) => {
    const found = at(place);
    if (found.length === 0) throw new MissingEvidenceError(`nothing was captured ${PLACE_WORDS[place]}`);
    const broken = found.find((point) => point.incomplete !== undefined);
    if (broken !== undefined)
      throw new MissingEvidenceError(`the capture ${broken.name} is not whole: ${broken.incomplete}`);
    return found;
  };
  const packetsOf = new Map<Place, readonly SeenPacket[]>();
  const packets = (place: Place) => {
    const known = packetsOf.get(place);
    if (known !== undefined) return known;
    const own = points(place);
    // A side's packets may also pass the balancer's other interfaces, as when a backend has a leg on the clients' segment.
    const found =
      place === 'client' || place === 'backend'
        ? own.flatMap(received)
        : captured
            .filter((point) => point.node === roles.balancer?.name)
            .flatMap((point) => sidesOf(point)[place]);
    packetsOf.set(place, found);
    return found;
  };
  const openedAt = new Map<Place, readonly Sighting[]>();
  const opened = (place: Place) => {
    const found = openedAt.get(place) ?? openedAmong(packets(place));
    openedAt.set(place, found);
    if (found.length === 0) {
      const names = list(points(place).map(({ name }) => name));
      const ports = list([...roles.ports].map(String));
      throw new MissingEvidenceError(`no SYN to port ${ports} was captured ${PLACE_WORDS[place]} (${names})`);
    }
    return found;
  };
  return { evidence, roles, has, macs, points, packets, opened };
}

const observations = new WeakMap<Evidence, Observation>();

/** What a piece of evidence shows; worked out once for all claims. */
export function observe(evidence: Evidence): Observation {
  const known = observations.get(evidence) ?? makeObservation(evidence);
  observations.set(evidence, known);
  return known;
}
