// What reporters show and how they are called. A reporter is one file here and one line in reporters.ts.
import type { ChalkInstance } from 'chalk';
import type { Kernel } from '../sandbox/start.ts';
import type { Topology } from '../topology/types.ts';
import type { Check, Evidence, Status } from '../verify/types.ts';

/** Evidence with its verdicts: of a lab's run, or of captures that lay there. */
export interface Judged {
  /** The lab's name; the topology's when left out. */
  readonly name?: string;
  readonly topology: Topology;
  /** Absolute path of the topology's file, where it is known. */
  readonly file?: string;
  readonly kernel?: Kernel;
  readonly evidence: Evidence;
  /** Absolute folder of the captures. */
  readonly output: string;
  readonly checks: readonly Check[];
  readonly status: Status;
  /** Milliseconds by stage, where a lab was run. */
  readonly timings?: Readonly<Record<string, number>>;
}

export interface ReportOptions {
  readonly paint: ChalkInstance;
  /** Folder that paths are shown relative to. */
  readonly cwd: string;
  /** The command's JSON document. */
  readonly document: () => unknown;
}

/** Verdicts to text. Pure: where it goes is the caller's business. */
export interface Reporter {
  /** The whole report, its last line ended. */
  readonly render: (results: readonly Judged[], options: ReportOptions) => string;
}

export const nameOf = ({ name, topology }: Judged): string => name ?? topology.name;
