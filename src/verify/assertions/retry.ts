// Whether a round is worth repeating for an assertion with `within`. Knows no clock: who runs rounds says how long it has been.
import type { Topology } from '../../topology/types.ts';
import type { Check } from '../types.ts';

const isPassed = ({ judged, status }: Check) => !judged || status === 'pass';

/**
 * True when an assertion that still has time has not passed, and nothing else stands in the way: a check without `within` must hold in
 * every round, so one that does not is the result, and no later round may cover it.
 * @param elapsed milliseconds since the first round began
 */
export function wantsAnotherRound(
  checks: readonly Check[],
  { expect = [] }: Topology,
  elapsed: number,
): boolean {
  const byId = new Map(
    expect.map((assertion) => [`expect[${assertion.index}] ${assertion.kind}`, assertion]),
  );
  const open = checks.filter((check) => !isPassed(check));
  const isFinal = open.some((check) => check.level !== 'warning' && byId.get(check.id)?.within === undefined);
  return !isFinal && open.some((check) => (byId.get(check.id)?.within ?? 0) > elapsed);
}
