import { describe, expect, test } from 'vitest';
import type { Topology } from '../../../src/topology/types.ts';
import { ethernet, ipv4, udp } from '../../pcap/build.ts';
import { expecting } from './labs.ts';
import { BE1, BE2, CLIENT, judgedRound, lineOf, raw, talk } from './made.ts';

const { topology } = await expecting('nat', '');
const macOf = (name: string, index = 0) =>
  topology.nodes.find((node) => node.name === name)!.interfaces[index]!.mac;

const DIRECTOR = macOf('lb', 1);
const toBe1 = talk({ server: BE1, macs: [DIRECTOR, macOf('be1')] });
/** Its first packet is the 9th after the others. */
const next = { client: `${CLIENT}:40002`, server: BE1, at: 100_000 };

describe('what passed a node', () => {
  const rows = [
    ['is all that is from its MAC address or to it', toBe1, 'pass: 1 connection (1 closed) [be1 1]'],
    [
      'is not what a switch floods while it learns',
      [...toBe1, ...talk({ ...next, server: BE2, macs: [DIRECTOR, macOf('be2')] })],
      'pass: 1 connection (1 closed) [be1 1]',
    ],
    // A first byte that is odd: for several interfaces (IEEE 802).
    [
      'is also what is for a group of interfaces',
      [...toBe1, ...talk({ ...next, macs: [DIRECTOR, '01:00:5e:00:00:01'], packets: [1] })],
      'fail: 2 connections (1 closed, 1 unanswered) [be1 1 9]',
    ],
    ['is everything where frames have no MAC addresses', raw(toBe1), 'pass: 1 connection (1 closed) [be1 1]'],
    [
      'is TCP to the ports of the service',
      [...toBe1, ...talk({ ...next, server: `${BE1}:22`, macs: [DIRECTOR, macOf('be1')] })],
      'pass: 1 connection (1 closed) [be1 1]',
    ],
    [
      'is TCP and not UDP',
      [
        ...toBe1,
        {
          frame: ethernet(
            0x0800,
            ipv4(17, udp(Buffer.from('?'), { sourcePort: 40_002, destinationPort: 80 }), {
              source: CLIENT,
              destination: BE1,
            }),
            DIRECTOR,
            macOf('be1'),
          ),
          time: toBe1.at(-1)!.time! + 1000n,
        },
      ],
      'pass: 1 connection (1 closed) [be1 1]',
    ],
  ] as const;
  test.each(rows)('%s', async (_, be1, line) => {
    expect(
      lineOf(await judgedRound({ lab: 'nat', captures: { be1 } }, '- connections: { at: be1, count: 1 }')),
    ).toBe(line);
  });

  test('is all TCP where no service is known', async () => {
    const change = ({ balancer: _balancer, traffic: _traffic, ...rest }: Topology): Topology => ({
      ...rest,
      nodes: rest.nodes.map(({ httpd: _httpd, ...node }) => node),
    });
    const captures = { be1: [...talk({ server: BE1 }), ...talk({ ...next, server: `${BE1}:22` })] };
    const check = await judgedRound({ lab: 'nat', captures, change }, '- connections: { at: be1, count: 2 }');
    expect(lineOf(check)).toBe('pass: 2 connections (2 closed) [be1 1 9]');
  });
});

test('a connection that had begun before is cited by its first packet', async () => {
  const captures = { eth1: [...talk(), ...talk({ ...next, packets: [3, 4, 5] })] };
  const said = '- packets: { at: eth1, count: { max: 1000 }, per: connection }';
  expect(lineOf(await judgedRound({ lab: 'nat', captures }, said))).toBe(
    'pass: 3 to 8 packets in each of 2 connections [eth1 1 9]',
  );
});
