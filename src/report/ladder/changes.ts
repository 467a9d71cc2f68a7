// What is rewritten on a ladder, summed up: the same change of many packets is told once.
import { groupBy, type Rewrite } from '../../pcap/index.ts';
import type { Change, Row } from './types.ts';

/** What each machine rewrote, one entry a way and kind, with how many packets. */
export function changesOf(rows: readonly Row[]): Change[] {
  const counts = new Map<readonly Rewrite[], Map<string, Change>>();
  for (const { hops, isToServer } of rows)
    for (const { machine, rewrites } of hops) {
      const of = counts.get(rewrites) ?? new Map<string, Change>();
      counts.set(rewrites, of);
      const key = `${machine} ${isToServer}`;
      of.set(key, { machine, isToServer, rewrites, packets: (of.get(key)?.packets ?? 0) + 1 });
    }
  const all = [...counts.values()].flatMap((of) => [...of.values()]);
  const same = groupBy(all, ({ machine, isToServer, rewrites }) =>
    [machine, isToServer, ...rewrites.map(rewriteKey)].join('\n'),
  );
  return [...same.values()].map((its) => {
    const [first] = its;
    const isVaried = its.some(({ rewrites }) =>
      rewrites.some(({ from }, index) => from !== first!.rewrites[index]!.from),
    );
    return {
      machine: first!.machine,
      isToServer: first!.isToServer,
      rewrites: isVaried ? first!.rewrites.map(lessByName) : first!.rewrites,
      packets: its.reduce((sum, { packets }) => sum + packets, 0),
    };
  });
}

/** A TTL counts by how much it falls: in a loop each round is the same change. */
function rewriteKey({ field, from, to }: Rewrite): string {
  return field === 'ttl' ? `ttl ${Number(from) - Number(to)}` : `${field} ${from} ${to}`;
}

function lessByName(rewrite: Rewrite): Rewrite {
  if (rewrite.field !== 'ttl') return rewrite;
  return { field: 'ttl', from: 'n', to: `n - ${Number(rewrite.from) - Number(rewrite.to)}` };
}
