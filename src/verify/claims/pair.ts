// Claims about two directors of which the second takes over when the first goes down (VRRP, RFC 5798), and about the connections that were
// open then. The comment at each names the lab on which it must fail.
import type { Packet } from '../../pcap/index.ts';
import { VRRP } from '../checks.ts';
import { cite, claim, firstOf } from '../claim.ts';
import { isServed } from '../lookups.ts';
import { MissingEvidenceError, type Observation, type Sighting } from '../observe.ts';
import { masterDownInterval } from '../../topology/pair.ts';
import { addressesNamed } from '../roles.ts';
import type { CapturedPoint, Claim, FaultRecord } from '../types.ts';
import { count, duration, list } from '../words.ts';
import { synsOf } from './common.ts';

/** Nanoseconds that a busy machine may add to a timer. */
const SLACK = 500_000_000;
const SECOND = 1e9;

const nanoseconds = (seconds: number) => BigInt(Math.round(seconds * SECOND));

/** The first fault of a director. */
function end({ evidence, roles }: Observation): FaultRecord {
  const found = evidence.faults?.find(({ node }) => node === roles.balancer?.name);
  if (found === undefined) throw new MissingEvidenceError('no director went down while requests went on');
  return found;
}

interface Advertisement {
  readonly point: CapturedPoint;
  readonly packet: Packet;
}

/** Advertisements by time, each once: of the capture that saw most of them, the first director's own left out. */
function advertisements({ evidence, roles }: Observation): Advertisement[] {
  const all = [...evidence.captures.values()]
    .filter(({ node }) => node !== roles.balancer?.name)
    .map((point) =>
      point.capture.packets.filter(({ ip }) => ip?.protocol === VRRP).map((packet) => ({ point, packet })),
    );
  const best = all.sort((a, b) => b.length - a.length)[0] ?? [];
  if (best.length === 0) throw new MissingEvidenceError('no VRRP advertisement was captured');
  return best;
}

// Fails where the first director says goodbye: the second need not wait.
const takeover = claim({
  id: 'pair.takeover',
  title: 'The second director takes over when the first has been silent for three advertisements',
  expected: ({ evidence: { topology } }) => {
    const pair = topology.balancer?.pair;
    return pair === undefined
      ? 'the second director advertises itself three advertisements and a skew after the last of the first'
      : `${pair.node} advertises itself ${duration(Math.round(masterDownInterval(pair) * SECOND))} after the last advertisement of ${topology.balancer!.node}, as three advertisements of ${pair.advert} s and its skew make`;
  },
  measure: (seen) => {
    const { topology } = seen.evidence;
    end(seen);
    const pair = topology.balancer?.pair;
    if (pair === undefined) throw new MissingEvidenceError('there is one director only');
    const first = addressesNamed(topology, topology.balancer!.node);
    const second = addressesNamed(topology, pair.node);
    const all = advertisements(seen);
    const next = all.find(({ packet }) => second.has(packet.ip!.source));
    // The first may come back later.
    const last = all.findLast(
      ({ packet }) => first.has(packet.ip!.source) && (next === undefined || packet.time <= next.packet.time),
    );
    if (last === undefined)
      throw new MissingEvidenceError(`no advertisement of ${topology.balancer!.node} was captured`);
    if (next === undefined) {
      return { holds: false, observed: `${pair.node} never advertised itself`, evidence: cite([last]) };
    }
    const waited = Number(next.packet.time - last.packet.time);
    const wanted = masterDownInterval(pair) * SECOND;
    return {
      holds: waited > wanted - SLACK / 10 && waited < wanted + SLACK,
      observed: `${pair.node} advertised itself ${duration(waited)} after the last advertisement of ${topology.balancer!.node}`,
      evidence: cite([last, next]),
    };
  },
});

/** The SYN that was answered: the last of those that were sent. */
const lastSyn = ({ packets }: Sighting) =>
  packets.findLast(({ packet, toServer }) => toServer && packet.tcp.flags.syn)!;

/** Who the SYN of a connection went to. */
function directorOf(seen: Observation, sighting: Sighting): string | undefined {
  const mac = lastSyn(sighting).packet.ethernet?.destination;
  return seen.evidence.topology.nodes.find(({ interfaces }) => interfaces.some((link) => link.mac === mac))
    ?.name;
}

// Fails where there is no second director.
const moves = claim({
  id: 'pair.moves',
  title: 'The VIP moves to the second director, which says so in ARP',
  expected: ({ evidence: { topology } }) =>
    `requests go to ${topology.balancer?.node ?? 'the director'} until it goes down, and after an ARP packet of ${topology.balancer?.pair?.node ?? 'the other'} for the VIP to that, and are answered`,
  measure: (seen) => {
    const fault = end(seen);
    const { topology } = seen.evidence;
    const { vip } = seen.roles;
    const [first, second] = [topology.balancer!.node, topology.balancer!.pair?.node];
    const macs = new Set(
      topology.nodes.find(({ name }) => name === second)?.interfaces.map(({ mac }) => mac),
    );
    const claims = seen
      .points('client')
      .flatMap((point) => point.capture.packets.map((packet) => ({ point, packet })))
      .filter(({ packet: { arp } }) => arp?.senderAddress === vip && macs.has(arp?.senderMac ?? ''))
      .sort((a, b) => Number(a.packet.time - b.packet.time));
    const down = nanoseconds(fault.done);
    const served = seen.opened('client').filter(isServed);
    const before = served.filter(({ connection }) => connection.firstTime < nanoseconds(fault.began));
    const after = served.filter(({ connection }) => connection.firstTime >= down);
    if (before.length === 0)
      throw new MissingEvidenceError('no request was answered before the director went down');
    const moved = claims[0]?.packet.time;
    const ways = (some: readonly Sighting[]) =>
      list([...new Set(some.map((sighting) => directorOf(seen, sighting) ?? 'somebody else'))]);
    const isMoved =
      moved !== undefined &&
      after.length > 0 &&
      before.every((sighting) => directorOf(seen, sighting) === first) &&
      after.every(
        (sighting) => directorOf(seen, sighting) === second && lastSyn(sighting).packet.time > moved,
      );
    return {
      holds: isMoved,
      observed:
        `${count(before.length, 'connection')} answered through ${ways(before)} before; ` +
        (moved === undefined
          ? 'nobody else claimed the VIP in ARP; '
          : `${second} claimed the VIP ${duration(moved - down)} after; `) +
        (after.length === 0
          ? 'no connection that was opened later was answered'
          : `${count(after.length, 'connection')} answered through ${ways(after)} from ${duration(lastSyn(after[0]!).packet.time - down)} after on`),
      evidence: cite([...claims.slice(0, 1), ...[...before.slice(-1), ...after.slice(0, 1)].map(lastSyn)]),
    };
  },
});

// Fails without the sync daemon: the second director does not know the connection, and resets it.
const connections = claim({
  id: 'pair.connections',
  title: 'A connection outlives its director, since the second was told of it',
  expected: () => 'a connection that was open when the director went down is answered again, and not reset',
  measure: (seen) => {
    const down = nanoseconds(end(seen).done);
    const kept = seen
      .opened('client')
      .filter(({ connection: { firstTime, http } }) => firstTime < down && http.length > 1)
      .filter(({ packets }) => packets.some(({ packet, toServer }) => toServer && packet.time >= down));
    if (kept.length === 0)
      throw new MissingEvidenceError(
        'no connection with several requests was open when the director went down',
      );
    const answers = ({ connection }: Sighting) =>
      connection.http.flatMap(({ response }) => (response === undefined ? [] : [response]));
    const later = (sighting: Sighting) => answers(sighting).filter(({ firstTime }) => firstTime >= down);
    const isReset = ({ packets }: Sighting) =>
      packets.some(({ packet, toServer }) => !toServer && packet.tcp.flags.rst);
    const broken = kept.filter((sighting) => later(sighting).length === 0 || isReset(sighting));
    const describe = (sighting: Sighting) => {
      const back = later(sighting);
      const early = answers(sighting).length - back.length;
      return (
        `${sighting.node}: ${count(early, 'answer')} before` +
        (back.length === 0
          ? ', none after'
          : `, ${back.length} after, the first ${duration(back[0]!.firstTime - down)} after`) +
        (isReset(sighting) ? ', then reset' : '')
      );
    };
    return {
      holds: broken.length === 0,
      observed: kept.map(describe).join('; '),
      evidence: synsOf(firstOf(broken, kept)),
    };
  },
});

export const pairClaims: readonly Claim[] = [takeover, moves, connections];
