// Evidence recorded from real labs (record.sh), and ways to change a copy of it.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { readEvidence } from '../../src/lab/evidence.ts';
import type { Packet } from '../../src/pcap/index.ts';
import type { Node, Topology } from '../../src/topology/types.ts';
import { claimById } from '../../src/verify/index.ts';
import type { CapturedPoint, Evidence, Status, Verdict } from '../../src/verify/types.ts';

export const RECORDED = fileURLToPath(new URL('../fixtures/evidence/', import.meta.url));

const known = new Map<string, Promise<Evidence>>();

async function read(lab: string): Promise<Evidence> {
  const dir = `${RECORDED}${lab}`;
  const topology = JSON.parse(await readFile(`${dir}/topology.json`, 'utf8')) as Topology;
  return readEvidence(dir, topology);
}

/** A lab's evidence as recorded. */
export async function recorded(lab: string): Promise<Evidence> {
  const evidence = known.get(lab) ?? read(lab);
  known.set(lab, evidence);
  return evidence;
}

export function verdict(id: string, evidence: Evidence): Verdict {
  return claimById(id)!.check(evidence);
}

export async function status(id: string, lab: string): Promise<Status> {
  return verdict(id, await recorded(lab)).status;
}

/** A copy of evidence in which some captures are others, or absent where `change` gives nothing. */
export function withCaptures(
  evidence: Evidence,
  change: (point: CapturedPoint) => CapturedPoint | undefined,
): Evidence {
  const captures = new Map(
    [...evidence.captures].flatMap(([name, point]) => {
      const changed = change(point);
      return changed === undefined ? [] : [[name, changed] as const];
    }),
  );
  return { ...evidence, captures };
}

/** The same evidence of another topology. */
export const withTopology = (evidence: Evidence, change: (topology: Topology) => Topology): Evidence => ({
  ...evidence,
  topology: change(evidence.topology),
});

export const withNodes = (evidence: Evidence, change: (node: Node) => Node) =>
  withTopology(evidence, (topology) => ({ ...topology, nodes: topology.nodes.map(change) }));

/** Evidence with every packet of some captures changed, or left out where `change` gives nothing. */
export function edited(
  evidence: Evidence,
  names: readonly string[] | undefined,
  change: (packet: Packet) => Packet | undefined,
): Evidence {
  return withCaptures(evidence, (point) => {
    if (names?.includes(point.name) === false) return point;
    const packets = point.capture.packets.flatMap((packet) => change(packet) ?? []);
    return { ...point, capture: { ...point.capture, packets } };
  });
}
