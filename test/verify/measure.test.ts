// Measurements that claims are put together from: what pairs with what, byte streams, HTTP fields, the backend that a connection reached.
import { describe, expect, test } from 'vitest';
import type { HttpMessage, Packet } from '../../src/pcap/index.ts';
import * as measure from '../../src/verify/measure.ts';
import { observe, type SeenPacket, type Sighting } from '../../src/verify/observe.ts';
import { edited, recorded, withCaptures } from './evidence.ts';

const nat = await recorded('nat');
/** The first connection at the client, and its port. Not worked out before a test asks: what is measured is under test. */
const first = () => observe(nat).opened('client')[0]!;
const port = nat.captures.get('client')!.capture.packets[0]!.tcp!.sourcePort;
const isOf = (packet: Packet, own: number) =>
  [packet.tcp!.sourcePort, packet.tcp!.destinationPort].includes(own);

/** A connection of which only the numbers count, begun at a time. */
const numbered = (name: string, client: number | undefined, server: number | undefined, time = 0) =>
  ({ node: name, connection: { isn: { client, server }, firstTime: BigInt(time) } }) as unknown as Sighting;
const told = ({ pairs, onlyFirst, onlySecond }: measure.Pairing) => ({
  pairs: pairs.map((pair) => `${pair.first.node}-${pair.second.node}`),
  onlyFirst: onlyFirst.map(({ node }) => node),
  onlySecond: onlySecond.map(({ node }) => node),
});

describe('connections pair', () => {
  const [a, b, c] = [numbered('a', 1, 2), numbered('b', 1, 3), numbered('c', 4, 2)];

  test('by both initial sequence numbers, each with one', () => {
    const other = [numbered('B', 1, 3), numbered('A', 1, 2), numbered('A2', 1, 2), numbered('D', 4, 3)];
    expect(told(measure.pairByNumbers([a, b, c], other))).toEqual({
      pairs: ['a-A', 'b-B'],
      onlyFirst: ['c'],
      onlySecond: ['A2', 'D'],
    });
    const again = measure.pairByNumbers([a, numbered('a2', 1, 2)], other);
    expect(told(again).pairs).toEqual(['a-A', 'a2-A2']);
  });

  test('not when a number is unknown', () => {
    const lacking = (name: string) => [
      numbered(`${name}1`, 1, undefined),
      numbered(`${name}2`, undefined, 2),
      numbered(`${name}3`, undefined, undefined),
    ];
    expect(told(measure.pairByNumbers(lacking('x'), lacking('y')))).toEqual({
      pairs: [],
      onlyFirst: ['x1', 'x2', 'x3'],
      onlySecond: ['y1', 'y2', 'y3'],
    });
    expect([...lacking('x'), a].map(measure.isAnswered)).toEqual([false, false, false, true]);
  });

  test('as forwarded by the client’s number alone, where one place saw no answer', () => {
    const left = [
      numbered('late', 7, 8, 30),
      numbered('unanswered', 5, undefined, 20),
      numbered('whole', 1, 2, 10),
    ];
    const right = [numbered('WHOLE', 1, 2), numbered('SEEN', 5, 6), numbered('UNSEEN', 7, undefined)];
    expect(told(measure.pairForwarded(left, right))).toEqual({
      pairs: ['whole-WHOLE', 'unanswered-SEEN', 'late-UNSEEN'],
      onlyFirst: [],
      onlySecond: [],
    });
  });

  test('not as forwarded, where both saw answers, and other ones', () => {
    const left = [numbered('other', 1, 2, 10), numbered('nobody', undefined, undefined, 20)];
    const right = [numbered('OTHER', 1, 3), numbered('NOBODY', undefined, undefined)];
    expect(told(measure.pairForwarded(left, right))).toEqual({
      pairs: [],
      onlyFirst: ['other', 'nobody'],
      onlySecond: ['OTHER', 'NOBODY'],
    });
  });
});

test('a handshake is complete with SYN-ACK and ACK', () => {
  const after = (isThere: (packet: Packet) => boolean) =>
    measure.isHandshakeComplete(
      observe(edited(nat, ['client'], (packet) => (isThere(packet) ? packet : undefined))).opened(
        'client',
      )[0]!,
    );
  expect(after(() => true)).toBe(true);
  expect(after(({ tcp }) => tcp!.flags.syn)).toBe(false);
  expect(after(({ tcp }) => tcp!.flags.syn && !tcp!.flags.ack)).toBe(false);
  expect(after(({ tcp }) => tcp!.destinationPort === 80)).toBe(false);
});

describe('HTTP requests', () => {
  test('are in the order in which they were whole, with their packets', () => {
    const sightings = observe(nat).opened('client');
    const requests = measure.requestsAmong(sightings.toReversed());
    expect(requests.map(({ sighting }) => sighting.connection.client.port)).toEqual(
      sightings.map(({ connection }) => connection.client.port),
    );
    for (const request of requests) {
      const packets = measure.packetsOf(request);
      expect(packets).toHaveLength(1);
      expect(Buffer.from(packets[0]!.packet.tcp.payload).toString()).toMatch(/^GET \/ HTTP\/1\.1\r\n/);
      expect(isOf(packets[0]!.packet, request.sighting.connection.client.port)).toBe(true);
    }
    expect(measure.requestsAmong([first()])).toHaveLength(1);
  });

  test('are missing where none was captured, though an answer was', () => {
    const unasked = edited(nat, undefined, (packet) =>
      packet.tcp!.destinationPort === 80 && packet.tcp!.payloadLength > 0 ? undefined : packet,
    );
    const seen = observe(unasked);
    expect(() => measure.requestsAmong(seen.opened('client'))).toThrow(
      'no HTTP request was captured in client',
    );
    expect(() => measure.requestsAmong(seen.opened('backend'))).toThrow(
      'no HTTP request was captured in be2, be1',
    );
    const one = edited(nat, undefined, (packet) =>
      packet.tcp!.destinationPort === 80 && packet.tcp!.payloadLength > 0 && isOf(packet, port)
        ? undefined
        : packet,
    );
    expect(measure.requestsAmong(observe(one).opened('client'))).toHaveLength(3);
  });

  const message = (...headers: readonly (readonly [string, string])[]) =>
    ({ headers }) as unknown as HttpMessage;

  test('have header fields whose names are in any case (RFC 9110 section 5.1)', () => {
    const fields = message(['Host', 'a'], ['X-Twice', '1'], ['x-tWICE', '2']);
    expect(measure.header(fields, 'X-TWICE')).toEqual(['1', '2']);
    expect(measure.header(fields, 'Twice')).toEqual([]);
  });

  test('have cookies: the first = ends the name (RFC 6265 section 5.4)', () => {
    const fields = message(
      ['Cookie', 'a=1; session=x=y;bare ; =nameless'],
      ['cookie', 'b='],
      ['Set-Cookie', 'c=3'],
    );
    expect([...measure.cookies(fields)]).toEqual([
      ['a', '1'],
      ['session', 'x=y'],
      ['', 'nameless'],
      ['b', ''],
    ]);
  });
});

describe('twins', () => {
  const captured = () => first().packets;
  const sighting = (some: readonly SeenPacket[]) => ({ packets: some }) as unknown as Sighting;
  const match = (a: readonly SeenPacket[], b: readonly SeenPacket[]) => {
    const { twins, onlyFirst, onlySecond } = measure.twinsOf({ first: sighting(a), second: sighting(b) });
    return [twins.length, onlyFirst.length, onlySecond.length];
  };
  const changed = (index: number, change: Partial<Packet['tcp'] & {}>) =>
    captured().map((seen, at) =>
      at === index ? { ...seen, packet: { ...seen.packet, tcp: { ...seen.packet.tcp, ...change } } } : seen,
    );

  test('are the same packet, each once and in order', () => {
    const packets = captured();
    const all = packets.length;
    expect(match(packets, packets)).toEqual([all, 0, 0]);
    expect(match(packets.slice(1), packets)).toEqual([all - 1, 0, 1]);
    expect(match(packets, packets.slice(0, -2))).toEqual([all - 2, 2, 0]);
    const [syn] = packets;
    const { twins } = measure.twinsOf({
      first: sighting([syn!, syn!]),
      second: sighting([syn!, { ...syn! }]),
    });
    expect(twins.map(({ second }) => second === syn)).toEqual([true, false]);
  });

  test('have the same direction, numbers, flags and length', () => {
    const packets = captured();
    const all = packets.length;
    const { flags, sequence, acknowledgment, payloadLength } = packets[0]!.packet.tcp;
    for (const change of [
      { flags: { ...flags, fin: true } },
      { sequence: sequence + 1 },
      { acknowledgment: acknowledgment + 1 },
      { payloadLength: payloadLength + 1 },
    ])
      expect(match(packets, changed(0, change))).toEqual([all - 1, 1, 1]);
    const turned = packets.map((seen, at) => (at === 0 ? { ...seen, toServer: !seen.toServer } : seen));
    expect(match(packets, turned)).toEqual([all - 1, 1, 1]);
    expect(match(packets, changed(0, { window: 1, sourcePort: 1 }))).toEqual([all, 0, 0]);
  });
});

describe('one direction’s bytes', () => {
  const text = (own: Sighting, direction: 'toServer' | 'toClient') =>
    measure.streamOf(own, direction).toString('latin1');
  const captured = (change: (packet: Packet) => Packet | undefined) =>
    observe(edited(nat, ['client'], change)).opened('client')[0]!;
  const isAnswer = ({ tcp }: Packet) => tcp!.sourcePort === 80 && tcp!.payloadLength > 0;
  const { length } = nat.captures.get('client')!.capture.packets.find(isAnswer)!.tcp!.payload;

  test('are those that were sent', () => {
    expect(text(first(), 'toServer')).toMatch(/^GET \/ HTTP\/1\.1\r\n[^]*\r\n\r\n$/);
    expect(text(first(), 'toClient')).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(measure.rangesOf(first(), 'toServer')).toBe(`0-${text(first(), 'toServer').length - 1}`);
    expect(measure.rangesOf(first(), 'toClient')).toBe(`0-${length - 1}`);
  });

  test('are counted from the first that was captured, where the SYN-ACK was not', () => {
    const late = captured((packet) =>
      packet.tcp!.sourcePort === 80 && packet.tcp!.flags.syn ? undefined : packet,
    );
    expect(text(late, 'toClient')).toBe(text(first(), 'toClient'));
    expect(measure.rangesOf(late, 'toClient')).toBe(`0-${length - 1}`);
  });

  test('are none where the server never answered', () => {
    const silent = captured((packet) => (packet.tcp!.sourcePort === 80 ? undefined : packet));
    expect([text(silent, 'toClient'), measure.rangesOf(silent, 'toClient')]).toEqual(['', '']);
  });

  test('are none where none was sent', () => {
    const quiet = captured((packet) => (packet.tcp!.payloadLength > 0 ? undefined : packet));
    expect([text(quiet, 'toServer'), measure.rangesOf(quiet, 'toClient')]).toEqual(['', '']);
  });

  test('have their ranges: pieces that touch are one, with a gap between them two', () => {
    const piece = (packet: Packet, from: number, to: number): Packet => ({
      ...packet,
      tcp: {
        ...packet.tcp!,
        sequence: packet.tcp!.sequence + from,
        payload: packet.tcp!.payload.subarray(from, to),
        payloadLength: to - from,
      },
    });
    const inPieces = (...pieces: readonly (readonly [number, number])[]) => {
      const own = observe(
        withCaptures(nat, (point) => ({
          ...point,
          capture: {
            ...point.capture,
            packets: point.capture.packets.flatMap((packet) =>
              isAnswer(packet) ? pieces.map(([from, to]) => piece(packet, from, to)) : packet,
            ),
          },
        })),
      ).opened('client')[0]!;
      return measure.rangesOf(own, 'toClient');
    };
    expect(inPieces([0, 10], [10, 30], [30, 50])).toBe('0-49');
    expect(inPieces([0, 10], [20, 30], [30, 50])).toBe('0-9 20-49');
    expect(inPieces([5, 6])).toBe('5-5');
  });

  test('are unknown where a packet was captured in part', () => {
    const cut = captured((packet) =>
      isAnswer(packet)
        ? { ...packet, tcp: { ...packet.tcp!, payload: packet.tcp!.payload.subarray(0, 10) } }
        : packet,
    );
    const { number } = first().packets.find(({ packet }) => isAnswer(packet))!.packet;
    expect(() => text(cut, 'toClient')).toThrow(`packet ${number} of client was captured in part only`);
    expect(text(cut, 'toServer')).toBe(text(first(), 'toServer'));
  });
});

describe('the backend of a packet', async () => {
  const dsr = await recorded('dsr');
  /** A request's frame as the director sends it on. */
  const sent = dsr.captures
    .get('lb')!
    .capture.packets.find(
      ({ tcp, ethernet }) => tcp?.destinationPort === 80 && ethernet?.source === '02:00:c0:a8:0b:6a',
    )!;
  const other = { ...sent.ethernet!, destination: '02:00:00:00:00:99' };
  const to = (change: Partial<Packet>) =>
    measure.backendOf(observe(dsr), {
      point: dsr.captures.get('lb')!,
      packet: { ...sent, ...change },
      toServer: true,
    } as SeenPacket)?.node;

  test('is the one with its address, whatever the MAC', () => {
    const ip = { ...sent.ip!, destination: '192.168.11.109' };
    expect(to({ ip, ethernet: other })).toBe('be2');
    expect(to({ ip, ethernet: undefined })).toBe('be2');
  });

  test('is the one with its tunnel’s address', () => {
    expect(to({ outer: [{ ...sent.ip!, destination: '192.168.11.108' }], ethernet: other })).toBe('be1');
  });

  test('else the one with its MAC', () => {
    expect(to({ ethernet: { ...other, destination: '02:00:c0:a8:0b:6c' } })).toBe('be1');
    expect(to({ ethernet: { ...other, destination: '02:00:c0:a8:0b:6d' } })).toBe('be2');
    expect(to({ ethernet: other })).toBeUndefined();
    expect(to({ ethernet: undefined })).toBeUndefined();
  });
});

describe('connections by backend', () => {
  const only = (...names: readonly string[]) =>
    observe(withCaptures(nat, ({ name }) => (names.includes(name) ? nat.captures.get(name) : undefined)));
  const count = (reached: readonly measure.Reached[]) => reached.map(({ backend }) => backend).toSorted();
  const EACH = ['be1', 'be1', 'be2', 'be2'];

  test('are those that a backend answered, where each is captured', () => {
    expect(measure.areBackendsCaptured(observe(nat))).toBe(true);
    expect(measure.areBackendsCaptured(only('eth1', 'be1'))).toBe(false);
    expect(measure.areBackendsCaptured(only('eth1'))).toBe(false);
    expect(count(measure.served(observe(nat)))).toEqual(EACH);
    const silent = edited(nat, ['be1'], (packet) =>
      packet.tcp!.sourcePort === 80 && packet.tcp!.payloadLength > 0 ? undefined : packet,
    );
    expect(count(measure.served(observe(silent)))).toEqual(['be2', 'be2']);
    expect(count(measure.forwarded(observe(silent)))).toEqual(EACH);
  });

  test('are captured at the only backend there is, and nowhere where there is none', async () => {
    expect(measure.areBackendsCaptured(observe(await recorded('dsr-article')))).toBe(true);
    const [service] = nat.topology.balancer!.services;
    const balancer = { ...nat.topology.balancer!, services: [{ ...service!, backends: [] }] };
    const none = { ...nat, topology: { ...nat.topology, balancer } };
    expect(measure.areBackendsCaptured(observe(none))).toBe(false);
  });

  test('are else those that the balancer sent there', () => {
    expect(count(measure.served(only('eth1', 'be1')))).toEqual(EACH);
    const strange = edited(nat, ['eth1'], (packet) => ({
      ...packet,
      ip: {
        ...packet.ip!,
        destination: packet.ip!.destination === '10.133.1.3' ? '10.133.1.9' : packet.ip!.destination,
      },
      ethernet: { ...packet.ethernet!, destination: packet.ethernet!.destination.replace(/03$/, '09') },
    }));
    expect(count(measure.forwarded(observe(strange)))).toEqual(['be1', 'be1']);
  });
});

test.each<[bigint[], bigint]>([
  [[7n], 7n],
  [[9n, 4n], 4n],
  [[9n, 4n, 7n], 7n],
  [[10n, 9n, 100n, 8n], 9n],
  [[5n, 1n, 4n, 2n, 3n], 3n],
])('the median of %s is %s', (values, middle) => expect(measure.median(values)).toBe(middle));
