// `import 'lblab/vitest'` in a test or a setup file: assertions on captures and labs, known to `expect` and to TypeScript.
import { expect } from 'vitest';
import { matchers, type PassDirection, type SpreadOptions } from './library/matchers.ts';

export { matchers };
export type { PassDirection, SpreadOptions };

export interface LabMatchers {
  /** So many TCP connections: of a capture, a capture point, or connections. */
  toHaveConnections(count: number): void;
  /** Every connection is opened from this address. */
  toSeeSource(address: string): void;
  /** Of two or more captures: each connection at one is, by both initial sequence numbers, one at every other. */
  toBeOneConnection(): void;
  /** Of evidence: every connection of the clients passes all these capture points. */
  toPassThrough(points: string | readonly string[], direction?: PassDirection): void;
  /** Every HTTP request has this field, with this value where one is given; with `.not` none has. */
  toHaveHeader(name: string, value?: string | RegExp): void;
  /** Of evidence or requests: every backend answered, and as evenly as asked for. */
  toBeSpread(options?: SpreadOptions): void;
  /** Of evidence or checks: the claim holds, or all do. `.not` means that it fails; what is undecided does neither. */
  toPass(claim?: string): void;
}

declare module 'vitest' {
  // eslint-disable-next-line typescript/no-empty-object-type, typescript/no-unused-vars
  interface Matchers<T = any> extends LabMatchers {}
}

expect.extend(matchers);
