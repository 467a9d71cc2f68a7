import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseTopology } from '../../src/topology/index.ts';
import type { Assertion } from '../../src/topology/types.ts';

const nat = readFileSync(new URL('../../topologies/nat.yaml', import.meta.url), 'utf8');
const lines = nat.split('\n').length;

/** What entries of `expect` in the nat topology are read as. */
function read(entries: string): readonly Assertion[] {
  const indented = entries
    .trim()
    .split('\n')
    .map((line) => `  ${line}\n`);
  return parseTopology(`${nat}expect:\n${indented.join('')}`, 'labs/mine.yaml').expect ?? [];
}

const only = (entry: string): Assertion => read(entry)[0]!;

const backends = { name: 'backends', points: ['be1', 'be2'] };
const clients = { name: 'clients', points: ['client'] };

describe('an assertion', () => {
  test('has its place in the list and in the file, and what is common to all', () => {
    const [first, second] = read(
      '- status: 200\n- name: no other\n  status: 404\n  not: true\n  level: warning\n  within: 1.5s',
    );
    expect(first).toEqual({
      kind: 'status',
      requests: 'all',
      is: [200],
      index: 0,
      level: 'error',
      not: false,
      location: { file: 'labs/mine.yaml', line: lines + 1, column: 5 },
    });
    expect(second).toMatchObject({
      index: 1,
      name: 'no other',
      level: 'warning',
      not: true,
      within: 1500,
      location: { line: lines + 2, column: 5 },
    });
  });

  test.each([
    ['a capture point', 'eth0', { name: 'eth0', points: ['eth0'] }],
    ['a node', 'lb', { name: 'lb', points: ['eth0', 'eth1'] }],
    ['an interface', 'lb:eth1', { name: 'lb:eth1', points: ['eth1'] }],
    ['a role', 'backends', backends],
    ['a role in the singular', 'backend', { ...backends, name: 'backend' }],
    ['the clients', 'clients', clients],
    ['the balancer', 'balancer', { name: 'balancer', points: ['eth0', 'eth1'] }],
  ])('is about %s', (_, name, place) => {
    expect(only(`- connections: { at: '${name}', count: 1 }`)).toMatchObject({ at: place });
  });

  test.each([
    ['the VIP', 'vip', { name: 'vip', addresses: ['192.168.11.107'] }],
    ['a node', 'lb', { name: 'lb', addresses: ['192.168.11.107', '10.133.1.1'] }],
    ['an interface', 'lb:eth1', { name: 'lb:eth1', addresses: ['10.133.1.1'] }],
    ['a role', 'backends', { name: 'backends', addresses: ['10.133.1.2', '10.133.1.3'] }],
    ['an address', '10.133.1.77', { name: '10.133.1.77', addresses: ['10.133.1.77'] }],
  ])('names %s', (_, name, party) => {
    expect(only(`- sources: { at: eth0, are: '${name}' }`)).toMatchObject({ are: [party] });
  });

  test.each([
    ['connections: { at: eth0, count: 3 }', { count: { min: 3, max: 3 } }],
    ['connections: { at: eth0, count: { min: 1 } }', { count: { min: 1 } }],
    [
      'connections: { at: eth0, count: requests, state: [closed, reset] }',
      { count: 'requests', states: ['closed', 'reset'] },
    ],
    ['backend: { request: 3, is: be1 }', { requests: [3], is: ['be1'] }],
    ['backend: { request: [1, 2], client: client, is: [be1, be2] }', { requests: [1, 2], client: 'client' }],
    [
      'header: { at: eth1, name: Host, is: 1.5 }',
      { of: 'request', header: 'Host', absent: false, value: { text: '1.5' } },
    ],
    ['header: { at: eth1, name: Via, absent: true }', { absent: true }],
    ["header: { at: eth1, name: Host, is: { matches: '^a+$' } }", { value: { matches: '^a+$' } }],
    [
      'header: { at: eth1, name: X, is: { address: client } }',
      { value: { address: { name: 'client', addresses: ['192.168.11.104'] } } },
    ],
    [
      'path: { to-server: [clients, backends], never: eth1 }',
      { of: 'packets', toServer: [clients, backends], never: [{ name: 'eth1', points: ['eth1'] }] },
    ],
    ['end-to-end: 2', { connections: 2, from: clients, to: backends }],
    [
      'spread: even',
      {
        isEven: true,
        shares: [
          ['be1', 50],
          ['be2', 50],
        ],
        tolerance: 0,
        of: 'requests',
      },
    ],
    [
      'spread: { be1: 100%, tolerance: 2.5% }',
      {
        isEven: false,
        shares: [
          ['be1', 100],
          ['be2', 0],
        ],
        tolerance: 2.5,
      },
    ],
    [
      'analysis: { at: eth0, none: [retransmission], max: { out-of-order: 2 } }',
      {
        limits: [
          ['out-of-order', 2],
          ['retransmission', 0],
        ],
      },
    ],
    ['latency: { median: 20us, max: 1.5ms }', { way: 'both', median: 20_000, max: 1_500_000 }],
    [
      'packets: { at: eth0, count: { max: 9 }, way: to-client }',
      { per: 'total', way: 'to-client', count: { max: 9 } },
    ],
    [
      'bytes: { at: eth0, count: 0, per: connection }',
      { kind: 'bytes', per: 'connection', count: { min: 0, max: 0 } },
    ],
    [
      'arp: { at: client, answered-by: lb, asked-by: [] }',
      { address: { name: 'vip', addresses: ['192.168.11.107'] }, answeredBy: ['lb'], askedBy: [] },
    ],
    ['table: { contains: Masq }', { contains: ['Masq'], matches: [] }],
    ['status: { is: [200, 3xx], request: 2 }', { requests: [2], is: [200, '3xx'] }],
    ['response-time: { max: 2s }', { at: clients, max: 2_000_000_000 }],
  ])('%s', (entry, resolved) => {
    expect(only(`- ${entry}`)).toMatchObject(resolved);
  });
});

describe('claims', () => {
  const claims = (text: string) => parseTopology(`${nat}claims: ${text}\n`, 'mine.yaml').claims;

  test('are the ones named, or none', () => {
    expect(claims('[nat.vip, l7.vip]')).toEqual(['nat.vip', 'l7.vip']);
    expect(claims('false')).toEqual([]);
    expect(parseTopology(nat, 'mine.yaml').claims).toBeUndefined();
  });
});
