// From what is written to what is meant: names followed, defaults filled in, addresses assigned, rules that span several keys checked.
// Gives the Topology that everything downstream works from; reads no file but through the reader it is handed.
import { methodOf } from '../balancers/index.ts';
import { formatIp, parseIp } from './address.ts';
import { balancerNode, resolveBalancer, roleFor } from './balancing.ts';
import type { Context } from './context.ts';
import { resolveExpectations } from './expecting.ts';
import { resolveFaults } from './faulting.ts';
import { readText } from './files.ts';
import type { Surroundings } from './files.ts';
import type { Path } from './issues.ts';
import { checkNames } from './names.ts';
import { resolveNode } from './nodes.ts';
import { unreachable } from './reach.ts';
import type { Hop } from './reach.ts';
import type { Declared } from './schema.ts';
import type { Balancer, Node, Role, Topology } from './types.ts';
import { resolveCaptures } from './captures.ts';
import { resolveTraffic } from './traffic.ts';
import { resolveInterfaces, resolveSegments, toSegment } from './wiring.ts';
import type { Machines } from './wiring.ts';

export function resolve(declared: Declared, around: Surroundings, context: Context): Topology {
  const wires = resolveSegments(declared.segments, context);
  const vip = declared.balancer?.vip === undefined ? undefined : parseIp(declared.balancer.vip);
  const plugs = resolveInterfaces(declared.nodes, wires, vip === undefined ? [] : [formatIp(vip)], context);
  const roles = new Map<string, Role>();
  for (const [name, node] of Object.entries(declared.nodes)) {
    const { balancer } = declared;
    roles.set(name, node.role ?? (balancer?.node === name ? roleFor(balancer.method) : 'node'));
  }
  checkNames(declared.nodes, ['nodes'], context);
  if (Object.keys(declared.segments).length === 0)
    context.absent(['segments'], 'there is no segment', undefined, true);
  if (Object.keys(declared.nodes).length === 0)
    context.absent(['nodes'], 'there is no node', undefined, true);

  const machines: Machines = { declared: declared.nodes, roles, plugs };
  const director =
    declared.balancer === undefined ? undefined : balancerNode(declared.balancer, machines, context);
  const confPath = declared.balancer?.nginx?.conf;
  const conf =
    confPath === undefined ? undefined : readText(confPath, ['balancer', 'nginx', 'conf'], around, context);
  const health = declared.balancer?.health;
  const keepalivedPath = typeof health === 'object' ? health.conf : undefined;
  const keepalivedConf =
    keepalivedPath === undefined
      ? undefined
      : readText(keepalivedPath, ['balancer', 'health', 'conf'], around, context);
  const balancer =
    declared.balancer === undefined || director === undefined
      ? undefined
      : resolveBalancer(declared.balancer, director, machines, { conf, keepalivedConf }, context);

  const extra = new Map(balancer === undefined ? [] : [[balancer.vip, balancer.node]]);
  const nodes = Object.entries(declared.nodes).map(([name, node]) =>
    resolveNode(name, node, machines, { balancer, extra, around, context }),
  );
  checkGateways(declared.nodes, context);
  if (declared.balancer !== undefined && balancer !== undefined) {
    const routed = !context.wrong('gateway', 'routes');
    if (routed && !declared.balancer.unchecked)
      checkReach(declared, nodes, machines, balancer, extra, context);
    checkBalancerPorts(declared.nodes, balancer, context);
  }
  const traffic = resolveTraffic(declared, machines, nodes, balancer, context);
  const faults = resolveFaults(declared, { nodes, balancer, traffic }, context);
  const captures = resolveCaptures(declared, machines, director, context);
  const segments = [...wires.values()].map(toSegment);
  const expect = resolveExpectations(declared, { segments, nodes, balancer, captures, traffic }, context);
  return {
    name: declared.name ?? around.name,
    title: declared.title,
    description: declared.description,
    kernel: { memory: mebibytes(declared.kernel.memory) },
    segments,
    nodes,
    ...(balancer === undefined ? {} : { balancer }),
    captures,
    ...(traffic === undefined ? {} : { traffic }),
    ...(faults.length === 0 ? {} : { faults }),
    ...(expect.length === 0 ? {} : { expect }),
    ...(declared.claims === undefined ? {} : { claims: declared.claims === false ? [] : declared.claims }),
  };
}

function mebibytes(text: string): number {
  return Number(text.slice(0, -1)) * (text.endsWith('G') ? 1024 : 1);
}

function checkReach(
  declared: Declared,
  nodes: readonly Node[],
  machines: Machines,
  balancer: Balancer,
  extra: ReadonlyMap<string, string>,
  context: Context,
): void {
  const hops = new Map<string, Hop>(
    nodes.map((node) => [node.name, { node, plugs: machines.plugs.get(node.name) ?? [] }]),
  );
  const written = declared.balancer?.services;
  const told = new Set<string>();
  // A DNS server sends nothing to backends: clients do.
  const clients = [...machines.roles].filter(([, role]) => role === 'client').map(([name]) => name);
  const names = methodOf(balancer.method).forwards === 'names';
  const senders = names ? clients : [balancer.node];
  for (const [index, service] of balancer.services.entries()) {
    const list = written?.[index]?.backends ?? declared.balancer?.backends;
    const base: Path =
      written?.[index]?.backends === undefined
        ? ['balancer', 'backends']
        : ['balancer', 'services', index, 'backends'];
    for (const real of service.backends) {
      if (told.has(real.address)) continue;
      told.add(real.address);
      const sender = senders.find((name) => unreachable(hops, name, real.node, real.address) !== undefined);
      if (sender === undefined) continue;
      const why = unreachable(hops, sender, real.node, real.address);
      const at = list?.findIndex((entry) => (typeof entry === 'string' ? entry : entry.node) === real.node);
      context.follows(
        at === undefined ? ['balancer'] : [...base, at],
        `the ${machines.roles.get(sender)} ${sender} cannot reach ${real.node} at ${real.address}: ${why}`,
        'say unchecked: true to see it fail',
        at === undefined,
      );
    }
  }
  for (const [name, role] of machines.roles) {
    if (role !== 'client' || extra.get(balancer.vip) === name) continue;
    const why = unreachable(hops, name, balancer.node, balancer.vip, extra);
    if (why === undefined) continue;
    context.follows(
      ['nodes', name],
      `the client ${name} cannot reach the ${names ? 'DNS server' : 'VIP'} ${balancer.vip}: ${why}`,
      'say unchecked: true in balancer to see it fail',
      true,
    );
  }
}

/** A proxy listens in the balancer's own node. */
function checkBalancerPorts(nodes: Declared['nodes'], balancer: Balancer, context: Context): void {
  if (methodOf(balancer.method).forwards !== 'proxy') return;
  const node = nodes[balancer.node];
  const ports = new Set(balancer.services.map(({ port }) => port));
  for (const [index, { port }] of (node?.services ?? []).entries()) {
    if (port === undefined || !ports.has(port)) continue;
    context.report(
      ['nodes', balancer.node, 'services', index, 'port'],
      `port ${port} is already used by the balancer`,
      'choose another',
    );
  }
}

/** Two default routes that point at each other carry what neither knows in a circle until its TTL ends. */
function checkGateways(nodes: Declared['nodes'], context: Context): void {
  const told = new Set<string>();
  for (const start of Object.keys(nodes)) {
    const chain: string[] = [];
    let at: string | undefined = start;
    while (at !== undefined && !chain.includes(at) && !told.has(at)) {
      chain.push(at);
      at = Object.hasOwn(nodes, at) ? nodes[at]?.gateway : undefined;
    }
    for (const each of chain) told.add(each);
    if (at !== start || chain.length < 2) continue;
    context.report(
      ['nodes', start, 'gateway'],
      `the gateways go round in a circle: ${[...chain, start].join(' -> ')}`,
      'remove one of them',
    );
  }
}
