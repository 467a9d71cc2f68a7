// Claims about a director that hands frames on by their MAC address alone, and backends that answer the client directly. The comment at
// each names the lab on which it must fail.
import { cite, claim, firstOf } from '../claim.ts';
import { pairForwarded, twinsOf } from '../measure.ts';
import { MissingEvidenceError, type Observation, type SeenPacket } from '../observe.ts';
import { connections, groupBy } from '../../pcap/index.ts';
import { parseIptables } from '../tables.ts';
import type { Claim } from '../types.ts';
import { count, list, spread, tally } from '../words.ts';
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
  demandAnswers,
  hasTable,
  hasVip,
  isUnchanged,
  noCounterpart,
  passing,
  seenOnce,
  silentInArp,
} from './forwarding.ts';

// Fails on dnsrr.
const vip = connectsToVip({
  id: 'dsr.vip',
  article: 'クライアントから見たときの接続先IPアドレスはLBのIPアドレスになる',
});

function demandMacs(packets: readonly SeenPacket[]): void {
  const bare = packets.find(({ packet }) => packet.ethernet === undefined);
  if (bare !== undefined) throw new MissingEvidenceError(`${bare.point.name} has no MAC addresses`);
}

function backendMacs(seen: Observation): Map<string, string> {
  return new Map(
    seen.roles.backends.flatMap(({ node }) => [...seen.macs(node)].map((mac) => [mac, node] as const)),
  );
}

// Fails on nat: the destination address is another.
const mac = claim({
  id: 'dsr.mac',
  title: 'Balancing is by the destination MAC address: nothing above it changes',
  article: '宛先MACアドレスを差し替えてロードバランシングする',
  expected: () =>
    "each client packet passes the balancer twice, the same in addresses, ports, sequence numbers and payload: to the balancer's MAC, then from it to a backend's",
  measure: (seen) => {
    const found = passing(seen);
    if (found.pairs.length === 0)
      return { holds: false, observed: noCounterpart(seen), evidence: synsOf(seen.opened('inside')) };
    const forth = found.twins.filter(({ first }) => first.toServer);
    demandMacs(forth.flatMap(({ first, second }) => [first, second]));
    const own = seen.macs(seen.roles.balancer?.name ?? '');
    const macs = backendMacs(seen);
    const changed = forth.filter((twin) => !isUnchanged(twin));
    const misled = forth.filter(
      ({ second }) =>
        !own.has(second.packet.ethernet!.source) || !macs.has(second.packet.ethernet!.destination),
    );
    const once = seenOnce(found);
    const wrong = [...changed, ...misled]
      .flatMap(({ first, second }) => [first, second])
      .concat(once.packets);
    const holds = wrong.length === 0;
    return {
      holds,
      observed: [
        `${count(forth.length, 'client packet')} seen twice`,
        ...(changed.length === 0
          ? ['nothing above Ethernet changes but the TTL']
          : [
              `${changed.length} changed: destination ${changes(changed.map(({ first, second }) => [first.packet.ip.destination, second.packet.ip.destination]))}`,
            ]),
        ...once.words,
        `destination MAC ${changes(forth.map(({ first, second }) => [first.packet.ethernet!.destination, second.packet.ethernet!.destination]))}`,
        `source MAC ${changes(forth.map(({ first, second }) => [first.packet.ethernet!.source, second.packet.ethernet!.source]))}`,
        `TTL ${changes(forth.map(({ first, second }) => [first.packet.ip.ttl, second.packet.ip.ttl]))}`,
      ].join('; '),
      evidence: cite(holds ? forth.flatMap(({ first, second }) => [first, second]) : wrong),
      note: 'Beside the destination MAC the director also puts in its own source MAC and takes one off the TTL, which the article does not say.',
    };
  },
});

// Fails on fullnat.
const source = sourceIsClient(
  {
    id: 'dsr.source',
    article: 'バックエンドサーバから見たときの接続元IPアドレスはクライアントのIPアドレスになる',
  },
  'backend',
);

// Fails on nat.
const dst = destinationIsVip({ id: 'dsr.dst', article: '接続先IPアドレスがLBのIPアドレスになっている' });

// Fails on nat: its answers pass the balancer.
const direct = answersDirectly({
  id: 'dsr.return',
  article: '戻りパケットだけはLBを経由せずにクライアントにダイレクトに返っていることがわかる',
});

// Fails on a nat lab whose backend has a second leg: its SYN-ACK has the backend's own address.
const returnSource = answersFromVip({
  id: 'dsr.return-source',
  article: 'レスポンスの接続元IPアドレスをロードバランサに見せかける必要がある',
});

// Fails where a backend is behind a router: the frame goes to the router, which sends it back to the VIP's owner.
const segment = claim({
  id: 'dsr.segment',
  title: 'Balancer and backends share a segment',
  article: 'ロードバランサとバックエンドサーバは同一セグメントに置く必要がある',
  expected: () =>
    "each frame that leaves the director goes to a backend's own MAC and arrives there with the same TTL",
  measure: (seen) => {
    const inner = seen.opened('inside');
    const sent = inner.flatMap(({ packets }) => packets.filter(({ toServer }) => toServer));
    demandMacs(sent);
    const macs = backendMacs(seen);
    const strange = sent.filter(({ packet }) => !macs.has(packet.ethernet!.destination));
    const targets = sent.map(({ packet }) => {
      const { destination } = packet.ethernet!;
      return `${destination} (${macs.get(destination) ?? "no backend's"})`;
    });
    const left = `${count(sent.length, 'frame')} sent on: ${spread(targets, 'to')}`;
    if (strange.length > 0) {
      return { holds: false, observed: `${left}${looping(sent)}`, evidence: cite(strange) };
    }
    const twins = pairForwarded(inner, seen.opened('backend'))
      .pairs.flatMap((pair) => twinsOf(pair).twins)
      .filter(({ first }) => first.toServer);
    if (twins.length === 0)
      throw new MissingEvidenceError('no frame that was sent on has been captured at a backend');
    const aged = twins.filter(({ first, second }) => first.packet.ip.ttl !== second.packet.ip.ttl);
    return {
      holds: aged.length === 0,
      observed: `${left}; TTL from director to backend ${changes(twins.map(({ first, second }) => [first.packet.ip.ttl, second.packet.ip.ttl]))}`,
      evidence: cite(firstOf(aged, twins).flatMap(({ first, second }) => [first, second])),
    };
  },
});

/** How often one SYN passed and with which TTLs, when it came round more than once. */
function looping(packets: readonly SeenPacket[]): string {
  const rounds = [
    ...groupBy(
      packets,
      ({ packet: { ip, tcp } }) => `${ip.source}/${tcp.sourcePort}/${tcp.sequence}/${ip.identification}`,
    ).values(),
  ];
  const longest = rounds.reduce((most, round) => (round.length > most.length ? round : most));
  const ttls = longest.map(({ packet }) => packet.ip.ttl);
  return ttls.length < 2
    ? ''
    : `; one packet passes ${ttls.length} times, its TTL falling from ${ttls[0]} to ${ttls.at(-1)}`;
}

// Fails where backends do not have it.
const loopback = hasVip(
  {
    id: 'dsr.loopback',
    article: 'ロードバランサのIPアドレスをバックエンドサーバのループバックIPアドレスに設定する',
  },
  "The VIP is on each backend's loopback",
);

// Fails without arp_ignore (a backend replies) and, with it, when arp_announce is 0 (a backend asks in the VIP's name).
const arp = silentInArp({ id: 'dsr.arp', article: 'ループバックIPアドレスはARPに答えないように設定する' });

/** tshark's tcp.completeness in words. */
function completenessText(value: number): string {
  const names = ['SYN', 'SYN-ACK', 'ACK', 'DATA', 'FIN', 'RST'].filter(
    (_, bit) => (value & (1 << bit)) !== 0,
  );
  return `${value} (${names.join(', ')})`;
}

// Fails on nat: the balancer sees both halves.
const missing = claim({
  id: 'dsr.missing',
  title: "On the balancer's capture the conversation looks incomplete",
  article: '戻りパケットがLBを経由しないため、Wiresharkがパケットが欠けてると警告を出している',
  expected: () =>
    'no SYN-ACK and no other packet of a server for any connection at the balancer, though clients were answered',
  measure: (seen) => {
    const opened = seen.opened('outside');
    const back = [...seen.packets('outside'), ...seen.packets('inside')].filter(({ toServer }) => !toServer);
    if (back.length === 0) demandAnswers(seen);
    const captures = seen.points('outside');
    // As tshark sees them: both passages of a packet in one conversation.
    const whole = captures.flatMap(({ capture }) =>
      connections(capture).filter(
        ({ client, server, handshake }) =>
          handshake.syn !== undefined &&
          seen.roles.servicePorts.has(server.port) &&
          !seen.roles.checkers.has(client.address),
      ),
    );
    const flags = tally(
      whole.flatMap(({ analysis }) =>
        Object.entries(analysis).flatMap(([flag, times]) => Array.from({ length: times }, () => flag)),
      ),
    );
    const synAcks = back.filter(({ packet: { tcp } }) => tcp.flags.syn).length;
    const completeness = tally(whole.map((connection) => completenessText(connection.completeness)));
    return {
      holds: back.length === 0,
      observed:
        `${count(opened.length, 'connection')}, ${count(synAcks, 'SYN-ACK')}, ${count(back.length, 'packet')} of a server; tcp.completeness ` +
        completeness
          .map(([value, times]) => (completeness.length === 1 ? value : `${value} in ${times}`))
          .join(', '),
      evidence: firstOf(cite(back), synsOf(opened)),
      note:
        "Where the article's Wireshark warned of missing packets, today's (4.0) marks the director's own copies: " +
        `here ${list(flags.map(([flag, times]) => count(times, flag.replaceAll('-', ' ')))) || 'nothing'}.`,
    };
  },
});

// Fails on l7.
const one = oneConnection(
  {
    id: 'dsr.one-connection',
    title: 'TCP does not end at the balancer',
    article: 'ロードバランサでTCPコネクションは終端しない',
  },
  'client',
  'backend',
);

// Fails on l7.
const payload = payloadUntouched({ id: 'dsr.payload' }, 'client', 'backend');

// Fails with one backend of weight 0.
const spreadOver = spreads({ id: 'dsr.spread' });

// Fails on fullnat: it masquerades.
const norules = claim({
  id: 'dsr.norules',
  title: 'No packet filter rules are involved',
  article: '# iptables -L',
  live: true,
  expected: () =>
    'no rule in the filter table and none in the nat table of the balancer, every policy ACCEPT',
  measure: (seen) => {
    const tables = (['filter', 'nat'] as const).map((name) => {
      const text = seen.evidence.tables?.get(`iptables-${name}`);
      return { name, table: text === undefined ? undefined : parseIptables(text) };
    });
    const lines = tables.flatMap(({ table }) => [...(table?.rules ?? []), ...(table?.policies ?? [])]);
    const unread = tables.filter(({ table }) => table === undefined);
    if (lines.length === 0 && unread.length > 0) {
      throw new MissingEvidenceError(
        `the ${list(unread.map(({ name }) => name))} table of the balancer was not read`,
      );
    }
    return {
      holds: lines.length === 0,
      observed: lines.length === 0 ? 'both tables are empty' : lines.join('; '),
    };
  },
});

// Fails on nat: Masq.
const table = hasTable({ id: 'dsr.table', article: '-> 192.168.11.108:http Route 1' }, 'Route');

export const dsrClaims: readonly Claim[] = [
  vip,
  mac,
  source,
  dst,
  direct,
  returnSource,
  segment,
  loopback,
  arp,
  missing,
  one,
  payload,
  spreadOver,
  norules,
  table,
];
