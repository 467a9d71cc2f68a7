// Captures that lie in a folder, as lblab left them or as they came from elsewhere: what is read, and what is refused by name.
import { execFile } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { readEvidence, savedTopology } from '../../src/lab/evidence.ts';
import { parseTopology } from '../../src/topology/index.ts';
import { pcap, segment } from '../pcap/build.ts';
import { temporaryFolder } from '../support/sandbox.ts';

const l7 = async () => parseTopology(await readFile('topologies/l7.yaml'), 'l7.yaml');

async function folderWith(files: Record<string, string | Uint8Array>): Promise<string> {
  const folder = await temporaryFolder();
  for (const [name, content] of Object.entries(files)) {
    await mkdir(join(folder, name, '..'), { recursive: true });
    await writeFile(join(folder, name), content);
  }
  return folder;
}

describe('topology.json', () => {
  test.each(['l7', 'nat', 'dsr', 'tun', 'fullnat'])('of %s is read as it was saved', async (name) => {
    const topology = parseTopology(await readFile(`topologies/${name}.yaml`), `${name}.yaml`);
    const folder = await folderWith({ 'topology.json': JSON.stringify(topology) });
    expect(await savedTopology(folder)).toEqual(JSON.parse(JSON.stringify(topology)));
  });

  test('may be absent', async () => {
    expect(await savedTopology(await temporaryFolder())).toBeUndefined();
  });

  const changed = (change: (topology: Record<string, unknown>) => unknown) => change;
  test.each([
    {
      what: 'a capture whose name leads out of the folder',
      change: changed((topology) => ({
        ...topology,
        captures: [{ name: '../../x', node: 'lb', interface: 'eth0', filter: '' }],
      })),
      message: 'captures.0.name: ',
    },
    {
      what: 'no nodes',
      change: changed((topology) => ({ ...topology, nodes: undefined })),
      message: 'nodes: ',
    },
    {
      what: 'a method that there is not',
      change: changed((topology) => ({
        ...topology,
        balancer: { ...(topology.balancer as object), method: 'magic' },
      })),
      message: 'balancer.method: ',
    },
    {
      what: 'a segment that is not there',
      change: changed((topology) => ({ ...topology, segments: [] })),
      message: 'there is no segment front',
    },
    {
      what: 'a command that is no list',
      change: changed((topology) => ({
        ...topology,
        nodes: (topology.nodes as object[]).map((node) => ({ ...node, setup: [null] })),
      })),
      message: 'nodes.0.setup.0: ',
    },
    ...(
      [
        ['a number in the place of its faults', 'faults', 1e21],
        ['nothing in its faults', 'faults', [null]],
        ['a client that is none', 'traffic', { clients: [null] }],
        ['a text in the place of what it expects', 'expect', 'all'],
        ['an expectation of no kind', 'expect', [{ index: 0, kind: 'constructor' }]],
      ] as const
    ).map(([what, key, value]) => ({
      what,
      change: changed((topology) => ({ ...topology, [key]: value })),
      message: key,
    })),
    ...(
      [
        ['a text in the place of its sabotage', 'sabotage', 'none'],
        ['no service of its balancer', 'services', []],
        ['a VIP that is no address', 'vip', 'constructor'],
        ["a number in the place of the method's own options", 'options', 7],
      ] as const
    ).map(([what, key, value]) => ({
      what,
      change: changed((topology) => ({
        ...topology,
        balancer: { ...(topology.balancer as object), [key]: value },
      })),
      message: `balancer.${key}`,
    })),
    {
      what: 'a subnet that is none',
      change: changed((topology) => ({ ...topology, segments: [{ name: 'front', subnets: ['x/1e21'] }] })),
      message: 'segments.0.subnets.0: no subnet',
    },
    { what: 'a list in its place', change: changed(() => []), message: ': ' },
  ])('with $what is refused', async ({ change, message }) => {
    const topology = JSON.parse(JSON.stringify(await l7())) as Record<string, unknown>;
    const folder = await folderWith({ 'topology.json': JSON.stringify(change(topology)) });
    await expect(savedTopology(folder)).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringContaining(`${folder}/topology.json is not what lblab saved: ${message}`),
    });
  });

  test('that is no JSON is refused', async () => {
    const folder = await folderWith({ 'topology.json': '{' });
    await expect(savedTopology(folder)).rejects.toThrow('topology.json is not what lblab saved: no JSON');
  });
});

describe('captures from elsewhere', () => {
  const syn = pcap([
    segment({ source: '192.168.11.104', destination: '192.168.11.107', flags: 'S', sequence: 1 }),
  ]);

  test('need no logs, and not every capture point', async () => {
    const evidence = await readEvidence(await folderWith({ 'eth0.pcap': syn }), await l7());
    expect([...evidence.captures.keys()]).toEqual(['eth0']);
    expect(evidence.captures.get('eth0')).toMatchObject({ node: 'lb', interface: 'eth0' });
    expect(evidence.captures.get('eth0')!.capture.packets).toHaveLength(1);
    expect(evidence.requests).toBeUndefined();
    expect(evidence.accessLogs).toBeUndefined();
  });

  test('that are cut are not whole', async () => {
    const evidence = await readEvidence(await folderWith({ 'eth0.pcap': syn.subarray(0, -3) }), await l7());
    expect(evidence.captures.get('eth0')!.incomplete).toMatch(
      /^the file is cut: the file ends inside a record/,
    );
  });

  test('that are none are named', async () => {
    const folder = await folderWith({ 'eth0.pcap': 'hello' });
    await expect(readEvidence(folder, await l7())).rejects.toMatchObject({
      exitCode: 2,
      message: `${folder}/eth0.pcap: not a capture: it looks like text`,
    });
  });

  test.each([
    ['null', 'not what curl writes'],
    ['{"errormsg":{}}', 'not what curl writes: errormsg'],
    ['{"lblab_backend":["be1"]}', 'not what curl writes: lblab_backend'],
  ])('with %s in a log are refused', async (line, message) => {
    const folder = await folderWith({ 'eth0.pcap': syn, 'requests/client.jsonl': `{}\n${line}\n` });
    await expect(readEvidence(folder, await l7())).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringContaining(`requests/client.jsonl:2: ${message}`),
    });
  });

  test.each([
    'topology.json',
    'eth0.pcap',
    'eth0.log',
    'requests/client.jsonl',
    'faults.json',
    'tables/x.txt',
  ])('with a pipe in the place of %s are refused, and waited for by nobody', async (name) => {
    const folder = await folderWith({ [name]: '' });
    const path = join(folder, name);
    await rm(path);
    await promisify(execFile)('mkfifo', [path]);
    if (name === 'eth0.log') await writeFile(join(folder, 'eth0.pcap'), syn);
    const reading = name === 'topology.json' ? savedTopology(folder) : readEvidence(folder, await l7());
    await expect(reading).rejects.toMatchObject({ exitCode: 2, message: `${path} is no plain file` });
  });

  test('with logs of newlines alone take no memory for each of them, and of too many lines are refused', async () => {
    const newlines = '\n'.repeat(60_000_000);
    const folder = await folderWith({ 'eth0.pcap': syn, 'nodes/be1/access.log': newlines });
    const before = process.memoryUsage().heapUsed;
    expect((await readEvidence(folder, await l7())).accessLogs?.get('be1')).toEqual([]);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(200e6);
    await writeFile(join(folder, 'nodes/be1/access.log'), 'x\n'.repeat(4_000_001));
    await expect(readEvidence(folder, await l7())).rejects.toMatchObject({
      exitCode: 2,
      message: `${join(folder, 'nodes/be1/access.log')} has too many lines: at most 4000000 are read`,
    });
    const asked = await folderWith({ 'eth0.pcap': syn, 'requests/client.jsonl': newlines });
    await expect(readEvidence(asked, await l7())).rejects.toMatchObject({ exitCode: 2 });
  });

  test('with a log that is none are refused', async () => {
    const folder = await folderWith({ 'eth0.pcap': syn, 'requests/client.jsonl': '{}\nnot json\n' });
    await expect(readEvidence(folder, await l7())).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringContaining('requests/client.jsonl:2: no JSON'),
    });
  });
});
