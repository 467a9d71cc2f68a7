// One connection among others that is not as they are: what becomes of a claim, what it says, and that it cites just that one.
// Packet numbers are those of the recorded labs `dsr` and `nat`, four requests each.
import { test } from 'vitest';
import {
  together,
  asRecorded,
  span,
  withoutCapture,
  change,
  leaveOut,
  onlyPorts,
  readdressed,
  flipped,
  withoutData,
  expectCase,
  type Case,
  type Edit,
} from '../edits.ts';

const third: Edit = (evidence) => {
  const { topology } = evidence;
  const balancer = topology.balancer!;
  const services = balancer.services.map((service) => ({
    ...service,
    backends: [...service.backends, { ...service.backends[0]!, node: 'be3', address: '10.133.1.4' }],
  }));
  const nodes = [...topology.nodes, { ...topology.nodes.find(({ name }) => name === 'be1')!, name: 'be3' }];
  return { ...evidence, topology: { ...topology, nodes, balancer: { ...balancer, services } } };
};

test.each<Case>([
  [
    'nat.vip',
    'one connection to a backend',
    'nat',
    change('client', span(21, 30), readdressed('192.168.11.107', '10.133.1.2')),
    'fail',
    '4 SYNs: 3 to 192.168.11.107:80, 1 to 10.133.1.2:80',
    { client: [21] },
  ],
  [
    'nat.source',
    'one connection in the name of the balancer',
    'nat',
    change('eth1', span(21, 30), readdressed('192.168.11.104', '10.133.1.1')),
    'fail',
    '4 SYNs on eth1: 3 from 192.168.11.104, 1 from 10.133.1.1',
    { eth1: [21] },
  ],
  [
    'nat.one-connection',
    'one connection in all',
    'nat',
    onlyPorts([52852]),
    'pass',
    '1 connection on eth0, 1 on eth1, all pairs share both initial sequence numbers',
    { eth0: [1], eth1: [1] },
  ],
  [
    'nat.one-connection',
    'one that goes on',
    'nat',
    onlyPorts([52852], ['eth1']),
    'fail',
    '4 connections on eth0, 1 on eth1, 1 pair shares both initial sequence numbers',
    { eth0: [11, 21, 31] },
  ],
  [
    'nat.one-connection',
    'one that does not go on, whatever was captured at the backends',
    'nat',
    together(leaveOut('eth1', span(21, 30)), withoutCapture('be2')),
    'fail',
    '4 connections on eth0, 3 on eth1, 3 pairs share both initial sequence numbers',
    { eth0: [21] },
  ],
  [
    'dsr.one-connection',
    'a backend without a capture',
    'dsr',
    withoutCapture('backend2'),
    'pass',
    '4 connections on client, 2 on backend, 2 pairs share both initial sequence numbers',
    { backend: [1, 9], client: [16, 36] },
  ],
  [
    'nat.spread',
    'as many as backends',
    'nat',
    onlyPorts([52852, 52854]),
    'pass',
    '2 connections: be1 1, be2 1',
  ],
  ['nat.spread', 'one of three is left out', 'nat', third, 'fail', '4 connections: be1 2, be2 2, be3 0'],
  ['dsr.spread', 'nobody answers', 'dsr-no-loopback', asRecorded, 'unknown', 'no backend answered'],
  [
    'nat.payload',
    'one connection in all',
    'nat',
    onlyPorts([52852]),
    'pass',
    '1 connection compared; 320 bytes equal; no X-Forwarded-For',
    { eth0: [4], eth1: [4] },
  ],
  [
    'nat.payload',
    'one request is another',
    'nat',
    change('eth1', [14], flipped),
    'fail',
    '4 connections compared; requests differ in 1; no X-Forwarded-For',
    { eth0: [14], eth1: [14] },
  ],
  [
    'nat.payload',
    'one response is another',
    'nat',
    change('eth1', [16], flipped),
    'fail',
    '4 connections compared; responses differ in 1; no X-Forwarded-For',
    { eth0: [14], eth1: [14] },
  ],
  [
    'nat.payload',
    'one that does not go on, whatever was captured at the backends',
    'nat',
    together(leaveOut('eth1', span(21, 30)), withoutCapture('be2')),
    'fail',
    '3 connections compared; 1 connection at one place only; no X-Forwarded-For',
    { eth0: [24] },
  ],
  [
    'dsr.payload',
    'a backend without a capture',
    'dsr',
    withoutCapture('backend2'),
    'pass',
    '2 connections compared; 640 bytes equal; no X-Forwarded-For',
  ],
  [
    'dsr.payload',
    'a client that sent none',
    'dsr',
    withoutData('client'),
    'unknown',
    'no HTTP request was captured in client',
  ],
])('%s: %s (%s)', expectCase);
