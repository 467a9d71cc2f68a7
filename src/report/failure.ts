// What a failed or undecided claim says wherever it is reported: what was expected, what was seen, and the packets, decoded.
import { relative } from 'node:path';
import { packetNumbered } from '../pcap/index.ts';
import type { Location } from '../topology/types.ts';
import type { Check, Evidence } from '../verify/types.ts';
import { packetLine } from './packet.ts';

/** Packets of one capture that are shown; the numbers of the others are. */
const SHOWN = 6;
const NUMBERED = 12;

/** Claims on what happens below IP: their packets are shown with MAC addresses. */
const LINK_LAYER = /^(dsr|tun)\.| arp$/;

export interface CitedPackets {
  /** The capture's file: `eth0.pcap`. */
  readonly file: string;
  /** One line each, harmless to a terminal; of packets that the capture does not have only their numbers. */
  readonly lines: readonly string[];
  /** What `lines` leaves out: `and 3 more: 12, 14, 19`; empty when nothing is. */
  readonly more: string;
}

/** The packets that a verdict rests on. */
export function citedPackets(check: Check, evidence: Evidence): CitedPackets[] {
  return check.evidence.map(({ capture, packets }) => {
    const known = evidence.captures.get(capture)?.capture.packets ?? [];
    const first = known[0]?.time ?? 0n;
    const width = Math.max(...packets.slice(0, SHOWN).map((number) => String(number).length));
    const shown = packets.slice(0, SHOWN).map((number) => {
      const packet = packetNumbered(known, number);
      return packet === undefined
        ? String(number)
        : packetLine(packet, { from: first, width, macs: LINK_LAYER.test(check.id) });
    });
    const left = packets.slice(SHOWN);
    const more = left.slice(0, NUMBERED).join(', ') + (left.length > NUMBERED ? ', ...' : '');
    return {
      file: `${capture}.pcap`,
      lines: shown,
      more: left.length === 0 ? '' : `and ${left.length} more: ${more}`,
    };
  });
}

/** Packets are numbered from 1 without gaps, except in captures put together by hand. */

/** The cited packets as lines: a file's name, its packets indented. */
export function citedLines(check: Check, evidence: Evidence): string[] {
  return citedPackets(check, evidence).flatMap(({ file, lines, more }) => [
    file,
    ...lines.map((line) => `  ${line}`),
    ...(more === '' ? [] : [`  ${more}`]),
  ]);
}

/** Where an assertion stands, as editors read it: `nat.yaml:31:5`. */
export function placeText({ file, line, column }: Location): string {
  return `${file}:${line}:${column}`;
}

/** A path as one would type it in `cwd`. */
export function shownPath(cwd: string, path: string): string {
  const from = relative(cwd, path);
  return from === '' ? '.' : from.startsWith('..') ? path : from;
}
