// Missing evidence is unknown; edited evidence is found out; captures made on other machines are read as well.
import { describe, expect, test } from 'vitest';
import type { Packet } from '../../src/pcap/index.ts';
import { allClaims, judge } from '../../src/verify/index.ts';
import type { Evidence } from '../../src/verify/types.ts';
import { edited, recorded, verdict, withCaptures } from './evidence.ts';

const FILE_CLAIMS = allClaims()
  .filter(({ live }) => live !== true)
  .map(({ id }) => id);

const statuses = (evidence: Evidence, prefix: string) =>
  new Set(
    FILE_CLAIMS.filter((id) => id.startsWith(prefix) && id !== 'dsr.spread').map(
      (id) => verdict(id, evidence).status,
    ),
  );

describe('missing evidence', () => {
  test.each(['l7', 'nat', 'dsr', 'tun'])('no captures of %s: every claim is unknown', async (lab) => {
    const none = withCaptures(await recorded(lab), () => undefined);
    expect(FILE_CLAIMS.filter((id) => verdict(id, none).status !== 'unknown')).toEqual([]);
  });

  test.each(['l7', 'nat', 'dsr', 'tun'])('empty captures of %s: every claim is unknown', async (lab) => {
    const empty = edited(await recorded(lab), undefined, () => undefined);
    expect(FILE_CLAIMS.filter((id) => verdict(id, empty).status !== 'unknown')).toEqual([]);
  });

  test.each(['l7', 'nat', 'dsr', 'tun'])('captures of %s with holes: every claim is unknown', async (lab) => {
    const broken = withCaptures(await recorded(lab), (point) => ({
      ...point,
      incomplete: 'the kernel dropped 3 packets',
    }));
    expect(FILE_CLAIMS.filter((id) => verdict(id, broken).status !== 'unknown')).toEqual([]);
  });

  test('says which capture lacks what', async () => {
    const nat = await recorded('nat');
    const without = (name: string) => withCaptures(nat, (point) => (point.name === name ? undefined : point));
    expect(verdict('nat.port', without('eth1')).observed).toBe(
      "nothing was captured on the balancer's side towards the backends",
    );
    expect(verdict('nat.vip', without('client')).observed).toBe('nothing was captured at a client');
    const cut = withCaptures(nat, (point) =>
      point.name === 'eth1' ? { ...point, incomplete: 'the kernel dropped 3 packets' } : point,
    );
    expect(verdict('nat.port', cut).observed).toBe(
      'the capture eth1 is not whole: the kernel dropped 3 packets',
    );
    expect(verdict('nat.vip', cut).status).toBe('pass');
  });

  test('a claim about spreading is unknown with fewer requests than backends', async () => {
    const nat = await recorded('nat');
    const [first] = nat.captures.get('client')!.capture.packets;
    const one = edited(nat, undefined, (packet) =>
      [packet.tcp?.sourcePort, packet.tcp?.destinationPort].includes(first!.tcp!.sourcePort)
        ? packet
        : undefined,
    );
    expect(verdict('nat.spread', one)).toMatchObject({
      status: 'unknown',
      observed: '1 connection cannot reach 2 backends',
    });
    expect(verdict('nat.both-ways', one).status).toBe('pass');
  });

  test('the article’s two captures alone prove what they can', async () => {
    const nat = await recorded('nat');
    const alone = withCaptures(
      { ...nat, requests: undefined, accessLogs: undefined, tables: undefined },
      (point) => (point.node === 'lb' ? point : undefined),
    );
    const checks = judge(
      alone,
      FILE_CLAIMS.filter((id) => id.startsWith('nat.')),
      { live: false },
    );
    expect(
      Object.fromEntries(checks.filter(({ judged }) => judged).map(({ id, status }) => [id, status])),
    ).toEqual({
      'nat.vip': 'unknown',
      'nat.one-connection': 'pass',
      'nat.port': 'pass',
      'nat.rewrite': 'pass',
      'nat.both-ways': 'pass',
      'nat.passed-through': 'pass',
      'nat.source': 'pass',
      'nat.spread': 'pass',
      'nat.payload': 'pass',
    });
  });
});

describe('an edited capture is found out', () => {
  const tcp = (packet: Packet, change: Partial<NonNullable<Packet['tcp']>>): Packet => ({
    ...packet,
    tcp: { ...packet.tcp!, ...change },
  });
  const isData = (packet: Packet) => (packet.tcp?.payloadLength ?? 0) > 0;
  const flip = (packet: Packet) => {
    if (!isData(packet)) return packet;
    const payload = Uint8Array.from(packet.tcp!.payload);
    payload[payload.length - 1]! ^= 1;
    return tcp(packet, { payload });
  };

  test.each([
    ['nat.payload', 'nat', ['eth1']],
    ['dsr.payload', 'dsr', ['client']],
    ['tun.encapsulation', 'tun', ['eth1']],
  ])('%s: one bit of the payload', async (id, lab, names) => {
    expect(verdict(id, edited(await recorded(lab), names, flip)).status).toBe('fail');
  });

  test('dsr.mac: one bit in the second passage', async () => {
    const director = '02:00:c0:a8:0b:6a';
    const evidence = edited(await recorded('dsr'), ['lb'], (packet) =>
      packet.ethernet?.source === director ? flip(packet) : packet,
    );
    expect(verdict('dsr.mac', evidence).status).toBe('fail');
  });

  test('dsr.mac: a packet that was not sent on', async () => {
    let dropped = false;
    const evidence = edited(await recorded('dsr'), ['lb'], (packet) => {
      const isLast =
        !dropped && packet.tcp?.flags.fin === true && packet.ethernet?.source === '02:00:c0:a8:0b:6a';
      dropped ||= isLast;
      return isLast ? undefined : packet;
    });
    expect(verdict('dsr.mac', evidence)).toMatchObject({ status: 'fail' });
    expect(verdict('dsr.mac', evidence).observed).toContain('1 only once');
  });

  test('dsr.return: one answer that passes the balancer', async () => {
    const dsr = await recorded('dsr');
    const answer = dsr.captures
      .get('client')!
      .capture.packets.find(({ tcp: segment }) => segment?.sourcePort === 80)!;
    const evidence = withCaptures(dsr, (point) =>
      point.name === 'lb'
        ? {
            ...point,
            capture: { ...point.capture, packets: [...point.capture.packets, { ...answer, number: 1000 }] },
          }
        : point,
    );
    expect(verdict('dsr.return', evidence)).toMatchObject({
      status: 'fail',
      evidence: [{ capture: 'lb', packets: [1000] }],
    });
  });

  test('dsr.segment: a router on the way takes one off the TTL', async () => {
    const evidence = edited(await recorded('dsr'), ['backend', 'backend2'], (packet) => ({
      ...packet,
      ip: { ...packet.ip!, ttl: packet.ip!.ttl - 1 },
    }));
    expect(verdict('dsr.segment', evidence)).toMatchObject({ status: 'fail' });
    expect(verdict('dsr.segment', evidence).observed).toContain('63 → 62');
  });

  test('nat.both-ways: one answer that the outside never saw', async () => {
    let dropped = false;
    const evidence = edited(await recorded('nat'), ['eth0'], (packet) => {
      const isAnswer = !dropped && isData(packet) && packet.tcp!.sourcePort === 80;
      dropped ||= isAnswer;
      return isAnswer ? undefined : packet;
    });
    expect(verdict('nat.both-ways', evidence)).toMatchObject({ status: 'fail' });
    expect(verdict('nat.both-ways', evidence).observed).toBe(
      '4 connections on both sides; 1 with bytes to the client on one side only',
    );
  });

  test('nat.passed-through: packets held for a tenth of a second', async () => {
    const late = edited(await recorded('nat'), ['eth1'], (packet) => ({
      ...packet,
      time: packet.time + (packet.tcp?.destinationPort === 80 ? 100_000_000n : 0n),
    }));
    expect(verdict('nat.passed-through', late).status).toBe('fail');
  });
});

describe('captures made elsewhere', () => {
  const other = (mac: string) => (mac === 'ff:ff:ff:ff:ff:ff' ? mac : mac.replace(/^02:00/, '52:54'));
  const elsewhere = (packet: Packet): Packet => ({
    ...packet,
    ...(packet.ethernet && {
      ethernet: {
        ...packet.ethernet,
        source: other(packet.ethernet.source),
        destination: other(packet.ethernet.destination),
      },
    }),
    ...(packet.arp && {
      arp: { ...packet.arp, senderMac: other(packet.arp.senderMac), targetMac: other(packet.arp.targetMac) },
    }),
  });

  test.each(['l7', 'nat', 'fullnat', 'dsr', 'tun', 'dsr-no-arp-announce', 'dsr-no-loopback'])(
    '%s with the MACs of other machines: the same verdicts',
    async (lab) => {
      const evidence = await recorded(lab);
      const moved = edited(evidence, undefined, elsewhere);
      const all = (some: Evidence) =>
        Object.fromEntries(FILE_CLAIMS.map((id) => [id, verdict(id, some).status]));
      expect(all(moved)).toEqual(all(evidence));
    },
  );

  test('two hosts alone on a wire: either MAC is in every frame', async () => {
    const evidence = edited(await recorded('dsr-article'), undefined, elsewhere);
    expect(statuses(evidence, 'dsr.')).toEqual(new Set(['pass']));
  });

  test('without MACs, as tcpdump -i any writes them', async () => {
    const cooked = (packet: Packet): Packet => ({ ...packet, ethernet: undefined });
    const nat = edited(await recorded('nat'), undefined, cooked);
    expect(statuses(nat, 'nat.')).toEqual(new Set(['pass']));
    const l7 = edited(await recorded('l7'), undefined, cooked);
    expect(
      ['l7.two-connections', 'l7.source', 'l7.after-request'].map((id) => verdict(id, l7).status),
    ).toEqual(['pass', 'pass', 'pass']);
    const dsr = edited(await recorded('dsr'), undefined, cooked);
    expect(verdict('dsr.mac', dsr).status).not.toBe('pass');
    expect(verdict('dsr.segment', dsr).status).toBe('unknown');
    expect(verdict('dsr.source', dsr).status).toBe('pass');
  });

  test('over IPv6', async () => {
    const nat = await recorded('nat');
    const six = (text: string) =>
      text
        .replace(/\b192\.168\.11\.(\d+)/g, '2001:db8:11::$1')
        .replace(/\b10\.133\.1\.(\d+)/g, '2001:db8:133::$1');
    const topology = JSON.parse(
      six(JSON.stringify(nat.topology)).replaceAll('"prefix":24', '"prefix":64'),
    ) as Evidence['topology'];
    const evidence = edited({ ...nat, topology }, undefined, (packet) => ({
      ...packet,
      ip: {
        ...packet.ip!,
        version: 6,
        source: six(packet.ip!.source),
        destination: six(packet.ip!.destination),
      },
    }));
    expect(statuses(evidence, 'nat.')).toEqual(new Set(['pass']));
    expect(verdict('nat.vip', evidence).observed).toBe('4 SYNs: all to [2001:db8:11::107]:80');
  });
});

describe('what is told', () => {
  test('expected and observed values, and the packets', async () => {
    expect(verdict('nat.one-connection', await recorded('nat'))).toMatchObject({
      expected: 'as many connections at both places, and each pair shares both initial sequence numbers',
      observed: '4 connections on eth0, 4 on eth1, all pairs share both initial sequence numbers',
      evidence: [
        { capture: 'eth0', packets: expect.arrayContaining([1]) as number[] },
        { capture: 'eth1', packets: expect.arrayContaining([1]) as number[] },
      ],
    });
    expect(verdict('l7.forwarded-for', await recorded('l7')).observed).toBe(
      '4 requests on eth1: all with 192.168.11.104; none of 4 on eth0 has one',
    );
    expect(verdict('dsr.segment', await recorded('dsr-routed')).observed).toBe(
      "32 frames sent on: all to 02:00:c0:a8:0b:01 (no backend's); one packet passes 32 times, its TTL falling from 63 to 1",
    );
    expect(verdict('dsr.return-source', await recorded('nat-second-leg')).observed).toMatch(
      /^\d+ SYN-ACKs: .*from 10\.133\.1\.[23]/,
    );
  });

  test('the article’s sentence stands beside what nat’s packets say', async () => {
    const { status, observed, note } = verdict('nat.source', await recorded('nat'));
    expect([status, observed]).toEqual(['pass', '4 SYNs on eth1: all from 192.168.11.104']);
    expect(note).toContain('バックエンドサーバから見たときの接続元IPアドレスはLBのIPアドレスになる');
  });
});
