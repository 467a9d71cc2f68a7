// What clients learned from DNS, and the connections that they made on it: answers and connections made by hand, times in seconds.
import { describe, expect, test } from 'vitest';
import type { DnsRecord, Packet } from '../../src/pcap/index.ts';
import { answersAt, followedBy, isServed, keeps, type Followed } from '../../src/verify/lookups.ts';
import { observe, type Observation, type Sighting } from '../../src/verify/observe.ts';
import { recorded, withCaptures } from './evidence.ts';

const dnsrr = await recorded('dnsrr');
const nanoseconds = (seconds: number) => BigInt(seconds * 1e9);
const a = (data: string, ttl = 5): DnsRecord => ({ name: 'www.example.test', type: 'A', data, ttl });

function message(
  seconds: number,
  answers: readonly DnsRecord[],
  name = 'www.example.test',
  isResponse = true,
): Packet {
  return {
    time: nanoseconds(seconds),
    dns: { isResponse, questions: [{ name }], answers },
  } as unknown as Packet;
}

/** What was captured at the client, and at another. */
function seeing(messages: readonly Packet[], other: readonly Packet[] = []): Observation {
  return observe(
    withCaptures(dnsrr, (point) => {
      const packets = point.name === 'client' ? messages : point.name === 'asking' ? other : [];
      return { ...point, capture: { ...point.capture, packets: [...packets] } };
    }),
  );
}

const connection = (seconds: number, address: string, bytes = 1) =>
  ({
    connection: {
      firstTime: nanoseconds(seconds),
      server: { address },
      payload: { toServer: 1, toClient: bytes },
    },
  }) as unknown as Sighting;

describe('answers', () => {
  const client = new Set(['client']);
  const told = (seen: Observation, nodes = client) =>
    answersAt(seen, nodes).map(({ time, addresses, ttl }) => [Number(time) / 1e9, ttl, ...addresses]);

  test('are a server’s with addresses in them, in the order of time, with the least of their TTLs', () => {
    const seen = seeing([
      message(3, [a('10.0.0.2', 7), a('10.0.0.1', 4), a('10.0.0.3', 9)]),
      message(1, [], undefined, false),
      message(2, [a('10.0.0.1')]),
      message(4, []),
      message(5, [
        { ...a('www2.example.test'), type: 'CNAME' },
        { ...a('2001:db8::1', 6), type: 'AAAA' },
      ]),
      { time: 6n } as Packet,
    ]);
    expect(told(seen)).toEqual([
      [2, 5, '10.0.0.1'],
      [3, 4, '10.0.0.2', '10.0.0.1', '10.0.0.3'],
      [5, 6, '2001:db8::1'],
    ]);
  });

  test('are those at the nodes that are asked for', () => {
    const seen = seeing([message(1, [a('10.0.0.1')])], [message(2, [a('10.0.0.2')])]);
    expect(told(seen)).toEqual([[1, 5, '10.0.0.1']]);
    expect(told(seen, new Set(['asking']))).toEqual([[2, 5, '10.0.0.2']]);
    expect(told(seen, new Set(['client', 'asking']))).toHaveLength(2);
  });

  const names = [
    message(1, [a('10.0.0.1')], 'WWW.Example.Test.'),
    message(2, [a('10.0.0.1')], 'www.example.test.example'),
    message(3, [a('10.0.0.1')], 'www.other.test'),
    {
      ...message(4, [a('10.0.0.1')]),
      dns: { isResponse: true, questions: [], answers: [a('10.0.0.1')] },
    } as unknown as Packet,
  ];

  test('are for the topology’s name, in any case, with or without the root’s dot', () => {
    expect(answersAt(seeing(names), client).map(({ name }) => name)).toEqual(['www.example.test']);
  });

  test('are for any name, where the topology has none', () => {
    const seen = seeing(names);
    const { dns: _, ...balancer } = dnsrr.topology.balancer!;
    const nameless = { ...seen, evidence: { ...seen.evidence, topology: { ...dnsrr.topology, balancer } } };
    expect(answersAt(nameless, client).map(({ name }) => name)).toEqual([
      'www.example.test',
      'www.example.test.example',
      'www.other.test',
      '',
    ]);
  });
});

describe('connections follow', () => {
  const [one, two] = [a('10.0.0.1'), a('10.0.0.2')];
  const followed = (messages: readonly Packet[], ...sightings: readonly Sighting[]) =>
    followedBy(seeing(messages), 'client', sightings).map((answer) =>
      answer.sightings.map(({ connection: { firstTime } }) => Number(firstTime) / 1e9),
    );
  const rotating = [message(1, [one, two]), message(2, [two, one])];

  test('the last answer before them, at the latest at the same time', () => {
    expect(
      followed(
        rotating,
        connection(1, '10.0.0.1'),
        connection(1.5, '10.0.0.1'),
        connection(2, '10.0.0.2'),
        connection(4, '10.0.0.2'),
      ),
    ).toEqual([
      [1, 1.5],
      [2, 4],
    ]);
  });

  test('none, before the first', () => {
    expect(followed(rotating, connection(0.5, '10.0.0.1'))).toEqual([[], []]);
    expect(followed([], connection(0.5, '10.0.0.1'))).toEqual([]);
  });

  test('the last but one for less than a second, when that began with their address and the last did not', () => {
    expect(followed(rotating, connection(2.5, '10.0.0.1'))).toEqual([[2.5], []]);
    expect(followed(rotating, connection(3, '10.0.0.1'))).toEqual([[], [3]]);
    expect(followed(rotating, connection(2.5, '10.0.0.3'))).toEqual([[], [2.5]]);
    const same = [message(1, [one, two]), message(2, [one, two])];
    expect(followed(same, connection(2.5, '10.0.0.1'))).toEqual([[], [2.5]]);
    const before = [message(0.5, [one, two]), message(1, [two, one]), message(2, [two, one])];
    expect(followed(before, connection(2.5, '10.0.0.1'))).toEqual([[], [], [2.5]]);
  });

  test('the first, though no other came before it', () => {
    expect(followed(rotating, connection(1.5, '10.0.0.2'))).toEqual([[1.5], []]);
  });
});

test('a client keeps answers when it had more requests answered than names looked up', () => {
  const [answer] = answersAt(seeing([message(1, [a('10.0.0.1')])]), new Set(['client']));
  const served = connection(1, '10.0.0.1');
  const refused = connection(1, '10.0.0.1', 0);
  expect([isServed(served), isServed(refused)]).toEqual([true, false]);
  const following = (...sightings: readonly Sighting[]): Followed => ({ answer: answer!, sightings });
  expect(keeps([following(served, served)])).toBe(true);
  expect(keeps([following(served), following(served)])).toBe(false);
  expect(keeps([following(served, refused, refused)])).toBe(false);
  expect(keeps([following(served, served, served), following()])).toBe(true);
  expect(keeps([])).toBe(false);
});
