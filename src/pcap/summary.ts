// Connections of a capture of any length: reads it once, keeps figures and never packets.
import type { ConnectionFigures } from './figures.ts';
import { FigureTeller, isCounted } from './figures.ts';
import type { CaptureFormat } from './file.ts';
import { CaptureParser } from './file.ts';
import { Fragments } from './fragments.ts';
import { Frame } from './frame.ts';
import { decodeFrame, linkTypeName } from './link.ts';
import type { CaptureSource } from './source.ts';
import { feed } from './source.ts';
import type { LetGo } from './tracker.ts';
import { Tracker } from './tracker.ts';

export interface Summary {
  readonly format: CaptureFormat;
  readonly linkType: string;
  readonly packets: number;
  /** Of all packets, as on the wire. */
  readonly bytes: number;
  /** Nanoseconds since the epoch; undefined without packets. */
  readonly firstTime?: bigint;
  readonly lastTime?: bigint;
  /** In the order of their first packets. */
  readonly connections: readonly ConnectionFigures[];
  /** Connections that were let go of to stay within the limit, with what had been counted for them. */
  readonly letGo: Readonly<LetGo>;
  /** Where and why reading stopped, when it was not at the file's clean end. */
  readonly truncated?: string;
}

export interface SummaryOptions {
  /** Connections kept at most; default 131,072, which take about 50 MB while the capture is read. */
  readonly maximumConnections?: number;
  /** Which packets belong to the connections; all when left out. The frame is the same one each time, filled anew. */
  readonly belongs?: (frame: Frame) => boolean;
  /** Gets each connection that is let go of: ended ones first, then those silent for longest. */
  readonly onLetGo?: (connection: ConnectionFigures) => void;
}

/**
 * Figures of every connection, in memory that does not grow with the file.
 * @throws NotACaptureError when it is no capture at all; Error of node:fs when it cannot be read
 */
export async function summarize(source: CaptureSource, options: SummaryOptions = {}): Promise<Summary> {
  const { maximumConnections = 131_072, belongs, onLetGo } = options;
  const frame = new Frame();
  const fragments = new Fragments();
  const base = () => BigInt(parser.base!) * 1_000_000_000n;
  let teller: FigureTeller | undefined;
  const tell = (life: number) => (teller ??= new FigureTeller(tracker.lives, base())).tell(life);
  const tracker = new Tracker(maximumConnections, onLetGo && ((life) => onLetGo(tell(life))));
  // Bytes, earliest and latest time: in an array, because a captured variable would be a new heap number every time.
  const totals = Float64Array.of(0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY);
  const parser = new CaptureParser(frame, () => {
    decodeFrame(frame, fragments);
    if (belongs === undefined || belongs(frame)) tracker.track(frame);
    totals[0]! += frame.originalLength;
    if (frame.time < totals[1]!) totals[1] = frame.time;
    if (frame.time > totals[2]!) totals[2] = frame.time;
    return true;
  });
  await feed(source, parser);
  const { lives, letGo } = tracker;
  const connections: ConnectionFigures[] = [];
  for (let life = 0; life < lives.count; life++) if (isCounted(lives, life)) connections.push(tell(life));
  return {
    format: parser.format!,
    linkType: linkTypeName(parser.linkType),
    packets: parser.packets,
    bytes: totals[0]!,
    ...(parser.packets > 0 && {
      firstTime: base() + BigInt(totals[1]!),
      lastTime: base() + BigInt(totals[2]!),
    }),
    connections,
    letGo,
    ...(parser.truncated !== undefined && { truncated: parser.truncated }),
  };
}
