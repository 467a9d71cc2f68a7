// Each claim holds on the lab it is about and fails, never `unknown`, on its negative twin. All evidence is from real labs.
import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { allClaims, claimById } from '../../src/verify/index.ts';
import { recorded, RECORDED, status, verdict } from './evidence.ts';

const TWINS: readonly (readonly [claim: string, holds: readonly string[], fails: readonly string[]])[] = [
  ['l7.vip', ['l7', 'haproxy', 'haproxy-tcp'], ['dnsrr', 'direct']],
  ['l7.source', ['l7', 'haproxy', 'haproxy-tcp'], ['nat']],
  ['l7.two-connections', ['l7', 'haproxy', 'haproxy-tcp'], ['nat', 'dsr']],
  ['l7.after-request', ['l7', 'haproxy'], ['l7-stream', 'haproxy-tcp', 'nat', 'dsr']],
  ['l7.forwarded-for', ['l7', 'haproxy'], ['l7-no-forwarded-for', 'haproxy-no-forwarded-for', 'nat']],
  ['l7.proxy-request', ['l7'], ['l7-http11', 'nat']],
  ['l7.spread', ['l7', 'l7-sticky', 'haproxy', 'haproxy-tcp'], ['l7-down']],
  ['l7.sticky', ['l7-sticky'], ['l7-cookie-ignored']],
  ['l7.ip-hash', ['l7-ip-hash'], ['l7-three-clients']],
  ['l7.left-out', ['l7-max-fails'], ['l7-never-out']],

  ['proxy.at-once', ['haproxy-tcp', 'haproxy-no-proxy-header', 'l7-stream'], ['haproxy', 'l7']],
  ['proxy.untouched', ['haproxy-tcp', 'haproxy-no-proxy-header', 'l7-stream'], ['haproxy', 'l7']],
  ['proxy.client', ['haproxy-tcp'], ['haproxy-no-proxy-header', 'haproxy', 'l7']],

  ['nat.vip', ['nat'], ['dnsrr', 'direct']],
  ['nat.one-connection', ['nat', 'fullnat'], ['l7', 'l7-stream']],
  ['nat.port', ['nat'], ['l7', 'l7-stream']],
  ['nat.rewrite', ['nat', 'fullnat'], ['dsr', 'l7', 'tun']],
  ['nat.both-ways', ['nat', 'fullnat'], ['nat-second-leg', 'nat-no-forwarding', 'dsr', 'l7']],
  ['nat.passed-through', ['nat'], ['l7']],
  ['nat.source', ['nat'], ['fullnat', 'l7']],
  ['nat.spread', ['nat'], ['nat-weight-zero']],
  ['nat.payload', ['nat'], ['l7']],
  ['nat.table', ['nat', 'nat-weight-zero'], ['dsr', 'tun']],

  ['fullnat.source', ['fullnat'], ['nat', 'fullnat-no-masquerade']],
  ['fullnat.one-connection', ['fullnat'], ['l7']],
  ['fullnat.spread', ['fullnat'], ['fullnat-weight-zero']],
  ['fullnat.no-gateway', ['fullnat'], ['nat-no-gateway', 'nat']],

  ['dsr.vip', ['dsr', 'dsr-article'], ['dnsrr', 'direct']],
  ['dsr.mac', ['dsr', 'dsr-article'], ['nat', 'l7']],
  ['dsr.source', ['dsr', 'dsr-article'], ['fullnat', 'l7']],
  ['dsr.dst', ['dsr', 'dsr-article'], ['nat', 'l7']],
  ['dsr.return', ['dsr', 'dsr-article'], ['nat', 'l7']],
  ['dsr.return-source', ['dsr', 'dsr-article'], ['nat-second-leg']],
  ['dsr.segment', ['dsr', 'dsr-article'], ['dsr-routed']],
  ['dsr.loopback', ['dsr', 'dsr-article'], ['dsr-no-loopback']],
  ['dsr.arp', ['dsr', 'dsr-article'], ['dsr-no-arp-ignore', 'dsr-no-arp-announce']],
  ['dsr.missing', ['dsr', 'dsr-article'], ['nat', 'l7']],
  ['dsr.one-connection', ['dsr', 'dsr-article'], ['l7']],
  ['dsr.payload', ['dsr', 'dsr-article'], ['l7']],
  ['dsr.spread', ['dsr'], ['dsr-weight-zero', 'dsr-no-arp-ignore']],
  ['dsr.norules', ['dsr', 'dsr-article'], ['fullnat']],
  ['dsr.table', ['dsr', 'dsr-article'], ['nat', 'tun']],

  ['tun.vip', ['tun'], ['dnsrr', 'direct']],
  ['tun.encapsulation', ['tun'], ['dsr', 'nat', 'l7']],
  ['tun.source', ['tun'], ['fullnat']],
  ['tun.dst', ['tun'], ['nat']],
  ['tun.return', ['tun'], ['nat']],
  ['tun.return-source', ['tun'], ['nat-second-leg']],
  ['tun.one-connection', ['tun'], ['l7']],
  ['tun.payload', ['tun'], ['l7']],
  ['tun.spread', ['tun'], ['tun-weight-zero']],
  ['tun.loopback', ['tun'], ['tun-no-vip']],
  ['tun.arp', ['tun'], ['tun-no-arp-ignore']],
  ['tun.table', ['tun'], ['nat', 'dsr']],

  ['l4.persistence', ['nat-persistent', 'dsr-persistent'], ['nat-two-clients', 'dsr-two-clients']],

  ['dnsrr.rotates', ['dnsrr', 'dnsrr-asking'], ['dnsrr-one']],
  ['dnsrr.direct', ['dnsrr', 'dnsrr-asking', 'dnsrr-one'], ['l7']],
  ['dnsrr.skew', ['dnsrr'], ['dnsrr-asking']],
  ['dnsrr.failover', ['dnsrr'], ['l7-fault', 'nat-keepalived-fault']],
  ['dnsrr.persistence', ['dnsrr', 'dnsrr-asking'], ['nat-persistent']],

  ['pair.takeover', ['pair', 'pair-no-sync'], ['pair-goodbye']],
  ['pair.moves', ['pair', 'pair-no-sync', 'pair-goodbye'], ['dsr-director-down']],
  ['pair.connections', ['pair'], ['pair-no-sync']],
];

describe('every claim', () => {
  test.each(TWINS)('%s holds on %s and fails on %s', async (id, holds, fails) => {
    const found = await Promise.all([...holds, ...fails].map(async (lab) => [lab, await status(id, lab)]));
    expect(Object.fromEntries(found)).toEqual({
      ...Object.fromEntries(holds.map((lab) => [lab, 'pass'])),
      ...Object.fromEntries(fails.map((lab) => [lab, 'fail'])),
    });
  });

  test('has a twin on which it fails', () => {
    expect(TWINS.map(([id]) => id)).toEqual(allClaims().map(({ id }) => id));
    expect(TWINS.filter(([, holds, fails]) => holds.length === 0 || fails.length === 0)).toEqual([]);
  });

  test('says what it saw, and where (vitest -u writes verdicts.txt)', async () => {
    const texts = await Promise.all(
      TWINS.flatMap(([id, holds, fails]) =>
        [...holds, ...fails].map(async (lab) => {
          const { status: is, expected, observed, evidence, note } = verdict(id, await recorded(lab));
          const cited = evidence.map(({ capture, packets }) => `${capture} ${packets.join(',')}`);
          return [
            `${id} on ${lab}: ${is}`,
            `  expected ${expected}`,
            `  observed ${observed}`,
            ...(cited.length === 0 ? [] : [`  packets  ${cited.join('; ')}`]),
            ...(note === undefined ? [] : [`  note     ${note}`]),
            '',
          ].join('\n');
        }),
      ),
    );
    await expect(texts.join('')).toMatchFileSnapshot('verdicts.txt');
  });

  test('can be judged on every lab', async () => {
    const labs = readdirSync(RECORDED).sort();
    const letter = { pass: '+', fail: '-', unknown: '?' };
    const rows = await Promise.all(
      allClaims().map(async ({ id }) => {
        const row = await Promise.all(labs.map(async (lab) => letter[await status(id, lab)]));
        return `${id.padEnd(20)} ${row.join(' ')}`;
      }),
    );
    const head = labs.map((lab, index) => `${' '.repeat(21)}${'| '.repeat(index)}${lab}`);
    await expect([...head, ...rows, ''].join('\n')).toMatchFileSnapshot('matrix.txt');
  });

  test('gives the same verdict again', async () => {
    const evidence = await recorded('nat');
    for (const { id } of allClaims()) expect(verdict(id, { ...evidence })).toEqual(verdict(id, evidence));
  });

  test('names packets of captures that there are, in order, at most twenty of each', async () => {
    for (const lab of readdirSync(RECORDED)) {
      const evidence = await recorded(lab);
      for (const { id } of allClaims()) {
        for (const { capture, packets } of claimById(id)!.check(evidence).evidence) {
          const count = evidence.captures.get(capture)!.capture.packets.length;
          expect(packets.length).toBeLessThanOrEqual(20);
          expect(packets.length).toBeGreaterThan(0);
          expect(packets).toEqual([...new Set(packets)].sort((a, b) => a - b));
          expect(packets.at(-1)).toBeLessThanOrEqual(count);
        }
      }
    }
  });
});
