// Which backend served a request, and how requests spread over the backends. What backends captured says so; where a proxy opened
// another connection, the request is followed through it, and last of all the answer's own first line is read.
import { groupBy, joinRequests, type Connection } from '../../pcap/index.ts';
import type { BackendAssertion, SpreadAssertion } from '../../topology/types.ts';
import { cite, firstOf } from '../claim.ts';
import { served } from '../measure.ts';
import { MissingEvidenceError, type Observation, type SeenPacket } from '../observe.ts';
import { count, list, spread } from '../words.ts';
import { citeAsked, requestsText } from './http.ts';
import type { Judge } from './kind.ts';
import { proxied } from './paths.ts';
import { connectionsAt, requestsAsked, type Asked, type Located } from './places.ts';

/** Connections by both initial sequence numbers, which only one and the same connection shares. */
const identity = ({ isn }: Connection) => `${isn.client}/${isn.server}`;

interface Inside {
  readonly backend: string;
  readonly located: Located;
}

/** Connections captured at backends, and elsewhere on the way to a backend's address. */
function towardsBackends(seen: Observation): Inside[] {
  const { backends } = seen.roles;
  return [...seen.evidence.captures.values()].flatMap((point) => {
    if (point.incomplete !== undefined) return [];
    const own = backends.find(({ node }) => node === point.node);
    return connectionsAt(seen, { name: point.name, points: [point.name] }).flatMap((located): Inside[] => {
      const to = own ?? backends.find(({ addresses }) => addresses.has(located.connection.server.address));
      return to === undefined ? [] : [{ backend: to.node, located }];
    });
  });
}

/** The backend that the request of a connection was handed on to, in the order of what can be relied on. */
function finder(seen: Observation): (asked: Asked) => string {
  const inside = towardsBackends(seen);
  const byIdentity = new Map(inside.map(({ backend, located }) => [identity(located.connection), backend]));
  let joined: ReturnType<typeof joinProxied> | undefined;
  return (asked) => {
    const response = asked.exchange?.response;
    if (asked.seen === undefined || response === undefined) return 'nobody (no answer)';
    const own = identity(asked.seen.connection);
    const same = byIdentity.get(own);
    if (same !== undefined) return same;
    joined ??= joinProxied(seen, inside);
    const [through, another] = joined.get(own) ?? [];
    if (through !== undefined && another === undefined) return through;
    const [line = ''] = Buffer.from(response.body?.subarray(0, 64) ?? [])
      .toString('latin1')
      .split('\n');
    if (seen.roles.backends.some(({ node }) => node === line.trim())) return line.trim();
    if (response.status! >= 500) return `nobody (HTTP ${response.status})`;
    throw new MissingEvidenceError(
      `nothing tells which backend served request ${asked.number} of ${asked.client}`,
    );
  };
}

/** Backends by the identity of the connection on whose request they were asked. */
function joinProxied(seen: Observation, inside: readonly Inside[]): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  const outside = [...seen.evidence.captures.values()]
    .filter(({ node }) => seen.roles.clients.has(node))
    .flatMap((point) => connectionsAt(seen, { name: point.name, points: [point.name] }));
  const joined = groupBy(
    joinRequests(
      proxied(
        outside,
        inside.map(({ located }) => located),
      ),
    ),
    (request) => request.inside.connection,
  );
  for (const { backend, located } of inside) {
    for (const { outside: from, isAnswerSame } of joined.get(located.connection) ?? []) {
      if (isAnswerSame === false) continue;
      const key = identity(from.connection);
      found.set(key, (found.get(key) ?? new Set()).add(backend));
    }
  }
  return found;
}

export const backendJudge: Judge<BackendAssertion> = {
  expected: (statement) =>
    `${requestsText(statement)} served by ${list(statement.is).replace(' and ', ' or ')}`,
  measure: (statement, seen) => {
    const find = finder(seen);
    const reached = requestsAsked(seen, statement).map((asked) => ({ asked, backend: find(asked) }));
    const wrong = reached.filter(({ backend }) => !statement.is.includes(backend));
    return {
      holds: wrong.length === 0,
      observed: `${count(reached.length, 'request')}: ${spread(
        reached.map(({ backend }) => backend),
        'by',
      )}`,
      evidence: citeAsked(firstOf(wrong, reached).map(({ asked }) => asked)),
    };
  },
};

interface Share {
  readonly backend: string;
  readonly syn: SeenPacket;
}

/** What is counted, one by one, with the backend that it came to. */
function sharesOf(seen: Observation, of: SpreadAssertion['of']): Share[] {
  const reached = served(seen);
  const shares = reached.flatMap(({ sighting: { connection, syn }, backend }) => {
    const requests = connection.http.filter(({ request }) => request !== undefined).length;
    return Array.from({ length: of === 'connections' ? 1 : requests }, () => ({ backend, syn }));
  });
  if (shares.length === 0) {
    throw new MissingEvidenceError(
      reached.length === 0 ? 'no backend served anything' : 'no HTTP request reached a backend',
    );
  }
  return shares;
}

const percentText = (value: number) => `${Number(value.toFixed(1))}%`;

export const spreadJudge: Judge<SpreadAssertion> = {
  expected: ({ of, isEven, shares, tolerance }) =>
    `${of} spread ${isEven ? `evenly over ${list(shares.filter(([, share]) => share !== 0).map(([node]) => node))}` : `as ${list(shares.map(([node, share]) => `${node} ${percentText(share)}`))}`}` +
    (tolerance === 0 ? '' : `, give or take ${percentText(tolerance)}`),
  measure: ({ of, shares, tolerance }, seen) => {
    const all = sharesOf(seen, of);
    const wanted = shares.filter(([, share]) => share > 0).length;
    if (all.length < wanted) {
      throw new MissingEvidenceError(
        `${count(all.length, of.slice(0, -1))} cannot spread over ${count(wanted, 'backend')}`,
      );
    }
    const counts = shares.map(([node, share]) => ({
      node,
      times: all.filter(({ backend }) => backend === node).length,
      right: (all.length * share) / 100,
    }));
    // A share of 33.33% of ten requests is three or four of them: less than one off is as near as one can get.
    const wrong = counts.filter(({ times, right }) => {
      const off = Math.abs(times - right);
      return off >= 1 && off > (tolerance / 100) * all.length + 1e-9;
    });
    const names = new Set(wrong.map(({ node }) => node));
    const cited = all.filter(({ backend }) => names.has(backend));
    return {
      holds: wrong.length === 0,
      observed: `${count(all.length, of.slice(0, -1))}: ${counts
        .map(({ node, times }) => `${node} ${times} (${percentText((100 * times) / all.length)})`)
        .join(', ')}`,
      evidence: cite(firstOf(cited, all).map(({ syn }) => syn)),
    };
  },
};
