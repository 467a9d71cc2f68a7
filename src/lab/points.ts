// Where to capture: a topology's own capture points, and any other node's interface as a point made up on the spot.
import { nearest } from '../topology/nearest.ts';
import { NO_OPTION, PRINTABLE } from '../topology/name.ts';
import type { CapturePoint, Topology } from '../topology/types.ts';
import { LabError } from './lab-error.ts';

function wrong(what: string, word: string, choices: readonly string[]): LabError {
  const near = nearest(word, choices);
  return new LabError(
    `${what}${near === undefined ? `; there are ${choices.join(', ')}` : `; did you mean ${near}?`}`,
  );
}

/** A place as the user names it: a capture point, `NODE:INTERFACE`, or a node with one interface only. Throws LabError. */
function pointAt(topology: Topology, place: string): CapturePoint {
  const declared = topology.captures.find((point) => point.name === place);
  if (declared !== undefined) return declared;
  const [name = '', written] = place.split(/:(.*)/s);
  const node = topology.nodes.find((each) => each.name === name);
  if (node === undefined) {
    const points = topology.captures.map((point) => point.name);
    const names = topology.nodes.map((each) => each.name);
    throw wrong(
      `no node and no capture point ${JSON.stringify(name)} (write NODE:INTERFACE)`,
      name,
      written === undefined ? [...points, ...names] : names,
    );
  }
  const interfaces = node.interfaces.map((link) => link.name);
  const only = interfaces.length === 1 ? interfaces[0] : undefined;
  const chosen = written ?? only;
  if (chosen === undefined) {
    throw new LabError(
      `${name} has several interfaces: say ${interfaces.map((each) => `${name}:${each}`).join(' or ')}`,
    );
  }
  if (chosen !== 'lo' && !interfaces.includes(chosen)) {
    throw wrong(`${name} has no interface ${JSON.stringify(chosen)}`, chosen, interfaces);
  }
  return (
    topology.captures.find((point) => point.node === name && point.interface === chosen) ?? {
      name: `${name}-${chosen.replace(/[^a-zA-Z0-9-]/g, '-')}`,
      node: name,
      interface: chosen,
      filter: '',
    }
  );
}

/**
 * The capture points at several places, each once; the topology's own when no place is named.
 * @param filter in place of their own; LabError for what cannot be one
 */
export function pointsAt(
  topology: Topology,
  places: readonly string[],
  filter?: string,
): readonly CapturePoint[] {
  const found = places.map((place) => pointAt(topology, place));
  const points =
    places.length === 0
      ? topology.captures
      : [...new Map(found.map((point) => [point.name, point])).values()];
  if (filter === undefined) return points;
  const shown = JSON.stringify(filter);
  if (!NO_OPTION.test(filter))
    throw new LabError(`a filter must not look like an option (got ${shown}); tcpdump would read it as one`);
  if (!PRINTABLE.test(filter))
    throw new LabError(`a filter is one line without control characters (got ${shown})`);
  return points.map((point) => ({ ...point, filter }));
}
