// What a tunnel may change and what not: each packet of a client inside another from the director to a backend, and nothing in it but the TTL.
import { expect, test } from 'vitest';
import { verdict, withTopology } from '../evidence.ts';
import { made, type MadeConnection } from '../made.ts';

/** A client's connection of which answers go another way: a SYN and a request. */
const sent = (port: number, at = 0): MadeConnection => ({
  client: `192.168.11.104:${port}`,
  server: '192.168.11.107:80',
  at,
  handshake: 'syn',
  says: [[at + 10, '>', 'GET / HTTP/1.1\r\n\r\n']],
});
const inside = (port: number, at = 0): MadeConnection => ({
  ...sent(port, at),
  tunnel: ['10.133.1.1', '10.133.1.2'],
});
/** Backends listen to different ports, so that either is one of the service. */
const both = async (eth0: readonly MadeConnection[], eth1: readonly MadeConnection[]) =>
  withTopology(await made('tun', { eth0, eth1 }), (topology) => {
    const balancer = topology.balancer!;
    const services = balancer.services.map((service) => ({
      ...service,
      backends: service.backends.map((real, index) => ({ ...real, port: [80, 8080][index]! })),
    }));
    return { ...topology, balancer: { ...balancer, services } };
  });
const ID = 'tun.encapsulation';

test('one packet that is sent on in a tunnel is enough', async () => {
  const syn = { says: [] };
  expect(
    verdict(ID, await both([{ ...sent(40_000), ...syn }], [{ ...inside(40_000), ...syn }])),
  ).toMatchObject({
    status: 'pass',
    observed: '1 client packet sent on: in 10.133.1.1 to 10.133.1.2; inner TTL 64 → 64',
    evidence: [
      { capture: 'eth0', packets: [1] },
      { capture: 'eth1', packets: [1] },
    ],
  });
});

test.each<[string, Partial<MadeConnection>, Partial<MadeConnection>]>([
  ['no tunnel', {}, { tunnel: undefined }],
  ['a tunnel before the director', { tunnel: ['192.168.11.104', '192.168.11.106'] }, {}],
  ["a tunnel that is not the director's", {}, { tunnel: ['10.133.1.3', '10.133.1.2'] }],
  ['a tunnel to nobody', {}, { tunnel: ['10.133.1.1', '10.133.1.9'] }],
  ['another source inside', {}, { client: '192.168.11.105:40001' }],
  ['another destination inside', {}, { server: '10.133.1.2:80' }],
  ['another source port inside', {}, { client: '192.168.11.104:50001', isn: 40_001 }],
  ['another destination port inside', {}, { server: '192.168.11.107:8080' }],
])('fails on %s, and shows that connection', async (_, before, after) => {
  const evidence = await both(
    [sent(40_000), { ...sent(40_001, 100), ...before }],
    [inside(40_000), { ...inside(40_001, 100), ...after }],
  );
  expect(verdict(ID, evidence)).toMatchObject({
    status: 'fail',
    evidence: [
      { capture: 'eth0', packets: [3, 4] },
      { capture: 'eth1', packets: [3, 4] },
    ],
  });
});

test('fails on another payload, and shows that packet', async () => {
  const says: MadeConnection['says'] = [[10, '>', 'PUT / HTTP/1.1\r\n\r\n']];
  expect(verdict(ID, await both([sent(40_000)], [{ ...inside(40_000), says }]))).toMatchObject({
    status: 'fail',
    evidence: [
      { capture: 'eth0', packets: [2] },
      { capture: 'eth1', packets: [2] },
    ],
  });
});

test.each<[string, MadeConnection[], string, number]>([
  ['a packet', [inside(40_000), { ...inside(40_001, 100), says: [] }], '1 only once', 4],
  ['a connection', [inside(40_000)], '1 connection only once', 3],
])('fails where %s is not sent on, and shows it', async (_, behind, words, packet) => {
  expect(verdict(ID, await both([sent(40_000), sent(40_001, 100)], behind))).toMatchObject({
    status: 'fail',
    observed: expect.stringContaining(`all in 10.133.1.1 to 10.133.1.2; ${words}; inner TTL`) as string,
    evidence: [{ capture: 'eth0', packets: [packet] }],
  });
});

test('a request that leaves in other pieces than it came in is sent on', async () => {
  const says: MadeConnection['says'] = [
    [10, '>', 'GET / '],
    [11, '>', 'HTTP/1.1\r\n\r\n'],
  ];
  expect(verdict(ID, await both([sent(40_000)], [{ ...inside(40_000), says }])).status).toBe('pass');
});
