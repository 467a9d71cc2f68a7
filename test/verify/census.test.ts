// Which packets of a capture a load's census counts, and on which side: captures made by hand, and recorded ones.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { takeCensus } from '../../src/verify/census.ts';
import type { LoadCapture } from '../../src/verify/load.ts';
import { ethernet, ipv4, pcap, tcp, udp, type SegmentOptions } from '../pcap/build.ts';
import { recorded } from './evidence.ts';

const folder = await mkdtemp(join(tmpdir(), 'lblab-census-'));
afterAll(async () => rm(folder, { recursive: true }));

const { topology } = await recorded('nat');
const CLIENT = '02:00:c0:a8:0b:68';
const LB = '02:00:c0:a8:0b:6b';
const ends = { source: '192.168.11.104', destination: '192.168.11.107' };
const back = { source: ends.destination, destination: ends.source };
const MILLISECOND = 1_000_000n;

interface Sent {
  readonly at: number;
  readonly packet: Buffer;
  readonly from: string;
  readonly to: string;
}

const REQUEST = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** A connection whose packets are a millisecond apart, from its SYN on. */
function connection(at: number, port: number, serverPort = 80): Sent[] {
  const steps: readonly (readonly ['>' | '<', SegmentOptions])[] = [
    ['>', { flags: 'S', sequence: 1000 }],
    ['<', { flags: 'SA', sequence: 5000, acknowledgment: 1001 }],
    ['>', { flags: 'A', sequence: 1001, acknowledgment: 5001 }],
    ['>', { flags: 'PA', sequence: 1001, acknowledgment: 5001, payload: REQUEST }],
    ['<', { flags: 'PA', sequence: 5001, acknowledgment: 1001 + REQUEST.length, payload: ANSWER }],
    ['>', { flags: 'FA', sequence: 1001 + REQUEST.length, acknowledgment: 5001 + ANSWER.length }],
    ['<', { flags: 'FA', sequence: 5001 + ANSWER.length, acknowledgment: 1002 + REQUEST.length }],
    ['>', { flags: 'A', sequence: 1002 + REQUEST.length, acknowledgment: 5002 + ANSWER.length }],
  ];
  return steps.map(([direction, options], index) =>
    direction === '>'
      ? {
          at: at + index,
          packet: ipv4(6, tcp({ ...options, sourcePort: port, destinationPort: serverPort }), ends),
          from: CLIENT,
          to: LB,
        }
      : {
          at: at + index,
          packet: ipv4(6, tcp({ ...options, sourcePort: serverPort, destinationPort: port }), back),
          from: LB,
          to: CLIENT,
        },
  );
}

async function capture(name: string, sent: readonly Sent[], isRaw = false): Promise<LoadCapture> {
  const path = join(folder, `${name}.pcap`);
  const records = sent.map(({ at, packet, from, to }) => ({
    frame: isRaw ? packet : ethernet(0x0800, packet, from, to),
    time: 1_700_000_000n * 1_000n * MILLISECOND + BigInt(at) * MILLISECOND,
  }));
  await writeFile(path, pcap(records, { linkType: isRaw ? 101 : 1 }));
  return { name, node: 'client', interface: 'eth0', path };
}

const one = connection(0, 40_000);

describe('at a client', () => {
  const counted = { capture: 'a', node: 'client', place: 'client', opened: 1, whole: 1, sentAgain: 0 };
  /** From SYN to answer, four packets later. */
  const times = { answerTimes: [4e6], nanoseconds: 4e6 };
  const census = async (sent: readonly Sent[]) => takeCensus([await capture('a', sent)], topology);

  test('a connection is counted once, with its times', async () => {
    expect(await census(one)).toEqual([{ ...counted, ...times }]);
    expect(await census(connection(250, 40_000))).toEqual([{ ...counted, ...times }]);
    expect(await census([...one, ...connection(10, 40_001)])).toEqual([
      { ...counted, opened: 2, whole: 2, answerTimes: [4e6, 4e6], nanoseconds: 14e6 },
    ]);
  });

  test('without an answer there is no time', async () => {
    expect(await census(one.slice(0, 4))).toEqual([
      { ...counted, whole: 0, answerTimes: [], nanoseconds: 0 },
    ]);
  });

  test('one without its SYN began before, and is not counted', async () => {
    expect(await census(one.slice(1))).toMatchObject([{ opened: 0, whole: 0 }]);
  });

  test('segments that are sent again are counted', async () => {
    const sent = [
      ...one.slice(0, 4),
      { ...one[3]!, at: 4 },
      ...one.slice(4).map((each) => ({ ...each, at: each.at + 1 })),
    ];
    expect(await census(sent)).toMatchObject([{ opened: 1, whole: 1, sentAgain: 1 }]);
  });

  test('what is no TCP to the service’s port is not', async () => {
    const datagram = {
      ...one[1]!,
      packet: ipv4(17, udp(Buffer.from('x'), { sourcePort: 80, destinationPort: 40_000 }), back),
    };
    expect(await census([one[0]!, datagram, ...one.slice(1), ...connection(20, 40_001, 9000)])).toEqual([
      { ...counted, ...times },
    ]);
  });

  test('what a segment flooded is not', async () => {
    const strange = connection(20, 40_001).map((sent) => ({
      ...sent,
      from: sent.from.replace('02:00', '02:99'),
      to: sent.to.replace('02:00', '02:99'),
    }));
    expect(await census([...one, ...strange])).toEqual([{ ...counted, ...times }]);
  });

  test('without MACs everything is its own', async () => {
    expect(await takeCensus([await capture('a', one, true)], topology)).toEqual([{ ...counted, ...times }]);
  });

  test('a file that is cut is not whole, nor is one that tcpdump says it of', async () => {
    const whole = await capture('b', one);
    const cut = { ...whole, incomplete: 'the kernel dropped 3 packets' };
    expect(await takeCensus([cut], topology)).toMatchObject([{ incomplete: 'the kernel dropped 3 packets' }]);
    await writeFile(
      whole.path,
      pcap(one.map(({ packet, from, to }) => ethernet(0x0800, packet, from, to))).subarray(0, -3),
    );
    const [side] = await takeCensus([whole], topology);
    expect(side!.incomplete).toMatch(/^the file is cut: /);
  });
});

describe('on recorded labs', () => {
  const census = async (lab: string) => {
    const evidence = await recorded(lab);
    const captures = [...evidence.captures.values()].map(({ name, node, interface: link, path }) => ({
      name,
      node,
      interface: link,
      path,
    }));
    return { sides: await takeCensus(captures, evidence.topology), requests: evidence.requests!.length };
  };

  test('health checks are nobody’s connections', async () => {
    const { sides, requests } = await census('nat-keepalived');
    const at = (place: string) =>
      sides.filter((side) => side.place === place).reduce((sum, { opened }) => sum + opened, 0);
    expect(['client', 'outside', 'inside', 'backend'].map(at)).toEqual([
      requests,
      requests,
      requests,
      requests,
    ]);
  });

  test('what comes to a balancer with one arm and leaves it again is sent once on each side', async () => {
    const { sides, requests } = await census('dsr');
    expect(sides.filter(({ node }) => node === 'lb')).toMatchObject([
      { place: 'outside', opened: requests, sentAgain: 0 },
      { place: 'inside', opened: requests, sentAgain: 0 },
    ]);
  });

  test('through a DNS server no request comes', async () => {
    const { sides } = await census('dnsrr');
    expect(new Set(sides.map(({ place }) => place))).toEqual(new Set(['client', 'backend']));
    expect(sides.every(({ node }) => node !== 'dns')).toBe(true);
  });

  test('only clients have times', async () => {
    const { sides } = await census('nat');
    expect(sides.filter((side) => side.answerTimes !== undefined).map(({ node }) => node)).toEqual([
      'client',
    ]);
    expect(sides.filter((side) => side.nanoseconds !== undefined).map(({ node }) => node)).toEqual([
      'client',
    ]);
  });
});
