import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { KINDS } from '../../../src/topology/expectations.ts';
import { judgeAssertions } from '../../../src/verify/index.ts';
import { example, expecting } from './labs.ts';

// Each example on a lab where it holds, and on labs where each of its assertions fails at least once: what never fails proves nothing.
const TWINS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  connections: {
    nat: 'pass pass pass',
    'nat-weight-zero': 'pass fail fail', // be2 gets nothing
    l7: 'fail pass pass', // connections of the balancer's own
  },
  sources: { l7: 'pass pass pass', nat: 'fail fail fail' },
  destinations: { dsr: 'pass pass', nat: 'fail fail' },
  backend: { l7: 'pass pass pass', 'l7-down': 'fail pass pass', 'nat-no-gateway': 'fail fail fail' },
  header: {
    l7: 'pass pass pass pass pass pass',
    'l7-no-forwarded-for': 'fail fail fail pass pass pass',
    'l7-http11': 'pass pass pass pass fail pass',
    nat: 'fail fail fail fail pass fail',
  },
  'header-absent': { 'l7-no-forwarded-for': 'pass', l7: 'fail' },
  path: { nat: 'pass pass', l7: 'fail fail' },
  'path-requests': { 'l7-down': 'pass pass', l7: 'fail fail' },
  'path-never': { dsr: 'pass pass pass', nat: 'pass fail fail', l7: 'fail fail fail' },
  'end-to-end': { nat: 'pass pass pass', l7: 'fail fail fail' },
  spread: { nat: 'pass pass pass pass', 'l7-sticky': 'fail fail fail fail' },
  analysis: { nat: 'pass pass pass', 'nat-second-leg': 'fail pass fail', 'dsr-routed': 'pass fail pass' },
  latency: { nat: 'pass pass pass', 'nat-slow': 'fail fail fail' },
  packets: { dsr: 'pass pass', nat: 'fail fail' },
  bytes: { dsr: 'pass pass', nat: 'fail pass', 'nat-no-gateway': 'pass fail' },
  arp: { dsr: 'pass pass', 'dsr-no-arp-ignore': 'fail pass', 'dsr-no-arp-announce': 'pass fail' },
  table: { nat: 'pass pass', dsr: 'fail fail' },
  status: { nat: 'pass pass pass', 'nat-no-gateway': 'fail fail fail' },
  'response-time': { nat: 'pass pass', 'nat-no-gateway': 'fail unknown', 'nat-slow': 'pass fail' },
  common: { nat: 'pass pass pass' },
};

describe('an example', () => {
  const labs = Object.entries(TWINS).flatMap(([name, verdicts]) =>
    Object.entries(verdicts).map(([lab, statuses]) => [name, lab, statuses] as const),
  );

  test.each(labs)('%s on %s: %s', async (name, lab, statuses) => {
    const checks = judgeAssertions(await expecting(lab, example(name)), { live: true });
    expect(checks.map(({ status }) => status).join(' ')).toBe(statuses);
  });

  test.each(Object.entries(TWINS).filter(([name]) => name !== 'common'))(
    '%s has nothing in it that cannot fail',
    (_, verdicts) => {
      const byLab = Object.values(verdicts).map((statuses) => statuses.split(' '));
      const canFail = byLab[0]!.map((_first, index) => byLab.some((statuses) => statuses[index] === 'fail'));
      expect(canFail).not.toContain(false);
    },
  );

  test('is there for every kind of assertion', () => {
    const files = readdirSync(new URL('examples/', import.meta.url)).map((name) => name.replace('.yaml', ''));
    expect(files.sort()).toEqual(Object.keys(TWINS).sort());
    expect(files).toEqual(expect.arrayContaining([...KINDS]));
  });
});
