// Reads captures of any length for inspect: whole where memory allows, else figures only and says so. Limits hold for all files
// of a command together.
import { stat } from 'node:fs/promises';
import { createReadStream } from 'node:fs';
import { connections, NotACaptureError, readCapture, summarize, type CaptureSource } from '../pcap/index.ts';
import type { InspectedCapture } from '../report/inspect.ts';
import type { Cli } from './context.ts';
import { EXIT, Failure } from './failure.ts';

/** Bytes and packets that are kept at most, about half a gigabyte as objects. */
const KEPT_BYTES = 64 * 1024 * 1024;
const KEPT_PACKETS = 250_000;

/** What is left of the limits. */
export interface Allowance {
  bytes: number;
  packets: number;
}

export function allowance(isUnlimited: boolean): Allowance {
  return isUnlimited
    ? { bytes: Number.POSITIVE_INFINITY, packets: Number.POSITIVE_INFINITY }
    : { bytes: KEPT_BYTES, packets: KEPT_PACKETS };
}

/**
 * Reads one capture; `-` is standard input. Connections are numbered, none is left out yet.
 * @throws Failure (exit code 2) when it cannot be read or is no capture
 */
export async function readInspected(cli: Cli, path: string, left: Allowance): Promise<InspectedCapture> {
  try {
    return path === '-' ? await readStandardInput(cli, left) : await readFile(path, left);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const name = path === '-' ? 'standard input' : path;
    if (error instanceof NotACaptureError)
      throw new Failure(
        `${name}: not a capture: ${message}; inspect reads pcap and pcapng, gzip-compressed too`,
        EXIT.usage,
      );
    const known = { ENOENT: 'no such file', EACCES: 'it may not be read', EISDIR: 'it is a folder' }[
      code ?? ''
    ];
    if (code === undefined || error instanceof Failure) throw error;
    throw new Failure(`${name}: ${known ?? message}`, EXIT.usage);
  }
}

async function readFile(path: string, left: Allowance): Promise<InspectedCapture> {
  const info = await stat(path);
  if (info.isFile()) return readWithin(path, path, info.size, left);
  if (info.isDirectory()) throw Object.assign(new Error(), { code: 'EISDIR' });
  // A pipe or a device, such as <(...) in a shell, can be read but once.
  return readStream(path, createReadStream(path), left);
}

async function readStandardInput(cli: Cli, left: Allowance): Promise<InspectedCapture> {
  if (cli.stdin.isTTY)
    throw new Failure(
      'standard input is a terminal: give a file, or tcpdump -w - ... | lblab inspect -',
      EXIT.usage,
    );
  return readStream('-', cli.stdin, left);
}

/** A stream is kept while it may still be short enough to be read whole. */
async function readStream(
  path: string,
  stream: AsyncIterable<Buffer>,
  left: Allowance,
): Promise<InspectedCapture> {
  const iterator = stream[Symbol.asyncIterator]();
  const chunks: Buffer[] = [];
  let length = 0;
  while (length <= left.bytes) {
    const { done, value } = await iterator.next();
    if (done === true) return readWithin(path, Buffer.concat(chunks), length, left);
    chunks.push(value);
    length += value.length;
  }
  async function* all(): AsyncIterable<Buffer> {
    for (let chunk = chunks.shift(); chunk !== undefined; chunk = chunks.shift()) yield chunk;
    yield* { [Symbol.asyncIterator]: () => iterator };
  }
  return readFigures(path, all(), tooLong(left));
}

function tooLong({ bytes }: Allowance): string {
  return bytes < KEPT_BYTES
    ? 'the files before it took the memory that packets may take; --whole reads all of it'
    : `it is longer than ${KEPT_BYTES / 1024 / 1024} MiB, so no packets were kept to read HTTP from; --whole keeps them`;
}

async function readWithin(
  path: string,
  source: string | Buffer,
  length: number,
  left: Allowance,
): Promise<InspectedCapture> {
  if (length > left.bytes) return readFigures(path, source, tooLong(left));
  // How long a compressed file really is shows only when it is read.
  const summary =
    (await isGzip(source)) && left.bytes !== Number.POSITIVE_INFINITY ? await summarize(source) : undefined;
  if (summary !== undefined && (summary.bytes > left.bytes || summary.packets > left.packets))
    return readFigures(path, source, tooLong(left));
  const capture = await readCapture(source, {
    path,
    maximumPackets: Math.min(left.packets, 2 ** 31) + 1,
    maximumBytes: Number.POSITIVE_INFINITY,
  });
  if (capture.packets.length > left.packets)
    return readFigures(
      path,
      source,
      `it has more than ${left.packets} packets, so none were kept to read HTTP from; --whole keeps them`,
    );
  left.bytes -= summary?.bytes ?? length;
  left.packets -= capture.packets.length;
  const found = connections(capture).map((connection, index) => ({ number: index + 1, connection }));
  const times = capture.packets.map(({ time }) => time);
  const { truncated } = capture;
  return {
    path,
    format: capture.format,
    linkType: capture.linkType,
    packets: capture.packets.length,
    nanoseconds: span(times),
    ...(truncated !== undefined && { truncated }),
    connections: found,
    total: found.length,
    capture,
  };
}

function span(times: readonly bigint[]): bigint {
  let [first, last] = [times[0] ?? 0n, times[0] ?? 0n];
  for (const time of times) {
    if (time < first) first = time;
    if (time > last) last = time;
  }
  return last - first;
}

async function isGzip(source: string | Buffer): Promise<boolean> {
  if (typeof source !== 'string') return source[0] === 0x1f && source[1] === 0x8b;
  for await (const chunk of createReadStream(source, { end: 1 }) as AsyncIterable<Buffer>)
    return chunk[0] === 0x1f && chunk[1] === 0x8b;
  return false;
}

async function readFigures(path: string, source: CaptureSource, why: string): Promise<InspectedCapture> {
  const summary = await summarize(source);
  const { truncated, firstTime = 0n, lastTime = 0n } = summary;
  return {
    path,
    format: summary.format,
    linkType: summary.linkType,
    packets: summary.packets,
    nanoseconds: lastTime - firstTime,
    ...(truncated !== undefined && { truncated }),
    connections: summary.connections.map((connection, index) => ({ number: index + 1, connection })),
    total: summary.connections.length + summary.letGo.connections,
    figuresOnly: why,
    letGo: summary.letGo,
  };
}
