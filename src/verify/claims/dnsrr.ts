// Claims about DNS round robin: what the article sets load balancers against. The comment at each names the lab on which it must fail.
import { cite, claim, firstOf } from '../claim.ts';
import { answersAt, followedBy, isServed, keeps, type Followed, type SeenAnswer } from '../lookups.ts';
import { MissingEvidenceError, type Observation, type Sighting } from '../observe.ts';
import type { BackendRole } from '../roles.ts';
import type { Claim, FaultRecord } from '../types.ts';
import { groupBy } from '../../pcap/index.ts';
import { count, duration, endpoint, list, spread } from '../words.ts';
import { synsOf } from './common.ts';
import { follow } from './l4.ts';

const second = (seconds: number) => BigInt(Math.round(seconds * 1e9));

/** Answers as the DNS server's capture shows them, where there is one, else the clients'. */
function answers(seen: Observation): SeenAnswer[] {
  const { topology, captures } = seen.evidence;
  const servers = topology.nodes.filter(({ role }) => role === 'dns').map(({ name }) => name);
  const captured = servers.filter((name) => [...captures.values()].some(({ node }) => node === name));
  const found = answersAt(seen, captured.length > 0 ? new Set(captured) : seen.roles.clients);
  if (found.length === 0) throw new MissingEvidenceError('no DNS answer with an address was captured');
  return found;
}

// Fails where the name has one address.
const rotates = claim({
  id: 'dnsrr.rotates',
  title: "The DNS server answers with the backends' addresses in turning order",
  article: 'DNSの問い合わせ時にバックエンドサーバのIPアドレスを順番に返事することで負荷分散する',
  expected: () => 'one answer after the other has the same addresses and begins with another of them',
  measure: (seen) => {
    const all = answers(seen);
    const several = all.filter(({ addresses }) => addresses.length > 1);
    const pairs = several.flatMap((answer, index) => {
      const before = several[index - 1];
      const isSame =
        before !== undefined && [...before.addresses].sort().join() === [...answer.addresses].sort().join();
      return isSame ? [{ before, answer }] : [];
    });
    const still = pairs.filter(({ before, answer }) => before.addresses[0] === answer.addresses[0]);
    if (several.length === 1) throw new MissingEvidenceError('one answer alone shows no order');
    const first = (some: readonly SeenAnswer[]) =>
      spread(
        some.map(({ addresses }) => addresses[0]!),
        'with',
      );
    const alone = all.length - several.length;
    return {
      holds: pairs.length > 0 && still.length === 0,
      observed:
        several.length === 0
          ? `${count(all.length, 'answer')}, none with more than one address: ${first(all)}`
          : `${count(several.length, 'answer')} with several addresses begin ${first(several)}` +
            (still.length === 0 ? ', never twice in a row' : `, ${still.length} as the one before`) +
            (alone === 0 ? '' : `; ${alone} with one address, when the other was withdrawn`),
      evidence: cite(
        firstOf(
          still.map(({ answer }) => answer),
          all,
        ),
      ),
    };
  },
});

// Fails on l7: every SYN goes to the VIP.
const direct = claim({
  id: 'dnsrr.direct',
  title: 'The client connects to a backend directly',
  article: 'バックエンドサーバのIPアドレスをDNSレコードとして登録し',
  expected: ({ roles }) =>
    `every SYN at the client goes to a backend's own address, ${list([...roles.backendAddresses])}`,
  measure: (seen) => {
    const opened = seen.opened('client');
    const { backendAddresses, servicePorts } = seen.roles;
    const others = opened.filter(
      ({ connection: { server } }) => !backendAddresses.has(server.address) || !servicePorts.has(server.port),
    );
    const targets = opened.map(({ connection: { server } }) => endpoint(server.address, server.port));
    return {
      holds: others.length === 0,
      observed: `${count(opened.length, 'SYN')}: ${spread(targets, 'to')}`,
      evidence: synsOf(firstOf(others, opened)),
    };
  },
});

interface Client {
  readonly name: string;
  readonly sightings: readonly Sighting[];
  readonly followed: readonly Followed[];
}

function clientsOf(seen: Observation): Client[] {
  return [...groupBy(seen.opened('client'), ({ node }) => node)].map(([name, sightings]) => ({
    name,
    sightings,
    followed: followedBy(seen, name, sightings),
  }));
}

/** The backend that a connection went to, by the address that the client asked. */
const targetOf = (seen: Observation, { connection }: Sighting): string =>
  seen.roles.backends.find(({ addresses }) => addresses.has(connection.server.address))?.node ??
  connection.server.address;

const targets = (seen: Observation, sightings: readonly Sighting[]) =>
  spread(
    sightings.map((sighting) => targetOf(seen, sighting)),
    'to',
  );

// Fails where the client asks before each request.
const skew = claim({
  id: 'dnsrr.skew',
  title: 'A client that keeps answers makes the load uneven',
  article: '負荷が偏る可能性がある',
  expected: () =>
    'a client that keeps an answer sends every request to its first address while its TTL lasts; clients that ask each time reach every backend',
  measure: (seen) => {
    const clients = clientsOf(seen);
    answers(seen);
    const keeping = clients.filter(({ followed }) => keeps(followed));
    const asking = clients.filter(({ followed }) => !keeps(followed));
    const isStray = ({ answer, sightings }: Followed) =>
      sightings.some(({ connection }) => connection.server.address !== answer.addresses[0]);
    const strays = keeping.flatMap(({ followed }) => followed.filter(isStray));
    // Only what was asked while several backends were to be had can show that requests spread.
    const free = asking.flatMap(({ followed }) =>
      followed.filter(({ answer }) => answer.addresses.length > 1).flatMap(({ sightings }) => sightings),
    );
    const reached = new Set(free.map((sighting) => targetOf(seen, sighting)));
    const isEven = free.length < 2 || reached.size > 1;
    const longest = keeping
      .flatMap(({ name, followed }) => followed.map((each) => ({ name, ...each })))
      .sort((a, b) => b.sightings.length - a.sightings.length)[0];
    const kept =
      longest === undefined
        ? `no client kept an answer: ${clients
            .map(
              ({ name, followed, sightings }) =>
                `${name} ${count(followed.length, 'answer')} for ${count(sightings.length, 'connection')}`,
            )
            .join('; ')}`
        : `${longest.name}: ${count(longest.sightings.length, 'connection')} on one answer (TTL ${longest.answer.ttl} s), ${targets(seen, longest.sightings)}`;
    return {
      holds: longest !== undefined && strays.length === 0 && isEven,
      observed:
        kept +
        (free.length === 0
          ? ''
          : `; ${list(asking.map(({ name }) => name))}, with an answer for each request: ${targets(seen, free)}`),
      evidence: cite([
        ...(longest === undefined ? clients.flatMap(({ followed }) => followed) : [longest]).map(
          ({ answer }) => answer,
        ),
        ...(longest?.sightings ?? clients.flatMap(({ sightings }) => sightings)).map(({ syn }) => syn),
      ]),
    };
  },
});

const TAKES_DOWN = /^(stop-service|kill|link-down)\b/;

/** The first fault that took a backend down. */
export function downfall(
  seen: Observation,
): { readonly fault: FaultRecord; readonly backend: BackendRole } | undefined {
  for (const fault of seen.evidence.faults ?? []) {
    const backend = seen.roles.backends.find(({ node }) => node === fault.node);
    if (backend !== undefined && TAKES_DOWN.test(fault.fault)) return { fault, backend };
  }
  return undefined;
}

interface Outage {
  readonly client: Client;
  /** What the client opened from the instant of the fault on and before its next answer. */
  readonly attempts: readonly Sighting[];
  readonly failed: readonly Sighting[];
  /** Nanoseconds after the fault when it had its next answer; nothing when it never asked again. */
  readonly asked: bigint | undefined;
  /** Nanoseconds after the fault when it opened the first connection that was answered. */
  readonly recovered: bigint | undefined;
}

function outageOf(client: Client, from: bigint): Outage {
  const next = client.followed.find(({ answer }) => answer.time > from)?.answer.time;
  const after = client.sightings.filter(({ connection }) => connection.firstTime >= from);
  const attempts = after.filter(({ connection }) => next === undefined || connection.firstTime < next);
  const first = after.find(isServed);
  return {
    client,
    attempts,
    failed: attempts.filter((sighting) => !isServed(sighting)),
    asked: next === undefined ? undefined : next - from,
    recovered: first === undefined ? undefined : first.connection.firstTime - from,
  };
}

// Fails on a balancer that finds out by itself, in the same fault.
const failover = claim({
  id: 'dnsrr.failover',
  title: 'A client that keeps answers cannot switch at once when a server goes down',
  article: 'サーバダウンした時に、即座に切り替えられないクライアントがいる',
  expected: () =>
    'although DNS answers without the dead address at once, every request of the client fails until its answer has expired',
  measure: (seen) => {
    const down = downfall(seen);
    if (down === undefined) throw new MissingEvidenceError('no backend went down while requests went on');
    const from = second(down.fault.done);
    const clients = clientsOf(seen);
    const keeping = clients.filter(({ followed }) => keeps(followed));
    // Only a client whose answer began with the dead address can show it.
    const held = (client: Client) =>
      client.followed.findLast(({ answer }) => answer.time <= from)?.answer.addresses[0];
    const hit = keeping.filter((client) => down.backend.addresses.has(held(client) ?? ''));
    if (keeping.length > 0 && hit.length === 0)
      throw new MissingEvidenceError(`no client that keeps answers had the address of ${down.fault.node}`);
    const subjects = firstOf(hit, clients).map((client) => outageOf(client, from));
    const others = clients.filter((client) => hit.length > 0 && !keeping.includes(client));
    const isStuck = ({ attempts, failed }: Outage) => failed.length === attempts.length;
    const isShort = ({ attempts, asked }: Outage) => attempts.length < 2 || asked === undefined;
    const describe = ({ client, attempts, failed, asked, recovered }: Outage) =>
      `${client.name}: ${failed.length} of ${count(attempts.length, 'attempt')} ${asked === undefined ? 'after the fault' : `before its next answer ${duration(asked)} after the fault`} failed, ` +
      (recovered === undefined
        ? 'none was answered'
        : `the first that was answered came after ${duration(recovered)}`);
    const rest = others.map((client) => {
      const after = outageOf(client, from);
      const all = client.sightings.filter(({ connection }) => connection.firstTime >= from);
      const lost = all.filter((sighting) => !isServed(sighting)).length;
      return `${client.name} asks for each request: ${lost} of ${count(all.length, 'attempt')} failed${after.recovered === undefined ? '' : `, the first that was answered came after ${duration(after.recovered)}`}`;
    });
    const observed = [...subjects.map(describe), ...rest].join('; ');
    const holds = subjects.every(isStuck);
    if (holds && subjects.some(isShort))
      throw new MissingEvidenceError(`${observed}; two attempts and an answer after them are needed`);
    return {
      holds,
      observed,
      evidence: synsOf(subjects.flatMap(({ attempts }) => attempts)),
    };
  },
});

// Fails on nat with persistence: each client stays where it is.
const persistence = claim({
  id: 'dnsrr.persistence',
  title: 'It cannot keep one client on one server',
  article: 'パーシステンス機能がない(クライアントごとに同一のサーバに割り振れない)',
  expected: () => 'a client that keeps no answer reaches several backends',
  measure: (seen) => {
    const keeping = new Set(
      clientsOf(seen)
        .filter(({ followed }) => keeps(followed))
        .map(({ name }) => name),
    );
    const followed = follow(seen).filter(({ node }) => !keeping.has(node));
    const clients = [...groupBy(followed, ({ node }) => node)].filter(([, own]) => own.length > 1);
    if (clients.length === 0)
      throw new MissingEvidenceError('no client connected twice on answers of their own');
    const wandering = clients.filter(([, own]) => new Set(own.map(({ backend }) => backend)).size > 1);
    return {
      holds: wandering.length > 0,
      observed: clients
        .map(
          ([name, own]) =>
            `${name}: ${count(own.length, 'connection')} ${spread(
              own.map(({ backend }) => backend),
              'to',
            )}`,
        )
        .join('; '),
      evidence: synsOf(followed.map(({ reached }) => reached.sighting)),
    };
  },
});

export const dnsrrClaims: readonly Claim[] = [rotates, direct, skew, failover, persistence];
