import { describe, expect, test } from 'vitest';
import type { Check } from '../../../src/verify/types.ts';
import { judgedRound, lineOf } from './made.ts';

const TABLE = 'IP Virtual Server\n\nTCP  192.168.11.107:80 lc\n  -> 10.133.1.2:80      Masq    1\n';
const SHOWN = 'IP Virtual Server | TCP 192.168.11.107:80 lc | -> 10.133.1.2:80 Masq 1';

const judgedTable = async (said: string, text = TABLE, name = 'ipvsadm'): Promise<Check> =>
  judgedRound(
    { lab: 'nat', captures: {}, more: { tables: new Map([[name, text]]) } },
    `- table: { ${said} }`,
  );

test.each([
  ['contains: Masq 1', `pass: ${SHOWN}`],
  ['contains: [Masq, lc  ->]', `fail: nothing of "lc  ->" in ${SHOWN}`],
  ['contains: [Route, Masq]', `fail: nothing of "Route" in ${SHOWN}`],
  ['matches: "^TCP +192.*lc$"', `pass: ${SHOWN}`],
  ['matches: ["^TCP", "rr$"]', `fail: nothing of "rr$" in ${SHOWN}`],
  ['contains: Route, matches: "rr$"', `fail: nothing of "Route" and "rr$" in ${SHOWN}`],
  ['contains: Masq, matches: "^IP"', `pass: ${SHOWN}`],
])('%s: %s', async (said, line) => {
  expect(lineOf(await judgedTable(said))).toBe(line);
});

test.each([
  ['contains: Masq', 'the balancer\'s table contains "Masq"'],
  ['contains: [Masq, lc]', 'the balancer\'s table contains "Masq" and "lc"'],
  ['matches: ["^TCP", "lc$"]', "the balancer's table has a line that matches ^TCP and lc$"],
  [
    'contains: Masq, matches: "^TCP"',
    'the balancer\'s table contains "Masq" and has a line that matches ^TCP',
  ],
])('%s reads: %s', async (said, sentence) => {
  expect((await judgedTable(said)).expected).toBe(sentence);
});

describe('the table', () => {
  test("may be nftables'", async () => {
    expect(lineOf(await judgedTable('contains: jhash', 'jhash ip saddr\n', 'nft'))).toBe(
      'pass: jhash ip saddr',
    );
  });

  test('that is empty was not read', async () => {
    expect(lineOf(await judgedTable('contains: Masq', ' \n\n'))).toBe(
      "unknown: the balancer's table was not read",
    );
  });

  test('is shown to its 600th character', async () => {
    const long = 'x'.repeat(600);
    expect((await judgedTable('contains: x', long)).observed).toBe(long);
    expect((await judgedTable('contains: x', `y${long}`)).observed).toBe(`y${'x'.repeat(599)} ...`);
  });

  test('is matched in lines of at most 8192 characters', async () => {
    const line = `${'a'.repeat(8191)}b`;
    expect((await judgedTable('matches: b$', line)).status).toBe('pass');
    expect((await judgedTable('matches: b$', `a${line}`)).status).toBe('fail');
  });
});
