// What a kind of assertion is made of: the sentence that says what is expected, and a measurement. How a verdict is made of them is
// left to index.ts.
import type { Finding } from '../claim.ts';
import type { Observation } from '../observe.ts';
import type { Statement } from '../../topology/types.ts';

export interface Judge<S extends Statement> {
  /** Judged from the lab itself, not from packets. */
  readonly live?: boolean;
  readonly expected: (statement: S, seen: Observation) => string;
  /** Throws MissingEvidenceError when the evidence does not tell. */
  readonly measure: (statement: S, seen: Observation) => Finding;
}
