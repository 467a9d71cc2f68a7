// What the comparison measures, on evidence of real labs.
import { describe, expect, it } from 'vitest';
import { comparisonMarkdown, comparisonTable, comparisonText } from '../../src/report/compare.ts';
import { compare } from '../../src/verify/compare.ts';
import { recorded } from './evidence.ts';

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
