// What the article says of every L4 balancer: that it can keep a client on one backend by its address alone.
import { claim } from '../claim.ts';
import { areBackendsCaptured, forwarded, pairByNumbers, type Reached } from '../measure.ts';
import { MissingEvidenceError, type Observation } from '../observe.ts';
import type { Claim } from '../types.ts';
import { groupBy } from '../../pcap/index.ts';
import { count, spread } from '../words.ts';
import { synsOf } from './common.ts';

interface Followed {
  readonly node: string;
  readonly client: string;
  readonly backend: string;
  readonly reached: Reached;
}

/** Each client's connections with the backend that they reached, in the order in which they were opened. */
export function follow(seen: Observation): Followed[] {
  const reached = areBackendsCaptured(seen)
    ? seen.opened('backend').map((sighting) => ({ sighting, backend: sighting.node }))
    : forwarded(seen);
  const bySighting = new Map(reached.map((each) => [each.sighting, each]));
  const { pairs } = pairByNumbers(seen.opened('client'), [...bySighting.keys()]);
  return pairs.map(({ first, second }) => {
    const each = bySighting.get(second)!;
    return {
      node: first.node,
      client: first.connection.client.address,
      backend: each.backend,
      reached: each,
    };
  });
}

// Fails without `ipvsadm -p`.
const persistence = claim({
  id: 'l4.persistence',
  title: 'One source address stays on one backend',
  article: '接続元IPが同じなら同じバックエンドサーバに送れる',
  expected: () => 'every connection of a client reaches the same backend, and the clients are not all on one',
  measure: (seen) => {
    const followed = follow(seen);
    if (followed.length === 0) {
      const sightings = seen.opened('client');
      return {
        holds: false,
        observed: `none of ${count(sightings.length, 'connection')} goes on to a backend: TCP ends at the balancer`,
        evidence: synsOf(sightings),
      };
    }
    const clients = [...groupBy(followed, ({ client }) => client)];
    const evidence = synsOf(followed.map(({ reached }) => reached.sighting));
    const observed = clients
      .map(
        ([client, own]) =>
          `${client}: ${count(own.length, 'connection')} ${spread(
            own.map(({ backend }) => backend),
            'to',
          )}`,
      )
      .join('; ');
    if (clients.some(([, own]) => new Set(own.map(({ backend }) => backend)).size > 1)) {
      return { holds: false, observed, evidence };
    }
    const unclear = (why: string) => new MissingEvidenceError(`${observed}; ${why}`);
    if (clients.length < 2) throw unclear('two clients are needed');
    if (clients.some(([, own]) => own.length < 2)) throw unclear('a client connected only once');
    if (new Set(followed.map(({ backend }) => backend)).size < 2)
      throw unclear('nothing shows that another backend was there');
    // Clients that take turns stick by parity under plain round robin.
    const stays = followed.some(
      ({ backend }, index) => index > 0 && followed[index - 1]!.backend === backend,
    );
    if (!stays) throw unclear('the clients took turns, so that taking turns with backends explains it too');
    return { holds: true, observed, evidence };
  },
});

export const l4Claims: readonly Claim[] = [persistence];
