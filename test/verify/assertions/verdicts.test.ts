import { describe, expect, test } from 'vitest';
import type { Topology } from '../../../src/topology/types.ts';
import { judgeAssertions, judgeRound, summary, wantsAnotherRound } from '../../../src/verify/index.ts';
import type { Check, Evidence } from '../../../src/verify/types.ts';
import { recorded, withCaptures } from '../evidence.ts';
import { example, expecting, judged } from './labs.ts';

const statusOf = (checks: readonly Check[]) => checks.map(({ status }) => status).join(' ');

/** `expect` entries judged on a lab's evidence after a change. */
async function changed(lab: string, entry: string, change: (evidence: Evidence) => Evidence): Promise<Check> {
  const evidence = await expecting(lab, `expect:\n  ${entry}\n`);
  return judgeAssertions(change(evidence), { live: true })[0]!;
}

const without = (name: string) => (evidence: Evidence) =>
  withCaptures(evidence, (point) => (point.name === name ? undefined : point));

const incomplete = (name: string) => (evidence: Evidence) =>
  withCaptures(evidence, (point) =>
    point.name === name ? { ...point, incomplete: 'the kernel dropped 3 packets' } : point,
  );

describe('a verdict', () => {
  test('names the assertion, says what was expected and seen, and cites packets and the line of the file', async () => {
    const [check] = await judged('nat', '- sources: { at: be1, are: [lb] }');
    expect(check).toMatchObject({
      id: 'expect[0] sources',
      title: 'the sources at be1 are lb, and each occurs',
      status: 'fail',
      judged: true,
      level: 'error',
      location: { file: 'nat.yaml', column: 5 },
      expected: 'the sources at be1 are lb, and each occurs',
      observed: '2 connections: all from 192.168.11.104 (client); never lb',
      evidence: [{ capture: 'be1', packets: [1, 11] }],
    });
  });

  test('has the name that the file gives it', async () => {
    const [check] = await judged('nat', '- status: 200\n  name: all is well');
    expect(check).toMatchObject({
      title: 'all is well',
      expected: 'every request is answered with status 200',
    });
  });

  test('turns round with not, and says so', async () => {
    const checks = await judged('nat', '- status: 200\n  not: true\n- status: 404\n  not: true');
    expect(statusOf(checks)).toBe('fail pass');
    expect(checks[0]!.expected).toBe('not: every request is answered with status 200');
  });

  test('that is unknown stays unknown with not', async () => {
    const [check] = await judged('nat', '- arp: { at: client, answered-by: lb }\n  not: true');
    expect(check).toMatchObject({ status: 'unknown', observed: 'no ARP packet was captured at client' });
  });

  test("on the balancer's table is not judged from files", async () => {
    const [check] = await judged('nat', '- table: { contains: Masq }', false);
    expect(check).toMatchObject({ judged: false, status: 'unknown' });
  });

  test('is unknown when a measurement breaks', async () => {
    const evidence = await expecting('nat', 'expect:\n  - path: { never: be2 }\n');
    const broken = withCaptures(evidence, (point) => ({
      ...point,
      capture: { ...point.capture, packets: [null as never] },
    }));
    const [check] = judgeAssertions(
      { ...broken, requests: undefined },
      {
        live: true,
      },
    );
    expect(check!.status).toBe('unknown');
    expect(check!.observed).toMatch(/^the check broke: /);
  });

  test('an assertion that is not whole is unknown, by the name of its kind', async () => {
    const evidence = await expecting('nat', 'expect:\n  - path: { never: be2 }\n');
    const [whole] = evidence.topology.expect!;
    const changed = { ...evidence.topology, expect: [{ ...whole!, never: 7 as never }] };
    const [check] = judgeAssertions({ ...evidence, topology: changed }, { live: true });
    expect(check).toMatchObject({ status: 'unknown', title: 'path' });
    expect(check!.observed).toMatch(/^the check broke: /);
  });
});

describe('missing evidence', () => {
  test.each([
    ['connections', '- connections: { at: eth1, count: 0 }'],
    ['sources', '- sources: { at: eth1, exclude: lb }'],
    ['header', '- header: { at: eth1, name: Via, absent: true }'],
    ['path', '- path: { never: eth1 }'],
    ['end-to-end', '- end-to-end: { connections: 2, from: eth0, to: eth1 }'],
    ['analysis', '- analysis: { at: eth1, none: any }'],
    ['latency', '- latency: { from: eth0, to: eth1, max: 1s }'],
    ['packets', '- packets: { at: eth1, count: { max: 1000 } }'],
    ['bytes', '- bytes: { at: eth1, count: { max: 1000000 } }'],
    ['arp', '- arp: { at: eth1, asked-by: [] }'],
    ['response-time', '- response-time: { at: eth1, max: 1s }'],
  ])('makes %s unknown: no capture, and one that is not whole', async (_, entry) => {
    expect(await changed('nat', entry, without('eth1'))).toMatchObject({
      status: 'unknown',
      observed: 'there is no capture eth1',
    });
    expect(await changed('nat', entry, incomplete('eth1'))).toMatchObject({
      status: 'unknown',
      observed: 'the capture eth1 is not whole: the kernel dropped 3 packets',
    });
  });

  test.each([
    ['backend', '- backend: { request: 1, is: be1 }'],
    ['status', '- status: 200'],
  ])('makes %s unknown without a capture at the client', async (_, entry) => {
    const check = await changed('nat', entry, (evidence) => ({
      ...without('client')(evidence),
      requests: undefined,
    }));
    expect(check).toMatchObject({ status: 'unknown', observed: 'nothing was captured at client' });
  });

  test('makes a spread unknown when fewer requests than backends were sent', async () => {
    const check = await changed('dsr-article', '- spread: even', (evidence) => evidence);
    expect(check.status).toBe('pass');
    const one = await changed('dsr-routed', '- spread: even', (evidence) => evidence);
    expect(one).toMatchObject({ status: 'unknown' });
  });

  test('makes table unknown where none was read', async () => {
    const check = await changed('nat', '- table: { contains: Masq }', (evidence) => ({
      ...evidence,
      tables: new Map(),
    }));
    expect(check).toMatchObject({ status: 'unknown', observed: "the balancer's table was not read" });
  });

  test('a capture without a packet counts as none where others have some, and as nothing where none has', async () => {
    const empty = (names: readonly string[]) => (evidence: Evidence) => ({
      ...withCaptures(evidence, (point) =>
        names.includes(point.name) ? { ...point, capture: { ...point.capture, packets: [] } } : point,
      ),
      requests: undefined,
    });
    const entry = '- connections: { at: be2, count: 0 }';
    const some = await changed('nat', entry, empty(['be2']));
    expect(some).toMatchObject({ status: 'pass', observed: '0 connections' });
    const all = ['eth0', 'eth1', 'client', 'be1', 'be2'];
    const none = await changed('nat', entry, empty(all));
    expect(none).toMatchObject({
      status: 'unknown',
      observed: 'no connection of the service was captured anywhere',
    });
  });

  test('a request that was never sent is no request', async () => {
    const [check] = await judged('nat', '- backend: { request: 9, is: be1 }');
    expect(check).toMatchObject({
      status: 'unknown',
      observed: 'there is no request 9: 4 requests were sent',
    });
  });

  test('accounts that disagree make every assertion unknown, whatever it is', async () => {
    const evidence = await expecting(
      'nat',
      example('connections') + example('status').replace(/^[^]*expect:\n/, ''),
    );
    const lost = { ...evidence, requests: [...evidence.requests!, ...evidence.requests!] };
    const checks = judgeAssertions(lost, { live: true });
    expect(new Set(checks.map(({ status }) => status))).toEqual(new Set(['unknown']));
    expect(checks[0]!.observed).toMatch(/^the accounts disagree: /);
  });
});

describe('which backend served a request', () => {
  const entry = '- backend: { request: 1, is: be1 }';

  test("is told by the backends' captures, the balancer's, or the answer itself", async () => {
    const first = await changed('l7', entry, (evidence) => evidence);
    const balancer = await changed('l7', entry, (evidence) => without('be1')(without('be2')(evidence)));
    const answer = await changed('l7', entry, (evidence) =>
      withCaptures(evidence, (point) => (point.name === 'client' ? point : undefined)),
    );
    expect([first.status, balancer.status, answer.status]).toEqual(['pass', 'pass', 'pass']);
  });

  test('is nobody where there was no answer', async () => {
    const [check] = await judged('nat-no-gateway', entry);
    expect(check).toMatchObject({ status: 'fail', observed: '1 request: by nobody (no answer)' });
  });
});

describe('a request on its way', () => {
  test('is not taken for another that is under way at the same time', async () => {
    const [check] = await judged(
      'nat-two-clients',
      '- path: { of: requests, to-server: [clients, eth0, eth1, backends] }',
    );
    expect(check!.observed).toMatch(/^8 messages to the server: /);
    expect(check!.observed).not.toMatch(/be[12], client/);
  });
});

describe('a run', () => {
  const expectations = (entries: string) => `expect:\n${entries}`;

  test('is not failed by warnings', async () => {
    const evidence = await expecting('nat', expectations('  - status: 404\n    level: warning\n'));
    const checks = judgeRound(evidence, ['nat.vip'], { live: true });
    expect(checks.at(-1)).toMatchObject({ status: 'fail', level: 'warning' });
    expect(summary(checks)).toBe('pass');
  });

  test('is failed by an assertion', async () => {
    const evidence = await expecting('nat', expectations('  - status: 404\n'));
    expect(summary(judgeRound(evidence, ['nat.vip'], { live: true }))).toBe('fail');
  });

  test("judges the method's claims, those that the topology names, or none", async () => {
    const ids = async (text: string) =>
      judgeRound(await expecting('nat', text), ['nat.vip', 'nat.port'], { live: true }).map(({ id }) => id);
    expect(await ids('')).toEqual(['accounts', 'nat.vip', 'nat.port']);
    expect(await ids('claims: [nat.source]\n')).toEqual(['accounts', 'nat.source']);
    expect(await ids('claims: false\nexpect: [status: 200]\n')).toEqual(['accounts', 'expect[0] status']);
  });

  test('of a topology that expects nothing has no assertions', async () => {
    expect(judgeAssertions(await recorded('nat'), { live: true })).toEqual([]);
  });
});

describe('another round is worth it', () => {
  const wants = async (entries: string, elapsed: number) => {
    const evidence = await expecting('nat', `expect:\n${entries}`);
    const topology: Topology = evidence.topology;
    return wantsAnotherRound(judgeRound(evidence, ['nat.vip'], { live: true }), topology, elapsed);
  };
  const passing = '  - status: 200\n    within: 5s\n';
  const failing = '  - status: 404\n    within: 5s\n';

  test('while what may take time has not come true and has time left', async () => {
    expect(await wants(failing, 4999)).toBe(true);
    expect(await wants(failing, 5000)).toBe(false);
    expect(await wants(passing, 0)).toBe(false);
    expect(await wants('  - status: 404\n', 0)).toBe(false);
    expect(await wants('  - status: 404\n    level: warning\n', 0)).toBe(false);
  });

  test('not when something that must hold in every round has failed', async () => {
    expect(await wants(`${failing}  - spread: { be1: 100% }\n`, 0)).toBe(false);
    expect(await wants(`${failing}  - spread: { be1: 100% }\n    level: warning\n`, 0)).toBe(true);
  });
});
