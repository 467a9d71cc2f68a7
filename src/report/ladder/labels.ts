// Words on a ladder's arrows: what a packet is, and what was rewritten in it, at several lengths. All that comes from packets is printable
// ASCII afterwards, so that it is as wide as it is long.
import type { HttpMessage, Packet, Rewrite } from '../../pcap/index.ts';
import { clip, forTerminal } from '../escape.ts';
import { dnsWords, icmpName } from '../packet.ts';
import type { RowKind } from './types.ts';

const LABEL = 60;

/** An HTTP message whose bytes are in a packet. */
export interface Carried {
  readonly message: HttpMessage;
  readonly isFirst: boolean;
}

/** Printable ASCII; everything else as an escape. */
export function ascii(text: string): string {
  return forTerminal(text).replace(/[^ -~]/gu, (character) => {
    const code = character.codePointAt(0)!;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`;
  });
}

export function kindOf({ tcp }: Packet, carried: Carried | undefined): RowKind {
  if (tcp === undefined) return 'datagram';
  if (tcp.flags.rst) return 'reset';
  if (tcp.flags.syn) return 'open';
  if (carried?.isFirst === true) return carried.message.method === undefined ? 'answer' : 'request';
  if (tcp.payloadLength > 0) return 'data';
  return tcp.flags.fin ? 'close' : 'acknowledgment';
}

export function labelOf(packet: Packet, carried: Carried | undefined, isAgain: boolean): string {
  const again = isAgain ? ' (again)' : '';
  const { tcp, udp, icmp, ip, dns } = packet;
  if (tcp === undefined) {
    if (udp !== undefined)
      return ascii(clip(dns === undefined ? `UDP ${udp.payloadLength} B` : `DNS ${dnsWords(dns)}`, LABEL));
    return icmp === undefined || ip === undefined ? 'a packet' : `ICMP ${icmpName(ip, icmp)}`;
  }
  const flags = flagWords(tcp);
  if (tcp.payloadLength === 0) return (flags || 'no flags') + again;
  const end = flags.replace(/ ?ACK$/, '').replace(/^(?=.)/, ' ');
  if (carried === undefined) return `${tcp.payloadLength} B${end}${again}`;
  if (!carried.isFirst) return `more, ${tcp.payloadLength} B${end}${again}`;
  return ascii(clip(messageWords(carried.message), LABEL)) + end + again;
}

/** Those that open, close and confirm: `SYN ACK`, `FIN ACK`. */
function flagWords({ flags: { syn, fin, rst, urg, ack } }: NonNullable<Packet['tcp']>): string {
  const words = (syn ? 'SYN ' : '') + (fin ? 'FIN ' : '') + (rst ? 'RST ' : '') + (urg ? 'URG ' : '');
  return ack ? `${words}ACK` : words.trimEnd();
}

/** `GET / HTTP/1.1`, `200 OK, 224 B`. */
function messageWords({ startLine, status, reason, bodyLength }: HttpMessage): string {
  if (status === undefined) return startLine;
  return `${status} ${reason ?? ''}`.trim() + (bodyLength > 0 ? `, ${bodyLength} B` : '');
}

/** The protocol of a tunnel, as `IP > IP (PROTOCOL)` names it. */
function tunnelName(header: string): string {
  const protocol = /\((\d+)\)/.exec(header)?.[1] ?? '';
  return { 4: 'ipip', 41: 'ipv6', 47: 'gre' }[protocol] ?? 'wrap';
}

const tunnelEnd = (header: string) => /> (\S+)/.exec(header)?.[1] ?? '';

/** How much is said of a rewriting: fields, new values, old and new ones, and those with both MAC addresses. */
export type Length = 'fields' | 'values' | 'changes' | 'whole';

/** `dst ttl mac`, `dst 10.133.1.2 ttl 63 mac`; nothing where nothing was rewritten. MACs go by their stations' names. */
export function rewriteWords(
  rewrites: readonly Rewrite[],
  length: Length,
  nameOfMac: (mac: string) => string,
): string {
  const said: string[] = [];
  const isRouted = rewrites.some(
    ({ field }) => field.endsWith('-address') || field.startsWith('encapsulation'),
  );
  const change = (word: string, { from, to }: Rewrite) =>
    length === 'fields'
      ? word
      : length === 'values'
        ? `${word} ${to}`
        : `${word} ${from === '' ? 'none' : from} > ${to === '' ? 'none' : to}`;
  const of = (field: Rewrite['field']) => rewrites.find((rewrite) => rewrite.field === field);
  const added = of('encapsulation-added') ?? of('encapsulation-changed');
  if (added !== undefined) {
    const to = String(added.to);
    said.push(
      length === 'fields'
        ? tunnelName(to)
        : length === 'values'
          ? `${tunnelName(to)} to ${tunnelEnd(to)}`
          : `${tunnelName(to)} ${to.replace(/ \(\d+\)/, '')}`,
    );
  }
  if (of('encapsulation-removed') !== undefined) said.push('unwrapped');
  const words = [
    ['destination-address', 'dst'],
    ['destination-port', 'dport'],
    ['source-address', 'src'],
    ['source-port', 'sport'],
  ] as const;
  for (const [field, word] of words) {
    const rewrite = of(field);
    if (rewrite !== undefined) said.push(change(word, rewrite));
  }
  said.push(
    ...macWords(of('source-mac'), of('destination-mac'), isRouted ? 'routed' : 'switched', length, nameOfMac),
  );
  const ttl = of('ttl');
  if (ttl !== undefined) said.push(change('ttl', ttl));
  const vlan = of('vlan');
  if (vlan !== undefined) said.push(change('vlan', vlan));
  if (of('sequence') !== undefined || of('acknowledgment') !== undefined) said.push('seq');
  const segmentation = of('segmentation');
  if (segmentation !== undefined)
    said.push(Number(segmentation.to) > Number(segmentation.from) ? 'split' : 'merged');
  return ascii(said.join(length === 'fields' ? ' ' : ', '));
}

/** Every router changes both MACs: worth their names only where nothing else tells the way. */
function macWords(
  source: Rewrite | undefined,
  destination: Rewrite | undefined,
  way: 'routed' | 'switched',
  length: Length,
  nameOfMac: (mac: string) => string,
): string[] {
  const mac = destination ?? source;
  if (mac === undefined) return [];
  const name = (value: Rewrite['from']) => nameOfMac(String(value));
  if (length === 'whole') {
    return [
      ...(destination === undefined ? [] : [['dst', destination] as const]),
      ...(source === undefined ? [] : [['src', source] as const]),
    ].map(([end, { from, to }]) => `${end} mac ${from} (${name(from)}) > ${to} (${name(to)})`);
  }
  if (length === 'fields' || (length === 'values' && way === 'routed')) return ['mac'];
  const isSource = destination === undefined;
  if (length === 'values') return [`mac ${isSource ? 'from' : 'to'} ${name(mac.to)}`];
  return [`${isSource ? 'src' : 'dst'} mac ${name(mac.from)} > ${name(mac.to)}`];
}
