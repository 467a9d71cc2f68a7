// Who is who is read from where interfaces are plugged in, never from names.
import { expect, test } from 'vitest';
import { isOnLink, placesOf, rolesOf } from '../../src/verify/roles.ts';
import type { Interface, Topology } from '../../src/topology/types.ts';
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
