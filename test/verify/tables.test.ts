// What ipvsadm, ip and iptables print, as they print it.
import { describe, expect, test } from 'vitest';
import { parseAddresses, parseIptables, parseIpvsadm } from '../../src/verify/tables.ts';
import { recorded, verdict } from './evidence.ts';

describe('ipvsadm', () => {
  test('with -n, as in the article', () => {
    const text = `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  192.168.11.107:80 lc
  -> 10.133.1.2:80                Masq    1      0          0
  -> 10.133.1.3:80                Masq    1      0          0
`;
    expect(parseIpvsadm(text)).toEqual([
      {
        protocol: 'TCP',
        host: '192.168.11.107',
        port: '80',
        scheduler: 'lc',
        reals: [
          { host: '10.133.1.2', port: '80', forward: 'Masq', weight: 1 },
          { host: '10.133.1.3', port: '80', forward: 'Masq', weight: 1 },
        ],
      },
    ]);
  });

  test('several services, flags, IPv6, lines without indentation', () => {
    const text = `TCP 192.168.11.107:80 rr persistent 300
-> 192.168.11.108:80 Route 1 0 12
UDP [2001:db8::107]:53 sh
-> [2001:db8::108]:53 Tunnel 5 0 0`;
    expect(parseIpvsadm(text)).toEqual([
      {
        protocol: 'TCP',
        host: '192.168.11.107',
        port: '80',
        scheduler: 'rr',
        reals: [{ host: '192.168.11.108', port: '80', forward: 'Route', weight: 1 }],
      },
      {
        protocol: 'UDP',
        host: '2001:db8::107',
        port: '53',
        scheduler: 'sh',
        reals: [{ host: '2001:db8::108', port: '53', forward: 'Tunnel', weight: 5 }],
      },
    ]);
  });

  test('what is no row of it is left out: heads, what has no weight, a server without a service', () => {
    const lines = [
      '  -> 10.133.1.9:80 Masq 1 0 0',
      'TCP  192.168.11.107:80',
      '  -> RemoteAddress:Port Forward Weight ActiveConn InActConn',
      '  -> 10.133.1.2:80 Masq',
      'FWM  1 rr',
      '10.133.1.2:80 x Masq 1 0 0',
      '  -> 10.133.1.3:80 Masq 12 3 4',
      '  -> 10.133.1.4:80 Masq 2',
      '',
    ];
    expect(parseIpvsadm(lines.join('\n'))).toEqual([
      {
        protocol: 'TCP',
        host: '192.168.11.107',
        port: '80',
        scheduler: '',
        reals: [
          { host: '10.133.1.3', port: '80', forward: 'Masq', weight: 12 },
          { host: '10.133.1.4', port: '80', forward: 'Masq', weight: 2 },
        ],
      },
    ]);
  });

  test('an empty table', () => {
    expect(
      parseIpvsadm('IP Virtual Server version 1.2.1 (size=4096)\nProt LocalAddress:Port Scheduler Flags\n'),
    ).toEqual([]);
  });
});

test('ip -json addr show', () => {
  expect(
    parseAddresses(
      '[{"ifname":"lo","addr_info":[{"family":"inet","local":"127.0.0.1","prefixlen":8},' +
        '{"family":"inet","local":"192.168.11.107","prefixlen":32}]},{}]',
    ),
  ).toEqual(['127.0.0.1', '192.168.11.107']);
  expect(parseAddresses('[]')).toEqual([]);
  for (const other of [
    '{}',
    'null',
    '[null]',
    '[7]',
    '[{"addr_info":{}}]',
    '[{"addr_info":[null, 7, {"local":7}]}]',
  ])
    expect(parseAddresses(other)).toEqual([]);
  expect(() => parseAddresses('Device "lo" does not exist.')).toThrow(SyntaxError);
});

test('iptables -S', () => {
  expect(parseIptables('-P INPUT ACCEPT\n-P FORWARD ACCEPT\n-P OUTPUT ACCEPT\n')).toEqual({
    rules: [],
    policies: [],
  });
  expect(parseIptables('-P INPUT DROP\n-A INPUT -i lo -j ACCEPT\n')).toEqual({
    rules: ['-A INPUT -i lo -j ACCEPT'],
    policies: ['-P INPUT DROP'],
  });
  expect(parseIptables('-P FORWARD ACCEPT\n')).toEqual({ rules: [], policies: [] });
  expect(
    parseIptables(
      ' -P A ACCEPT\n-N -A \n-A B -j C\n# -P \n-P D DROP ACCEPTED\n-A E -m comment --comment -P ',
    ),
  ).toEqual({ rules: ['-A B -j C', '-A E -m comment --comment -P'], policies: ['-P D DROP ACCEPTED'] });
  expect(parseIptables('iptables: command not found')).toBeUndefined();
});

describe('claims about tables', () => {
  test('names in place of addresses and ports, as ipvsadm -L shows them', async () => {
    const evidence = await recorded('dsr-article');
    const tables = new Map(evidence.tables).set(
      'ipvsadm',
      'TCP  192.168.11.107:http lc\n  -> be1:http Route 1 0 0\n',
    );
    expect(verdict('dsr.table', { ...evidence, tables })).toMatchObject({
      status: 'pass',
      expected: 'TCP 192.168.11.107:80 lc to 192.168.11.108:80 Route 1',
      observed: 'TCP 192.168.11.107:http lc to be1:http Route 1',
    });
  });

  test.each([
    [
      'another scheduler',
      'TCP 192.168.11.107:80 rr\n -> 10.133.1.2:80 Masq 1 0 0\n -> 10.133.1.3:80 Masq 1 0 0',
    ],
    [
      'another weight',
      'TCP 192.168.11.107:80 lc\n -> 10.133.1.2:80 Masq 2 0 0\n -> 10.133.1.3:80 Masq 1 0 0',
    ],
    ['a backend missing', 'TCP 192.168.11.107:80 lc\n -> 10.133.1.2:80 Masq 1 0 0'],
    ['another VIP', 'TCP 192.168.11.108:80 lc\n -> 10.133.1.2:80 Masq 1 0 0\n -> 10.133.1.3:80 Masq 1 0 0'],
    [
      'one service more',
      'TCP 192.168.11.107:80 lc\n -> 10.133.1.2:80 Masq 1 0 0\n -> 10.133.1.3:80 Masq 1 0 0\nTCP 192.168.11.107:81 lc',
    ],
    ['nothing', ''],
  ])('%s is not the table', async (_, text) => {
    const evidence = await recorded('nat');
    expect(verdict('nat.table', { ...evidence, tables: new Map([['ipvsadm', text]]) }).status).toBe('fail');
  });

  test('what was not read is not judged to be empty', async () => {
    const evidence = await recorded('dsr');
    const without = (name: string) => ({
      ...evidence,
      tables: new Map([...evidence.tables!].filter(([key]) => key !== name)),
    });
    expect(verdict('dsr.table', without('ipvsadm'))).toMatchObject({
      status: 'unknown',
      observed: "the director's table was not read",
    });
    expect(verdict('dsr.norules', without('iptables-nat'))).toMatchObject({
      status: 'unknown',
      observed: 'the nat table of the balancer was not read',
    });
    expect(verdict('dsr.loopback', without('be2.loopback'))).toMatchObject({
      status: 'unknown',
      observed: 'the addresses of be2 were not read',
    });
  });
});
