// The live view, whole frames: at two sizes, with what is broken, without colours, and where there is hardly any room.
import { readFile } from 'node:fs/promises';
import { Chalk } from 'chalk';
import { renderToString } from 'ink';
import { cleanup, render } from 'ink-testing-library';
import stringWidth from 'string-width';
import { afterEach, describe, expect, it } from 'vitest';
import { keysOf } from '../../src/cli/watching.ts';
import { linksOf } from '../../src/lab/meter.ts';
import { asciiPicture } from '../../src/plan/pictures/ascii.ts';
import { parseTopology } from '../../src/topology/index.ts';
import { Watch } from '../../src/ui/Watch.tsx';
import { Speedometer, type LinkView, type WatchView } from '../../src/ui/watched.ts';

const text = await readFile(new URL('../../topologies/nat.yaml', import.meta.url), 'utf8');
const topology = parseTopology(text, 'nat.yaml');
const plain = new Chalk({ level: 0 });

const links = linksOf(topology).map(({ node, interface: link }, index): LinkView => ({
  node: node.name,
  role: node.role,
  interface: link.name,
  address: link.addresses[0]!.address,
  segment: link.segment,
  point: index,
  rates: { packets: 0, connections: 0, requests: 0 },
  requests: 0,
  broken: [],
}));

const idle: WatchView = {
  lab: 'nat',
  title: 'ipvs-nat lc  VIP 192.168.11.107:80',
  kernel: 'user-mode kernel',
  segments: topology.segments,
  links,
  selected: 3,
  load: 0,
  picture: asciiPicture(topology).trimEnd().split('\n'),
  table: [
    'IP Virtual Server version 1.2.1 (size=4096)',
    'Prot LocalAddress:Port Scheduler Flags',
    '  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn',
    'TCP  192.168.11.107:80 lc',
    '  -> 10.133.1.2:80                Masq    1      0          5',
    '  -> 10.133.1.3:80                Masq    1      0          5',
  ],
  packets: [],
  message: '',
  isHelp: false,
};

const busy: WatchView = {
  ...idle,
  load: 20,
  links: links.map((link, index) => ({
    ...link,
    rates: {
      packets: [200, 200, 200, 40, 160][index]!,
      connections: [20, 20, 20, 4, 16][index]!,
      requests: index === 3 ? 4 : 16,
    },
    requests: [0, 0, 0, 31, 66][index]!,
    broken: index === 3 ? ['100 ms'] : index === 1 ? ['cut', 'killed'] : [],
  })),
  packets: Array.from({ length: 50 }, (_, index) => `packet ${index + 1}`),
};

function frame(
  view: WatchView,
  more: { columns?: number; rows?: number; tick?: number; ascii?: boolean } = {},
): string {
  const { columns = 80, rows = 24, tick = 0, ascii = false } = more;
  const { lastFrame } = render(
    <Watch view={view} columns={columns} rows={rows} tick={tick} paint={plain} ascii={ascii} />,
  );
  return lastFrame()!;
}

afterEach(cleanup);

const TABLE = [
  "the balancer's table",
  'IP Virtual Server version 1.2.1 (size=4096)',
  'Prot LocalAddress:Port Scheduler Flags',
  '  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn',
  'TCP  192.168.11.107:80 lc',
  '  -> 10.133.1.2:80                Masq    1      0          5',
  '  -> 10.133.1.3:80                Masq    1      0          5',
];
const KEYS = 'r request  l load  k kill  c cut  d delay  m mend  s shell  ? help  q quit';

describe('a lab at 80 columns and 24 rows', () => {
  it('that is idle', () => {
    expect(frame(idle)).toBe(
      [
        'nat  ipvs-nat lc  VIP 192.168.11.107:80  user-mode kernel',
        'front 192.168.11.0/24                      packets/s conn/s req/s requests',
        ' ├─ client eth0 192.168.11.104 ─────────           0      0',
        ' └─ lb     eth0 192.168.11.107 ─────────           0      0',
        'back 10.133.1.0/24',
        ' ├─ lb     eth1 10.133.1.1     ─────────           0      0',
        '▶├─ be1    eth0 10.133.1.2     ─────────           0      0     0        0',
        ' └─ be2    eth0 10.133.1.3     ─────────           0      0     0        0',
        ...TABLE,
        'packets',
        'none yet: r sends requests',
        ...Array.from({ length: 6 }, () => ''),
        KEYS,
      ].join('\n'),
    );
  });

  it('with a load, and things broken', () => {
    expect(frame(busy)).toBe(
      [
        'nat  ipvs-nat lc  VIP 192.168.11.107:80  user-mode kernel  load 20/s',
        'front 192.168.11.0/24                      packets/s conn/s req/s requests',
        ' ├─ client eth0 192.168.11.104 ●──●──●──         200     20',
        ' └─ lb     eth0 192.168.11.107 cut,killed        200     20',
        'back 10.133.1.0/24',
        ' ├─ lb     eth1 10.133.1.1     ●──●──●──         200     20',
        '▶├─ be1    eth0 10.133.1.2     100 ms             40      4     4       31 ██',
        ' └─ be2    eth0 10.133.1.3     ●──●──●──         160     16    16       66 ████',
        ...TABLE,
        'packets',
        ...Array.from({ length: 7 }, (_, index) => `packet ${44 + index}`),
        KEYS,
      ].join('\n'),
    );
  });

  it('moves', () => {
    const client = (tick: number) => frame(busy, { tick }).split('\n')[2]!.slice(31, 40);
    expect([0, 1, 2, 3].map(client)).toEqual(['●──●──●──', '─●──●──●─', '──●──●──●', '●──●──●──']);
  });

  it('tells what came of a key, and what keys there are', () => {
    expect(
      frame({ ...idle, message: "the link of be1's eth0 is down" })
        .split('\n')
        .at(-1),
    ).toBe("the link of be1's eth0 is down");
    const help = frame({ ...idle, isHelp: true }).split('\n');
    expect(help.slice(15, 18)).toEqual([
      'keys',
      'up down   choose a link, and with it a node',
      "r         send the topology's requests once",
    ]);
  });

  it('has no character beyond ASCII where that is wanted', () => {
    expect(frame(busy, { ascii: true })).toMatch(/^[ -~\n]*$/);
    expect(frame(busy, { ascii: true }).split('\n')[6]).toBe(
      '>|- be1    eth0 10.133.1.2     100 ms             40      4     4       31 ##',
    );
  });
});

describe('other sizes', () => {
  it('has the drawing of the topology above at 200 columns and 60 rows', () => {
    const lines = renderToString(<Watch view={busy} columns={200} rows={60} tick={0} paint={plain} />, {
      columns: 200,
    }).split('\n');
    expect(lines).toHaveLength(60);
    expect(lines.slice(1, 13)).toEqual(idle.picture);
    expect(lines[20]).toBe(
      ' └─ be2    eth0 10.133.1.3     ●──●──●──         160     16    16       66 ████████████████████',
    );
    expect(lines.slice(21, 28)).toEqual(TABLE);
    expect(lines.at(-2)).toBe('packet 50');
  });

  it.each([
    [60, 12],
    [80, 24],
    [100, 30],
    [97, 9],
    [40, 6],
  ])('fills %d columns and %d rows and no more', (columns, rows) => {
    for (const view of [idle, busy, { ...busy, isHelp: true }]) {
      const lines = frame(view, { columns, rows }).split('\n');
      expect(lines.length).toBeLessThanOrEqual(rows);
      for (const line of lines) expect(stringWidth(line)).toBeLessThan(columns);
    }
  });
});

it('keeps the chosen link in sight where there are more than fit', () => {
  const many = Array.from({ length: 60 }, (_, index) => ({ ...links[3]!, node: `be${index + 1}` }));
  for (const selected of [0, 31, 59]) {
    const lines = frame({ ...idle, links: many, selected }).split('\n');
    expect(lines).toHaveLength(24);
    expect(lines.filter((line) => line.startsWith('▶'))).toEqual([
      expect.stringContaining(`be${selected + 1} `),
    ]);
  }
});

it('rates are those of the last second', () => {
  const speed = new Speedometer();
  const passed = (packets: number) => [{ packets, bytes: 0, connections: packets / 10, requests: 0 }];
  speed.take(passed(0), 0);
  expect(speed.isMoving).toBe(false);
  speed.take(passed(20), 250);
  expect(speed.rates(0)).toEqual({ packets: 20, connections: 2, requests: 0 });
  for (const at of [500, 750, 1000]) speed.take(passed(20 + at), at);
  expect(speed.rates(0)).toEqual({ packets: 1020, connections: 102, requests: 0 });
  for (const at of [1250, 1500, 1750, 2000, 2250]) speed.take(passed(1020), at);
  expect(speed.rates(0).packets).toBe(0);
  expect(speed.isMoving).toBe(false);
  expect(speed.rates(7)).toEqual({ packets: 0, connections: 0, requests: 0 });
});

it('keys come one by one, arrows whole', () => {
  expect(keysOf('rk\u001B[A\u001BOB\tq')).toEqual(['r', 'k', '\u001B[A', '\u001B[B', '\t', 'q']);
});
