// The plan: data that says what will be executed, in order, each step with its node and its reason. The executor, the dry run, the
// progress display and the exported script all read this one list.
import type { Ready } from '../topology/types.ts';

interface Common {
  /** Unique in the plan, e.g. `lb.addresses`. */
  readonly id: string;
  /** `sandbox` steps (modules, mounts) make the world a lab lives in; the exported script leaves them out. */
  readonly part: 'sandbox' | 'lab';
  /** The node whose network namespace the program runs in; none: the sandbox itself. */
  readonly node?: string;
  /** Steps of one lane keep their order; the node when left out. */
  readonly lane?: string;
  /** Why the step is there, one sentence without a full stop. */
  readonly reason: string;
}

/** A program that ends by itself. */
export interface CommandStep extends Common {
  readonly kind: 'command';
  readonly argv: readonly string[];
  readonly stdin?: string;
  /** Working directory, relative to the lab's folder. */
  readonly cwd: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Exit codes that are fine; 0 when left out. */
  readonly exitCodes?: readonly number[];
  /** File for its standard output, relative to the lab's folder. */
  readonly stdout?: string;
}

/** A file in the lab's folder, there before anything runs. */
export interface FileStep extends Common {
  readonly kind: 'file';
  /** Relative to the lab's folder. */
  readonly path: string;
  readonly content: string;
}

/** A program that stays in the foreground until the lab goes down. */
export interface ServiceStep extends Common {
  readonly kind: 'service';
  readonly name: string;
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly ready: Ready | { readonly stderr: string };
  readonly stdout?: string;
}

export type Step = CommandStep | FileStep | ServiceStep;

/** Steps of a stage run side by side in lanes; within a lane they keep their order. A stage ends before the next begins. */
export interface Stage {
  readonly name: 'sandbox' | 'wire' | 'nodes' | 'directors' | 'settle' | 'capture' | 'traffic' | 'inspect';
  readonly title: string;
  readonly steps: readonly Step[];
}

export interface Plan {
  readonly schema: 'lblab/plan@1';
  readonly lab: string;
  readonly topology: string;
  readonly stages: readonly Stage[];
}
