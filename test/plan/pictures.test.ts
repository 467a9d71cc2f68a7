// Pictures of topologies: whole drawings, and what Graphviz and Mermaid themselves make of them.
import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { asciiPicture } from '../../src/plan/pictures/ascii.ts';
import { dotPicture } from '../../src/plan/pictures/dot.ts';
import { mermaidPicture } from '../../src/plan/pictures/mermaid.ts';
import { parseTopology } from '../../src/topology/index.ts';
import type { Topology } from '../../src/topology/types.ts';
import { openBrowser } from '../report/browser.ts';

const SHIPPED = ['l7', 'nat', 'fullnat', 'dsr', 'tun'];

async function shipped(name: string): Promise<Topology> {
  const file = new URL(`../../topologies/${name}.yaml`, import.meta.url);
  return parseTopology(await readFile(file, 'utf8'), `${name}.yaml`);
}

const THREE = parseTopology(
  `
name: three
segments: {a: 10.0.0.0/24, b: 10.0.1.0/24, c: 10.0.2.0/24}
nodes:
  one: {interfaces: {eth0: {segment: a, address: 10.0.0.1}, eth1: {segment: c, address: 10.0.2.1}}}
  two: {interfaces: {eth0: {segment: b, address: 10.0.1.2}, eth1: {segment: c, address: 10.0.2.2}}}
  three: {interfaces: {eth0: {segment: a, address: 10.0.0.3}}}
`,
  'three.yaml',
);

test('a tunnel lab in text: two segments, the VIP on three machines', async () => {
  expect(asciiPicture(await shipped('tun'))).toBe(
    `
   front 192.168.11.0/24
   ==+=====================+========================+========================+==
     | eth0                | eth0                   | eth1                   | eth1
     | 192.168.11.104      | 192.168.11.106         | 192.168.11.108         | 192.168.11.109
  +--+-----+            +--+-----------------+   +--+-----------------+   +--+-----------------+
  | client |            | lb                 |   | be1                |   | be2                |
  |        |            | ipvs-tun lc        |   | backend            |   | backend            |
  |        |            | VIP 192.168.11.107 |   | VIP 192.168.11.107 |   | VIP 192.168.11.107 |
  +--------+            +--+-----------------+   +--+-----------------+   +--+-----------------+
                           | eth1                   | eth0                   | eth0
                           | 10.133.1.1             | 10.133.1.2             | 10.133.1.3
                         ==+========================+========================+==
                         back 10.133.1.0/24
`.slice(1),
  );
});

test('wires of an outer segment cross the inner one', () => {
  expect(asciiPicture(THREE)).toBe(
    `
              c 10.0.2.0/24
              ==+===============+==
   a 10.0.0.0/24|               |
   ==+==========|===============|===============+==
     | eth0     | eth1          | eth1          | eth0
     | 10.0.0.1 | 10.0.2.1      | 10.0.2.2      | 10.0.0.3
  +--+----------+-+          +--+---+        +--+----+
  | one           |          | two  |        | three |
  | node          |          | node |        | node  |
  +---------------+          +--+---+        +-------+
                                | eth0
                                | 10.0.1.2
                              ==+==
                              b 10.0.1.0/24
`.slice(1),
  );
});

test('mermaid and dot name each node, segment and wire once', async () => {
  expect(mermaidPicture(await shipped('nat'))).toBe(
    `
flowchart LR
  segment0(["front 192.168.11.0/24"])
  segment1(["back 10.133.1.0/24"])
  node0["client"]
  node1[["lb<br>ipvs-nat lc"]]
  node2["be1<br>backend"]
  node3["be2<br>backend"]
  node0 ---|"eth0 192.168.11.104"| segment0
  segment0 ---|"eth0 192.168.11.107"| node1
  node1 ---|"eth1 10.133.1.1"| segment1
  segment1 ---|"eth0 10.133.1.2"| node2
  segment1 ---|"eth0 10.133.1.3"| node3
`.slice(1),
  );
  expect(dotPicture(await shipped('nat'))).toContain(
    String.raw`  node1 [label="lb\nipvs-nat lc", peripheries=2];`,
  );
});

/** The words of the picture that Graphviz makes. */
function drawnByGraphviz(dot: string): string[] {
  const svg = execFileSync('dot', ['-Tsvg'], { input: dot, encoding: 'utf8' });
  const entities: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', '#45': '-', '#160': ' ' };
  return [...svg.matchAll(/<text [^>]*>(.*?)<\/text>/g)].map(([, text]) =>
    text!.replace(/&([^;]+);/g, (whole, name: string) => entities[name] ?? whole),
  );
}

test.each(SHIPPED)('Graphviz draws %s', async (name) => {
  const topology = await shipped(name);
  const said = drawnByGraphviz(dotPicture(topology));
  for (const segment of topology.segments)
    expect(said).toContain([segment.name, ...segment.subnets].join(' '));
  for (const node of topology.nodes) {
    expect(said).toContain(node.name);
    for (const { address } of node.interfaces.flatMap(({ addresses }) => addresses))
      expect(said).toContain(address);
  }
});

describe('in a browser', () => {
  let browser: Browser;
  let mermaid: string;

  beforeAll(async () => {
    [browser, mermaid] = await Promise.all([
      openBrowser(),
      readFile(new URL(import.meta.resolve('mermaid/dist/mermaid.min.js')), 'utf8'),
    ]);
  });
  afterAll(async () => browser.close());

  /** Words of the picture that Mermaid makes. */
  async function words(definition: string): Promise<string[]> {
    const page = await browser.newPage();
    await page.addScriptTag({ content: mermaid });
    const found = await page.evaluate<string[]>(`(async () => {
      mermaid.initialize({ startOnLoad: false, securityLevel: 'strict' });
      const { svg } = await mermaid.render('picture', ${JSON.stringify(definition)});
      const box = document.createElement('div');
      box.innerHTML = svg;
      return [...box.querySelectorAll('.nodeLabel, .edgeLabel p')].map((label) => label.textContent.trim());
    })()`);
    await page.close();
    return found;
  }

  test('Mermaid draws each topology that ships', async () => {
    for (const name of SHIPPED) {
      const topology = await shipped(name);
      const said = await words(mermaidPicture(topology));
      for (const node of topology.nodes) {
        expect(said.some((label) => label.startsWith(node.name))).toBe(true);
        for (const link of node.interfaces)
          expect(said).toContain([link.name, ...link.addresses.map(({ address }) => address)].join(' '));
      }
    }
  });

  test('names that mean something to either tool are names all the same', async () => {
    const odd = 'end"]; --> <b>&#35; `x` \\';
    const topology: Topology = {
      ...THREE,
      name: odd,
      segments: THREE.segments.map((segment) => ({ ...segment, name: `${odd}${segment.name}` })),
      nodes: THREE.nodes.map((node) => ({
        ...node,
        name: `${odd}${node.name}`,
        interfaces: node.interfaces.map((link) => ({ ...link, segment: `${odd}${link.segment}` })),
      })),
    };
    expect((await words(mermaidPicture(topology))).filter((label) => label.startsWith(odd))).toHaveLength(6);
    expect(drawnByGraphviz(dotPicture(topology)).filter((label) => label.startsWith(odd))).toHaveLength(6);
  });
});
