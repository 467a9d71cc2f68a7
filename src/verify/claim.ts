// What a claim is made of: a sentence of what is expected and a measurement. Turns missing evidence into `unknown`; every other mistake
// is left to `judge`.
import { MissingEvidenceError, observe, type Observation, type SeenPacket } from './observe.ts';
import type { Packet } from '../pcap/index.ts';
import type { Claim, PacketReference, Status, Verdict } from './types.ts';

export interface Finding {
  readonly holds: boolean;
  readonly observed: string;
  readonly evidence?: readonly PacketReference[];
  readonly note?: string;
}

export interface ClaimDefinition {
  readonly id: string;
  readonly title: string;
  readonly article?: string;
  readonly live?: boolean;
  /** A remark shown with every verdict. */
  readonly note?: string;
  readonly expected: (seen: Observation) => string;
  readonly measure: (seen: Observation) => Finding;
}

export function claim(definition: ClaimDefinition): Claim {
  const { id, title, article, live, expected, measure, note } = definition;
  const verdict = (status: Status, seen: Observation, finding: Omit<Finding, 'holds'>): Verdict => ({
    status,
    expected: expected(seen),
    observed: finding.observed,
    evidence: finding.evidence ?? [],
    ...((finding.note ?? note) !== undefined && { note: finding.note ?? note }),
  });
  return {
    id,
    title,
    ...(article !== undefined && { article }),
    ...(live === true && { live }),
    check: (evidence) => {
      const seen = observe(evidence);
      try {
        const finding = measure(seen);
        return verdict(finding.holds ? 'pass' : 'fail', seen, finding);
      } catch (error) {
        if (error instanceof MissingEvidenceError)
          return verdict('unknown', seen, { observed: error.message });
        throw error;
      }
    },
  };
}

/** What to show first: the first of these lists that has anything in it, such as what is wrong, or else all. */
export function firstOf<T>(...lists: readonly (readonly T[])[]): readonly T[] {
  return lists.find((items) => items.length > 0) ?? [];
}

/** Packet numbers shown of one capture: enough to look at, few enough to read. */
const MAXIMUM_PACKETS = 20;

/** Packets as a verdict shows them: by capture, in order, each once, the first MAXIMUM_PACKETS of each capture. */
export function cite(
  packets: Iterable<Pick<SeenPacket, 'point'> & { readonly packet: Packet }>,
): PacketReference[] {
  const found = new Map<string, Set<number>>();
  for (const { point, packet } of packets) {
    const numbers = found.get(point.name) ?? new Set();
    found.set(point.name, numbers.add(packet.number));
  }
  return [...found]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([capture, numbers]) => ({
      capture,
      packets: [...numbers].sort((a, b) => a - b).slice(0, MAXIMUM_PACKETS),
    }));
}
