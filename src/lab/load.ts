// A load on a lab that runs: h2load in its clients while all capture points capture. Reads what h2load, tcpdump and the backends' access logs
// say; the captures themselves are left on disk, and never held in memory.
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { contextOf, spawnOf } from './execute.ts';
import { accessLogPaths, incompleteness, readText, tcpdumpCounts, type Offsets } from './evidence.ts';
import { hold } from './hold.ts';
import { LabError } from './lab-error.ts';
import type { Lab } from './lab.ts';
import { openedPath, openPlain } from './plain-file.ts';
import { inRound } from './round.ts';
import { loadSteps, type LoadOptions } from '../plan/load.ts';
import type { CommandStep } from '../plan/types.ts';
import type { Topology } from '../topology/types.ts';
import type { ClientAccount, LoadCapture } from '../verify/load.ts';

export interface LoadRound {
  readonly clients: readonly ClientAccount[];
  readonly captures: readonly LoadCapture[];
  /** Lines that each backend's access log has got, those of health checks aside; a node without a log of ours is absent. */
  readonly logs: ReadonlyMap<string, number>;
  readonly timings: Readonly<Record<string, number>>;
  /** Set when the sandbox ended or hung meanwhile. */
  readonly broken?: string;
}

export interface RunLoadOptions extends LoadOptions {
  /** Seconds after which it is ended. */
  readonly limit: number;
  readonly captures: boolean;
  readonly signal?: AbortSignal;
  /** Reads and saves the captures' files: the next capture writes them anew, and does not begin before. */
  readonly keep: (captures: readonly LoadCapture[]) => Promise<void>;
}

/** Seconds that a server gets to write the last lines of its log. */
const LATE_LINES = 2;

/** The sum that h2load ends with. */
export function readAccount(client: string, wanted: number, output: string): ClientAccount {
  const numbers = (pattern: RegExp) => pattern.exec(output)?.slice(1).map(Number);
  const requests = numbers(
    /^requests: (\d+) total, (\d+) started, (\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout$/m,
  );
  const statuses = numbers(/^status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx$/m);
  if (requests === undefined || statuses === undefined) {
    const words = output.trim().split('\n').at(-1) ?? '';
    return { client, wanted, problem: `h2load gave no account of itself${words === '' ? '' : `: ${words}`}` };
  }
  const [, started = 0, , , , , timeout = 0] = requests;
  const [ok = 0, redirected = 0, clientError = 0, serverError = 0] = statuses;
  const answered = ok + redirected + clientError + serverError;
  const perSecond = numbers(/^finished in [^,]*, ([\d.]+) req\/s/m)?.[0];
  return { client, wanted, started, answered, good: ok + redirected, timeout, perSecond };
}

async function generate(lab: Lab, step: CommandStep, wanted: number, limit: number): Promise<ClientAccount> {
  const { ended, stdout } = await lab.client.run(spawnOf(contextOf(lab), step), '', limit);
  const client = step.node!;
  if (ended.error !== undefined) return { client, wanted, problem: `h2load: ${ended.error}` };
  return readAccount(client, wanted, `${ended.stderr}\n${stdout.toString()}`);
}

/** Lines of a log behind an offset, without those that ask for `except`. */
async function countLines(
  path: string,
  from: number,
  except: string | undefined,
): Promise<number | undefined> {
  let lines = 0;
  try {
    await using file = await openPlain(path);
    const input = file.createReadStream({ start: from, encoding: 'latin1', autoClose: false });
    for await (const line of createInterface({ input, crlfDelay: Infinity }))
      if (line !== '' && (except === undefined || !line.includes(`"GET ${except} `))) lines++;
  } catch (error) {
    if (error instanceof LabError) throw error;
    return undefined;
  }
  return lines;
}

async function readLogs(dir: string, topology: Topology, offsets: Offsets): Promise<Map<string, number>> {
  const checks = topology.balancer?.health?.path;
  const found = await Promise.all(
    [...accessLogPaths(topology)].map(
      async ([node, path]) =>
        [node, await countLines(join(dir, path), offsets.get(path) ?? 0, checks)] as const,
    ),
  );
  return new Map(found.filter((entry): entry is [string, number] => entry[1] !== undefined));
}

async function readCapturesWords(dir: string, topology: Topology): Promise<LoadCapture[]> {
  return Promise.all(
    topology.captures.map(async ({ name, node, interface: link }) => {
      const log = readText(join(dir, `${name}.log`)) ?? '';
      const incomplete = incompleteness(log, undefined);
      return {
        name,
        node,
        interface: link,
        path: join(dir, `${name}.pcap`),
        dropped: tcpdumpCounts(log)?.dropped,
        ...(incomplete !== undefined && { incomplete }),
      };
    }),
  );
}

/**
 * A user-mode kernel tracks as many connections as suits its memory, 2,048 with 64 MB, and drops what more there are. This machine's own
 * limit is none of a lab's business.
 */
async function makeRoom(lab: Lab, connections: number): Promise<void> {
  if (lab.kernel !== 'uml') return;
  const setting = `net.netfilter.nf_conntrack_max=${Math.max(16_384, 2 * connections)}`;
  // -e: a lab without connection tracking has no such setting.
  await lab.client.run({ argv: ['sysctl', '-e', '-q', '-w', setting], cwd: lab.dir });
}

/** Lets captures be read as they are now, by paths at which nothing can take their place. */
async function keepOpen(captures: readonly LoadCapture[], keep: RunLoadOptions['keep']): Promise<void> {
  const files: FileHandle[] = [];
  try {
    for (const { path } of captures) files.push(await openPlain(path));
    await keep(captures.map((capture, index) => ({ ...capture, path: openedPath(files[index]!) })));
  } finally {
    for (const file of files) await file.close();
  }
}

/** Puts a load on a lab. The lab stays as it was, with nothing capturing. */
export async function runLoad(lab: Lab, options: RunLoadOptions): Promise<LoadRound> {
  const steps = loadSteps(lab.topology, options);
  const letGo = await hold(lab, 'requests');
  let clients: ClientAccount[] = [];
  try {
    await makeRoom(lab, options.connections);
    const { found, timings, broken } = await inRound(
      lab,
      {
        traffic: false,
        isMany: true,
        signal: options.signal,
        ...(!options.captures && { points: [] }),
        during: async () => {
          clients = await Promise.all(
            steps.map(async (step) => generate(lab, step, Number(step.argv[3]), options.limit)),
          );
        },
      },
      async (dir, topology, offsets) => {
        const answered = clients.reduce((sum, account) => sum + (account.answered ?? 0), 0);
        const deadline = performance.now() + LATE_LINES * 1000;
        let logs = await readLogs(dir, topology, offsets);
        while ([...logs.values()].reduce((a, b) => a + b, 0) < answered && performance.now() < deadline) {
          await setTimeout(20);
          logs = await readLogs(dir, topology, offsets);
        }
        const captures = await readCapturesWords(dir, topology);
        await keepOpen(captures, options.keep);
        return { captures, logs };
      },
    );
    return { clients, ...found, timings, ...(broken && { broken: broken.words }) };
  } finally {
    await letGo();
  }
}
