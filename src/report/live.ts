// Packets as they come, one line each: when, at which capture point, who to whom, what; and what was rewritten since the packet was seen
// last. All that comes from packets is escaped.
import type { ChalkInstance } from 'chalk';
import stringWidth from 'string-width';
import { Follower, type Packet, type Rewrite } from '../pcap/index.ts';
import { endpoint } from '../verify/words.ts';
import { POINT_COLOURS } from './colours.ts';
import { rewriteWords } from './ladder/labels.ts';
import { flowWords } from './packet.ts';

export interface LiveOptions {
  readonly paint: ChalkInstance;
  /** Names of the capture points, by the packets' indices. */
  readonly points: readonly string[];
  /** The name of a machine by its MAC address; the address itself where it has none. */
  readonly nameOfMac: (mac: string) => string;
}

/** How much is said of a rewriting, and the columns that there must be beside it. */
const LENGTHS = ['changes', 'values', 'fields'] as const;
const ROOM = [20, 20, 5] as const;

/** Lines of packets in order of time. */
export class LiveLines {
  readonly #options: LiveOptions;
  readonly #follower = new Follower();
  readonly #width: number;
  #first: bigint | undefined;
  #flow = 0;

  constructor(options: LiveOptions) {
    this.#options = options;
    this.#width = Math.max(0, ...options.points.map((name) => stringWidth(name)));
  }

  /** @param columns cut to so many; not at all when left out. No line end. */
  line(capture: number, packet: Packet, columns = Number.POSITIVE_INFINITY): string {
    const { paint, points, nameOfMac } = this.#options;
    this.#first ??= packet.time;
    const change = this.#follower.follow(capture, packet);
    const rewrites = change?.rewrites ?? [];
    const time = seconds(packet.time - this.#first);
    const name = points[capture]!.padEnd(this.#width);
    const colour = POINT_COLOURS[capture % POINT_COLOURS.length]!;
    const { flow, what } = flowWords(packet);
    // In columns, as wide as the widest so far; not on narrow terminals, where that would leave nothing for the rest.
    const hasPorts = (packet.tcp ?? packet.udp) !== undefined;
    if (hasPorts) this.#flow = Math.max(this.#flow, flow.length);
    const padding = columns >= 100 && hasPorts ? ' '.repeat(this.#flow - flow.length) : '';
    const left = columns - time.length - name.length - flow.length - padding.length - 6;
    // What was rewritten matters more than what else there is to say, of which a word is kept.
    const changes =
      rewrites.length === 0
        ? ''
        : (LENGTHS.map((length) => rewriteWords(rewrites, length, nameOfMac)).find(
            (words, index) => words.length + ROOM[index]! <= left,
          ) ?? '');
    const room = changes === '' ? left : left - changes.length - 5;
    const said = what.length <= room ? what : `${what.slice(0, Math.max(0, room - 1))}~`;
    const parts = [
      paint.dim(time),
      paint[colour](name),
      marked(flow, packet, rewrites, paint) + padding,
      room < 3 ? '' : said,
      changes === '' ? '' : paint.yellow(`<- ${changes}`),
    ].filter((part) => part !== '');
    return parts.join('  ');
  }
}

/** The flow with what is new of it underlined. */
function marked(flow: string, packet: Packet, rewrites: readonly Rewrite[], paint: ChalkInstance): string {
  const ports = packet.tcp ?? packet.udp;
  const { ip } = packet;
  if (ports === undefined || ip === undefined) return flow;
  const ends = [
    ['source', endpoint(ip.source, ports.sourcePort)],
    ['destination', endpoint(ip.destination, ports.destinationPort)],
  ] as const;
  return ends
    .map(([end, words]) =>
      rewrites.some(({ field }) => field === `${end}-address` || field === `${end}-port`)
        ? paint.underline(words)
        : words,
    )
    .join(' > ');
}

function seconds(nanoseconds: bigint): string {
  const microseconds = Number(nanoseconds / 1000n);
  return (microseconds / 1e6).toFixed(6);
}
