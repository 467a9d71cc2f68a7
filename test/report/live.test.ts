// Packets as they come: whole lines, what was rewritten marked, at several widths, and hostile bytes made harmless.
import { Chalk } from 'chalk';
import { describe, expect, it } from 'vitest';
import { readCapture, type Packet } from '../../src/pcap/index.ts';
import { LiveLines } from '../../src/report/live.ts';
import { pcap, segment, type SegmentOptions } from '../pcap/build.ts';

const CLIENT = '02:00:00:00:00:0a';
const LB = '02:00:00:00:00:0b';
const BE1 = '02:00:00:00:00:0c';
const machines: Record<string, string> = { [CLIENT]: 'client', [LB]: 'lb', [BE1]: 'be1' };

/** One packet, sent so many microseconds after the first. */
async function packet(microseconds: number, options: SegmentOptions): Promise<Packet> {
  const bytes = pcap([{ frame: segment(options), time: BigInt(microseconds) * 1000n }]);
  return (await readCapture(bytes)).packets[0]!;
}

const before: SegmentOptions = {
  source: '192.168.11.104',
  sourcePort: 50518,
  destination: '192.168.11.107',
  destinationPort: 80,
  sourceMac: CLIENT,
  destinationMac: LB,
  sequence: 77,
  flags: 'S',
};
const natted: SegmentOptions = {
  ...before,
  destination: '10.133.1.3',
  sourceMac: LB,
  destinationMac: BE1,
  ttl: 63,
};

const lines = (level: 0 | 1 = 0) =>
  new LiveLines({
    paint: new Chalk({ level }),
    points: ['client', 'eth0', 'eth1'],
    nameOfMac: (mac) => machines[mac] ?? mac,
  });

describe('a line', () => {
  it('says when, where, who to whom and what; and of a packet seen before what was rewritten', async () => {
    const live = lines();
    expect(live.line(0, await packet(0, before))).toBe(
      '0.000000  client  192.168.11.104:50518 > 192.168.11.107:80  SYN',
    );
    expect(live.line(1, await packet(9, before))).toBe(
      '0.000009  eth0    192.168.11.104:50518 > 192.168.11.107:80  SYN',
    );
    expect(live.line(2, await packet(76, natted))).toBe(
      '0.000076  eth1    192.168.11.104:50518 > 10.133.1.3:80      SYN' +
        '  <- dst 192.168.11.107 > 10.133.1.3, dst mac lb > be1, ttl 64 > 63',
    );
  });

  it('marks nothing in a packet that another connection sends, nor in one that was sent again', async () => {
    const live = lines();
    live.line(0, await packet(0, before));
    expect(live.line(0, await packet(1000, before))).not.toContain('<-');
    expect(live.line(1, await packet(1010, { ...natted, sequence: 78 }))).not.toContain('<-');
  });

  it('has the colour of its point, and underlines the end that is new', async () => {
    const live = lines(1);
    live.line(1, await packet(0, before));
    expect(live.line(2, await packet(76, natted))).toBe(
      '\u001B[2m0.000076\u001B[22m  \u001B[35meth1  \u001B[39m  192.168.11.104:50518 > \u001B[4m10.133.1.3:80\u001B[24m' +
        '      SYN  \u001B[33m<- dst 192.168.11.107 > 10.133.1.3, dst mac lb > be1, ttl 64 > 63\u001B[39m',
    );
  });

  it('says less where there is less room, and never more than the terminal is wide', async () => {
    const payload = 'GET /a/path/that/is/quite/long/indeed/and/goes/on HTTP/1.1\r\n\r\n';
    const data = { flags: 'PA', acknowledgment: 5, payload };
    const shown = async (columns: number) => {
      const live = lines();
      live.line(1, await packet(0, { ...before, ...data }));
      return live.line(2, await packet(76, { ...natted, ...data }), columns);
    };
    expect(await shown(200)).toBe(
      '0.000076  eth1    192.168.11.104:50518 > 10.133.1.3:80      PSH ACK 62 B  GET /a/path/that/is/quite/long/indeed/and/goes/on HTTP/1.1' +
        '  <- dst 192.168.11.107 > 10.133.1.3, dst mac lb > be1, ttl 64 > 63',
    );
    expect(await shown(120)).toBe(
      '0.000076  eth1    192.168.11.104:50518 > 10.133.1.3:80      PSH ACK 62 B  GET /a/path/t~  <- dst 10.133.1.3, mac, ttl 63',
    );
    expect(await shown(80)).toBe(
      '0.000076  eth1    192.168.11.104:50518 > 10.133.1.3:80  PSH ACK~  <- dst mac ttl',
    );
    for (const columns of [60, 70, 80, 100, 120, 150, 200])
      expect((await shown(columns)).length).toBeLessThanOrEqual(columns);
  });

  it('makes bytes harmless that would move the cursor', async () => {
    const live = lines();
    const line = live.line(
      0,
      await packet(0, { ...before, flags: 'PA', payload: 'GET /\u001B[2J\u0007 HTTP/1.1\r\n' }),
    );
    expect(line).toMatch(/^[ -~]+$/);
  });
});
