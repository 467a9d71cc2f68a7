// Compares our account of a capture with tshark's: conversations with exact packets and bytes (from sharkd, which is
// tshark's engine and prints them unrounded), initial sequence numbers and analysis flags (from tshark's fields).
import { spawnSync } from 'node:child_process';
import type { Capture, Connection } from '../../src/pcap/index.ts';
import { CaptureParser } from '../../src/pcap/file.ts';
import { Fragments } from '../../src/pcap/fragments.ts';
import { Frame } from '../../src/pcap/frame.ts';
import { connections, readCapture, summarize } from '../../src/pcap/index.ts';
import { decodeFrame } from '../../src/pcap/link.ts';
import { feed } from '../../src/pcap/source.ts';
import type { Life } from '../../src/pcap/tracker.ts';
import { Tracker } from '../../src/pcap/tracker.ts';
import { tsharkFields } from './tshark.ts';

/** Our name for each of tshark's, in the order of its fields. */
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

export interface Disagreement {
  readonly what: 'conversations' | 'sequence numbers' | 'analysis' | 'completeness' | 'summary';
  readonly ours: readonly string[];
  readonly theirs: readonly string[];
}

/** Every difference between our account of the file and tshark's; none when they agree. */
export async function disagreements(path: string): Promise<Disagreement[]> {
  const capture = await readCapture(path, { path });
  const found = connections(capture);
  const theirs = tsharkAccount(path);
  const summary = await summarize(path);
  return [
    difference('conversations', found.map(conversationLine), sharkdConversations(path)),
    difference('sequence numbers', initialSequenceNumbers(capture), theirs.sequenceNumbers),
    difference('analysis', found.flatMap(analysisLines), theirs.analysis),
    difference('completeness', await completenessShown(path), theirs.completeness),
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

type Figures = Pick<Connection, 'protocol' | 'client' | 'server' | 'packets' | 'bytes'>;

/** The same for both ends, whichever is called client. */
function line(protocol: string, ends: readonly { end: string; packets: number; bytes: number }[]): string {
  const sides = ends.map(({ end, packets, bytes }) => `${end} sent ${packets} packets ${bytes} bytes`);
  return `${protocol} ${sides.sort().join(', ')}`;
}

function conversationLine({ protocol, client, server, packets, bytes }: Figures): string {
  return line(protocol, [
    { end: `${client.address} ${client.port}`, packets: packets.toServer, bytes: bytes.toServer },
    { end: `${server.address} ${server.port}`, packets: packets.toClient, bytes: bytes.toClient },
  ]);
}

interface SharkdReply {
  result?: { taps?: { proto: string; convs?: SharkdConversation[] }[] };
}

interface SharkdConversation {
  saddr: string;
  daddr: string;
  sport: string;
  dport: string;
  txf: number;
  txb: number;
  rxf: number;
  rxb: number;
}

function sharkdConversations(path: string): string[] {
  const requests = [
    { jsonrpc: '2.0', id: 1, method: 'load', params: { file: path } },
    { jsonrpc: '2.0', id: 2, method: 'tap', params: { tap0: 'conv:TCP', tap1: 'conv:UDP' } },
  ];
  const input = requests.map((request) => `${JSON.stringify(request)}\n`).join('');
  const { stdout, error } = spawnSync('sharkd', ['-'], { input, encoding: 'utf8', maxBuffer: 2 ** 30 });
  if (error !== undefined) throw error;
  const lines: string[] = [];
  for (const reply of stdout.split('\n').filter((text) => text.startsWith('{'))) {
    const { result }: SharkdReply = JSON.parse(reply);
    for (const { proto, convs = [] } of result?.taps ?? [])
      for (const { saddr, daddr, sport, dport, txf, txb, rxf, rxb } of convs)
        lines.push(
          line(proto.toLowerCase(), [
            { end: `${saddr} ${sport}`, packets: txf, bytes: txb },
            { end: `${daddr} ${dport}`, packets: rxf, bytes: rxb },
          ]),
        );
  }
  return lines;
}

function initialSequenceNumbers({ packets }: Capture): string[] {
  return packets
    .filter(({ tcp }) => tcp?.flags.syn === true && tcp.isCounted !== false)
    .map(({ number, tcp }) => `packet ${number}: ${tcp!.sequence}`);
}

function analysisLines({ analysisPackets }: Connection): string[] {
  return Object.entries(analysisPackets).flatMap(([flag, numbers]) =>
    numbers.map((number) => `packet ${number}: ${flag}`),
  );
}

/** tshark shows with a packet what it knew before that packet; compared is what it shows with each connection's last. */
async function completenessShown(path: string): Promise<string[]> {
  const frame = new Frame();
  const fragments = new Fragments();
  const tracker = new Tracker();
  const known = new Map<Life, number>();
  const shown = new Map<Life, string>();
  const parser = new CaptureParser(frame, () => {
    decodeFrame(frame, fragments);
    const life = tracker.track(frame);
    if (life === undefined || frame.kind !== 'tcp') return true;
    const before = known.get(life);
    if (before !== undefined) shown.set(life, `packet ${frame.number}: ${before}`);
    known.set(life, life.completeness);
    return true;
  });
  await feed(path, parser);
  return [...shown.values()];
}

interface TsharkAccount {
  readonly sequenceNumbers: string[];
  readonly analysis: string[];
  readonly completeness: string[];
}

function tsharkAccount(path: string): TsharkAccount {
  const fields = [
    'frame.number',
    'tcp.stream',
    'tcp.completeness',
    'tcp.flags.syn',
    'tcp.seq_raw',
    ...FLAGS.map(([field]) => field),
  ];
  // A TCP header quoted in an ICMP error is no segment of the connection.
  const rows = tsharkFields(path, fields, 'tcp && !icmp && !icmpv6');
  const streams = new Map<string, { last: string; packets: number }>();
  const analysis: string[] = [];
  const sequenceNumbers: string[] = [];
  for (const [number, stream, bits, syn, sequence, ...marks] of rows) {
    const packets = (streams.get(stream!)?.packets ?? 0) + 1;
    streams.set(stream!, { last: `packet ${number}: ${bits}`, packets });
    if (syn === '1') sequenceNumbers.push(`packet ${number}: ${sequence}`);
    const flags = FLAGS.map(([, flag]) => flag).filter((_, index) => marks[index] !== '');
    const isSpecial = flags.some(
      (flag) => flag === 'fast-retransmission' || flag === 'spurious-retransmission',
    );
    for (const flag of flags)
      if (flag !== 'retransmission' || !isSpecial) analysis.push(`packet ${number}: ${flag}`);
  }
  const lasts = [...streams.values()].filter(({ packets }) => packets > 1).map(({ last }) => last);
  return { sequenceNumbers, analysis, completeness: lasts };
}
