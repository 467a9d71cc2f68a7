// Captures made by program, of which test/fixtures/wireshark holds what Wireshark says: so that our rules can be held against its own
// where it is not there, and quickly. corpus.test.ts asks Wireshark again (`npx vitest run test/pcap/corpus.test.ts --update`).
import { join } from 'node:path';
import { chaos } from './chaos.ts';
import { edges } from './edges.ts';

const FOLDER = join(import.meta.dirname, '../fixtures/wireshark');

/** Made when they are wanted. */
export const RECORDINGS: readonly (readonly [name: string, make: () => Buffer, account: string])[] = (
  [
    ['segments at the edges of the rules', edges],
    ['segments that no TCP would send', () => chaos(4, 150)],
    ['such segments, cut inside their options', () => chaos(6, 50, 60)],
    ['such segments, cut inside their headers', () => chaos(7, 30, 50)],
  ] as const
).map(([name, make]) => [name, make, join(FOLDER, `${name.replaceAll(/[ ,]+/g, '-')}.txt`)]);
