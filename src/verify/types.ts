// What verdicts are made from and what they are. A verdict has three values: missing evidence is `unknown`, never a pass.
import type { Capture } from '../pcap/index.ts';
import type { Location, Topology } from '../topology/types.ts';

/** One request as the client's own log (curl) tells it. */
export interface RequestRecord {
  readonly client: string;
  /** From 1, in the order of the client's configuration. */
  readonly number: number;
  /** The client's port; 0 when no connection was made. */
  readonly localPort: number;
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;
  /** Seconds from start to end. */
  readonly seconds: number;
  /** The backend that answered, by the name in its answer. */
  readonly backend?: string;
  /** curl's words when the request failed. */
  readonly error?: string;
  /** Seconds since the epoch when it began, by the lab's clock; a client that keeps no rate does not tell. */
  readonly began?: number;
  /** Seconds by which it began later than its client's rate wants it. */
  readonly late?: number;
  /** The address that it went to, where the URL has a name. */
  readonly address?: string;
}

/** A fault that came while requests went on. Times by the lab's clock, which the captures have too. */
export interface FaultRecord {
  /** Seconds after the first request, as it was wanted. */
  readonly at: number;
  readonly node: string;
  /** As it is written, such as `stop-service`. */
  readonly fault: string;
  /** Seconds since the epoch: when it was begun, and when it was there. */
  readonly began: number;
  readonly done: number;
}

/** What a capture point recorded, and what tcpdump said of it. */
export interface CapturedPoint {
  readonly name: string;
  readonly node: string;
  readonly interface: string;
  readonly path: string;
  readonly capture: Capture;
  /** Packets that the kernel dropped before tcpdump saw them; nothing when tcpdump never said. */
  readonly dropped?: number;
  /** Why the capture cannot be relied on, when it cannot. */
  readonly incomplete?: string;
}

/** Everything that is known of one round of traffic. */
export interface Evidence {
  readonly topology: Topology;
  /** By capture point's name. */
  readonly captures: ReadonlyMap<string, CapturedPoint>;
  /** The clients' logs; nothing when there are none, as for captures made elsewhere. */
  readonly requests?: readonly RequestRecord[];
  /** Lines of each backend's access log since the round began; a node without one (the user's own program) is absent. */
  readonly accessLogs?: ReadonlyMap<string, readonly string[]>;
  /** Output of the inspection steps by step id (`ipvsadm`, `be1.loopback`, ...). */
  readonly tables?: ReadonlyMap<string, string>;
  /** In the order of time; nothing when none came. */
  readonly faults?: readonly FaultRecord[];
}

export type Status = 'pass' | 'fail' | 'unknown';

/** Packets that a verdict rests on, numbered as Wireshark numbers them. */
export interface PacketReference {
  readonly capture: string;
  readonly packets: readonly number[];
}

export interface Verdict {
  readonly status: Status;
  readonly expected: string;
  readonly observed: string;
  readonly evidence: readonly PacketReference[];
  /** A remark shown beside the verdict, such as the article's sentence where the packets say otherwise. */
  readonly note?: string;
}

/** A statement that evidence bears out or not. Pure: the same evidence gives the same verdict. */
export interface Claim {
  readonly id: string;
  readonly title: string;
  /** The article's own words. */
  readonly article?: string;
  /** Judged from the lab itself (a table, an address), not from packets: not judged when only files are there. */
  readonly live?: boolean;
  readonly check: (evidence: Evidence) => Verdict;
}

/** A claim with its verdict; `judged` is false for a live claim when there is no lab. */
export interface Check extends Verdict {
  readonly id: string;
  readonly title: string;
  readonly judged: boolean;
  /** Assertions only: a warning is shown and never fails a run; else an error. */
  readonly level?: 'error' | 'warning';
  /** Where an assertion stands in the topology's file. */
  readonly location?: Location;
}
