// One round: captures on, requests sent, captures drained to the last packet and off, tables read.
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { contextOf, execute } from './execute.ts';
import { hold } from './hold.ts';
import { accessLogPaths, FAULTS_FILE, readEvidence, tcpdumpCounts, type Offsets } from './evidence.ts';
import { LabError } from './lab-error.ts';
import { interruption, stagesOf, type Lab } from './lab.ts';
import { NotACaptureError, summarize } from '../pcap/index.ts';
import { SandboxError } from '../sandbox/client.ts';
import { lastWords } from '../sandbox/start.ts';
import { ForeignFileError, readPlain, withCapture } from './plain-file.ts';
import { captureStage } from '../plan/build.ts';
import type { TrafficOptions } from '../plan/traffic.ts';
import type { CapturePoint, Topology } from '../topology/types.ts';
import type { Evidence } from '../verify/types.ts';
import { sendRequests, type Meanwhile } from './traffic.ts';

export interface RoundOptions extends Partial<TrafficOptions> {
  /** Where to capture; the topology's capture points when left out. */
  readonly points?: readonly CapturePoint[];
  /** Whether requests are sent. */
  readonly traffic: boolean;
  /** The caller's own traffic, after the requests, while the captures are on. */
  readonly during?: () => Promise<unknown>;
  /** Seconds that the captures last at least. Without traffic of either kind and without this, until the signal. */
  readonly seconds?: number;
  readonly signal?: AbortSignal;
  /** What goes on beside the requests; the topology's faults when left out. */
  readonly meanwhile?: (meanwhile: Meanwhile) => Promise<void>;
  /** Packets come by the ten thousand: the captures keep their headers alone. */
  readonly isMany?: boolean;
  /** Saves the evidence's files: the next capture writes them anew, and does not begin before. */
  readonly keep?: (evidence: Evidence) => Promise<void>;
  /** Called when all captures are on, their files empty. */
  readonly onCapturing?: () => void;
  /**
   * Another connection to the lab, through which requests are sent. The signal then ends the requests by letting go of it, and the round
   * goes on in order: what was captured by then is its evidence.
   */
  readonly requester?: Lab;
}

/** Seconds that captures get to take in what the clients say has happened. */
const DRAIN_SECONDS = 3;
/**
 * Milliseconds after which nothing is on its way to a tcpdump whose numbers stay the same. Without immediate mode the kernel keeps what it
 * has for a second.
 */
const SETTLING = 200;
const SETTLING_OF_MANY = 1500;
/** Seconds that a tcpdump gets to end in order. It takes some milliseconds. */
const STOP_SECONDS = 5;
/** Milliseconds that a connection that nobody has closed yet may hold up the end of a capture. */
const LINGER = 1000;

const tick = async (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function logOffsets(lab: Lab): Promise<Offsets> {
  const sizes = [...accessLogPaths(lab.topology).values()].map(
    async (path) => [path, (await stat(join(lab.dir, path)).catch(() => ({ size: 0 }))).size] as const,
  );
  return new Map(await Promise.all(sizes));
}

/** Whether every connection that both sides spoke on has been closed; one that one side only was seen on is closed when that side is. */
async function allClosed(path: string): Promise<boolean> {
  const connections = await withCapture(path, async (opened) => (await summarize(opened)).connections).catch(
    (error: unknown) => {
      // Reading the evidence says so.
      if (error instanceof NotACaptureError) return [];
      throw error;
    },
  );
  return connections.every(
    (connection) =>
      connection.protocol !== 'tcp' ||
      connection.closedBy !== undefined ||
      connection.handshake.syn === undefined ||
      (connection.handshake.synAck === undefined && connection.payload.toServer === 0),
  );
}

/**
 * Waits until each tcpdump has written every packet that its filter has passed (it tells on SIGUSR1, tcpdump(1)), twice in a row with the
 * same numbers, and the connections in the files are closed. After the limit it goes on: the counts then show what is missing.
 */
async function drain(lab: Lab, points: readonly string[], isMany = false): Promise<void> {
  const began = performance.now();
  let before = '';
  let since = began;
  while (performance.now() - began < DRAIN_SECONDS * 1000) {
    const logs = await Promise.all(
      points.map(async (point) => {
        const path = join(lab.dir, `${point}.log`);
        const { size } = await stat(path);
        await lab.client.signal(`capture.${point}`, 'SIGUSR1');
        const deadline = performance.now() + 500;
        for (;;) {
          const text = readPlain(path).subarray(size).toString('utf8');
          const counts = tcpdumpCounts(text);
          if (counts !== undefined || performance.now() > deadline) return counts;
          await tick(1);
        }
      }),
    );
    const now = JSON.stringify(logs);
    if (now !== before) since = performance.now();
    // Packets that came before its filter was set the kernel has counted, and tcpdump never will.
    const isSettled = performance.now() - since > (isMany ? SETTLING_OF_MANY : SETTLING);
    if (
      now === before &&
      (isSettled || logs.every((counts) => counts === undefined || counts.captured >= counts.received))
    ) {
      // What tcpdump keeps back for larger writes it lets go of on SIGUSR2.
      await Promise.all(points.map(async (point) => lab.client.signal(`capture.${point}`, 'SIGUSR2')));
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
  if (lab.client.lost) return;
  const started = new Set((await lab.client.services()).map((service) => service.name));
  await Promise.all(
    points
      .map((point) => `capture.${point}`)
      .filter((name) => started.has(name))
      .map(async (name) => {
        await lab.client.signal(name, 'SIGINT');
        try {
          await lab.client.wait(name, Math.min(lab.timeout, STOP_SECONDS));
        } catch (error) {
          if (!(error instanceof SandboxError) || broken(lab, error)) throw error;
          // One that a program of the lab's has stopped: its capture then says that it did not end in order.
          await lab.client.signal(name, 'SIGKILL');
          await lab.client.wait(name, lab.timeout);
        }
      }),
  );
}

export interface Round {
  readonly evidence: Evidence;
  /** Milliseconds by stage. */
  readonly timings: Readonly<Record<string, number>>;
  /** Set when the sandbox ended or hung during the round: what happened, with its last words. The evidence is not whole. */
  readonly broken?: string;
}

type Timed = <T>(name: string, work: () => Promise<T>) => Promise<T>;

/** Captures on, traffic, captures off, tables. What was started is stopped, also when something fails. */
async function perform(
  lab: Lab,
  options: RoundOptions,
  chosen: readonly CapturePoint[],
  timed: Timed,
): Promise<void> {
  const points = chosen.map((point) => point.name);
  const stages = [...stagesOf(lab.plan, ['settle']), captureStage(chosen, options.isMany)];
  // A log that an earlier round left must not speak for this one, nor its requests; nor is a pipe in the way that somebody has left there.
  await lab.client.remove(
    ...[
      ...points.flatMap((point) => [`${point}.log`, `${point}.pcap`]),
      ...(options.traffic ? [] : ['requests']),
      FAULTS_FILE,
    ].map((path) => join(lab.dir, path)),
  );
  try {
    await timed('capture', async () => execute(contextOf(lab), stages));
    options.onCapturing?.();
    const began = performance.now();
    if (options.traffic) {
      await timed('traffic', async () => {
        const { requester } = options;
        const sent = sendRequests(requester ?? lab, options);
        const { faults } = await Promise.race([sent, interruption(options.signal)]).catch(
          (error: unknown) => {
            if (requester === undefined || options.signal?.aborted !== true) throw error;
            sent.catch(() => {});
            requester.client.release();
            return { faults: [] };
          },
        );
        if (faults.length > 0)
          await lab.client.write(join(lab.dir, FAULTS_FILE), `${JSON.stringify(faults, null, 1)}\n`);
      });
    }
    const { during } = options;
    if (during !== undefined)
      await timed('during', async () => Promise.race([during(), interruption(options.signal)]));
    if ((!options.traffic && during === undefined) || options.seconds !== undefined) {
      const left = options.seconds && Math.max(0, options.seconds - (performance.now() - began) / 1000);
      await waiting(lab, left, options.signal);
    }
    await timed('drain', async () => drain(lab, points, options.isMany));
  } finally {
    await timed('stop', async () => stopCaptures(lab, points));
  }
  await timed('inspect', async () => execute(contextOf(lab), stagesOf(lab.plan, ['inspect'])));
}

/** What was read of a round. */
export interface InRound<Found> {
  readonly found: Found;
  readonly timings: Readonly<Record<string, number>>;
  /** Set when the sandbox ended or hung during the round: in short, and with its last words. What was found is not whole. */
  readonly broken?: { readonly short: string; readonly words: string };
}

/** Runs a round and reads what it left, before another may begin. The lab stays as it was, with nothing capturing. */
export async function inRound<Found>(
  lab: Lab,
  options: RoundOptions,
  read: (dir: string, topology: Topology, offsets: Offsets, why?: string) => Promise<Found>,
): Promise<InRound<Found>> {
  const timings: Record<string, number> = {};
  const timed: Timed = async (name, work) => {
    const began = performance.now();
    const result = await work();
    timings[name] = performance.now() - began;
    return result;
  };
  const chosen = options.points ?? lab.topology.captures;
  const topology = { ...lab.topology, captures: chosen };
  const letGo = await hold(lab, 'capture');
  let offsets: Offsets = new Map();
  try {
    offsets = await logOffsets(lab);
    await perform(lab, options, chosen, timed);
    const found = await timed('read', async () => read(lab.dir, topology, offsets));
    return { found, timings };
  } catch (error) {
    const { code, path, message } = error as NodeJS.ErrnoException;
    if ((code !== undefined && path?.startsWith(lab.dir) === true) || error instanceof ForeignFileError)
      throw new LabError(
        `${message}: a program of the lab's, or somebody who cleans up, has changed lblab's own files`,
        4,
      );
    // The sandbox died or hangs: what it had written is evidence still, and says itself that it is not whole.
    if (!(error instanceof SandboxError) || !broken(lab, error)) throw error;
    const short = error.message;
    const found = await read(lab.dir, topology, offsets, short);
    return { found, timings, broken: { short, words: short + (await lastWords(lab.dir)) } };
  } finally {
    await letGo();
  }
}

/** Runs a round and reads its evidence. */
export async function runRound(lab: Lab, options: RoundOptions): Promise<Round> {
  const {
    found,
    timings,
    broken: what,
  } = await inRound(lab, options, async (dir, topology, offsets, why) => {
    const read = await readEvidence(dir, topology, offsets);
    const evidence = why === undefined ? read : unreliable(read, why);
    await options.keep?.(evidence);
    return evidence;
  });
  return { evidence: found, timings, ...(what && { broken: what.words }) };
}

/** Whether an error means that the sandbox itself is gone or hangs, and not one program in it. */
function broken(lab: Lab, error: SandboxError): boolean {
  return lab.client.lost || error.message.includes('does not answer');
}

function unreliable(evidence: Evidence, why: string): Evidence {
  const captures = [...evidence.captures.values()].map(
    (point) => [point.name, { ...point, incomplete: why }] as const,
  );
  return { ...evidence, captures: new Map(captures) };
}

/** Resolves when so many seconds are over or the signal comes. Rejects when the lab ends. */
async function waiting(
  lab: Lab,
  seconds: number | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  const over = new AbortController();
  await new Promise<void>((resolve, reject) => {
    const timer = seconds === undefined ? undefined : setTimeout(resolve, seconds * 1000);
    over.signal.addEventListener('abort', () => clearTimeout(timer));
    signal?.addEventListener('abort', () => resolve(), { signal: over.signal });
    if (signal?.aborted === true) resolve();
    lab.client.once('lost', reject);
    over.signal.addEventListener('abort', () => lab.client.off('lost', reject));
  }).finally(() => over.abort());
}
