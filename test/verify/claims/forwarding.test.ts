// What is judged from the lab itself, the director's table and the backends' addresses; and how changes on the way are told.
import { describe, expect, test } from 'vitest';
import type { Topology } from '../../../src/topology/types.ts';
import { changes } from '../../../src/verify/claims/forwarding.ts';
import type { Evidence, Status } from '../../../src/verify/types.ts';
import { recorded, verdict } from '../evidence.ts';

const dsr = await recorded('dsr');

const withTable = (evidence: Evidence, step: string, text: string): Evidence => ({
  ...evidence,
  tables: new Map(evidence.tables).set(step, text),
});

describe("the VIP on each backend's loopback", () => {
  const addresses = (...own: readonly string[]) =>
    JSON.stringify([{ ifname: 'lo', addr_info: own.map((local) => ({ local })) }]);

  test('one backend without it is enough to fail', () => {
    const both = withTable(dsr, 'be1.loopback', addresses('127.0.0.1', '192.168.11.107'));
    expect(verdict('dsr.loopback', withTable(both, 'be2.loopback', addresses('127.0.0.1')))).toMatchObject({
      status: 'fail',
      observed: 'be1 has 127.0.0.1 and 192.168.11.107; be2 has 127.0.0.1',
    });
    expect(verdict('dsr.loopback', withTable(both, 'be2.loopback', '[]'))).toMatchObject({
      status: 'fail',
      observed: 'be1 has 127.0.0.1 and 192.168.11.107; be2 has none',
    });
  });

  test('is unknown where there are no backends, or one was not asked', () => {
    const nodes = dsr.topology.nodes.filter(({ role }) => role !== 'backend');
    expect(verdict('dsr.loopback', { ...dsr, topology: { ...dsr.topology, nodes } })).toMatchObject({
      status: 'unknown',
      observed: 'there are no backends',
    });
    expect(verdict('dsr.loopback', { ...dsr, tables: new Map() })).toMatchObject({
      status: 'unknown',
      observed: 'the addresses of be1 were not read',
    });
  });

  test('is on none where there is no VIP', async () => {
    const direct = withTable(await recorded('direct'), 'be1.loopback', addresses('127.0.0.1'));
    expect(verdict('dsr.loopback', withTable(direct, 'be2.loopback', addresses('127.0.0.1')))).toMatchObject({
      status: 'fail',
    });
  });
});

describe("the director's table", () => {
  const HEAD = [
    'IP Virtual Server version 1.2.1 (size=4096)',
    'Prot LocalAddress:Port Scheduler Flags',
    '  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn',
  ];
  const service = 'TCP  192.168.11.107:80 lc';
  const be1 = '  -> 192.168.11.108:80            Route   1      0          2';
  const be2 = '  -> 192.168.11.109:80            Route   1      0          2';
  const judged = (lines: readonly string[], evidence: Evidence = dsr) =>
    verdict('dsr.table', withTable(evidence, 'ipvsadm', [...HEAD, ...lines, ''].join('\n')));

  test.each<[status: Status, what: string, lines: string[]]>([
    ['pass', 'numbers', [service, be1, be2]],
    ['pass', 'in another order', [service, be2, be1]],
    ['pass', 'names', ['TCP  lb:http lc', be1.replace('192.168.11.108:80', 'be1:http'), be2]],
    ['fail', 'nothing', []],
    ['fail', 'another protocol', [service.replace('TCP', 'UDP'), be1, be2]],
    ['fail', 'another address', [service.replace('107', '110'), be1, be2]],
    ['fail', "a backend's name for the director's", [service.replace('192.168.11.107', 'be1'), be1, be2]],
    ['fail', 'another port', [service.replace(':80', ':8080'), be1, be2]],
    ['fail', 'another scheduler', [service.replace('lc', 'rr'), be1, be2]],
    ['fail', 'one backend', [service, be1]],
    ['fail', 'one backend twice', [service, be1, be1]],
    ['fail', 'three backends', [service, be1, be2, be2.replace('109', '110')]],
    ['fail', 'a backend at another address', [service, be1.replace('108', '110'), be2]],
    ['fail', "a backend by another's name", [service, be1.replace('192.168.11.108', 'be2'), be2]],
    ['fail', "a backend by the director's name", [service, be1.replace('192.168.11.108', 'lb'), be2]],
    ['fail', 'a backend on another port', [service, be1.replace(':80', ':8080'), be2]],
    ['fail', 'a backend by another way', [service, be1.replace('Route', 'Masq'), be2]],
    ['fail', 'a backend of another weight', [service, be1.replace('Route   1', 'Route   2'), be2]],
    ['fail', 'a service too many', [service, be1, be2, 'TCP  192.168.11.107:443 lc', be1, be2]],
  ])('%s: %s', (status, _, lines) => {
    expect(judged(lines).status).toBe(status);
  });

  const changed = (topology: Partial<Topology>): Evidence => ({
    ...dsr,
    topology: { ...dsr.topology, ...topology },
  });

  test('a name is any of the addresses of its node', () => {
    const nodes = dsr.topology.nodes.map((node) => {
      const [link] = node.interfaces;
      const other = { ...link!, addresses: [{ address: '172.16.0.1', prefix: 24 }] };
      const more = { ...link!, addresses: [...other.addresses, ...link!.addresses] };
      return { ...node, interfaces: [other, more] };
    });
    const named = be1.replace('192.168.11.108', 'be1');
    expect(judged([service, named, be2], changed({ nodes })).status).toBe('pass');
  });

  test('every service of the topology must be there', () => {
    const balancer = dsr.topology.balancer!;
    const services = [...balancer.services, { ...balancer.services[0]!, port: 443 }];
    const two = changed({ balancer: { ...balancer, services } });
    const second = 'TCP  192.168.11.107:443 lc';
    expect(judged([service, be1, be2, second, be1, be2], two).status).toBe('pass');
    expect(judged([service, be1, be2, second, be1], two).status).toBe('fail');
    expect(judged([service, be1, be2], two).status).toBe('fail');
  });

  test('a lab that wants no service has none that holds', async () => {
    expect(judged([], await recorded('direct'))).toMatchObject({
      status: 'fail',
      expected: 'a table of real servers by Route',
      observed: 'an empty table',
    });
  });

  test('is told as it is', () => {
    expect(judged(['UDP  192.168.11.107:53 rr']).observed).toBe('UDP 192.168.11.107:53 rr to nobody');
    expect(verdict('dsr.table', { ...dsr, tables: new Map() })).toMatchObject({
      status: 'unknown',
      observed: "the director's table was not read",
    });
  });
});

test('changes are told most frequent first, four of them at most', () => {
  const ttls = (...times: readonly number[]) =>
    changes(times.flatMap((each, index) => Array.from({ length: each }, () => [60 + index, 50 + index])));
  expect(changes([])).toBe('');
  expect(ttls(3)).toBe('60 → 50');
  expect(ttls(1, 2)).toBe('61 → 51 (2), 60 → 50 (1)');
  expect(ttls(4, 3, 2, 1)).toBe('60 → 50 (4), 61 → 51 (3), 62 → 52 (2), 63 → 53 (1)');
  expect(ttls(5, 4, 3, 2, 1)).toBe('60 → 50 (5), 61 → 51 (4), 62 → 52 (3), 63 → 53 (2), ...');
});
