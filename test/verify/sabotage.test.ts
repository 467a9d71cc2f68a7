// Every sabotage is caught. Each lab that is broken on purpose is held against the one that it was made from: some claim or assertion that
// holds there must fail here. What each finds, and what it leaves standing, is written to docs/sabotage.md.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { format, resolveConfig } from 'prettier';
import { expect, test } from 'vitest';
import { methodOf } from '../../src/balancers/index.ts';
import { judgeAssertions } from '../../src/verify/index.ts';
import type { Status } from '../../src/verify/types.ts';
import { SABOTAGES } from '../../src/topology/types.ts';
import { expecting } from './assertions/labs.ts';
import { recorded, RECORDED, status } from './evidence.ts';

const LABS = new URL('./labs/', import.meta.url);
const DOCUMENT = new URL('../../docs/sabotage.md', import.meta.url);

/** The lab that each was made from, where its name does not begin with it. */
const MADE_FROM: Readonly<Record<string, string>> = {
  'l7-cookie-ignored': 'l7-sticky',
  'l7-three-clients': 'l7-ip-hash',
  'nat-two-clients': 'nat-persistent',
  'dsr-two-clients': 'dsr-persistent',
  'dsr-director-down': 'pair',
  'haproxy-no-proxy-header': 'haproxy-tcp',
  direct: 'l7',
};
/** Labs that are whole: twins of claims about other methods, by being another method. */
const WHOLE = new Set(['l7-fault', 'nat-keepalived-fault', 'l7-stream']);

const head = (lab: string) => /^# (.*)/.exec(readFileSync(new URL(`${lab}.yaml`, LABS), 'utf8'))![1]!;
const broken = readdirSync(LABS)
  .map((file) => file.replace(/\.yaml$/, ''))
  .filter((lab) => existsSync(`${RECORDED}${lab}`) && !WHOLE.has(lab))
  .sort();
const origin = (lab: string) => MADE_FROM[lab] ?? lab.split('-')[0]!;

/** An assertion of each kind, in words that any of these labs understands; what it expects is measured on the whole lab. */
const KINDS: Readonly<Record<string, string>> = {
  connections: 'connections: { at: clients, count: requests }',
  sources: 'sources: { at: backends, are: clients }',
  'sources, not': 'sources: { at: backends, exclude: clients }',
  destinations: 'destinations: { at: clients, are: vip }',
  'destinations at a backend': 'destinations: { at: backends, are: vip }',
  header: 'header: { at: backends, name: X-Forwarded-For, is: { address: clients } }',
  'header absent': 'header: { at: backends, name: X-Forwarded-For, absent: true }',
  path: 'path: { to-client: [backends, clients], never: balancer }',
  'path through': 'path: { to-server: [clients, balancer, backends] }',
  'end-to-end': 'end-to-end: 1',
  'end-to-end 2': 'end-to-end: 2',
  spread: 'spread: even',
  analysis: 'analysis: { at: clients, none: [retransmission] }',
  backend: 'backend: { request: all, is: [be1, be2] }',
  latency: 'latency: { max: 900ms }',
  table: 'table: { contains: Masq }',
  bytes: 'bytes: { at: clients, count: { min: 100 } }',
  packets: 'packets: { at: backends, count: { min: 4 } }',
  arp: 'arp: { at: clients, address: vip, answered-by: lb }',
  'arp asked': 'arp: { at: clients, address: vip, asked-by: client }',
  status: 'status: 200',
  'response-time': 'response-time: { max: 900ms }',
};

const understood = new Map<string, Promise<string[]>>();

/** The kinds of which the words mean something in a lab. */
async function kindsOf(lab: string): Promise<string[]> {
  const known = await Promise.all(
    Object.entries(KINDS).map(async ([kind, entry]) =>
      expecting(lab, `expect:\n  - ${entry}\n`).then(
        () => [kind],
        () => [],
      ),
    ),
  );
  return known.flat();
}

/** The verdicts of all that can be said of a lab: its method's claims and the assertions that it understands. */
async function verdicts(lab: string, claims: readonly string[]): Promise<Map<string, Status>> {
  const found = new Map<string, Status>();
  for (const id of claims) found.set(id, await status(id, lab));
  const kinds = await (understood.get(lab) ?? understood.set(lab, kindsOf(lab)).get(lab)!);
  const entries = kinds.map((kind) => `  - ${KINDS[kind]}\n`).join('');
  const checks = judgeAssertions(await expecting(lab, `expect:\n${entries}`), { live: true });
  for (const [index, kind] of kinds.entries()) found.set(`expect ${kind}`, checks[index]!.status);
  return found;
}

/** What holds on the whole lab, by what becomes of it on the broken one. */
async function compared(lab: string): Promise<Record<Status, string[]>> {
  const { topology } = await recorded(origin(lab));
  const claims = topology.claims ?? methodOf(topology.balancer!.method).claims(topology);
  const [whole, now] = [await verdicts(origin(lab), claims), await verdicts(lab, claims)];
  const found: Record<Status, string[]> = { fail: [], unknown: [], pass: [] };
  for (const [name, was] of whole) {
    const is = now.get(name);
    if (was === 'pass' && is !== undefined) found[is].push(name);
  }
  return found;
}

test.each(broken)('%s is caught', async (lab) => {
  expect((await compared(lab)).fail).not.toEqual([]);
});

test('every sabotage that a topology can name has its lab', () => {
  const texts = broken.map((lab) => readFileSync(new URL(`${lab}.yaml`, LABS), 'utf8'));
  const named = new Set(texts.flatMap((text) => /sabotage: \[(.*)\]/.exec(text)?.[1]?.split(', ') ?? []));
  expect([...named].sort()).toEqual([...SABOTAGES].sort());
});

test('docs/sabotage.md says what each is caught by (vitest -u writes it)', async () => {
  const results = new Map<string, Record<Status, string[]>>();
  for (const lab of broken) results.set(lab, await compared(lab));
  const names = (list: readonly string[]) => list.map((name) => `\`${name}\``).join(', ') || 'nothing';
  const text = [
    '# Every sabotage is caught',
    '',
    'Each lab here is broken on purpose, in one way, and was run on a real kernel; its topology is in `test/verify/labs`, what was captured',
    'in `test/fixtures/evidence`. It is held against the lab that it was made from: what becomes of the claims and assertions (`expect`)',
    'that hold there. Some fail; some cannot be told any more, for want of what they speak of; the others hold in spite of it, as they must',
    'where they are about something else. All claims on all labs are in `test/verify/matrix.txt`, all kinds of assertions in',
    '`test/verify/assertions/matrix.txt`.',
    ...broken.flatMap((lab) => {
      const { fail, unknown, pass } = results.get(lab)!;
      return [
        '',
        `## \`${lab}\``,
        '',
        `Made from \`${origin(lab)}\`: ${head(lab).replace(/^Twin of [^:]*: /, '')}`,
        '',
        `- fails: ${names(fail)}`,
        `- unknown: ${names(unknown)}`,
        `- holds: ${names(pass)}`,
      ];
    }),
    '',
  ].join('\n');
  const file = DOCUMENT.pathname;
  await expect(
    await format(text, { ...(await resolveConfig(file)), parser: 'markdown' }),
  ).toMatchFileSnapshot(file);
});

test('each kind of assertion is judged on every lab', async () => {
  const labs = readdirSync(RECORDED).sort();
  const letter = { pass: '+', fail: '-', unknown: '?' };
  const all = new Map(await Promise.all(labs.map(async (lab) => [lab, await verdicts(lab, [])] as const)));
  // A blank: the words mean nothing there.
  const row = (kind: string) =>
    labs.map((lab) => letter[all.get(lab)!.get(`expect ${kind}`)!] ?? ' ').join(' ');
  expect(Object.keys(KINDS).filter((kind) => row(kind).trim() === '')).toEqual([]);
  const rows = Object.keys(KINDS).map((kind) => `${kind.padEnd(26)} ${row(kind)}`.trimEnd());
  const heads = labs.map((lab, index) => `${' '.repeat(27)}${'| '.repeat(index)}${lab}`);
  const file = new URL('./assertions/matrix.txt', import.meta.url).pathname;
  await expect([...heads, ...rows, ''].join('\n')).toMatchFileSnapshot(file);
});
