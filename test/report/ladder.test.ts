// Ladders in a terminal, compared whole with those of recorded labs, at 80 columns and wide, in ASCII, with captures missing and
// without a topology.
import { expect, test } from 'vitest';
import { Chalk } from 'chalk';
import { buildLadder } from '../../src/report/ladder/ladder.ts';
import { ladderDocument } from '../../src/report/ladder/json.ts';
import { ladderText } from '../../src/report/ladder/text.ts';
import { readTraffic } from '../../src/report/ladder/traffic.ts';
import { recorded, RECORDED } from '../verify/evidence.ts';
import { readdirSync } from 'node:fs';
import { HOSTILE } from './results.ts';
import { arrows, chosen, drawn, ladder, made, pointsOf } from './ladders.ts';

test('a proxy ends the arrow and asks anew on a connection of its own', async () => {
  expect(drawn(await ladder('l7', { connections: [2] }))).toBe(
    `
connection 2 of 4: 192.168.11.104:48586 > 192.168.11.107:80, 20 packets in 1.07 ms
        client                          ┌── lb ──┐                           be2
         eth0                           eth0  eth1                          eth0
    192.168.11.104         192.168.11.107        10.133.1.1           10.133.1.3
0.000000  ├──────────── SYN ───────────▶│        │                             │
0.000037  │◀───────── SYN ACK ──────────┤        │                             │
0.000047  ├──────────── ACK ───────────▶│        │                             │
0.000119  ├────── GET / HTTP/1.1 ──────▶│        │                             │
0.000138  │◀─────────── ACK ────────────┤        │                             │
0.000349  │                             │        ├──────────── SYN ───────────▶│
0.000373  │                             │        │◀───────── SYN ACK ──────────┤
0.000383  │                             │        ├──────────── ACK ───────────▶│
0.000398  │                             │  anew  ├────── GET / HTTP/1.0 ──────▶│
0.000458  │                             │        │◀─────────── ACK ────────────┤
0.000745  │                             │        │◀─────── 200 OK, 4 B ────────┤
0.000771  │                             │        ├──────────── ACK ───────────▶│
0.000816  │                             │        │◀───────── FIN ACK ──────────┤
0.000873  │                             │        ├────────── FIN ACK ─────────▶│
0.000893  │                             │        │◀─────────── ACK ────────────┤
0.000912  │◀─────── 200 OK, 4 B ────────┤        │                             │
0.000926  ├──────────── ACK ───────────▶│        │                             │
0.000945  │◀───────── FIN ACK ──────────┤        │                             │
0.001045  ├────────── FIN ACK ─────────▶│        │                             │
0.001064  │◀─────────── ACK ────────────┤        │                             │

asked anew by the proxy
  GET / HTTP/1.0  + X-Forwarded-For: 192.168.11.104
    + Host: myapp1 (was 192.168.11.107)  274 us after the request
`.slice(1),
  );
});

test('address translation: one arrow through the balancer, addresses rewritten there and back', async () => {
  expect(drawn(await ladder('nat', { connections: [2] }))).toBe(
    `
connection 2 of 4: 192.168.11.104:52854 > 192.168.11.107:80, 10 packets in 8.61 ms
        client                    ┌─────────────── lb ────────────────┐      be1
         eth0                     eth0                             eth1     eth0
    192.168.11.104                192.168.11.107             10.133.1.1
                                                                      10.133.1.2
0.000000  ├───────── SYN ─────────●─── dst 10.133.1.2, mac, ttl 63 ───●───────▶│
0.000139  │◀────── SYN ACK ───────●─ src 192.168.11.107, mac, ttl 63 ─●────────┤
0.000166  ├───────── ACK ─────────●─── dst 10.133.1.2, mac, ttl 63 ───●───────▶│
0.001862  ├─── GET / HTTP/1.1 ────●─── dst 10.133.1.2, mac, ttl 63 ───●───────▶│
0.001935  │◀──────── ACK ─────────●─ src 192.168.11.107, mac, ttl 63 ─●────────┤
0.005869  │◀──── 200 OK, 4 B ─────●─ src 192.168.11.107, mac, ttl 63 ─●────────┤
0.005954  ├───────── ACK ─────────●─── dst 10.133.1.2, mac, ttl 63 ───●───────▶│
0.006319  │◀────── FIN ACK ───────●─ src 192.168.11.107, mac, ttl 63 ─●────────┤
0.008515  ├─────── FIN ACK ───────●─── dst 10.133.1.2, mac, ttl 63 ───●───────▶│
0.008586  │◀──────── ACK ─────────●─ src 192.168.11.107, mac, ttl 63 ─●────────┤

rewritten by lb
  5 packets to the server: dst 192.168.11.107 > 10.133.1.2,
    dst mac 02:00:c0:a8:0b:6b (lb) > 02:00:0a:85:01:02 (be1),
    src mac 02:00:c0:a8:0b:68 (client) > 02:00:0a:85:01:01 (lb), ttl 64 > 63
  5 packets to the client: src 10.133.1.2 > 192.168.11.107,
    dst mac 02:00:0a:85:01:01 (lb) > 02:00:c0:a8:0b:68 (client),
    src mac 02:00:0a:85:01:02 (be1) > 02:00:c0:a8:0b:6b (lb), ttl 64 > 63
`.slice(1),
  );
});

test('direct return: requests through the balancer with another MAC, answers past it', async () => {
  expect(drawn(await ladder('dsr', { connections: [2] }))).toBe(
    `
connection 2 of 4: 192.168.11.104:33542 > 192.168.11.107:80, 10 packets in 30.3 ms
        client                     ┌────────────── lb ───────────────┐       be1
         eth0                                      eth0                     eth0
    192.168.11.104                            192.168.11.106      192.168.11.108
                                            VIP 192.168.11.107
                                                              VIP 192.168.11.107
0.000000  ├───────── SYN ──────────●─ dst mac lb > be1, ttl 64 > 63 ─●────────▶│
0.000132  │◀────── SYN ACK ────────┼───────────── past ──────────────┼─────────┤
0.000146  ├───────── ACK ──────────●─ dst mac lb > be1, ttl 64 > 63 ─●────────▶│
0.002811  ├──── GET / HTTP/1.1 ────●─ dst mac lb > be1, ttl 64 > 63 ─●────────▶│
0.002885  │◀──────── ACK ──────────┼───────────── past ──────────────┼─────────┤
0.010401  │◀──── 200 OK, 4 B ──────┼───────────── past ──────────────┼─────────┤
0.010449  ├───────── ACK ──────────●─ dst mac lb > be1, ttl 64 > 63 ─●────────▶│
0.011562  ├─────── FIN ACK ────────●─ dst mac lb > be1, ttl 64 > 63 ─●────────▶│
0.030160  │◀────── FIN ACK ────────┼───────────── past ──────────────┼─────────┤
0.030254  ├───────── ACK ──────────●─ dst mac lb > be1, ttl 64 > 63 ─●────────▶│

rewritten by lb
  6 packets to the server: dst mac 02:00:c0:a8:0b:6a (lb) > 02:00:c0:a8:0b:6c
    (be1), src mac 02:00:c0:a8:0b:68 (client) > 02:00:c0:a8:0b:6a (lb),
    ttl 64 > 63
past lb
  be1 > client: 4 packets
`.slice(1),
  );
});

test("a tunnel: wrapped at the balancer, answered from the backend's other interface, past the balancer", async () => {
  expect(drawn(await ladder('tun', { connections: [2] }))).toBe(
    `
connection 2 of 4: 192.168.11.104:49700 > 192.168.11.107:80, 10 packets in 8.81 ms
        client                ┌─────────────── lb ────────────────┐    ┌─ be1 ─┐
         eth0                 eth0                             eth1    eth0 eth1
    192.168.11.104            192.168.11.106             10.133.1.1
                                                              10.133.1.2
                                                                  192.168.11.108
                                        VIP 192.168.11.107    VIP 192.168.11.107
0.000000  ├─────── SYN ───────●─ ipip to 10.133.1.2, mac, ttl 63 ─●───▶│       │
0.000814  │◀──── SYN ACK ─────┼────────────── past ───────────────┼────┼───────┤
0.000836  ├─────── ACK ───────●─ ipip to 10.133.1.2, mac, ttl 63 ─●───▶│       │
0.002256  ├─ GET / HTTP/1.1 ──●─ ipip to 10.133.1.2, mac, ttl 63 ─●───▶│       │
0.002801  │◀────── ACK ───────┼────────────── past ───────────────┼────┼───────┤
0.006074  │◀── 200 OK, 4 B ───┼────────────── past ───────────────┼────┼───────┤
0.006106  ├─────── ACK ───────●─ ipip to 10.133.1.2, mac, ttl 63 ─●───▶│       │
0.006440  │◀──── FIN ACK ─────┼────────────── past ───────────────┼────┼───────┤
0.008244  ├───── FIN ACK ─────●─ ipip to 10.133.1.2, mac, ttl 63 ─●───▶│       │
0.008799  │◀────── ACK ───────┼────────────── past ───────────────┼────┼───────┤

rewritten by lb
  5 packets to the server: ipip 10.133.1.1 > 10.133.1.2,
    dst mac 02:00:c0:a8:0b:6a (lb) > 02:00:0a:85:01:02 (be1),
    src mac 02:00:c0:a8:0b:68 (client) > 02:00:0a:85:01:01 (lb), ttl 64 > 63
past lb
  be1 > client: 5 packets
`.slice(1),
  );
});

test('wide terminals show values before and after', async () => {
  const [first, answer] = arrows(drawn(await ladder('nat', { connections: [2] }), 200));
  expect(first).toContain('●── dst 192.168.11.107 > 10.133.1.2, dst mac lb > be1, ttl 64 > 63 ───●');
  expect(answer).toContain('●─ src 10.133.1.2 > 192.168.11.107, dst mac lb > client, ttl 64 > 63 ─●');
});

test('narrow ones say which fields, then only that something was rewritten', async () => {
  const nat = await ladder('nat', { connections: [2] });
  expect(arrows(drawn(nat, 64))[0]).toBe('├────────── SYN ──────────●─ dst mac ttl ─●─────────▶│');
  expect(arrows(drawn(nat, 42))[0]).toBe('├────── SYN ──────●── * ──●───▶│');
});

test.each(readdirSync(RECORDED))('%s fits into 80 and 200 columns, in ASCII too', async (lab) => {
  const all = await ladder(lab);
  for (const columns of [80, 200]) {
    const lines = drawn(all, columns).split('\n');
    expect(lines.filter((line) => line.length > columns)).toStrictEqual([]);
    const plain = drawn(all, columns, true);
    // eslint-disable-next-line no-control-regex
    expect(plain).toMatch(/^[\x20-\x7e\n]*$/);
    expect(plain.split('\n').map((line) => line.length)).toStrictEqual(lines.map((line) => line.length));
  }
});

test('all connections are numbered, in order of time', async () => {
  const all = await ladder('dsr');
  expect(drawn(all, 80, true).split('\n').slice(0, 11).join('\n')).toBe(
    `
4 connections, 40 packets
           client                 +-------------- lb ---------------+    be1 be2
            eth0                                  eth0                   eth0
                                                                            eth0
       192.168.11.104                        192.168.11.106       192.168.11.108
                                                                  192.168.11.109
                                           VIP 192.168.11.107 VIP 192.168.11.107
                                                              VIP 192.168.11.107
#1 0.000000  |------- SYN --------o- dst mac lb > be2, ttl 64 > 63 -o-----+--->|
   0.000072  |<---- SYN ACK ------+------------- past --------------+-----+----|
   0.000086  |------- ACK --------o- dst mac lb > be2, ttl 64 > 63 -o-----+--->|`.slice(1),
  );
  expect(all.rows.map(({ time }) => time)).toStrictEqual(
    all.rows.map(({ time }) => time).sort((a, b) => Number(a - b)),
  );
});

test('every packet of every connection is in one arrow, at every point that has it', async () => {
  for (const lab of ['l7', 'nat', 'fullnat', 'dsr', 'tun']) {
    const { captures } = await recorded(lab);
    const { rows, points } = await ladder(lab);
    const drawnPackets = rows
      .flatMap(({ seen }) =>
        seen.flatMap(({ point, packets }) => packets.map((packet) => `${points[point]!.name} ${packet}`)),
      )
      .sort();
    const captured = [...captures.values()]
      .flatMap(({ name, capture }) =>
        capture.packets.filter(({ tcp }) => tcp).map(({ number }) => `${name} ${number}`),
      )
      .sort();
    expect(drawnPackets, lab).toStrictEqual(captured);
  }
});

test('without a topology the columns are addresses, and the machines in between are found by their MACs', async () => {
  expect(drawn(await ladder('dsr', { connections: [1], isTopologyKnown: false }))).toMatch(
    new RegExp(
      `^connection 1 of 4: 192.168.11.104:33534 > 192.168.11.107:80, 10 packets in 19.7 ms
 +┌─+┐
    192.168.11.104 +192.168.11.107      192.168.11.109
 +192.168.11.106      192.168.11.107
0.000000  ├───────── SYN ──────────●─ mac to 192.168.11.109, ttl 63 ─●────────▶│
0.000072  │◀────── SYN ACK ────────┼───────────── past ──────────────┼─────────┤
`,
    ),
  );
  const l7 = await ladder('l7', { connections: [1], isTopologyKnown: false, points: ['eth0', 'eth1'] });
  expect(l7.machines.map(({ rails }) => rails.flatMap((rail) => l7.rails[rail]!.addresses))).toStrictEqual([
    ['192.168.11.104'],
    ['192.168.11.107', '10.133.1.1'],
    ['10.133.1.2'],
  ]);
});

test('where a point is missing, the half of an arrow that nobody saw is dashed, and the notes say so', async () => {
  const eth0 = drawn(await ladder('nat', { connections: [1], points: ['eth0'] }));
  expect(arrows(eth0).slice(0, 2)).toStrictEqual([
    '├╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ SYN ───────────────────▶│',
    '│◀╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ SYN ACK ──────────────────┤',
  ]);
  expect(eth0).toMatch(/not captured\n {2}client: ends of arrows drawn from the frames' addresses\n$/);
  const withoutBackend = arrows(drawn(await ladder('dsr', { connections: [2], points: ['lb', 'client'] })));
  expect(withoutBackend.slice(0, 2)).toStrictEqual([
    '├───────── SYN ──────────●─ dst mac lb > be1, ttl 64 > 63 ─●─────╌╌╌▶│',
    '│◀────── SYN ACK ────────┼─────────╌╌╌╌ past ╌╌╌╌╌╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌┤',
  ]);
});

test('a packet that does not come where it should is marked as lost', async () => {
  const evidence = await recorded('nat');
  const points = pointsOf(evidence).map((point) =>
    point.name === 'be2'
      ? { ...point, capture: { packets: point.capture.packets.filter(({ number }) => number !== 1) } }
      : point,
  );
  const traffic = readTraffic(points);
  const one = buildLadder(traffic, { topology: evidence.topology, shown: chosen(traffic, [1]) });
  expect(arrows(drawn(one))[0]).toBe(
    '├───────── SYN ─────────●─── dst 10.133.1.3, mac, ttl 63 ───●──────╳ │',
  );
  expect(drawn(one)).toContain('not seen\n  be2 does not have 1 packet that should be there\n');
});

test('an answer past the balancer that should have translated it is part of its connection', async () => {
  const text = drawn(await ladder('nat-second-leg', { connections: [1] }), 100);
  expect(arrows(text)).toStrictEqual([
    '├───────────── SYN ──────────────●─ dst 10.133.1.3, mac, ttl 63 ─●──────────────▶│       │',
    '│◀────────── SYN ACK ────────────┼──────────── past ─────────────┼───────────────┼───────┤',
    '│◀────── SYN ACK (again) ────────┼──────────── past ─────────────┼───────────────┼───────┤',
    '│◀────── SYN ACK (again) ────────┼──────────── past ─────────────┼───────────────┼───────┤',
  ]);
  expect(text).toContain('past lb\n  be2 > client: 3 packets\n');
});

test('a packet that loops is drawn at its first and its last turns', async () => {
  const text = drawn(await ladder('dsr-routed', { connections: [1] }));
  const [title, ...lines] = text.split('\n');
  expect(title).toBe('connection 1: 192.168.11.104:51608 > 192.168.11.107:80, 1 packet in 4.59 ms');
  expect(lines.slice(4, 13)).toStrictEqual([
    '0.000000  ├───────────── SYN ──────────────┼───┼───────────────────────────●   │',
    '          │                                │   ┼╌╌ mac to router, ttl 63 ──●   │',
    '          │                                │   ┼╌╌╌╌ mac to lb, ttl 62 ────●   │',
    '          │                                │   ┼╌╌ mac to router, ttl 61 ──●   │',
    '          │                            56 more legs                        │   │',
    '          │                                │   ┼╌╌╌╌ mac to lb, ttl 4 ─────●   │',
    '          │                                │   ┼╌╌ mac to router, ttl 3 ───●   │',
    '          │                                │   ┼╌╌╌╌ mac to lb, ttl 2 ─────●   │',
    '          │                                │   │◀╌ mac to router, ttl 1 ───●   │',
  ]);
});

test('requests of two clients at once are not taken for one another, where nobody proxies', async () => {
  const { shown, machines } = await ladder('nat-two-clients');
  expect(shown.flatMap(({ requests }) => requests)).toStrictEqual([]);
  expect(machines.map(({ name }) => name)).toStrictEqual(['client', 'client2', 'lb', 'be1', 'be2']);
});

test('no connections make no ladder', async () => {
  const traffic = await made([]);
  expect(traffic.conversations).toStrictEqual([]);
  expect(drawn(buildLadder(traffic, { shown: [] }))).toBe('0 connections, 0 packets\n');
  const points = pointsOf(await recorded('nat')).map((point) => ({ ...point, capture: { packets: [] } }));
  expect(readTraffic(points).conversations).toStrictEqual([]);
});

test('what packets say cannot reach the terminal, and is clipped', async () => {
  const traffic = await made([
    { flags: 'S', sequence: 1 },
    {
      flags: 'PA',
      sequence: 2,
      payload: `GET /${encodeURI('é')}\u00e9\u009b2J${'x'.repeat(500)} HTTP/1.1\r\n\r\n`,
    },
    { flags: 'PA', sequence: 3000, payload: HOSTILE },
  ]);
  const one = buildLadder(traffic, { shown: traffic.conversations });
  const text = drawn(one);
  // eslint-disable-next-line no-control-regex
  expect(text).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/);
  expect(text.split('\n').filter((line) => line.length > 80)).toStrictEqual([]);
  expect(arrows(text)).toHaveLength(3);
  expect(one.rows[1]!.label).toMatch(/^GET \/%C3%A9\\xc3\\xa9\\xc2\\x9b2Jx+\.\.\. \(\d+ more\)$/);
});

test('bytes, SYNs and FINs that are sent again are marked', async () => {
  const traffic = await made([
    { flags: 'S', sequence: 1, identification: 1 },
    { flags: 'S', sequence: 1, identification: 2 },
    { flags: 'PA', sequence: 2, payload: 'abc', identification: 3 },
    { flags: 'PA', sequence: 2, payload: 'abc', identification: 4 },
    { flags: 'A', sequence: 5, identification: 5 },
    { flags: 'A', sequence: 5, identification: 6 },
  ]);
  const { rows } = buildLadder(traffic, { shown: traffic.conversations });
  expect(rows.map(({ label }) => label)).toStrictEqual([
    'SYN',
    'SYN (again)',
    '3 B',
    '3 B (again)',
    'ACK',
    'ACK',
  ]);
});

test('a limit counts what it leaves out', async () => {
  const evidence = await recorded('nat');
  const traffic = readTraffic(pointsOf(evidence));
  const some = buildLadder(traffic, { topology: evidence.topology, shown: chosen(traffic, [1]), limit: 3 });
  expect(arrows(drawn(some))).toHaveLength(3);
  expect(drawn(some)).toContain('\nand 7 packets more\n');
  expect(some.rowsLeft).toBe(7);
});

test('more machines than there is room for share the last column, and rows name them', async () => {
  const servers = Array.from({ length: 40 }, (_, index) => index + 2);
  const traffic = await made(
    servers.map((last) => ({
      flags: 'S',
      sequence: last,
      destination: `10.0.0.${last}`,
      destinationMac: `02:00:00:00:00:${last.toString(16).padStart(2, '0')}`,
    })),
  );
  const text = drawn(buildLadder(traffic, { shown: traffic.conversations }));
  expect(text.split('\n').filter((line) => line.length > 80)).toStrictEqual([]);
  expect(text).toContain('10.0.0.9 and 32 more');
  expect(arrows(text).at(-1)).toContain(' SYN 10.0.0.41 ');
});

test('of a long capture the first connections are the same when only they are joined', async () => {
  for (const lab of ['l7', 'nat', 'dsr']) {
    const points = pointsOf(await recorded(lab));
    const [all, some] = [readTraffic(points), readTraffic(points, { first: 1 })];
    expect(some.conversations, lab).toHaveLength(1);
    expect(some.total, lab).toBe(all.total);
    const [whole, part] = [all, some].map((traffic) => {
      const { rows } = buildLadder(traffic, { shown: chosen(traffic, [1]) });
      return rows.map(({ time, label, seen }) => [time, label, seen.length]);
    });
    expect(part, lab).toStrictEqual(whole);
  }
});

test('colours are those of the capture points, and go where there is no colour', async () => {
  const of = await ladder('nat', { connections: [1] });
  const coloured = ladderText(of, { paint: new Chalk({ level: 1 }), columns: 80 });
  expect(coloured).toContain('\u001b[36m');
  // eslint-disable-next-line no-control-regex
  expect(coloured.replace(/\u001b\[\d+m/g, '')).toBe(
    ladderText(of, { paint: new Chalk({ level: 0 }), columns: 80 }),
  );
});

test('the document has every arrow with its legs, rewritings and packets', async () => {
  const document = ladderDocument(await ladder('dsr', { connections: [2] }));
  expect(document).toMatchObject({
    schema: 'lblab/flow@1',
    connections: 4,
    shown: [2],
    machines: [{ name: 'client' }, { name: 'lb', also: ['VIP 192.168.11.107'] }, { name: 'be1' }],
  });
  expect(document.packets).toHaveLength(10);
  expect(document.packets[0]).toMatchObject({
    nanoseconds: 0,
    kind: 'open',
    label: 'SYN',
    legs: [
      { from: { machine: 'client', interface: 'eth0' }, to: { machine: 'lb' }, atFrom: 'seen', atTo: 'seen' },
      { from: { machine: 'lb', interface: 'eth0' }, to: { machine: 'be1' }, atFrom: 'seen', atTo: 'seen' },
    ],
    rewrites: [
      {
        machine: 'lb',
        fields: [{ field: 'source-mac' }, { field: 'destination-mac' }, { field: 'ttl', from: 64, to: 63 }],
      },
    ],
    past: [],
  });
  expect(document.packets[1]).toMatchObject({ label: 'SYN ACK', past: ['lb'], rewrites: [] });
  expect(JSON.parse(JSON.stringify(document))).toStrictEqual(document);
});
