import { TopologyError } from '../../src/topology/index.ts';

/** The TopologyError that `parse` throws; fails when it throws none, or something else. */
export function attempt(parse: () => unknown): TopologyError {
  try {
    parse();
  } catch (error) {
    if (error instanceof TopologyError) return error;
    throw error;
  }
  throw new Error('expected a TopologyError, but the topology was accepted');
}
