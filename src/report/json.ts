// Results as JSON documents, each with its schema's name and version.
import { connections } from '../pcap/index.ts';
import type { Check, Evidence } from '../verify/types.ts';
import { forJson } from './escape.ts';
import type { Judged, Reporter } from './types.ts';

/** One lab's run, from topology to verdicts. */
export type LabResult = Judged & Required<Pick<Judged, 'file' | 'kernel' | 'timings'>>;

/** Answers by backend, in the topology's order; a backend that none came from is there with 0. */
export function byBackend(evidence: Evidence): Record<string, number> {
  const counts = Object.fromEntries(
    evidence.topology.nodes.filter((node) => node.role === 'backend').map((node) => [node.name, 0]),
  );
  for (const { backend } of evidence.requests ?? []) {
    if (backend !== undefined) counts[backend] = (counts[backend] ?? 0) + 1;
  }
  return counts;
}

export function succeeded(evidence: Evidence): number {
  return (evidence.requests ?? []).filter((request) => request.error === undefined && request.status < 400)
    .length;
}

/** A claim with its verdict. */
export function checkDocument(check: Check) {
  return {
    id: check.id,
    title: check.title,
    status: check.status,
    expected: check.expected,
    observed: check.observed,
    evidence: check.evidence,
    ...(check.level !== undefined && { level: check.level }),
    ...(check.location !== undefined && { location: check.location }),
    ...(check.note !== undefined && { note: check.note }),
  };
}

function labDocument(result: LabResult) {
  const { evidence, topology } = result;
  return {
    lab: topology.name,
    topology: result.file,
    kernel: result.kernel,
    ok: result.status === 'pass',
    requests: {
      sent: evidence.requests?.length ?? 0,
      succeeded: succeeded(evidence),
      byBackend: byBackend(evidence),
    },
    captures: [...evidence.captures.values()].map((point) => ({
      name: point.name,
      node: point.node,
      interface: point.interface,
      path: `${result.output}/${point.name}.pcap`,
      packets: point.capture.packets.length,
      dropped: point.dropped ?? null,
      connections: connections(point.capture).filter((connection) => connection.protocol === 'tcp').length,
    })),
    checks: result.checks.filter((check) => check.judged).map(checkDocument),
    timings: Object.fromEntries(
      Object.entries(result.timings).map(([stage, milliseconds]) => [
        stage,
        Math.round(milliseconds * 10) / 10,
      ]),
    ),
  };
}

/** The command's own document. */
export const jsonReporter: Reporter = {
  render: (_, { document }) => forJson(document()) + '\n',
};

/** `lblab/run@1`. */
export function runDocument(results: readonly LabResult[]) {
  return {
    schema: 'lblab/run@1',
    ok: results.every((result) => result.status === 'pass'),
    labs: results.map(labDocument),
  };
}
