// Claims about a balancer that reads HTTP: two TCP connections for each request, and what it puts into the second. The comment at each
// names the lab on which it must fail.
import { cite, claim, firstOf } from '../claim.ts';
import {
  backendOf,
  cookies,
  header,
  isHandshakeComplete,
  packetsOf,
  pairByNumbers,
  requestsAmong,
  type SeenRequest,
} from '../measure.ts';
import { MissingEvidenceError, type Observation } from '../observe.ts';
import type { Claim } from '../types.ts';
import { groupBy } from '../../pcap/index.ts';
import { count, duration, list, spread, tally } from '../words.ts';
import { connectsToVip, sharesText, sourceIsBalancer, synsOf, where } from './common.ts';

const citeRequests = (requests: readonly SeenRequest[]) => cite(requests.flatMap(packetsOf));

/** The backend that a request towards the backends goes to. */
function targetOf(seen: Observation, { sighting }: SeenRequest): string {
  const first = sighting.packets.find(({ toServer }) => toServer);
  return (first && backendOf(seen, first)?.node) ?? sighting.connection.server.address;
}

const declaredCookie = (seen: Observation) => seen.evidence.topology.balancer?.nginx.stickyCookie;

/** The value of the cookie by which the topology says that clients stay. */
function pinnedBy(seen: Observation, { request }: SeenRequest): string | undefined {
  const declared = declaredCookie(seen);
  return [...cookies(request)].find(([name]) => name === declared)?.[1];
}

/** The sticky cookie of a request: the one the topology names, or else one whose value is a backend's name. */
function stickyCookie(seen: Observation, request: SeenRequest): string | undefined {
  if (declaredCookie(seen) !== undefined) return pinnedBy(seen, request);
  const backends = new Set(seen.roles.backends.map(({ node }) => node));
  return [...cookies(request.request).values()].find((value) => backends.has(value));
}

// Fails on dnsrr: there the client connects to a backend itself.
const vip = connectsToVip({
  id: 'l7.vip',
  article: 'クライアントから見たときの接続先IPアドレスはLBのIPアドレスになる',
});

// Fails on nat: its SYNs towards the backends come from the client.
const source = sourceIsBalancer({
  id: 'l7.source',
  article: 'バックエンドサーバから見たときの接続元IPアドレスはLBのIPアドレスになる',
});

// Fails on nat: its connections share both numbers.
const twoConnections = claim({
  id: 'l7.two-connections',
  title: 'TCP ends at the balancer: two connections for one request',
  article: '各ethごとにTCPハンドシェイクを行っており、TCPコネクションが2本張られていることがわかる',
  expected: () =>
    'as many whole handshakes on each side as requests, and no connection shares both initial sequence numbers with one on the other side',
  measure: (seen) => {
    const outer = seen.opened('outside');
    const inner = seen.opened('inside');
    const outside = outer.filter(isHandshakeComplete);
    const inside = inner.filter(isHandshakeComplete);
    const logged = seen.evidence.requests?.length;
    const requests = logged ?? requestsAmong(outer).length;
    const { pairs } = pairByNumbers(outer, inner);
    if (outside.length === 0 && inside.length === 0 && pairs.length === 0) {
      throw new MissingEvidenceError('no handshake was completed');
    }
    return {
      holds: outside.length === requests && inside.length === requests && pairs.length === 0,
      observed:
        `${count(requests, 'request')}${logged === undefined ? '' : " in the clients' log"}, ` +
        `${count(outside.length, 'handshake')} on ${where(outer)}, ${inside.length} on ${where(inner)}, ` +
        `${pairs.length === 0 ? 'none shares' : pairs.length === 1 ? '1 shares' : `${pairs.length} share`} both initial sequence numbers`,
      evidence: synsOf(
        firstOf(
          pairs.flatMap(({ first, second }) => [first, second]),
          [...outside, ...inside],
        ),
      ),
    };
  },
});

// Fails on nginx's stream proxy, which connects to a backend before it has read anything.
const afterRequest = claim({
  id: 'l7.after-request',
  title: 'The balancer connects to a backend only after the HTTP request has arrived',
  article:
    'クライアントからLBにHTTPリクエストが送られた後に、LBからバックエンドサーバにTCPコネクションを張っている',
  expected: () => "each request is on the clients' side before the SYN of its connection to a backend",
  measure: (seen) => {
    const requests = requestsAmong(seen.opened('outside'));
    // If every SYN follows its own request, then also the nth SYN follows the nth request, whichever belong together.
    const inner = seen.opened('inside');
    const carrying = inner.filter(({ connection }) =>
      connection.http.some(({ request }) => request !== undefined),
    );
    const opened = firstOf(carrying, inner);
    const pairs = requests.slice(0, opened.length).map((request, index) => {
      const sighting = opened[index]!;
      return { request, sighting, gap: sighting.connection.firstTime - request.request.lastTime };
    });
    const early = pairs.filter(({ gap }) => gap <= 0n);
    const gaps = pairs.map(({ gap }) => gap).sort((a, b) => Number(a - b));
    return {
      holds: early.length === 0 && requests.length === opened.length,
      observed:
        `${count(requests.length, 'request')} and ${count(opened.length, 'SYN')} to backends; ` +
        (early.length === 0
          ? `each SYN after its request, by ${duration(gaps[0]!)} to ${duration(gaps.at(-1)!)}`
          : `${early.length} of ${count(pairs.length, 'SYN')} before the request, by up to ${duration(-gaps[0]!)}`),
      evidence: cite(
        firstOf(early, pairs).flatMap(({ request, sighting }) => packetsOf(request).concat(sighting.syn)),
      ),
    };
  },
});

// Fails on an nginx that does not set the header.
const forwardedFor = claim({
  id: 'l7.forwarded-for',
  title: "X-Forwarded-For carries the client's address to the backend",
  article: 'X-Forwarded-Forヘッダー を利用したクライアントのIPアドレス保持',
  expected: ({ roles }) =>
    `every request to a backend has X-Forwarded-For: ${list([...roles.clientAddresses])}, no request from a client has one`,
  measure: (seen) => {
    const name = 'x-forwarded-for';
    const outer = requestsAmong(seen.opened('outside'));
    const inner = requestsAmong(seen.opened('inside'));
    const early = outer.filter(({ request }) => header(request, name).length > 0);
    const valueOf = ({ request }: SeenRequest) => header(request, name).join(', ');
    const wrong = inner.filter((request) => !seen.roles.clientAddresses.has(valueOf(request)));
    // With several clients the right addresses must come, and each as often as its client asked.
    const asked = JSON.stringify(tally(outer.map(({ sighting }) => sighting.connection.client.address)));
    const told = JSON.stringify(tally(inner.map(valueOf)));
    const holds = early.length === 0 && wrong.length === 0 && asked === told;
    const values = inner.map((request) => valueOf(request) || 'no X-Forwarded-For');
    return {
      holds,
      observed:
        `${count(inner.length, 'request')} on ${where(inner.map(({ sighting }) => sighting))}: ${spread(values, 'with')}; ` +
        `${early.length === 0 ? 'none' : early.length} of ${outer.length} on ${where(outer.map(({ sighting }) => sighting))} has one`,
      evidence: citeRequests(firstOf(wrong, early, inner)),
    };
  },
});

function describeRequest({ request }: SeenRequest): string {
  const value = (name: string) => header(request, name).join(', ') || '(none)';
  return `${request.version}, Host: ${value('host')}, Connection: ${value('connection')}`;
}

// Fails on an nginx with proxy_http_version 1.1.
const proxyRequest = claim({
  id: 'l7.proxy-request',
  title: 'The proxied request is HTTP/1.0 with the upstream as Host and Connection: close',
  article: 'GET / HTTP/1.0 … Host: myapp1 … Connection: close',
  expected: ({ evidence }) =>
    `every request to a backend is HTTP/1.0 with Host: ${evidence.topology.balancer?.nginx.upstream ?? 'the upstream'} and Connection: close`,
  measure: (seen) => {
    const upstream = seen.evidence.topology.balancer?.nginx.upstream;
    const inner = requestsAmong(seen.opened('inside'));
    const wrong = inner.filter(
      ({ request }) =>
        request.version !== 'HTTP/1.0' ||
        header(request, 'host').join() !== upstream ||
        header(request, 'connection').join().toLowerCase() !== 'close',
    );
    return {
      holds: wrong.length === 0,
      observed: `${count(inner.length, 'request')} on ${where(inner.map(({ sighting }) => sighting))}: ${spread(inner.map(describeRequest), 'with')}`,
      evidence: citeRequests(firstOf(wrong, inner)),
    };
  },
});

// Fails where one of two declared servers is marked down.
const spreadOver = claim({
  id: 'l7.spread',
  title: 'Requests spread over the backends',
  article: 'リクエストを分散させるための仕組み',
  expected: ({ evidence, roles }) => {
    const names = list(roles.backends.map(({ node }) => node));
    return isEvenRoundRobin(evidence.topology.balancer?.services[0]?.scheduler, roles)
      ? `round robin over ${names}: counts differ by at most one`
      : `each of ${names} serves at least one request, none all`;
  },
  measure: (seen) => {
    const { backends } = seen.roles;
    const free = requestsAmong(seen.opened('inside')).filter(
      (request) => pinnedBy(seen, request) === undefined,
    );
    if (free.length < backends.length) {
      throw new MissingEvidenceError(
        `${count(free.length, 'request')} cannot reach ${count(backends.length, 'backend')}`,
      );
    }
    const targets = free.map((request) => targetOf(seen, request));
    const counts = new Map(
      backends.map(({ node }) => [node, targets.filter((target) => target === node).length]),
    );
    const shares = [...counts.values()];
    const isEven = isEvenRoundRobin(seen.evidence.topology.balancer?.services[0]?.scheduler, seen.roles);
    const others = targets.filter((target) => !counts.has(target));
    return {
      holds:
        others.length === 0 &&
        shares.every((share) => share > 0 && share < free.length) &&
        (!isEven || Math.max(...shares) - Math.min(...shares) <= 1),
      observed: `${count(free.length, 'request')}: ${sharesText(seen, counts)}${others.length === 0 ? '' : `, elsewhere ${others.length}`}`,
      evidence: citeRequests(free),
    };
  },
});

/** Words of nginx and HAProxy for taking turns. */
const EVEN: ReadonlySet<string> = new Set(['rr', 'wrr', 'roundrobin', 'static-rr']);

function isEvenRoundRobin(scheduler: string | undefined, { backends }: Observation['roles']): boolean {
  return EVEN.has(scheduler ?? '') && new Set(backends.map(({ weight }) => weight)).size === 1;
}

// Fails where requests carry the cookie and nginx does not look at it.
const sticky = claim({
  id: 'l7.sticky',
  title: 'A cookie pins a client to one backend',
  article: 'Cookieを利用したスティッキーセッション',
  expected: () =>
    'with the cookie every request reaches the backend that it names, without it requests spread',
  measure: (seen) => {
    const inner = requestsAmong(seen.opened('inside'));
    const pinned = inner.filter((request) => stickyCookie(seen, request) !== undefined);
    const free = inner.filter((request) => stickyCookie(seen, request) === undefined);
    if (pinned.length < 2) {
      throw new MissingEvidenceError(
        `${count(pinned.length, 'request')} with a cookie that names a backend, two are needed`,
      );
    }
    const names = new Set(seen.roles.backends.map(({ node }) => node));
    const stray = [...groupBy(pinned, (request) => stickyCookie(seen, request)!)].flatMap(
      ([value, requests]) => {
        const home = names.has(value) ? value : targetOf(seen, requests[0]!);
        return requests.filter((request) => targetOf(seen, request) !== home);
      },
    );
    const reached = new Set(free.map((request) => targetOf(seen, request)));
    if (stray.length === 0 && free.length < 2) {
      throw new MissingEvidenceError(`${count(free.length, 'request')} without the cookie, two are needed`);
    }
    const describe = (requests: readonly SeenRequest[]) =>
      spread(
        requests.map((request) => targetOf(seen, request)),
        'to',
      );
    return {
      holds: stray.length === 0 && reached.size > 1,
      observed:
        `${pinned.length} with the cookie ${list([...new Set(pinned.map((request) => stickyCookie(seen, request)!))])}: ${describe(pinned)}; ` +
        `${free.length} without: ${free.length === 0 ? 'none' : describe(free)}`,
      evidence: citeRequests(firstOf(stray, inner)),
    };
  },
});

/** What nginx's ip_hash goes by: the first three bytes of an IPv4 address, the whole of an IPv6 one, which has no dots (ngx_http_upstream_module). */
const hashed = (address: string) => address.split('.').slice(0, 3).join('.');

// Fails on round robin with several clients.
const ipHash = claim({
  id: 'l7.ip-hash',
  title: 'A client stays on one backend by its address, and its neighbours with it',
  expected: () =>
    'all requests of clients that share the first three bytes of their addresses reach one backend, and not all clients are on the same',
  measure: (seen) => {
    const inner = requestsAmong(seen.opened('inside')).map((request) => ({
      request,
      client: header(request.request, 'x-forwarded-for').join(', '),
      target: targetOf(seen, request),
    }));
    const known = inner.filter(({ client }) => seen.roles.clientAddresses.has(client));
    if (known.length === 0) throw new MissingEvidenceError('no request to a backend names its client');
    const groups = [...groupBy(known, ({ client }) => hashed(client))];
    const observed = [...groupBy(known, ({ client }) => client)]
      .map(
        ([client, own]) =>
          `${client}: ${spread(
            own.map(({ target }) => target),
            'to',
          )}`,
      )
      .join('; ');
    const evidence = citeRequests(known.map(({ request }) => request));
    if (groups.some(([, own]) => new Set(own.map(({ target }) => target)).size > 1))
      return { holds: false, observed, evidence };
    if (new Set(known.map(({ target }) => target)).size < 2)
      throw new MissingEvidenceError(`${observed}; nothing shows that another backend was there`);
    if (groups.some(([, own]) => own.length < 2))
      throw new MissingEvidenceError(`${observed}; two requests of each client are needed`);
    return { holds: true, observed, evidence };
  },
});

/** nginx's own (ngx_http_upstream_module, server). */
const MAX_FAILS = 1;
const FAIL_TIMEOUT = 10;
const NANOSECONDS = 1e9;

// Fails with max_fails=0: nginx then never takes a server for one that is down.
const leftOut = claim({
  id: 'l7.left-out',
  title: 'A server that fails is left out for a time, and its requests go to the next',
  expected: ({ evidence: { topology } }) => {
    const { maxFails = MAX_FAILS, failTimeout = FAIL_TIMEOUT } = topology.balancer?.nginx ?? {};
    return `after the fault not more than ${count(Math.max(1, maxFails), 'connection')} to the server in ${failTimeout} s, and every request answered`;
  },
  measure: (seen) => {
    const { topology, faults = [], requests } = seen.evidence;
    const fault = faults.find(({ node }) => seen.roles.backends.some((backend) => backend.node === node));
    if (fault === undefined) throw new MissingEvidenceError('no backend went down while requests went on');
    if (requests === undefined) throw new MissingEvidenceError('there is no log of requests');
    const { maxFails = MAX_FAILS, failTimeout = FAIL_TIMEOUT } = topology.balancer?.nginx ?? {};
    const down = BigInt(Math.round(fault.done * NANOSECONDS));
    const later = seen.opened('inside').filter(({ connection }) => connection.firstTime >= down);
    const tried = later.filter(({ syn }) => backendOf(seen, syn)?.node === fault.node);
    if (tried.length === 0) throw new MissingEvidenceError(`nobody asked ${fault.node} after its fault`);
    const limit = Math.max(1, maxFails);
    const isOften = tried.some(({ connection }, index) => {
      const next = tried[index + limit]?.connection.firstTime;
      return next !== undefined && Number(next - connection.firstTime) < failTimeout * NANOSECONDS;
    });
    const failed = requests.filter(({ error, status }) => error !== undefined || status >= 500).length;
    return {
      holds: !isOften && failed === 0,
      observed: `after the fault ${count(tried.length, 'connection')} to ${fault.node} and ${later.length - tried.length} to others; ${failed} of ${count(requests.length, 'request')} failed`,
      evidence: synsOf(tried),
    };
  },
});

export const l7Claims: readonly Claim[] = [
  vip,
  source,
  twoConnections,
  afterRequest,
  forwardedFor,
  proxyRequest,
  spreadOver,
  sticky,
  ipHash,
  leftOut,
];
