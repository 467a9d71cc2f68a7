// Compares our account of a capture with Wireshark's: conversations with packets and bytes of each direction, initial
// sequence numbers, completeness, and the analysis of every packet.
import type { CaptureSource, Connection } from '../../src/pcap/index.ts';
import { connections, groupBy, readCapture, summarize } from '../../src/pcap/index.ts';
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

/** What there is to say of a capture, in lines that are the same whoever says them. */
export interface Account {
  readonly conversations: readonly string[];
  readonly 'sequence numbers': readonly string[];
  readonly analysis: readonly string[];
  /** Ours of each connection's first packet, Wireshark's of every packet. */
  readonly completeness: readonly string[];
}

export interface Disagreement {
  readonly what: keyof Account | 'summary';
  readonly ours: readonly string[];
  readonly theirs: readonly string[];
}

export async function ourAccount(file: CaptureSource): Promise<Account> {
  const { packets } = await readCapture(file);
  const found = connections({ packets });
  const tcp = found.filter(({ protocol }) => protocol === 'tcp');
  const syns = packets.filter((packet) => packet.tcp?.flags.syn);
  const synAcks = syns.filter((packet) => packet.tcp!.flags.ack).map(({ number }) => number);
  return {
    conversations: found.map(conversationLine),
    'sequence numbers': syns.map(({ number, tcp: syn }) => `packet ${number}: ${syn!.sequence}`),
    analysis: withoutDoubtful(found.flatMap(analysisLines), synAcks),
    completeness: tcp.map(({ packetNumbers, completeness }) => `packet ${packetNumbers[0]}: ${completeness}`),
  };
}

export async function accountOfWireshark(sharkd: Sharkd, path: string): Promise<Account> {
  // A TCP header quoted in an ICMP error is no segment of the connection.
  const { conversations, frames } = await sharkd.read(path, FIELDS, 'tcp && !icmp && !icmpv6');
  const told = frames.filter(({ c }) => c[0] !== '').map(readFrame);
  const synAcks = told.filter(({ isSynAck }) => isSynAck).map(({ number }) => number);
  return {
    conversations: conversations.flatMap(({ proto, convs = [] }) =>
      convs.map(({ saddr, daddr, sport, dport, txf, txb, rxf, rxb }) =>
        line(proto.toLowerCase(), [
          { end: `${saddr} ${sport}`, packets: txf, bytes: txb },
          { end: `${daddr} ${dport}`, packets: rxf, bytes: rxb },
        ]),
      ),
    ),
    'sequence numbers': told.flatMap(({ synSequence }) => synSequence),
    analysis: withoutDoubtful(
      told.flatMap(({ analysis }) => analysis),
      synAcks,
    ),
    completeness: told.map(({ number, completeness }) => `packet ${number}: ${completeness}`),
  };
}

/** Of a SYN-ACK with a new number sharkd, which decodes each frame twice, marks the ones before it as well. */
function withoutDoubtful(analysis: readonly string[], synAcks: readonly number[]): string[] {
  const doubtful = new Set(synAcks.map((number) => `packet ${number}: reused-ports`));
  return analysis.filter((text) => !doubtful.has(text));
}

/** Every difference between two accounts; none when they agree. */
export function differences(ours: Account, theirs: Account): Disagreement[] {
  const told = new Set(ours.completeness.map(packetOf));
  const completeness = theirs.completeness.filter((text) => told.has(packetOf(text)));
  return [
    difference('conversations', ours.conversations, theirs.conversations),
    difference('sequence numbers', ours['sequence numbers'], theirs['sequence numbers']),
    difference('analysis', ours.analysis, theirs.analysis),
    difference('completeness', ours.completeness, completeness),
  ].filter((entry) => entry !== undefined);
}

/** An account as text: in each section what is said, and of which packets. */
export function writeAccount({ conversations, ...said }: Account): string {
  const sections = Object.entries(said).map(([what, lines]) => {
    const packets = groupBy(lines, (text) => text.slice(text.indexOf(':') + 2));
    return [what, ...[...packets].map(([text, its]) => `  ${text}: ${its.map(numberOf).join(' ')}`)];
  });
  return `${[['conversations', ...conversations.map((text) => `  ${text}`)], ...sections].flat().join('\n')}\n`;
}

/** What writeAccount wrote. */
export function readAccount(text: string): Account {
  const sections = new Map<string, string[]>();
  let lines: string[] = [];
  for (const entry of text.trimEnd().split('\n')) {
    const [what, packets] = entry.trim().split(': ');
    if (!entry.startsWith(' ')) sections.set(entry, (lines = []));
    else if (packets === undefined) lines.push(what!);
    else lines.push(...packets.split(' ').map((number) => `packet ${number}: ${what}`));
  }
  const section = (what: keyof Account) => sections.get(what) ?? [];
  return {
    conversations: section('conversations'),
    'sequence numbers': section('sequence numbers'),
    analysis: section('analysis'),
    completeness: section('completeness'),
  };
}

const numberOf = (text: string) => /\d+/.exec(text)![0];
const packetOf = (text: string) => text.slice(0, text.indexOf(':'));

/** Every difference between our account of the file and Wireshark's. */
export async function disagreements(sharkd: Sharkd, path: string): Promise<Disagreement[]> {
  const ours = await ourAccount(path);
  const { connections: summarized } = await summarize(path);
  const summary = difference('summary', summarized.map(conversationLine), ours.conversations);
  return [
    ...differences(ours, await accountOfWireshark(sharkd, path)),
    ...(summary === undefined ? [] : [summary]),
  ];
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
function readFrame({ c, num }: { c: string[]; num: number }) {
  const [completeness, syn, ack, sequence, ...marks] = c;
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
