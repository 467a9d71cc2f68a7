// By what a lab finds out that a server is down, as packets show it: a client's DNS answer, a director's health check, a director's
// advertisement to its pair. Each is known of one capture point, so that it can be watched while the lab runs.
import type { Packet } from '../pcap/index.ts';
import type { CapturePoint, Topology } from '../topology/types.ts';
import { addressesNamed } from './roles.ts';

export type CheckKind = 'answer' | 'health' | 'advertisement';

/** Where checks show, and what they are. */
export interface Checks {
  readonly kind: CheckKind;
  readonly point: CapturePoint;
  /** The nodes that can go down by it: of a name's the one whose address an answer begins with. */
  readonly find: (packets: readonly Packet[]) => Check[];
}

export interface Check {
  readonly packet: Packet;
  /** The node that the check found alive. */
  readonly node: string;
}

/** IANA's protocol number of VRRP. */
export const VRRP = 112;

/** The client that keeps DNS answers; the first, where there are several. */
export function keepingClient({ traffic }: Topology): string | undefined {
  return traffic?.clients.find((name) => traffic.lookup?.[name] === 'caching');
}

/** How a lab finds out that a server is down; nothing where it does not, or where no capture shows it. */
export function checksOf(topology: Topology): Checks | undefined {
  const { balancer } = topology;
  if (balancer === undefined) return undefined;
  const reals = balancer.services[0]!.backends;
  const make = (kind: CheckKind, node: string | undefined, find: (packet: Packet) => string | undefined) => {
    const point = topology.captures.find((each) => each.node === node);
    if (point === undefined) return undefined;
    return {
      kind,
      point,
      find: (packets: readonly Packet[]) =>
        packets.flatMap((packet) => {
          const found = find(packet);
          return found === undefined ? [] : [{ packet, node: found }];
        }),
    };
  };
  if (balancer.dns !== undefined) {
    return make('answer', keepingClient(topology), ({ dns }) => {
      const first = dns?.isResponse === true ? dns.answers.find(({ type }) => type === 'A') : undefined;
      return reals.find(({ address }) => address === first?.data)?.node;
    });
  }
  if (balancer.pair !== undefined) {
    const own = addressesNamed(topology, balancer.node);
    return make('advertisement', balancer.pair.node, ({ ip }) =>
      ip?.protocol === VRRP && own.has(ip.source) ? balancer.node : undefined,
    );
  }
  if (balancer.health === undefined) return undefined;
  const own = addressesNamed(topology, balancer.node);
  own.delete(balancer.vip);
  const server = reals[0]?.node;
  return make('health', server, ({ ip, tcp }) => {
    // The server's answer to the check: the next one is counted from its end.
    const isAnswer = tcp !== undefined && own.has(ip!.destination) && tcp.payloadLength > 0;
    return isAnswer ? server : undefined;
  });
}
