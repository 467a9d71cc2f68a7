// What is said of how a connection began and ended, of who is its client and of how much it carried.
import { describe, expect, test } from 'vitest';
import type { ConnectionFigures } from '../../src/pcap/index.ts';
import { summarize } from '../../src/pcap/index.ts';
import { ethernet, ipv4, ipv6, pcap, segment, tcp, udp } from './build.ts';
import type { Ends, Step } from './conversation.ts';
import { framesOf, HANDSHAKE, steps } from './conversation.ts';

/** The client's address below the server's, and above it: nothing that is said may depend on that. */
const ORIENTATIONS: readonly Ends[] = [
  { client: ['10.0.0.1', 40000], server: ['10.0.0.2', 80] },
  { client: ['10.0.0.2', 40000], server: ['10.0.0.1', 80] },
];

/** Other connections before and after it: theirs is not mixed up with its own. */
const OTHER = (port: number) =>
  framesOf([...HANDSHAKE, ...steps('< FA 1 1', '< R 2 0')], {
    client: ['10.0.0.1', port],
    server: ['10.0.0.2', 80],
  });

async function figuresOf(conversing: readonly Step[], ends: Ends): Promise<ConnectionFigures> {
  const file = pcap([...OTHER(39999), ...framesOf(conversing, ends), ...OTHER(40001)]);
  const { connections } = await summarize(file);
  expect(connections).toHaveLength(3);
  return connections[1]!;
}

const OPEN: readonly Step[] = [...HANDSHAKE, ...steps('> PA 1 1 1', '< PA 1 2 1')];
const BOTH_FINS: readonly Step[] = steps('> FA 2 2', '< FA 2 3');

describe.each<
  [string, readonly Step[], ConnectionFigures['state'], ConnectionFigures['closedBy'] | undefined]
>([
  // What is there, and what is said of it: `undefined` where nothing is.
  ['a SYN alone', steps('> S 0 0'), 'unanswered', undefined],
  ['SYNs alone', steps('> S 0 0', '> S 0 0'), 'unanswered', undefined],
  ['a SYN that is given up by a reset', steps('> S 0 0', '> R 1 0'), 'one-sided', 'reset-by-client'],
  ['a SYN and more, nothing of the other side', steps('> S 0 0', '> A 1 1'), 'one-sided', undefined],
  ['the answer to a SYN alone', steps('< SA 0 1'), 'one-sided', undefined],
  ['the server alone, to its FIN', steps('< A 1 1 1', '< FA 2 1'), 'one-sided', 'server'],
  ['a SYN answered by a reset', steps('> S 0 0', '< RA 0 1'), 'refused', 'reset-by-server'],
  [
    'a SYN answered by something old, which the client resets (RFC 9293 section 3.5.2)',
    steps('> S 0 0', '< A 300 100', '> R 100 0'),
    'reset',
    'reset-by-client',
  ],
  ['a handshake that the server resets', [...HANDSHAKE, ...steps('< R 1 0')], 'reset', 'reset-by-server'],
  ['a handshake that the client resets', steps('> S 0 0', '< SA 0 1', '> R 1 0'), 'reset', 'reset-by-client'],
  ['a reset whose SYN was not captured', steps('> A 1 1', '< R 1 0'), 'reset', 'reset-by-server'],
  ['both SYNs', steps('> S 0 0', '< SA 0 1'), 'handshake-only', undefined],
  ['a handshake', HANDSHAKE, 'handshake-only', undefined],
  ['a handshake and a byte of the client', [...HANDSHAKE, ...steps('> PA 1 1 1')], 'established', undefined],
  ['a handshake and a byte of the server', [...HANDSHAKE, ...steps('< PA 1 1 1')], 'established', undefined],
  ['acknowledgments both ways, without SYNs', steps('> A 1 1', '< A 1 1'), 'established', undefined],
  ['payload both ways', OPEN, 'established', undefined],
  ["the client's FIN", [...OPEN, ...steps('> FA 2 2')], 'half-closed', 'client'],
  ["the server's FIN", [...OPEN, ...steps('< FA 2 2')], 'half-closed', 'server'],
  ["both FINs, the client's first", [...OPEN, ...BOTH_FINS], 'closed', 'client'],
  ["both FINs, the server's first", [...OPEN, ...steps('< FA 2 2', '> FA 2 3')], 'closed', 'server'],
  ['FINs that cross', [...OPEN, ...steps('> FA 2 2', '< FA 2 2')], 'closed', 'both'],
  ['a reset after both FINs', [...OPEN, ...BOTH_FINS, ...steps('< R 3 0')], 'closed', 'client'],
  ['a reset after one FIN', [...OPEN, ...steps('> FA 2 2', '< R 2 0')], 'reset', 'reset-by-server'],
  ['a reset after the other FIN', [...OPEN, ...steps('< FA 2 2', '> R 2 0')], 'reset', 'reset-by-client'],
])('%s', (_, conversing, state, closedBy) => {
  test.each(ORIENTATIONS)('between %j', async (ends) => {
    const figures = await figuresOf(conversing, ends);
    expect({ state: figures.state, closedBy: figures.closedBy }).toEqual({ state, closedBy });
    const [toServer, toClient] = (['>', '<'] as const).map(
      (direction) => conversing.filter(([own]) => own === direction).length,
    );
    expect(figures.packets).toEqual({ toServer, toClient });
    expect(figures.bytes).toEqual({
      toServer: toServer! * 54 + figures.payload.toServer,
      toClient: toClient! * 54 + figures.payload.toClient,
    });
    expect(figures.oneSided).toBe(toClient === 0 ? 'to-server' : toServer === 0 ? 'to-client' : undefined);
    // The other connection's five packets come before.
    expect(figures.firstTime).toBe(1_700_000_000_005_000_000n);
    expect(figures.lastTime).toBe(figures.firstTime + BigInt(conversing.length - 1) * 1_000_000n);
    expect(figures).toMatchObject({ protocol: 'tcp', client: { port: 40000 }, server: { port: 80 } });
    expect([figures.client.address, figures.server.address]).toEqual([ends.client[0], ends.server[0]]);
  });
});

describe('whether a connection is complete that has', () => {
  const whole: readonly Step[] = [...OPEN, ...BOTH_FINS];
  const without = (...left: number[]) => whole.filter((_, index) => !left.includes(index + 1));

  test.each<[string, readonly Step[], boolean]>([
    ['all of it', whole, true],
    ['a reset for its end', [...OPEN, ...steps('< R 2 0')], true],
    ['no SYN', without(1), false],
    ['no SYN-ACK', without(2), false],
    ['no payload of the client', without(4), false],
    ['no payload of the server', without(5), false],
    ['one FIN', without(7), false],
    ['no end', OPEN, false],
    ['no ACK of the client', steps('> S 0 0', '< SA 0 1 1', '> R 1 0 1'), false],
  ])('%s: %j', async (_, conversing, complete) => {
    for (const ends of ORIENTATIONS) expect((await figuresOf(conversing, ends)).complete).toBe(complete);
  });
});

test('its handshake, its initial sequence numbers and its round trip', async () => {
  for (const ends of ORIENTATIONS) {
    expect(await figuresOf(OPEN, ends)).toMatchObject({
      handshake: { syn: 6, synAck: 7, ack: 8 },
      isn: { client: 1000, server: 5000 },
      roundTripTime: 2_000_000,
      payload: { toServer: 1, toClient: 1 },
      analysis: {},
    });
    expect(await figuresOf(steps('> S 0 0'), ends)).toMatchObject({
      handshake: { syn: 6, synAck: undefined, ack: undefined },
      isn: { client: 1000, server: undefined },
      roundTripTime: undefined,
    });
  }
});

test('of equal ports without a SYN the client is who sent first, and that of a SYN is who sent it', async () => {
  for (const { client, server } of ORIENTATIONS) {
    const ends: Ends = { client: [client[0], 7000], server: [server[0], 7000] };
    const answer = await figuresOf(steps('< A 1 1', '> A 1 1'), ends);
    expect(answer.client.address).toBe(server[0]);
    const question = await figuresOf(steps('> A 1 1', '< A 1 1'), ends);
    expect(question.client.address).toBe(client[0]);
  }
});

test('a SYN says who the client is, whatever the ports', async () => {
  for (const { client, server } of ORIENTATIONS) {
    const ends: Ends = { client: [client[0], 80], server: [server[0], 40000] };
    expect((await figuresOf(HANDSHAKE, ends)).client).toEqual({ address: client[0], port: 80 });
    // Without it the higher port is taken for the client's.
    expect((await figuresOf(steps('> A 1 1'), ends)).client).toEqual({ address: server[0], port: 40000 });
  }
});

test('UDP has a client, who sent first, but no sequence numbers', async () => {
  const datagram = (sourcePort: number, destinationPort: number) =>
    ethernet(
      0x0800,
      ipv4(17, udp(Buffer.from('xy'), { sourcePort, destinationPort }), {
        source: sourcePort === 53 ? '10.0.0.1' : '10.0.0.2',
        destination: sourcePort === 53 ? '10.0.0.2' : '10.0.0.1',
      }),
    );
  const file = pcap([segment({ flags: 'S' }), datagram(53, 3000), datagram(3000, 53), datagram(3000, 53)]);
  expect((await summarize(file)).connections[1]).toEqual({
    protocol: 'udp',
    client: { address: '10.0.0.1', port: 53 },
    server: { address: '10.0.0.2', port: 3000 },
    state: 'established',
    complete: false,
    handshake: {},
    isn: {},
    packets: { toServer: 1, toClient: 2 },
    bytes: { toServer: 44, toClient: 88 },
    payload: { toServer: 2, toClient: 4 },
    firstTime: 1_700_000_000_001_000_000n,
    lastTime: 1_700_000_000_003_000_000n,
    completeness: 0,
    analysis: {},
  });
});

test('addresses of IPv6 are told whole', async () => {
  const [low, high] = ['20010db8000100020003000400050006', '20010db8000100020003000400050007'];
  const file = pcap([ethernet(0x86dd, ipv6(6, tcp({ flags: 'S' }), high, low))]);
  expect((await summarize(file)).connections).toMatchObject([
    {
      client: { address: '2001:db8:1:2:3:4:5:7', port: 40000 },
      server: { address: '2001:db8:1:2:3:4:5:6', port: 80 },
    },
  ]);
});

test('a segment whose options were cut off makes no connection by itself', async () => {
  const cut = segment({ flags: 'S', options: [2, 4, 5, 180] }).subarray(0, 56);
  expect((await summarize(pcap([cut]))).connections).toEqual([]);
  expect((await summarize(pcap([cut, segment({ flags: 'A' })]))).connections).toMatchObject([
    { packets: { toServer: 1, toClient: 0 } },
  ]);
});

test('each kind of oddity is counted where it was found', async () => {
  const [ends] = ORIENTATIONS;
  const { analysis } = await figuresOf(
    [...OPEN, ...steps('> PA 20 2 1', '> PA 40 2 1', '< A 2 2 win=0')],
    ends!,
  );
  expect((await figuresOf(steps('> S 0 0', '> S 0 0'), ends!)).analysis).toEqual({ retransmission: 1 });
  expect(analysis).toEqual({ 'lost-segment': 2, 'zero-window': 1 });
});
