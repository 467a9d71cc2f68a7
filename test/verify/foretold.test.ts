// What a lab's configuration allows when a server goes down, worked out by hand for one request each 0.1 s and timers that are 0.3 s late.
import { expect, test } from 'vitest';
import type { Balancer, HealthCheck, Real, Traffic } from '../../src/topology/types.ts';
import { allowedBy, type Allowed, type Setting, type Span } from '../../src/verify/foretold.ts';
import { recorded } from './evidence.ts';

const { topology } = await recorded('nat-keepalived-fault');
const { health: _, ...unwatched } = topology.balancer!;
const [service] = unwatched.services;

/** Asked each 2 s, last 0.45 s before: seen after 1.55 s where nothing has to be waited for. */
const HEALTH: HealthCheck = { every: 2, timeout: 1, retries: 0, retryAfter: 0.5, path: '/health' };
const watched: Balancer = { ...unwatched, health: HEALTH };
const leastConnected = (balancer: Balancer): Balancer => ({
  ...balancer,
  services: [{ ...service!, scheduler: 'lc' }],
});
/** With what is particular to each of the two servers. */
const serving = (...servers: readonly Partial<Real>[]): Balancer => ({
  ...watched,
  services: [
    { ...service!, backends: service!.backends.map((real, index) => ({ ...real, ...servers[index] })) },
  ],
});
const nginx: Balancer = { ...unwatched, method: 'nginx' };
const dns: Balancer = { ...unwatched, method: 'dns', dns: { name: 'www.example.test', ttl: 5 } };
const pair: Balancer = { ...watched, pair: { node: 'lb2', advert: 1, sync: true } };

interface Case {
  readonly balancer?: Balancer;
  readonly fault?: string;
  readonly node?: string;
  readonly traffic?: Partial<Traffic>;
  readonly offset?: number | 'none';
  readonly habit?: Setting['habit'];
  readonly count?: number;
}

/** From and to. */
type Figures = Partial<Record<Exclude<keyof Allowed, 'why'>, readonly [number, number]>>;

/** What is allowed, to the microsecond. */
function allowed({
  balancer = watched,
  fault = 'stop-service',
  node = 'be1',
  traffic,
  offset = 0.45,
  habit,
  count = 60,
}: Case): unknown {
  const found = allowedBy({
    topology: { ...topology, balancer, traffic: { ...topology.traffic!, timeout: 0.9, ...traffic } },
    fault: { at: 1, node, fault, began: 100, done: 100 },
    offset: offset === 'none' ? undefined : offset,
    habit,
    count,
    rest: 5.9,
  });
  const rounded = (value: number) => Math.round(value * 1e6) / 1e6;
  return Object.fromEntries(
    Object.entries(found).map(([name, value]: [string, Span | string]) => [
      name,
      typeof value === 'string' ? value : [rounded(value.from), rounded(value.to)],
    ]),
  );
}

const words = '2 s from check to check, the last 0.45 s before';

test.each<[string, Case, string]>([
  ['a fault that mends', { fault: 'start-service' }, 'nothing went down'],
  ['a fault that only disturbs', { fault: 'delay 50ms' }, 'nothing went down'],
  ['the only director', { node: 'lb' }, 'there is no other than lb'],
  ['a node that is neither director nor real server', { node: 'client' }, 'client serves nobody'],
  ['a server of weight 0', { balancer: serving({ weight: 0 }) }, 'be1 serves nobody'],
  ['a server that is marked as down', { balancer: serving({ down: true }) }, 'be1 serves nobody'],
  [
    'a server of another port than is asked for',
    {
      balancer: {
        ...watched,
        services: [
          { ...service!, port: 81 },
          { ...service!, backends: [] },
        ],
      },
    },
    'be1 serves nobody',
  ],
  ['the second director, while the first is there', { balancer: pair, node: 'lb2' }, 'lb2 serves nobody'],
  [
    'an entry of nobody knows when',
    { balancer: dns, habit: 'keeps answers', offset: 'none' },
    'no answer was captured',
  ],
  [
    'a director that ends and says so',
    { balancer: pair, node: 'lb', fault: 'kill' },
    'what a director that ends leaves behind is not foretold',
  ],
  [
    'a pair whose advertisements nobody saw',
    { balancer: pair, node: 'lb', fault: 'link-down', offset: 'none' },
    'no advertisement was captured',
  ],
  [
    'HAProxy',
    { balancer: { ...unwatched, method: 'haproxy' } },
    "HAProxy's own configuration says how it looks after servers",
  ],
  [
    'nginx, which waits a minute by itself',
    { balancer: nginx, fault: 'link-down', traffic: { timeout: 59 } },
    'nginx waits for longer than the client does',
  ],
  ['checks that nobody saw', { offset: 'none' }, 'no health check was captured'],
])('nothing is foretold of %s', (_name, setting, why) => {
  expect(allowed(setting)).toEqual({ why });
});

/**
 * Of two servers in turn: 12.5 to 18.5 requests begin in 1.25 to 1.85 s, half of them for the one that is down; one more or less as the first
 * falls.
 */
const IN_TURN: Figures = { lost: [5, 11], lastLost: [1.05, 1.85], silence: [0, 0.7], slowest: [0, 0.9] };

test.each<[string, Case, string, Figures]>([
  ['every other request fails until the next check, of two servers in turn', {}, words, IN_TURN],
  [
    'of a service beside others the one whose port is asked for',
    {
      balancer: {
        ...watched,
        services: [
          { ...service!, port: 81, backends: [] },
          { ...service!, protocol: 'udp', backends: [] },
          service!,
        ],
      },
    },
    words,
    IN_TURN,
  ],
  [
    'the only server that is not left out has all requests, and nothing is answered meanwhile',
    { balancer: serving({}, { weight: 0 }) },
    words,
    { lost: [11, 20], lastLost: [1.15, 1.85], silence: [1.15, 2.05], slowest: [0, 0.9] },
  ],
  [
    'no more can be lost than were sent, and the one under way',
    { count: 6 },
    words,
    { lost: [5, 7], lastLost: [1.05, 1.85], silence: [0, 0.7], slowest: [0, 0.9] },
  ],
  [
    'a server that says nothing is waited for at every attempt',
    { fault: 'link-down eth0', balancer: { ...watched, health: { ...HEALTH, retries: 2 } } },
    // 1.55 s, 1 s to connect, and twice 0.5 s and 1 s.
    `${words}, 1 s to connect, 2 times more after 0.5 s`,
    { lost: [25, 31], lastLost: [5.05, 5.85], silence: [0, 0.7], slowest: [0, 0.9] },
  ],
  [
    'a client that outlasts a SYN sent again, after 1 s, may lose nothing',
    { fault: 'link-down', traffic: { timeout: 1 } },
    `${words}, 1 s to connect`,
    { lost: [0, 16], lastLost: [0, 2.85], silence: [0, 0.7], slowest: [0, 1] },
  ],
  [
    'of a service that refuses, a client that is patient loses as much',
    { traffic: { timeout: 1 }, fault: 'kill', balancer: { ...watched, health: { ...HEALTH, retries: 1 } } },
    `${words}, once more after 0.5 s`,
    { lost: [7, 13], lastLost: [1.55, 2.35], silence: [0, 0.7], slowest: [0, 1] },
  ],
  [
    'the fewest connections are on a server that refuses them: any share may be lost',
    { balancer: leastConnected(watched) },
    words,
    { lost: [1, 60], lastLost: [0, 1.85] },
  ],
  ['a server of a pair of directors, by their checks', { balancer: pair }, words, IN_TURN],
  [
    'without checks half of all requests fail to the end',
    { balancer: unwatched, offset: 'none', count: 59 },
    'nobody asks whether a server lives',
    { lost: [27, 32], lastLost: [5.2, 6], slowest: [0, 0.9] },
  ],
  [
    'without checks and without turns any share fails to the end',
    { balancer: leastConnected(unwatched), offset: 'none' },
    'nobody asks whether a server lives',
    { lost: [1, 61], lastLost: [0, 6], slowest: [0, 0.9] },
  ],
  [
    'an answer that is kept for 5 s, asked for 1.05 s before',
    { balancer: dns, habit: 'keeps answers', offset: 1.05 },
    'TTL 5 s, asked for 1.05 s before',
    { lost: [35, 44], lastLost: [3.55, 4.25], silence: [3.55, 4.45], slowest: [0, 0.9] },
  ],
  [
    'a client that asks each time loses what was under way',
    { balancer: dns, habit: 'asks each time' },
    'asks for each request',
    { lost: [0, 1], lastLost: [0, 0.3], silence: [0, 0.5], slowest: [0, 0.3] },
  ],
  [
    'a client that tries each address waits 0.2 s for the first',
    { balancer: dns, habit: 'tries each address' },
    'asks for each request, and tries the next address after 0.2 s',
    { lost: [0, 1], lastLost: [0, 0.3], silence: [0, 0.7], slowest: [0, 0.5] },
  ],
  [
    'the second director waits for three advertisements and 156/256 of one (RFC 5798 section 6.1)',
    { balancer: pair, node: 'lb', fault: 'link-down', offset: 0.5 },
    'three advertisements of 1 s and 0.61 s, the last 0.5 s before',
    { lost: [27, 36], lastLost: [2.709375, 3.409375], silence: [2.709375, 3.609375], slowest: [0, 0.9] },
  ],
  [
    'advertisements twice as far apart are waited for twice as long',
    {
      balancer: { ...pair, pair: { ...pair.pair!, advert: 2 } },
      node: 'lb',
      fault: 'link-down',
      offset: 1.5,
      count: 80,
    },
    'three advertisements of 2 s and 1.22 s, the last 1.5 s before',
    { lost: [53, 62], lastLost: [5.31875, 6.01875], silence: [5.31875, 6.21875], slowest: [0, 0.9] },
  ],
  [
    'a connection that both directors know is as late again as the takeover, at worst',
    { balancer: pair, node: 'lb', fault: 'link-down', offset: 0.5, habit: 'keeps its connection' },
    'three advertisements of 1 s and 0.61 s, the last 0.5 s before; then TCP sends again',
    { lost: [0, 0], silence: [2.709375, 6.81875], slowest: [2.709375, 6.81875] },
  ],
  [
    'a connection that the second director does not know is lost',
    {
      balancer: { ...pair, pair: { ...pair.pair!, sync: false } },
      node: 'lb',
      fault: 'link-down',
      habit: 'keeps its connection',
    },
    'the second director does not know the connection',
    { lost: [1, 60] },
  ],
  [
    'nginx asks the next server as soon as one refuses',
    { balancer: nginx },
    'nginx asks the next server at once',
    { lost: [0, 1], lastLost: [0, 0.3], silence: [0, 0.5], slowest: [0, 0.3] },
  ],
  [
    'nginx does so where it balances connections, too',
    { balancer: { ...nginx, method: 'nginx-stream' }, fault: 'kill' },
    'nginx asks the next server at once',
    { lost: [0, 1], lastLost: [0, 0.3], silence: [0, 0.5], slowest: [0, 0.3] },
  ],
  [
    'nginx asks the next server when one has said nothing for as long as it may',
    {
      balancer: { ...nginx, nginx: { ...nginx.nginx, connectTimeout: 2 } },
      fault: 'link-down',
      traffic: { timeout: 5 },
    },
    'nginx asks the next server after 2 s',
    { lost: [0, 1], lastLost: [0, 0.3], silence: [0, 2.5], slowest: [2, 2.3] },
  ],
  [
    'nginx waits for no longer than a client that waits a minute, as it does by itself',
    { balancer: nginx, fault: 'link-down', traffic: { timeout: 60 } },
    'nginx asks the next server after 60 s',
    { lost: [0, 1], lastLost: [0, 0.3], silence: [0, 60.5], slowest: [60, 60.3] },
  ],
])('%s', (_name, setting, why, figures) => {
  expect(allowed(setting)).toEqual({ ...figures, why });
});
