// What a fault cost, as text: a table with what is allowed below each figure, and a picture of time.
import { Chalk } from 'chalk';
import { expect, test } from 'vitest';
import { complaints, failoverTable, failoverTimeline, failoverTitle } from '../../src/report/failover.ts';
import { htmlReport } from '../../src/report/html.ts';
import type { Failover, Moment } from '../../src/verify/failover.ts';
import { HOSTILE } from './results.ts';

const plain = new Chalk({ level: 0 });

/** Requests twice a second from a second before the fault to three after; be1 answers first, for a second and a half nobody, then be2. */
const MOMENTS: readonly Moment[] = [-1, -0.5, 0, 0.5, 1, 1.5, 2, 2.5, 3].map((at) => {
  const isLost = at >= 0 && at < 1.5;
  return { at, seconds: 0.01, isLost, ...(!isLost && { backend: at < 0 ? 'be1' : 'be2' }) };
});

const FIGURES = { lost: 3, lastLost: 1, silence: 2, slowest: 0.01 };

const ROW: Failover = {
  topology: 'nat-keepalived',
  method: 'ipvs-nat',
  client: 'client',
  node: 'be1',
  fault: 'link-down',
  check: { kind: 'health', offset: 0.3 },
  requests: 9,
  rate: 2,
  log: FIGURES,
  packets: FIGURES,
  late: 0.01,
  agree: true,
  allowed: {
    lost: { from: 2, to: 4 },
    lastLost: { from: 0.8, to: 1.6 },
    silence: { from: 0, to: 2.5 },
    why: '1 s from check to check',
  },
  status: 'pass',
  served: { before: { be1: 2 }, after: { be2: 4 } },
  timeline: MOMENTS,
};

test('the table', () => {
  expect(failoverTable([ROW, { ...ROW, topology: 'nat' }], plain)).toBe(
    [
      '                LOST    LOST UNTIL      NO ANSWER FOR  SLOWEST ANSWER  SERVED AFTER',
      'nat-keepalived  3 of 9  1.00 s          2.00 s         10 ms           be2 4',
      '                2 to 4  0.8 s to 1.6 s  up to 2.5 s    any             1 s from check to check',
      'nat             3 of 9  1.00 s          2.00 s         10 ms           be2 4',
      '                2 to 4  0.8 s to 1.6 s  up to 2.5 s    any             1 s from check to check',
      '',
    ].join('\n'),
  );
  expect(failoverTitle([ROW])).toBe('link-down of be1, at 2 requests a second of each client');
  expect(complaints(ROW)).toEqual([]);
});

test('what is not as allowed is marked, and what is told twice differently', () => {
  const late: Failover = { ...ROW, log: { ...FIGURES, lost: 5 }, packets: { ...FIGURES, lost: 5 } };
  expect(failoverTable([late], plain)).toContain('5 of 9 ✗');
  expect(complaints(late)).toEqual(['lost 5 of 9 (5 of 9 by the packets) is not within 2 to 4']);
  const torn: Failover = { ...ROW, agree: false, status: 'unknown', packets: { ...FIGURES, lost: 4 } };
  expect(failoverTable([torn], plain)).toContain('3 of 9 ?');
  expect(complaints(torn)).toEqual([
    "the client's log and the packets differ: lost 3 of 9 and 4 of 9, lost until 1.00 s and 1.00 s, no answer for 2.00 s and 2.00 s, slowest answer 10 ms and 10 ms",
  ]);
});

test('of a machine that is too busy to keep a rate nothing else is said', () => {
  expect(complaints({ ...ROW, late: 0.6, status: 'unknown' })).toEqual([
    'requests began up to 600 ms late: this machine is too busy to measure by, or its rate too high',
  ]);
});

test('the picture', () => {
  expect(failoverTimeline([ROW], 49, plain)).toBe(
    [
      'nat-keepalived',
      '  be1   ·    ·    │',
      '  be2             │              ·    ·    ·   ·',
      '  lost            ×    ×    ×',
      '                  0 s       1         2        3',
      '',
    ].join('\n'),
  );
});

test('is drawn in as many columns as there are', () => {
  for (const columns of [1, 40, 80, 120, 400])
    for (const line of failoverTimeline([ROW], columns, plain).split('\n'))
      expect(line.length).toBeLessThanOrEqual(Math.max(29, Math.min(columns, 120)));
});

test('what is untrusted is inert in the terminal and on the page', () => {
  const served = { before: { [HOSTILE]: 1 }, after: { [HOSTILE]: 2 } };
  const row: Failover = { ...ROW, topology: HOSTILE, node: HOSTILE, fault: HOSTILE, served };
  const text = failoverTitle([row]) + failoverTable([row], plain) + failoverTimeline([row], 100, plain);
  // eslint-disable-next-line no-control-regex
  expect(text.replaceAll('\n', '')).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
  const page = htmlReport([], '/work', [row]);
  expect(page).not.toMatch(/<script|<img|\son\w+=|\u202e/i);
});
