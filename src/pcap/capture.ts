// Reads a whole capture into packets. For files too long to keep there is summarize (summary.ts).
import { CaptureParser } from './file.ts';
import type { CaptureFormat } from './file.ts';
import { Fragments } from './fragments.ts';
import { Frame } from './frame.ts';
import { decodeFrame, linkTypeName } from './link.ts';
import { toPacket } from './packet.ts';
import type { Packet } from './packet.ts';
import { feed } from './source.ts';
import type { CaptureSource } from './source.ts';

export interface Capture {
  /** The file's path; `-` where the source was none. */
  readonly path: string;
  readonly format: CaptureFormat;
  /** As in the registry of link types, `ETHERNET` for example; of a pcapng file that of its first interface. */
  readonly linkType: string;
  readonly packets: readonly Packet[];
  /** Where and why reading stopped, when it was not at the file's clean end. */
  readonly truncated?: string;
}

export interface ReadOptions {
  /** What to call the capture; the path where the source is one. */
  readonly path?: string;
  /** Reading stops after this many packets and says so. Default 1,000,000, which take about a gigabyte. */
  readonly maximumPackets?: number;
  /** Reading stops, too, where packets would take more bytes than this, compressed or not in the file. Default half a gigabyte. */
  readonly maximumBytes?: number;
}

/**
 * Decodes every packet of a pcap or pcapng capture, gzip-compressed or not. Damage never throws: what was whole is
 * returned, with the place where reading stopped.
 * @param source a path, the file's bytes, or a stream of them
 * @throws NotACaptureError when it is no capture at all; Error of node:fs when it cannot be read
 */
export async function readCapture(source: CaptureSource, options: ReadOptions = {}): Promise<Capture> {
  const maximum = options.maximumPackets ?? 1_000_000;
  const maximumBytes = options.maximumBytes ?? 512 * 1024 * 1024;
  let bytes = 0;
  const frame = new Frame();
  const fragments = new Fragments();
  const packets: Packet[] = [];
  const parser = new CaptureParser(frame, () => {
    bytes += frame.end - frame.start;
    if (packets.length === maximum || bytes > maximumBytes) return false;
    decodeFrame(frame, fragments);
    packets.push(toPacket(frame));
    return true;
  });
  await feed(source, parser);
  const isOver = packets.length < parser.packets;
  const truncated = isOver
    ? `stopped after ${packets.length} packets, ${packets.length === maximum ? 'the most that are kept' : 'which take all the memory that they may'}`
    : parser.truncated;
  return {
    path: options.path ?? (typeof source === 'string' ? source : '-'),
    format: parser.format!,
    linkType: linkTypeName(parser.linkType),
    packets,
    ...(truncated !== undefined && { truncated }),
  };
}
