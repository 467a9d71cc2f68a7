// A load as steps: h2load(1) in each client, which makes every request on a connection of its own and counts what became of each. Knows
// h2load's words; running it and judging what it says are left to others.
import type { Topology } from '../topology/types.ts';
import { inNode } from './steps.ts';
import type { CommandStep } from './types.ts';

export interface LoadOptions {
  /** Of all clients together, one request each. */
  readonly connections: number;
  /** Connections open at once, of all clients together, where there is no rate. */
  readonly concurrency: number;
  /** Connections a second of all clients together, whether or not those before have been answered. */
  readonly rate?: number;
}

/** h2load lets go of a connection on which nothing has come for so many seconds. */
const PATIENCE = 30;
/** h2load's timer, in milliseconds. */
const SHORTEST_PERIOD = 10;

/**
 * A rate in h2load's words: so many connections in each period of whole milliseconds. The shortest period by which the rate is met within one
 * per cent, so that connections begin as evenly as they can.
 */
export function pacing(rate: number): { readonly connections: number; readonly milliseconds: number } {
  for (let connections = Math.max(1, Math.ceil((rate * SHORTEST_PERIOD) / 1000)); ; connections++) {
    const milliseconds = Math.max(SHORTEST_PERIOD, Math.round((connections * 1000) / rate));
    if (Math.abs((connections * 1000) / milliseconds / rate - 1) < 0.01) return { connections, milliseconds };
  }
}

/** Parts as equal as can be, the first ones the larger. */
function parts(total: number, count: number): number[] {
  return Array.from(
    { length: count },
    (_, index) => Math.floor(total / count) + (index < total % count ? 1 : 0),
  );
}

/** A header as h2load takes it: Host by HTTP/2's name for it (RFC 9113 section 8.3.1), else there would be two. */
const header = ([name, value]: readonly [string, string]) =>
  `${name.toLowerCase() === 'host' ? ':authority' : name}: ${value}`;

/** A step for each client that has a share of the connections. */
export function loadSteps(topology: Topology, options: LoadOptions): CommandStep[] {
  const { clients, url, headers } = topology.traffic!;
  const shares = parts(options.connections, clients.length);
  const concurrency = parts(options.concurrency, clients.length);
  const rate = options.rate === undefined ? undefined : pacing(options.rate / clients.length);
  return clients.flatMap((client, index) => {
    const share = shares[index]!;
    if (share === 0) return [];
    const pace =
      rate === undefined
        ? ['-c', String(Math.min(share, Math.max(1, concurrency[index]!)))]
        : [...['-c', String(share), '-r', String(rate.connections)], `--rate-period=${rate.milliseconds}ms`];
    const argv = [
      ...['h2load', '--h1', '-n', String(share), ...pace, '-N', `${PATIENCE}s`],
      // The server then ends the connection, and h2load opens another.
      ...['-H', 'Connection: close'],
      ...headers.flatMap((each) => ['-H', header(each)]),
      url,
    ];
    const words = options.rate === undefined ? 'as fast as they are answered' : `${options.rate} a second`;
    return [inNode(client, 'h2load', argv, `${share} connections, ${words}`)];
  });
}
