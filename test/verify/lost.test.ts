// Which requests are lost when a server goes down, as a client's log says it and as its packets show it: a round in which nginx lost nothing,
// with one thing changed.
import { describe, expect, test } from 'vitest';
import type { Packet } from '../../src/pcap/index.ts';
import { failovers, type Failover } from '../../src/verify/failover.ts';
import type { Evidence, RequestRecord } from '../../src/verify/types.ts';
import { edited, recorded } from './evidence.ts';

const whole = await recorded('l7-fault');
const [fault] = whole.faults!;
/** Requests before and after the fault, in the order in which they began. */
const before = whole.requests!.filter(({ began }) => began! < fault!.done);
const after = whole.requests!.filter(({ began }) => began! >= fault!.done);

const answer = (packet: Packet) => Buffer.from(packet.tcp?.payload ?? []).toString('latin1');

/** Changes the first request's packets at the client. */
function changed(change: (packet: Packet) => Packet | undefined): Evidence {
  const { localPort } = whole.requests![0]!;
  return edited(whole, ['client'], (packet) =>
    packet.tcp?.sourcePort === localPort || packet.tcp?.destinationPort === localPort
      ? change(packet)
      : packet,
  );
}

const requestsWith = (change: Partial<RequestRecord>): Evidence => ({
  ...whole,
  requests: whole.requests!.map((request, index) => (index === 0 ? { ...request, ...change } : request)),
});

describe('a request is lost by the log', () => {
  test.each<[number, string, Partial<RequestRecord>]>([
    [0, 'with an answer', {}],
    [0, 'with status 399', { status: 399 }],
    [1, 'with status 400', { status: 400 }],
    [1, 'without a status', { status: 0 }],
    [1, 'with an error, whatever had come of the answer', { error: 'transfer closed' }],
  ])('%d %s', (lost, _, change) => {
    const [{ log, timeline }] = failovers(requestsWith(change)) as [Failover];
    expect(log.lost).toBe(lost);
    expect(timeline.filter(({ isLost }) => isLost)).toHaveLength(lost);
  });
});

describe('a request is lost by the packets', () => {
  const withStatus = (status: number) => (packet: Packet) => ({
    ...packet,
    tcp: {
      ...packet.tcp!,
      payload: Buffer.from(answer(packet).replace(/^HTTP\/1.1 200/, `HTTP/1.1 ${status}`), 'latin1'),
    },
  });
  const withFlag = (flag: 'fin' | 'rst') => (packet: Packet) =>
    answer(packet).startsWith('GET')
      ? { ...packet, tcp: { ...packet.tcp!, flags: { ...packet.tcp!.flags, [flag]: true } } }
      : packet;
  test.each<[number, string, (packet: Packet) => Packet | undefined]>([
    [0, 'with an answer', (packet) => packet],
    [0, 'with status 399', withStatus(399)],
    [1, 'with status 400', withStatus(400)],
    [
      1,
      'without an answer',
      (packet) => (packet.tcp!.sourcePort === 80 && packet.tcp!.payloadLength > 0 ? undefined : packet),
    ],
    [1, 'that the client had ended before its answer came', withFlag('fin')],
    [1, 'that the client had broken off before its answer came', withFlag('rst')],
  ])('%d %s', (lost, _, change) => {
    expect(failovers(changed(change))[0]!.packets.lost).toBe(lost);
  });
});

test('the time line is in the order of time, and who answered is counted before the fault and after', () => {
  const shuffled = { ...whole, requests: whole.requests!.toReversed() };
  const [{ timeline, served, rate, requests }] = failovers(shuffled) as [Failover];
  expect({ rate, requests }).toEqual({ rate: 10, requests: 20 });
  const times = timeline.map(({ at }) => at);
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  const count = (some: readonly RequestRecord[], name: string) =>
    some.filter(({ backend }) => backend === name).length;
  expect(served).toEqual({
    before: { be1: count(before, 'be1'), be2: count(before, 'be2') },
    after: { be2: after.length },
  });
});

test('a request that begins at the moment of the fault comes after it', () => {
  const faults = [{ ...fault!, done: after[0]!.began! }];
  const [{ served }] = failovers({ ...whole, faults }) as [Failover];
  expect(served.after).toEqual({ be2: after.length });
  expect(Object.values(served.before).reduce((sum, number) => sum + number)).toBe(before.length);
});

test('one request without a time in the log leaves nothing to tell', () => {
  const [{ began: _began, ...timeless }, ...rest] = whole.requests as [RequestRecord];
  expect(() => failovers({ ...whole, requests: [timeless, ...rest] })).toThrow(
    "the clients' logs do not tell when requests began",
  );
});

describe('where nobody asks whether a server lives', () => {
  test('requests fail to the last, and to the one that would have been next', async () => {
    const evidence = await recorded('nat-keepalived-fault');
    const { health: _health, ...balancer } = evidence.topology.balancer!;
    const unwatched = { ...evidence, topology: { ...evidence.topology, balancer } };
    const last = evidence.requests!.at(-1)!.began!;
    const [found] = failovers(unwatched);
    expect(found!.allowed.lastLost!.to).toBeCloseTo(last - evidence.faults![0]!.done + 0.1, 6);
    const faults = [{ ...evidence.faults![0]!, done: last + 1 }];
    expect(failovers({ ...unwatched, faults })[0]!.allowed.lastLost!.to).toBeCloseTo(0.1, 6);
  });
});

describe('the check before the fault', () => {
  const check = async (change: (evidence: Evidence) => Evidence) =>
    failovers(change(await recorded('nat-keepalived-fault')))[0]!.check;

  test('is the last one that was answered, at the latest at the moment of the fault', async () => {
    const { captures } = await recorded('nat-keepalived-fault');
    // The answers to health checks: see checks.test.ts.
    const [second, third] = [11, 41].map(
      (number) => Number(captures.get('be1')!.capture.packets[number - 1]!.time / 1000n) / 1e6,
    ) as [number, number];
    const downAt = async (done: number) =>
      check((evidence) => ({ ...evidence, faults: [{ ...evidence.faults![0]!, done }] }));
    expect(await downAt(third)).toEqual({ kind: 'health', offset: 0 });
    expect((await downAt(third - 0.25))!.offset).toBeCloseTo(third - 0.25 - second, 6);
  });

  test('is unknown where nothing was captured that shows it', async () => {
    expect(
      await check((evidence) => ({
        ...evidence,
        captures: new Map([...evidence.captures].filter(([name]) => name !== 'be1')),
      })),
    ).toBeUndefined();
  });
});

test('an answer on a connection that is kept whose request was not captured is nobody’s', async () => {
  const pair = await recorded('pair');
  const { packets } = pair.captures.get('keeping')!.capture;
  const first = packets.find((packet) => answer(packet).startsWith('GET'))!;
  const rows = failovers(edited(pair, ['keeping'], (packet) => (packet === first ? undefined : packet)));
  expect(rows.find(({ client }) => client === 'keeping')!.packets.lost).toBe(0);
});
