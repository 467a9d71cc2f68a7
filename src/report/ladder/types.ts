// What a ladder is, whatever draws it: machines side by side, their interfaces as rails, and packets as arrows from rail to rail in order of
// time. A packet that was seen at several capture points is one arrow.
import type { Capture, ConnectionFigures, HttpMessage, Packet, Rewrite } from '../../pcap/index.ts';

/** A capture, and where it was made, if that is known. */
export interface Point {
  readonly name: string;
  readonly capture: Pick<Capture, 'packets'>;
  readonly node?: string;
  readonly interface?: string;
}

/** An end of wires: one interface, or one side of an interface through which packets come in and go on. */
export interface Rail {
  /** Index of the machine. */
  readonly machine: number;
  /** The interface's name; empty where nobody knows it. */
  readonly title: string;
  /** Its own addresses, or else its MAC. */
  readonly addresses: readonly string[];
  /** Index of the capture point that listens there. */
  readonly point?: number;
}

export interface Machine {
  readonly name: string;
  /** Addresses that it answers for beside its interfaces' own: `VIP 192.168.11.107`. */
  readonly also: readonly string[];
  /** Indexes of its rails, from left to right: at least one. */
  readonly rails: readonly number[];
  readonly isBalancer: boolean;
}

/**
 * What is known of an end of a leg: a capture there has the packet, nobody listens there, or a capture there does not have what it should
 * have.
 */
export type Sight = 'seen' | 'not-captured' | 'missing';

/** From one machine to the next. */
export interface Leg {
  /** Indexes of rails. */
  readonly from: number;
  readonly to: number;
  readonly atFrom: Sight;
  readonly atTo: Sight;
}

/** What a machine changed between two legs. */
export interface Hop {
  readonly machine: number;
  readonly rewrites: readonly Rewrite[];
  /** From the last sighting before to the first behind. */
  readonly nanoseconds: number;
}

export type RowKind =
  'open' | 'request' | 'answer' | 'data' | 'acknowledgment' | 'close' | 'reset' | 'datagram';

/** Where a packet was seen. */
export interface Seen {
  /** Index of the capture point. */
  readonly point: number;
  /** Packet numbers; several where it was split there. */
  readonly packets: readonly number[];
  readonly packet: Packet;
}

/** A packet on its whole way. */
export interface Row {
  /** Nanoseconds since the epoch, of the first sighting. */
  readonly time: bigint;
  /** Number of its connection, from 1; 0 where it belongs to none. */
  readonly connection: number;
  readonly kind: RowKind;
  /** In a few words, harmless anywhere but in markup. */
  readonly label: string;
  readonly isToServer: boolean;
  /** The same bytes, or the same SYN or FIN, were sent before. */
  readonly isAgain: boolean;
  /** A proxy's request in words of its own, for one that it was asked. */
  readonly isAnew: boolean;
  /** At least one. */
  readonly legs: readonly Leg[];
  /** One less than legs. */
  readonly hops: readonly Hop[];
  /** Balancers that it went past without touching them, where the other direction passes through. */
  readonly past: readonly number[];
  readonly seen: readonly Seen[];
}

/** A connection of a client with all that belongs to it: the same connection elsewhere, and connections that a proxy opened for it. */
export interface Conversation {
  /** From 1, in order of time. */
  readonly number: number;
  readonly connections: readonly SeenConnection[];
  readonly requests: readonly AskedAnew[];
  /** Of the packets. */
  readonly firstTime: bigint;
  readonly lastTime: bigint;
}

export interface SeenConnection {
  /** Index of the capture point. */
  readonly point: number;
  readonly connection: ConnectionFigures & { readonly http: readonly Exchange[] };
}

interface Exchange {
  readonly request?: HttpMessage;
  readonly response?: HttpMessage;
}

/** A request that a proxy passed on in words of its own. */
export interface AskedAnew {
  readonly outside: HttpMessage;
  readonly inside: HttpMessage;
  /** From the request's last packet outside to its first inside. */
  readonly nanoseconds: number;
}

/** The same rewriting, however often it was done. */
export interface Change {
  readonly machine: number;
  readonly isToServer: boolean;
  readonly rewrites: readonly Rewrite[];
  readonly packets: number;
}

export interface Ladder {
  readonly points: readonly Point[];
  readonly machines: readonly Machine[];
  readonly rails: readonly Rail[];
  readonly rows: readonly Row[];
  /** Those whose packets the rows are. */
  readonly shown: readonly Conversation[];
  /** In the captures. */
  readonly total: number;
  readonly changes: readonly Change[];
  /** Rows left out behind the last one shown. */
  readonly rowsLeft: number;
  /** Whose interface has a MAC address, by the name that machines go by here. */
  readonly nameOfMac: (mac: string) => string;
}
