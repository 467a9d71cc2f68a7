// The clients' requests in a lab that runs, and the faults that come meanwhile. What was broken for the requests' sake is mended when they
// have ended.
import { join } from 'node:path';
import { contextOf, execute, spawnOf, StepError } from './execute.ts';
import { readRequests } from './evidence.ts';
import { applyFault, mend } from './faults.ts';
import { hold } from './hold.ts';
import type { Lab } from './lab.ts';
import { filesOf } from '../plan/build.ts';
import { isPaced, requestsOf, secondsOf, trafficStage, type TrafficOptions } from '../plan/traffic.ts';
import type { CommandStep } from '../plan/types.ts';
import type { Fault } from '../topology/types.ts';
import type { FaultRecord, RequestRecord } from '../verify/types.ts';

export interface Sent {
  readonly requests: readonly RequestRecord[];
  /** The faults that came; those that the requests ended before did not. */
  readonly faults: readonly FaultRecord[];
}

/** Milliseconds between the clients' starts, at most: each has its first request to itself. */
const STAGGER = 50;

const sleep = async (milliseconds: number) =>
  new Promise<void>((resolve) => setTimeout(resolve, milliseconds));

/** Sends the clients' requests, lets the topology's faults come, and reads the clients' logs. */
export async function sendRequests(
  lab: Lab,
  options: Partial<TrafficOptions> & { readonly meanwhile?: (meanwhile: Meanwhile) => Promise<void> },
): Promise<Sent> {
  const letGo = await hold(lab, 'requests');
  const faults = new Timeline(lab, options.meanwhile);
  try {
    await requestStage(lab, options, faults);
    await faults.end();
    return { requests: (await readRequests(lab.dir, lab.topology)) ?? [], faults: faults.came };
  } finally {
    await faults.end().catch(() => {});
    await letGo();
  }
}

async function requestStage(lab: Lab, options: Partial<TrafficOptions>, faults: Timeline): Promise<void> {
  const { traffic } = lab.topology;
  const stage = trafficStage(lab.topology, options);
  await lab.client.remove(join(lab.dir, 'requests'));
  for (const { path, content } of filesOf([stage])) await lab.client.write(join(lab.dir, path), content);
  if (traffic === undefined) return;
  const waiting = requestsOf(traffic, options) * traffic.timeout;
  const seconds = lab.timeout + (secondsOf(traffic, options) ?? 0) + waiting;
  const paced = stage.steps.filter(isPaced);
  if (paced.length === 0) await execute({ ...contextOf(lab), timeout: seconds }, [stage]);
  else if (traffic.order === 'in-turn') for (const step of paced) await atPace(lab, [step], seconds, faults);
  else await atPace(lab, paced, seconds, faults);
}

/** Gets the clients ready, lets them begin one shortly after the other, and waits for their ends. */
async function atPace(
  lab: Lab,
  steps: readonly CommandStep[],
  seconds: number,
  faults: Timeline,
): Promise<void> {
  const context = contextOf(lab);
  const nameOf = (step: CommandStep) => `traffic.${step.node}`;
  const logOf = (step: CommandStep) => join(lab.dir, `requests/${step.node}.log`);
  await Promise.all(
    steps.map(async (step) => {
      await lab.client.remove(logOf(step));
      const spawn = spawnOf(context, step);
      await lab.client.start(
        nameOf(step),
        { ...spawn, environment: { ...spawn.environment, LBLAB_WAIT: '1' } },
        { stderr: 'ready' },
        logOf(step),
        lab.timeout,
        true,
      );
    }),
  );
  for (const [index, step] of steps.entries()) {
    if (index > 0) await sleep(STAGGER);
    await lab.client.signal(nameOf(step), 'SIGUSR2');
    if (index === 0) faults.begin();
  }
  const all = Promise.all(
    steps.map(async (step) => {
      const end = await lab.client.wait(nameOf(step), seconds);
      if (end.code !== 0 || end.error !== undefined)
        throw new StepError(step, lab.name, end.error ?? `ended with ${end.signal ?? end.code}`, end, '');
    }),
  );
  await Promise.race([all, faults.failed]);
  await all;
}

/** What goes on beside the requests: a script that waits and lets faults come. */
export interface Meanwhile {
  readonly lab: Lab;
  /** Seconds since the first request. */
  readonly seconds: () => number;
  /** Resolves at so many seconds after the first request, or when the requests have ended. */
  readonly until: (seconds: number) => Promise<void>;
  /** Whether the requests have ended. */
  readonly isOver: () => boolean;
  /** Lets a fault come, not before so many seconds after the first request where they are given. */
  readonly apply: (node: string, fault: Fault, seconds?: number) => Promise<void>;
}

/** Lets the topology's own faults come, each at its time. */
async function ownFaults({ lab, until, isOver, apply }: Meanwhile): Promise<void> {
  for (const fault of lab.topology.faults ?? []) {
    await until(fault.at);
    if (isOver()) return;
    await apply(fault.node, fault, fault.at);
  }
}

/** Plays a script from the first request on. What it broke is mended at the end. */
class Timeline {
  readonly came: FaultRecord[] = [];
  /** Rejects when a fault cannot be done. */
  readonly failed: Promise<never>;
  #fail: (error: unknown) => void = () => {};
  readonly #lab: Lab;
  readonly #script: (meanwhile: Meanwhile) => Promise<void>;
  #began: number | undefined;
  #ended = false;
  #wake = () => {};
  #running: Promise<void> = Promise.resolve();

  constructor(lab: Lab, script: (meanwhile: Meanwhile) => Promise<void> = ownFaults) {
    this.#lab = lab;
    this.#script = script;
    this.failed = new Promise((_, reject) => (this.#fail = reject));
    this.failed.catch(() => {});
  }

  /** The first request begins now; clients that follow in turn change nothing about it. */
  begin(): void {
    if (this.#began !== undefined) return;
    const began = performance.now();
    this.#began = began;
    const seconds = () => (performance.now() - began) / 1000;
    const until = async (time: number) => {
      const milliseconds = (time - seconds()) * 1000;
      if (milliseconds <= 0 || this.#ended) return;
      await Promise.race([sleep(milliseconds), new Promise<void>((resolve) => (this.#wake = resolve))]);
    };
    this.#running = this.#script({
      lab: this.#lab,
      seconds,
      isOver: () => this.#ended,
      until,
      apply: async (name, fault, time = seconds()) => {
        const node = this.#lab.topology.nodes.find((each) => each.name === name)!;
        const { did: _did, ...done } = await applyFault(this.#lab, node, fault, async () => until(time));
        this.came.push({ at: Math.round(time * 1000) / 1000, ...done });
      },
    });
    this.#running.catch(this.#fail);
  }

  /** No more faults; what they broke is mended. */
  async end(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    this.#wake();
    await this.#running.catch(() => {});
    if (this.came.length > 0 && !this.#lab.client.lost)
      await mend(
        this.#lab,
        this.came.map(({ node }) => node),
      );
  }
}
