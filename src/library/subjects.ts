// What matchers are given, and what they look at: captures, capture points, connections, requests, whole evidence. Throws TypeError that
// says what would do.
import {
  connections,
  type Capture,
  type Connection,
  type HttpExchange,
  type HttpMessage,
} from '../pcap/index.ts';
import type { CapturedPoint, Check, Evidence, RequestRecord } from '../verify/types.ts';
import { rolesOf } from '../verify/roles.ts';
import { pointOf } from './captured.ts';

type Fields = Readonly<Record<string, unknown>>;

const has = (value: unknown, ...keys: readonly string[]): value is Fields =>
  typeof value === 'object' && value !== null && keys.every((key) => key in value);

export const isCapture = (value: unknown): value is Capture => has(value, 'packets', 'linkType');
export const isPoint = (value: unknown): value is CapturedPoint => has(value, 'capture', 'node');
export const isConnection = (value: unknown): value is Connection => has(value, 'handshake', 'isn');
export const isEvidence = (value: unknown): value is Evidence => has(value, 'captures', 'topology');

const all = <T>(value: unknown, is: (item: unknown) => item is T): value is readonly T[] =>
  Array.isArray(value) && value.every(is);

/** What a matcher expects to be given, for its error. */
export function unfit(matcher: string, wanted: string): TypeError {
  return new TypeError(`${matcher} is about ${wanted}`);
}

/** TCP connections of a capture, a capture point, or as they are given. */
export function connectionsOf(matcher: string, value: unknown): readonly Connection[] {
  if (isPoint(value)) return connectionsOf(matcher, value.capture);
  if (isCapture(value)) return connections(value).filter(({ protocol }) => protocol === 'tcp');
  if (isConnection(value)) return [value];
  if (all(value, isConnection)) return value;
  throw unfit(matcher, 'a capture, a capture point (evidence.at(NAME)), or connections(capture)');
}

/** HTTP requests of the same, or of exchanges and messages. */
export function requestsOf(matcher: string, value: unknown): readonly HttpMessage[] {
  const isMessage = (item: unknown): item is HttpMessage => has(item, 'startLine', 'headers');
  const isExchange = (item: unknown): item is HttpExchange =>
    has(item) && !isMessage(item) && ('request' in item || 'response' in item);
  if (isMessage(value)) return [value];
  if (isExchange(value)) return value.request === undefined ? [] : [value.request];
  if (Array.isArray(value) && value.length > 0 && value.every((item) => isMessage(item) || isExchange(item)))
    return value.flatMap((item) => requestsOf(matcher, item));
  return connectionsOf(matcher, value).flatMap(({ http }) =>
    http.flatMap(({ request }) => (request === undefined ? [] : [request])),
  );
}

/** Several captures, each with its connections. */
export function sidesOf(matcher: string, value: unknown): readonly (readonly Connection[])[] {
  if (Array.isArray(value) && value.length > 1) return value.map((side) => connectionsOf(matcher, side));
  throw unfit(matcher, 'two or more captures of the same traffic: [evidence.at(NAME), evidence.at(OTHER)]');
}

/** How often each backend answered. */
export function sharesOf(matcher: string, value: unknown): ReadonlyMap<string, number> {
  const isRecord = (item: unknown): item is RequestRecord => has(item, 'client', 'localPort');
  if (isEvidence(value) && value.requests !== undefined) {
    const names = rolesOf(value.topology).backends.map(({ node }) => node);
    return tallied(value.requests, names);
  }
  if (all(value, isRecord)) return tallied(value, []);
  throw unfit(matcher, 'the requests that lab.request() made, or the evidence of lab.capture()');
}

function tallied(records: readonly RequestRecord[], names: readonly string[]): Map<string, number> {
  const shares = new Map(names.map((name) => [name, 0]));
  for (const { backend } of records)
    if (backend !== undefined) shares.set(backend, (shares.get(backend) ?? 0) + 1);
  return shares;
}

export function evidenceOf(matcher: string, value: unknown): Evidence {
  if (isEvidence(value)) return value;
  throw unfit(matcher, 'the evidence of lab.capture()');
}

export function checksOf(value: unknown): readonly Check[] | undefined {
  const isCheck = (item: unknown): item is Check => has(item, 'id', 'status', 'judged');
  return all(value, isCheck) ? value : undefined;
}

/** Connections at a capture point of the evidence. */
export function connectionsAt(matcher: string, evidence: Evidence, point: string): readonly Connection[] {
  return connectionsOf(matcher, pointOf(evidence, point));
}
