// What can be said of a connection without keeping its packets: from a row of Lives to a value for people and JSON.
import { fromWord, fromWords } from './address.ts';
import type { AnalysisFlag } from './analysis.ts';
import { ANALYSIS_FLAGS } from './analysis.ts';
import type { Lives } from './lives.ts';
import {
  BASE,
  BYTES,
  COMPLETENESS,
  COUNTS,
  FIN_NUMBER,
  FIRST_TIME,
  FOUND,
  FROM_HIGH,
  FROM_LOW,
  HANDSHAKE_ACK_NUMBER,
  HIGH_ADDRESS,
  IS_BASE_KNOWN,
  LAST_TIME,
  LOW_ADDRESS,
  MARK_CLIENT_KNOWN,
  MARK_CLOSE_CROSSED,
  MARK_LOW_IS_CLIENT,
  MARK_RST_OF_LOW,
  MARKS,
  PACKETS,
  PAYLOAD,
  PORTS,
  PROTOCOL,
  ROUND_TRIP,
  RST_NUMBER,
  SYN_ACK_NUMBER,
  SYN_NUMBER,
  TIMES_FROM_HIGH,
  TIMES_FROM_LOW,
  VERSION,
} from './lives.ts';

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

/** Tells the figures of lives; addresses that occur often are made once. */
export class FigureTeller {
  readonly #lives: Lives;
  readonly #base: bigint;
  readonly #names: ReadonlyArray<string> | undefined;
  readonly #known = new Map<number, string>();

  /**
   * @param base nanoseconds since the epoch that the lives' times count from
   * @param names the addresses, where the first word of each in the lives is an index of them
   */
  constructor(lives: Lives, base: bigint, names?: readonly string[]) {
    this.#lives = lives;
    this.#base = base;
    this.#names = names;
  }

  tell(life: number): ConnectionFigures {
    const lives = this.#lives;
    const { words, times } = lives;
    const row = lives.row(life);
    const timesRow = lives.timesRow(life);
    const isLowClient = isLowTheClient(lives, life);
    const isTcp = words[row + PROTOCOL] === 6;
    const ports = words[row + PORTS]!;
    const low: Endpoint = { address: this.#address(row, row + LOW_ADDRESS), port: ports >>> 16 };
    const high: Endpoint = { address: this.#address(row, row + HIGH_ADDRESS), port: ports & 0xffff };
    const fromClient = readDirection(lives, life, isLowClient);
    const fromServer = readDirection(lives, life, !isLowClient);
    const end = readEnd(words, row, isLowClient);
    const state = stateOf(end, fromClient, fromServer);
    const roundTripTime = times[timesRow + ROUND_TRIP]!;
    return {
      protocol: isTcp ? 'tcp' : 'udp',
      client: isLowClient ? low : high,
      server: isLowClient ? high : low,
      state,
      complete:
        end.syn !== undefined &&
        end.synAck !== undefined &&
        end.handshakeAck !== undefined &&
        fromClient.payload > 0 &&
        fromServer.payload > 0 &&
        (state === 'closed' || state === 'reset'),
      handshake: { syn: end.syn, synAck: end.synAck, ack: end.handshakeAck },
      closedBy: closedBy(end, fromClient.fin, fromServer.fin),
      oneSided: fromServer.packets === 0 ? 'to-server' : fromClient.packets === 0 ? 'to-client' : undefined,
      isn: { client: fromClient.base, server: fromServer.base },
      packets: { toServer: fromClient.packets, toClient: fromServer.packets },
      bytes: { toServer: fromClient.bytes, toClient: fromServer.bytes },
      payload: { toServer: fromClient.payload, toClient: fromServer.payload },
      firstTime: this.#base + BigInt(times[timesRow + FIRST_TIME]!),
      lastTime: this.#base + BigInt(times[timesRow + LAST_TIME]!),
      roundTripTime: Number.isNaN(roundTripTime) ? undefined : roundTripTime,
      completeness: end.completeness,
      analysis: readAnalysis(words, row),
    };
  }

  #address(row: number, at: number): string {
    const { words } = this.#lives;
    const word = words[at]!;
    if (this.#names !== undefined) return this.#names[word]!;
    if (words[row + VERSION] === 6) return fromWords(word, words[at + 1]!, words[at + 2]!, words[at + 3]!);
    let text = this.#known.get(word);
    if (text === undefined) {
      text = fromWord(word);
      this.#known.set(word, text);
    }
    return text;
  }
}

const NOTHING: Partial<Record<AnalysisFlag, number>> = Object.freeze({});

function readAnalysis(words: Int32Array, row: number): Partial<Record<AnalysisFlag, number>> {
  const found = words[row + FOUND]!;
  if (found === 0) return NOTHING;
  const analysis: Partial<Record<AnalysisFlag, number>> = {};
  ANALYSIS_FLAGS.forEach((flag, index) => {
    if ((found & (1 << index)) !== 0) analysis[flag] = words[row + COUNTS + index]!;
  });
  return analysis;
}

/** Whether the lower endpoint is the client: by its SYN, or else by its port, or else because it was first. */
export function isLowTheClient(lives: Lives, life: number): boolean {
  const row = lives.row(life);
  const ports = lives.words[row + PORTS]!;
  const marks = lives.words[row + MARKS]!;
  const [low, high] = [ports >>> 16, ports & 0xffff];
  const isTcp = lives.words[row + PROTOCOL] === 6;
  if (isTcp && (marks & MARK_CLIENT_KNOWN) === 0 && low !== high) return low > high;
  return (marks & MARK_LOW_IS_CLIENT) !== 0;
}

/** Whether any packet of it was counted: what nobody could read to its end leaves nothing but a row. */
export function isCounted(lives: Lives, life: number): boolean {
  const row = lives.row(life);
  return lives.words[row + FROM_LOW + PACKETS]! + lives.words[row + FROM_HIGH + PACKETS]! > 0;
}

interface DirectionFigures {
  readonly packets: number;
  readonly bytes: number;
  readonly payload: number;
  readonly base: number | undefined;
  /** Packet number. */
  readonly fin: number | undefined;
}

function readDirection(lives: Lives, life: number, isLow: boolean): DirectionFigures {
  const { words, times } = lives;
  const row = lives.row(life) + (isLow ? FROM_LOW : FROM_HIGH);
  const timesRow = lives.timesRow(life) + (isLow ? TIMES_FROM_LOW : TIMES_FROM_HIGH);
  return {
    packets: words[row + PACKETS]!,
    bytes: times[timesRow + BYTES]!,
    payload: times[timesRow + PAYLOAD]!,
    base: words[row + IS_BASE_KNOWN] === 1 ? words[row + BASE]! >>> 0 : undefined,
    fin: words[row + FIN_NUMBER]! || undefined,
  };
}

/** Packet numbers, and what else tells how it began and ended. */
interface End {
  readonly syn: number | undefined;
  readonly synAck: number | undefined;
  readonly handshakeAck: number | undefined;
  readonly rst: number | undefined;
  readonly completeness: number;
  readonly isRstOfClient: boolean;
  readonly isCloseCrossed: boolean;
}

function readEnd(words: Int32Array, row: number, isLowClient: boolean): End {
  const marks = words[row + MARKS]!;
  return {
    syn: words[row + SYN_NUMBER]! || undefined,
    synAck: words[row + SYN_ACK_NUMBER]! || undefined,
    handshakeAck: words[row + HANDSHAKE_ACK_NUMBER]! || undefined,
    rst: words[row + RST_NUMBER]! || undefined,
    completeness: words[row + COMPLETENESS]!,
    isRstOfClient: ((marks & MARK_RST_OF_LOW) !== 0) === isLowClient,
    isCloseCrossed: (marks & MARK_CLOSE_CROSSED) !== 0,
  };
}

function stateOf(end: End, fromClient: DirectionFigures, fromServer: DirectionFigures): ConnectionState {
  const { syn, synAck, rst } = end;
  // 1: it had nothing but SYNs.
  if (fromServer.packets === 0) return end.completeness === 1 ? 'unanswered' : 'one-sided';
  if (fromClient.packets === 0) return 'one-sided';
  if (rst !== undefined && syn !== undefined && synAck === undefined && !end.isRstOfClient) return 'refused';
  if (fromClient.fin !== undefined && fromServer.fin !== undefined) return 'closed';
  if (rst !== undefined) return 'reset';
  if (fromClient.fin !== undefined || fromServer.fin !== undefined) return 'half-closed';
  if (synAck !== undefined && fromClient.payload === 0 && fromServer.payload === 0) return 'handshake-only';
  return 'established';
}

function closedBy(
  end: End,
  clientFin: number | undefined,
  serverFin: number | undefined,
): ClosedBy | undefined {
  const isClosed = clientFin !== undefined && serverFin !== undefined;
  if (end.rst !== undefined && !isClosed) return end.isRstOfClient ? 'reset-by-client' : 'reset-by-server';
  if (isClosed && end.isCloseCrossed) return 'both';
  if (clientFin === undefined && serverFin === undefined) return undefined;
  return (clientFin ?? Infinity) < (serverFin ?? Infinity) ? 'client' : 'server';
}
