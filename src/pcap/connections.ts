// Connections of a capture, as a person would describe them: who opened, answered, closed; what was sent; what went
// wrong. Built from packets alone. tracker.ts finds the connections, stream.ts and http.ts read what they carried.
import type { AnalysisFlag } from './analysis.ts';
import { ANALYSIS_FLAGS } from './analysis.ts';
import type { Capture } from './capture.ts';
import type { ConnectionFigures } from './figures.ts';
import { FigureTeller, isLowTheClient } from './figures.ts';
import { ACK, FIN, Frame, RST, SYN } from './frame.ts';
import type { HttpExchange } from './http.ts';
import { readExchanges } from './http.ts';
import type { Packet } from './packet.ts';
import { reassemble } from './stream.ts';
import { Tracker } from './tracker.ts';

export type { BothWays, ClosedBy, ConnectionFigures, ConnectionState, Endpoint } from './figures.ts';

export interface Connection extends ConnectionFigures {
  readonly packetNumbers: readonly number[];
  /** The packets in which each was found. */
  readonly analysisPackets: Readonly<Partial<Record<AnalysisFlag, readonly number[]>>>;
  /** HTTP/1 requests and their answers, in order; those of all connections are limited to two a packet and MESSAGES more. */
  readonly http: readonly HttpExchange[];
}

/**
 * Exchanges that are read of a capture, beside two a packet: as a rule one takes several packets, but one made for it has thousands in a
 * packet, each of which takes fifty times its bytes.
 */
const MESSAGES = 10_000;

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
  const gathered: Gathered[] = [];
  for (const packet of capture.packets) {
    if (!load(frame, packet, nameOf)) continue;
    frame.time = Number(packet.time - first);
    const life = tracker.track(frame);
    const entry = (gathered[life] ??= { numbers: [], found: {}, fromLow: [], fromHigh: [] });
    if (frame.isCounted) entry.numbers.push(packet.number);
    if (frame.payloadCaptured > 0 || (frame.kind === 'tcp' && (frame.flags & FIN) !== 0))
      (tracker.isFromLow ? entry.fromLow : entry.fromHigh).push(packet);
    for (let bits = tracker.found; bits !== 0; bits &= bits - 1) {
      const flag = ANALYSIS_FLAGS[31 - Math.clz32(bits & -bits)]!;
      (entry.found[flag] ??= []).push(packet.number);
    }
  }
  const { lives } = tracker;
  const teller = new FigureTeller(lives, first, names);
  let messages = MESSAGES + 2 * capture.packets.length;
  return gathered.flatMap((entry, life) => {
    if (entry.numbers.length === 0) return [];
    const figures = teller.tell(life);
    const isLowClient = isLowTheClient(lives, life);
    let http: HttpExchange[] | undefined;
    return [
      {
        ...figures,
        packetNumbers: entry.numbers,
        analysisPackets: entry.found,
        // Read when somebody asks: most questions are about packets.
        get http() {
          if (http === undefined) {
            http = figures.protocol === 'udp' ? [] : exchanges(figures, entry, isLowClient, messages);
            messages -= http.length;
          }
          return http;
        },
      },
    ];
  });
}

interface Gathered {
  readonly numbers: number[];
  readonly found: Partial<Record<AnalysisFlag, number[]>>;
  readonly fromLow: Packet[];
  readonly fromHigh: Packet[];
}

function exchanges(
  { isn }: ConnectionFigures,
  { fromLow, fromHigh }: Gathered,
  isLowClient: boolean,
  most: number,
): HttpExchange[] {
  const [toServer, toClient] = isLowClient ? [fromLow, fromHigh] : [fromHigh, fromLow];
  const isClosedByServer = toClient.some(({ tcp }) => tcp?.flags.fin);
  return readExchanges(
    reassemble(toServer, isn.client ?? 0),
    reassemble(toClient, isn.server ?? 0),
    isClosedByServer,
    most,
  );
}

/** Puts into the frame what Tracker looks at; an address is a number of its own. */
function load(frame: Frame, packet: Packet, nameOf: (address: string) => number): boolean {
  const { ip, tcp, udp } = packet;
  const transport = tcp ?? udp;
  if (ip === undefined || transport === undefined) return false;
  frame.kind = tcp === undefined ? 'udp' : 'tcp';
  frame.number = packet.number;
  frame.seconds = packet.time === 0n ? 0 : 1;
  frame.nanoseconds = 0;
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
      (flags.fin ? FIN : 0) | (flags.syn ? SYN : 0) | (flags.rst ? RST : 0) | (flags.ack ? ACK : 0);
  }
  return true;
}
