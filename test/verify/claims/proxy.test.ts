// A proxy that reads nothing, at the limits of what its claims say: one SYN of several, the very instant, a first packet of one byte.
import { describe, expect, test } from 'vitest';
import { verdict } from '../evidence.ts';
import { asks, made, type MadeConnection } from '../made.ts';

const outer = (port: number, at: number, says = asks(at + 10)): MadeConnection => ({
  client: `192.168.11.104:${port}`,
  server: '192.168.11.107:80',
  at,
  says,
});
const inner = (port: number, at: number, says = asks(at + 10)): MadeConnection => ({
  client: `10.133.1.1:${port}`,
  server: '10.133.1.2:80',
  at,
  says,
});
const both = async (eth0: readonly MadeConnection[], eth1: readonly MadeConnection[]) =>
  made('haproxy-tcp', { eth0, eth1 });

test.each([
  ['fail', 10, '1 request and 1 SYN to backends; none before its request'],
  ['pass', 9, '1 request and 1 SYN to backends; 1 before the request, by up to 1.00 µs'],
])(
  'proxy.at-once: %s where the request comes after 10 µs and the SYN after %d',
  async (status, at, observed) => {
    expect(verdict('proxy.at-once', await both([outer(40_000, 0)], [inner(50_000, at)]))).toMatchObject({
      status,
      observed,
    });
  },
);

describe('proxy.untouched', () => {
  const LINE = 'PROXY TCP4 192.168.11.104 192.168.11.107 40000 80\r\n';
  const [ask, answer] = asks(20);
  test.each([
    ['pass', 'a line before the request', [[15, '>', LINE], ask!, answer!], '59 bytes equal'],
    ['fail', 'a line before the answer', [ask!, [20, '<', LINE], answer!], 'responses differ'],
    ['fail', 'a line before both', [[15, '>', LINE], ask!, [20, '<', LINE], answer!], 'responses differ'],
  ] as const)('%s with %s', async (status, _, says, observed) => {
    const evidence = await both([outer(40_000, 0, [ask!, answer!])], [inner(50_000, 5, says)]);
    expect(verdict('proxy.untouched', evidence)).toMatchObject({
      status,
      observed: `1 connection on eth0, 1 on eth1; ${observed}`,
    });
  });

  test('shows where each side began to send, be it with one byte', async () => {
    const says: MadeConnection['says'] = [
      [20, '>', 'G'],
      [21, '>', 'ET / HTTP/1.1\r\n\r\n'],
    ];
    const evidence = await both([outer(40_000, 0, says)], [inner(50_000, 5, says)]);
    expect(verdict('proxy.untouched', evidence).evidence).toEqual([
      { capture: 'eth0', packets: [4] },
      { capture: 'eth1', packets: [4] },
    ]);
  });
});

test('proxy.client gives one line as an example', async () => {
  const line = (port: number) => `PROXY TCP4 192.168.11.104 192.168.11.107 ${port} 80\r\n`;
  const evidence = await both([outer(40_000, 0)], [inner(50_000, 5, [[10, '>', line(40_000)]])]);
  expect(verdict('proxy.client', evidence)).toMatchObject({
    status: 'pass',
    observed:
      '1 connection on eth1, 1 with a PROXY line such as 192.168.11.104 192.168.11.107 40000 80, each of a connection on eth0',
  });
});
