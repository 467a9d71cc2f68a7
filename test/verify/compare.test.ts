// What the comparison measures, on evidence of real labs.
import { describe, expect, it } from 'vitest';
import { comparisonMarkdown, comparisonTable, comparisonText } from '../../src/report/compare.ts';
import type { Packet } from '../../src/pcap/index.ts';
import { compare } from '../../src/verify/compare.ts';
import { edited, recorded } from './evidence.ts';

const measured = async (lab: string) => compare(await recorded(lab));

describe('compare', () => {
  it('l7: two connections, the balancer calls, TCP ends there', async () => {
    expect(await measured('l7')).toMatchObject({
      connections: 2,
      callers: [{ address: '10.133.1.1', node: 'lb' }],
      rewritten: undefined,
      tcpEnds: 'balancer',
    });
  });

  it('nat: one connection, the client calls, addresses are rewritten both ways', async () => {
    const nat = await measured('nat');
    expect(nat).toMatchObject({
      connections: 1,
      callers: [{ address: '192.168.11.104', node: 'client' }],
      tcpEnds: 'backend',
    });
    expect(nat.rewritten!.toServer).toContain('destination-address');
    expect(nat.rewritten!.toServer).not.toContain('source-address');
    expect(nat.rewritten!.toClient).toContain('source-address');
    expect(nat.fromBackends.packets).toBeGreaterThan(0);
  });

  it('fullnat: one connection, the balancer calls, both addresses are rewritten', async () => {
    const fullnat = await measured('fullnat');
    expect(fullnat).toMatchObject({ connections: 1, callers: [{ node: 'lb' }], tcpEnds: 'backend' });
    expect(fullnat.rewritten!.toServer).toEqual(
      expect.arrayContaining(['source-address', 'destination-address']),
    );
  });

  it('dsr: MAC addresses and the TTL only, and nothing comes back through the balancer', async () => {
    const dsr = await measured('dsr');
    expect(dsr).toMatchObject({
      connections: 1,
      callers: [{ node: 'client' }],
      fromBackends: { packets: 0, bytes: 0 },
      tcpEnds: 'backend',
    });
    expect([...dsr.rewritten!.toServer].sort()).toEqual(['destination-mac', 'source-mac', 'ttl']);
    expect(dsr.rewritten!.toClient).toEqual([]);
  });

  it('tun: wrapped on the way in, and nothing comes back through the balancer', async () => {
    const tun = await measured('tun');
    expect(tun).toMatchObject({ connections: 1, fromBackends: { packets: 0 }, tcpEnds: 'backend' });
    expect(tun.rewritten!.toServer).toContain('encapsulation-added');
  });

  it('is a table that fits a terminal, and Markdown', async () => {
    const table = comparisonTable([await measured('nat'), await measured('dsr')]);
    expect(table.head).toEqual(['', 'nat', 'dsr']);
    for (const line of comparisonText(table, 80).split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    expect(comparisonMarkdown(table).split('\n')[1]).toBe('| --- | --- | --- |');
    expect(comparisonMarkdown(table)).toContain(
      "| the client's TCP connection ends at | the backend | the backend |",
    );
  });
});

describe('figures of nat, counted from the packets', async () => {
  const nat = await recorded('nat');
  const packetsAt = (name: string) => nat.captures.get(name)!.capture.packets;
  const clientOf = ({ tcp }: Packet) =>
    tcp!.destinationPort === 80 ? tcp!.sourcePort : tcp!.destinationPort;
  const ports = [...new Set(packetsAt('client').map(clientOf))];
  /** Microseconds from a request to its answer, by client port. */
  const taken = (...names: readonly string[]) =>
    ports.map((port) => {
      const own = names.flatMap((name) => packetsAt(name)).filter((packet) => clientOf(packet) === port);
      const [request, answer] = own.filter(({ tcp }) => tcp!.payloadLength > 0);
      return Number(answer!.time - request!.time) / 1000;
    });
  const sorted = (...names: readonly string[]) => taken(...names).toSorted((a, b) => a - b);
  const keeping = (...kept: readonly number[]) =>
    edited(nat, undefined, (packet) => (kept.includes(clientOf(packet)) ? packet : undefined));

  it('adds the difference of the medians, of four the mean of the two in the middle', () => {
    const [, b, c] = sorted('client') as [number, number, number];
    const [, y, z] = sorted('be1', 'be2') as [number, number, number];
    expect(compare(nat).addedMicroseconds).toBeCloseTo((b + c) / 2 - (y + z) / 2, 6);
  });

  it('adds the difference of the medians, of three the one in the middle', () => {
    const [first, ...rest] = ports;
    const middle = (values: readonly number[]) => values.slice(1).toSorted((a, b) => a - b)[1]!;
    const evidence = keeping(...rest);
    expect(compare(evidence).addedMicroseconds).toBeCloseTo(
      middle(taken('client')) - middle(taken('be1', 'be2')),
      6,
    );
    expect(compare(evidence).requests).toBe(3);
    expect(compare(keeping(first!)).addedMicroseconds).toBeCloseTo(
      taken('client')[0]! - taken('be1', 'be2')[0]!,
      6,
    );
  });

  const unanswered = (...without: readonly number[]) =>
    edited(nat, undefined, (packet) =>
      packet.tcp!.sourcePort === 80 && packet.tcp!.payloadLength > 0 && without.includes(clientOf(packet))
        ? undefined
        : packet,
    );

  it('leaves out what was not answered', () => {
    const middle = (values: readonly number[]) => values.slice(1).toSorted((a, b) => a - b)[1]!;
    expect(compare(unanswered(ports[0]!)).addedMicroseconds).toBeCloseTo(
      middle(taken('client')) - middle(taken('be1', 'be2')),
      6,
    );
  });

  it('is nothing where nothing was answered', () => {
    expect(() => compare(unanswered(...ports))).toThrow('no request was answered');
  });

  it('counts packets and bytes of one request on average', () => {
    const load = (packets: readonly Packet[]) => ({
      packets: packets.length / 4,
      bytes: packets.reduce((sum, { originalLength }) => sum + originalLength, 0) / 4,
    });
    const { fromClients, fromBackends } = compare(nat);
    expect(fromClients).toEqual(load(packetsAt('eth0').filter(({ tcp }) => tcp!.destinationPort === 80)));
    expect(fromBackends).toEqual(load(packetsAt('eth1').filter(({ tcp }) => tcp!.sourcePort === 80)));
  });

  it('ends TCP at the balancer when one connection has other numbers at the backend', () => {
    const shifted = edited(nat, ['be1', 'be2'], (packet) => {
      const { sequence, acknowledgment } = packet.tcp!;
      return clientOf(packet) === ports[0]
        ? { ...packet, tcp: { ...packet.tcp!, sequence: sequence + 7, acknowledgment: acknowledgment + 7 } }
        : packet;
    });
    expect(compare(shifted).tcpEnds).toBe('balancer');
  });
});
