// Each matcher: what it accepts, what it refuses and in which words, and that without evidence neither it nor its `.not` holds.
import '../../src/vitest.ts';
import { describe, expect, test } from 'vitest';
import { connections, readCapture, type Capture } from '../../src/pcap/index.ts';
import { parseTopology } from '../../src/topology/index.ts';
import type { Check, Evidence, RequestRecord } from '../../src/verify/types.ts';
import { pcap, segment } from '../pcap/build.ts';

interface Ends {
  readonly client?: string;
  readonly server?: string;
  readonly port?: number;
  readonly isn?: number;
  readonly header?: string;
}

/** A handshake with a request; enough to know a connection by. */
function opened({
  client = '10.0.0.4',
  server = '10.0.0.7',
  port = 40_000,
  isn = 1000,
  header = 'Host: x',
}: Ends): Buffer[] {
  const there = { source: client, destination: server, sourcePort: port, destinationPort: 80 };
  const back = { source: server, destination: client, sourcePort: 80, destinationPort: port };
  return [
    segment({ ...there, flags: 'S', sequence: isn }),
    segment({ ...back, flags: 'SA', sequence: isn + 500, acknowledgment: isn + 1 }),
    segment({
      ...there,
      flags: 'PA',
      sequence: isn + 1,
      acknowledgment: isn + 501,
      payload: `GET / HTTP/1.0\r\n${header}\r\n\r\n`,
    }),
  ];
}

const capture = async (...ends: Ends[]): Promise<Capture> => readCapture(pcap(ends.flatMap(opened)));
const silent = async () => readCapture(pcap([]));

const TOPOLOGY = parseTopology(
  `
segments: {net: 10.0.0.0/24}
nodes:
  client: {role: client, interfaces: {eth0: {segment: net, address: 10.0.0.4}}}
  lb: {role: balancer, interfaces: {eth0: {segment: net, address: 10.0.0.6}}}
  be1: {role: backend, httpd: nginx, interfaces: {eth0: {segment: net, address: 10.0.0.8}}}
  be2: {role: backend, httpd: nginx, interfaces: {eth0: {segment: net, address: 10.0.0.9}}}
balancer: {node: lb, method: nginx, vip: 10.0.0.6, backends: [be1, be2]}
`,
  'tiny.yaml',
);

function evidence(captures: Record<string, Capture>, requests: readonly RequestRecord[] = []): Evidence {
  const points = Object.entries(captures).map(
    ([name, each]) =>
      [name, { name, node: name, interface: 'eth0', path: `/x/${name}.pcap`, capture: each }] as const,
  );
  return { topology: TOPOLOGY, captures: new Map(points), ...(requests.length > 0 && { requests }) };
}

const answers = (...backends: (string | undefined)[]): RequestRecord[] =>
  backends.map((backend, index) => ({
    client: 'client',
    number: index + 1,
    localPort: 40_000 + index,
    status: 200,
    seconds: 0.01,
    backend,
  }));

const message = (attempt: () => void): string => {
  try {
    attempt();
  } catch (error) {
    return (error as Error).message;
  }
  return 'it held';
};

describe('toHaveConnections', () => {
  test('counts those of a capture, of connections, of one connection', async () => {
    const two = await capture({ port: 40_000 }, { port: 40_001, isn: 9000 });
    expect(two).toHaveConnections(2);
    expect(two).not.toHaveConnections(3);
    expect(connections(two)).toHaveConnections(2);
    expect(connections(two)[0]).toHaveConnections(1);
    expect(await silent()).toHaveConnections(0);
  });

  test('lists what there is', async () => {
    const one = await capture({});
    expect(message(() => expect(one).toHaveConnections(2))).toBe(
      'expected 2 TCP connections, and there is 1:\n  10.0.0.4:40000 > 10.0.0.7:80  established, 2 + 1 packets\n',
    );
    expect(message(() => expect(one).not.toHaveConnections(1))).toMatch(/^expected not 1 TCP connection/);
  });

  test('says what it is about', () => {
    expect(message(() => expect('eth0.pcap').toHaveConnections(1))).toBe(
      'toHaveConnections is about a capture, a capture point (evidence.at(NAME)), or connections(capture)',
    );
  });
});

describe('toSeeSource', () => {
  test('is about every connection', async () => {
    const mixed = await capture({}, { client: '10.0.0.5', isn: 9000 });
    expect(await capture({})).toSeeSource('10.0.0.4');
    expect(await capture({})).not.toSeeSource('10.0.0.5');
    expect(mixed).not.toSeeSource('10.0.0.4');
    expect(message(() => expect(mixed).toSeeSource('10.0.0.4'))).toBe(
      'expected every connection to come from 10.0.0.4; they come from:\n  10.0.0.4  1 connection\n  10.0.0.5  1 connection\n',
    );
  });

  test('does not hold of nothing, nor does its opposite', async () => {
    const none = await silent();
    expect(message(() => expect(none).toSeeSource('10.0.0.4'))).toMatch(/none was captured/);
    expect(message(() => expect(none).not.toSeeSource('10.0.0.4'))).toMatch(/none was captured/);
  });
});

describe('toBeOneConnection', () => {
  test('knows a connection by both initial sequence numbers, whatever its addresses', async () => {
    const outside = await capture({ isn: 1000 });
    expect([outside, await capture({ server: '10.9.9.9', isn: 1000 })]).toBeOneConnection();
    expect([outside, await capture({ isn: 2000 })]).not.toBeOneConnection();
    expect([outside, await capture({ isn: 1000 }, { port: 41_000, isn: 3000 })]).not.toBeOneConnection();
  });

  test('shows the numbers', async () => {
    const sides = [await capture({ isn: 1000 }), await capture({ isn: 2000 })];
    expect(message(() => expect(sides).toBeOneConnection())).toBe(
      'expected the places to see the same connections:\n' +
        '  place 1: 10.0.0.4:40000 > 10.0.0.7:80  established, 2 + 1 packets, initial sequence numbers 1000 and 1500\n' +
        '  place 2: 10.0.0.4:40000 > 10.0.0.7:80  established, 2 + 1 packets, initial sequence numbers 2000 and 2500\n',
    );
  });

  test('does not hold of nothing, nor does its opposite', async () => {
    const sides = [await capture({}), await silent()];
    expect(message(() => expect(sides).toBeOneConnection())).toMatch(/one of them has none/);
    expect(message(() => expect(sides).not.toBeOneConnection())).toMatch(/one of them has none/);
  });
});

describe('toPassThrough', () => {
  const oneWay = async () => readCapture(pcap([opened({})[0]!, opened({})[2]!]));

  test('follows the connections of the clients, each way', async () => {
    const dsr = evidence({
      client: await capture({}),
      lb: await oneWay(),
      be1: await capture({ server: '10.0.0.8' }),
    });
    expect(dsr).toPassThrough(['lb', 'be1'], 'to-server');
    expect(dsr).toPassThrough('be1');
    expect(dsr).not.toPassThrough('lb', 'to-client');
    expect(dsr).not.toPassThrough(['lb', 'be1']);
    expect(message(() => expect(dsr).toPassThrough(['lb', 'be1'], 'to-client'))).toBe(
      'expected 1 connection to pass lb and be1 towards the client:\n  lb  0 of 1\n  be1  1 of 1\n',
    );
  });

  test('names the captures that there are', async () => {
    const seen = evidence({ client: await capture({}) });
    expect(message(() => expect(seen).toPassThrough('eth9'))).toBe(
      'there is no capture "eth9"; there are client',
    );
  });
});

describe('toHaveHeader', () => {
  test('is about every request, by name without regard to case, by value or pattern', async () => {
    const seen = await capture({ header: 'X-Forwarded-For: 10.0.0.4' });
    expect(seen).toHaveHeader('x-forwarded-for');
    expect(seen).toHaveHeader('X-Forwarded-For', '10.0.0.4');
    expect(seen).toHaveHeader('X-Forwarded-For', /^10\./g);
    expect(seen).not.toHaveHeader('X-Forwarded-For', '10.0.0.5');
    expect(connections(seen)[0]!.http[0]).toHaveHeader('X-Forwarded-For');
    expect(connections(seen)[0]!.http[0]!.request).not.toHaveHeader('Cookie');
  });

  test('.not is about every request too', async () => {
    const mixed = await capture({ header: 'Cookie: a=b' }, { port: 40_001, isn: 9000 });
    expect(message(() => expect(mixed).toHaveHeader('Cookie'))).toBe(
      'expected every request to have Cookie; 1 of 2 do:\n  GET / HTTP/1.0  Cookie: a=b\n  GET / HTTP/1.0  no Cookie\n',
    );
    expect(message(() => expect(mixed).not.toHaveHeader('Cookie'))).toMatch(
      /^expected no request to have Cookie; 1 of 2 do/,
    );
  });

  test('shows what came from packets without its control characters', async () => {
    const hostile = await capture({ header: 'Cookie: \u001b[2J' });
    expect(message(() => expect(hostile).toHaveHeader('Cookie', 'x'))).toContain(String.raw`Cookie: \x1b[2J`);
  });
});

describe('toBeSpread', () => {
  test('wants every backend, and as even as it is told', () => {
    expect(answers('be1', 'be2', 'be1')).toBeSpread();
    expect(answers('be1', 'be2', 'be1')).toBeSpread({ within: 1 });
    expect(answers('be1', 'be2', 'be1')).not.toBeSpread({ within: 0 });
    expect(answers('be1', 'be1')).not.toBeSpread();
    expect(answers('be1', 'be2')).not.toBeSpread({ over: ['be1', 'be2', 'be3'] });
    expect(evidence({}, answers('be1', 'be2'))).toBeSpread();
    expect(message(() => expect(evidence({}, answers('be1', 'be1'))).toBeSpread())).toBe(
      'expected requests to be spread over the backends:\n  be1  2\n  be2  0\n',
    );
  });

  test('does not hold when nobody answered, nor does its opposite', () => {
    const none = evidence({}, answers(undefined));
    expect(message(() => expect(none).toBeSpread())).toMatch(/none answered/);
    expect(message(() => expect(none).not.toBeSpread())).toMatch(/none answered/);
  });
});

describe('toPass', () => {
  const check = (id: string, status: Check['status']): Check => ({
    id,
    title: `${id} is so`,
    judged: true,
    status,
    expected: 'this',
    observed: 'that',
    evidence: [],
  });

  test('takes checks, all or one of them', () => {
    const checks = [check('a', 'pass'), check('b', 'fail')];
    expect(checks).toPass('a');
    expect(checks).not.toPass('b');
    expect(checks.slice(0, 1)).toPass();
    expect(message(() => expect(checks).toPass())).toBe(
      'expected every claim to hold\n\nb fails: b is so\n  expected  this\n  observed  that\n',
    );
    expect(message(() => expect(checks).not.toPass('a'))).toMatch(/^expected a to fail\n\na holds/);
  });

  test('what is undecided neither passes nor fails', () => {
    const checks = [check('a', 'unknown')];
    expect(message(() => expect(checks).toPass('a'))).toContain('a is undecided');
    expect(message(() => expect(checks).not.toPass('a'))).toContain('a is undecided');
  });

  test('a claim that was not judged is named', () => {
    expect(message(() => expect([check('a', 'pass')]).toPass('z'))).toBe(
      'expected a verdict on z, and there is none; judged were a',
    );
  });

  test('judges evidence, and shows the packets', async () => {
    const seen = evidence({ client: await capture({ server: '10.0.0.8' }) });
    expect(message(() => expect(seen).toPass('l7.vip'))).toContain(
      '  client.pcap\n    1  0.000000  10.0.0.4:40000 > 10.0.0.8:80  SYN seq 1000 len 0  ttl 64\n',
    );
  });
});
