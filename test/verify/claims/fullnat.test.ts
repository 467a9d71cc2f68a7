// Address translation both ways, where one request of several is not answered, or one answer leaves for another segment.
import { expect, test } from 'vitest';
import { verdict } from '../evidence.ts';
import { asks, made, type MadeConnection } from '../made.ts';

const asking = (port: number, at: number, says = asks(at + 10)): MadeConnection => ({
  client: `192.168.11.104:${port}`,
  server: '192.168.11.107:80',
  at,
  says,
});
/** As it comes to a backend: five packets, of which the second and the fifth are answers. */
const translated = (port: number, at: number, client = '10.133.1.1'): MadeConnection => ({
  ...asking(port, at),
  client: `${client}:${port}`,
  server: '10.133.1.2:80',
});
const judged = async (client: readonly MadeConnection[], be1: readonly MadeConnection[]) =>
  verdict('fullnat.no-gateway', await made('fullnat', { client, be1 }));
const unanswered = (at: number) => asks(at).slice(0, 1);

test.each([
  ['pass', 'all are answered', asks(110), '2 of 2 requests answered', [1, 6]],
  ['fail', 'one is not', unanswered(110), '1 of 2 requests answered', [6]],
  [
    'fail',
    'the second on a connection is not',
    [...asks(110), ...unanswered(120)],
    '1 of 2 requests answered',
    [6],
  ],
] as const)('%s where %s', async (status, _, says, observed, packets) => {
  const [first, second] = [asking(40_000, 0), asking(40_001, 100, says)];
  expect(await judged([first, second], [translated(40_000, 0)])).toMatchObject({
    status,
    observed: `no backend has a default route; no answer leaves for another segment; ${observed}`,
    evidence: [{ capture: 'client', packets }],
  });
});

test('an answer that leaves for another segment is shown', async () => {
  const syn = { handshake: 'syn-ack', says: [] } as const;
  const away = { ...translated(40_001, 100, '192.168.11.104'), ...syn };
  expect(await judged([asking(40_000, 0)], [translated(40_000, 0), away])).toMatchObject({
    status: 'fail',
    observed: 'no backend has a default route; 1 packet leaves for another segment; 1 of 1 request answered',
    evidence: [{ capture: 'be1', packets: [7] }],
  });
});
