// Verdicts as one page for people: what `lblab report` and `--report html=FILE` write. The page itself is made in html/.
import { compare, type Comparison } from '../verify/compare.ts';
import { failovers, type Failover } from '../verify/failover.ts';
import type { Evidence } from '../verify/types.ts';
import { comparisonTable } from './compare.ts';
import { htmlPage } from './html/page.ts';
import type { Judged, Reporter } from './types.ts';

/** A lab that nothing came of cannot be measured against others. */
function measured(evidence: Evidence): Comparison | undefined {
  try {
    return compare(evidence);
  } catch {
    return undefined;
  }
}

/** What a round's fault cost; nothing where there was none, or where it cannot be told. */
function costs(evidence: Evidence): readonly Failover[] {
  if (evidence.faults === undefined) return [];
  try {
    return failovers(evidence);
  } catch {
    return [];
  }
}

/**
 * One self-contained HTML page, UTF-8. @param results one lab at least, where no failovers are given @param failed failovers that were
 * brought about to be compared; without them the page has what the labs' own faults cost
 */
export function htmlReport(
  results: readonly Judged[],
  cwd: string,
  failed: readonly Failover[] = [],
): string {
  const comparisons =
    results.length < 2
      ? []
      : results.flatMap(({ topology, evidence }) =>
          topology.balancer === undefined ? [] : (measured(evidence) ?? []),
        );
  return htmlPage(results, {
    cwd,
    failovers: failed.length > 0 ? failed : results.flatMap(({ evidence }) => costs(evidence)),
    ...(comparisons.length > 1 && { comparison: comparisonTable(comparisons) }),
  });
}

export const htmlReporter: Reporter = {
  render: (results, { cwd }) => htmlReport(results, cwd),
};
