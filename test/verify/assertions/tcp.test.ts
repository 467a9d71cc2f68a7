import { describe, expect, test } from 'vitest';
import { BE1, CLIENT, judgedRound, lineOf, talk, VIP } from './made.ts';

const later = { client: `${CLIENT}:40002`, at: 1_000_000 };

describe('one connection or two', () => {
  const outside = talk();
  const same = talk({ server: BE1 });
  const another = talk({ client: '10.133.1.1:50001', server: BE1 });
  const second = talk(later);
  /** As where answers go past the balancer. */
  const halfOutside = talk({ packets: [1, 3, 4, 7] });
  const halfInside = talk({ server: BE1, packets: [1, 3, 4, 7] });

  test.each([
    ['1', 'pass: 1 connection at eth0, 1 at eth1; 1 of them the same [eth0 1] [eth1 1]', outside, same],
    ['1', 'pass: 1 connection at eth0, 1 at eth1; 1 of them the same [eth0 1] [eth1 1]', halfOutside, same],
    ['1', 'pass: 1 connection at eth0, 1 at eth1; 1 of them the same [eth0 1] [eth1 1]', outside, halfInside],
    [
      '1',
      'fail: 1 connection at eth0, 1 at eth1; none is the same [eth0 1] [eth1 1]',
      outside,
      talk({ server: BE1, isn: [40_001_000, 9] }),
    ],
    [
      '1',
      'fail: 2 connections at eth0, 1 at eth1; 1 of them the same [eth0 9]',
      [...outside, ...second],
      same,
    ],
    // The same initial sequence numbers twice: only one of them is the one inside.
    [
      '1',
      'fail: 2 connections at eth0, 1 at eth1; 1 of them the same [eth0 9]',
      [...outside, ...talk({ ...later, isn: [40_001_000, 40_001_500] })],
      same,
    ],
    ['1', 'fail: 1 connection at eth0, 1 at eth1; none is the same [eth0 1] [eth1 1]', outside, another],
    ['1', 'fail: 1 connection at eth0, 0 at eth1; none is the same [eth0 1]', outside, []],
    ['1', 'unknown: no SYN was captured at eth0', [], same],
    ['2', 'pass: 1 connection at eth0, 1 at eth1; none is the same [eth0 1] [eth1 1]', outside, another],
    ['2', 'fail: 1 connection at eth0, 1 at eth1; 1 of them the same [eth0 1] [eth1 1]', outside, same],
    [
      '2',
      'fail: 2 connections at eth0, 2 at eth1; 1 of them the same [eth0 9] [eth1 9]',
      [...outside, ...second],
      [...another, ...talk({ ...later, server: BE1 })],
    ],
    ['2', 'unknown: no SYN was captured at eth1', outside, []],
  ])('%s: %s', async (connections, line, eth0, eth1) => {
    const entry = `- end-to-end: { connections: ${connections}, from: eth0, to: eth1 }`;
    expect(lineOf(await judgedRound({ lab: 'nat', captures: { eth0, eth1 } }, entry))).toBe(line);
  });

  test.each([
    [
      '1',
      'one TCP connection end to end: each connection at clients (client) is one at backends (be1, be2), with the same initial sequence numbers',
    ],
    [
      '2',
      'two TCP connections: none at clients (client) shares its initial sequence numbers with one at backends (be1, be2)',
    ],
  ])('%s reads: %s', async (connections, sentence) => {
    const check = await judgedRound({ lab: 'nat', captures: {} }, `- end-to-end: ${connections}`);
    expect(check.expected).toBe(sentence);
  });
});

describe('what TCP analysis finds', () => {
  const whole = talk();
  const slow = { ...later, step: 100_000 };
  /** Its request comes once more: packet 13. */
  const repeated = [...talk(slow), ...talk({ ...slow, at: 1_050_000, packets: [4] })];

  test.each([
    ['none: [retransmission]', 'pass: 1 connection: none [eth0 1]', whole],
    ['none: [retransmission]', 'fail: 2 connections: 1 retransmission [eth0 13]', [...whole, ...repeated]],
    ['none: [zero-window]', 'pass: 2 connections: none [eth0 1 9]', [...whole, ...repeated]],
    ['max: { retransmission: 1 }', 'pass: 1 connection: 1 retransmission [eth0 1]', repeated],
    ['max: { retransmission: 0 }', 'fail: 1 connection: 1 retransmission [eth0 5]', repeated],
    ['none: any', 'unknown: no connection was captured at eth0', []],
  ])('%s: %s', async (said, line, eth0) => {
    const round = { lab: 'nat', captures: { eth0, eth1: whole } };
    expect(lineOf(await judgedRound(round, `- analysis: { at: eth0, ${said} }`))).toBe(line);
  });

  test.each([
    ['none: any', 'nothing that TCP analysis would flag at eth0'],
    ['none: [retransmission]', 'no retransmission at eth0'],
    ['none: [retransmission, zero-window]', 'no retransmission or zero-window at eth0'],
    ['max: { retransmission: 2 }', 'at most 2 retransmission at eth0'],
    [
      'max: { retransmission: 1 }, none: [zero-window]',
      'no zero-window and at most 1 retransmission at eth0',
    ],
    ['max: { retransmission: 0 }', 'no retransmission at eth0'],
  ])('%s reads: %s', async (said, sentence) => {
    const check = await judgedRound({ lab: 'nat', captures: {} }, `- analysis: { at: eth0, ${said} }`);
    expect(check.expected).toBe(sentence);
  });
});

test('a place is called by its name and by what it stands for', async () => {
  const captures = { backend: talk({ server: VIP }) };
  const said = '- end-to-end: { connections: 2, from: be1, to: lb }';
  expect(lineOf(await judgedRound({ lab: 'dsr', captures }, said))).toBe(
    'unknown: no SYN was captured at lb',
  );
  expect((await judgedRound({ lab: 'dsr', captures }, said)).expected).toBe(
    'two TCP connections: none at be1 (backend) shares its initial sequence numbers with one at lb',
  );
});
