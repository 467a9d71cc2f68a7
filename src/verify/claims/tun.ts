// Claims about a director that wraps packets in IP packets of its own (RFC 2003), and backends that answer the client directly. The comment
// at each names the lab on which it must fail.
import { cite, claim, firstOf } from '../claim.ts';
import type { SeenPacket } from '../observe.ts';
import type { Claim } from '../types.ts';
import { count, spread } from '../words.ts';
import {
  connectsToVip,
  destinationIsVip,
  oneConnection,
  payloadUntouched,
  sourceIsClient,
  spreads,
  synsOf,
} from './common.ts';
import {
  answersDirectly,
  answersFromVip,
  changes,
  hasTable,
  hasVip,
  isUnchanged,
  noCounterpart,
  passing,
  seenOnce,
  silentInArp,
} from './forwarding.ts';

/** IP in IP (RFC 2003 section 3.1). */
const IPIP = 4;

const tunnelOf = ({ packet }: SeenPacket) => packet.outer.find(({ protocol }) => protocol === IPIP);

// Fails on dnsrr.
const vip = connectsToVip({ id: 'tun.vip' });

// Fails on dsr: there is no second IP header.
const encapsulation = claim({
  id: 'tun.encapsulation',
  title: 'The packet travels unchanged inside another, from the director to a backend',
  expected: () =>
    "each client packet leaves the director inside an IP packet (protocol 4) from its address to a backend's, the same in addresses, ports, sequence numbers and payload",
  measure: (seen) => {
    const found = passing(seen);
    if (found.pairs.length === 0)
      return { holds: false, observed: noCounterpart(seen), evidence: synsOf(seen.opened('inside')) };
    const forth = found.twins.filter(({ first }) => first.toServer);
    const { balancerAddresses, backendAddresses } = seen.roles;
    const wrong = forth.filter((twin) => {
      const tunnel = tunnelOf(twin.second);
      return (
        tunnel === undefined ||
        tunnelOf(twin.first) !== undefined ||
        !balancerAddresses.has(tunnel.source) ||
        !backendAddresses.has(tunnel.destination) ||
        !isUnchanged(twin)
      );
    });
    const tunnels = forth.map(({ second }) => {
      const tunnel = tunnelOf(second);
      return tunnel === undefined ? 'no tunnel' : `${tunnel.source} to ${tunnel.destination}`;
    });
    const once = seenOnce(found);
    const complaints = wrong.flatMap(({ first, second }) => [first, second]).concat(once.packets);
    return {
      holds: complaints.length === 0,
      observed: [
        `${count(forth.length, 'client packet')} sent on: ${spread(tunnels, 'in')}`,
        ...once.words,
        `inner TTL ${changes(forth.map(({ first, second }) => [first.packet.ip.ttl, second.packet.ip.ttl]))}`,
      ].join('; '),
      evidence: cite(
        firstOf(
          complaints,
          forth.flatMap(({ first, second }) => [first, second]),
        ),
      ),
    };
  },
});

// Fails on fullnat.
const source = sourceIsClient({ id: 'tun.source' }, 'backend');

// Fails on nat.
const dst = destinationIsVip({ id: 'tun.dst' });

// Fails on nat.
const direct = answersDirectly({ id: 'tun.return' });

// Fails on a nat lab whose backend has a second leg on the clients' segment.
const returnSource = answersFromVip({ id: 'tun.return-source' });

// Fails on l7.
const one = oneConnection(
  { id: 'tun.one-connection', title: 'TCP does not end at the balancer' },
  'client',
  'backend',
);

// Fails on l7.
const payload = payloadUntouched({ id: 'tun.payload' }, 'client', 'backend');

// Fails with one backend of weight 0.
const spreadOver = spreads({ id: 'tun.spread' });

// Fails where backends do not have it.
const loopback = hasVip({ id: 'tun.loopback' }, "The VIP is on each backend's tunnel interface");

// Fails, where backends have a leg on the clients' segment, without arp_ignore.
const arp = silentInArp({ id: 'tun.arp' });

// Fails on nat: Masq.
const table = hasTable({ id: 'tun.table' }, 'Tunnel');

export const tunClaims: readonly Claim[] = [
  vip,
  encapsulation,
  source,
  dst,
  direct,
  returnSource,
  one,
  payload,
  spreadOver,
  loopback,
  arp,
  table,
];
