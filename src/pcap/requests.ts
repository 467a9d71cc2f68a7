// Requests that a proxy answers by asking on: one connection ends at the proxy, another begins there. Joins the request
// outside with the request inside by order, time and content. Packets that are only passed on are twins.ts's business.
import type { Connection } from './connections.ts';
import type { HttpMessage } from './http.ts';

export interface RequestSighting {
  /** Index of the capture. */
  readonly capture: number;
  readonly connection: Connection;
  /** Index in `connection.http`. */
  readonly exchange: number;
}

export interface ProxiedRequest {
  /** Always another connection; the same one at another capture point is no proxied request. */
  readonly kind: 'proxied';
  readonly outside: RequestSighting;
  readonly inside: RequestSighting;
  /** From the request's last packet outside to its first inside. Negative where the proxy did not wait for all of it. */
  readonly nanoseconds: number;
  /** Whether the answers have the same status and body; undefined where one of them was not captured. */
  readonly isAnswerSame: boolean | undefined;
}

/**
 * Joins requests of different connections. The inner one begins while the outer one waits for its answer, and has the same
 * method, body and target (or one that ends the other: a proxy may take or add a prefix). Of several alike, equal
 * answers tell which belong together, and then the order does: first come, first passed on. One that got no answer may be
 * passed on again.
 * @param sides the connections of each capture; each pair of captures is joined by itself, in both directions, and a
 * capture with itself
 */
export function joinRequests(sides: readonly (readonly Connection[])[]): ProxiedRequest[] {
  const asked = sides.map(requestsOf);
  return asked
    .flatMap((outer) => asked.flatMap((inner) => joinSides(outer, inner)))
    .sort(
      (a, b) => Number(timeOf(a.outside) - timeOf(b.outside)) || Number(timeOf(a.inside) - timeOf(b.inside)),
    );
}

interface Asked extends RequestSighting {
  readonly request: HttpMessage;
  readonly response?: HttpMessage;
}

function requestsOf(found: readonly Connection[], capture: number): Asked[] {
  return found
    .flatMap((connection) =>
      connection.http.flatMap(({ request, response }, exchange): Asked[] =>
        request === undefined ? [] : [{ capture, connection, exchange, request, response }],
      ),
    )
    .sort(compareTimes);
}

/** Of more connections with requests that wait for their answers, those that have waited longest are given up. */
const WAITING_CONNECTIONS = 1024;
/** A proxy takes a connection's requests in turn: one further back than this is not the next to be passed on. */
const NEXT = 8;

/** Requests of one connection that wait for their answers, in order. */
class Queue {
  readonly #asked: Asked[] = [];
  #start = 0;

  add(asked: Asked): void {
    this.#asked.push(asked);
  }

  /** Those that may be passed on at `time`, the next first; those that have been answered before are let go of. */
  next(time: bigint): readonly Asked[] {
    while (this.#start < this.#asked.length && !isWaiting(this.#asked[this.#start]!, time)) this.#start++;
    return this.#asked.slice(this.#start, this.#start + NEXT).filter((asked) => isWaiting(asked, time));
  }

  /** One of the next ones has been answered. */
  remove(asked: Asked): void {
    this.#asked.copyWithin(this.#start + 1, this.#start, this.#asked.indexOf(asked, this.#start));
    this.#start++;
  }
}

const isWaiting = ({ response, connection }: Asked, time: bigint) =>
  (response ?? connection).lastTime >= time;

function joinSides(outer: readonly Asked[], inner: readonly Asked[]): ProxiedRequest[] {
  const result: ProxiedRequest[] = [];
  const waiting = new Map<Connection, Queue>();
  /** Passed on, and not answered: a proxy may try the next server. */
  const tried = new Set<Asked>();
  let next = 0;
  for (const inside of inner) {
    const { firstTime } = inside.request;
    for (; next < outer.length && outer[next]!.request.firstTime <= firstTime; next++) {
      const asked = outer[next]!;
      const queue = waiting.get(asked.connection) ?? new Queue();
      queue.add(asked);
      waiting.set(asked.connection, queue);
      if (waiting.size > WAITING_CONNECTIONS) waiting.delete(waiting.keys().next().value!);
    }
    const candidates: Asked[] = [];
    for (const [connection, queue] of waiting) {
      const asked = queue.next(firstTime);
      if (asked.length === 0) waiting.delete(connection);
      else if (isOther(connection, inside.connection))
        candidates.push(...asked.filter((outside) => isAlike(outside.request, inside.request)));
    }
    candidates.sort((a, b) => Number(tried.has(a)) - Number(tried.has(b)) || compareTimes(a, b));
    const outside = candidates.find((candidate) => isAnswerSame(candidate, inside) === true) ?? candidates[0];
    if (outside === undefined) continue;
    if (inside.response === undefined) tried.add(outside);
    else waiting.get(outside.connection)!.remove(outside);
    result.push({
      kind: 'proxied',
      outside: { capture: outside.capture, connection: outside.connection, exchange: outside.exchange },
      inside: { capture: inside.capture, connection: inside.connection, exchange: inside.exchange },
      nanoseconds: Number(firstTime - outside.request.lastTime),
      isAnswerSame: isAnswerSame(outside, inside),
    });
  }
  return result;
}

const compareTimes = (a: Asked, b: Asked) => Number(a.request.firstTime - b.request.firstTime);

/**
 * Not the same connection at another point, nor another one to the same server, nor another one of the same client. So a proxy that takes its
 * client's address cannot be told from a client that asks twice.
 */
function isOther(a: Connection, b: Connection): boolean {
  if (a.isn.client === b.isn.client && a.isn.server === b.isn.server) return false;
  if (a.server.address === b.server.address && a.server.port === b.server.port) return false;
  return a.client.address !== b.client.address;
}

function isAlike(outer: HttpMessage, inner: HttpMessage): boolean {
  return (
    outer.method === inner.method &&
    outer.bodyDigest === inner.bodyDigest &&
    (endsWith(outer.target!, inner.target!) || endsWith(inner.target!, outer.target!))
  );
}

/** `/` alone ends every directory's target, and says nothing. */
function endsWith(target: string, end: string): boolean {
  return target === end || (end.length > 1 && target.endsWith(end));
}

function isAnswerSame({ response: a }: Asked, { response: b }: Asked): boolean | undefined {
  if (a === undefined || b === undefined) return undefined;
  return a.status === b.status && a.bodyDigest === b.bodyDigest;
}

function timeOf({ connection, exchange }: RequestSighting): bigint {
  return connection.http[exchange]!.request!.firstTime;
}
