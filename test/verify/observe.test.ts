// What belongs to the service, to whom, and to which side of the balancer: recorded packets with something added, left out or moved.
import { describe, expect, test } from 'vitest';
import type { Packet } from '../../src/pcap/index.ts';
import { observe } from '../../src/verify/observe.ts';
import type { CapturedPoint, Evidence } from '../../src/verify/types.ts';
import { edited, recorded, withCaptures } from './evidence.ts';

const nat = await recorded('nat');
const dsr = await recorded('dsr');

const packetsOf = (evidence: Evidence, name: string) => evidence.captures.get(name)!.capture.packets;
const numbers = (seen: readonly { packet: Packet }[]) => seen.map(({ packet }) => packet.number);
const without =
  (...keys: (keyof Packet)[]) =>
  (packet: Packet) =>
    Object.fromEntries(
      Object.entries(packet).filter(([key]) => !keys.includes(key as keyof Packet)),
    ) as unknown as Packet;
/** As tcpdump -i any writes them, or a router would see them. */
const cooked = without('ethernet');

/** Evidence with a packet more in a capture, the last of it. */
function adding(evidence: Evidence, name: string, packet: Packet): Evidence {
  return withCaptures(evidence, (point) =>
    point.name === name
      ? {
          ...point,
          capture: { ...point.capture, packets: [...point.capture.packets, { ...packet, number: 1000 }] },
        }
      : point,
  );
}

const moved = (mac: string) => mac.replace(/^02:00/, '52:54');
/** The same packets, of machines with other MACs than the topology's. */
const elsewhere = (packet: Packet): Packet => ({
  ...packet,
  ethernet: {
    ...packet.ethernet!,
    source: moved(packet.ethernet!.source),
    destination: moved(packet.ethernet!.destination),
  },
});

describe('packets of the service', () => {
  const [syn] = packetsOf(nat, 'client');
  const at = (packet: Packet) => numbers(observe(adding(nat, 'client', packet)).packets('client'));

  test('have its port at one end', () => {
    expect(at(syn!)).toContain(1000);
    expect(at({ ...syn!, tcp: { ...syn!.tcp!, destinationPort: 9000 } })).not.toContain(1000);
    expect(at(without('tcp')(syn!))).not.toContain(1000);
  });

  test('are those that come to the interface or leave it, not what a segment floods to it', () => {
    const other = { ...syn!.ethernet!, source: '02:00:00:00:00:98', destination: '02:00:00:00:00:99' };
    expect(at({ ...syn!, ethernet: other })).not.toContain(1000);
    expect(at({ ...syn!, ethernet: { ...other, source: syn!.ethernet!.source } })).toContain(1000);
    expect(at({ ...syn!, ethernet: { ...other, destination: syn!.ethernet!.source } })).toContain(1000);
  });

  test('from the service’s port to itself go to the server where only that is one', () => {
    const towards = (source: string, destination: string) => {
      const packet = {
        ...syn!,
        ip: { ...syn!.ip!, source, destination },
        tcp: { ...syn!.tcp!, sourcePort: 80, destinationPort: 80 },
      };
      return observe(adding(nat, 'client', packet))
        .packets('client')
        .at(-1)!.toServer;
    };
    expect(towards('192.168.11.104', '192.168.11.107')).toBe(true);
    expect(towards('192.168.11.107', '192.168.11.104')).toBe(false);
    expect(towards('192.168.11.104', '192.168.11.9')).toBe(false);
  });

  test('are no health checks', async () => {
    const seen = observe(await recorded('nat-keepalived'));
    const ends = seen.packets('backend').flatMap(({ packet: { ip } }) => [ip.source, ip.destination]);
    expect(new Set(ends)).toEqual(new Set(['192.168.11.104', '10.133.1.2', '10.133.1.3']));
    expect(seen.opened('backend').length).toBe(seen.opened('client').length);
  });
});

describe('MACs of a node', () => {
  const LB = ['02:00:c0:a8:0b:6b', '02:00:0a:85:01:01'];
  const macs = (evidence: Evidence, node: string) => [...observe(evidence).macs(node)];
  const only = (evidence: Evidence, ...names: readonly string[]) =>
    withCaptures(evidence, (point) => (names.includes(point.name) ? point : undefined));

  test('are the topology’s, of all its interfaces, where a frame has one of them', () => {
    expect(macs(only(nat, 'eth0'), 'lb')).toEqual(LB);
    expect(macs(nat, 'be1')).toEqual(['02:00:0a:85:01:02']);
  });

  test('are the topology’s where nothing was captured', () => {
    expect(macs(only(nat, 'client'), 'lb')).toEqual(LB);
  });

  test('are that one which is in every frame, where the topology’s are not', () => {
    const other = edited(nat, undefined, elsewhere);
    expect(macs(other, 'lb')).toEqual(LB.map(moved));
    expect(macs(only(other, 'eth1'), 'lb')).toEqual([moved(LB[1]!)]);
    expect(macs(only(edited(dsr, undefined, elsewhere), 'lb'), 'lb')).toEqual(['52:54:c0:a8:0b:6a']);
  });

  test('are never one that stands for several', () => {
    const group = packetsOf(nat, 'eth1')[0]!;
    const toAll = {
      ...group,
      ethernet: { ...group.ethernet!, source: moved('02:00:0a:85:01:02'), destination: '33:33:00:00:00:01' },
    };
    const other = adding(edited(nat, undefined, elsewhere), 'eth1', toAll);
    expect(macs(only(other, 'eth1'), 'lb')).toEqual([moved(LB[1]!)]);
  });

  test.each([
    ['client', 'client', '52:54:c0:a8:0b:68'],
    ['eth0', 'lb', '52:54:c0:a8:0b:6b'],
    ['eth1', 'lb', '52:54:0a:85:01:01'],
    ['be1', 'be1', '52:54:0a:85:01:02'],
  ])('of two on a wire are the one whose part in the service is the node’s: %s', (name, node, mac) => {
    const first = new Set(
      packetsOf(nat, 'be1').flatMap(({ tcp }) => [tcp!.sourcePort, tcp!.destinationPort]),
    );
    const pair = edited(nat, undefined, (packet) =>
      first.has(packet.tcp!.sourcePort) && first.has(packet.tcp!.destinationPort)
        ? elsewhere(packet)
        : undefined,
    );
    expect(macs(only(pair, name), node)).toEqual([mac]);
    const backwards = edited(pair, undefined, (packet) =>
      packet.tcp!.sourcePort === 80 ? packet : undefined,
    );
    expect(macs(only(backwards, name), node)).toEqual([mac]);
  });

  test('are the topology’s where frames do not tell', () => {
    expect(macs(edited(nat, undefined, cooked), 'lb')).toEqual(LB);
  });
});

describe('a balancer’s sides', () => {
  const [syn] = packetsOf(nat, 'client');
  /** A SYN to a server, and an answer of it, without MACs. */
  const toServer = (destination: string) => ({ ...cooked(syn!), ip: { ...syn!.ip!, destination } });
  const fromServer = (source: string) => ({
    ...cooked(syn!),
    ip: { ...syn!.ip!, source, destination: syn!.ip!.source },
    tcp: { ...syn!.tcp!, sourcePort: 80, destinationPort: syn!.tcp!.sourcePort },
  });
  const sides = (evidence: Evidence, name: string, packet: Packet) => {
    const seen = observe(adding(edited(evidence, undefined, cooked), name, packet));
    return (['outside', 'inside'] as const).filter((place) => numbers(seen.packets(place)).includes(1000));
  };

  test.each<[string, string, string, (address: string) => Packet, string]>([
    ['eth0', 'to', '192.168.11.107', toServer, 'outside'],
    ['eth0', 'to', '10.133.1.2', toServer, 'outside'],
    ['eth1', 'to', '10.133.1.2', toServer, 'inside'],
    ['eth1', 'to', '10.133.1.9', toServer, 'inside'],
    ['eth1', 'from', '10.133.1.9', fromServer, 'inside'],
  ])('without MACs are its interfaces: %s %s %s', (name, _, address, packet, side) => {
    expect(sides(nat, name, packet(address))).toEqual([side]);
  });

  test.each<[string, string, (address: string) => Packet, string]>([
    ['to', '192.168.11.107', toServer, 'outside'],
    ['from', '192.168.11.107', fromServer, 'outside'],
    ['to', '192.168.11.108', toServer, 'inside'],
    ['from', '192.168.11.108', fromServer, 'inside'],
    ['to', '192.168.11.9', toServer, 'outside'],
    ['from', '192.168.11.9', fromServer, 'outside'],
  ])(
    'without MACs, on one interface, are told by the server’s address: %s %s',
    (_, address, packet, side) => {
      expect(sides(dsr, 'lb', packet(address))).toEqual([side]);
    },
  );

  test('without MACs, on one interface, what is wrapped goes to a server', () => {
    const outer = [
      { ...syn!.ip!, source: '192.168.11.106', destination: '192.168.11.108' },
    ] as Packet['outer'];
    expect(sides(dsr, 'lb', { ...toServer('192.168.11.107'), outer })).toEqual(['inside']);
  });

  test('with MACs that do not tell which is its own are told by the server’s address, too', () => {
    const client = '02:00:c0:a8:0b:68';
    const other = edited(dsr, ['lb'], (packet) =>
      [packet.ethernet!.source, packet.ethernet!.destination].includes(client)
        ? elsewhere(packet)
        : undefined,
    );
    const seen = observe(withCaptures(other, (point) => (point.name === 'lb' ? point : undefined)));
    expect(seen.packets('outside').length).toBe(
      packetsOf(other, 'lb').filter(({ tcp }) => tcp !== undefined).length,
    );
    expect(seen.packets('inside')).toEqual([]);
  });

  test('are nowhere without one', async () => {
    const seen = observe(await recorded('direct'));
    expect((['client', 'outside', 'inside', 'backend'] as const).map((place) => seen.has(place))).toEqual([
      true,
      false,
      false,
      true,
    ]);
    expect(() => seen.packets('inside')).toThrow(
      "nothing was captured on the balancer's side towards the backends",
    );
  });
});

describe('connections', () => {
  const point = nat.captures.get('client')!;
  const together = (...points: readonly CapturedPoint[]): Evidence => ({
    ...nat,
    captures: new Map(points.map((each) => [each.name, each])),
  });
  const part = (name: string, packets: readonly Packet[], link = 'eth0'): CapturedPoint => ({
    ...point,
    name,
    interface: link,
    capture: { ...point.capture, packets: [...packets] },
  });
  const { packets } = point.capture;
  const shown = (evidence: Evidence) =>
    observe(evidence)
      .opened('client')
      .map(({ connection, packets: own, syn }) => [
        connection.client.port,
        syn.packet.number,
        ...own.map(({ packet }) => packet.number),
      ]);
  const whole = () => shown(together(point));

  test('begin with a SYN', () => {
    const syns = packets.filter(({ tcp }) => tcp!.flags.syn && !tcp!.flags.ack);
    expect(whole().map(([port, number]) => [port, number])).toEqual(
      syns.map(({ tcp, number }) => [tcp!.sourcePort, number]),
    );
    const begun = together(
      part(
        'client',
        packets.filter((packet) => packet !== syns[0]),
      ),
    );
    expect(shown(begun)).toEqual(whole().slice(1));
  });

  test('are put together from what a node sent by one interface and received by another', () => {
    const sent = packets.filter(({ tcp }) => tcp!.destinationPort === 80);
    const received = packets.filter(({ tcp }) => tcp!.sourcePort === 80);
    expect(shown(together(part('received', received, 'eth1'), part('sent', sent)))).toEqual(whole());
  });

  test('have each packet once, of two captures at one interface', () => {
    expect(shown(together(point, part('again', packets)))).toEqual(whole());
    const third = part('third', packets);
    expect(shown(together(point, part('again', packets), third))).toEqual(whole());
    expect(
      observe(together(point, part('again', packets)))
        .opened('client')
        .map(({ syn }) => syn.point.name),
    ).toEqual(whole().map(() => 'client'));
  });

  test('have what one capture has twice twice, beside another capture, too', () => {
    const twice = [packets[0]!, packets[0]!, ...packets.slice(1)];
    const [first] = shown(together(part('client', twice), part('again', packets)));
    expect(first!.filter((number) => number === packets[0]!.number)).toHaveLength(3);
  });

  test('have two packets that differ, of two captures at the same time', () => {
    const [syn] = packets;
    const later = { ...syn!, bytes: Uint8Array.from(syn!.bytes).fill(1, 18, 20) };
    const other = part(
      'again',
      packets.map((packet) => (packet === syn ? later : packet)),
    );
    const [first] = shown(together(point, other));
    expect(first!.slice(2, 5)).toEqual([syn!.number, syn!.number, whole()[0]![3]]);
  });

  test('have what passed two interfaces at the same time twice', () => {
    const [first] = shown(together(point, part('other', packets, 'eth1')));
    expect(first).toHaveLength(2 + 2 * (whole()[0]!.length - 2));
  });

  test('are in the order of time, whatever the order of captures', async () => {
    const order = (evidence: Evidence) =>
      observe(evidence)
        .opened('backend')
        .map(({ connection }) => connection.firstTime);
    const reversed = { ...nat, captures: new Map([...nat.captures].toReversed()) };
    for (const evidence of [nat, reversed])
      expect(order(evidence)).toEqual(order(evidence).toSorted((a, b) => Number(a - b)));
  });
});
