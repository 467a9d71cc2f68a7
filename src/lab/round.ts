// One round: captures on, requests sent, captures drained to the last packet and off, tables read.
import { readFile, rm, stat, writeFile, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execute } from './execute.ts';
import { accessLogPaths, readEvidence, readRequests, tcpdumpCounts, type Offsets } from './evidence.ts';
import { interruption, stagesOf, type Lab } from './lab.ts';
import { connections, readCapture } from '../pcap/index.ts';
import { filesOf, trafficStage, type TrafficOptions } from '../plan/build.ts';
import type { Evidence, RequestRecord } from '../verify/types.ts';

export interface RoundOptions extends Partial<TrafficOptions> {
  /** Names of the capture points to use; all when left out. */
  readonly points?: readonly string[];
  /** Whether requests are sent; else the captures last for `seconds` or until the signal. */
  readonly traffic: boolean;
  readonly seconds?: number;
  /** A capture filter in place of the points' own. */
  readonly filter?: string;
  readonly signal?: AbortSignal;
}

/** Seconds that captures get to take in what the clients say has happened. */
const DRAIN_SECONDS = 3;
/** Milliseconds that a connection that nobody has closed yet may hold up the end of a capture. */
const LINGER = 1000;

const tick = async (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

function context(lab: Lab) {
  return { client: lab.client, lab: lab.name, dir: lab.dir, timeout: lab.timeout, onStep: lab.onStep };
}

/** Sends the clients' requests and reads their logs. */
export async function sendRequests(
  lab: Lab,
  options: Partial<TrafficOptions>,
): Promise<readonly RequestRecord[]> {
  const stage = trafficStage(lab.topology, options);
  await rm(join(lab.dir, 'requests'), { recursive: true, force: true });
  for (const { path, content } of filesOf([stage])) {
    await mkdir(dirname(join(lab.dir, path)), { recursive: true });
    await writeFile(join(lab.dir, path), content);
  }
  const requests = options.requests ?? lab.topology.traffic?.requests ?? 0;
  const seconds = lab.timeout + requests * (lab.topology.traffic?.timeout ?? 0);
  await execute({ ...context(lab), timeout: seconds }, [stage]);
  return (await readRequests(lab.dir, lab.topology)) ?? [];
}

async function logOffsets(lab: Lab): Promise<Offsets> {
  const sizes = [...accessLogPaths(lab.topology).values()].map(
    async (path) => [path, (await stat(join(lab.dir, path)).catch(() => ({ size: 0 }))).size] as const,
  );
  return new Map(await Promise.all(sizes));
}

/** Whether every connection that both sides spoke on has been closed; one that one side only was seen on is closed when that side is. */
async function allClosed(path: string): Promise<boolean> {
  const capture = await readCapture(path);
  return connections(capture).every(
    (connection) =>
      connection.protocol !== 'tcp' ||
      connection.closedBy !== undefined ||
      connection.handshake.syn === undefined ||
      (connection.handshake.synAck === undefined && connection.bytes.toServer === 0),
  );
}

/**
 * Waits until each tcpdump has written every packet that its filter has passed (it tells on SIGUSR1, tcpdump(1)), twice in a row with the
 * same numbers, and the connections in the files are closed. After the limit it goes on: the counts then show what is missing.
 */
async function drain(lab: Lab, points: readonly string[]): Promise<void> {
  const began = performance.now();
  let before = '';
  while (performance.now() - began < DRAIN_SECONDS * 1000) {
    const logs = await Promise.all(
      points.map(async (point) => {
        const path = join(lab.dir, `${point}.log`);
        const { size } = await stat(path);
        await lab.client.signal(`capture.${point}`, 'SIGUSR1');
        const deadline = performance.now() + 500;
        for (;;) {
          const text = (await readFile(path, 'utf8')).slice(size);
          const counts = tcpdumpCounts(text);
          if (counts !== undefined || performance.now() > deadline) return counts;
          await tick(1);
        }
      }),
    );
    const now = JSON.stringify(logs);
    if (
      now === before &&
      logs.every((counts) => counts === undefined || counts.captured >= counts.received)
    ) {
      const closed = await Promise.all(
        points.map(async (point) => allClosed(join(lab.dir, `${point}.pcap`))),
      );
      if (closed.every(Boolean) || performance.now() - began > LINGER) return;
    }
    before = now;
    await tick(2);
  }
}

/** Ends the captures and waits until their files are whole. */
async function stopCaptures(lab: Lab, points: readonly string[]): Promise<void> {
  await Promise.all(
    points.map(async (point) => {
      await lab.client.signal(`capture.${point}`, 'SIGINT');
      await lab.client.wait(`capture.${point}`, lab.timeout);
    }),
  );
}

export interface Round {
  readonly evidence: Evidence;
  /** Milliseconds by stage. */
  readonly timings: Readonly<Record<string, number>>;
}

/** Runs a round and reads its evidence. The lab stays as it was, with nothing capturing. */
export async function runRound(lab: Lab, options: RoundOptions): Promise<Round> {
  const timings: Record<string, number> = {};
  const timed = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    const began = performance.now();
    const result = await work();
    timings[name] = performance.now() - began;
    return result;
  };
  const chosen = lab.topology.captures.filter((point) => options.points?.includes(point.name) !== false);
  const points = chosen.map((point) => point.name);
  const offsets = await logOffsets(lab);
  const capture = stagesOf(lab.plan, ['settle', 'capture']).map((stage) => ({
    ...stage,
    steps: stage.steps.filter(
      (step) => stage.name === 'settle' || points.some((point) => step.id === `capture.${point}`),
    ),
  }));
  await timed('capture', async () => execute(context(lab), capture));
  try {
    if (options.traffic) {
      await timed('traffic', async () =>
        Promise.race([sendRequests(lab, options), interruption(options.signal)]),
      );
    } else {
      await waiting(options);
    }
    await timed('drain', async () => drain(lab, points));
  } finally {
    await timed('stop', async () => stopCaptures(lab, points));
  }
  await timed('inspect', async () => execute(context(lab), stagesOf(lab.plan, ['inspect'])));
  const topology = { ...lab.topology, captures: chosen };
  const evidence = await timed('read', async () => readEvidence(lab.dir, topology, offsets));
  return { evidence, timings };
}

/** Resolves when the time is over or the signal comes. */
async function waiting(options: RoundOptions): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = options.seconds === undefined ? undefined : setTimeout(resolve, options.seconds * 1000);
    options.signal?.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
