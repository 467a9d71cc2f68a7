// What inspect shows of captures: connections, who opened them, who talked to whom, HTTP, what went wrong, and what was left
// out. Pure: captures in, text or a plain document out.
import type { ChalkInstance } from 'chalk';
import type { Capture, Connection, ConnectionFigures, HttpMessage } from '../pcap/index.ts';
import { count, duration, endpoint } from '../verify/words.ts';
import { clip, forTerminal } from './escape.ts';
import { packetLine } from './packet.ts';
import { table } from './table.ts';

/** A connection with its number in its capture. HTTP and packet numbers are there when the capture was read whole. */
export interface InspectedConnection {
  /** From 1, in the order of first packets, whatever is filtered. */
  readonly number: number;
  readonly connection: ConnectionFigures & Partial<Pick<Connection, 'http' | 'packetNumbers'>>;
}

export interface InspectedCapture {
  /** As the user gave it; `-` is standard input. */
  readonly path: string;
  readonly format: string;
  readonly linkType: string;
  readonly packets: number;
  /** Nanoseconds from the first to the last packet. */
  readonly nanoseconds: bigint;
  /** Where and why reading stopped, when it was not at the file's clean end. */
  readonly truncated?: string;
  /** Connections that the filters let through. */
  readonly connections: readonly InspectedConnection[];
  /** Connections in the capture. */
  readonly total: number;
  /** Why there are figures only, no HTTP and no packets, when that is so. */
  readonly figuresOnly?: string;
  /** Connections that had to be let go of to stay within memory. */
  readonly letGo?: { readonly connections: number; readonly packets: number };
  /** Nothing when there are figures only. */
  readonly capture?: Capture;
}

export interface InspectTextOptions {
  readonly paint: ChalkInstance;
  /** Rows of each list at most. */
  readonly limit: number;
  /** HTTP requests with their headers; answers' headers too. */
  readonly headers?: boolean;
  readonly answers?: boolean;
  /** The packets, one line each. */
  readonly packets?: boolean;
  /** Whether the connections are not all that the capture has. */
  readonly filtered: boolean;
}

/** A header line longer than this is cut in text, and says so; JSON has it whole. */
const LINE = 2000;

function message(of: HttpMessage) {
  return {
    ...(of.method !== undefined && { method: of.method, target: of.target }),
    ...(of.status !== undefined && { status: of.status, reason: of.reason ?? '' }),
    version: of.version,
    startLine: of.startLine,
    headers: of.headers,
    bodyLength: of.bodyLength,
    complete: of.complete,
    packets: of.packets,
  };
}

function connectionDocument({ connection }: InspectedConnection) {
  return {
    protocol: connection.protocol,
    client: connection.client,
    server: connection.server,
    state: connection.state,
    complete: connection.complete,
    packets: connection.packets,
    bytes: connection.bytes,
    isn: { client: connection.isn.client ?? null, server: connection.isn.server ?? null },
    analysis: connection.analysis,
    http: (connection.http ?? []).map(({ request, response }) => ({
      request: request === undefined ? null : message(request),
      response: response === undefined ? null : message(response),
    })),
  };
}

/**
 * `lblab/inspect@1`. `truncated` is false, or a sentence that says where and why reading stopped. `omitted` is there only when
 * something was left out: `connections` not listed, and why `http` is empty everywhere.
 */
export function inspectDocument(captures: readonly InspectedCapture[], limit: number) {
  return {
    schema: 'lblab/inspect@1',
    captures: captures.map((capture) => {
      const left = Math.max(0, capture.connections.length - limit) + (capture.letGo?.connections ?? 0);
      return {
        path: capture.path,
        format: capture.format,
        linkType: capture.linkType,
        packets: capture.packets,
        truncated: capture.truncated ?? false,
        connections: capture.connections.slice(0, limit).map(connectionDocument),
        ...((left > 0 || capture.figuresOnly !== undefined) && {
          omitted: {
            connections: left,
            ...(capture.figuresOnly !== undefined && { http: capture.figuresOnly }),
          },
        }),
      };
    }),
  };
}

/** All captures, each with its lists; what several have in common is left to `twinsText`. */
export function inspectText(captures: readonly InspectedCapture[], options: InspectTextOptions): string {
  return captures.map((capture) => captureText(capture, options)).join('\n');
}

function captureText(capture: InspectedCapture, options: InspectTextOptions): string {
  const { paint } = options;
  const { connections } = capture;
  const shown = connections.slice(0, options.limit);
  const how = options.filtered
    ? `${connections.length} of ${count(capture.total, 'connection')} chosen`
    : count(capture.total, 'connection');
  return [
    `${paint.bold(forTerminal(capture.path))}: ${capture.format}, ${capture.linkType}, ${count(capture.packets, 'packet')}, ${how}` +
      (capture.packets > 1 ? `, ${duration(capture.nanoseconds)}` : '') +
      '\n',
    ...(capture.truncated === undefined
      ? []
      : [`  ${paint.yellow('cut')}: ${forTerminal(capture.truncated)}\n`]),
    ...(capture.figuresOnly === undefined
      ? []
      : [`  ${paint.yellow('figures only')}: ${capture.figuresOnly}\n`]),
    ...(capture.letGo === undefined || capture.letGo.connections === 0
      ? []
      : [
          `  ${paint.yellow('left out')}: ${count(capture.letGo.connections, 'connection')} with ${count(capture.letGo.packets, 'packet')}, more than are kept at once\n`,
        ]),
    connectionsText(shown, options),
    more(connections.length - shown.length, 'connection'),
    connections.length < 2 ? '' : sourcesText(connections, options),
    connections.length < 2 ? '' : conversationsText(connections, options),
    options.headers === true ? headersText(connections, options) : requestsText(connections, options),
    analysisText(connections, options),
    options.packets === true ? packetsText(capture, options) : '',
  ].join('');
}

function more(left: number, noun: string): string {
  return left > 0
    ? `    and ${count(left, `${noun} more`, `${noun}s more`)}: --limit 0 shows all, a filter fewer\n`
    : '';
}

function connectionsText(connections: readonly InspectedConnection[], { paint }: InspectTextOptions): string {
  if (connections.length === 0) return '';
  const rows = connections.map(({ number, connection }) => [
    String(number),
    endpoint(connection.client.address, connection.client.port),
    endpoint(connection.server.address, connection.server.port),
    connection.protocol,
    connection.state,
    `${connection.packets.toServer} + ${connection.packets.toClient}`,
    `${connection.bytes.toServer} + ${connection.bytes.toClient}`,
    connection.roundTripTime === undefined ? '-' : duration(connection.roundTripTime),
    connection.http === undefined || connection.http.length === 0 ? '' : String(connection.http.length),
  ]);
  const heads = ['#', 'CLIENT', 'SERVER', 'PROTO', 'STATE', 'PACKETS', 'BYTES', 'RTT', 'HTTP'].map((head) =>
    paint.dim(head),
  );
  return table([heads, ...rows], '  ');
}

interface Sum {
  connections: number;
  packets: number;
  bytes: number;
}

function sums(
  connections: readonly InspectedConnection[],
  key: (connection: ConnectionFigures) => string,
): [string, Sum][] {
  const found = new Map<string, Sum>();
  for (const { connection } of connections) {
    const name = key(connection);
    const sum = found.get(name) ?? { connections: 0, packets: 0, bytes: 0 };
    sum.connections++;
    sum.packets += connection.packets.toServer + connection.packets.toClient;
    sum.bytes += connection.bytes.toServer + connection.bytes.toClient;
    found.set(name, sum);
  }
  return [...found].sort(
    ([a, x], [b, y]) => y.connections - x.connections || y.bytes - x.bytes || (a < b ? -1 : 1),
  );
}

function sumsText(title: string, found: [string, Sum][], { limit, paint }: InspectTextOptions): string {
  const rows = found
    .slice(0, limit)
    .map(([name, sum]) => [
      name,
      count(sum.connections, 'connection'),
      count(sum.packets, 'packet'),
      count(sum.bytes, 'byte'),
    ]);
  return `  ${paint.bold(title)}\n${table(rows, '    ')}${more(found.length - rows.length, 'row')}`;
}

function sourcesText(connections: readonly InspectedConnection[], options: InspectTextOptions): string {
  const found = sums(connections, ({ client }) => client.address);
  return sumsText('source addresses', found, options);
}

function conversationsText(connections: readonly InspectedConnection[], options: InspectTextOptions): string {
  const found = sums(
    connections,
    ({ client, server, protocol }) =>
      `${client.address} > ${endpoint(server.address, server.port)} ${protocol}`,
  );
  return sumsText('conversations', found, options);
}

interface NumberedExchange {
  readonly number: number;
  readonly request?: HttpMessage;
  readonly response?: HttpMessage;
}

function exchangesOf(connections: readonly InspectedConnection[]): NumberedExchange[] {
  return connections.flatMap(({ number, connection }) =>
    (connection.http ?? []).map((exchange) => ({ number, ...exchange })),
  );
}

function answer(response: HttpMessage | undefined): string {
  if (response === undefined) return 'no answer captured';
  const body = `${count(response.bodyLength, 'byte')}${response.complete ? '' : ', cut'}`;
  return `${response.status} ${forTerminal(clip(response.reason ?? '', 40))} (${body})`.replace('  ', ' ');
}

function requestsText(
  connections: readonly InspectedConnection[],
  { limit, paint }: InspectTextOptions,
): string {
  const exchanges = exchangesOf(connections);
  if (exchanges.length === 0) return '';
  const rows = exchanges
    .slice(0, limit)
    .map(({ number, request, response }) => [
      `#${number}`,
      request === undefined ? '(request not captured)' : forTerminal(clip(request.startLine, 100)),
      forTerminal(clip(hostOf(request), 60)),
      answer(response),
      request === undefined || response === undefined ? '' : duration(response.lastTime - request.firstTime),
    ]);
  return `  ${paint.bold('HTTP requests')}\n${table(rows, '    ')}${more(exchanges.length - rows.length, 'request')}`;
}

function hostOf(request: HttpMessage | undefined): string {
  const host = request?.headers.find(([name]) => name.toLowerCase() === 'host')?.[1];
  return host === undefined ? '' : `Host: ${host}`;
}

function linesOf(of: HttpMessage): string {
  const fields = of.headers.map(([name, value]) => `${name}: ${value}`);
  return [of.startLine, ...fields].map((line) => `    ${forTerminal(clip(line, LINE))}\n`).join('');
}

function headersText(
  connections: readonly InspectedConnection[],
  { limit, paint, answers }: InspectTextOptions,
): string {
  const exchanges = exchangesOf(connections);
  const ends = new Map(
    connections.map(({ number, connection: { client, server } }) => [number, { client, server }]),
  );
  const blocks = exchanges.slice(0, limit).map(({ number, request, response }) => {
    const { client, server } = ends.get(number)!;
    const packets = (request ?? response)!.packets;
    const where = `#${number}  ${endpoint(client.address, client.port)} > ${endpoint(server.address, server.port)}`;
    return (
      `  ${paint.bold(where)}${paint.dim(`  ${packets.length === 1 ? 'packet' : 'packets'} ${numbers(packets)}`)}\n` +
      (request === undefined ? '    (request not captured)\n' : linesOf(request)) +
      (answers === true && response !== undefined
        ? `  ${paint.dim('answer')}\n${linesOf(response)}`
        : `  ${paint.dim('answered')} ${answer(response)}\n`)
    );
  });
  return blocks.join('') + more(exchanges.length - blocks.length, 'request');
}

/** `1-4 7 9-12`, the first dozen ranges. */
export function numbers(values: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const value of [...new Set(values)].sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === value - 1) last[1] = value;
    else ranges.push([value, value]);
  }
  const shown = ranges.slice(0, 12).map(([from, to]) => (from === to ? String(from) : `${from}-${to}`));
  return shown.join(' ') + (ranges.length > 12 ? ' ...' : '');
}

function analysisText(connections: readonly InspectedConnection[], { paint }: InspectTextOptions): string {
  const found = new Map<string, { times: number; connections: number[] }>();
  for (const { number, connection } of connections) {
    for (const [flag, times] of Object.entries(connection.analysis)) {
      const entry = found.get(flag) ?? { times: 0, connections: [] };
      entry.times += times;
      entry.connections.push(number);
      found.set(flag, entry);
    }
  }
  if (found.size === 0) return '';
  const rows = [...found]
    .sort(([, a], [, b]) => b.times - a.times)
    .map(([flag, entry]) => [flag, String(entry.times), `in ${numbers(entry.connections)}`]);
  return `  ${paint.bold('analysis')}\n${table(rows, '    ')}`;
}

function packetsText(
  { capture, connections, total }: InspectedCapture,
  { limit, paint }: InspectTextOptions,
): string {
  if (capture === undefined) return '';
  const wanted = new Set(connections.flatMap(({ connection }) => connection.packetNumbers ?? []));
  const isAll = connections.length === total;
  const chosen = capture.packets.filter(({ number }) => isAll || wanted.has(number));
  const from = capture.packets[0]?.time;
  const shown = chosen.slice(0, limit);
  const width = String(shown.at(-1)?.number ?? 0).length;
  const lines = shown.map((packet) => `    ${packetLine(packet, { from, width })}\n`);
  return `  ${paint.bold('packets')}\n${lines.join('')}${more(chosen.length - lines.length, 'packet')}`;
}
