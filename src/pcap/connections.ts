// Connections of a capture, as a person would describe them: who opened, answered, closed; what was sent; what went
// wrong. Built from packets alone. tracker.ts finds the connections, stream.ts and http.ts read what they carried.
import { fromWords } from './address.ts';
import type { AnalysisFlag, Direction } from './analysis.ts';
import { ANALYSIS_FLAGS } from './analysis.ts';
import type { Capture } from './capture.ts';
import { ACK, CWR, ECE, FIN, Frame, PSH, RST, SYN, URG } from './frame.ts';
import type { HttpExchange } from './http.ts';
import { readExchanges } from './http.ts';
import type { Packet } from './packet.ts';
import { reassemble } from './stream.ts';
import type { Life } from './tracker.ts';
import { Tracker } from './tracker.ts';

export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** One number for each direction. */
export interface BothWays {
  readonly toServer: number;
  readonly toClient: number;
}

/**
 * - `unanswered`: SYNs that nothing came back to
 * - `one-sided`: packets of one direction only
 * - `refused`: a SYN answered by a reset
 * - `handshake-only`: both SYNs and no payload
 * - `established`: payload or acknowledgments both ways, and no end seen
 * - `half-closed`: one side's FIN
 * - `closed`: both sides' FINs
 * - `reset`: ended by a reset
 */
export type ConnectionState =
  | 'unanswered'
  | 'one-sided'
  | 'refused'
  | 'handshake-only'
  | 'established'
  | 'half-closed'
  | 'closed'
  | 'reset';

export type ClosedBy = 'client' | 'server' | 'both' | 'reset-by-client' | 'reset-by-server';

/** What can be said of a connection without keeping its packets. */
export interface ConnectionFigures {
  readonly protocol: 'tcp' | 'udp';
  /** Who sent the SYN; where no SYN was captured the end with the higher port, or else who sent first. */
  readonly client: Endpoint;
  readonly server: Endpoint;
  readonly state: ConnectionState;
  /** Handshake, payload and end were all captured, each both ways (a reset ends both). */
  readonly complete: boolean;
  /** Packet numbers of the first of each. */
  readonly handshake: { readonly syn?: number; readonly synAck?: number; readonly ack?: number };
  /** Whose FIN came first, `both` when they crossed; a reset counts where it came before both FINs. */
  readonly closedBy?: ClosedBy;
  /** Set when packets of one direction only were captured. */
  readonly oneSided?: 'to-server' | 'to-client';
  /** Initial sequence numbers: from SYNs, or else inferred from the first number seen (RFC 9293 section 3.4.1). */
  readonly isn: { readonly client?: number; readonly server?: number };
  /** Counted as `tshark -z conv,tcp` does: frames, and whole frames' bytes on the wire with their link headers. */
  readonly packets: BothWays;
  readonly bytes: BothWays;
  /** TCP or UDP payload bytes on the wire, those sent again among them. */
  readonly payload: BothWays;
  /** Nanoseconds since the epoch. */
  readonly firstTime: bigint;
  readonly lastTime: bigint;
  /** Nanoseconds from the last SYN to the first ACK after it, as tshark's tcp.analysis.initial_rtt. */
  readonly roundTripTime?: number;
  /**
   * As tcp.completeness is when Wireshark has read the whole capture: SYN 1, SYN-ACK 2, ACK 4, data 8, FIN 16, RST 32.
   * tshark reads once, so it shows with each packet what it knew before that packet.
   */
  readonly completeness: number;
  /** How often each was found; those not found are left out. */
  readonly analysis: Readonly<Partial<Record<AnalysisFlag, number>>>;
}

export interface Connection extends ConnectionFigures {
  readonly packetNumbers: readonly number[];
  /** The packets in which each was found. */
  readonly analysisPackets: Readonly<Partial<Record<AnalysisFlag, readonly number[]>>>;
  /** HTTP/1 requests and their answers, in order. */
  readonly http: readonly HttpExchange[];
}

/** One entry for each life of a pair of endpoints (a SYN with another initial sequence number begins another). */
export function connections(capture: Pick<Capture, 'packets'>): Connection[] {
  const tracker = new Tracker();
  const frame = new Frame();
  const names: string[] = [];
  const known = new Map<string, number>();
  const nameOf = (address: string): number => {
    let index = known.get(address);
    if (index === undefined) {
      index = names.push(address) - 1;
      known.set(address, index);
    }
    return index;
  };
  const first = capture.packets[0]?.time ?? 0n;
  const gathered = new Map<Life, Gathered>();
  for (const packet of capture.packets) {
    if (!load(frame, packet, nameOf)) continue;
    frame.seconds = packet.time === 0n ? 0 : 1;
    frame.nanoseconds = 0;
    frame.time = Number(packet.time - first);
    const life = tracker.track(frame);
    if (life === undefined) continue;
    let entry = gathered.get(life);
    if (entry === undefined) {
      entry = { numbers: [], found: {}, fromLow: [], fromHigh: [] };
      gathered.set(life, entry);
    }
    if (frame.isCounted) entry.numbers.push(packet.number);
    if (frame.payloadCaptured > 0) (tracker.isFromLow ? entry.fromLow : entry.fromHigh).push(packet);
    for (let bits = tracker.found; bits !== 0; bits &= bits - 1) {
      const flag = ANALYSIS_FLAGS[31 - Math.clz32(bits & -bits)]!;
      (entry.found[flag] ??= []).push(packet.number);
    }
  }
  const result: Connection[] = [];
  for (const [life, entry] of gathered) {
    if (entry.numbers.length === 0) continue;
    const figures = toFigures(life, first, names[life.low0], names[life.high0]);
    const [toServer, toClient] = life.isLowClient
      ? [entry.fromLow, entry.fromHigh]
      : [entry.fromHigh, entry.fromLow];
    const http =
      figures.protocol === 'udp'
        ? []
        : readExchanges(
            reassemble(toServer, figures.isn.client ?? 0),
            reassemble(toClient, figures.isn.server ?? 0),
            (life.isLowClient ? life.finOfHigh : life.finOfLow) !== 0,
          );
    result.push({ ...figures, packetNumbers: entry.numbers, analysisPackets: entry.found, http });
  }
  return result;
}

interface Gathered {
  readonly numbers: number[];
  readonly found: Partial<Record<AnalysisFlag, number[]>>;
  readonly fromLow: Packet[];
  readonly fromHigh: Packet[];
}

/** Puts into the frame what Tracker looks at; an address is a number of its own. */
function load(frame: Frame, packet: Packet, nameOf: (address: string) => number): boolean {
  const { ip, tcp, udp } = packet;
  const transport = tcp ?? udp;
  if (ip === undefined || transport === undefined) return false;
  frame.kind = tcp === undefined ? 'udp' : 'tcp';
  frame.number = packet.number;
  frame.originalLength = packet.originalLength;
  frame.ipVersion = 4;
  frame.protocol = tcp === undefined ? 17 : 6;
  frame.source0 = nameOf(ip.source);
  frame.destination0 = nameOf(ip.finalDestination ?? ip.destination);
  frame.sourcePort = transport.sourcePort;
  frame.destinationPort = transport.destinationPort;
  frame.payloadLength = transport.payloadLength;
  frame.payloadCaptured = transport.payload.length;
  frame.isCounted = true;
  if (tcp !== undefined) {
    const { flags } = tcp;
    frame.isCounted = tcp.isCounted !== false;
    frame.isAnalysed = tcp.isAnalysed !== false;
    frame.sequence = tcp.sequence | 0;
    frame.acknowledgment = tcp.acknowledgment | 0;
    frame.window = tcp.window;
    frame.windowScale = tcp.windowScale ?? -1;
    frame.flags =
      (flags.fin ? FIN : 0) |
      (flags.syn ? SYN : 0) |
      (flags.rst ? RST : 0) |
      (flags.psh ? PSH : 0) |
      (flags.ack ? ACK : 0) |
      (flags.urg ? URG : 0) |
      (flags.ece ? ECE : 0) |
      (flags.cwr ? CWR : 0);
  }
  return true;
}

/** @param base nanoseconds since the epoch that the life's times count from */
export function toFigures(
  life: Life,
  base: bigint,
  low = fromWords(life.version, life.low0, life.low1, life.low2, life.low3),
  high = fromWords(life.version, life.high0, life.high1, life.high2, life.high3),
): ConnectionFigures {
  const lowEnd: Endpoint = { address: low, port: life.lowPort };
  const highEnd: Endpoint = { address: high, port: life.highPort };
  if (!life.isClientKnown && life.lowPort !== life.highPort && life.protocol === 6)
    life.isLowClient = life.lowPort > life.highPort;
  const { isLowClient } = life;
  const toServer = isLowClient ? life.fromLow : life.fromHigh;
  const toClient = isLowClient ? life.fromHigh : life.fromLow;
  const isTcp = life.protocol === 6;
  const oneSided = toClient.packets === 0 ? 'to-server' : toServer.packets === 0 ? 'to-client' : undefined;
  const analysis: Partial<Record<AnalysisFlag, number>> = {};
  life.counts?.forEach((times, index) => {
    if (times > 0) analysis[ANALYSIS_FLAGS[index]!] = times;
  });
  const isn = (direction: Direction) => (isTcp && direction.isBaseKnown ? direction.base >>> 0 : undefined);
  const state = stateOf(life, toServer, toClient, oneSided !== undefined);
  return {
    protocol: isTcp ? 'tcp' : 'udp',
    client: isLowClient ? lowEnd : highEnd,
    server: isLowClient ? highEnd : lowEnd,
    state,
    complete:
      life.syn !== 0 &&
      life.synAck !== 0 &&
      life.handshakeAck !== 0 &&
      toServer.payload > 0 &&
      toClient.payload > 0 &&
      (state === 'closed' || state === 'reset'),
    handshake: {
      ...(life.syn !== 0 && { syn: life.syn }),
      ...(life.synAck !== 0 && { synAck: life.synAck }),
      ...(life.handshakeAck !== 0 && { ack: life.handshakeAck }),
    },
    closedBy: closedBy(life),
    oneSided,
    isn: { client: isn(toServer), server: isn(toClient) },
    packets: { toServer: toServer.packets, toClient: toClient.packets },
    bytes: { toServer: toServer.bytes, toClient: toClient.bytes },
    payload: { toServer: toServer.payload, toClient: toClient.payload },
    firstTime: base + BigInt(life.firstTime),
    lastTime: base + BigInt(life.lastTime),
    ...(!Number.isNaN(life.roundTrip) && { roundTripTime: life.roundTrip }),
    completeness: life.completeness,
    analysis,
  };
}

function stateOf(life: Life, toServer: Direction, toClient: Direction, isOneSided: boolean): ConnectionState {
  if (isOneSided) {
    const isOnlySyn = life.completeness === 1 && toServer.payload === 0 && life.rst === 0;
    return isOnlySyn ? 'unanswered' : 'one-sided';
  }
  if (life.rst !== 0 && life.syn !== 0 && life.synAck === 0 && life.isRstOfLow !== life.isLowClient)
    return 'refused';
  if (life.finOfLow !== 0 && life.finOfHigh !== 0) return 'closed';
  if (life.rst !== 0) return 'reset';
  if (life.finOfLow !== 0 || life.finOfHigh !== 0) return 'half-closed';
  if (life.synAck !== 0 && toServer.payload === 0 && toClient.payload === 0) return 'handshake-only';
  return 'established';
}

function closedBy(life: Life): ClosedBy | undefined {
  const { finOfLow, finOfHigh, rst, isLowClient } = life;
  if (rst !== 0 && (finOfLow === 0 || finOfHigh === 0))
    return life.isRstOfLow === isLowClient ? 'reset-by-client' : 'reset-by-server';
  if (finOfLow === 0 && finOfHigh === 0) return undefined;
  if (life.isCloseCrossed) return 'both';
  const isLowFirst = finOfHigh === 0 || (finOfLow !== 0 && finOfLow < finOfHigh);
  return isLowFirst === isLowClient ? 'client' : 'server';
}
