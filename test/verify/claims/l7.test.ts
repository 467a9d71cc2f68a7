// A proxy that reads HTTP, at the limits of what its claims say: one request too few, one too many, one at the very instant.
import { describe, expect, test } from 'vitest';
import type { Balancer } from '../../../src/topology/types.ts';
import type { Evidence, RequestRecord } from '../../../src/verify/types.ts';
import { verdict, withNodes, withTopology } from '../evidence.ts';
import { asks, made, START, type MadeConnection } from '../made.ts';

const CLIENT = '192.168.11.104';
const VIP = '192.168.11.107:80';
const BE1 = '10.133.1.2:80';
const BE2 = '10.133.1.3:80';
/** Nobody's address. */
const ELSEWHERE = '10.133.1.9:80';

/** A client's connection, which asks ten microseconds after its SYN. */
const outer = (
  port: number,
  at: number,
  fields: readonly string[] = [],
  client = CLIENT,
): MadeConnection => ({
  client: `${client}:${port}`,
  server: VIP,
  at,
  says: asks(at + 10, fields),
});

/** The balancer's own connection to a backend. */
const inner = (
  port: number,
  at: number,
  fields: readonly string[] = [],
  server = BE1,
  version = 'HTTP/1.1',
): MadeConnection => ({
  client: `10.133.1.1:${port}`,
  server,
  at,
  says: asks(at + 10, fields, version),
});

/** Requests to backends, one after the other: of each five packets, of which the fourth is the request. */
const requests = (...targets: readonly (readonly [server: string, ...fields: string[]])[]) => ({
  eth1: targets.map(([server, ...fields], index) => inner(50_000 + index, index * 100, fields, server)),
});

const withBalancer = (evidence: Evidence, change: (balancer: Balancer) => Partial<Balancer>) =>
  withTopology(evidence, (topology) => ({
    ...topology,
    balancer: { ...topology.balancer!, ...change(topology.balancer!) },
  }));

const withNginx = (evidence: Evidence, options: Partial<Balancer['nginx']>) =>
  withBalancer(evidence, ({ nginx }) => ({ nginx: { ...nginx, ...options } }));

/** Other addresses of the first client. */
const withClients = (evidence: Evidence, addresses: readonly string[]) =>
  withNodes(evidence, (node) => {
    const [link] = node.interfaces;
    const other = { ...link!, addresses: addresses.map((address) => ({ address, prefix: 24 })) };
    return node.name === 'client' ? { ...node, interfaces: [other] } : node;
  });

/** As a client's log tells them. */
const logged = (number: number, more: Partial<RequestRecord> = {}): RequestRecord => ({
  client: 'client',
  number,
  localPort: 40_000 + number,
  status: 200,
  seconds: 0.01,
  ...more,
});

describe('l7.two-connections', () => {
  test('counts the requests that were captured, where there is no log', async () => {
    const evidence = await made('l7', { eth0: [outer(40_000, 0)], eth1: [inner(50_000, 20)] });
    expect(verdict('l7.two-connections', evidence)).toMatchObject({
      status: 'pass',
      observed: '1 request, 1 handshake on eth0, 1 on eth1, none shares both initial sequence numbers',
      evidence: [
        { capture: 'eth0', packets: [1] },
        { capture: 'eth1', packets: [1] },
      ],
    });
  });

  test('one connection that goes through breaks it, and is what is shown', async () => {
    const evidence = await made('l7', {
      eth0: [outer(40_000, 0), outer(40_001, 100)],
      eth1: [inner(50_000, 20), { ...inner(50_001, 120), isn: 40_001 }],
    });
    expect(verdict('l7.two-connections', evidence)).toMatchObject({
      status: 'fail',
      observed: '2 requests, 2 handshakes on eth0, 2 on eth1, 1 shares both initial sequence numbers',
      evidence: [
        { capture: 'eth0', packets: [6] },
        { capture: 'eth1', packets: [6] },
      ],
    });
  });

  const half = { handshake: 'syn', says: [] } as const;
  test.each([
    ['fail', '1 handshake on eth0, 0 on eth1', {}, half],
    ['fail', '0 handshakes on eth0, 1 on eth1', half, {}],
    ['unknown', 'no handshake was completed', half, half],
  ] as const)('%s with %s', async (status, observed, outside, inside) => {
    const evidence = await made('l7', {
      eth0: [{ ...outer(40_000, 0), ...outside }],
      eth1: [{ ...inner(50_000, 20), ...inside }],
    });
    expect(verdict('l7.two-connections', { ...evidence, requests: [logged(1)] })).toMatchObject({
      status,
      observed: expect.stringContaining(observed) as string,
    });
  });
});

describe('l7.after-request', () => {
  test('a SYN at the instant of the request does not come after it', async () => {
    const evidence = await made('l7', { eth0: [outer(40_000, 0)], eth1: [inner(50_000, 10)] });
    expect(verdict('l7.after-request', evidence)).toMatchObject({
      status: 'fail',
      observed: '1 request and 1 SYN to backends; 1 of 1 SYN before the request, by up to 0 ns',
    });
  });

  test('one SYN that comes early breaks it, and is shown with its request', async () => {
    const evidence = await made('l7', {
      eth0: [outer(40_000, 0), outer(40_001, 100)],
      eth1: [inner(50_000, 20), inner(50_001, 105)],
    });
    expect(verdict('l7.after-request', evidence)).toMatchObject({
      status: 'fail',
      observed: '2 requests and 2 SYNs to backends; 1 of 2 SYNs before the request, by up to 5.00 µs',
      evidence: [
        { capture: 'eth0', packets: [9] },
        { capture: 'eth1', packets: [6] },
      ],
    });
  });

  test.each([
    [
      'a connection without a request is not one for a request',
      [{ ...inner(50_000, 5), says: [] }, inner(50_001, 30)],
    ],
    ['where no request came to a backend its SYN is what there is', [{ ...inner(50_000, 30), says: [] }]],
  ])('%s', async (_, inside) => {
    const evidence = await made('l7', { eth0: [outer(40_000, 0)], eth1: inside });
    expect(verdict('l7.after-request', evidence)).toMatchObject({
      status: 'pass',
      observed: '1 request and 1 SYN to backends; each SYN after its request, by 20.0 µs to 20.0 µs',
    });
  });
});

describe('l7.forwarded-for', () => {
  const OTHER = '192.168.11.105';
  const told = (address: string) => [`X-Forwarded-For: ${address}`];
  test.each([
    {
      what: 'a request that says nobody',
      outside: [outer(40_000, 0), outer(40_001, 100)],
      inside: [inner(50_000, 20, told(CLIENT)), inner(50_001, 120)],
      observed: `2 requests on eth1: 1 with ${CLIENT}, 1 with no X-Forwarded-For; none of 2 on eth0 has one`,
      shown: { capture: 'eth1', packets: [9] },
    },
    {
      what: 'a client that says it by itself',
      outside: [outer(40_000, 0), outer(40_001, 100, told(CLIENT))],
      inside: [inner(50_000, 20, told(CLIENT)), inner(50_001, 120, told(CLIENT))],
      observed: `2 requests on eth1: all with ${CLIENT}; 1 of 2 on eth0 has one`,
      shown: { capture: 'eth0', packets: [9] },
    },
    {
      what: 'a client that is none of the lab',
      outside: [outer(40_000, 0, [], '192.168.11.200')],
      inside: [inner(50_000, 20, told('192.168.11.200'))],
      observed: '1 request on eth1: with 192.168.11.200; none of 1 on eth0 has one',
      shown: { capture: 'eth1', packets: [4] },
    },
    {
      what: 'a client that did not ask so often',
      outside: [outer(40_000, 0), outer(40_001, 100, [], OTHER)],
      inside: [inner(50_000, 20, told(CLIENT)), inner(50_001, 120, told(CLIENT))],
      observed: `2 requests on eth1: all with ${CLIENT}; none of 2 on eth0 has one`,
      shown: { capture: 'eth1', packets: [4, 9] },
    },
  ])('fails on $what', async ({ outside, inside, observed, shown }) => {
    const evidence = withClients(await made('l7', { eth0: outside, eth1: inside }), [CLIENT, OTHER]);
    expect(verdict('l7.forwarded-for', evidence)).toMatchObject({
      status: 'fail',
      observed,
      evidence: [shown],
    });
  });
});

describe('l7.proxy-request', () => {
  const right = ['Host: myapp1', 'Connection: Close'];
  test.each([
    ['pass', 'HTTP/1.0', right],
    ['fail', 'HTTP/1.1', right],
    ['fail', 'HTTP/1.0', ['Host: myapp2', 'Connection: close']],
    ['fail', 'HTTP/1.0', ['Host: myapp1', 'Connection: keep-alive']],
    ['fail', 'HTTP/1.0', ['Host: myapp1']],
  ])('%s: %s with %j', async (status, version, fields) => {
    const evidence = await made('l7', {
      eth1: [inner(50_000, 0, right, BE1, 'HTTP/1.0'), inner(50_001, 100, fields, BE1, version)],
    });
    expect(verdict('l7.proxy-request', evidence)).toMatchObject({
      status,
      evidence: [{ capture: 'eth1', packets: status === 'pass' ? [4, 9] : [9] }],
    });
  });
});

describe('l7.spread', () => {
  const spread = async (targets: readonly string[], scheduler: string, weights: readonly number[]) =>
    withBalancer(
      await made('l7', requests(...targets.map((target) => [target] as const))),
      ({ services: [service] }) => {
        const [one] = service!.backends;
        const addresses = ['10.133.1.2', '10.133.1.3', CLIENT];
        const backends = weights.map((weight, index) => ({
          ...one!,
          node: ['be1', 'be2', 'client'][index]!,
          address: addresses[index]!,
          weight,
        }));
        return { services: [{ ...service!, scheduler, backends }] };
      },
    );

  test.each([
    ['pass', 'two requests reach two backends', 'rr', [1, 1], [BE1, BE2], '2 requests: be1 1, be2 1'],
    ['unknown', 'one request cannot', 'rr', [1, 1], [BE1], '1 request cannot reach 2 backends'],
    ['fail', 'round robin is even', 'rr', [1, 1], [BE1, BE1, BE1, BE2], '4 requests: be1 3, be2 1'],
    ['pass', 'but for weights', 'wrr', [3, 1], [BE1, BE1, BE1, BE2], '4 requests: be1 3, be2 1'],
    ['pass', 'others need not be', 'least_conn', [1, 1], [BE1, BE1, BE1, BE2], '4 requests: be1 3, be2 1'],
    [
      'fail',
      'one that is nobody',
      'rr',
      [1, 1],
      [BE1, BE2, ELSEWHERE],
      '3 requests: be1 1, be2 1, elsewhere 1',
    ],
    [
      'fail',
      'one left out of three',
      'least_conn',
      [1, 1, 1],
      [BE1, BE1, BE2],
      '3 requests: be1 2, be2 1, client 0',
    ],
  ] as const)('%s: %s', async (status, _, scheduler, weights, targets, observed) => {
    expect(verdict('l7.spread', await spread(targets, scheduler, weights))).toMatchObject({
      status,
      observed,
    });
  });

  test('promises evenness only where the method does', async () => {
    const expected = async (scheduler: string) =>
      verdict('l7.spread', await spread([BE1, BE2], scheduler, [1, 1])).expected;
    expect(await expected('roundrobin')).toBe('round robin over be1 and be2: counts differ by at most one');
    expect(await expected('least_conn')).toBe('each of be1 and be2 serves at least one request, none all');
  });
});

describe('l7.sticky', () => {
  const PINNED = 'Cookie: backend=be1';
  const FREE = [[BE1], [BE2]] as const;
  test.each([
    [
      'pass',
      [[BE1, PINNED], [BE1, PINNED], ...FREE],
      '2 with the cookie be1: all to be1; 2 without: 1 to be1, 1 to be2',
    ],
    ['unknown', [[BE1, PINNED], ...FREE], '1 request with a cookie that names a backend, two are needed'],
    ['unknown', [[BE1, PINNED], [BE1, PINNED], [BE2]], '1 request without the cookie, two are needed'],
    [
      'fail',
      [[BE1, PINNED], [BE1, PINNED], [BE2], [BE2]],
      '2 with the cookie be1: all to be1; 2 without: all to be2',
    ],
    [
      'fail',
      [
        [BE1, PINNED],
        [BE2, PINNED],
      ],
      '2 with the cookie be1: 1 to be1, 1 to be2; 0 without: none',
    ],
    [
      'pass',
      [[BE1, 'Cookie: backend=x7'], [BE1, 'Cookie: backend=x7'], ...FREE],
      '2 with the cookie x7: all to be1; 2 without: 1 to be1, 1 to be2',
    ],
    [
      'fail',
      [[BE1, 'Cookie: backend=x7'], [BE2, 'Cookie: backend=x7'], ...FREE],
      '2 with the cookie x7: 1 to be1, 1 to be2; 2 without: 1 to be1, 1 to be2',
    ],
    [
      'unknown',
      [[BE1, 'Cookie: other=be1'], [BE1, 'Cookie: other=be1'], ...FREE],
      '0 requests with a cookie that names a backend, two are needed',
    ],
  ] as const)('%s: %j', async (status, targets, observed) => {
    const evidence = await made('l7-sticky', requests(...targets));
    expect(verdict('l7.sticky', evidence)).toMatchObject({ status, observed });
  });

  test('shows the requests that went astray: not the first with a value of its own', async () => {
    const evidence = await made(
      'l7-sticky',
      requests([BE1, 'Cookie: backend=x7'], [BE2, 'Cookie: backend=x7']),
    );
    expect(verdict('l7.sticky', evidence).evidence).toEqual([{ capture: 'eth1', packets: [9] }]);
  });

  test('of a topology without such a cookie, any that names a backend is it', async () => {
    const evidence = await made(
      'l7',
      requests([BE1, 'Cookie: a=b; other=be1'], [BE1, 'Cookie: other=be1'], ...FREE),
    );
    expect(verdict('l7.sticky', evidence)).toMatchObject({ status: 'pass' });
  });
});

describe('l7.ip-hash', () => {
  const ADDRESSES = [CLIENT, '192.168.11.105', '10.168.11.104', '2001:db8::1', '2001:db8::2'];
  const from = (address: string) => `X-Forwarded-For: ${address}`;
  const twice = (server: string, address: string) =>
    [
      [server, from(address)],
      [server, from(address)],
    ] as const;
  const judged = async (...targets: readonly (readonly [string, ...string[]])[]) =>
    verdict('l7.ip-hash', withClients(await made('l7', requests(...targets)), ADDRESSES));

  test.each([
    ['pass', 'another network may be elsewhere', [...twice(BE1, CLIENT), ...twice(BE2, '10.168.11.104')]],
    ['pass', 'a neighbour of IPv6 too', [...twice(BE1, '2001:db8::1'), ...twice(BE2, '2001:db8::2')]],
    ['fail', 'a neighbour of IPv4 not', [...twice(BE1, CLIENT), ...twice(BE2, '192.168.11.105')]],
    [
      'fail',
      'one client of two that strays',
      [...twice(BE1, CLIENT), [BE1, from('10.168.11.104')], [BE2, from('10.168.11.104')]],
    ],
    ['unknown', 'one client asked only once', [...twice(BE1, CLIENT), [BE2, from('10.168.11.104')]]],
    ['unknown', 'all clients are on one', [...twice(BE1, CLIENT), ...twice(BE1, '10.168.11.104')]],
    ['unknown', 'nobody is named', [[BE1], [BE2]]],
  ] as const)('%s: %s', async (status, _, targets) => {
    expect((await judged(...targets)).status).toBe(status);
  });

  test('says what is missing', async () => {
    expect((await judged([BE1], [BE2])).observed).toBe('no request to a backend names its client');
    expect((await judged([BE1, from(CLIENT)])).observed).toBe(
      `${CLIENT}: to be1; nothing shows that another backend was there`,
    );
    expect((await judged([BE1, from(CLIENT)], ...twice(BE2, '10.168.11.104'))).observed).toBe(
      `${CLIENT}: to be1; 10.168.11.104: all to be2; two requests of each client are needed`,
    );
  });
});

describe('l7.left-out', () => {
  const DOWN = Number(START / 1_000_000_000n);
  const fault = (node: string) => ({ at: 0, node, fault: 'stop-service', began: DOWN, done: DOWN });
  /** Connections to be1, so many microseconds after it went down, and what the client's log says. */
  const after = async (
    times: readonly number[],
    log: readonly RequestRecord[] = [logged(1)],
  ): Promise<Evidence> => {
    const eth1 = times.map((at, index): MadeConnection => ({
      ...inner(50_000 + index, at),
      handshake: 'syn',
      says: [],
    }));
    return { ...(await made('l7', { eth1 })), faults: [fault('be1')], requests: log };
  };

  test.each([
    ['pass', {}, [1]],
    ['fail', {}, [0, 1]],
    ['fail', {}, [1, 2]],
    ['fail', {}, [1, 10_000_000]],
    ['pass', {}, [1, 10_000_001]],
    ['fail', { maxFails: 0 }, [1, 10_000_000]],
    ['pass', { maxFails: 2 }, [1, 2]],
    ['fail', { maxFails: 2 }, [1, 2, 3]],
    ['pass', { maxFails: 2 }, [1, 2, 10_000_001, 10_000_002]],
    ['fail', { maxFails: 2 }, [1, 10_000_000, 10_000_001, 10_000_002]],
    ['fail', { failTimeout: 3 }, [1, 3_000_000]],
    ['pass', { failTimeout: 3 }, [1, 3_000_001]],
  ] as const)('%s with %j and connections after %j µs', async (status, options, times) => {
    expect(verdict('l7.left-out', withNginx(await after(times), options)).status).toBe(status);
  });

  test.each([
    ['pass', '0 of 1 request failed', { status: 499 }],
    ['fail', '1 of 1 request failed', { status: 500 }],
    ['fail', '1 of 1 request failed', { error: 'Empty reply from server' }],
  ])('%s with %s: %j', async (status, failed, record) => {
    expect(verdict('l7.left-out', await after([1], [logged(1, record)]))).toMatchObject({
      status,
      expected:
        'after the fault not more than 1 connection to the server in 10 s, and every request answered',
      observed: `after the fault 1 connection to be1 and 0 to others; ${failed}`,
    });
  });

  test("nothing is decided without the clients' log, or without a backend's fault", async () => {
    const evidence = await after([1]);
    expect(verdict('l7.left-out', { ...evidence, requests: undefined })).toMatchObject({
      status: 'unknown',
      observed: 'there is no log of requests',
    });
    expect(verdict('l7.left-out', { ...evidence, faults: [fault('client'), fault('lb')] })).toMatchObject({
      status: 'unknown',
      observed: 'no backend went down while requests went on',
    });
    expect(verdict('l7.left-out', { ...evidence, faults: [fault('lb'), fault('be2')] })).toMatchObject({
      status: 'unknown',
      observed: 'nobody asked be2 after its fault',
    });
  });
});
