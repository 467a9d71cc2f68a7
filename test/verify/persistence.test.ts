// What looks like persistence and is none: without proof that another backend could have been reached, nothing is decided.
import { expect, test } from 'vitest';
import type { Packet } from '../../src/pcap/index.ts';
import type { Evidence } from '../../src/verify/types.ts';
import { recorded, verdict, withCaptures } from './evidence.ts';

/** Evidence in which only some of the client's ports are left, and each connection begins `after(port)` seconds later. */
function rearranged(evidence: Evidence, after: ReadonlyMap<number, number>): Evidence {
  const portOf = ({ tcp }: Packet) => (tcp!.destinationPort === 80 ? tcp!.sourcePort : tcp!.destinationPort);
  return withCaptures(evidence, (point) => {
    const packets = point.capture.packets.flatMap((packet) => {
      const seconds = after.get(portOf(packet));
      return seconds === undefined ? [] : { ...packet, time: packet.time + BigInt(seconds) * 1_000_000_000n };
    });
    return { ...point, capture: { ...point.capture, packets } };
  });
}

/** Ports of a client's connections, in order. */
function ports(evidence: Evidence, client: string): number[] {
  return evidence.captures
    .get(client)!
    .capture.packets.filter(({ tcp }) => tcp!.flags.syn && !tcp!.flags.ack)
    .map(({ tcp }) => tcp!.sourcePort);
}

const persistent = await recorded('nat-persistent');
const [a, b] = [ports(persistent, 'client'), ports(persistent, 'client2')];
const arrange = (order: readonly number[]) =>
  rearranged(persistent, new Map(order.map((port, index) => [port, index * 10])));

test('first one client, then the other: each stays', () => {
  expect(verdict('l4.persistence', arrange([...a, ...b])).status).toBe('pass');
});

test('two connections of each are enough, and so is one time that a client comes twice in a row', () => {
  const [first, second] = [a.slice(0, 2), b.slice(0, 2)];
  expect(verdict('l4.persistence', arrange([...first, ...second])).status).toBe('pass');
  expect(verdict('l4.persistence', arrange([a[0]!, a[1]!, b[0]!, a[2]!, b[1]!])).status).toBe('pass');
});

test('is seen on the balancer where a backend was not captured', () => {
  const all = arrange([...a, ...b]);
  const without = withCaptures(all, (point) => (point.node === 'be1' ? undefined : point));
  expect(verdict('l4.persistence', without)).toEqual({
    ...verdict('l4.persistence', all),
    evidence: [{ capture: 'eth1', packets: expect.any(Array) as number[] }],
  });
});

test('clients that are all on one backend may have had no other', async () => {
  const spread = await recorded('nat-two-clients');
  const onFirst = ports(spread, 'be1');
  const alone = rearranged(spread, new Map(onFirst.map((port, index) => [port, index])));
  expect(verdict('l4.persistence', alone)).toMatchObject({
    status: 'unknown',
    observed: expect.stringMatching(
      /^192\.168\.11\.\d+: \d connections all to be1; 192\.168\.11\.\d+: \d connections all to be1; nothing shows that another backend was there$/,
    ) as string,
  });
});

test('clients in turn stay by parity under round robin, too', () => {
  const turns = a.flatMap((port, index) => [port, b[index]!]);
  expect(verdict('l4.persistence', arrange(turns))).toMatchObject({
    status: 'unknown',
    observed: expect.stringContaining('taking turns with backends explains it too') as string,
  });
});

test('one client alone shows nothing', () => {
  expect(verdict('l4.persistence', arrange(a))).toMatchObject({
    status: 'unknown',
    observed: expect.stringContaining('two clients are needed') as string,
  });
});

test('a client that connects only once stays wherever it is', () => {
  expect(verdict('l4.persistence', arrange([...a, b[0]!]))).toMatchObject({
    status: 'unknown',
    observed: expect.stringContaining('a client connected only once') as string,
  });
});

test('one connection elsewhere breaks it', async () => {
  expect(verdict('l4.persistence', await recorded('nat-two-clients'))).toMatchObject({
    status: 'fail',
    observed: expect.stringMatching(/192\.168\.11\.104: 4 connections \d to be\d, \d to be\d/) as string,
  });
});

test('behind a proxy no connection goes on', async () => {
  expect(verdict('l4.persistence', await recorded('l7'))).toMatchObject({
    status: 'fail',
    observed: 'none of 4 connections goes on to a backend: TCP ends at the balancer',
  });
});
