// Claims about a balancer that rewrites addresses and passes everything on: one connection, both directions through it. The comment at
// each names the lab on which it must fail.
import { cite, claim, firstOf } from '../claim.ts';
import { median, rangesOf, type Pair } from '../measure.ts';
import { MissingEvidenceError, type Observation, type Sighting } from '../observe.ts';
import type { Claim } from '../types.ts';
import { count, duration, tally } from '../words.ts';
import {
  connectsToVip,
  oneConnection,
  pairSyns,
  payloadUntouched,
  sourceIsClient,
  spreads,
  synsOf,
  where,
} from './common.ts';
import { changes, demandAnswers, hasTable, noCounterpart, passing } from './forwarding.ts';

// Fails on dnsrr.
const vip = connectsToVip({
  id: 'nat.vip',
  article: 'クライアントから見たときの接続先IPアドレスはLBのIPアドレスになる',
});

// Fails on l7: two connections.
const one = oneConnection(
  {
    id: 'nat.one-connection',
    title: 'There is one TCP connection, end to end',
    article: 'TCPコネクションが1本しか張られていないことがわかる',
  },
  'outside',
  'inside',
);

const portOf = ({ connection }: Sighting) => String(connection.client.port);

// Fails on l7: nginx's connections have ports of their own.
const port = claim({
  id: 'nat.port',
  title: "The client's port reaches the backend unchanged",
  article: '接続元のエフェメラルポート番号がそのまま接続先に渡されており',
  expected: () => 'the source ports on both sides are the same',
  measure: (seen) => {
    const outer = seen.opened('outside');
    const inner = seen.opened('inside');
    const holds = JSON.stringify(tally(outer.map(portOf))) === JSON.stringify(tally(inner.map(portOf)));
    const outside = new Set(outer.map(portOf));
    const common = inner.filter((sighting) => outside.has(portOf(sighting))).length;
    const sample = (some: readonly Sighting[]) =>
      some.slice(0, 3).map(portOf).join(', ') + (some.length > 3 ? ', ...' : '');
    return {
      holds,
      observed:
        `${count(outer.length, 'port')} on ${where(outer)} (${sample(outer)}), ` +
        `${inner.length} on ${where(inner)} (${sample(inner)}), ${common} the same`,
      evidence: synsOf([...outer, ...inner]),
    };
  },
});

// Fails on dsr: addresses stay as they are.
const rewrite = claim({
  id: 'nat.rewrite',
  title: 'The balancer rewrites the destination on the way in and the source on the way out',
  article: 'LBで接続元IPや接続先IPの変換はするものの',
  expected: ({ roles }) =>
    `towards a backend the destination ${roles.vip ?? 'VIP'} becomes the backend's address, towards the client the source turns back`,
  measure: (seen) => {
    const { pairs, twins } = passing(seen);
    if (pairs.length === 0)
      return { holds: false, observed: noCounterpart(seen), evidence: synsOf(seen.opened('inside')) };
    const way = twins.map((twin) => {
      const { toServer } = twin.first;
      const end = toServer ? 'destination' : 'source';
      return { twin, toServer, outer: twin.first.packet.ip[end], inner: twin.second.packet.ip[end] };
    });
    const wrong = way.filter(
      ({ outer, inner }) => outer !== seen.roles.vip || !seen.roles.backendAddresses.has(inner),
    );
    const inwards = way.filter(({ toServer }) => toServer);
    const outwards = way.filter(({ toServer }) => !toServer);
    if (wrong.length === 0 && outwards.length === 0) demandAnswers(seen);
    return {
      holds: wrong.length === 0 && inwards.length > 0 && outwards.length > 0,
      observed:
        `${count(inwards.length, 'packet')} in, destination ${changes(inwards.map(({ outer, inner }) => [outer, inner])) || 'none'}; ` +
        `${count(outwards.length, 'packet')} out, source ${changes(outwards.map(({ outer, inner }) => [inner, outer])) || 'none'}`,
      evidence: cite(firstOf(wrong, way).flatMap(({ twin }) => [twin.first, twin.second])),
    };
  },
});

/** Why a connection does not pass the balancer whole in both directions; nothing when it does. */
function missingHalf({ first, second }: Pair): string | undefined {
  for (const direction of ['toClient', 'toServer'] as const) {
    const words = direction === 'toServer' ? 'from the client' : 'to the client';
    if (rangesOf(first, direction) !== rangesOf(second, direction)) return `bytes ${words} on one side only`;
    if (first.connection.payload[direction] === 0) return `no data ${words}`;
  }
  return undefined;
}

// Fails where a backend has a second leg on the clients' segment and answers past the balancer.
const bothWays = claim({
  id: 'nat.both-ways',
  title: 'All traffic passes the balancer, in both directions',
  article: 'NAT変換のために全ての通信がLBを経由する',
  expected: () => 'every connection has data both ways on both sides, and the same bytes on each',
  measure: (seen) => {
    const { pairs, onlyFirst, onlySecond } = passing(seen);
    const isSilent = pairs.every(
      ({ first, second }) =>
        first.connection.payload.toClient === 0 && second.connection.payload.toClient === 0,
    );
    if (pairs.length > 0 && isSilent) demandAnswers(seen);
    const halves = pairs.flatMap((pair) => {
      const why = missingHalf(pair);
      return why === undefined ? [] : { pair, why };
    });
    const lone = [...onlyFirst, ...onlySecond];
    const bytes = pairs.reduce(
      (sum, { first: { connection } }) => sum + connection.payload.toServer + connection.payload.toClient,
      0,
    );
    const complaints = [
      ...(lone.length === 0 ? [] : [`${count(lone.length, 'connection')} on one side only`]),
      ...tally(halves.map(({ why }) => why)).map(([why, times]) => `${times} with ${why}`),
    ];
    return {
      holds: complaints.length === 0,
      observed:
        `${count(pairs.length, 'connection')} on both sides` +
        (complaints.length === 0
          ? `, ${bytes} bytes of payload, the same on each`
          : `; ${complaints.join('; ')}`),
      evidence:
        complaints.length === 0
          ? pairSyns(pairs)
          : synsOf([...lone, ...halves.flatMap(({ pair }) => [pair.first, pair.second])]),
    };
  },
});

/** How far apart twins may be and still count as passed on at once: far more than any kernel needs, far less than a held connection. */
const PROMPT_NS = 50_000_000n;

function promptness({ roles }: Observation): bigint {
  const delays = roles.balancer?.interfaces.map(({ link }) => link?.delay ?? 0) ?? [];
  return PROMPT_NS + BigInt(Math.round(delays.reduce((sum, delay) => sum + delay, 0) * 1e6));
}

const firstData = (sighting: Sighting) =>
  sighting.packets.find(({ toServer, packet }) => toServer && packet.tcp.payloadLength > 0);

// Fails on l7: the SYN to the backend comes after the request.
const passedThrough = claim({
  id: 'nat.passed-through',
  title: 'Packets are passed on as they come, not held for the request',
  article: '時刻から、LBはパケットを横流ししているようになっている',
  expected: () =>
    'the SYN towards the backend is earlier than the request from the client, and packets leave soon after they come',
  measure: (seen) => {
    const { pairs, twins } = passing(seen);
    // Connections that have nothing in common are taken in their order, as a proxy would open them.
    const outer = seen.opened('outside');
    const inner = seen.opened('inside');
    const opened =
      pairs.length > 0
        ? pairs
        : outer.slice(0, inner.length).map((first, index) => ({ first, second: inner[index]! }));
    const timed = opened.flatMap(({ first, second }) => {
      const data = firstData(first);
      return data === undefined
        ? []
        : { data, syn: second.syn, lead: data.packet.time - second.syn.packet.time };
    });
    if (timed.length === 0) throw new MissingEvidenceError('no client sent a request');
    const late = timed.filter(({ lead }) => lead <= 0n);
    const gaps = twins.map(({ first, second }) =>
      first.toServer ? second.packet.time - first.packet.time : first.packet.time - second.packet.time,
    );
    const leads = timed.map(({ lead }) => lead);
    const middle = gaps.length === 0 ? undefined : median(gaps);
    const longest = gaps.reduce((most, gap) => (gap > most ? gap : most), 0n);
    return {
      holds: late.length === 0 && middle !== undefined && middle <= promptness(seen),
      observed:
        (late.length === 0
          ? `${count(timed.length, 'SYN')} passed on before the request, by ${duration(median(leads))} (median)`
          : `${late.length} of ${count(timed.length, 'SYN')} sent on only after the request`) +
        (middle === undefined
          ? '; no packet has a twin'
          : `; ${count(gaps.length, 'packet')} passed on within ${duration(middle)} (median), ${duration(longest)} (maximum)`),
      evidence: cite(firstOf(late, timed).flatMap(({ data, syn }) => [data, syn])),
    };
  },
});

// Fails on fullnat: there the source is the balancer.
const source = sourceIsClient(
  {
    id: 'nat.source',
    article: 'バックエンドサーバから見たときの接続元IPアドレスはLBのIPアドレスになる',
    note:
      'The article says 「バックエンドサーバから見たときの接続元IPアドレスはLBのIPアドレスになる」 (seen from a backend, the ' +
      "source address is the balancer's). ipvsadm -m rewrites the destination alone, so its own commands do not bear that out; " +
      'in fullnat, which masquerades too, the sentence is true.',
  },
  'inside',
);

// Fails with one backend of weight 0.
const spreadOver = spreads({ id: 'nat.spread' });

// Fails on l7: nginx writes requests of its own.
const payload = payloadUntouched({ id: 'nat.payload' }, 'outside', 'inside');

// Fails on dsr: Route.
const table = hasTable({ id: 'nat.table', article: '-> 10.133.1.2:80 Masq 1' }, 'Masq');

export const natClaims: readonly Claim[] = [
  vip,
  one,
  port,
  rewrite,
  bothWays,
  passedThrough,
  source,
  spreadOver,
  payload,
  table,
];
