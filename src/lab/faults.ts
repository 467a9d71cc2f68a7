// Faults of a lab that runs: services ended, cables pulled, links made slow or lossy, addresses withdrawn from DNS; and mended again. What is
// broken is asked of the sandbox each time, so a fault made by other means counts too.
import { join } from 'node:path';
import { ADDRESSES, addressesFile, dnsService } from '../balancers/dns.ts';
import { netem } from '../plan/build.ts';
import { netnsOf, nodeFolder, portOf, switchNetns } from '../plan/names.ts';
import type { ServiceStep } from '../plan/types.ts';
import type { Ended } from '../sandbox/protocol.ts';
import { faultWords, type Fault } from '../topology/faults.ts';
import { nearest } from '../topology/nearest.ts';
import type { Interface, Link, Node } from '../topology/types.ts';
import { contextOf, execute } from './execute.ts';
import { LabError } from './lab-error.ts';
import { UP, type Lab } from './lab.ts';
import { readPlain } from './plain-file.ts';

/** What a fault did. */
export interface FaultDone {
  readonly node: string;
  /** As it is written, such as `delay 50ms`. */
  readonly fault: string;
  /** Seconds since the epoch by the lab's own clock, which its captures have too. */
  readonly began: number;
  readonly done: number;
  /** One sentence for each thing that changed, such as `be1.apache ended`. */
  readonly did: readonly string[];
}

const MILLISECOND = 1000;

/** Notes when what changes the lab was begun and when it was done; looking at what is there takes its own time. */
class Stopwatch {
  readonly #lab: Lab;
  readonly #ready: () => Promise<void>;
  began: number | undefined;
  done: number | undefined;

  /** @param ready resolves when the time has come */
  constructor(lab: Lab, ready: () => Promise<void> = async () => {}) {
    this.#lab = lab;
    this.#ready = ready;
  }

  async time<T>(work: () => Promise<T>): Promise<T> {
    if (this.began === undefined) await this.#ready();
    this.began ??= await this.#lab.client.clock();
    const result = await work();
    this.done = await this.#lab.client.clock();
    return result;
  }
}

/** Runs a program in the lab, for its output. Throws LabError with its own words. */
async function ask(lab: Lab, netns: string, argv: readonly string[], stdin = ''): Promise<string> {
  const { ended, stdout } = await lab.client.run({ argv, netns, cwd: lab.dir }, stdin, lab.timeout);
  if (ended.code !== 0) throw new LabError(`${argv.join(' ')}: ${wordsOf(ended)}`, 1);
  return stdout.toString();
}

const wordsOf = (ended: Ended) => ended.error ?? (ended.stderr.trim() || `exit code ${ended.code}`);

/** The services of a node, as the plan has them. */
function servicesOf(lab: Lab, node: string): ServiceStep[] {
  return lab.plan.stages
    .filter(({ name }) => UP.includes(name))
    .flatMap(({ steps }) => steps)
    .filter((step): step is ServiceStep => step.kind === 'service' && step.node === node);
}

const shortName = ({ name }: ServiceStep) => name.replace(/^[^.]*\./, '');

/** The services that a fault names: one by its name, or all of the node. */
function named(lab: Lab, node: Node, on: string | undefined): ServiceStep[] {
  const all = servicesOf(lab, node.name);
  if (all.length === 0) throw new LabError(`${node.name} has no service`);
  if (on === undefined) return all;
  const found = all.find((service) => shortName(service) === on || service.name === on);
  if (found !== undefined) return [found];
  const names = all.map(shortName);
  const near = nearest(on, names);
  throw new LabError(
    `${node.name} has no service ${JSON.stringify(on)}${near === undefined ? `: there is ${names.join(', ')}` : `; did you mean ${near}?`}`,
  );
}

async function ended(lab: Lab): Promise<ReadonlySet<string>> {
  const services = await lab.client.services();
  return new Set(services.filter(({ state }) => state === 'ended').map(({ name }) => name));
}

async function stop(lab: Lab, node: Node, { kind, on }: Fault, watch: Stopwatch): Promise<string[]> {
  const gone = await ended(lab);
  const wanted = named(lab, node, on);
  const running = wanted.filter(({ name }) => !gone.has(name));
  if (running.length === 0) {
    const names = wanted.map(shortName).join(' and ');
    throw new LabError(
      `${names} of ${node.name} ${wanted.length === 1 ? 'has' : 'have'} ended already; lblab fault ${lab.name} ${node.name} start-service mends it`,
    );
  }
  const signal = kind === 'kill' ? 'SIGKILL' : 'SIGTERM';
  await watch.time(async () =>
    Promise.all(
      running.map(async ({ name }) => {
        await lab.client.signal(name, signal);
        await lab.client.wait(name, lab.timeout);
      }),
    ),
  );
  return running.map(({ name }) => `${name} ended by ${signal}`);
}

async function start(lab: Lab, node: Node, on: string | undefined, watch: Stopwatch): Promise<string[]> {
  const gone = await ended(lab);
  const wanted = named(lab, node, on);
  const steps = wanted.filter(({ name }) => gone.has(name));
  if (steps.length === 0) {
    const names = wanted.map(shortName).join(' and ');
    throw new LabError(`${names} of ${node.name} ${wanted.length === 1 ? 'runs' : 'run'}: nothing to start`);
  }
  await watch.time(async () => execute(contextOf(lab), [{ name: 'nodes', title: 'Services', steps }]));
  return steps.map(({ name }) => `${name} started`);
}

/** The interfaces that a fault names: one, or all of the node. */
function links(node: Node, on: string | undefined): Interface[] {
  if (on === undefined) return [...node.interfaces];
  const found = node.interfaces.find(({ name }) => name === on);
  if (found !== undefined) return [found];
  const names = node.interfaces.map(({ name }) => name);
  const near = nearest(on, names);
  throw new LabError(
    `${node.name} has no interface ${JSON.stringify(on)}${near === undefined ? `: there is ${names.join(', ')}` : `; did you mean ${near}?`}`,
  );
}

/** Whether the cable of an interface is in: whether the segment's end is up. */
async function isPlugged(lab: Lab, node: Node, link: Interface): Promise<boolean> {
  const port = portOf(lab.topology, node.name, link.name);
  const text = await ask(lab, switchNetns(lab.name), ['ip', '-json', 'link', 'show', 'dev', port]);
  const [found] = JSON.parse(text) as { readonly flags: readonly string[] }[];
  return found?.flags.includes('UP') === true;
}

/** Pulls cables or puts them in. The node's own end stays as it is, so its addresses and routes do too. */
async function plug(lab: Lab, node: Node, { kind, on }: Fault, watch: Stopwatch): Promise<string[]> {
  const up = kind === 'link-up';
  const wanted = links(node, on);
  const states = await Promise.all(wanted.map(async (link) => isPlugged(lab, node, link)));
  const changing = wanted.filter((_, index) => states[index] !== up);
  if (changing.length === 0) {
    const names = wanted.map(({ name }) => name).join(' and ');
    const hint = up ? 'nothing to mend' : `lblab fault ${lab.name} ${node.name} link-up mends it`;
    throw new LabError(`the link of ${names} of ${node.name} is ${up ? 'up' : 'down'} already: ${hint}`);
  }
  const lines = changing.map(
    ({ name }) => `link set ${portOf(lab.topology, node.name, name)} ${up ? 'up' : 'down'}\n`,
  );
  await watch.time(async () => ask(lab, switchNetns(lab.name), ['ip', '-batch', '-'], lines.join('')));
  return changing.map(({ name }) => `the link of ${node.name}'s ${name} is ${up ? 'up' : 'down'}`);
}

/** What `tc -json qdisc show` tells of a netem qdisc, as far as it is set here. */
interface Qdisc {
  readonly kind: string;
  readonly options?: {
    /** Seconds. */
    readonly delay?: { readonly delay: number };
    /** A share of one. */
    readonly 'loss-random'?: { readonly loss: number };
    /** Bytes a second. */
    readonly rate?: { readonly rate: number };
  };
}

/** How a link is impaired now. */
async function impairment(lab: Lab, node: Node, link: Interface): Promise<Link> {
  const argv = ['tc', '-json', 'qdisc', 'show', 'dev', link.name];
  const found = JSON.parse(await ask(lab, netnsOf(lab.name, node.name), argv)) as Qdisc[];
  const options = found.find(({ kind }) => kind === 'netem')?.options ?? {};
  const round = (value: number) => Math.round(value * 1e4) / 1e4;
  return {
    ...(options.delay && { delay: round(options.delay.delay * MILLISECOND) }),
    ...(options['loss-random'] && { loss: round(options['loss-random'].loss * 100) }),
    ...(options.rate && { rate: options.rate.rate * 8 }),
  };
}

const isPlain = ({ delay, loss, rate }: Link) =>
  delay === undefined && loss === undefined && rate === undefined;
const same = (a: Link, b: Link) => a.delay === b.delay && a.loss === b.loss && a.rate === b.rate;

async function shape(lab: Lab, node: Node, link: Interface, wanted: Link): Promise<void> {
  const argv = isPlain(wanted)
    ? ['tc', 'qdisc', 'del', 'dev', link.name, 'root']
    : ['tc', 'qdisc', 'replace', 'dev', link.name, 'root', 'netem', ...netem(wanted)];
  const netns = netnsOf(lab.name, node.name);
  const { ended: end } = await lab.client.run({ argv, netns, cwd: lab.dir }, '', lab.timeout);
  if (end.code === 0) return;
  if (/kind is unknown/.test(end.stderr)) {
    throw new LabError(
      `this kernel has no netem, which delays and loses packets; a user-mode kernel has: lblab up ${lab.topology.name} --recreate --kernel uml`,
      3,
    );
  }
  throw new LabError(`${argv.join(' ')}: ${wordsOf(end)}`, end.error === undefined ? 1 : 3);
}

async function impair(
  lab: Lab,
  node: Node,
  { kind, on, amount }: Fault,
  watch: Stopwatch,
): Promise<string[]> {
  const wanted = links(node, on);
  const before = await Promise.all(wanted.map(async (link) => impairment(lab, node, link)));
  const after = before.map((link) => ({ ...link, [kind]: amount }));
  const changing = wanted.filter((_, index) => !same(before[index]!, after[index]!));
  const size = faultWords({ kind, amount });
  if (changing.length === 0) {
    const names = wanted.map(({ name }) => name).join(' and ');
    throw new LabError(
      `${names} of ${node.name} has ${size} already; lblab fault ${lab.name} ${node.name} clear mends it`,
    );
  }
  await watch.time(async () =>
    Promise.all(changing.map(async (link) => shape(lab, node, link, after[wanted.indexOf(link)]!))),
  );
  return changing.map(({ name }) => `${node.name}'s ${name} sends with ${size}`);
}

/** Backends that DNS does not answer with. */
async function withdrawn(lab: Lab): Promise<Set<string>> {
  const { balancer } = lab.topology;
  const text = readPlain(join(lab.dir, nodeFolder(balancer!.node), ADDRESSES)).toString('utf8');
  const there = new Set(text.split('\n').map((line) => line.split(' ')[0]));
  const reals = balancer!.services[0]!.backends;
  return new Set(reals.filter(({ address }) => !there.has(address)).map(({ node }) => node));
}

/** Writes the name's addresses anew, and waits until dnsmasq says that it has read them. */
async function answerWith(lab: Lab, without: ReadonlySet<string>): Promise<void> {
  const balancer = lab.topology.balancer!;
  const folder = join(lab.dir, nodeFolder(balancer.node));
  const log = join(folder, 'dnsmasq.log');
  const readings = () => readPlain(log).toString('utf8').split(`read ${ADDRESSES} -`).length;
  const before = readings();
  await lab.client.write(join(folder, ADDRESSES), addressesFile(balancer, without));
  await lab.client.signal(dnsService(balancer.node), 'SIGHUP');
  const deadline = performance.now() + lab.timeout * MILLISECOND;
  while (readings() === before) {
    if (performance.now() > deadline)
      throw new LabError(`dnsmasq has not read its addresses after ${lab.timeout} s`, 1);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

async function publish(lab: Lab, node: Node, { kind, on = '' }: Fault, watch: Stopwatch): Promise<string[]> {
  const { balancer } = lab.topology;
  if (balancer?.dns === undefined || balancer.node !== node.name) {
    throw new LabError(`${node.name} is no DNS server: ${kind} is for the one of method dns`);
  }
  const backends = balancer.services[0]!.backends.map((real) => real.node);
  if (!backends.includes(on)) {
    throw new LabError(`no backend ${JSON.stringify(on)}: there is ${backends.join(', ')}`);
  }
  const out = await withdrawn(lab);
  if (out.has(on) === (kind === 'withdraw')) {
    throw new LabError(
      `${node.name} ${kind === 'withdraw' ? 'does not answer with' : 'answers with'} ${on} already`,
    );
  }
  if (kind === 'withdraw') out.add(on);
  else out.delete(on);
  await watch.time(async () => answerWith(lab, out));
  return [`${node.name} ${kind === 'withdraw' ? 'no longer answers' : 'answers'} with ${on}`];
}

/** Mends all that is broken on a node. */
async function clear(lab: Lab, node: Node, watch: Stopwatch): Promise<string[]> {
  const did: string[] = [];
  const states = await Promise.all(node.interfaces.map(async (link) => isPlugged(lab, node, link)));
  if (states.includes(false)) did.push(...(await plug(lab, node, { kind: 'link-up' }, watch)));
  for (const link of node.interfaces) {
    const now = await impairment(lab, node, link);
    const own = link.link ?? {};
    if (same(now, own)) continue;
    await watch.time(async () => shape(lab, node, link, own));
    did.push(`${node.name}'s ${link.name} sends as the topology says`);
  }
  const gone = await ended(lab);
  if (servicesOf(lab, node.name).some(({ name }) => gone.has(name)))
    did.push(...(await start(lab, node, undefined, watch)));
  if (lab.topology.balancer?.dns !== undefined && lab.topology.balancer.node === node.name) {
    const out = await withdrawn(lab);
    if (out.size > 0) {
      await watch.time(async () => answerWith(lab, new Set()));
      did.push(`${node.name} answers with every backend`);
    }
  }
  return did;
}

async function clearSome(lab: Lab, node: Node, _fault: Fault, watch: Stopwatch): Promise<string[]> {
  const did = await clear(lab, node, watch);
  if (did.length === 0) throw new LabError(`nothing of ${node.name} is broken`);
  return did;
}

const WAYS: Readonly<
  Record<Fault['kind'], (lab: Lab, node: Node, fault: Fault, watch: Stopwatch) => Promise<string[]>>
> = {
  'stop-service': stop,
  kill: stop,
  'start-service': async (lab, node, { on }, watch) => start(lab, node, on, watch),
  'link-down': plug,
  'link-up': plug,
  delay: impair,
  loss: impair,
  withdraw: publish,
  announce: publish,
  clear: clearSome,
};
/**
 * Does a fault to a node; when all is ready for it, not before `ready` resolves.
 * @throws LabError for a fault that is there already, for mending what is whole, for a node without what the fault names (exit code 2), and
 * where the kernel cannot do it (exit code 3)
 */
export async function applyFault(
  lab: Lab,
  node: Node,
  fault: Fault,
  ready?: () => Promise<void>,
): Promise<FaultDone> {
  const watch = new Stopwatch(lab, ready);
  const did = await WAYS[fault.kind](lab, node, fault, watch);
  const seconds = (time: number | undefined) => (time ?? NaN) / MILLISECOND;
  return {
    node: node.name,
    fault: faultWords(fault),
    began: seconds(watch.began),
    done: seconds(watch.done),
    did,
  };
}

/** Mends what is broken on nodes, and says what that was. */
export async function mend(lab: Lab, nodes: Iterable<string>): Promise<string[]> {
  const did: string[] = [];
  for (const name of new Set(nodes)) {
    const node = lab.topology.nodes.find((each) => each.name === name)!;
    did.push(...(await clear(lab, node, new Stopwatch(lab))));
  }
  return did;
}
