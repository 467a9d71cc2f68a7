// What tells a lab that a server is down, as the packets of one capture point show it.
import { expect, test } from 'vitest';
import type { Node, Topology } from '../../src/topology/types.ts';
import { checksOf, keepingClient } from '../../src/verify/checks.ts';
import { recorded } from './evidence.ts';

/** A lab's checks as they were captured: packets as tshark numbers them, and the node of each. */
async function found(lab: string, change: (topology: Topology) => Topology = (topology) => topology) {
  const { topology, captures } = await recorded(lab);
  const { kind, point, find } = checksOf(change(topology))!;
  const checks = find(captures.get(point.name)!.capture.packets);
  return {
    kind,
    at: point.name,
    packets: checks.map(({ packet }) => packet.number),
    nodes: [...new Set(checks.map(({ node }) => node))],
  };
}

const withNode = (topology: Topology, name: string, change: Partial<Node>): Topology => ({
  ...topology,
  nodes: topology.nodes.map((node) => (node.name === name ? { ...node, ...change } : node)),
});

test('health checks are the answers that a director gets in its own name, no client’s', async () => {
  // tshark -r be1.pcap -Y 'tcp.len > 0 && ip.dst == 10.133.1.1'
  expect(await found('nat-keepalived-fault')).toEqual({
    kind: 'health',
    at: 'be1',
    packets: [1, 11, 41, 105],
    nodes: ['be1'],
  });
});

test('what is sent to the VIP is no check, even where the VIP is written as an address of the director', async () => {
  const [link] = (await recorded('dsr-keepalived')).topology.nodes.find(
    ({ name }) => name === 'lb',
  )!.interfaces;
  const addresses = [...link!.addresses, { address: '192.168.11.107', prefix: 24 }];
  expect(
    await found('dsr-keepalived', (topology) =>
      withNode(topology, 'lb', { interfaces: [{ ...link!, addresses }] }),
    ),
  ).toEqual({ kind: 'health', at: 'backend', packets: [6], nodes: ['be1'] });
});

test('of a pair the second director hears the first’s advertisements, not its own', async () => {
  // tshark -r lb2.pcap -Y 'vrrp && ip.src == 192.168.11.106'
  expect(await found('pair')).toEqual({
    kind: 'advertisement',
    at: 'lb2',
    packets: [24, 49, 71, 97],
    nodes: ['lb1'],
  });
});

test('of a name the answers that begin with a server’s address, at the client that keeps them', async () => {
  // tshark -r client.pcap -Y 'dns.flags.response == 1 && dns.a'
  expect(await found('dnsrr')).toEqual({
    kind: 'answer',
    at: 'client',
    packets: [2, 305],
    nodes: ['be1', 'be2'],
  });
});

test.each<[string, string, (topology: Topology) => Topology]>([
  ['there is no balancer', 'direct', (topology) => topology],
  ['nobody asks', 'nat', (topology) => topology],
  ['nobody keeps an answer', 'dnsrr-asking', (topology) => topology],
  [
    'nothing is captured where it shows',
    'nat-keepalived-fault',
    (topology) => ({ ...topology, captures: topology.captures.filter(({ node }) => node !== 'be1') }),
  ],
])('there are no checks where %s', async (_, lab, change) => {
  expect(checksOf(change((await recorded(lab)).topology))).toBeUndefined();
});

test('the client that keeps answers is the first of those that do', async () => {
  const { topology } = await recorded('dnsrr');
  const lookup = { client: 'asking', asking: 'caching', ordinary: 'caching' } as const;
  expect(keepingClient(topology)).toBe('client');
  expect(keepingClient({ ...topology, traffic: { ...topology.traffic!, lookup } })).toBe('asking');
  expect(keepingClient((await recorded('nat')).topology)).toBeUndefined();
});
