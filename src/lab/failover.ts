// The same fault in any lab: requests go on at a steady rate, the lab is seen to look after its servers, and at a fixed time after that one of
// them goes down. Knows how to bring that about; what it cost is measured elsewhere.
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { methodOf } from '../balancers/index.ts';
import type { FaultKind, Method, Topology } from '../topology/types.ts';
import { checksOf, type Checks } from '../verify/checks.ts';
import { LabError } from './lab-error.ts';
import type { Lab } from './lab.ts';
import { runRound, type Round } from './round.ts';
import { GrowingCapture } from './tail.ts';
import type { Meanwhile } from './traffic.ts';

export interface FailoverOptions {
  /** Requests a second of each client. */
  readonly rate: number;
  /** Seconds that requests go on after the fault. */
  readonly after: number;
  /** Seconds that a DNS answer may be kept. */
  readonly ttl: number;
  /** How balancers spread connections: alike in all labs, so that what a dead server gets compares; the topologies' own when left out. */
  readonly scheduler?: string;
  readonly fault: Extract<FaultKind, 'link-down' | 'kill' | 'stop-service'>;
}

/**
 * Seconds of requests before anything happens. What a director tells its pair is up to three seconds old: it is sent two seconds after the
 * first of it, and looked for once a second (include/net/ip_vs.h, IPVS_SYNC_FLUSH_TIME and IPVS_SYNC_CHECK_PERIOD).
 */
const QUIET = 1;
const QUIET_PAIR = 3.5;
/** Seconds from an observed check to the fault. A client that keeps a DNS answer makes its check with its first request. */
const OFFSET = 0.3;
const OFFSET_ANSWER = 1;
/** Milliseconds between two looks for a check. */
const PACE = 10;
/** In a millisecond. */
const NANOSECONDS = 1e6;
/** Seconds that one request may take: less than TCP's first retransmission of a SYN (RFC 6298 section 2.1), which would save some. */
const PATIENCE = 0.9;
/** Over a connection that is kept, a request may wait for the connection to come back. */
const PATIENCE_KEPT = 20;
/** nginx's own 60 s are more than a client waits. */
const NGINX = { maxFails: 1, failTimeout: 10, connectTimeout: 0.5 };

/** Seconds from one check to the next, at most. */
function period({ balancer }: Topology): number {
  if (balancer?.pair !== undefined) return balancer.pair.advert;
  return balancer?.health === undefined ? 0 : balancer.health.every;
}

const quiet = ({ balancer }: Topology) => (balancer?.pair === undefined ? QUIET : QUIET_PAIR);

/**
 * A topology as it is measured: its traffic at the rate wanted, no faults of its own. @throws LabError for one without a balancer and
 * clients, or without a second server to fail over to
 */
export function failoverTopology(topology: Topology, options: FailoverOptions): Topology {
  const { balancer, traffic } = topology;
  if (balancer === undefined || traffic === undefined) {
    throw new LabError(`${topology.name} has no balancer and clients, so nothing can fail over`);
  }
  if ((balancer.services[0]?.backends.length ?? 0) < 2) {
    throw new LabError(`${topology.name} has one backend only, so nothing can fail over`);
  }
  // Of clients that look names up those that the article speaks of: who keeps answers, and curl as it is.
  const clients = traffic.clients.filter((name) => traffic.lookup?.[name] !== 'asking');
  const unseen = traffic.clients.find((name) => !topology.captures.some(({ node }) => node === name));
  if (unseen !== undefined) {
    throw new LabError(
      `${topology.name} captures nothing at ${unseen}, so what was lost cannot be told: add "${unseen}: { at: ${unseen} }" to its captures`,
    );
  }
  const seconds =
    balancer.dns === undefined
      ? quiet(topology) + period(topology) + OFFSET + options.after
      : OFFSET_ANSWER + options.after;
  const { faults: _faults, expect: _expect, ...rest } = topology;
  const { order: _order, ...kept } = traffic;
  return {
    ...rest,
    balancer: {
      ...balancer,
      ...(balancer.dns !== undefined && { dns: { ...balancer.dns, ttl: options.ttl } }),
      nginx: { ...NGINX, ...balancer.nginx },
      services: balancer.services.map((service) => ({
        ...service,
        scheduler: schedulerFor(balancer.method, options.scheduler) ?? service.scheduler,
      })),
    },
    traffic: {
      ...kept,
      clients,
      rate: options.rate,
      requests: clients.length * Math.round(options.rate * seconds),
      concurrency: 1,
      timeout: PATIENCE,
      patience: Object.fromEntries((traffic.reuse ?? []).map((name) => [name, PATIENCE_KEPT])),
    },
  };
}

const schedulerFor = (method: Method, wanted: string | undefined) =>
  wanted !== undefined && methodOf(method).schedulers.includes(wanted) ? wanted : undefined;

/**
 * Waits for a check that finds a server alive. Of a check that was read late, the time for the fault has passed: the next one is taken.
 * @returns who was found alive, and when the fault is due, in seconds after the first request
 */
async function nextCheck(
  { lab, isOver, seconds }: Meanwhile,
  checks: Checks,
  offset: number,
): Promise<{ readonly node: string; readonly due: number }> {
  const capture = new GrowingCapture(join(lab.dir, `${checks.point.name}.pcap`));
  const from = await lab.client.clock();
  try {
    while (!isOver()) {
      const check = checks.find(await capture.read()).at(-1);
      if (check !== undefined) {
        const age = ((await lab.client.clock()) - Number(check.packet.time) / NANOSECONDS) / 1000;
        const isFresh = checks.kind === 'answer' || Number(check.packet.time) / NANOSECONDS >= from;
        if (isFresh && age < offset) return { node: check.node, due: seconds() + offset - age };
      }
      await setTimeout(PACE);
    }
  } finally {
    await capture.close();
  }
  throw new LabError(`${lab.topology.name}: no check was seen before the requests had ended`, 4);
}

/** Lets the fault come, at its fixed time after a check. */
async function breakOne(meanwhile: Meanwhile, kind: FailoverOptions['fault']): Promise<void> {
  const { topology } = meanwhile.lab;
  const balancer = topology.balancer!;
  const checks = checksOf(topology);
  // What a client keeps it has asked for with its first request.
  if (checks?.kind !== 'answer') await meanwhile.until(quiet(topology));
  const { node, due } =
    checks === undefined
      ? { node: balancer.services[0]!.backends[0]!.node, due: meanwhile.seconds() + OFFSET }
      : await nextCheck(meanwhile, checks, checks.kind === 'answer' ? OFFSET_ANSWER : OFFSET);
  await meanwhile.apply(node, { kind }, due);
  if (balancer.dns !== undefined) await meanwhile.apply(balancer.node, { kind: 'withdraw', on: node });
}

/** A round with the fault in it. The lab's topology is one that `failoverTopology` made. */
export async function failoverRound(
  lab: Lab,
  options: FailoverOptions,
  signal: AbortSignal | undefined,
): Promise<Round> {
  return runRound(lab, {
    traffic: true,
    signal,
    meanwhile: async (meanwhile) => breakOne(meanwhile, options.fault),
  });
}
