import { describe, expect, test } from 'vitest';
import { connections, readCapture, summarize } from '../../src/pcap/index.ts';
import { ethernet, ipv4, pcap, segment, udp } from './build.ts';
import { conversation, exchange, HANDSHAKE } from './conversation.ts';

const CLIENT = { source: '10.0.0.1', destination: '10.0.0.2', sourcePort: 40000, destinationPort: 80 };
const SERVER = { source: '10.0.0.2', destination: '10.0.0.1', sourcePort: 80, destinationPort: 40000 };

const REQUEST = 'GET /a?b=1 HTTP/1.1\r\nHost: myapp1\r\nX-Twice: 1\r\nx-twice:  2 \r\n\r\n';
const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';

describe('a connection captured whole', () => {
  const file = exchange(REQUEST, ANSWER);

  test('has both initial sequence numbers, its handshake and its end', async () => {
    const [connection, ...others] = connections(await readCapture(file));
    expect(others).toEqual([]);
    expect(connection).toMatchObject({
      protocol: 'tcp',
      client: { address: '10.0.0.1', port: 40000 },
      server: { address: '10.0.0.2', port: 80 },
      state: 'closed',
      complete: true,
      closedBy: 'client',
      handshake: { syn: 1, synAck: 2, ack: 3 },
      isn: { client: 1000, server: 5000 },
      packets: { toServer: 5, toClient: 4 },
      payload: { toServer: REQUEST.length, toClient: ANSWER.length },
      roundTripTime: 2_000_000,
      completeness: 31,
      analysis: {},
      packetNumbers: [1, 2, 3, 4, 5, 6, 7, 8, 9],
      firstTime: 1_700_000_000_000_000_000n,
      lastTime: 1_700_000_000_008_000_000n,
    });
    expect(connection!.oneSided).toBeUndefined();
  });

  test('shows its request and answer, header by header', async () => {
    const [connection] = connections(await readCapture(file));
    expect(connection!.http).toMatchObject([
      {
        request: {
          method: 'GET',
          target: '/a?b=1',
          version: 'HTTP/1.1',
          headers: [
            ['Host', 'myapp1'],
            ['X-Twice', '1'],
            ['x-twice', '2'],
          ],
          packets: [4],
          bodyLength: 0,
          complete: true,
        },
        response: {
          status: 200,
          reason: 'OK',
          packets: [5, 6],
          bodyLength: 5,
          body: Buffer.from('hello'),
          complete: true,
        },
      },
    ]);
  });

  test('is summarised alike without keeping packets', async () => {
    const { packetNumbers, analysisPackets, http, ...figures } = connections(await readCapture(file))[0]!;
    expect(packetNumbers).toHaveLength(9);
    expect(analysisPackets).toEqual({});
    expect(http).toHaveLength(1);
    expect((await summarize(file)).connections).toEqual([figures]);
  });
});

describe('what a connection can lack', () => {
  test('a SYN that nothing answers', async () => {
    const file = conversation(['>', 'S', 0, 0], ['>', 'S', 0, 0]);
    expect(connections(await readCapture(file))).toMatchObject([
      {
        state: 'unanswered',
        oneSided: 'to-server',
        complete: false,
        analysis: { retransmission: 1 },
        analysisPackets: { retransmission: [2] },
      },
    ]);
  });

  test('one direction, as on a director that answers pass by', async () => {
    const file = conversation(
      ['>', 'S', 0, 0],
      ['>', 'A', 1, 1],
      ['>', 'PA', 1, 1, { payload: REQUEST }],
      ['>', 'FA', 1 + REQUEST.length, 44],
    );
    expect(connections(await readCapture(file))).toMatchObject([
      {
        state: 'one-sided',
        oneSided: 'to-server',
        completeness: 29,
        packets: { toServer: 4, toClient: 0 },
        isn: { client: 1000, server: 5000 },
      },
    ]);
  });

  test('the answer to its SYN: then there is no third packet of a handshake', async () => {
    const [connection] = connections(await readCapture(conversation(['>', 'S', 0, 0], ['>', 'A', 1, 1])));
    expect(connection!.handshake).toEqual({ syn: 1 });
  });

  test('a FIN of the one side while data of the other are on their way: the close did not cross', async () => {
    const file = conversation(
      ...HANDSHAKE,
      ['<', 'PA', 1, 1, { payload: ANSWER }],
      ['>', 'FA', 1, 1],
      ['<', 'FA', 1 + ANSWER.length, 2],
      ['>', 'A', 2, 2 + ANSWER.length],
    );
    expect(connections(await readCapture(file))).toMatchObject([{ state: 'closed', closedBy: 'client' }]);
  });

  test('an open port', async () => {
    const file = conversation(['>', 'S', 0, 0], ['<', 'RA', 0, 1]);
    expect(connections(await readCapture(file))).toMatchObject([
      { state: 'refused', closedBy: 'reset-by-server' },
    ]);
  });

  test('anything after its handshake', async () => {
    expect(connections(await readCapture(conversation(...HANDSHAKE)))).toMatchObject([
      { state: 'handshake-only', complete: false },
    ]);
  });

  test('its beginning: then the end with the higher port is the client', async () => {
    const file = conversation(['<', 'A', 100, 200, { payload: 'x' }], ['>', 'A', 200, 101]);
    expect(connections(await readCapture(file))).toMatchObject([
      {
        state: 'established',
        client: { address: '10.0.0.1', port: 40000 },
        handshake: {},
        isn: { server: 5099, client: 1199 },
      },
    ]);
  });
});

test('a new SYN with another initial sequence number begins another connection', async () => {
  const file = conversation(
    ...HANDSHAKE,
    ['>', 'S', 70_000, 0],
    ['<', 'SA', 80_000, 70_001],
    ['>', 'A', 70_001, 80_001],
  );
  const found = connections(await readCapture(file));
  expect(found.map((connection) => connection.isn)).toEqual([
    { client: 1000, server: 5000 },
    { client: 71_000, server: 85_000 },
  ]);
  expect(found[1]!.analysis).toMatchObject({ 'reused-ports': 1 });
});

test('a retransmitted request is one request', async () => {
  const file = conversation(
    ...HANDSHAKE,
    ['>', 'PA', 1, 1, { payload: REQUEST }],
    ['>', 'PA', 1, 1, { payload: REQUEST }],
    ['<', 'PA', 1, 1 + REQUEST.length, { payload: ANSWER }],
  );
  const [connection] = connections(await readCapture(file));
  expect(connection!.analysis).toEqual({ retransmission: 1 });
  expect(connection!.http).toMatchObject([{ request: { packets: [4] }, response: { packets: [6] } }]);
});

test('a request may end in a segment of one byte', async () => {
  const file = conversation(
    ...HANDSHAKE,
    ['>', 'A', 1, 1, { payload: REQUEST.slice(0, -1) }],
    ['>', 'A', REQUEST.length, 1, { payload: REQUEST.slice(-1) }],
  );
  expect(connections(await readCapture(file))[0]!.http).toMatchObject([
    { request: { complete: true, packets: [4, 5] } },
  ]);
});

test('times are exact to the nanosecond, also of a single packet', async () => {
  const time = 1_700_000_000_123_456_789n;
  const capture = await readCapture(pcap([{ frame: segment(CLIENT), time }], { magic: 0xa1b23c4d }));
  expect(connections(capture)).toMatchObject([{ firstTime: time, lastTime: time }]);
});

test('the client of a connection of which the server is seen first', async () => {
  const file = conversation(
    ...HANDSHAKE.slice(1),
    ['>', 'PA', 1, 1, { payload: REQUEST }],
    ['<', 'PA', 1, 1 + REQUEST.length, { payload: ANSWER }],
  );
  expect(connections(await readCapture(file))[0]!.http).toMatchObject([
    { request: { packets: [3] }, response: { packets: [4] } },
  ]);
});

/** What is told of packets that are kept is what is told of those that are not. */
async function toldAlike(file: Buffer) {
  const found = connections(await readCapture(file));
  expect((await summarize(file)).connections).toEqual(
    found.map(({ packetNumbers: _numbers, analysisPackets: _found, http: _http, ...figures }) => figures),
  );
  return found;
}

test('datagrams have connections too, and what is neither TCP nor UDP has none', async () => {
  const query = (isBack: boolean) =>
    ethernet(
      0x0800,
      isBack
        ? ipv4(17, udp(Buffer.from('answer'), { sourcePort: 53, destinationPort: 40000 }), SERVER)
        : ipv4(17, udp(Buffer.from('query')), CLIENT),
    );
  const arp = ethernet(0x0806, Buffer.alloc(28));
  const found = await toldAlike(pcap([segment(CLIENT), arp, query(false), query(true), arp]));
  expect(found).toMatchObject([
    { protocol: 'tcp', packetNumbers: [1], http: [] },
    {
      protocol: 'udp',
      state: 'established',
      packetNumbers: [3, 4],
      packets: { toServer: 1, toClient: 1 },
      payload: { toServer: 5, toClient: 6 },
      isn: { client: undefined, server: undefined },
      completeness: 0,
      http: [],
    },
  ]);
});

test.each([
  [0n, undefined],
  [1n, 5],
  [1_000_000_000n, 5],
  [1_000_000_001n, 5],
])('a SYN at %s nanoseconds has a round trip of %s: a time of 0 is none', async (time, roundTripTime) => {
  const [syn, synAck, ack] = [
    segment({ ...CLIENT, flags: 'S', sequence: 1 }),
    segment({ ...SERVER, flags: 'SA', sequence: 5, acknowledgment: 2 }),
    segment({ ...CLIENT, flags: 'A', sequence: 2, acknowledgment: 6 }),
  ];
  const file = pcap(
    [
      { frame: syn, time },
      { frame: synAck, time: time + 2n },
      { frame: ack, time: time + 5n },
    ],
    { magic: 0xa1b23c4d },
  );
  expect(await toldAlike(file)).toMatchObject([{ state: 'handshake-only', roundTripTime }]);
});

test('a segment shorter than its header says nothing about its connection', async () => {
  const broken = segment({ ...CLIENT, flags: 'A', sequence: 77, acknowledgment: 88 });
  broken[14 + 20 + 12] = 7 << 4;
  const found = await toldAlike(pcap([broken, segment({ ...CLIENT, flags: 'S', sequence: 1000 })]));
  expect(found).toMatchObject([
    { packetNumbers: [2], isn: { client: 1000, server: undefined }, analysis: {} },
  ]);
  expect(await toldAlike(pcap([broken]))).toEqual([]);
});

test('of all connections together ten thousand exchanges are read, and two for each packet', async () => {
  const payload = 'GET / HTTP/1.1\r\n\r\n'.repeat(3000);
  const many = Array.from({ length: 4 }, (_, index) =>
    segment({ ...CLIENT, flags: 'A', sequence: 1 + index * payload.length, payload }),
  );
  const few = segment({ ...CLIENT, sourcePort: 40001, flags: 'A', sequence: 1, payload: REQUEST });
  const told = async () => connections(await readCapture(pcap([...many, few])));
  const [first, second] = await told();
  expect([first!.http.length, second!.http.length]).toEqual([10_010, 0]);
  // Whose are read is decided by who asks.
  const [one, other] = await told();
  expect([other!.http.length, one!.http.length]).toEqual([1, 10_009]);
});
