// What `lblab watch` knows of a lab, and what its keys do there. When to look and to draw is commands/watch.ts's business, how it looks that of
// src/ui.
import { applyFault, mend } from '../lab/faults.ts';
import { attachLab, type Lab } from '../lab/lab.ts';
import type { MeteredLink, openMeter } from '../lab/meter.ts';
import { ownServices } from '../lab/services.ts';
import { balancerTable } from '../lab/table.ts';
import { sendRequests } from '../lab/traffic.ts';
import { asciiPicture } from '../plan/pictures/ascii.ts';
import { forTerminal } from '../report/escape.ts';
import { LiveLines } from '../report/live.ts';
import type { FaultKind } from '../topology/faults.ts';
import type { Topology } from '../topology/types.ts';
import { Speedometer, type WatchView } from '../ui/watched.ts';
import { count } from '../verify/words.ts';
import { failed } from './commands/request.ts';
import type { Cli } from './context.ts';
import { messageOf } from './failure.ts';

/** Lines of packets that are kept. */
const KEPT = 100;
/** Requests a second of all clients together, at the start and at most. */
const LOAD = 20;
const MOST_LOAD = 5000;
/** Seconds that a load is ordered for at once; it goes on in a new order. */
const ORDER = 30;
const DELAY = 100;
/** Milliseconds that what came of a key stands in place of the keys. */
const TOLD = 6000;

/** A load, or requests under way, through a connection of their own: letting go of it ends them. */
interface Sending {
  readonly stop: () => void;
}

export class Watching {
  readonly #cli: Cli;
  readonly #lab: Lab;
  readonly #links: readonly MeteredLink[];
  readonly #lines: LiveLines;
  readonly #speed = new Speedometer();
  readonly #cut = new Set<number>();
  readonly #late = new Set<number>();
  #dead: ReadonlySet<string> = new Set();
  #packets: string[] = [];
  #table: readonly string[] = [];
  #requests: readonly number[] = [];
  #selected: number;
  #load = 0;
  #sending: Sending | undefined;
  #message = '';
  #told = 0;
  #isHelp = false;
  readonly #picture: readonly string[];
  /** Something has changed since it was drawn. */
  isChanged = true;
  isOver = false;

  constructor(cli: Cli, lab: Lab, links: readonly MeteredLink[]) {
    this.#cli = cli;
    this.#lab = lab;
    this.#links = links;
    this.#picture = asciiPicture(lab.topology).trimEnd().split('\n').map(forTerminal);
    this.#selected = Math.max(
      0,
      links.findIndex(({ node }) => node.role === 'backend'),
    );
    const machines = new Map(links.map((link) => [link.interface.mac, link.node.name]));
    this.#lines = new LiveLines({
      paint: cli.paint,
      points: links.map(({ name }) => name),
      nameOfMac: (mac) => machines.get(mac) ?? mac,
    });
  }

  /** Takes what has passed. */
  read(meter: ReturnType<typeof openMeter>, columns: number): void {
    if (this.#message !== '' && performance.now() - this.#told > TOLD) {
      this.#message = '';
      this.isChanged = true;
    }
    const passed = meter.passed();
    const wasMoving = this.#speed.isMoving;
    this.#speed.take(passed, performance.now());
    if (wasMoving || this.#speed.isMoving) this.isChanged = true;
    this.#requests = passed.map(({ requests }) => requests);
    const lines = meter
      .packets()
      .map(({ capture, packet }) => this.#lines.line(capture, packet, columns - 1));
    if (lines.length === 0) return;
    this.#packets = [...this.#packets, ...lines].slice(-KEPT);
    this.isChanged = true;
  }

  get isMoving(): boolean {
    return this.#speed.isMoving;
  }

  /** Looks at what has to be asked for. */
  async look(): Promise<void> {
    const [services, table] = await Promise.all([this.#lab.client.services(), balancerTable(this.#lab)]);
    const dead = new Set(
      ownServices(this.#lab, services)
        .filter(({ state }) => state === 'ended')
        .map(({ name }) => name.split('.')[0]!),
    );
    const lines = table?.text.trimEnd().split('\n').map(forTerminal) ?? [];
    if (lines.join('\n') !== this.#table.join('\n') || [...dead].join() !== [...this.#dead].join())
      this.isChanged = true;
    this.#dead = dead;
    this.#table = lines;
  }

  view(): WatchView {
    const { topology, name, kernel } = this.#lab;
    return {
      lab: name,
      title: titleOf(topology),
      kernel: kernel === 'uml' ? 'user-mode kernel' : "this machine's kernel",
      segments: topology.segments,
      links: this.#links.map((link, index) => ({
        node: link.node.name,
        role: link.node.role,
        interface: link.interface.name,
        address: link.interface.addresses[0]?.address ?? '',
        segment: link.interface.segment,
        point: index,
        rates: this.#speed.rates(index),
        requests: this.#requests[index] ?? 0,
        broken: [
          ...(this.#cut.has(index) ? ['cut'] : []),
          ...(this.#dead.has(link.node.name) ? ['killed'] : []),
          ...(this.#late.has(index) ? [`${DELAY} ms`] : []),
        ],
      })),
      selected: this.#selected,
      load: this.#load,
      picture: this.#picture,
      table: this.#table,
      packets: this.#packets,
      message: this.#message,
      isHelp: this.#isHelp,
    };
  }

  /** Does what a key says. Resolves with the node whose shell is wanted, if one is. */
  async press(key: string): Promise<MeteredLink['node'] | undefined> {
    this.isChanged = true;
    this.#message = '';
    const link = this.#links[this.#selected]!;
    switch (key) {
      case '\u001B[A':
        this.#selected = (this.#selected + this.#links.length - 1) % this.#links.length;
        break;
      case '\u001B[B':
      case '\t':
        this.#selected = (this.#selected + 1) % this.#links.length;
        break;
      case '?':
      case 'h':
        this.#isHelp = !this.#isHelp;
        break;
      case 'r':
        await this.#request();
        break;
      case 'l':
        await this.#setLoad(this.#load === 0 ? LOAD : 0);
        break;
      case '+':
        await this.#setLoad(Math.min(MOST_LOAD, Math.max(1, this.#load * 2)));
        break;
      case '-':
        await this.#setLoad(Math.floor(this.#load / 2));
        break;
      case 'k':
        await this.#fault(this.#dead.has(link.node.name) ? 'start-service' : 'kill', false);
        await this.look();
        break;
      case 'c':
        if (await this.#fault(this.#cut.has(this.#selected) ? 'link-up' : 'link-down'))
          toggle(this.#cut, this.#selected);
        break;
      case 'd': {
        const own = link.interface.link?.delay;
        if (await this.#fault('delay', true, this.#late.has(this.#selected) ? own : DELAY))
          toggle(this.#late, this.#selected);
        break;
      }
      case 'm':
        await this.#mend();
        break;
      case 's':
        return link.node;
      default:
        break;
    }
    return undefined;
  }

  /** Tells of what is under way or went wrong. */
  tell(message: string): void {
    this.#message = forTerminal(message.split('\n')[0]!);
    this.#told = performance.now();
    this.isChanged = true;
  }

  stop(): void {
    this.#sending?.stop();
    this.#sending = undefined;
  }

  /** Stops, and begins nothing any more. */
  end(): void {
    this.isOver = true;
    this.stop();
  }

  async #request(): Promise<void> {
    if (this.#sending !== undefined) return this.tell('requests are under way already');
    await this.#send({}, (requests) => {
      const bad = requests.filter(failed).length;
      const by = this.#lab.topology.nodes
        .map(({ name }) => [name, requests.filter(({ backend }) => backend === name).length] as const)
        .filter(([, times]) => times > 0)
        .map(([name, times]) => `${name} ${times}`);
      this.tell(
        `${requests.length - bad} of ${count(requests.length, 'request')} answered: ${by.join(', ') || 'by nobody'}`,
      );
    });
    this.tell('sending requests');
  }

  async #setLoad(rate: number): Promise<void> {
    this.stop();
    this.#load = 0;
    if (rate === 0) return;
    const clients = this.#lab.topology.traffic?.clients.length ?? 1;
    await this.#send({ rate: rate / clients, seconds: ORDER }, () => {
      // The order has been carried out; the next one.
      if (this.#load === rate)
        void this.#setLoad(rate).catch((error: unknown) => this.tell(messageOf(error)));
    });
    this.#load = rate;
  }

  async #send(
    options: Parameters<typeof sendRequests>[1],
    then: (requests: Awaited<ReturnType<typeof sendRequests>>['requests']) => void,
  ): Promise<void> {
    if (this.#lab.topology.traffic === undefined) return this.tell('this lab has nothing to request');
    const { host, timeout } = this.#cli;
    const own = await attachLab(host, this.#lab.name, { timeout });
    if (this.isOver) {
      own.client.release();
      return;
    }
    const sending: Sending = { stop: () => own.client.release() };
    this.#sending = sending;
    void sendRequests(own, options)
      .then(
        ({ requests }) => {
          if (this.#sending === sending) this.#sending = undefined;
          then(requests);
        },
        (error: unknown) => {
          // Letting go of it is how it is stopped.
          if (this.#sending !== sending) return;
          this.#sending = undefined;
          this.#load = 0;
          this.tell(messageOf(error));
        },
      )
      .finally(() => own.client.release());
  }

  async #fault(kind: FaultKind, isOfLink = true, amount?: number): Promise<boolean> {
    const link = this.#links[this.#selected]!;
    try {
      const { did } = await applyFault(this.#lab, link.node, {
        kind,
        ...(isOfLink && { on: link.interface.name }),
        ...(amount !== undefined && { amount }),
      });
      this.tell(did.join('; '));
      return true;
    } catch (error) {
      this.tell(messageOf(error));
      return false;
    }
  }

  async #mend(): Promise<void> {
    const did = await mend(
      this.#lab,
      this.#lab.topology.nodes.map(({ name }) => name),
    );
    this.#cut.clear();
    this.#late.clear();
    await this.look();
    this.tell(did.length === 0 ? 'nothing is broken' : did.join('; '));
  }
}

function toggle(set: Set<number>, member: number): void {
  if (!set.delete(member)) set.add(member);
}

function titleOf({ balancer, title }: Topology): string {
  if (balancer === undefined) return forTerminal(title);
  const [service] = balancer.services;
  return `${balancer.method} ${service?.scheduler ?? ''}  VIP ${balancer.vip}:${service?.port ?? ''}`;
}

/** Keys of a piece of input: a letter each, or a whole escape sequence (ECMA-48, CSI). */
export function keysOf(text: string): string[] {
  return [...text.matchAll(/\u001B\[[0-9;]*[A-Za-z~]|\u001BO[A-Z]|[\s\S]/gu)].map(([key]) =>
    key.replace(/^\u001BO/, '\u001B['),
  );
}
