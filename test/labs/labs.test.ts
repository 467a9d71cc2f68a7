// Every lab that ships, and the peers' cases, for real: built, captured, judged, and gone. As this user and as one who is not root.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readCapture } from '../../src/pcap/index.ts';
import { place, type Place } from '../support/cli.ts';
import { processesOf } from '../support/processes.ts';
import { tsharkCounts } from './tshark.ts';

const HERE = fileURLToPath(new URL('.', import.meta.url));

interface RunDocument {
  readonly schema: string;
  readonly ok: boolean;
  readonly labs: readonly {
    readonly lab: string;
    readonly kernel: string;
    readonly ok: boolean;
    readonly requests: { sent: number; succeeded: number; byBackend: Record<string, number> };
    readonly captures: readonly {
      name: string;
      path: string;
      packets: number;
      dropped: number;
      connections: number;
    }[];
    readonly checks: readonly { id: string; status: string; observed: string }[];
  }[];
}

/** Claims of each lab that ships, as its users know them. */
const SHIPPED: Record<string, { kernel: string; claims: string[] }> = {
  l7: {
    kernel: 'host',
    claims: [
      'vip',
      'source',
      'two-connections',
      'after-request',
      'forwarded-for',
      'proxy-request',
      'spread',
    ].map((id) => `l7.${id}`),
  },
  haproxy: {
    kernel: 'host',
    claims: ['vip', 'source', 'two-connections', 'after-request', 'forwarded-for', 'spread'].map(
      (id) => `l7.${id}`,
    ),
  },
  'haproxy-tcp': {
    kernel: 'host',
    claims: [
      ...['l7.vip', 'l7.source', 'l7.two-connections'],
      ...['proxy.at-once', 'proxy.untouched', 'proxy.client', 'l7.spread'],
    ],
  },
  nat: {
    kernel: 'uml',
    claims: [
      'vip',
      'one-connection',
      'port',
      'rewrite',
      'both-ways',
      'passed-through',
      'source',
      'spread',
      'payload',
      'table',
    ].map((id) => `nat.${id}`),
  },
  fullnat: {
    kernel: 'uml',
    claims: ['source', 'one-connection', 'spread', 'no-gateway'].map((id) => `fullnat.${id}`),
  },
  dsr: {
    kernel: 'uml',
    claims: [
      'vip',
      'mac',
      'source',
      'dst',
      'return',
      'return-source',
      'segment',
      'loopback',
      'arp',
      'missing',
      'one-connection',
      'payload',
      'spread',
      'norules',
      'table',
    ].map((id) => `dsr.${id}`),
  },
  'dsr-article': {
    kernel: 'uml',
    claims: [
      'vip',
      'mac',
      'source',
      'dst',
      'return',
      'return-source',
      'segment',
      'loopback',
      'arp',
      'missing',
      'one-connection',
      'payload',
      'norules',
      'table',
    ].map((id) => `dsr.${id}`),
  },
  tun: {
    kernel: 'uml',
    claims: [
      'vip',
      'encapsulation',
      'source',
      'dst',
      'return',
      'return-source',
      'one-connection',
      'payload',
      'spread',
      'loopback',
      'arp',
      'table',
    ].map((id) => `tun.${id}`),
  },
};

/** A kernel with IPVS, and root to use it, take these labs themselves. */
const hasIpvs =
  process.getuid!() === 0 && (await readdir('/proc/net').catch((): string[] => [])).includes('ip_vs');

describe.each(['self', 'plain'] as const)('as %s', (user) => {
  let here: Place;
  beforeAll(async () => {
    here = await place(user);
  });
  afterAll(async () => {
    expect(await processesOf(here.state)).toEqual([]);
    expect(await readdir(here.state)).toEqual(['labs']);
    await here.remove();
  });

  it.each(Object.keys(SHIPPED))(
    '%s is verified, claim by claim, and leaves nothing but its captures',
    async (name) => {
      const { code, stdout, stderr } = await here.run(['run', name, '--json'], { seconds: 120 });
      expect(stderr).toBe('');
      const document = JSON.parse(stdout) as RunDocument;
      const [lab] = document.labs;
      expect(document).toMatchObject({ schema: 'lblab/run@1', ok: true });
      expect(lab!.checks.filter((check) => check.status !== 'pass')).toEqual([]);
      expect(lab!.checks.map((check) => check.id)).toEqual(['accounts', ...SHIPPED[name]!.claims]);
      expect(lab!.requests).toMatchObject({ sent: 10, succeeded: 10 });
      const answered = Object.values(lab!.requests.byBackend);
      expect(answered.reduce((sum, count) => sum + count, 0)).toBe(10);
      if (!hasIpvs) expect(lab!.kernel).toBe(SHIPPED[name]!.kernel);
      for (const capture of lab!.captures) {
        expect(capture.dropped).toBe(0);
        expect(await tsharkCounts(capture.path), capture.name).toEqual({
          packets: capture.packets,
          connections: capture.connections,
        });
      }
      expect(code).toBe(0);
    },
    120_000,
  );

  it('several labs run side by side, even of one topology', async () => {
    const runs = await Promise.all([
      here.run(['run', 'l7', '--json', '-o', 'a']),
      here.run(['run', 'l7', '--json', '-o', 'b']),
    ]);
    expect(runs.map(({ code }) => code)).toEqual([0, 0]);
    expect((await readdir(join(here.cwd, 'a'))).filter((name) => name.endsWith('.pcap'))).toHaveLength(5);
  });
});

describe('the cases of the kernel’s own IPVS test', () => {
  let here: Place;
  beforeAll(async () => {
    here = await place();
  });
  afterAll(async () => here.remove());

  it.each([
    ['nat', ['nat.one-connection', 'nat.rewrite', 'nat.both-ways', 'nat.source', 'nat.spread']],
    ['dr', ['dsr.mac', 'dsr.source', 'dsr.return', 'dsr.spread']],
    ['tun', ['tun.encapsulation', 'tun.source', 'tun.return', 'tun.spread']],
  ])(
    '%s passes, and shows what the original never looks at',
    async (name, ids) => {
      const { code, stdout, stderr } = await here.run(
        ['run', join(HERE, `kernel-ipvs/${name}.yaml`), '--json'],
        { seconds: 120 },
      );
      const document = JSON.parse(stdout) as RunDocument;
      const checks = document.labs[0]!.checks;
      expect(checks.filter((check) => check.status !== 'pass')).toEqual([]);
      expect(checks.map((check) => check.id)).toEqual(expect.arrayContaining(ids));
      expect(document.labs[0]!.requests.byBackend).toEqual({ rs1: 5, rs2: 5 });
      const client = await readCapture(join(here.cwd, `captures/kernel-${name}/client.pcap`));
      const speakers = client.packets.flatMap(({ arp }) =>
        arp?.senderAddress === '207.175.44.110' ? [arp.senderMac] : [],
      );
      expect(speakers).toEqual([]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    },
    120_000,
  );
});

describe('nftables in the place of IPVS, on this machine’s kernel', () => {
  it.each([
    ['nat', 'self'],
    ['nat', 'plain'],
    ['dsr', 'self'],
    ['dsr', 'plain'],
  ] as const)('%s as %s', async (name, user) => {
    const here = await place(user);
    try {
      // The shipped file is read from a folder that everybody can read.
      const { writeFile } = await import('node:fs/promises');
      await writeFile(join(here.cwd, 'lab.yaml'), await readFile(join(HERE, `nft/${name}.yaml`)));
      const { code, stdout } = await here.run(['run', 'lab.yaml', '--json', '-n', '20']);
      const document = JSON.parse(stdout) as RunDocument;
      expect(document.labs[0]!.checks.filter((check) => check.status !== 'pass')).toEqual([]);
      expect(document.labs[0]!.kernel).toBe('host');
      expect(code).toBe(0);
    } finally {
      await here.remove();
    }
  });

  it.each([
    ['dsr', 'scheduler: sh-port', 'scheduler: lc', /scheduler/],
    ['nat', 'scheduler: rr', 'scheduler: lc', /scheduler/],
  ])('%s with a scheduler that nftables cannot do is an error', async (name, from, to, words) => {
    const here = await place();
    try {
      const { writeFile } = await import('node:fs/promises');
      const text = await readFile(join(HERE, `nft/${name}.yaml`), 'utf8');
      await writeFile(join(here.cwd, 'lab.yaml'), text.replace(from, to));
      const { code, stderr } = await here.run(['run', 'lab.yaml']);
      expect(stderr).toMatch(words);
      expect(stderr).toMatch(/lab\.yaml:\d+:\d+/);
      expect(code).toBe(2);
    } finally {
      await here.remove();
    }
  });
});
