// Claims about a proxy that reads nothing: it connects without waiting for the request, passes every byte on, and may say who the client is
// in a line before the first. The comment at each names the lab on which it must fail.
import { cite, claim, firstOf } from '../claim.ts';
import { requestsAmong, streamOf } from '../measure.ts';
import { MissingEvidenceError, type Sighting } from '../observe.ts';
import type { Claim, PacketReference } from '../types.ts';
import { count, duration, tally } from '../words.ts';
import { where } from './common.ts';

/** The first line of a connection in version 1 of the PROXY protocol (haproxy.org/download/2.6/doc/proxy-protocol.txt, section 2.1). */
const HEADER = /^PROXY TCP[46] (\S+) (\S+) (\d+) (\d+)\r\n/;

const toServerOf = (sighting: Sighting) => streamOf(sighting, 'toServer').toString('latin1');

/** The first packets that carry payload to the server. */
function openings(sightings: readonly Sighting[]): PacketReference[] {
  return cite(
    sightings.flatMap(
      ({ packets }) => packets.find(({ toServer, packet }) => toServer && packet.tcp.payloadLength > 0) ?? [],
    ),
  );
}

// Fails on l7, and on haproxy in mode http: both read the request first.
const atOnce = claim({
  id: 'proxy.at-once',
  title: 'The balancer connects to a backend without waiting for the HTTP request',
  expected: () => 'SYNs to backends precede requests; one that waits for the request has none that does',
  measure: (seen) => {
    const outer = seen.opened('outside');
    const inner = seen.opened('inside');
    const requests = requestsAmong(outer);
    // By the order of time: that the nth SYN precedes the nth request means that no n requests were there when n backends had been asked.
    const gaps = inner
      .slice(0, requests.length)
      .map((sighting, index) => requests[index]!.request.lastTime - sighting.connection.firstTime);
    const early = gaps.filter((gap) => gap > 0n).sort((a, b) => Number(a - b));
    return {
      holds: early.length > 0,
      observed:
        `${count(requests.length, 'request')} and ${count(inner.length, 'SYN')} to backends; ` +
        (early.length === 0
          ? 'none before its request'
          : `${early.length} before the request, by up to ${duration(early.at(-1)!)}`),
      evidence: cite([
        ...inner.map(({ syn }) => syn),
        ...requests.flatMap(({ sighting, request }) => request.packets.map(sighting.numbered)),
      ]),
    };
  },
});

// Fails on l7 and on haproxy in mode http, which add header fields.
const untouched = claim({
  id: 'proxy.untouched',
  title: 'Every byte passes the proxy as it came',
  expected: () =>
    'what clients and backends send is the same on both sides, but for a line of the PROXY protocol before it',
  measure: (seen) => {
    const outer = seen.opened('outside');
    const inner = seen.opened('inside');
    const streams = (sightings: readonly Sighting[], direction: 'toServer' | 'toClient') =>
      tally(
        sightings.map((sighting) =>
          streamOf(sighting, direction)
            .toString('latin1')
            .replace(direction === 'toServer' ? HEADER : '', ''),
        ),
      );
    const differ = (['toServer', 'toClient'] as const).filter(
      (direction) => JSON.stringify(streams(outer, direction)) !== JSON.stringify(streams(inner, direction)),
    );
    const bytes = outer.reduce(
      (sum, { connection: { payload } }) => sum + payload.toServer + payload.toClient,
      0,
    );
    if (bytes === 0) throw new MissingEvidenceError('no connection carried a byte');
    return {
      holds: differ.length === 0,
      observed:
        `${count(outer.length, 'connection')} on ${where(outer)}, ${inner.length} on ${where(inner)}; ` +
        (differ.length === 0
          ? `${bytes} bytes equal`
          : `${differ.map((each) => (each === 'toServer' ? 'requests' : 'responses')).join(' and ')} differ`),
      evidence: openings([...outer, ...inner]),
    };
  },
});

// Fails on haproxy without send-proxy, and on l7.
const client = claim({
  id: 'proxy.client',
  title: 'A line before the HTTP request tells the backend who the client is',
  expected: () =>
    'each connection to a backend begins with PROXY and the addresses and ports of a connection of a client',
  measure: (seen) => {
    const outer = seen.opened('outside');
    const inner = seen.opened('inside');
    const open = outer.map(
      ({ connection: { client: from, server: to } }) =>
        `${from.address} ${to.address} ${from.port} ${to.port}`,
    );
    const waiting = new Set(open);
    const told = inner.map((sighting) => HEADER.exec(toServerOf(sighting))?.slice(1).join(' '));
    const wrong = inner.filter((_, index) => {
      const line = told[index];
      return line === undefined || !waiting.delete(line);
    });
    const lines = told.filter((line) => line !== undefined);
    return {
      holds: wrong.length === 0,
      observed:
        `${count(inner.length, 'connection')} on ${where(inner)}, ${lines.length} with a PROXY line` +
        (lines[0] === undefined ? '' : ` such as ${lines[0]}`) +
        (wrong.length === 0
          ? `, each of a connection on ${where(outer)}`
          : `; ${wrong.length} without a client's`),
      evidence: openings(firstOf(wrong, inner)),
    };
  },
});

export const proxyClaims: readonly Claim[] = [atOnce, untouched, client];
