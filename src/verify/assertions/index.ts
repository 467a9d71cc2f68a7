// Judges the assertions of a topology (`expect:`) by the evidence of a round: each becomes a check like a claim's. One file a concern
// beside this one; what a statement means is said where its shape is, in src/topology/expect-schema.ts.
import type { Assertion, Kind, Statement } from '../../topology/types.ts';
import { checkAccounts } from '../accounts.ts';
import { MissingEvidenceError, observe, type Observation } from '../observe.ts';
import type { Check, Evidence, Verdict } from '../types.ts';
import { arpJudge } from './arp.ts';
import { backendJudge, spreadJudge } from './backends.ts';
import { bytesJudge, connectionsJudge, packetsJudge } from './counts.ts';
import { endsJudge } from './ends.ts';
import { headerJudge, statusJudge } from './http.ts';
import type { Judge } from './kind.ts';
import { latencyJudge } from './latency.ts';
import { pathJudge } from './paths.ts';
import { responseTimeJudge } from './response-time.ts';
import { tableJudge } from './table.ts';
import { analysisJudge, endToEndJudge } from './tcp.ts';

type StatementOf<K, S = Statement> = S extends { kind: infer Own } ? (K extends Own ? S : never) : never;

const JUDGES: { readonly [K in Kind]: Judge<StatementOf<K>> } = {
  connections: connectionsJudge,
  sources: endsJudge,
  destinations: endsJudge,
  backend: backendJudge,
  header: headerJudge,
  path: pathJudge,
  'end-to-end': endToEndJudge,
  spread: spreadJudge,
  analysis: analysisJudge,
  latency: latencyJudge,
  packets: packetsJudge,
  bytes: bytesJudge,
  arp: arpJudge,
  table: tableJudge,
  status: statusJudge,
  'response-time': responseTimeJudge,
};

function expectedOf(assertion: Assertion, judge: Judge<Statement>, seen: Observation): string {
  let sentence: string;
  try {
    sentence = judge.expected(assertion, seen);
  } catch {
    // One from elsewhere that is not whole: measuring it breaks too, and says how.
    sentence = assertion.kind;
  }
  return assertion.not ? `not: ${sentence}` : sentence;
}

function verdictOf(assertion: Assertion, judge: Judge<Statement>, seen: Observation): Verdict {
  const expected = expectedOf(assertion, judge, seen);
  try {
    const { holds, observed, evidence = [] } = judge.measure(assertion, seen);
    const status = holds === assertion.not ? 'fail' : 'pass';
    return { status, expected, observed, evidence };
  } catch (error) {
    // A measurement that breaks has proven nothing.
    const observed =
      error instanceof MissingEvidenceError ? error.message : `the check broke: ${String(error)}`;
    return { status: 'unknown', expected, observed, evidence: [] };
  }
}

export interface AssertionOptions {
  /** Whether the evidence comes from a lab that can be asked; what is said of its table is else not judged. */
  readonly live: boolean;
}

/**
 * Judges what the evidence's topology expects, in the file's order. Like claims they are all `unknown` when the three accounts of the round
 * disagree. Empty where nothing is expected.
 */
export function judgeAssertions(evidence: Evidence, { live }: AssertionOptions): Check[] {
  const assertions = evidence.topology.expect ?? [];
  const accounts = checkAccounts(evidence);
  const disagree = accounts.judged && accounts.status !== 'pass';
  const seen = observe(evidence);
  return assertions.map((assertion): Check => {
    const judge = JUDGES[assertion.kind] as Judge<Statement>;
    const { index, kind, name, level, location } = assertion;
    const undecided = (observed: string): Verdict => ({
      status: 'unknown',
      expected: expectedOf(assertion, judge, seen),
      observed,
      evidence: [],
    });
    const judged = judge.live !== true || live;
    const verdict = !judged
      ? undecided('needs the live lab')
      : disagree
        ? undecided(`the accounts disagree: ${accounts.observed}`)
        : verdictOf(assertion, judge, seen);
    return {
      id: `expect[${index}] ${kind}`,
      title: name ?? verdict.expected,
      judged,
      level,
      location,
      ...verdict,
    };
  });
}
