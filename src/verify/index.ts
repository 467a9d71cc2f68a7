// Judges evidence: which claims there are, their verdicts, and the worst of them. Pure; showing verdicts is left to reports.
import { checkAccounts } from './accounts.ts';
import { judgeAssertions } from './assertions/index.ts';
import { dnsrrClaims } from './claims/dnsrr.ts';
import { dsrClaims } from './claims/dsr.ts';
import { fullnatClaims } from './claims/fullnat.ts';
import { l4Claims } from './claims/l4.ts';
import { l7Claims } from './claims/l7.ts';
import { natClaims } from './claims/nat.ts';
import { pairClaims } from './claims/pair.ts';
import { proxyClaims } from './claims/proxy.ts';
import { tunClaims } from './claims/tun.ts';
import type { Check, Claim, Evidence, Status, Verdict } from './types.ts';

const CLAIMS: ReadonlyMap<string, Claim> = new Map(
  [
    ...l7Claims,
    ...proxyClaims,
    ...natClaims,
    ...fullnatClaims,
    ...dsrClaims,
    ...tunClaims,
    ...l4Claims,
    ...dnsrrClaims,
    ...pairClaims,
  ].map((claim) => [claim.id, claim]),
);

/** Every claim, in the order of the methods they are about. */
export function allClaims(): Claim[] {
  return [...CLAIMS.values()];
}

export function claimById(id: string): Claim | undefined {
  return CLAIMS.get(id);
}

export interface JudgeOptions {
  /** Whether the evidence comes from a lab that can be asked; claims about the lab itself are else not judged. */
  readonly live: boolean;
}

function made({ id, title }: Claim, verdict: Verdict, judged = true): Check {
  return { id, title, judged, ...verdict };
}

function undecided(claim: Claim, observed: string, expected = claim.title): Verdict {
  return { status: 'unknown', expected, observed, evidence: [] };
}

function check(claim: Claim, evidence: Evidence): Verdict {
  try {
    return claim.check(evidence);
  } catch (error) {
    // A check that breaks has proven nothing.
    return undecided(claim, `the check broke: ${(error as Error).message}`);
  }
}

/**
 * Judges the claims named, in that order, after the check of the accounts, which comes first. When the accounts disagree every verdict is
 * `unknown`.
 * @throws RangeError for an id that no claim has
 */
export function judge(evidence: Evidence, ids: readonly string[], { live }: JudgeOptions): Check[] {
  const claims = ids.map((id) => {
    const claim = claimById(id);
    if (claim === undefined) throw new RangeError(`there is no claim ${id}`);
    return claim;
  });
  const accounts = checkAccounts(evidence);
  const disagree = accounts.judged && accounts.status !== 'pass';
  const checks = claims.map((claim) => {
    if (claim.live === true && !live) {
      return made(claim, undecided(claim, 'needs the live lab'), false);
    }
    const verdict = check(claim, evidence);
    return disagree
      ? made(claim, undecided(claim, `the accounts disagree: ${accounts.observed}`, verdict.expected))
      : made(claim, verdict);
  });
  return [accounts, ...checks];
}

/**
 * Everything that is judged of a round: the accounts, the claims that the topology names (or else `claims`, the method's own), and what it
 * expects.
 * @throws RangeError for an id that no claim has
 */
export function judgeRound(evidence: Evidence, claims: readonly string[], options: JudgeOptions): Check[] {
  const { topology } = evidence;
  return [...judge(evidence, topology.claims ?? claims, options), ...judgeAssertions(evidence, options)];
}

/** As bad as the worst judged check: `fail` before `unknown` before `pass`; `unknown` when nothing was judged. Warnings do no harm. */
export function summary(checks: readonly Check[]): Status {
  const statuses = new Set(
    checks.filter(({ judged }) => judged).map(({ level, status }) => (level === 'warning' ? 'pass' : status)),
  );
  if (statuses.has('fail')) return 'fail';
  return statuses.has('unknown') || statuses.size === 0 ? 'unknown' : 'pass';
}

export { judgeAssertions } from './assertions/index.ts';
export { wantsAnotherRound } from './assertions/retry.ts';
export type { Check, Claim, Evidence, Status } from './types.ts';
