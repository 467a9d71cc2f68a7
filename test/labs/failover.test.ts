// The same fault in several labs, for real: what `lblab failover` prints, writes and refuses.
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SHIPPED } from '../../src/cli/topologies.ts';
import type { Failover } from '../../src/verify/failover.ts';
import { place, type Place } from '../support/cli.ts';
import { processesOf } from '../support/processes.ts';

let here: Place;
beforeAll(async () => {
  here = await place();
});
afterAll(async () => {
  await here.run(['down', '--all']);
  expect(await processesOf(here.state)).toEqual([]);
  await here.remove();
});

interface Document {
  readonly schema: string;
  readonly ok: boolean;
  readonly labs: readonly {
    readonly topology: string;
    readonly captures: string;
    readonly again?: string;
    readonly rows: readonly Failover[];
  }[];
}

/** Where the machine is too busy to keep time it is unknown what was measured, and measured again. */
async function failover(
  words: readonly string[],
): Promise<{ readonly code: number | null; readonly document: Document; readonly stderr: string }> {
  for (let left = 3; ; left--) {
    const { code, stdout, stderr } = await here.run(['failover', '--json', ...words], { seconds: 200 });
    if (code !== 4 || left === 1) return { code, document: JSON.parse(stdout) as Document, stderr };
  }
}

it('measures what each method loses, within what its configuration allows', async () => {
  const { code, document, stderr } = await failover([]);
  const rows = document.labs.flatMap((lab) => lab.rows);
  expect(rows.map(({ topology, habit, status }) => [topology, habit ?? '', status].join(' '))).toEqual([
    'dnsrr keeps answers pass',
    'dnsrr tries each address pass',
    'l7  pass',
    'nat  pass',
    'nat-keepalived  pass',
    'dsr-keepalived  pass',
    'pair  pass',
    'pair keeps its connection pass',
  ]);
  expect([code, stderr]).toEqual([0, '']);
  expect(document).toMatchObject({ schema: 'lblab/failover@1', ok: true });
  const [keeping, ordinary, l7, nat, checked, direct, pair, kept] = rows.map(({ packets }) => packets);
  // The rest of the five seconds of TTL, against a check a second, against nobody who asks.
  expect(keeping!.lastLost).toBeGreaterThan(3);
  expect(ordinary!.lost).toBeLessThanOrEqual(1);
  expect(l7!.lost).toBeLessThanOrEqual(1);
  for (const { lastLost } of [checked!, direct!]) {
    expect(lastLost).toBeLessThan(keeping!.lastLost!);
    expect(lastLost).toBeLessThan(nat!.lastLost!);
  }
  expect(pair!.lastLost).toBeGreaterThan(2);
  expect(kept!.lost).toBe(0);
  for (const { served, topology } of rows.slice(0, 6)) {
    expect(Object.keys(served.before), topology).toContain('be1');
    // One that came just after the fault may have been under way.
    expect(served.after.be1 ?? 0, topology).toBeLessThanOrEqual(1);
  }

  const file = join(here.cwd, 'captures/failover/failover.json');
  expect(JSON.parse(await readFile(file, 'utf8'))).toEqual(document);
  const made = await here.run(['report', file, '-o', 'page.html']);
  expect(made).toMatchObject({ code: 0, stderr: '' });
  const page = await readFile(join(here.cwd, 'page.html'), 'utf8');
  expect(page).toContain('When a server goes down');
  expect(page.match(/<svg role="img"/g)).toHaveLength(8);
}, 620_000);

it('draws them, and writes the page at once', async () => {
  const argv = [
    'failover',
    'l7',
    '--fault',
    'stop-service',
    '--after',
    '2s',
    '--html',
    'l7.html',
    '-o',
    'out',
  ];
  const { code, stdout, stderr } = await here.run(argv);
  expect(stdout).toMatch(/^stop-service of be1, at 10 requests a second of each client\n/);
  expect(stdout).toMatch(
    /\nl7 +0 of 33 +- +\d+ ms +\d+ ms +be2 \d+\n +up to 1 .* nginx asks the next server at once\n/,
  );
  expect(stdout).toMatch(/\nl7\n {2}be1 [ ·:]+│?\n {2}be2 [ ·:│]+\n {2}lost +│\n +0 s +1\n/);
  expect(stdout).toContain('  lblab report out/failover.json    the same as a page\n');
  expect(await readFile(join(here.cwd, 'l7.html'), 'utf8')).toContain(
    'What it costs when a server goes down',
  );
  expect([code, stderr.replace(/^l7: on .*\n/, '')]).toEqual([0, '']);

  await rm(join(here.cwd, 'out/l7/client.pcap'));
  const broken = await here.run(['report', 'out/failover.json', '-o', 'broken.html']);
  expect(broken).toMatchObject({ code: 2, stdout: '' });
  expect(broken.stderr).toMatch(/failover\.json.*: .*client/);
  expect(await readdir(here.cwd)).not.toContain('broken.html');
});

it('measures again by itself what is not within what is allowed, and says so when it stays', async () => {
  const shipped = await readFile(join(SHIPPED, 'l7.yaml'), 'utf8');
  // The second server cannot be reached, so that nobody is left when the first one ends.
  const lone = shipped
    .replace('name: l7', 'name: lone')
    .replace('role: balancer\n', 'role: balancer\n    setup: [ip route add unreachable 10.133.1.3/32]\n');
  await writeFile(join(here.cwd, 'lone.yaml'), lone);
  const argv = ['failover', './lone.yaml', 'l7', '--fault', 'stop-service', '--after', '2s', '--json'];
  const { code, stdout } = await here.run(argv);
  const { labs } = JSON.parse(stdout) as Document;
  expect(labs.map(({ topology, rows }) => [topology, ...rows.map(({ status }) => status)])).toEqual([
    ['lone', 'fail'],
    ['l7', 'pass'],
  ]);
  expect(code).toBe(1);
  expect(labs[0]!.again).toMatch(/^lost \d+ of \d+ .* is not within up to 1$/);
  const { stderr } = await here.run(argv.filter((word) => word !== '--json'));
  expect(stderr).toMatch(/\nlone: measured again, by itself: lost \d+ of \d+ .* is not within up to 1\n/);
}, 120_000);

it.each([
  [['nope'], /^no topology "nope"/],
  [['dsr-article'], /^dsr-article has one backend only, so nothing can fail over\n/],
  [['l7', 'l7'], /^l7 is named twice\n/],
  [['l7', '--rate', '0/s'], /rate/],
  [['l7', '--fault', 'delay'], /link-down, kill, stop-service/],
  [['l7', '--ttl', 'long'], /ttl/],
  [
    ['./blind.yaml'],
    /^blind captures nothing at client, .*: add "client: \{ at: client \}" to its captures\n/,
  ],
])('refuses %j', async (words, said) => {
  const shipped = await readFile(join(SHIPPED, 'l7.yaml'), 'utf8');
  const blind = shipped.replace('name: l7', 'name: blind').replace(/^ {2}client: \{ at: .*\n/m, '');
  await writeFile(join(here.cwd, 'blind.yaml'), blind);
  const { code, stderr } = await here.run(['failover', ...words]);
  expect(stderr).toMatch(said);
  expect(code).toBe(2);
});
