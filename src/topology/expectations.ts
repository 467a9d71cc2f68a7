// Assertions once they have been read: names resolved to capture points and addresses, units to numbers, and the names kept for messages.
// Plain data that survives JSON; judging them is left to src/verify/assertions.
import type { AnalysisFlag } from '../pcap/analysis.ts';
import type { ConnectionState } from '../pcap/connections.ts';

/** The kinds of assertion, in the order of the documentation. */
export const KINDS = [
  'connections',
  'sources',
  'destinations',
  'backend',
  'header',
  'path',
  'end-to-end',
  'spread',
  'analysis',
  'latency',
  'packets',
  'bytes',
  'arp',
  'table',
  'status',
  'response-time',
] as const;
export type Kind = (typeof KINDS)[number];

/** States of a connection that an assertion may speak of. */
export const STATES = [
  'unanswered',
  'refused',
  'one-sided',
  'handshake-only',
  'established',
  'half-closed',
  'closed',
  'reset',
] as const satisfies readonly ConnectionState[];

/** Where packets are captured: `backends` with the names of all their capture points, or one point by its name. */
export interface PointGroup {
  readonly name: string;
  readonly points: readonly string[];
}

/** Whom an address belongs to: `lb` with all its addresses, or an address by itself. */
export interface Party {
  readonly name: string;
  readonly addresses: readonly string[];
}

/** Both ends included; one may be open. */
export interface Range {
  readonly min?: number;
  readonly max?: number;
}

export type Way = 'to-server' | 'to-client' | 'both';

export interface ConnectionsAssertion {
  readonly kind: 'connections';
  readonly at: PointGroup;
  /** `requests`: as many as the clients sent. */
  readonly count: Range | 'requests';
  readonly from?: readonly Party[];
  readonly to?: readonly Party[];
  readonly states?: readonly ConnectionState[];
}

export interface EndsAssertion {
  readonly kind: 'sources' | 'destinations';
  readonly at: PointGroup;
  readonly are?: readonly Party[];
  readonly include?: readonly Party[];
  readonly exclude?: readonly Party[];
}

/** Requests by number, from 1, of one client or of each. */
export interface Selection {
  readonly requests: readonly number[] | 'all';
  readonly client?: string;
}

export interface BackendAssertion extends Selection {
  readonly kind: 'backend';
  readonly is: readonly string[];
}

export type HeaderValue =
  { readonly text: string } | { readonly matches: string } | { readonly address: Party };

export interface HeaderAssertion {
  readonly kind: 'header';
  readonly at: PointGroup;
  readonly of: 'request' | 'response';
  readonly header: string;
  readonly absent: boolean;
  /** Nothing: any value will do. */
  readonly value?: HeaderValue;
}

export interface PathAssertion {
  readonly kind: 'path';
  readonly of: 'packets' | 'requests';
  readonly toServer?: readonly PointGroup[];
  readonly toClient?: readonly PointGroup[];
  readonly never: readonly PointGroup[];
}

export interface EndToEndAssertion {
  readonly kind: 'end-to-end';
  readonly connections: 1 | 2;
  readonly from: PointGroup;
  readonly to: PointGroup;
}

export interface SpreadAssertion {
  readonly kind: 'spread';
  readonly of: 'requests' | 'connections';
  readonly isEven: boolean;
  /** Of every backend, in per cent. */
  readonly shares: readonly (readonly [node: string, percent: number])[];
  /** Percentage points. */
  readonly tolerance: number;
}

export interface AnalysisAssertion {
  readonly kind: 'analysis';
  readonly at: PointGroup;
  readonly limits: readonly (readonly [flag: AnalysisFlag, max: number])[];
}

export interface LatencyAssertion {
  readonly kind: 'latency';
  /** Nothing: the balancer's own sides. */
  readonly from?: PointGroup;
  readonly to?: PointGroup;
  readonly way: Way;
  /** Nanoseconds. */
  readonly median?: number;
  readonly max?: number;
  readonly min?: number;
}

export interface VolumeAssertion {
  readonly kind: 'packets' | 'bytes';
  readonly at: PointGroup;
  readonly way: Way;
  readonly per: 'total' | 'connection';
  readonly count: Range;
}

export interface ArpAssertion {
  readonly kind: 'arp';
  readonly at: PointGroup;
  readonly address: Party;
  /** Nodes; none when empty. */
  readonly answeredBy?: readonly string[];
  readonly askedBy?: readonly string[];
}

export interface TableAssertion {
  readonly kind: 'table';
  readonly contains: readonly string[];
  readonly matches: readonly string[];
}

export interface StatusAssertion extends Selection {
  readonly kind: 'status';
  /** Numbers, or classes such as `2xx`. */
  readonly is: readonly (number | string)[];
}

export interface ResponseTimeAssertion {
  readonly kind: 'response-time';
  readonly at: PointGroup;
  /** Nanoseconds. */
  readonly median?: number;
  readonly max?: number;
}

export type Statement =
  | ConnectionsAssertion
  | EndsAssertion
  | BackendAssertion
  | HeaderAssertion
  | PathAssertion
  | EndToEndAssertion
  | SpreadAssertion
  | AnalysisAssertion
  | LatencyAssertion
  | VolumeAssertion
  | ArpAssertion
  | TableAssertion
  | StatusAssertion
  | ResponseTimeAssertion;

/** Where something stands in a file, counted from 1. */
export interface Location {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export type Assertion = Statement & {
  /** Its place in the list, from 0. */
  readonly index: number;
  readonly name?: string;
  readonly level: 'error' | 'warning';
  readonly not: boolean;
  /** Milliseconds for which rounds are repeated until it passes. */
  readonly within?: number;
  readonly location?: Location;
};
