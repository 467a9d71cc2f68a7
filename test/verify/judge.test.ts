// The order of checks, what is not judged, and the worst of them.
import { describe, expect, test } from 'vitest';
import { allClaims, claimById, judge, judgeRound, summary } from '../../src/verify/index.ts';
import type { Check, Status } from '../../src/verify/types.ts';
import { recorded } from './evidence.ts';

const dsr = await recorded('dsr');

test('the accounts come first, then the claims in the order asked for', () => {
  const checks = judge(dsr, ['dsr.table', 'dsr.vip'], { live: true });
  expect(checks.map(({ id, status, judged }) => [id, status, judged])).toEqual([
    ['accounts', 'pass', true],
    ['dsr.table', 'pass', true],
    ['dsr.vip', 'pass', true],
  ]);
});

test('claims about the lab itself are not judged from files', () => {
  const live = allClaims().filter((claim) => claim.live === true);
  expect(live.map(({ id }) => id)).toEqual([
    'nat.table',
    'dsr.loopback',
    'dsr.norules',
    'dsr.table',
    'tun.loopback',
    'tun.table',
  ]);
  const checks = judge(dsr, ['dsr.vip', ...live.map(({ id }) => id)], { live: false });
  expect(checks.filter(({ judged }) => !judged).map(({ id }) => id)).toEqual(live.map(({ id }) => id));
  expect(summary(checks)).toBe('pass');
});

test('when the accounts disagree nothing is decided', () => {
  const evidence = { ...dsr, requests: dsr.requests!.slice(1) };
  const checks = judge(evidence, ['dsr.vip', 'nat.rewrite', 'dsr.table'], { live: true });
  expect(checks.map(({ status }) => status)).toEqual(['unknown', 'unknown', 'unknown', 'unknown']);
  expect(checks[1]!.observed).toBe(`the accounts disagree: ${checks[0]!.observed}`);
  expect(checks[1]!.expected).toBe('every SYN at the client goes to 192.168.11.107:80');
  expect(summary(checks)).toBe('unknown');
});

test('captures made elsewhere are judged without accounts', () => {
  const checks = judge({ ...dsr, requests: undefined, accessLogs: undefined }, ['dsr.vip'], { live: false });
  expect(checks.map(({ id, judged, status }) => [id, judged, status])).toEqual([
    ['accounts', false, 'unknown'],
    ['dsr.vip', true, 'pass'],
  ]);
  expect(summary(checks)).toBe('pass');
});

test('a check that breaks is unknown, with the words of what broke it', () => {
  const tables = new Map(dsr.tables).set('be1.loopback', 'Device "lo" does not exist.');
  const [, check] = judge({ ...dsr, tables }, ['dsr.loopback'], { live: true });
  expect(check).toMatchObject({ status: 'unknown', judged: true });
  expect(check!.observed).toMatch(/^the check broke: Unexpected token/);
});

test('a claim that nobody makes is a mistake of the caller', () => {
  expect(() => judge(dsr, ['dsr.nothing'], { live: true })).toThrow(
    new RangeError('there is no claim dsr.nothing'),
  );
  expect(claimById('dsr.nothing')).toBeUndefined();
});

test('every claim has an id of its own, and a title that ends without a full stop', () => {
  const claims = allClaims();
  expect(new Set(claims.map(({ id }) => id)).size).toBe(claims.length);
  for (const { id, title } of claims) {
    expect(id).toMatch(/^[a-z0-9]+\.[a-z0-9-]+$/);
    expect(title).toMatch(/^[A-Z].*[^.]$/);
  }
});

test('a round is judged by the claims that its topology names, or else by its method’s', () => {
  const ids = (topology: typeof dsr.topology) =>
    judgeRound({ ...dsr, topology }, ['dsr.vip'], { live: true }).map(({ id }) => id);
  const { claims: _, ...topology } = dsr.topology;
  expect(ids(topology)).toEqual(['accounts', 'dsr.vip']);
  expect(ids({ ...topology, claims: ['dsr.table', 'dsr.mac'] })).toEqual([
    'accounts',
    'dsr.table',
    'dsr.mac',
  ]);
  expect(ids({ ...topology, claims: [] })).toEqual(['accounts']);
});

test('a warning does no harm to the summary', () => {
  const [check] = judge(dsr, [], { live: true });
  const failed = { ...check!, status: 'fail' } as const;
  expect(summary([check!, { ...failed, level: 'warning' }])).toBe('pass');
  expect(summary([check!, { ...failed, level: 'error' }])).toBe('fail');
  expect(summary([{ ...failed, level: 'warning' }])).toBe('pass');
});

describe('the summary is as bad as the worst that was judged:', () => {
  const check = (status: Status, judged = true): Check => ({
    id: 'x',
    title: 'X',
    expected: '',
    observed: '',
    evidence: [],
    status,
    judged,
  });
  test.each<[Status, string, Check[]]>([
    ['pass', 'all pass', [check('pass'), check('pass')]],
    ['fail', 'one fails', [check('pass'), check('unknown'), check('fail')]],
    ['unknown', 'one is unknown', [check('pass'), check('unknown')]],
    [
      'pass',
      'what is not pass is not judged',
      [check('pass'), check('unknown', false), check('fail', false)],
    ],
    ['unknown', 'none is judged', [check('pass', false)]],
    ['unknown', 'there are none', []],
  ])('%s where %s', (worst, _, checks) => expect(summary(checks)).toBe(worst));
});
