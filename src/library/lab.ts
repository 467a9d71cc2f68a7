/// <reference lib="esnext.disposable" preserve="true" />
// Labs for programs: built, asked, captured, judged and ended by methods. Says nothing on standard output and ends no process; what
// goes wrong is thrown. Everything that a lab does is src/lab's business.
import { resolve } from 'node:path';
import { claimsOf } from '../balancers/index.ts';
import { makeCli, type Cli } from '../cli/context.ts';
import { inNode } from '../cli/inside.ts';
import { chooseFor } from '../cli/kernel.ts';
import { buildOptions, nodeOf } from '../cli/labs.ts';
import { loadTopology } from '../cli/topologies.ts';
import { saveEvidence } from '../lab/evidence.ts';
import type { StepEvent } from '../lab/execute.ts';
import { LabError } from '../lab/lab-error.ts';
import { temporaryLab, type Lab as RunningLab } from '../lab/lab.ts';
import { pointsAt } from '../lab/points.ts';
import { runRound } from '../lab/round.ts';
import { sendRequests } from '../lab/traffic.ts';
import type { Kernel } from '../sandbox/start.ts';
import { parseTopology } from '../topology/index.ts';
import type { Topology } from '../topology/types.ts';
import { judge, judgeRound } from '../verify/index.ts';
import type { Check, RequestRecord } from '../verify/types.ts';
import { captured, type Captured } from './captured.ts';

export interface UpOptions {
  /** Where the lab lives: this machine's kernel, a user-mode kernel, or whichever has what the topology needs. Default: LBLAB_KERNEL or `auto`. */
  readonly kernel?: 'auto' | Kernel;
  /** Seconds that one step may take; default 30. */
  readonly timeout?: number;
  /** Ends what is under way. */
  readonly signal?: AbortSignal;
  /** Called when a step of the plan begins, is done or fails. */
  readonly onStep?: (event: StepEvent) => void;
  /** The CPU that a user-mode kernel is pinned to: labs side by side are faster on different ones. Default 0. */
  readonly cpu?: number;
}

export interface RequestOptions {
  /** Requests of each client; default: the topology's. */
  readonly requests?: number;
  /** Requests under way at once; default: the topology's. */
  readonly concurrency?: number;
}

export interface CaptureOptions extends RequestOptions {
  /** Capture points by name, or `NODE:INTERFACE`; default: the topology's. */
  readonly at?: readonly string[];
  /** A pcap-filter(7) expression in place of the points' own. */
  readonly filter?: string;
  /** Seconds that the capture lasts at least. */
  readonly seconds?: number;
  /** Whether the topology's requests are sent; default: unless `during` is given. Without either, `seconds` says when it ends. */
  readonly traffic?: boolean;
  /** Traffic of your own, while the captures are on. */
  readonly during?: () => Promise<unknown>;
}

export interface ExecOptions {
  /** Standard input. */
  readonly input?: string | Uint8Array;
  readonly environment?: Readonly<Record<string, string>>;
  /** Seconds that the program may take; default: the lab's. */
  readonly timeout?: number;
}

export interface ExecResult {
  /** Null where a signal ended it. */
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  /** The last 8 KiB. */
  readonly stderr: string;
}

/**
 * A lab that lives as long as this process at most: when the process ends, however it does, nothing of the lab is left.
 *
 * ```ts
 * await using lab = await Lab.up('nat');
 * const evidence = await lab.capture({ requests: 10 });
 * ```
 */
export class Lab implements AsyncDisposable {
  readonly topology: Topology;
  readonly kernel: Kernel;
  readonly #lab: RunningLab;
  readonly #cli: Cli;
  #last: Captured | undefined;
  #isDown = false;

  private constructor(lab: RunningLab, cli: Cli) {
    this.#lab = lab;
    this.#cli = cli;
    this.topology = lab.topology;
    this.kernel = lab.kernel;
  }

  /**
   * Builds a lab and starts its services.
   * @param topology the name of one that ships (`nat`), a file (`./mine.yaml`), a topology's text (more than one line), or a topology read
   * before
   * @throws TopologyError for what is wrong in the topology; an Error with `exitCode` 3 when the machine lacks something
   */
  static async up(topology: string | Topology, options: UpOptions = {}): Promise<Lab> {
    const signal = options.signal ?? new AbortController().signal;
    const { timeout, kernel } = options;
    // `json` keeps it from saying which kernel it took.
    const cli = makeCli({ json: true, timeout, kernel }, signal);
    const found = await find(cli, topology);
    const choice = await chooseFor(cli, found.topology);
    const lab = await within(signal, async (own) =>
      temporaryLab(
        buildOptions(cli, found, {
          kernel: choice.kernel,
          cpu: options.cpu,
          signal: own,
          onStep: options.onStep,
        }),
      ),
    );
    return new Lab(lab, cli);
  }

  get name(): string {
    return this.#lab.name;
  }

  /** Sends the clients' requests; an answer that did not come is a record with `error`. */
  async request(options: RequestOptions = {}): Promise<readonly RequestRecord[]> {
    return (await sendRequests(this.#up(), options)).requests;
  }

  /**
   * Captures at all points at once, with requests meanwhile, to the last packet; decoded.
   * @throws RangeError when nothing says how long it lasts; LabError for a place that is not there
   */
  async capture(options: CaptureOptions = {}): Promise<Captured> {
    const lab = this.#up();
    const { at, filter, seconds, during, requests, concurrency } = options;
    const { traffic = during === undefined } = options;
    if (!traffic && during === undefined && seconds === undefined)
      throw new RangeError('a capture without traffic needs seconds: how long it lasts');
    const { evidence, broken } = await within(this.#cli.signal, async (own) =>
      runRound(lab, {
        requests,
        concurrency,
        points: pointsAt(lab.topology, at ?? [], filter),
        traffic,
        during,
        seconds,
        signal: own,
      }),
    );
    const made = captured(evidence, {
      broken,
      save: async (folder) => {
        if (this.#last !== made) throw new LabError('a later capture has taken the place of these files');
        await saveEvidence(lab.dir, resolve(this.#cli.cwd, folder), evidence);
      },
    });
    this.#last = made;
    return made;
  }

  /**
   * Judges the last capture, or one made for it.
   * @param claims ids such as `nat.source`; default: what the topology's method claims, or the topology names, and what it expects
   * @throws RangeError for an id that no claim has
   */
  async verify(claims?: readonly string[]): Promise<readonly Check[]> {
    const evidence = this.#last ?? (await this.capture());
    return claims === undefined
      ? judgeRound(evidence, claimsOf(this.topology), { live: true })
      : judge(evidence, claims, { live: true });
  }

  /** Runs a program in a node to its end. Its exit code is a result; only a program that cannot be started throws. */
  async exec(node: string, argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    const lab = this.#up();
    const spawn = inNode(this.#cli, lab, nodeOf(lab, node), argv, options.environment);
    const { ended, stdout } = await lab.client.run(spawn, options.input, options.timeout ?? lab.timeout);
    if (ended.error !== undefined) throw new LabError(`${argv[0] ?? ''} in ${node}: ${ended.error}`, 3);
    return { code: ended.code, signal: ended.signal, stdout: stdout.toString('utf8'), stderr: ended.stderr };
  }

  /** Ends the lab; nothing is left of it. Again: nothing happens. */
  async down(): Promise<void> {
    if (this.#isDown) return;
    this.#isDown = true;
    await this.#lab.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down();
  }

  #up(): RunningLab {
    if (this.#isDown) throw new LabError(`${this.name} is down`);
    return this.#lab;
  }
}

/** Works with a signal that lasts as long as the work. What listens to one of AbortSignal.any's would keep it for ever (Node 20). */
async function within<T>(signal: AbortSignal, work: (own: AbortSignal) => Promise<T>): Promise<T> {
  const own = new AbortController();
  const pass = () => own.abort(signal.reason);
  if (signal.aborted) pass();
  signal.addEventListener('abort', pass);
  try {
    return await work(own.signal);
  } finally {
    signal.removeEventListener('abort', pass);
  }
}

async function find(cli: Cli, topology: string | Topology): Promise<{ topology: Topology; file: string }> {
  const inline = resolve(cli.cwd, 'topology.yaml');
  if (typeof topology !== 'string') return { topology, file: inline };
  if (topology.includes('\n')) return { topology: parseTopology(topology, 'topology.yaml'), file: inline };
  return loadTopology(cli, topology);
}
