import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseTopology } from '../../src/topology/index.ts';
import type { Topology } from '../../src/topology/index.ts';
import { attempt } from './attempt.ts';

const shipped = (name: string) => {
  const file = new URL(`../../topologies/${name}.yaml`, import.meta.url);
  return parseTopology(readFileSync(file), file.pathname);
};
const parse = (text: string, files: Record<string, string> = {}) =>
  parseTopology(text, 'labs/my lab.yaml', {
    readFile: (path) => {
      const content = files[path];
      if (content === undefined) throw Object.assign(new Error(path), { code: 'ENOENT' });
      return Buffer.from(content);
    },
  });
const node = (topology: Topology, name: string) => topology.nodes.find((each) => each.name === name)!;
const addresses = (topology: Topology) =>
  Object.fromEntries(
    topology.nodes.flatMap(({ name, interfaces }) =>
      interfaces.map((each) => [
        `${name}:${each.name}`,
        each.addresses.map(({ address, prefix }) => `${address}/${prefix}`).join(' '),
      ]),
    ),
  );

/** Everything left out that can be. */
const SMALL = `
segments: { front: 192.168.11.0/24, back: 10.133.1.0/24 }
nodes:
  client: { role: client, interfaces: { eth0: front } }
  lb: { role: balancer, interfaces: { eth0: front, eth1: back } }
  be1: { role: backend, interfaces: { eth0: back } }
  be2: { role: backend, interfaces: { eth0: back } }
balancer: { method: nginx }
`;

describe('a topology that says little', () => {
  test('is filled in with defaults', () => {
    expect(parse(SMALL)).toEqual({
      name: 'my-lab',
      title: '',
      description: '',
      kernel: { memory: 256 },
      segments: [
        { name: 'front', subnets: ['192.168.11.0/24'] },
        { name: 'back', subnets: ['10.133.1.0/24'] },
      ],
      nodes: [
        bare('client', 'client', [['eth0', 'front', '192.168.11.11', '02:00:c0:a8:0b:0b']]),
        bare('lb', 'balancer', [
          ['eth0', 'front', '192.168.11.12', '02:00:c0:a8:0b:0c'],
          ['eth1', 'back', '10.133.1.11', '02:00:0a:85:01:0b'],
        ]),
        {
          ...bare('be1', 'backend', [['eth0', 'back', '10.133.1.12', '02:00:0a:85:01:0c']]),
          httpd: { server: 'apache', ports: [80] },
        },
        {
          ...bare('be2', 'backend', [['eth0', 'back', '10.133.1.13', '02:00:0a:85:01:0d']]),
          httpd: { server: 'apache', ports: [80] },
        },
      ],
      balancer: {
        node: 'lb',
        method: 'nginx',
        vip: '192.168.11.12',
        services: [
          {
            protocol: 'tcp',
            port: 80,
            scheduler: 'rr',
            persistence: 0,
            backends: [
              { node: 'be1', address: '10.133.1.12', port: 80, weight: 1 },
              { node: 'be2', address: '10.133.1.13', port: 80, weight: 1 },
            ],
          },
        ],
        nginx: {
          upstream: 'myapp1',
          forwardedFor: true,
          httpVersion: '1.0',
          http: [],
          upstreamDirectives: [],
          server: [],
          location: [],
        },
        sabotage: [],
      },
      captures: [
        { name: 'eth0', node: 'lb', interface: 'eth0', filter: '' },
        { name: 'eth1', node: 'lb', interface: 'eth1', filter: '' },
        { name: 'client', node: 'client', interface: 'eth0', filter: '' },
        { name: 'be1', node: 'be1', interface: 'eth0', filter: '' },
        { name: 'be2', node: 'be2', interface: 'eth0', filter: '' },
      ],
      traffic: {
        clients: ['client'],
        url: 'http://192.168.11.12/',
        requests: 10,
        concurrency: 1,
        timeout: 5,
        headers: [],
      },
    });
  });

  test('gives the same result each time, in the file’s order', () => {
    expect(JSON.stringify(parse(SMALL))).toBe(JSON.stringify(parse(SMALL)));
    const turned = SMALL.replace(/( {2}client.*\n)([^]*)(balancer:)/, '$2$1$3');
    expect(parse(turned).nodes.map(({ name }) => name)).toEqual(['lb', 'be1', 'be2', 'client']);
  });

  test('survives JSON', () => {
    const topology = parse(SMALL);
    expect(JSON.parse(JSON.stringify(topology))).toEqual(topology);
  });

  test('needs no balancer', () => {
    const topology = parse('segments: { a: }\nnodes: { n: { interfaces: { eth0: a } } }');
    expect(topology).toMatchObject({ captures: [], segments: [{ name: 'a', subnets: ['10.200.0.0/24'] }] });
    expect([topology.balancer, topology.traffic]).toEqual([undefined, undefined]);
    expect(node(topology, 'n').role).toBe('node');
  });

  test('is read from bytes, with or without a byte order mark', () => {
    expect(parseTopology(Buffer.from(`\ufeff${SMALL}`), 'labs/my lab.yaml')).toEqual(parse(SMALL));
    expect(parseTopology(`\ufeff${SMALL}`, 'labs/my lab.yaml')).toEqual(parse(SMALL));
  });

  test('may be called by what little of its file name is left', () => {
    const text = 'segments: { a: }\nnodes: { n: { interfaces: { eth0: a } } }';
    const names = ['nat.yaml', '/x/two.legs.yml', '7 layers.yaml', '-', '<stdin>', 'négociation.yaml'].map(
      (file) => parseTopology(text, file).name,
    );
    expect(names).toEqual(['nat', 'two-legs', 'layers', 'lab', 'stdin', 'n-gociation']);
  });
});

function bare(
  name: string,
  role: string,
  interfaces: readonly (readonly [string, string, string, string])[],
) {
  return {
    name,
    role,
    interfaces: interfaces.map(([device, segment, address, mac]) => ({
      name: device,
      segment,
      addresses: [{ address, prefix: 24 }],
      mac,
    })),
    loopback: [],
    routes: [],
    sysctls: {},
    services: [],
    files: {},
    environment: {},
    setup: [],
  };
}

describe('addresses', () => {
  test('are as written, and the rest the lowest free from .11', () => {
    const topology = parse(`
segments: { a: 10.1.0.0/24 }
nodes:
  n1: { interfaces: { eth0: a } }
  n2: { interfaces: { eth0: { segment: a, address: [10.1.0.11, 10.1.0.13/32] } } }
  n3: { interfaces: { eth0: a } }
`);
    expect(addresses(topology)).toEqual({
      'n1:eth0': '10.1.0.12/24',
      'n2:eth0': '10.1.0.11/24 10.1.0.13/32',
      'n3:eth0': '10.1.0.14/24',
    });
  });

  test('start over from .1 where there are none above', () => {
    const topology = parse(
      `segments: { a: 10.1.0.0/28 }\nnodes: {${'abcdef'
        .split('')
        .map((name) => ` ${name}: { interfaces: { eth0: a } }`)
        .join(',')} }`,
    );
    expect(Object.values(addresses(topology))).toEqual(
      [11, 12, 13, 14, 1, 2].map((host) => `10.1.0.${host}/28`),
    );
  });

  test('stay clear of the VIP', () => {
    const topology = parse(SMALL.replace('method: nginx', 'method: ipvs-nat, vip: 192.168.11.11'));
    expect(addresses(topology)).toMatchObject({
      'client:eth0': '192.168.11.12/24',
      'lb:eth0': '192.168.11.13/24',
    });
    expect(topology.balancer?.vip).toBe('192.168.11.11');
  });

  test('of segments without a subnet are 10.200.N.0/24 by order, past what is taken', () => {
    const topology = parse(
      'segments: { a: , b: 10.200.0.0/23, c: {} , d: }\nnodes: { n: { interfaces: { eth0: a } } }',
    );
    expect(topology.segments.map(({ subnets }) => subnets.join(' '))).toEqual([
      '10.200.2.0/24',
      '10.200.0.0/23',
      '10.200.3.0/24',
      '10.200.4.0/24',
    ]);
  });

  test('of both families', () => {
    const topology = parse(`
segments: { front: [192.168.11.0/24, "fd00:11::/64"], six: "fd00:12::/64" }
nodes:
  client: { role: client, interfaces: { eth0: front } }
  lb: { role: balancer, interfaces: { eth0: front, eth1: six } }
  be: { role: backend, gateway: lb, interfaces: { eth0: six } }
  be2: { role: backend, interfaces: { eth0: { segment: six, address: FD00:12:0::00AB } } }
balancer: { method: ipvs-nat, vip: "fd00:11:0::0C", port: 8080 }
`);
    expect(addresses(topology)).toEqual({
      'client:eth0': '192.168.11.11/24 fd00:11::b/64',
      'lb:eth0': '192.168.11.12/24 fd00:11::d/64',
      'lb:eth1': 'fd00:12::b/64',
      'be:eth0': 'fd00:12::c/64',
      'be2:eth0': 'fd00:12::ab/64',
    });
    expect(topology.nodes.flatMap(({ interfaces }) => interfaces.map(({ mac }) => mac))).toEqual([
      '02:00:c0:a8:0b:0b',
      '02:00:c0:a8:0b:0c',
      '02:01:00:00:00:01',
      '02:01:00:00:00:02',
      '02:01:00:00:00:03',
    ]);
    expect(node(topology, 'be').routes).toEqual([{ to: 'default', via: 'fd00:12::b' }]);
    expect(topology.balancer?.vip).toBe('fd00:11::c');
    expect(topology.traffic?.url).toBe('http://[fd00:11::c]:8080/');
  });

  test('bring a MAC unless one is written', () => {
    const topology = parse(
      'segments: { a: }\nnodes: { n: { interfaces: { eth0: { segment: a, mac: "0E:00:00:00:AB:CD" } } } }',
    );
    expect(node(topology, 'n').interfaces[0]?.mac).toBe('0e:00:00:00:ab:cd');
  });
});

describe('a node', () => {
  test('says everything it can', () => {
    const topology = parse(
      `
segments: { a: 10.1.0.0/24 }
nodes:
  r: { role: router, interfaces: { eth0: a } }
  n:
    interfaces:
      eth0: { segment: a, link: { delay: 1.5s, loss: 0.1%, rate: 10mbit } }
    gateway: r
    routes: [{ to: 10.9.0.0/16, via: 10.1.0.11 }, { to: 10.8.0.0/16, via: r }]
    loopback: [192.168.11.107, 10.7.0.1/24]
    sysctls: { net.ipv4.tcp_syncookies: 0, net.ipv4.tcp_rmem: 4096 8192 16384 }
    environment: { A: b, PORT: 8080 }
    httpd: { server: nginx, port: 8081 }
    files:
      html/index.html: "text"
      other: { from: ./parts/../x.txt }
      absolute: { from: /etc/x }
    setup: ["ip route add blackhole 10.6.0.0/16", [sh, -c, "true; false"]]
    services:
      - { name: echo, command: python3 'my server.py', port: 8080 }
      - { name: web, command: [a], port: 80, ready: http, environment: { B: 1 } }
      - { name: one, command: a, ready: { tcp: 99 } }
      - { name: two, command: a, ready: { http: "http://127.0.0.1:99/up" } }
      - { name: three, command: a }
`,
      { 'labs/x.txt': 'from a file', '/etc/x': 'from elsewhere' },
    );
    expect(node(topology, 'n')).toEqual({
      name: 'n',
      role: 'node',
      interfaces: [
        {
          name: 'eth0',
          segment: 'a',
          addresses: [{ address: '10.1.0.12', prefix: 24 }],
          mac: '02:00:0a:01:00:0c',
          link: { delay: 1500, loss: 0.1, rate: 10_000_000 },
        },
      ],
      loopback: [
        { address: '192.168.11.107', prefix: 32 },
        { address: '10.7.0.1', prefix: 24 },
      ],
      routes: [
        { to: 'default', via: '10.1.0.11' },
        { to: '10.9.0.0/16', via: '10.1.0.11' },
        { to: '10.8.0.0/16', via: '10.1.0.11' },
      ],
      sysctls: { 'net.ipv4.tcp_syncookies': '0', 'net.ipv4.tcp_rmem': '4096 8192 16384' },
      httpd: { server: 'nginx', ports: [8081] },
      services: [
        { name: 'echo', command: ['python3', 'my server.py'], ready: { tcp: 8080 }, environment: {} },
        { name: 'web', command: ['a'], ready: { http: 'http://127.0.0.1:80/' }, environment: { B: '1' } },
        { name: 'one', command: ['a'], ready: { tcp: 99 }, environment: {} },
        { name: 'two', command: ['a'], ready: { http: 'http://127.0.0.1:99/up' }, environment: {} },
        { name: 'three', command: ['a'], ready: { started: true }, environment: {} },
      ],
      files: { 'html/index.html': 'text', other: 'from a file', absolute: 'from elsewhere' },
      environment: { A: 'b', PORT: '8080' },
      setup: [
        ['ip', 'route', 'add', 'blackhole', '10.6.0.0/16'],
        ['sh', '-c', 'true; false'],
      ],
    });
  });

  test.each([
    ['httpd: apache', { server: 'apache', ports: [8080] }],
    ['httpd: nginx', { server: 'nginx', ports: [8080] }],
    ['httpd: { server: nginx }', { server: 'nginx', ports: [8080] }],
    ['httpd: { ports: [81, 82] }', { server: 'apache', ports: [81, 82] }],
    ['httpd: none', undefined],
    ['services: [{ name: own, command: x }]', undefined],
    ['httpd: nginx, services: [{ name: own, command: x }]', { server: 'nginx', ports: [8080] }],
  ])('that is a backend with %s', (written, httpd) => {
    const topology = parse(
      SMALL.replace('be1: { role: backend', `be1: { role: backend, ${written}`).replace(
        'method: nginx',
        'method: nginx, backends: [{ node: be1, port: 8080 }, be2]',
      ),
    );
    expect(node(topology, 'be1').httpd).toEqual(httpd);
    expect(node(topology, 'be2').httpd).toEqual({ server: 'apache', ports: [80] });
  });
});

describe('the balancer', () => {
  test('has one service for each that is written, which takes from the balancer what it leaves out', () => {
    const { balancer } = parse(
      SMALL.replace(
        'method: nginx',
        `method: ipvs-nat, scheduler: wlc, persistence: 60,
  services: [{ port: 80 }, { port: 53, protocol: udp, scheduler: rr, persistence: false, backends: [{ node: be2, weight: 3, port: 5353 }] }]`,
      ),
    );
    expect(balancer?.services).toEqual([
      {
        protocol: 'tcp',
        port: 80,
        scheduler: 'wlc',
        persistence: 60,
        backends: [
          { node: 'be1', address: '10.133.1.12', port: 80, weight: 1 },
          { node: 'be2', address: '10.133.1.13', port: 80, weight: 1 },
        ],
      },
      {
        protocol: 'udp',
        port: 53,
        scheduler: 'rr',
        persistence: 0,
        backends: [{ node: 'be2', address: '10.133.1.13', port: 5353, weight: 3 }],
      },
    ]);
  });

  test.each([
    ['nginx', 'rr'],
    ['ipvs-tun', 'rr'],
    ['nft-nat', 'rr'],
    ['nft-dsr', 'sh'],
  ])('%s has the scheduler %s unless one is written', (method, scheduler) => {
    const vip = method === 'ipvs-tun' || method === 'nft-dsr' ? ', vip: 192.168.11.107' : '';
    const { balancer } = parse(SMALL.replace('method: nginx', `method: ${method}${vip}`));
    expect(balancer?.services[0]?.scheduler).toBe(scheduler);
  });

  test('has nginx’s options', () => {
    const { balancer } = parse(
      SMALL.replace(
        'method: nginx',
        `method: nginx, backends: [{ node: be1, down: true }, be2],
  nginx: { upstream: app, forwarded-for: false, http-version: 1.1, sticky-cookie: backend, location: ["proxy_buffering off;"], conf: nginx.conf }`,
      ),
      { 'labs/nginx.conf': 'events {}' },
    );
    expect(balancer?.nginx).toEqual({
      upstream: 'app',
      forwardedFor: false,
      httpVersion: '1.1',
      stickyCookie: 'backend',
      http: [],
      upstreamDirectives: [],
      server: [],
      location: ['proxy_buffering off;'],
      conf: 'events {}',
    });
    expect(balancer?.services[0]?.backends[0]).toMatchObject({ node: 'be1', down: true });
  });

  test('sends to the backend’s first address on a segment that they share', () => {
    const twoLegs = SMALL.replace(
      'be1: { role: backend, interfaces: {',
      'be1: { role: backend, interfaces: { eth7: far,',
    )
      .replace(
        'be2: { role: backend, interfaces: { eth0: back }',
        'be2: { role: backend, interfaces: { eth0: back, eth1: front }',
      )
      .replace('segments: {', 'segments: { far: 10.9.0.0/24,');
    expect(parse(twoLegs).balancer?.services[0]?.backends.map(({ address }) => address)).toEqual([
      '10.133.1.12',
      '10.133.1.13',
    ]);
  });

  const ROUTED = `
segments: { front: 192.168.11.0/24, far: 10.9.0.0/24 }
nodes:
  client: { role: client, interfaces: { eth0: front } }
  lb: { role: balancer, gateway: r, interfaces: { eth0: front } }
  r: { role: router, interfaces: { eth0: front, eth1: far } }
  be1: { role: backend, gateway: r, interfaces: { eth0: far } }
`;

  test('reaches backends through routers', () => {
    expect(parse(`${ROUTED}balancer: { method: nginx }`).balancer?.services[0]?.backends).toEqual([
      { node: 'be1', address: '10.9.0.12', port: 80, weight: 1 },
    ]);
  });

  test('may be built so that it cannot work, when the file says so', () => {
    const dsr = `${ROUTED}balancer: { method: ipvs-dsr, vip: 192.168.11.107 }`;
    expect(attempt(() => parse(dsr)).issues).toHaveLength(1);
    const unchecked = parse(dsr.replace('vip: ', 'unchecked: true, vip: '));
    expect(unchecked.balancer?.services[0]?.backends[0]?.address).toBe('10.9.0.12');
  });
});

describe('captures and traffic', () => {
  test('may be short', () => {
    const topology = parse(
      `${SMALL}captures: { outside: lb:eth0, be: be1, c: { at: client, filter: port 80 or arp } }
traffic: { clients: client, requests: 3, concurrency: 2, timeout: 500ms, headers: { X-Test: a b, X-Number: 5 } }`,
    );
    expect(topology.captures).toEqual([
      { name: 'outside', node: 'lb', interface: 'eth0', filter: '' },
      { name: 'be', node: 'be1', interface: 'eth0', filter: '' },
      { name: 'c', node: 'client', interface: 'eth0', filter: 'port 80 or arp' },
    ]);
    expect(topology.traffic).toEqual({
      clients: ['client'],
      url: 'http://192.168.11.12/',
      requests: 3,
      concurrency: 2,
      timeout: 0.5,
      headers: [
        ['X-Test', 'a b'],
        ['X-Number', '5'],
      ],
    });
  });

  test('by default name further interfaces after their node', () => {
    const topology = parse(
      SMALL.replace(
        'be1: { role: backend, interfaces: {',
        'be1: { role: backend, interfaces: { eth7: front,',
      ),
    );
    expect(topology.captures.map(({ name }) => name)).toEqual([
      'eth0',
      'eth1',
      'client',
      'be1',
      'be1-eth0',
      'be2',
    ]);
  });
});

describe('YAML', () => {
  test('is version 1.2: no, yes, on and 12:30 are text', () => {
    const topology = parse(
      'segments: { a: }\nnodes: { n: { interfaces: { eth0: a }, environment: { A: no, B: yes, C: on, D: 12:30, E: 1.10.0, F: 0.5 } } }',
    );
    expect(node(topology, 'n').environment).toEqual({
      A: 'no',
      B: 'yes',
      C: 'on',
      D: '12:30',
      E: '1.10.0',
      F: '0.5',
    });
  });

  test('has aliases', () => {
    const topology = parse(
      'segments: { a: }\nnodes: { n1: &n { interfaces: { eth0: a }, httpd: nginx }, n2: *n }',
    );
    expect(node(topology, 'n2').httpd).toEqual(node(topology, 'n1').httpd);
  });

  test('may be JSON', () => {
    expect(
      parse('{"segments": {"a": null}, "nodes": {"n": {"interfaces": {"eth0": "a"}}}}').nodes,
    ).toHaveLength(1);
  });
});

const reals = (name: string) => shipped(name).balancer?.services[0]?.backends.map(({ address }) => address);

describe('what ships', () => {
  test('l7 has the addresses 192.168.11.104 and .107, 10.133.1.1 to .3', () => {
    const topology = shipped('l7');
    expect(addresses(topology)).toEqual({
      'client:eth0': '192.168.11.104/24',
      'lb:eth0': '192.168.11.107/24',
      'lb:eth1': '10.133.1.1/24',
      'be1:eth0': '10.133.1.2/24',
      'be2:eth0': '10.133.1.3/24',
    });
    expect(topology.captures.map(({ name, filter }) => `${name}: ${filter}`)).toEqual([
      'eth0: port 80',
      'eth1: port 80',
      'client: port 80',
      'be1: port 80',
      'be2: port 80',
    ]);
    expect(topology.balancer).toMatchObject({ method: 'nginx', vip: '192.168.11.107' });
  });

  test('nat routes its backends through the director, and fullnat does not', () => {
    expect(node(shipped('nat'), 'be1').routes).toEqual([{ to: 'default', via: '10.133.1.1' }]);
    expect(shipped('nat').balancer).toMatchObject({
      method: 'ipvs-nat',
      vip: '192.168.11.107',
      services: [{ scheduler: 'lc', port: 80 }],
    });
    expect(shipped('fullnat').nodes.flatMap(({ routes }) => routes)).toEqual([]);
  });

  test('dsr has a director with an address of its own, and captures ARP at the client', () => {
    for (const name of ['dsr', 'dsr-article']) {
      const topology = shipped(name);
      expect(addresses(topology)['lb:eth0']).toBe('192.168.11.106/24');
      expect(topology.balancer).toMatchObject({ method: 'ipvs-dsr', vip: '192.168.11.107' });
      expect(topology.captures.find((each) => each.name === 'client')?.filter).toBe('port 80 or arp');
      expect(topology.captures.find((each) => each.name === 'lb')?.filter).toBe('port not 22');
    }
    expect(reals('dsr')).toEqual(['192.168.11.108', '192.168.11.109']);
    expect(reals('dsr-article')).toEqual(['192.168.11.108']);
  });

  test('tun sends to the backends’ inner addresses and lets them answer on the client’s segment', () => {
    const topology = shipped('tun');
    expect(topology.balancer?.services[0]?.backends.map(({ address }) => address)).toEqual([
      '10.133.1.2',
      '10.133.1.3',
    ]);
    expect(addresses(topology)['be1:eth1']).toBe('192.168.11.108/24');
    expect(topology.captures.find((each) => each.name === 'eth1')?.filter).toBe('port 80 or ip proto 4');
  });
});
