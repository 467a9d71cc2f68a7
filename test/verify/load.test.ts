// A load is accounted for when generators, captures and access logs all have every connection; what is lost in any of them is found.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { readCapture } from '../../src/pcap/index.ts';
import { takeCensus } from '../../src/verify/census.ts';
import { summary } from '../../src/verify/index.ts';
import { judgeLoad, loadFigures, type LoadCapture, type LoadEvidence } from '../../src/verify/load.ts';
import { recorded } from './evidence.ts';

const folder = await mkdtemp(join(tmpdir(), 'lblab-load-'));
afterAll(async () => rm(folder, { recursive: true }));

/** A round that was recorded, as if its requests had been a load. */
async function loadOf(
  lab: string,
  change: (capture: LoadCapture) => LoadCapture | Promise<LoadCapture> = (capture) => capture,
): Promise<LoadEvidence> {
  const { topology, requests, captures, accessLogs } = await recorded(lab);
  const wanted = requests!.length;
  const changed = await Promise.all(
    [...captures.values()].map(async ({ name, node, interface: link, path }) =>
      change({ name, node, interface: link, path, dropped: 0 }),
    ),
  );
  return {
    topology,
    wanted,
    clients: [{ client: 'client', wanted, started: wanted, answered: wanted, good: wanted, timeout: 0 }],
    captures: changed,
    sides: await takeCensus(changed, topology),
    logs: new Map([...accessLogs!].map(([node, lines]) => [node, lines.length])),
  };
}

const failures = (evidence: LoadEvidence) =>
  judgeLoad(evidence).flatMap(({ id, status, judged, observed }) =>
    judged && status !== 'pass' ? [`${status} ${id}: ${observed}`] : [],
  );

/** A copy of a capture without the packets of its last connection. */
async function withoutOne(capture: LoadCapture): Promise<LoadCapture> {
  const bytes = await readFile(capture.path);
  const { packets } = await readCapture(capture.path);
  const lost = packets.findLast(({ tcp }) => tcp?.flags.syn === true && !tcp.flags.ack)!.tcp!.sourcePort;
  let at = 24;
  const kept = [bytes.subarray(0, at)];
  for (const { tcp } of packets) {
    const end = at + 16 + bytes.readUInt32LE(at + 8);
    if (tcp?.sourcePort !== lost && tcp?.destinationPort !== lost) kept.push(bytes.subarray(at, end));
    at = end;
  }
  const path = join(folder, `${capture.name}.pcap`);
  await writeFile(path, Buffer.concat(kept));
  return { ...capture, path };
}

describe('every connection is accounted for', () => {
  test.each(['l7', 'nat', 'fullnat', 'dsr', 'dsr-article', 'tun', 'nat-two-clients', 'l7-stream'])(
    'in %s',
    async (lab) => {
      const evidence = await loadOf(lab);
      expect(failures(evidence)).toEqual([]);
      expect(summary(judgeLoad(evidence))).toBe('pass');
      const { wanted } = evidence;
      expect(loadFigures(evidence).connections).toEqual({
        client: wanted,
        outside: wanted,
        inside: wanted,
        backend: wanted,
      });
    },
  );

  test('where there is no balancer, at the ends', async () => {
    const evidence = await loadOf('direct');
    expect(failures(evidence)).toEqual([]);
    expect(loadFigures(evidence).connections).toEqual({ client: evidence.wanted, backend: evidence.wanted });
  });
});

test('times are from the SYN to the first byte of the answer', async () => {
  const { latency, requestsPerSecond } = loadFigures(await loadOf('nat'));
  const { captures } = await recorded('nat');
  const { packets } = captures.get('client')!.capture;
  const times = packets
    .filter(({ tcp }) => tcp?.flags.syn === true && !tcp.flags.ack)
    .map(({ tcp, time }) => {
      const answer = packets.find(
        (packet) => packet.tcp?.destinationPort === tcp!.sourcePort && packet.tcp.payloadLength > 0,
      );
      return Number(answer!.time - time);
    })
    .sort((a, b) => a - b);
  expect(latency).toEqual({ p50: times[1], p90: times[3], p99: times[3], max: times[3] });
  expect(requestsPerSecond).toBeGreaterThan(0);
});

describe('a connection that is missing is a failure', () => {
  test.each([
    ['client', 'fail load.client: 3 connections'],
    ['eth0', 'fail load.outside: 3 connections'],
    ['eth1', 'fail load.inside: 3 connections'],
  ])('in the capture %s', async (name, failure) => {
    const evidence = await loadOf('nat', async (capture) =>
      capture.name === name ? withoutOne(capture) : capture,
    );
    expect(failures(evidence)).toEqual([failure]);
    expect(summary(judgeLoad(evidence))).toBe('fail');
  });

  test('at a backend, whose log then has a line too many', async () => {
    const evidence = await loadOf('nat', async (capture) =>
      capture.name === 'be1' ? withoutOne(capture) : capture,
    );
    expect(failures(evidence)).toEqual([
      'fail load.backend: 3 connections: be1 1 and be2 2',
      'fail load.logs: 4 lines: be1 2 and be2 2; be1 had 1 connection',
    ]);
  });

  test('that was not answered', async () => {
    const evidence = await loadOf('nat', (capture) => capture);
    const sides = evidence.sides.map((side) => (side.place === 'client' ? { ...side, whole: 3 } : side));
    expect(failures({ ...evidence, sides })).toEqual(['fail load.client: 4 connections; 1 not whole']);
  });
});

test('a line that is missing in an access log is a failure', async () => {
  const evidence = await loadOf('l7');
  const logs = new Map(evidence.logs).set('be1', evidence.logs.get('be1')! - 1);
  expect(failures({ ...evidence, logs })).toEqual([
    `fail load.logs: ${evidence.wanted - 1} lines: be1 ${logs.get('be1')} and be2 ${logs.get('be2')}; be1 had ${logs.get('be1')! + 1} connections`,
  ]);
});

test('a request that failed is a failure, whatever the captures say', async () => {
  const evidence = await loadOf('nat', (capture) => ({
    ...capture,
    incomplete: 'the kernel dropped 7 packets',
  }));
  const [client] = evidence.clients;
  const clients = [{ ...client!, answered: 3, good: 2, timeout: 1 }];
  expect(failures({ ...evidence, clients })[0]).toBe(
    'fail load.requests: 4 requests, 2 answered: 1 answered with an error and 1 given up',
  );
  expect(summary(judgeLoad({ ...evidence, clients }))).toBe('fail');
});

test('a generator that said nothing has done nothing', async () => {
  const evidence = await loadOf('nat');
  const clients = [{ client: 'client', wanted: 4, problem: 'h2load: not finished after 5 s' }];
  expect(failures({ ...evidence, clients })).toEqual([
    'fail load.requests: client: h2load: not finished after 5 s',
  ]);
});

test('where a capture lost packets nothing is decided, even if the numbers agree', async () => {
  const evidence = await loadOf('nat', (capture) =>
    capture.name === 'eth1'
      ? { ...capture, dropped: 7, incomplete: 'the kernel dropped 7 packets' }
      : capture,
  );
  expect(failures(evidence)).toEqual([
    'unknown load.inside: the capture eth1 is not whole: the kernel dropped 7 packets; 4 connections seen',
  ]);
  expect(summary(judgeLoad(evidence))).toBe('unknown');
  expect(loadFigures(evidence).dropped).toBe(7);
});
