// A topology file to a Topology, or to everything that is wrong with it. Stages, one a module: source (bytes, YAML), schema (shape),
// resolve (meaning). Files named in a topology are read only through the function that the caller gives.
import { basename } from 'node:path';
import { Context } from './context.ts';
import { printable, TopologyError } from './issues.ts';
import type { Issue } from './issues.ts';
import { resolve } from './resolve.ts';
import { toName } from './name-shapes.ts';
import { checkShape } from './schema.ts';
import { readSource } from './source.ts';
import type { Topology } from './types.ts';

export { TopologyError } from './issues.ts';
export type { Issue } from './issues.ts';
export { CLAIM_IDS } from './claims.ts';
export { topologySchema } from './schema.ts';
export { METHODS } from '../balancers/index.ts';
export type * from './types.ts';

/** So many problems are told of; a file with more is no topology. */
const MAX_ISSUES = 100;

export interface ParseOptions {
  /**
   * Reads a file that the topology names (`files: {NAME: {from: PATH}}`, `nginx.conf`). Gets the path joined to the topology file's
   * folder; relative paths that lead out of the folder are refused before, absolute ones are handed on.
   */
  readonly readFile?: (path: string) => Uint8Array;
}

/**
 * Reads a topology. `file` is its name as the user gave it: it stands in messages, other files are looked for beside it, and its base
 * name is the topology's name when the text gives none. Same text, same result.
 * @throws {TopologyError} with every problem found, each with line and column
 */
export function parseTopology(text: string | Uint8Array, file: string, options: ParseOptions = {}): Topology {
  const source = readSource(text);
  const issues: Issue[] = source.problems.map((problem) => ({ file, ...problem }));
  if (issues.length > 0) throw new TopologyError(sorted(issues));

  const { problems, declared, removed } = checkShape(source.data);
  const context = new Context(removed);
  const name = toName(basename(file).replace(/\.[^.]*$/, '')) || 'lab';
  const topology =
    declared === undefined
      ? undefined
      : resolve(declared, { file, name, readFile: options.readFile }, context);
  for (const { path, key, message, hint } of [...problems, ...context.problems]) {
    issues.push({
      file,
      ...source.position(path, key),
      message,
      ...(hint === undefined ? {} : { hint }),
    });
  }
  if (issues.length > 0 || topology === undefined) throw new TopologyError(sorted(issues));
  if (topology.expect === undefined) return topology;
  const located = topology.expect.map((assertion) => ({
    ...assertion,
    location: { file, ...source.position(['expect', assertion.index]) },
  }));
  return { ...topology, expect: located };
}

function tidy(text: string): string {
  return printable(text.length > 400 ? `${text.slice(0, 400)}…` : text);
}

function sorted(issues: readonly Issue[]): Issue[] {
  const seen = new Set<string>();
  return issues
    .map(({ message, hint, ...place }) => ({
      ...place,
      // Most of what is quoted from the file is escaped where it is quoted; YAML's own messages quote it as it is.
      message: tidy(message),
      ...(hint === undefined ? {} : { hint: tidy(hint) }),
    }))
    .sort((a, b) => a.line - b.line || a.column - b.column)
    .filter((issue) => {
      const key = `${issue.line}:${issue.column}:${issue.message}`;
      return seen.has(key) ? false : seen.add(key);
    })
    .slice(0, MAX_ISSUES);
}
