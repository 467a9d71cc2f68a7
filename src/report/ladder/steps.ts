// A request's way there and its answer's way back, in the few steps that a person would tell it in: one for each wire.
import type { Rewrite } from '../../pcap/index.ts';
import { endpoint } from '../../verify/words.ts';
import { ascii } from './labels.ts';
import { machineName } from './notes.ts';
import type { Hop, Ladder, Row } from './types.ts';

export interface Step {
  /** Names of the machines. */
  readonly from: string;
  readonly to: string;
  /** Names of their interfaces; empty where nobody knows them. */
  readonly fromInterface: string;
  readonly toInterface: string;
  readonly isToServer: boolean;
  /** What happens in it, in printable ASCII. */
  readonly words: string;
  /** What was rewritten before it. */
  readonly changes: readonly Changed[];
}

export interface Changed {
  readonly what: string;
  readonly from: string;
  readonly to: string;
}

/** @param ladder of one connection; of several, their ways that differ */
export function stepsOf(ladder: Ladder): Step[] {
  const told = ladder.rows.filter(
    ({ kind, isAgain }) => !isAgain && (kind === 'request' || kind === 'answer'),
  );
  // Without HTTP the handshake tells the way.
  const rows =
    told.length > 0 ? told : ladder.rows.filter(({ kind, isAgain }) => kind === 'open' && !isAgain);
  const known = new Set<string>();
  return rows.flatMap((row) =>
    row.legs.flatMap(({ from, to }, index): Step[] => {
      const key = `${from} ${to} ${row.isToServer}`;
      if (known.has(key)) return [];
      known.add(key);
      const [start, end] = [ladder.rails[from]!, ladder.rails[to]!];
      return [
        {
          from: machineName(ladder, start.machine),
          to: machineName(ladder, end.machine),
          fromInterface: start.title,
          toInterface: end.title,
          isToServer: row.isToServer,
          words: index === 0 ? opening(ladder, row) : 'passes it on',
          changes: index === 0 ? [] : changesOf(ladder, row.hops[index - 1]!),
        },
      ];
    }),
  );
}

function opening(ladder: Ladder, row: Row): string {
  const { ip, tcp, udp } = row.seen[0]!.packet;
  const ports = tcp ?? udp;
  if (ip === undefined || ports === undefined) return row.label;
  const [source, destination] = [
    endpoint(ip.source, ports.sourcePort),
    endpoint(ip.destination, ports.destinationPort),
  ];
  const past = row.past.map((machine) => `, past ${machineName(ladder, machine)}`).join('');
  if (row.isAnew) return `asks anew, as ${ip.source}, on a connection of its own: ${row.label}`;
  if (row.isToServer) return `${row.label}, to ${destination}`;
  return `${row.label}, from ${source}${past}`;
}

/** Addresses first, as they tell the way; MAC addresses by their machines' names. */
const ORDER: readonly Rewrite['field'][] = [
  'encapsulation-added',
  'encapsulation-removed',
  'encapsulation-changed',
  'destination-address',
  'destination-port',
  'source-address',
  'source-port',
  'destination-mac',
  'source-mac',
  'ttl',
];

function changesOf(ladder: Ladder, { rewrites }: Hop): Changed[] {
  const order = ({ field }: Rewrite) => (ORDER.includes(field) ? ORDER.indexOf(field) : ORDER.length);
  return [...rewrites]
    .sort((a, b) => order(a) - order(b))
    .map((rewrite) => {
      const { field } = rewrite;
      const [from, to] = [String(rewrite.from), String(rewrite.to)];
      if (field.endsWith('-mac'))
        return {
          what: field.replace('-mac', ' MAC'),
          from: ladder.nameOfMac(from),
          to: ladder.nameOfMac(to),
        };
      if (field.startsWith('encapsulation')) {
        const header = (text: string) => (text === '' ? 'none' : text.replace(/ \(\d+\)/, ''));
        return { what: 'outer IP header', from: header(from), to: header(to) };
      }
      return { what: field === 'ttl' ? 'TTL' : field.replaceAll('-', ' '), from, to };
    })
    .map(({ what, from, to }) => ({ what, from: ascii(from), to: ascii(to) }));
}
