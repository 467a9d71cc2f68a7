// The list of faults in a topology: that each can be done to its node, that none is done twice or mends what is whole, and that requests go
// on when it comes.
import type { Context } from './context.ts';
import { faultWords, parseFault, type Fault, type TimedFault } from './faults.ts';
import { show, suggest } from './issues.ts';
import type { Path } from './issues.ts';
import { nearest } from './nearest.ts';
import type { Declared } from './schema.ts';
import type { Balancer, Node, Traffic } from './types.ts';
import { milliseconds } from './time.ts';
import { splitWords } from './words.ts';

interface Around {
  readonly nodes: readonly Node[];
  readonly balancer: Balancer | undefined;
  readonly traffic: Traffic | undefined;
}

export function resolveFaults(declared: Declared, around: Around, context: Context): TimedFault[] {
  const found: { readonly fault: TimedFault; readonly path: Path }[] = [];
  const nodes = new Map(around.nodes.map((node) => [node.name, node]));
  for (const [index, { at, node: name, do: text }] of (declared.faults ?? []).entries()) {
    const path: Path = ['faults', index];
    const node = context.find(nodes, name, [...path, 'node'], 'node', ['nodes']);
    const split = splitWords(text);
    const fault = parseFault('words' in split ? split.words : [text]);
    if ('problem' in fault) {
      context.report([...path, 'do'], fault.problem, fault.hint);
      continue;
    }
    if (node === undefined) continue;
    checkTarget(fault, node, around.balancer, [...path, 'do'], context);
    found.push({ fault: { at: milliseconds(at) / 1000, node: name, ...fault }, path });
  }
  found.sort((a, b) => a.fault.at - b.fault.at);
  if (found.length > 0) checkTraffic(found, around.traffic, context);
  checkOrder(found, context);
  return found.map(({ fault }) => fault);
}

/** Whether the node has what the fault names. Services that come from its method are known when it runs. */
function checkTarget(
  { kind, on }: Fault,
  node: Node,
  balancer: Balancer | undefined,
  path: Path,
  context: Context,
): void {
  if (kind === 'withdraw' || kind === 'announce') {
    if (balancer?.dns === undefined || balancer.node !== node.name) {
      context.report(path, `${node.name} is no DNS server of method dns`, `${kind} is for those`);
      return;
    }
    const backends = balancer.services[0]?.backends.map((real) => real.node) ?? [];
    if (!backends.includes(on ?? '')) {
      context.report(
        path,
        `no backend of this name (got ${show(on)})`,
        suggest(nearest(on ?? '', backends), backends),
      );
    }
    return;
  }
  const isAboutLinks = kind === 'link-down' || kind === 'link-up' || kind === 'delay' || kind === 'loss';
  const interfaces = node.interfaces.map(({ name }) => name);
  if (isAboutLinks && on !== undefined && !interfaces.includes(on)) {
    context.report(
      path,
      `${node.name} has no interface of this name (got ${show(on)})`,
      suggest(nearest(on, interfaces), interfaces),
    );
  }
}

type Placed = readonly { readonly fault: TimedFault; readonly path: Path }[];

function checkTraffic(found: Placed, traffic: Traffic | undefined, context: Context): void {
  if (traffic?.rate === undefined) {
    context.absent(
      ['faults'],
      'faults come while requests go on, and requests have no rate',
      'write traffic: {rate: 20/s, for: 5s}',
      true,
    );
    return;
  }
  const turns = traffic.order === undefined ? 1 : traffic.clients.length;
  const seconds = ((traffic.requests / Math.max(1, traffic.clients.length)) * turns) / traffic.rate;
  for (const { fault, path } of found) {
    if (fault.at < seconds) continue;
    context.report(
      [...path, 'at'],
      `requests have ended by then: they go on for ${seconds} s (got ${fault.at} s)`,
      'let it come earlier, or requests go on for longer',
    );
  }
}

/** What a fault breaks, as one word; mending it is the same word. */
const broken: Readonly<Partial<Record<Fault['kind'], string>>> = {
  'stop-service': 'service',
  kill: 'service',
  'start-service': 'service',
  'link-down': 'link',
  'link-up': 'link',
  withdraw: 'address',
  announce: 'address',
};
const MENDS: ReadonlySet<Fault['kind']> = new Set(['start-service', 'link-up', 'announce']);

/** Plays the list through: nothing is broken twice, nothing mended that is whole. */
function checkOrder(found: Placed, context: Context): void {
  const since = new Map<string, TimedFault>();
  for (const { fault, path } of found) {
    const at = [...path, 'do'];
    const { node, kind, on = '' } = fault;
    const keys = [...since.keys()].filter((key) => key.startsWith(`${node} `));
    if (kind === 'clear') {
      if (keys.length === 0) context.report(at, `nothing of ${node} is broken at ${fault.at} s`, 'remove it');
      for (const key of keys) since.delete(key);
      continue;
    }
    const key = `${node} ${broken[kind] ?? kind} ${on}`;
    if (MENDS.has(kind)) {
      // All of a kind are mended together when none is named.
      const mended = keys.filter((each) => each === key || (on === '' && each.startsWith(key)));
      if (mended.length === 0)
        context.report(
          at,
          `${faultWords(fault)} at ${fault.at} s: nothing of ${node} is broken that way`,
          'remove it',
        );
      for (const each of mended) since.delete(each);
      continue;
    }
    const before = since.get(key);
    if (before !== undefined && broken[kind] !== undefined) {
      context.report(
        at,
        `${faultWords(fault)} at ${fault.at} s: ${faultWords(before)} at ${before.at} s has done that`,
        'remove one, or mend it between',
      );
    }
    since.set(key, fault);
  }
}
