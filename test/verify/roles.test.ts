// Who is who is read from where interfaces are plugged in, never from names.
import { describe, expect, test } from 'vitest';
import { addressesNamed, isOnLink, placesOf, portOfUrl, rolesOf } from '../../src/verify/roles.ts';
import type { Balancer, Interface, Node, Topology, Traffic } from '../../src/topology/types.ts';
import { recorded } from './evidence.ts';

const places = (topology: Topology) => {
  const roles = rolesOf(topology);
  return Object.fromEntries(
    topology.captures.map((point) => [point.name, placesOf(roles, point.node, point.interface).join(' ')]),
  );
};

test('a balancer with two arms has an outside and an inside', async () => {
  expect(places((await recorded('nat')).topology)).toEqual({
    eth0: 'outside',
    eth1: 'inside',
    client: 'client',
    be1: 'backend',
    be2: 'backend',
  });
});

test('one arm is both', async () => {
  expect(places((await recorded('dsr')).topology)).toEqual({
    lb: 'outside inside',
    backend: 'backend',
    backend2: 'backend',
    client: 'client',
  });
});

test('a backend’s second leg does not make the front segment an inside', async () => {
  expect(places((await recorded('nat-second-leg')).topology)).toMatchObject({
    eth0: 'outside',
    eth1: 'inside',
  });
  expect(places((await recorded('tun')).topology)).toMatchObject({ eth0: 'outside', eth1: 'inside' });
});

test('backends behind a router are reached through whatever interfaces there are', async () => {
  expect(places((await recorded('dsr-routed')).topology)).toMatchObject({ lb: 'outside inside' });
});

test('without a balancer there are clients and backends', async () => {
  const { topology } = await recorded('direct');
  const roles = rolesOf(topology);
  expect(places(topology)).toEqual({ client: 'client', be1: 'backend', be2: 'backend' });
  expect(roles.vip).toBeUndefined();
  expect([...roles.ports]).toEqual([80]);
});

test('addresses, MACs and ports', async () => {
  const roles = rolesOf((await recorded('dsr')).topology);
  expect(roles.vip).toBe('192.168.11.107');
  expect([...roles.clientAddresses]).toEqual(['192.168.11.104']);
  expect([...roles.balancerAddresses].sort()).toEqual(['192.168.11.106', '192.168.11.107']);
  expect([...roles.balancerMacs]).toEqual(['02:00:c0:a8:0b:6a']);
  expect(roles.backends.map(({ node, addresses, macs }) => [node, ...addresses, ...macs])).toEqual([
    ['be1', '192.168.11.108', '02:00:c0:a8:0b:6c'],
    ['be2', '192.168.11.109', '02:00:c0:a8:0b:6d'],
  ]);
  expect([...roles.servicePorts]).toEqual([80]);
});

test.each([
  ['192.168.11.104/24', '192.168.11.7', true],
  ['192.168.11.104/24', '192.168.12.7', false],
  ['10.1.255.1/15', '10.0.0.1', true],
  ['10.1.255.1/15', '10.2.0.1', false],
  ['2001:db8:11::68/64', '2001:db8:11::107', true],
  ['2001:db8:11::68/64', '2001:db8:11:1::107', false],
  ['2001:db8:11::68/64', '192.168.11.107', false],
  ['fe80::1/10', 'febf::', true],
  ['2001:db8:c000::1/34', '2001:db8:ffff::1', true],
  ['2001:db8:c000::1/34', '2001:db8:8000::1', false],
  ['2001:db8::1/128', '2001:db8:0:0:0:0:0:1', true],
  ['2001:db8:0:0:0:0:0:1/128', '2001:db8::1', true],
  ['2001:db8::/128', '2001:db8::1', false],
  ['2001:db8::/128', '2001:db8:0:0:0:0:0:0', true],
  ['::1/128', '0:0:0:0:0:0:0:1', true],
  ['::1/128', '::2', false],
])('from %s the address %s is on link: %s', (own, address, expected) => {
  const [text, prefix] = own.split('/');
  const link: Interface = {
    name: 'eth0',
    segment: 'front',
    addresses: [{ address: text!, prefix: Number(prefix) }],
    mac: '02:00:00:00:00:01',
  };
  expect(isOnLink(link, address)).toBe(expected);
});

test('any of an interface’s addresses will do', () => {
  const link = (...own: readonly string[]): Interface => ({
    name: 'eth0',
    segment: 'front',
    addresses: own.map((address) => ({ address, prefix: 24 })),
    mac: '02:00:00:00:00:01',
  });
  expect(isOnLink(link('10.0.0.1', '10.0.1.1'), '10.0.1.7')).toBe(true);
  expect(isOnLink(link('10.0.0.1', '10.0.1.1'), '10.0.2.7')).toBe(false);
  expect(isOnLink(link(), '10.0.1.7')).toBe(false);
});

test.each([
  ['http://192.168.11.107/', 80],
  ['https://192.168.11.107/', 443],
  ['http://192.168.11.107:8080/', 8080],
  ['https://www.example.test:8443/', 8443],
  ['http://[2001:db8::107]:81/', 81],
  ['nowhere', undefined],
])('%s asks for port %s', (url, port) => expect(portOfUrl(url)).toBe(port));

const withNode = (topology: Topology, name: string, change: Partial<Node>): Topology => ({
  ...topology,
  nodes: topology.nodes.map((node) => (node.name === name ? { ...node, ...change } : node)),
});
const nodeOf = ({ nodes }: Topology, name: string) => nodes.find((node) => node.name === name)!;
const withBalancer = (topology: Topology, change: Partial<Balancer>): Topology => ({
  ...topology,
  balancer: { ...topology.balancer!, ...change },
});
const withTraffic = (topology: Topology, change: Partial<Traffic>): Topology => ({
  ...topology,
  traffic: { ...topology.traffic!, ...change },
});

test('addresses by a node’s name', async () => {
  const { topology } = await recorded('nat');
  expect([...addressesNamed(topology, 'lb')]).toEqual(['192.168.11.107', '10.133.1.1']);
  expect([...addressesNamed(topology, 'nobody')]).toEqual([]);
});

describe('clients', () => {
  test('have the role or send the traffic', async () => {
    const { topology } = await recorded('nat');
    const names = (some: Topology) => [...rolesOf(some).clients];
    expect(names(topology)).toEqual(['client']);
    expect(names(withTraffic(topology, { clients: [] }))).toEqual(['client']);
    expect(names(withNode(topology, 'client', { role: 'node' }))).toEqual(['client']);
    expect(names(withTraffic(withNode(topology, 'client', { role: 'node' }), { clients: ['be1'] }))).toEqual([
      'be1',
    ]);
  });
});

describe('backends', async () => {
  const { topology } = await recorded('nat');
  const [service] = topology.balancer!.services;
  const [first, second] = service!.backends;

  test('are those of all services, each once, with the greatest of their weights', () => {
    const services = [
      { ...service!, backends: [{ ...first!, weight: 2 }] },
      {
        ...service!,
        port: 443,
        backends: [
          { ...second!, weight: 0, port: 8443 },
          { ...first!, weight: 5 },
          { ...first!, weight: 3 },
        ],
      },
    ];
    const roles = rolesOf(withBalancer(topology, { services }));
    expect(roles.backends.map(({ node, weight }) => [node, weight])).toEqual([
      ['be1', 5],
      ['be2', 0],
    ]);
    expect([...roles.servicePorts]).toEqual([80, 443]);
    expect([...roles.ports]).toEqual([80, 443, 8443]);
  });

  test('are nodes of the topology', () => {
    const nodes = topology.nodes.filter(({ name }) => name !== 'be1');
    expect(rolesOf({ ...topology, nodes }).backends.map(({ node }) => node)).toEqual(['be2']);
  });

  test('are down when every service says so', () => {
    const down = { ...first!, down: true };
    const both = [
      { ...service!, backends: [down, second!] },
      { ...service!, port: 81, backends: [down] },
    ];
    const one = [
      { ...service!, backends: [down, second!] },
      { ...service!, port: 81, backends: [first!] },
    ];
    const states = (services: typeof both) =>
      rolesOf(withBalancer(topology, { services })).backends.map((backend) => backend.down);
    expect([states(both), states(one)]).toEqual([
      [true, false],
      [false, false],
    ]);
  });

  test('without a balancer are the nodes of that role, of weight 1', async () => {
    const direct = (await recorded('direct')).topology;
    const { backends, balancerAddresses } = rolesOf(direct);
    expect(backends.map(({ node, addresses, weight, down }) => [node, ...addresses, weight, down])).toEqual([
      ['be1', '192.168.11.108', 1, false],
      ['be2', '192.168.11.109', 1, false],
    ]);
    expect([...balancerAddresses]).toEqual([]);
  });
});

describe('ports of a lab without balancer', async () => {
  const { topology } = await recorded('direct');
  const portsOf = (some: Topology) => {
    const { ports, servicePorts } = rolesOf(some);
    return { ports: [...ports], servicePorts: [...servicePorts] };
  };
  const listening = withNode(topology, 'be1', { httpd: { server: 'apache', ports: [8080, 80] } });

  test('are the one that is asked for and those that web servers listen on', () => {
    expect(portsOf(listening)).toEqual({ ports: [80, 8080], servicePorts: [80] });
    expect(portsOf(withTraffic(listening, { url: 'http://192.168.11.108:8000/' }))).toEqual({
      ports: [8000, 8080, 80],
      servicePorts: [8000],
    });
  });

  test('are those that web servers listen on, where nothing is asked for', () => {
    const { traffic: _, ...quiet } = listening;
    expect(portsOf(quiet)).toEqual({ ports: [8080, 80], servicePorts: [] });
    expect(portsOf(withTraffic(listening, { url: 'nowhere' }))).toEqual({
      ports: [8080, 80],
      servicePorts: [],
    });
  });

  test('with a balancer only its services’ and its servers’', async () => {
    const nat = (await recorded('nat')).topology;
    const changed = withNode(withTraffic(nat, { url: 'http://10.133.1.2:8000/' }), 'be1', {
      httpd: { server: 'apache', ports: [8080] },
    });
    expect(portsOf(changed)).toEqual({ ports: [80], servicePorts: [80] });
  });
});

describe('checkers', () => {
  test('are the addresses of directors that ask backends whether they live, but for the VIP', async () => {
    const checkers = async (lab: string) => [...rolesOf((await recorded(lab)).topology).checkers];
    expect(await checkers('nat-keepalived')).toEqual(['10.133.1.1']);
    expect(await checkers('pair')).toEqual(['192.168.11.106', '192.168.11.110']);
    expect(await checkers('nat')).toEqual([]);
    expect(await checkers('direct')).toEqual([]);
  });
});

describe('a balancer’s sides', async () => {
  const { topology } = await recorded('nat');
  const sides = (some: Topology) => {
    const { outside, inside } = rolesOf(some);
    return { outside: [...outside], inside: [...inside] };
  };
  const both = { outside: ['eth0'], inside: ['eth1'] };

  test('the outside is where clients are, or where the VIP is', () => {
    expect(sides(topology)).toEqual(both);
    const [link] = nodeOf(topology, 'client').interfaces;
    const behindRouter = withNode(topology, 'client', { interfaces: [{ ...link!, segment: 'far' }] });
    expect(sides(behindRouter)).toEqual(both);
    expect(sides(withBalancer(topology, { vip: '203.0.113.1' }))).toEqual(both);
  });

  test('the inside is where any backend is', () => {
    const [service] = topology.balancer!.services;
    const far = service!.backends.map((real, index) =>
      index === 0 ? { ...real, address: '10.9.9.9' } : real,
    );
    expect(sides(withBalancer(topology, { services: [{ ...service!, backends: far }] }))).toEqual(both);
    const [first] = service!.backends;
    const twice = { ...service!, backends: [first!, { ...first!, address: '10.9.9.9' }] };
    expect(sides(withBalancer(topology, { services: [twice] }))).toEqual(both);
  });

  test('what is on its loopback is its own, too', () => {
    const loopback = [{ address: '203.0.113.1', prefix: 32 }];
    const { balancerAddresses } = rolesOf(withNode(topology, 'lb', { loopback }));
    expect([...balancerAddresses]).toEqual(['192.168.11.107', '10.133.1.1', '203.0.113.1']);
  });
});
