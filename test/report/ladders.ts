// Ladders of recorded labs and of captures made byte by byte.
import { Chalk } from 'chalk';
import { readCapture } from '../../src/pcap/index.ts';
import { buildLadder } from '../../src/report/ladder/ladder.ts';
import { ladderText, titleText } from '../../src/report/ladder/text.ts';
import { readTraffic, type Traffic } from '../../src/report/ladder/traffic.ts';
import type { Ladder, Point } from '../../src/report/ladder/types.ts';
import type { Evidence } from '../../src/verify/types.ts';
import { pcap, segment, type SegmentOptions } from '../pcap/build.ts';
import { recorded } from '../verify/evidence.ts';

export const PLAIN = new Chalk({ level: 0 });

export interface Wanted {
  /** Numbers; all where left out. */
  readonly connections?: readonly number[];
  /** Without it columns are addresses. */
  readonly isTopologyKnown?: boolean;
  /** Names of capture points; all where left out. */
  readonly points?: readonly string[];
}

export function pointsOf({ captures }: Evidence, { isTopologyKnown = true, points }: Wanted = {}): Point[] {
  return [...captures.values()]
    .filter(({ name }) => points?.includes(name) !== false)
    .map(({ name, node, interface: port, capture }) =>
      isTopologyKnown ? { name, node, interface: port, capture } : { name: `${name}.pcap`, capture },
    );
}

export function chosen(traffic: Traffic, numbers?: readonly number[]) {
  return traffic.conversations.filter(({ number }) => numbers?.includes(number) !== false);
}

/** A recorded lab's ladder. */
export async function ladder(lab: string, wanted: Wanted = {}): Promise<Ladder> {
  const evidence = await recorded(lab);
  const known = wanted.isTopologyKnown === false ? {} : { topology: evidence.topology };
  const traffic = readTraffic(pointsOf(evidence, wanted), known);
  return buildLadder(traffic, {
    ...known,
    shown: chosen(traffic, wanted.connections),
  });
}

/** As the command shows it, without colours. */
export function drawn(of: Ladder, columns = 80, ascii = false): string {
  const options = { paint: PLAIN, columns, ascii };
  return titleText(of, options) + ladderText(of, options);
}

/** One capture of these segments, a millisecond apart. */
export async function made(segments: readonly SegmentOptions[]): Promise<Traffic> {
  const capture = await readCapture(pcap(segments.map((each) => segment(each))));
  return readTraffic([{ name: 'one.pcap', capture }]);
}

/** The rows of a drawing: what is behind the times. */
export function arrows(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => /^(#\d+ +| *)\d+\.\d{6} /.test(line))
    .map((line) => line.replace(/^.*?\d+\.\d{6} +/, ''));
}
