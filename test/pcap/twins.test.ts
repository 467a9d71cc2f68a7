import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { joinTwins, readCapture } from '../../src/pcap/index.ts';
import { ethernet, ipv4, segment, tcp, udp } from './build.ts';
import {
  at,
  BACKEND,
  BACKEND_MAC,
  CLIENT,
  CLIENT_MAC,
  fields,
  FORWARDED,
  hop,
  INSIDE,
  INSIDE_MAC,
  joined,
  OUTSIDE_MAC,
  places,
  stamp,
  START,
  SYN,
  SYN_ACK,
  VIP,
} from './points.ts';
import { run } from './tshark.ts';

function datagram(source: string): Buffer {
  return ethernet(0x0800, ipv4(17, udp(Buffer.from('query')), { source }));
}

describe('a packet that a balancer passes on', () => {
  test('by NAT: the destination changes on the way in, the source on the way out', async () => {
    const [synOutside, synInside] = hop(SYN, { ...FORWARDED, destination: BACKEND });
    const [ackInside, ackOutside] = hop(SYN_ACK, {
      sourceMac: OUTSIDE_MAC,
      destinationMac: CLIENT_MAC,
      ttl: 63,
      source: VIP,
    });
    const twins = await joined(
      [at(0, synOutside), at(40, ackOutside)],
      [at(10, synInside), at(25, ackInside)],
    );
    expect(places(twins)).toEqual(['0.1 1.1', '1.2 0.2']);
    expect(twins[0]).toEqual({
      sightings: [
        { capture: 0, packet: 1, packets: [1], time: START },
        { capture: 1, packet: 1, packets: [1], time: START + 10_000n },
      ],
      steps: [
        {
          nanoseconds: 10_000,
          rewrites: [
            { field: 'source-mac', from: CLIENT_MAC, to: INSIDE_MAC },
            { field: 'destination-mac', from: OUTSIDE_MAC, to: BACKEND_MAC },
            { field: 'destination-address', from: VIP, to: BACKEND },
            { field: 'ttl', from: 64, to: 63 },
          ],
        },
      ],
    });
    expect(fields(twins[1]!)).toEqual([['source-mac', 'destination-mac', 'source-address', 'ttl']]);
  });

  test('by full NAT: both addresses and the port change', async () => {
    const [outside, inside] = hop(SYN, {
      ...FORWARDED,
      source: INSIDE,
      destination: BACKEND,
      sourcePort: 1024,
      destinationPort: 8080,
    });
    const twins = await joined([at(0, outside)], [at(5, inside)]);
    expect(fields(twins[0]!)).toEqual([
      [
        'source-mac',
        'destination-mac',
        'source-address',
        'destination-address',
        'ttl',
        'source-port',
        'destination-port',
      ],
    ]);
  });

  test('by direct routing: twice in one capture, with other MACs and a lower TTL', async () => {
    const [arriving, leaving] = hop(SYN, { sourceMac: OUTSIDE_MAC, destinationMac: BACKEND_MAC, ttl: 63 });
    const twins = await joined([at(0, arriving), at(3, leaving)], [at(9, leaving)]);
    expect(places(twins)).toEqual(['0.1 0.2 1.1']);
    expect(fields(twins[0]!)).toEqual([['source-mac', 'destination-mac', 'ttl'], []]);
  });

  test('through a tunnel: IP in IP is added, and taken away again', async () => {
    const inner = ipv4(6, tcp(SYN), { source: CLIENT, destination: VIP, ttl: 63 });
    const tunnelled = ethernet(
      0x0800,
      ipv4(4, inner, { source: INSIDE, destination: BACKEND }),
      INSIDE_MAC,
      BACKEND_MAC,
    );
    const twins = await joined(
      [at(0, segment(SYN))],
      [at(4, tunnelled)],
      [at(8, segment({ ...SYN, ttl: 63 }))],
    );
    expect(places(twins)).toEqual(['0.1 1.1 2.1']);
    expect(twins[0]!.steps[0]!.rewrites).toContainEqual({
      field: 'encapsulation-added',
      from: '',
      to: '10.133.1.1 > 10.133.1.2 (4)',
    });
    expect(fields(twins[0]!)[1]).toContain('encapsulation-removed');
  });

  test('with rewritten sequence numbers: known by its timestamps', async () => {
    const data = { ...SYN, flags: 'PA', sequence: 8, acknowledgment: 901, payload: 'x', options: stamp(2) };
    const answer = { ...SYN_ACK, source: VIP, options: stamp(9) };
    const [syn, synAfter] = hop({ ...SYN, options: stamp(1) }, { ...FORWARDED, sequence: 5007 });
    const [synAck, synAckAfter] = hop({ ...answer, acknowledgment: 5008 }, { acknowledgment: 8, ttl: 63 });
    const [sent, sentAfter] = hop(data, { ...FORWARDED, sequence: 5008 });
    const twins = await joined(
      [at(0, syn), at(30, synAckAfter), at(40, sent)],
      [at(10, synAfter), at(20, synAck), at(50, sentAfter)],
    );
    expect(places(twins)).toEqual(['0.1 1.1', '1.2 0.2', '0.3 1.3']);
    expect(twins[2]!.steps[0]!.rewrites).toContainEqual({ field: 'sequence', from: 8, to: 5008 });
  });

  test('as a UDP datagram', async () => {
    const twins = await joined([at(0, datagram(CLIENT))], [at(2, datagram(INSIDE))]);
    expect(places(twins)).toEqual(['0.1 1.1']);
    expect(fields(twins[0]!)).toEqual([['source-address']]);
  });
});

describe('what is no twin', () => {
  test('another connection, even at the same time', async () => {
    const twins = await joined([at(0, segment(SYN))], [at(1, segment({ ...SYN, sequence: 8 }))]);
    expect(places(twins)).toEqual(['0.1', '1.1']);
  });

  test('another payload with the same numbers', async () => {
    const data = { ...SYN, flags: 'PA', acknowledgment: 1 };
    const twins = await joined(
      [at(0, segment({ ...data, payload: 'ab' }))],
      [at(1, segment({ ...data, payload: 'ac' }))],
    );
    expect(places(twins)).toEqual(['0.1', '1.1']);
  });

  test('a connection of another client with equal numbers: the unchanged end tells them apart', async () => {
    const other = { ...SYN, source: '192.168.11.105' };
    const nat = { ...FORWARDED, destination: BACKEND };
    const twins = await joined(
      [at(0, segment(SYN)), at(1, segment(other))],
      [at(2, segment({ ...other, ...nat })), at(3, segment({ ...SYN, ...nat }))],
    );
    expect(places(twins)).toEqual(['0.1 1.2', '0.2 1.1']);
  });

  test('a packet sent again: the nth copy belongs to the nth copy', async () => {
    const [outside, inside] = hop(SYN, FORWARDED);
    const twins = await joined([at(0, outside), at(1000, outside)], [at(5, inside), at(1005, inside)]);
    expect(places(twins)).toEqual(['0.1 1.1', '0.2 1.2']);
  });

  test('a copy that was lost on the way: its identification, or else its time, says which one came', async () => {
    const [first, second] = [
      { ...SYN, identification: 1 },
      { ...SYN, identification: 2 },
    ];
    const byIdentification = await joined(
      [at(0, segment(first)), at(1000, segment(second))],
      [at(5, segment({ ...second, ...FORWARDED }))],
    );
    expect(places(byIdentification)).toEqual(['0.1', '1.1 0.2']);
    const byTime = await joined(
      [at(0, segment(SYN)), at(1000, segment(SYN))],
      [at(1005, segment({ ...SYN, ...FORWARDED }))],
    );
    expect(places(byTime)).toEqual(['0.1', '0.2 1.1']);
  });
});

describe('real conversations, rewritten by tcprewrite as a router or balancer would', () => {
  const directory = mkdtempSync(join(tmpdir(), 'lblab-twins-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  const FIXTURES = join(import.meta.dirname, '../fixtures/captures');

  test.each([
    [
      'dpkt/http.pcap',
      '--pnat=145.254.160.237/32:10.133.1.1/32,65.208.228.223/32:10.133.1.2/32',
      ['--portmap=80:8080'],
    ],
    ['tcpdump/ssh.pcap', '--ttl=-1', ['--enet-smac=02:00:00:00:00:08']],
    ['tcpdump/of10_s4810.pcap', '--pnat=0.0.0.0/0:10.0.0.0/8', ['--enet-dmac=02:00:00:00:00:09', '--ttl=-1']],
  ])('%s', async (name, nat, more) => {
    const original = join(FIXTURES, name);
    const rewritten = join(directory, name.replace('/', '-'));
    await run('tcprewrite', [nat, ...more, `--infile=${original}`, `--outfile=${rewritten}.now`]);
    await run('editcap', ['-t', '0.0001', `${rewritten}.now`, rewritten]);
    const captures = await Promise.all([readCapture(original), readCapture(rewritten)]);
    const joinable = captures[0].packets.filter((packet) => packet.tcp ?? packet.udp ?? packet.icmp);
    const twins = joinTwins(captures);
    expect(twins).toHaveLength(joinable.length);
    for (const { sightings, steps } of twins) {
      // Packet n of one file is packet n of the other.
      expect(sightings.map(({ capture, packet }) => [capture, packet])).toEqual([
        [0, sightings[0]!.packet],
        [1, sightings[0]!.packet],
      ]);
      expect(steps[0]!.nanoseconds).toBe(100_000);
      expect(steps[0]!.rewrites.length).toBeGreaterThan(0);
    }
  });
});
