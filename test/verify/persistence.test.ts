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
