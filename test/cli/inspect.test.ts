// `lblab inspect`: what it shows of captures, what its filters choose, what it does with files that are none.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { pcap, segment, type SegmentOptions } from '../pcap/build.ts';
import { temporaryFolder } from '../support/sandbox.ts';
import { inspect } from './inspect-command.ts';

const CLIENT = '192.168.11.104';
const VIP = '192.168.11.107';

/** A whole connection with one request and its answer. */
function connection(
  port: number,
  {
    client = CLIENT,
    server = VIP,
    request = 'GET / HTTP/1.0\r\nHost: lb\r\n\r\n',
    base = port * 1000,
    identification = 0,
  } = {},
): Buffer[] {
  const answer = 'HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nbe1';
  const [mine, theirs] = [base, base + 500];
  const packet = (toServer: boolean, options: SegmentOptions) =>
    segment({
      ...(toServer
        ? { source: client, destination: server, sourcePort: port, destinationPort: 80 }
        : { source: server, destination: client, sourcePort: 80, destinationPort: port }),
      identification: identification++,
      ...options,
    });
  const asked = mine + 1 + request.length;
  const told = theirs + 1 + answer.length;
  return [
    packet(true, { flags: 'S', sequence: mine }),
    packet(false, { flags: 'SA', sequence: theirs, acknowledgment: mine + 1 }),
    packet(true, { flags: 'A', sequence: mine + 1, acknowledgment: theirs + 1 }),
    packet(true, { flags: 'PA', sequence: mine + 1, acknowledgment: theirs + 1, payload: request }),
    packet(false, { flags: 'PA', sequence: theirs + 1, acknowledgment: asked, payload: answer }),
    packet(true, { flags: 'FA', sequence: asked, acknowledgment: told }),
    packet(false, { flags: 'FA', sequence: told, acknowledgment: asked + 1 }),
    packet(true, { flags: 'A', sequence: asked + 1, acknowledgment: told + 1 }),
  ];
}

async function file(name: string, content: Uint8Array | string): Promise<string> {
  const path = join(await temporaryFolder(), name);
  await writeFile(path, content);
  return path;
}

const two = () => pcap([...connection(40_001), ...connection(40_002, { client: '192.168.11.105' })]);

describe('the document', () => {
  test('has for each capture its format, link type, packets and connections', async () => {
    const path = await file('eth0.pcap', two());
    const { code, out } = await inspect([path, '--json']);
    const document = JSON.parse(out);
    expect(code).toBe(0);
    expect(out.endsWith('\n')).toBe(true);
    expect(Object.keys(document)).toEqual(['schema', 'captures']);
    expect(document.schema).toBe('lblab/inspect@1');
    const [capture] = document.captures;
    expect(Object.keys(capture)).toEqual([
      'path',
      'format',
      'linkType',
      'packets',
      'truncated',
      'connections',
    ]);
    expect(capture).toMatchObject({
      path,
      format: 'pcap',
      linkType: 'ETHERNET',
      packets: 16,
      truncated: false,
    });
    expect(capture.connections).toHaveLength(2);
    expect(capture.connections[0]).toEqual({
      protocol: 'tcp',
      client: { address: CLIENT, port: 40_001 },
      server: { address: VIP, port: 80 },
      state: 'closed',
      complete: true,
      packets: { toServer: 5, toClient: 3 },
      bytes: { toServer: 5 * 54 + 28, toClient: 3 * 54 + 41 },
      isn: { client: 40_001_000, server: 40_001_500 },
      analysis: {},
      http: [
        {
          request: {
            method: 'GET',
            target: '/',
            version: 'HTTP/1.0',
            startLine: 'GET / HTTP/1.0',
            headers: [['Host', 'lb']],
            bodyLength: 0,
            complete: true,
            packets: [4],
          },
          response: {
            status: 200,
            reason: 'OK',
            version: 'HTTP/1.0',
            startLine: 'HTTP/1.0 200 OK',
            headers: [['Content-Length', '3']],
            bodyLength: 3,
            complete: true,
            packets: [5],
          },
        },
      ],
    });
  });

  test('an initial sequence number that no packet shows is null', async () => {
    const path = await file('syn.pcap', pcap([connection(40_001)[0]!]));
    const document = JSON.parse((await inspect([path, '--json'])).out);
    expect(document.captures[0].connections[0]).toMatchObject({
      state: 'unanswered',
      complete: false,
      isn: { client: 40_001_000, server: null },
    });
  });

  test('truncated says where and why a capture is cut; what was whole is there', async () => {
    const path = await file('cut.pcap', two().subarray(0, -5));
    const [capture] = JSON.parse((await inspect([path, '--json'])).out).captures;
    expect(capture.truncated).toMatch(
      /^the file ends inside a record that starts at byte \d+, after packet 15$/,
    );
    expect(capture.packets).toBe(15);
    expect(capture.connections).toHaveLength(2);
  });

  test('standard input is `-`, gzip-compressed too, in pieces', async () => {
    const bytes = gzipSync(two());
    const pieces = [bytes.subarray(0, 1), bytes.subarray(1, 100), bytes.subarray(100)];
    const [capture] = JSON.parse((await inspect(['-', '--json'], { input: pieces })).out).captures;
    expect(capture).toMatchObject({ path: '-', packets: 16, truncated: false });
    expect(capture.connections).toHaveLength(2);
  });

  test('a limit says how many connections are left out', async () => {
    const path = await file('eth0.pcap', two());
    const [capture] = JSON.parse((await inspect([path, '--json', '--limit', '1'])).out).captures;
    expect(capture.connections).toHaveLength(1);
    expect(capture.omitted).toEqual({ connections: 1 });
  });
});

describe('filters', () => {
  const ports = async (path: string, ...argv: string[]) =>
    (
      JSON.parse((await inspect([path, '--json', ...argv])).out).captures[0].connections as {
        client: { port: number };
      }[]
    ).map(({ client }) => client.port);
  const mixed = async () =>
    file(
      'mixed.pcap',
      pcap([
        ...connection(40_001),
        ...connection(40_002, {
          client: '192.168.11.105',
          request: 'GET /Cart HTTP/1.0\r\nCookie: stay=be1\r\n\r\n',
        }),
        ...connection(40_003, { server: '10.133.1.2' }).slice(0, 1),
        segment({
          source: CLIENT,
          destination: VIP,
          sourcePort: 40_004,
          destinationPort: 8080,
          flags: 'S',
          sequence: 1,
        }),
        segment({
          source: VIP,
          destination: CLIENT,
          sourcePort: 8080,
          destinationPort: 40_004,
          flags: 'RA',
          acknowledgment: 2,
        }),
        ...connection(40_005),
        connection(40_005)[3]!,
      ]),
    );

  test.each<[string[], number[]]>([
    [
      ['--client', CLIENT],
      [40_001, 40_003, 40_004, 40_005],
    ],
    [['--client', '192.168.11.105/32'], [40_002]],
    [['--client', `${CLIENT}:40005`], [40_005]],
    [
      ['--client', CLIENT, '--client', '192.168.11.105'],
      [40_001, 40_002, 40_003, 40_004, 40_005],
    ],
    [['--server', VIP, '--state', 'refused'], [40_004]],
    [['--server', '10.0.0.0/8'], [40_003]],
    [['--host', '10.133.1.2'], [40_003]],
    [['--port', '8080'], [40_004]],
    [
      ['--port', '40001,40003-40004'],
      [40_001, 40_003, 40_004],
    ],
    [['--connection', '2'], [40_002]],
    [
      ['--connection', '1,4-5'],
      [40_001, 40_004, 40_005],
    ],
    [
      ['--state', 'unanswered,refused'],
      [40_003, 40_004],
    ],
    [['--protocol', 'udp'], []],
    [['--analysis', 'any'], [40_005]],
    [['--analysis', 'spurious-retransmission'], [40_005]],
    [['--analysis', 'zero-window'], []],
    [['--http'], [40_001, 40_002, 40_005]],
    [['--match', 'cookie: stay=be\\d'], [40_002]],
    [['--match', '^get /cart'], [40_002]],
    [
      ['--http', '--client', CLIENT, '--state', 'closed'],
      [40_001, 40_005],
    ],
  ])('%j', async (argv, expected) => {
    expect(await ports(await mixed(), ...argv)).toEqual(expected);
  });

  test('keep the numbers that connections have in the whole capture', async () => {
    const { out } = await inspect([await mixed(), '--client', '192.168.11.105']);
    expect(out).toContain('1 of 5 connections chosen');
    expect(out).toMatch(/^ {2}2 {2}192\.168\.11\.105:40002 {2}192\.168\.11\.107:80 /m);
  });

  test.each([
    [['--client', '300.1.1.1'], /give an address such as 10\.0\.0\.1/],
    [['--port', '70000'], /up to 65535/],
    [['--port', '90-80'], /give a number, a range/],
    [['--state', 'closd'], /did you mean closed\?/],
    [['--analysis', 'retransmision'], /did you mean retransmission\?/],
    [['--match', '('], /Invalid regular expression/],
  ])('%j is refused with what would do', async (argv, message) => {
    await expect(inspect(['x.pcap', ...argv])).rejects.toThrow(message);
  });
});

describe('text', () => {
  test('lists connections, sources, conversations and requests', async () => {
    const path = await file('eth0.pcap', two());
    const { out } = await inspect([path]);
    expect(out).toBe(
      [
        `${path}: pcap, ETHERNET, 16 packets, 2 connections, 15.0 ms`,
        '  #  CLIENT                SERVER             PROTO  STATE   PACKETS  BYTES      RTT      HTTP',
        '  1  192.168.11.104:40001  192.168.11.107:80  tcp    closed  5 + 3    298 + 203  2.00 ms  1',
        '  2  192.168.11.105:40002  192.168.11.107:80  tcp    closed  5 + 3    298 + 203  2.00 ms  1',
        '  source addresses',
        '    192.168.11.104  1 connection  8 packets  501 bytes',
        '    192.168.11.105  1 connection  8 packets  501 bytes',
        '  conversations',
        '    192.168.11.104 > 192.168.11.107:80 tcp  1 connection  8 packets  501 bytes',
        '    192.168.11.105 > 192.168.11.107:80 tcp  1 connection  8 packets  501 bytes',
        '  HTTP requests',
        '    #1  GET / HTTP/1.0  Host: lb  200 OK (3 bytes)  1.00 ms',
        '    #2  GET / HTTP/1.0  Host: lb  200 OK (3 bytes)  1.00 ms',
        '',
      ].join('\n'),
    );
  });

  test('--headers shows request lines and headers as sent; -v the answers too', async () => {
    const path = await file('eth0.pcap', pcap(connection(40_001)));
    const { out } = await inspect([path, '--headers', '-v']);
    expect(out).toContain(
      [
        '  #1  192.168.11.104:40001 > 192.168.11.107:80  packet 4',
        '    GET / HTTP/1.0',
        '    Host: lb',
        '  answer',
        '    HTTP/1.0 200 OK',
        '    Content-Length: 3',
        '',
      ].join('\n'),
    );
  });

  test('--packets shows a line for each packet of what is chosen', async () => {
    const path = await file('eth0.pcap', two());
    const { out } = await inspect([path, '--packets', '--connection', '2']);
    expect(out.slice(out.indexOf('  packets\n')).split('\n')).toEqual([
      '  packets',
      '     9  0.008000  192.168.11.105:40002 > 192.168.11.107:80  SYN seq 40002000 len 0  ttl 64',
      '    10  0.009000  192.168.11.107:80 > 192.168.11.105:40002  SYN ACK seq 40002500 ack 40002001 len 0  ttl 64',
      '    11  0.010000  192.168.11.105:40002 > 192.168.11.107:80  ACK seq 40002001 ack 40002501 len 0  ttl 64',
      '    12  0.011000  192.168.11.105:40002 > 192.168.11.107:80  PSH ACK seq 40002001 ack 40002501 len 28  ttl 64  GET / HTTP/1.0',
      '    13  0.012000  192.168.11.107:80 > 192.168.11.105:40002  PSH ACK seq 40002501 ack 40002029 len 41  ttl 64  HTTP/1.0 200 OK',
      '    14  0.013000  192.168.11.105:40002 > 192.168.11.107:80  FIN ACK seq 40002029 ack 40002542 len 0  ttl 64',
      '    15  0.014000  192.168.11.107:80 > 192.168.11.105:40002  FIN ACK seq 40002542 ack 40002030 len 0  ttl 64',
      '    16  0.015000  192.168.11.105:40002 > 192.168.11.107:80  ACK seq 40002030 ack 40002543 len 0  ttl 64',
      '',
    ]);
  });

  test('lists are cut at 50 rows, and say so', async () => {
    const path = await file(
      'many.pcap',
      pcap(Array.from({ length: 60 }, (_, index) => connection(41_000 + index)).flat()),
    );
    const { out } = await inspect([path]);
    expect(out).toContain('    and 10 connections more: --limit 0 shows all, a filter fewer\n');
    expect(out.match(/^ {2}\d+ +192\.168\.11\.104:/gm)).toHaveLength(50);
    expect((await inspect([path, '--limit', '0'])).out.match(/^ {2}\d+ +192\.168\.11\.104:/gm)).toHaveLength(
      60,
    );
  });

  test('what packets carry cannot move the cursor, and long lines are cut', async () => {
    const request = `GET /\u001b]0;owned\u0007 HTTP/1.0\r\nX-Escape: \u001b[2J\u0000\u009b31m\r\nX-Long: ${'a'.repeat(60_000)}\r\n\r\n`;
    const path = await file(
      'hostile.pcap',
      pcap(connection(40_001, { request: Buffer.from(request, 'latin1').toString('latin1') })),
    );
    for (const argv of [[], ['--headers', '-v'], ['--packets']]) {
      const { out } = await inspect([path, ...argv]);
      // eslint-disable-next-line no-control-regex
      expect(out).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
      expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThan(3000);
    }
  });
});

describe('several captures', () => {
  const nat = async () => {
    const outside = connection(40_001);
    const inside = connection(40_001, { server: '10.133.1.2' });
    const later = (frames: Buffer[], offset: bigint) =>
      frames.map((frame, index) => ({
        frame,
        time: 1_700_000_000_000_000_000n + BigInt(index) * 1_000_000n + offset,
      }));
    return [
      await file('eth0.pcap', pcap(later(outside, 0n))),
      await file('eth1.pcap', pcap(later(inside, 50_000n))),
    ];
  };

  test('are joined: the same packets, what was rewritten, which connections are one', async () => {
    const { out } = await inspect(await nat());
    expect(out.slice(out.indexOf('the same')).split('\n')).toEqual([
      'the same in several places',
      '  ways of packets',
      '    eth0.pcap > eth1.pcap: 8 packets of 1 connection',
      '      destination-address in 5 192.168.11.107 to 10.133.1.2; source-address in 3 192.168.11.107 to 10.133.1.2; after 50.0 µs (median), 50.0 µs (most)',
      '  one connection',
      '    eth0.pcap #1 = eth1.pcap #1  192.168.11.104:40001 > 192.168.11.107:80 = 192.168.11.104:40001 > 10.133.1.2:80',
      '',
    ]);
  });

  test('a request that a proxy passes on is shown with both connections', async () => {
    const outside = connection(40_001);
    const inside = connection(50_001, { client: '10.133.1.1', server: '10.133.1.2' });
    const start = 1_700_000_000_000_000_000n;
    const at = (frames: Buffer[], from: bigint) =>
      frames.map((frame, index) => ({ frame, time: start + from + BigInt(index) * 1000n }));
    const paths = [
      await file('eth0.pcap', pcap([...at(outside.slice(0, 4), 0n), ...at(outside.slice(4), 100_000n)])),
      await file('eth1.pcap', pcap(at(inside, 10_000n))),
    ];
    const { out } = await inspect(paths);
    expect(out.slice(out.indexOf('the same')).split('\n')).toEqual([
      'the same in several places',
      '  requests passed on by a proxy, on another connection',
      '    GET / HTTP/1.0  192.168.11.104:40001 > 192.168.11.107:80 then 10.133.1.1:50001 > 10.133.1.2:80  eth0.pcap #1, then eth1.pcap #1  after 10.0 µs',
      '',
    ]);
  });
});

describe('what is no capture', () => {
  test('is named with what it looks like, all of them at once; exit code 2', async () => {
    const folder = await temporaryFolder();
    const text = join(folder, 'notes.txt');
    await writeFile(text, 'hello\n');
    const none = join(folder, 'none.pcap');
    await expect(inspect([text, none, folder])).rejects.toMatchObject({
      exitCode: 2,
      message: [
        `${text}: not a capture: it looks like text; inspect reads pcap and pcapng, gzip-compressed too`,
        `${none}: no such file`,
        `${folder}: it is a folder`,
      ].join('\n'),
    });
  });

  test.each([
    ['empty.pcap', new Uint8Array(0), 'the file is empty'],
    ['program', Buffer.from('\u007fELF\u0002\u0001', 'latin1'), 'it looks like a program (ELF)'],
    ['page.html', Buffer.from('<!doctype html>'), 'it looks like HTML or XML'],
  ])('%s', async (name, bytes, message) => {
    await expect(inspect([await file(name, bytes)])).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringContaining(`not a capture: ${message}`),
    });
  });

  test('nor is a terminal', async () => {
    await expect(inspect(['-'], { isTerminal: true })).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringContaining('standard input is a terminal'),
    });
  });

  test('a capture without packets is one', async () => {
    const { code, out } = await inspect([await file('quiet.pcap', pcap([]))]);
    expect(code).toBe(0);
    expect(out).toMatch(/quiet\.pcap: pcap, ETHERNET, 0 packets, 0 connections\n$/);
  });
});

describe('a long capture', () => {
  test('is read once for its figures, says that HTTP was not read, and --whole reads it', async () => {
    const padding = segment({
      source: CLIENT,
      destination: VIP,
      sourcePort: 40_001,
      flags: 'A',
      payload: Buffer.alloc(65_000),
    });
    const frames = [...connection(40_001), ...Array.from({ length: 1040 }, () => padding)];
    const path = await file('long.pcap', pcap(frames));
    const [capture] = JSON.parse((await inspect([path, '--json'])).out).captures;
    expect(capture).toMatchObject({ packets: 1048, truncated: false, omitted: { connections: 0 } });
    expect(capture.omitted.http).toMatch(/longer than 64 MiB/);
    expect(capture.connections[0]).toMatchObject({ client: { address: CLIENT, port: 40_001 }, http: [] });
    expect((await inspect([path])).out).toContain('figures only: it is longer than 64 MiB');
    const [whole] = JSON.parse((await inspect([path, '--json', '--whole'])).out).captures;
    expect(whole.omitted).toBeUndefined();
    expect(whole.connections[0].http).toHaveLength(1);
  });

  test('one that is long only when decompressed is too', async () => {
    const padding = segment({
      source: CLIENT,
      destination: VIP,
      sourcePort: 40_001,
      flags: 'A',
      payload: Buffer.alloc(65_000),
    });
    const bytes = gzipSync(pcap(Array.from({ length: 1040 }, () => padding)));
    expect(bytes.length).toBeLessThan(1_000_000);
    const [capture] = JSON.parse((await inspect([await file('bomb.pcap.gz', bytes), '--json'])).out).captures;
    expect(capture.packets).toBe(1040);
    expect(capture.omitted.http).toMatch(/longer than 64 MiB/);
  });
});

test('DNS is decoded: what was asked, and the answers in their order', async () => {
  const path = new URL('../fixtures/evidence/dnsrr/client.pcap', import.meta.url).pathname;
  const { code, out } = await inspect([path, '--packets', '--connection', '1']);
  expect(out).toContain(
    '    1  0.000000  192.168.11.104:33037 > 192.168.11.53:53  UDP len 34  A? www.example.test  ttl 64\n' +
      '    2  0.000346  192.168.11.53:53 > 192.168.11.104:33037  UDP len 66  A? www.example.test = A 192.168.11.108, A 192.168.11.109  ttl 64\n',
  );
  expect(code).toBe(0);
});
