// Compares our account of a capture with Wireshark's: conversations with packets and bytes of each direction, initial
// sequence numbers, completeness, and the analysis of every packet.
import type { Connection } from '../../src/pcap/index.ts';
import { connections, readCapture, summarize } from '../../src/pcap/index.ts';
import type { Sharkd } from './sharkd.ts';

/** Wireshark's fields in the order of ours. */
const FLAGS = [
  ['tcp.analysis.retransmission', 'retransmission'],
  ['tcp.analysis.fast_retransmission', 'fast-retransmission'],
  ['tcp.analysis.spurious_retransmission', 'spurious-retransmission'],
  ['tcp.analysis.out_of_order', 'out-of-order'],
  ['tcp.analysis.lost_segment', 'lost-segment'],
  ['tcp.analysis.ack_lost_segment', 'acked-unseen-segment'],
  ['tcp.analysis.duplicate_ack', 'duplicate-ack'],
  ['tcp.analysis.zero_window', 'zero-window'],
  ['tcp.analysis.zero_window_probe', 'zero-window-probe'],
  ['tcp.analysis.zero_window_probe_ack', 'zero-window-probe-ack'],
  ['tcp.analysis.keep_alive', 'keep-alive'],
  ['tcp.analysis.keep_alive_ack', 'keep-alive-ack'],
  ['tcp.analysis.window_update', 'window-update'],
  ['tcp.analysis.window_full', 'window-full'],
  ['tcp.analysis.reused_ports', 'reused-ports'],
] as const;

const FIELDS = [
  'tcp.completeness',
  'tcp.flags.syn',
  'tcp.flags.ack',
  'tcp.seq_raw',
  ...FLAGS.map(([field]) => field),
];

export interface Disagreement {
  readonly what: 'conversations' | 'sequence numbers' | 'analysis' | 'completeness' | 'summary';
  readonly ours: readonly string[];
  readonly theirs: readonly string[];
}

/** Every difference between our account of the file and Wireshark's; none when they agree. */
export async function disagreements(sharkd: Sharkd, path: string): Promise<Disagreement[]> {
  const { packets } = await readCapture(path);
  const found = connections({ packets });
  const summary = await summarize(path);
  // A TCP header quoted in an ICMP error is no segment of the connection.
  const { conversations, frames } = await sharkd.read(path, FIELDS, 'tcp && !icmp && !icmpv6');
  const theirs = frames.filter(({ c }) => c[0] !== '').map(account);
  const completeness = new Map(theirs.map((frame) => [frame.number, frame.completeness]));
  // Of a SYN-ACK with a new number sharkd, which decodes each frame twice, marks the ones before it as well.
  const isDoubtful = new Set(
    theirs.filter(({ isSynAck }) => isSynAck).map(({ number }) => `packet ${number}: reused-ports`),
  );
  const tcp = found.filter(({ protocol }) => protocol === 'tcp');
  return [
    difference(
      'conversations',
      found.map(conversationLine),
      conversations.flatMap(({ proto, convs = [] }) =>
        convs.map(({ saddr, daddr, sport, dport, txf, txb, rxf, rxb }) =>
          line(proto.toLowerCase(), [
            { end: `${saddr} ${sport}`, packets: txf, bytes: txb },
            { end: `${daddr} ${dport}`, packets: rxf, bytes: rxb },
          ]),
        ),
      ),
    ),
    difference(
      'sequence numbers',
      packets
        .filter((packet) => packet.tcp?.flags.syn)
        .map(({ number, tcp: syn }) => `packet ${number}: ${syn!.sequence}`),
      theirs.flatMap(({ synSequence }) => synSequence),
    ),
    difference(
      'analysis',
      found.flatMap(analysisLines).filter((text) => !isDoubtful.has(text)),
      theirs.flatMap(({ analysis }) => analysis).filter((text) => !isDoubtful.has(text)),
    ),
    difference(
      'completeness',
      tcp.map(({ packetNumbers, completeness: ours }) => `packet ${packetNumbers[0]}: ${ours}`),
      tcp.map(({ packetNumbers }) => `packet ${packetNumbers[0]}: ${completeness.get(packetNumbers[0]!)}`),
    ),
    difference('summary', summary.connections.map(conversationLine), found.map(conversationLine)),
  ].filter((entry) => entry !== undefined);
}

function difference(
  what: Disagreement['what'],
  ours: readonly string[],
  theirs: readonly string[],
): Disagreement | undefined {
  const [onlyOurs, onlyTheirs] = [without(ours, theirs), without(theirs, ours)];
  return onlyOurs.length + onlyTheirs.length === 0 ? undefined : { what, ours: onlyOurs, theirs: onlyTheirs };
}

/** The lines of `from` that are not, or not so often, in `these`. */
function without(from: readonly string[], these: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const text of these) counts.set(text, (counts.get(text) ?? 0) + 1);
  return from.filter((text) => {
    const count = counts.get(text) ?? 0;
    counts.set(text, count - 1);
    return count <= 0;
  });
}

/** The same for both ends, whichever is called client. */
function line(protocol: string, ends: readonly { end: string; packets: number; bytes: number }[]): string {
  const sides = ends.map(({ end, packets, bytes }) => `${end} sent ${packets} packets ${bytes} bytes`);
  return `${protocol} ${sides.sort().join(', ')}`;
}

type Figures = Pick<Connection, 'protocol' | 'client' | 'server' | 'packets' | 'bytes'>;

function conversationLine({ protocol, client, server, packets, bytes }: Figures): string {
  return line(protocol, [
    { end: `${client.address} ${client.port}`, packets: packets.toServer, bytes: bytes.toServer },
    { end: `${server.address} ${server.port}`, packets: packets.toClient, bytes: bytes.toClient },
  ]);
}

function analysisLines({ analysisPackets }: Connection): string[] {
  return Object.entries(analysisPackets).flatMap(([flag, numbers]) =>
    numbers.map((number) => `packet ${number}: ${flag}`),
  );
}

/** What Wireshark's columns say of one frame. It calls fast and spurious retransmissions retransmissions as well. */
function account({ c: [completeness, syn, ack, sequence, ...marks], num }: { c: string[]; num: number }) {
  const flags = FLAGS.map(([, flag]) => flag).filter((_, index) => marks[index] !== '');
  const isSpecial = flags.some(
    (flag) => flag === 'fast-retransmission' || flag === 'spurious-retransmission',
  );
  return {
    number: num,
    isSynAck: syn === 'Set' && ack === 'Set',
    completeness: /\((\d+)\)/.exec(completeness!)?.[1],
    synSequence: syn === 'Set' ? [`packet ${num}: ${sequence}`] : [],
    analysis: flags
      .filter((flag) => flag !== 'retransmission' || !isSpecial)
      .map((flag) => `packet ${num}: ${flag}`),
  };
}
