// What a topology expects, obeyed by real runs: a healthy lab and a sabotaged one with the same words, and a lab that needs its time.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { place, type Place } from '../support/cli.ts';

interface CheckDocument {
  readonly id: string;
  readonly status: string;
  readonly observed: string;
  readonly level?: string;
  readonly location?: { file: string; line: number; column: number };
}

const HEALTHY = fileURLToPath(new URL('nft/dsr.yaml', import.meta.url));

const EXPECTED = `
claims: false
expect:
  - connections: { at: client, count: requests }
  - destinations: { at: backends, are: [vip] }
  - path: { to-server: [client, lb, backends], to-client: [backends, client] }
  - path: { to-client: [backends, client], never: lb }
  - arp: { at: client, answered-by: lb, asked-by: [] }
  - end-to-end: 1
  - status: 200
  - table: { contains: 'fwd to' }
  - spread: { be1: 100% }
    name: everything to be1
    level: warning
`;

let here: Place;
beforeAll(async () => {
  here = await place();
});
afterAll(async () => here.remove());

/** Runs a topology and gives its exit code, its checks, and what people are shown. */
async function run(name: string, topology: string) {
  await writeFile(join(here.cwd, `${name}.yaml`), topology);
  const result = await here.run(['run', `${name}.yaml`, '--json', '-o', name]);
  const { labs } = JSON.parse(result.stdout) as { labs: { ok: boolean; checks: CheckDocument[] }[] };
  return { ...result, ok: labs[0]!.ok, checks: labs[0]!.checks };
}

const statuses = (checks: readonly CheckDocument[]) =>
  Object.fromEntries(checks.map(({ id, status }) => [id, status]));

const PASSED = {
  accounts: 'pass',
  'expect[0] connections': 'pass',
  'expect[1] destinations': 'pass',
  'expect[2] path': 'pass',
  'expect[3] path': 'pass',
  'expect[4] arp': 'pass',
  'expect[5] end-to-end': 'pass',
  'expect[6] status': 'pass',
  'expect[7] table': 'pass',
  'expect[8] spread': 'fail',
};

describe('a run of a topology with expectations', () => {
  it('judges them from a healthy lab, in place of claims; a warning does not fail it', async () => {
    const { code, ok, checks } = await run('healthy', (await readFile(HEALTHY, 'utf8')) + EXPECTED);
    expect(statuses(checks)).toEqual(PASSED);
    expect(checks.at(-1)).toMatchObject({ level: 'warning', title: 'everything to be1' });
    expect({ code, ok }).toEqual({ code: 0, ok: true });
  });

  it('fails on a sabotaged one, with the line of the file', async () => {
    const topology = (await readFile(HEALTHY, 'utf8')).replace(
      'method: nft-dsr\n',
      'method: nft-dsr\n  sabotage: [no-arp-ignore]\n',
    );
    const { code, ok, checks } = await run('sabotaged', topology + EXPECTED);
    expect({ code, ok }).toEqual({ code: 1, ok: false });
    const arp = checks.find(({ id }) => id === 'expect[4] arp')!;
    expect(arp).toMatchObject({
      status: 'fail',
      level: 'error',
      location: { file: 'sabotaged.yaml', column: 5 },
    });
    expect(arp.observed).toMatch(/^1 question, answered by be1 1, be2 1, lb 1;/);
    const line = (topology + EXPECTED).split('\n')[arp.location!.line - 1];
    expect(line).toContain('- arp:');
  });

  it('is judged the same way from what it has saved', async () => {
    const { code, stdout } = await here.run(['verify', '--captures', 'healthy', '--json']);
    const { checks, notJudged } = JSON.parse(stdout) as { checks: CheckDocument[]; notJudged: string[] };
    const { 'expect[7] table': _, ...judged } = PASSED;
    expect(statuses(checks)).toEqual(judged);
    expect(notJudged).toEqual(['expect[7] table']);
    expect(code).toBe(0);
  });
});

describe('what may take time', () => {
  const late = (within: string) => `
segments: { front: , back: }
nodes:
  client: { role: client, interfaces: { eth0: front } }
  lb: { role: balancer, interfaces: { eth0: front, eth1: back } }
  be1:
    role: backend
    interfaces: { eth0: back }
    services:
      - name: late
        command: [${process.execPath}, -e, "setTimeout(() => require('http').createServer((_, s) => s.end('be1')).listen(80), 2000)"]
balancer: { method: nginx }
traffic: { requests: 2 }
claims: false
expect:
  - status: 200
    within: ${within}
`;

  it('is waited for, by repeating the round', async () => {
    const { code, checks } = await run('late', late('20s'));
    expect(checks.at(-1)).toMatchObject({ status: 'pass', observed: '2 requests: all with 200' });
    expect(code).toBe(0);
  });

  it('is not waited for longer than the file allows', async () => {
    const { code, checks } = await run('impatient', late('300ms'));
    expect(checks.at(-1)).toMatchObject({ status: 'fail', observed: '2 requests: all with 502' });
    expect(code).toBe(1);
  });
});
