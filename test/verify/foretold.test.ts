// What a lab's configuration allows when a server goes down, worked out by hand for one request each 0.1 s and timers that are 0.3 s late.
import { expect, test } from 'vitest';
import type { Balancer, HealthCheck, Real, Traffic } from '../../src/topology/types.ts';
import { allowedBy, type Allowed, type Setting } from '../../src/verify/foretold.ts';
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

function allowed({
  balancer = watched,
  fault = 'stop-service',
  node = 'be1',
  traffic,
  offset = 0.45,
  habit,
  count = 60,
}: Case): Allowed {
  const found = allowedBy({
    topology: { ...topology, balancer, traffic: { ...topology.traffic!, timeout: 0.9, ...traffic } },
    fault: { at: 1, node, fault, began: 100, done: 100 },
    offset: offset === 'none' ? undefined : offset,
    habit,
    count,
    rest: 5.9,
  });
  return JSON.parse(
    JSON.stringify(found, (_key, value: unknown) =>
      typeof value === 'number' ? Math.round(value * 1e6) / 1e6 : value,
    ),
  ) as Allowed;
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

test.each<[string, Case, Allowed]>([
  [
    'every other request fails until the next check, of two servers in turn',
    {},
    // 12.5 to 18.5 requests begin in 1.25 to 1.85 s, half of them for the server; one more or less as the first falls.
    {
      lost: { from: 5, to: 11 },
      lastLost: { from: 1.05, to: 1.85 },
      silence: { from: 0, to: 0.7 },
      slowest: { from: 0, to: 0.9 },
      why: words,
    },
  ],
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
    {
      lost: { from: 5, to: 11 },
      lastLost: { from: 1.05, to: 1.85 },
      silence: { from: 0, to: 0.7 },
      slowest: { from: 0, to: 0.9 },
      why: words,
    },
  ],
  [
    'the only server that is not left out has all requests, and nothing is answered meanwhile',
    { balancer: serving({}, { weight: 0 }) },
    {
      lost: { from: 11, to: 20 },
      lastLost: { from: 1.15, to: 1.85 },
      silence: { from: 1.15, to: 2.05 },
      slowest: { from: 0, to: 0.9 },
      why: words,
    },
  ],
  [
    'no more can be lost than were sent, and the one under way',
    { count: 6 },
    {
      lost: { from: 5, to: 7 },
      lastLost: { from: 1.05, to: 1.85 },
      silence: { from: 0, to: 0.7 },
      slowest: { from: 0, to: 0.9 },
      why: words,
    },
  ],
  [
    'a server that says nothing is waited for at every attempt',
    { fault: 'link-down eth0', balancer: { ...watched, health: { ...HEALTH, retries: 2 } } },
    // 1.55 s, 1 s to connect, and twice 0.5 s and 1 s.
    {
      lost: { from: 25, to: 31 },
      lastLost: { from: 5.05, to: 5.85 },
      silence: { from: 0, to: 0.7 },
      slowest: { from: 0, to: 0.9 },
      why: `${words}, 1 s to connect, 2 times more after 0.5 s`,
    },
  ],
  [
    'a client that outlasts a SYN sent again, after 1 s, may lose nothing',
    { fault: 'link-down', traffic: { timeout: 1 } },
    {
      lost: { from: 0, to: 16 },
      lastLost: { from: 0, to: 2.85 },
      silence: { from: 0, to: 0.7 },
      slowest: { from: 0, to: 1 },
      why: `${words}, 1 s to connect`,
    },
  ],
  [
    'of a service that refuses, a client that is patient loses as much',
    { traffic: { timeout: 1 }, fault: 'kill', balancer: { ...watched, health: { ...HEALTH, retries: 1 } } },
    {
      lost: { from: 7, to: 13 },
      lastLost: { from: 1.55, to: 2.35 },
      silence: { from: 0, to: 0.7 },
      slowest: { from: 0, to: 1 },
      why: `${words}, once more after 0.5 s`,
    },
  ],
  [
    'the fewest connections are on a server that refuses them: any share may be lost',
    { balancer: leastConnected(watched) },
    { lost: { from: 1, to: 60 }, lastLost: { from: 0, to: 1.85 }, why: words },
  ],
  [
    'a server of a pair of directors, by their checks',
    { balancer: pair },
    {
      lost: { from: 5, to: 11 },
      lastLost: { from: 1.05, to: 1.85 },
      silence: { from: 0, to: 0.7 },
      slowest: { from: 0, to: 0.9 },
      why: words,
    },
  ],
  [
    'without checks half of all requests fail to the end',
    { balancer: unwatched, offset: 'none', count: 59 },
    {
      lost: { from: 27, to: 32 },
      lastLost: { from: 5.2, to: 6 },
      slowest: { from: 0, to: 0.9 },
      why: 'nobody asks whether a server lives',
    },
  ],
  [
    'without checks and without turns any share fails to the end',
    { balancer: leastConnected(unwatched), offset: 'none' },
    {
      lost: { from: 1, to: 61 },
      lastLost: { from: 0, to: 6 },
      slowest: { from: 0, to: 0.9 },
      why: 'nobody asks whether a server lives',
    },
  ],
  [
    'an answer that is kept for 5 s, asked for 1.05 s before',
    { balancer: dns, habit: 'keeps answers', offset: 1.05 },
    {
      lost: { from: 35, to: 44 },
      lastLost: { from: 3.55, to: 4.25 },
      silence: { from: 3.55, to: 4.45 },
      slowest: { from: 0, to: 0.9 },
      why: 'TTL 5 s, asked for 1.05 s before',
    },
  ],
  [
    'a client that asks each time loses what was under way',
    { balancer: dns, habit: 'asks each time' },
    {
      lost: { from: 0, to: 1 },
      lastLost: { from: 0, to: 0.3 },
      silence: { from: 0, to: 0.5 },
      slowest: { from: 0, to: 0.3 },
      why: 'asks for each request',
    },
  ],
  [
    'a client that tries each address waits 0.2 s for the first',
    { balancer: dns, habit: 'tries each address' },
    {
      lost: { from: 0, to: 1 },
      lastLost: { from: 0, to: 0.3 },
      silence: { from: 0, to: 0.7 },
      slowest: { from: 0, to: 0.5 },
      why: 'asks for each request, and tries the next address after 0.2 s',
    },
  ],
  [
    'the second director waits for three advertisements and 156/256 of one (RFC 5798 section 6.1)',
    { balancer: pair, node: 'lb', fault: 'link-down', offset: 0.5 },
    {
      lost: { from: 27, to: 36 },
      lastLost: { from: 2.709375, to: 3.409375 },
      silence: { from: 2.709375, to: 3.609375 },
      slowest: { from: 0, to: 0.9 },
      why: 'three advertisements of 1 s and 0.61 s, the last 0.5 s before',
    },
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
    {
      lost: { from: 53, to: 62 },
      lastLost: { from: 5.31875, to: 6.01875 },
      silence: { from: 5.31875, to: 6.21875 },
      slowest: { from: 0, to: 0.9 },
      why: 'three advertisements of 2 s and 1.22 s, the last 1.5 s before',
    },
  ],
  [
    'a connection that both directors know is as late again as the takeover, at worst',
    { balancer: pair, node: 'lb', fault: 'link-down', offset: 0.5, habit: 'keeps its connection' },
    {
      lost: { from: 0, to: 0 },
      silence: { from: 2.709375, to: 6.81875 },
      slowest: { from: 2.709375, to: 6.81875 },
      why: 'three advertisements of 1 s and 0.61 s, the last 0.5 s before; then TCP sends again',
    },
  ],
  [
    'a connection that the second director does not know is lost',
    {
      balancer: { ...pair, pair: { ...pair.pair!, sync: false } },
      node: 'lb',
      fault: 'link-down',
      habit: 'keeps its connection',
    },
    { lost: { from: 1, to: 60 }, why: 'the second director does not know the connection' },
  ],
  [
    'nginx asks the next server as soon as one refuses',
    { balancer: nginx },
    {
      lost: { from: 0, to: 1 },
      lastLost: { from: 0, to: 0.3 },
      silence: { from: 0, to: 0.5 },
      slowest: { from: 0, to: 0.3 },
      why: 'nginx asks the next server at once',
    },
  ],
  [
    'nginx does so where it balances connections, too',
    { balancer: { ...nginx, method: 'nginx-stream' }, fault: 'kill' },
    {
      lost: { from: 0, to: 1 },
      lastLost: { from: 0, to: 0.3 },
      silence: { from: 0, to: 0.5 },
      slowest: { from: 0, to: 0.3 },
      why: 'nginx asks the next server at once',
    },
  ],
  [
    'nginx asks the next server when one has said nothing for as long as it may',
    {
      balancer: { ...nginx, nginx: { ...nginx.nginx, connectTimeout: 2 } },
      fault: 'link-down',
      traffic: { timeout: 5 },
    },
    {
      lost: { from: 0, to: 1 },
      lastLost: { from: 0, to: 0.3 },
      silence: { from: 0, to: 2.5 },
      slowest: { from: 2, to: 2.3 },
      why: 'nginx asks the next server after 2 s',
    },
  ],
  [
    'nginx waits for no longer than a client that waits a minute, as it does by itself',
    { balancer: nginx, fault: 'link-down', traffic: { timeout: 60 } },
    {
      lost: { from: 0, to: 1 },
      lastLost: { from: 0, to: 0.3 },
      silence: { from: 0, to: 60.5 },
      slowest: { from: 60, to: 60.3 },
      why: 'nginx asks the next server after 60 s',
    },
  ],
])('%s', (_name, setting, expected) => {
  expect(allowed(setting)).toEqual(expected);
});
