// Makes the plan from a topology: pure, deterministic, complete. Everything that is executed for a lab is a step here.
import { isIPv6 } from 'node:net';
import { dirname } from 'node:path';
import { methodOf } from '../balancers/index.ts';
import type { Interface, Link, Node, Topology } from '../topology/types.ts';
import { httpdSteps } from './httpd.ts';
import { bridges, netnsOf, nodeFolder, switchNetns } from './names.ts';
import { command, nodeFile } from './steps.ts';
import { trafficStage, type TrafficOptions } from './traffic.ts';
import type { Plan, ServiceStep, Stage, Step } from './types.ts';

type Kernel = 'host' | 'uml';

const lines = (...parts: (string | readonly string[])[]) => parts.flat().join('\n') + '\n';

function wire(topology: Topology, lab: string): Stage {
  const bridgeOf = bridges(topology);
  const ports = topology.nodes.flatMap((node) => node.interfaces.map((link) => ({ node, link })));
  return {
    name: 'wire',
    title: 'Segments and nodes',
    steps: [
      command(
        'namespaces',
        ['ip', '-batch', '-'],
        'A network namespace for each node, and one for the segments',
        {
          stdin: lines(
            `netns add ${switchNetns(lab)}`,
            topology.nodes.map((node) => `netns add ${netnsOf(lab, node.name)}`),
          ),
        },
      ),
      command(
        'segments',
        ['ip', '-n', switchNetns(lab), '-batch', '-'],
        'A bridge for each segment, a cable for each interface',
        {
          stdin: lines(
            // Bridges come up first: a port that joins one that is down forwards only after the bridge's own delay.
            // Without addrgenmode none a bridge's own IPv6 would speak on the segment, into everyone's captures.
            [...bridgeOf.values()].flatMap((bridge) => [
              `link add ${bridge} type bridge forward_delay 0 mcast_snooping 0`,
              `link set ${bridge} addrgenmode none`,
              `link set ${bridge} up`,
            ]),
            ports.flatMap(({ node, link }, index) => [
              // One segment a packet (gso_max_segs 1): twins stay one to one, and captures need small buffers only.
              `link add port${index + 1} gso_max_segs 1 type veth peer name ${link.name} address ${link.mac} gso_max_segs 1 netns ${netnsOf(lab, node.name)}`,
              `link set port${index + 1} master ${bridgeOf.get(link.segment)!} addrgenmode none`,
              `link set port${index + 1} up`,
            ]),
          ),
        },
      ),
    ],
  };
}

function interfaceLines(link: Interface): string[] {
  return [
    // No link-local address, so no router solicitation and no duplicate-address detection: the wire is silent until we speak.
    `link set ${link.name} addrgenmode none`,
    ...link.addresses.map(
      ({ address, prefix }) =>
        `addr add ${address}/${prefix} dev ${link.name}${isIPv6(address) ? ' nodad' : ''}`,
    ),
    `link set ${link.name} up`,
  ];
}

/** netem's words for an impaired link (tc-netem(8)). */
export function netem(link: Link): string[] {
  return [
    ...(link.delay === undefined ? [] : ['delay', `${link.delay}ms`]),
    ...(link.loss === undefined ? [] : ['loss', `${link.loss}%`]),
    ...(link.rate === undefined ? [] : ['rate', `${link.rate}bit`]),
  ];
}

const FORWARDING = ['net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'];
const USERS_FILE = 'A file of the topology';

function nodeSteps(topology: Topology, node: Node, lab: string, kernel: Kernel): Step[] {
  const inNode = { node: node.name, cwd: nodeFolder(node.name), environment: node.environment };
  const balancer = topology.balancer;
  const added = balancer && methodOf(balancer.method).steps(node.name, { topology, balancer, kernel });
  const sysctls = Object.entries(node.sysctls);
  const own = new Set(Object.keys(node.files).map((path) => `${nodeFolder(node.name)}/${path}`));
  const steps: Step[] = [
    command(
      `${node.name}.addresses`,
      ['ip', '-n', netnsOf(lab, node.name), '-batch', '-'],
      'Addresses and routes',
      {
        lane: node.name,
        stdin: lines(
          'link set lo up',
          node.loopback.map(({ address, prefix }) => `addr add ${address}/${prefix} dev lo`),
          node.interfaces.flatMap(interfaceLines),
          node.routes.map((route) => `route add ${route.to} via ${route.via}`),
        ),
      },
    ),
    ...node.interfaces
      .filter((link) => link.link !== undefined)
      .map((link) =>
        command(
          `${node.name}.${link.name}.netem`,
          ['tc', 'qdisc', 'add', 'dev', link.name, 'root', 'netem', ...netem(link.link!)],
          'The link as the topology wants it: slow, lossy or narrow',
          { node: node.name },
        ),
      ),
    ...(sysctls.length === 0
      ? []
      : [
          command(
            `${node.name}.sysctls`,
            ['sysctl', '-q', '-w', ...sysctls.map(([key, value]) => `${key}=${value}`)],
            'Kernel settings that the topology asks for',
            { node: node.name },
          ),
        ]),
    ...Object.entries(node.files).map(([path, content]) => nodeFile(node.name, path, content, USERS_FILE)),
    ...(node.role === 'router'
      ? [
          command(
            `${node.name}.forwarding`,
            ['sysctl', '-q', '-w', ...FORWARDING],
            'A router passes packets on',
            { node: node.name },
          ),
        ]
      : []),
    ...(added?.before ?? []),
    ...node.setup.map((argv, index) =>
      command(`${node.name}.setup.${index + 1}`, argv, 'A set-up command of the topology', inNode),
    ),
    ...(node.httpd === undefined
      ? []
      : httpdSteps(node, node.httpd, { kernel, expectsProxy: added?.expectsProxy === true })),
    ...node.services.map((service): Step => ({
      kind: 'service',
      id: `${node.name}.services.${service.name}`,
      part: 'lab',
      node: node.name,
      name: `${node.name}.${service.name}`,
      argv: service.command,
      cwd: nodeFolder(node.name),
      environment: { ...node.environment, ...service.environment },
      ready: service.ready,
      reason: 'A service of the topology',
    })),
    ...(added?.services ?? []),
  ];
  // A file of the topology's takes the place of one of ours.
  return steps.filter((step) => step.kind !== 'file' || step.reason === USERS_FILE || !own.has(step.path));
}

/** Bytes kept of a packet: a whole one, as no link's MTU is above 1500, and little enough for two of the kernel's frames in a page. */
const SNAPSHOT = 1900;
/**
 * KiB that the kernel keeps for tcpdump: 1,024 packets. An answer of 300 KB is a burst of 339; four times as much would cost a user-mode kernel
 * 0.1 s a capture to map.
 */
const BUFFER = 2048;

/**
 * Of many packets: the headers of each, in blocks as large as they are. Packets that wake their tcpdump one by one, as immediate mode has it, and
 * are written one by one cost a user-mode kernel a third to a half of its connections a second.
 */
const MANY = ['-n', '-s', '256', '-B', '8192'];

/** tcpdump's argv for a capture point; `isMany` where packets come by the ten thousand. */
export function tcpdump(interfaceName: string, filter: string, isMany = false): string[] {
  const few = ['--immediate-mode', '-U', '-n', '-s', String(SNAPSHOT), '-B', String(BUFFER)];
  return [
    ...['tcpdump', ...(isMany ? MANY : few)],
    ...['-i', interfaceName, '-w', '-'],
    ...(filter === '' ? [] : [filter]),
  ];
}

/** A tcpdump at each capture point. */
export function captureStage(points: Topology['captures'], isMany = false): Stage {
  return {
    name: 'capture',
    title: 'Captures',
    steps: points.map((point): Step => ({
      kind: 'service',
      id: `capture.${point.name}`,
      part: 'lab',
      node: point.node,
      lane: `capture.${point.name}`,
      name: `capture.${point.name}`,
      argv: tcpdump(point.interface, point.filter, isMany),
      cwd: '.',
      stdout: `${point.name}.pcap`,
      ready: { stderr: 'listening on' },
      reason: `What passes ${point.node}'s ${point.interface}`,
    })),
  };
}

export interface PlanOptions extends Partial<TrafficOptions> {
  /** On a user-mode kernel the modules that the lab needs are loaded in one go. */
  readonly kernel?: Kernel;
}

function modules(topology: Topology): Stage {
  const { balancer } = topology;
  const netem = topology.nodes.some((node) => node.interfaces.some((link) => link.link !== undefined));
  const names = [
    'veth',
    'bridge',
    ...(netem ? ['sch_netem'] : []),
    ...(balancer === undefined ? [] : methodOf(balancer.method).modules(balancer)),
  ];
  const step = command(
    'modules',
    ['modprobe', '-d', 'guest', '-a', ...names],
    'Kernel modules, all in one go',
  );
  return { name: 'sandbox', title: 'Kernel modules', steps: [{ ...step, part: 'sandbox' }] };
}

/** The whole plan of a lab, with one round of captures and requests. */
export function buildPlan(topology: Topology, lab: string, options?: PlanOptions): Plan {
  const balancer = topology.balancer;
  const kernel = options?.kernel ?? 'host';
  return {
    schema: 'lblab/plan@1',
    lab,
    topology: topology.name,
    stages: [
      ...(kernel === 'uml' ? [modules(topology)] : []),
      wire(topology, lab),
      {
        name: 'nodes',
        title: 'Addresses, configuration, services',
        steps: topology.nodes.flatMap((node) => nodeSteps(topology, node, lab, kernel)),
      },
      {
        name: 'directors',
        title: 'Programs that ask others whether they live',
        steps:
          balancer === undefined
            ? []
            : topology.nodes.flatMap(
                ({ name }) =>
                  methodOf(balancer.method).steps(name, { topology, balancer, kernel }).last ?? [],
              ),
      },
      {
        name: 'settle',
        title: 'A clean start',
        steps:
          balancer === undefined
            ? []
            : (methodOf(balancer.method).settle?.({ topology, balancer, kernel }) ?? []),
      },
      captureStage(topology.captures),
      trafficStage(topology, options),
      {
        name: 'inspect',
        title: 'Tables',
        steps:
          balancer === undefined ? [] : methodOf(balancer.method).inspect({ topology, balancer, kernel }),
      },
    ].filter((stage): stage is Stage => stage.steps.length > 0),
  };
}

/** The files of a plan: all are there before anything runs. */
export function filesOf(stages: readonly Stage[]): { path: string; content: string }[] {
  return stages.flatMap((stage) =>
    stage.steps.flatMap((step) => (step.kind === 'file' ? [{ path: step.path, content: step.content }] : [])),
  );
}

/** The folders that a plan's files and programs need, relative to the lab's folder. */
export function foldersOf(stages: readonly Stage[]): string[] {
  const folders = new Set<string>(['tables']);
  for (const step of stages.flatMap((stage) => stage.steps)) {
    if (step.kind === 'file') folders.add(dirname(step.path));
    else {
      folders.add(step.cwd);
      if (step.stdout !== undefined) folders.add(dirname(step.stdout));
      if (step.argv[0] === 'nginx') folders.add(`${step.cwd}/temp`);
    }
  }
  return [...folders];
}

/** The file that a service's own words go to, relative to the lab's folder. */
export function logOf(step: ServiceStep): string {
  return (
    step.stdout?.replace(/\.pcap$/, '.log') ??
    `${nodeFolder(step.node!)}/${step.name.replace(/^[^.]*\./, '')}.log`
  );
}
