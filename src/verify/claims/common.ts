// Statements that several balancing methods make in the same words. Each takes the claim's id and, where it has one, the article's wording.
import { cite, claim, firstOf, type ClaimDefinition, type Finding } from '../claim.ts';
import {
  areBackendsCaptured,
  header,
  isAnswered,
  pairByNumbers,
  requestsAmong,
  served,
  streamOf,
  type Pair,
} from '../measure.ts';
import { MissingEvidenceError, type Observation, type Sighting } from '../observe.ts';
import type { Place } from '../roles.ts';
import type { Claim, PacketReference } from '../types.ts';
import { count, endpoint, list, spread } from '../words.ts';

export interface Heading {
  readonly id: string;
  readonly article?: string;
  readonly note?: string;
}

export const synsOf = (sightings: readonly Sighting[]): PacketReference[] =>
  cite(sightings.map(({ syn }) => syn));

export const pairSyns = (pairs: readonly Pair[]): PacketReference[] =>
  synsOf(pairs.flatMap(({ first, second }) => [first, second]));

/** Names of the captures that show connections, for sentences such as `10 connections on eth0`. */
export function where(sightings: readonly Sighting[]): string {
  return list([...new Set(sightings.map(({ syn }) => syn.point.name))].sort());
}

export function vipText({ roles }: Observation): string {
  return roles.vip === undefined
    ? "a balancer's address"
    : list([...roles.servicePorts].map((port) => endpoint(roles.vip!, port)));
}

/** Every SYN at the client goes to the VIP. A request straight to a backend never shows at the balancer, so the client is where to look. */
export function connectsToVip(heading: Heading): Claim {
  return claim({
    title: "The client connects to the balancer's address",
    ...heading,
    expected: (seen) => `every SYN at the client goes to ${vipText(seen)}`,
    measure: (seen) => {
      const { vip, servicePorts } = seen.roles;
      const opened = seen.opened('client');
      const others = opened.filter(
        ({ connection: { server } }) => server.address !== vip || !servicePorts.has(server.port),
      );
      const targets = opened.map(({ connection: { server } }) => endpoint(server.address, server.port));
      return {
        holds: others.length === 0,
        observed: `${count(opened.length, 'SYN')}: ${spread(targets, 'to')}`,
        evidence: synsOf(firstOf(others, opened)),
      };
    },
  });
}

/** Judges an end of every SYN at a place. */
function everySyn(
  definition: Omit<ClaimDefinition, 'measure'> & {
    readonly place: Place;
    readonly end: 'source' | 'destination';
    readonly allowed: (seen: Observation) => ReadonlySet<string | undefined>;
  },
): Claim {
  const { place, end, allowed, ...rest } = definition;
  return claim({
    ...rest,
    measure: (seen) => {
      const opened = seen.opened(place);
      const addressOf = ({ connection: { client, server } }: Sighting) =>
        end === 'source' ? client.address : server.address;
      const right = allowed(seen);
      const others = opened.filter((sighting) => !right.has(addressOf(sighting)));
      return {
        holds: others.length === 0,
        observed: `${count(opened.length, 'SYN')} on ${where(opened)}: ${spread(opened.map(addressOf), end === 'source' ? 'from' : 'to')}`,
        evidence: synsOf(firstOf(others, opened)),
      };
    },
  });
}

const clientText = ({ roles }: Observation) => list([...roles.clientAddresses]);

/** Addresses of the balancer's interfaces towards the backends. */
function insideAddresses({ roles }: Observation): ReadonlySet<string> {
  const links = roles.balancer?.interfaces.filter(({ name }) => roles.inside.has(name)) ?? [];
  return new Set(links.flatMap(({ addresses }) => addresses.map(({ address }) => address)));
}

export function sourceIsBalancer(heading: Heading): Claim {
  return everySyn({
    title: "A backend sees the balancer's address as the source",
    ...heading,
    place: 'inside',
    end: 'source',
    expected: (seen) => `every SYN towards the backends comes from ${list([...insideAddresses(seen)])}`,
    allowed: insideAddresses,
  });
}

export function sourceIsClient(heading: Heading, place: 'inside' | 'backend'): Claim {
  return everySyn({
    title: "A backend sees the client's address as the source",
    ...heading,
    place,
    end: 'source',
    expected: (seen) =>
      `every SYN ${place === 'backend' ? 'at a backend' : 'towards the backends'} comes from ${clientText(seen)}`,
    allowed: (seen) => seen.roles.clientAddresses,
  });
}

export function destinationIsVip(heading: Heading): Claim {
  return everySyn({
    title: "A backend sees the balancer's address as the destination",
    ...heading,
    place: 'backend',
    end: 'destination',
    expected: (seen) => `every SYN at a backend goes to ${seen.roles.vip ?? "the balancer's address"}`,
    allowed: ({ roles }) => new Set([roles.vip]),
  });
}

/** One and the same connection is seen at both places: as many on each, and each pair shares both initial sequence numbers. */
export function oneConnection(heading: Heading & { title: string }, first: Place, second: Place): Claim {
  return claim({
    ...heading,
    expected: () => 'as many connections at both places, and each pair shares both initial sequence numbers',
    measure: (seen) => sharedNumbers(seen, first, second),
  });
}

function sharedNumbers(seen: Observation, first: Place, second: Place): Finding {
  const one = seen.opened(first);
  const other = seen.opened(second);
  const { pairs, onlyFirst, onlySecond } = pairByNumbers(one, other);
  if (pairs.length === 0 && ![...one, ...other].some(isAnswered)) {
    throw new MissingEvidenceError('no connection was answered');
  }
  // A backend without a capture of its own leaves its connections without a counterpart.
  const isPartial = second === 'backend' && !areBackendsCaptured(seen);
  const holds = onlySecond.length === 0 && (onlyFirst.length === 0 || isPartial);
  const shared =
    pairs.length === one.length && pairs.length === other.length
      ? 'all pairs share both initial sequence numbers'
      : `${count(pairs.length, 'pair')} ${pairs.length === 1 ? 'shares' : 'share'} both initial sequence numbers`;
  return {
    holds,
    observed: `${count(one.length, 'connection')} on ${where(one)}, ${other.length} on ${where(other)}, ${shared}`,
    evidence: holds ? pairSyns(pairs) : synsOf([...onlyFirst, ...onlySecond]),
  };
}

/** How many connections each backend served, in the topology's order, as `be1 5, be2 5`. */
export function sharesText(seen: Observation, counts: ReadonlyMap<string, number>): string {
  return seen.roles.backends
    .map(({ node, weight, down }) => {
      const remark = down ? ' (marked down)' : weight === 0 ? ' (weight 0)' : '';
      return `${node}${remark} ${counts.get(node)!}`;
    })
    .join(', ');
}

/** Every backend served at least one connection and none served all. */
export function spreads(heading: Heading): Claim {
  return claim({
    title: 'Connections spread over the backends',
    ...heading,
    expected: ({ roles }) =>
      `each of ${list(roles.backends.map(({ node }) => node))} serves at least one connection, none all`,
    measure: (seen) => {
      const reached = served(seen);
      if (reached.length === 0) throw new MissingEvidenceError('no backend answered');
      const { backends } = seen.roles;
      if (reached.length < backends.length) {
        throw new MissingEvidenceError(
          `${count(reached.length, 'connection')} cannot reach ${count(backends.length, 'backend')}`,
        );
      }
      const counts = new Map(
        backends.map(({ node }) => [node, reached.filter(({ backend }) => backend === node).length]),
      );
      const holds = [...counts.values()].every((share) => share > 0 && share < reached.length);
      return {
        holds,
        observed: `${count(reached.length, 'connection')}: ${sharesText(seen, counts)}`,
        evidence: synsOf(reached.map(({ sighting }) => sighting)),
      };
    },
  });
}

/** Request and response bytes are the same at both places, and nobody has added an X-Forwarded-For. */
export function payloadUntouched(heading: Heading, first: Place, second: Place): Claim {
  return claim({
    title: 'HTTP passes untouched',
    ...heading,
    expected: () =>
      'request and response bytes are equal at both places, and no request has an X-Forwarded-For',
    measure: (seen) => {
      const one = seen.opened(first);
      const other = seen.opened(second);
      requestsAmong(one);
      const inner = requestsAmong(other);
      const { pairs, onlyFirst, onlySecond } = pairByNumbers(one, other);
      const isPartial = second === 'backend' && !areBackendsCaptured(seen);
      const lone = isPartial ? onlySecond : [...onlyFirst, ...onlySecond];
      const pick = (direction: 'toServer' | 'toClient') =>
        pairs.filter((pair) => !streamOf(pair.first, direction).equals(streamOf(pair.second, direction)));
      const requests = pick('toServer');
      const responses = pick('toClient');
      const added = inner.filter(({ request }) => header(request, 'x-forwarded-for').length > 0);
      const bytes = pairs.reduce(
        (sum, { first: { connection } }) => sum + connection.payload.toServer + connection.payload.toClient,
        0,
      );
      const wrong = [
        ...[...requests, ...responses].flatMap((pair) => [pair.first, pair.second]),
        ...added.map(({ sighting }) => sighting),
        ...lone,
      ];
      const holds = wrong.length === 0;
      const findings = [
        `${count(pairs.length, 'connection')} compared`,
        ...(lone.length === 0 ? [] : [`${count(lone.length, 'connection')} at one place only`]),
        ...(requests.length === 0 ? [] : [`requests differ in ${requests.length}`]),
        ...(responses.length === 0 ? [] : [`responses differ in ${responses.length}`]),
        ...(holds ? [`${bytes} bytes equal`] : []),
        added.length === 0 ? 'no X-Forwarded-For' : `${count(added.length, 'request')} with X-Forwarded-For`,
      ];
      const cited = holds ? pairs.flatMap((pair) => [pair.first, pair.second]) : wrong;
      return {
        holds,
        observed: findings.join('; '),
        evidence: cite(
          cited.flatMap(({ connection, numbered }) =>
            connection.http.flatMap(({ request }) => request?.packets.map(numbered) ?? []),
          ),
        ),
      };
    },
  });
}
