// Verdicts as one page for people: what `lblab report` and `--report html=FILE` write. The page itself is made in html/.
import { compare, type Comparison } from '../verify/compare.ts';
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

/** One self-contained HTML page, UTF-8. @param results one lab at least */
export function htmlReport(results: readonly Judged[], cwd: string): string {
  const comparisons =
    results.length < 2
      ? []
      : results.flatMap(({ topology, evidence }) =>
          topology.balancer === undefined ? [] : (measured(evidence) ?? []),
        );
  return htmlPage(results, {
    cwd,
    ...(comparisons.length > 1 && { comparison: comparisonTable(comparisons) }),
  });
}

export const htmlReporter: Reporter = {
  render: (results, { cwd }) => htmlReport(results, cwd),
};
