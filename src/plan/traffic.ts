// The clients' requests as steps: one curl a client where they come one after the other to an address, else our own program, which keeps
// a rate and looks names up in the way that the topology asks for.
import { fileURLToPath } from 'node:url';
import { faultWords } from '../topology/faults.ts';
import type { Lookup, Topology, Traffic } from '../topology/types.ts';
import { command } from './steps.ts';
import type { CommandStep, Stage, Step } from './types.ts';

export interface TrafficOptions {
  /** Of all clients together. */
  readonly requests: number;
  readonly concurrency: number;
  /** Requests a second of each client. */
  readonly rate: number;
  /** Seconds that requests go on, in place of how many; with a rate only. */
  readonly seconds: number;
}

/** What a client that keeps a rate is told: `requests/CLIENT.json`. */
export interface Orders {
  readonly url: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Seconds. */
  readonly timeout: number;
  readonly count: number;
  readonly concurrency: number;
  readonly rate?: number;
  readonly lookup?: Lookup;
  /** All requests over one connection, for as long as that lasts. */
  readonly reuse?: true;
  /** With a rate: requests begin at random moments, as many as the rate says, so that clients are not in step. */
  readonly seed?: number;
  /** Sent from the request of this number on. */
  readonly cookie?: { readonly value: string; readonly from: number };
}

/** The program that keeps a rate. */
const PACED = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../../dist/paced.js' : 'paced.js', import.meta.url),
);

/** Whether a step is a client that keeps a rate or looks names up. */
export function isPaced(step: Step): step is CommandStep {
  return step.kind === 'command' && step.argv[1] === PACED;
}

/** A string as curl's configuration file wants it (curl(1), --config). */
function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n').replaceAll('\r', '\\r').replaceAll('\t', '\\t')}"`;
}

const lines = (...parts: (string | readonly string[])[]) => parts.flat().join('\n') + '\n';

/** Where a cookie pins clients, the first half of the requests comes without it. */
function pinning(topology: Topology, count: number): { value: string; from: number } | undefined {
  const cookie = topology.balancer?.nginx.stickyCookie;
  const from = Math.ceil(count / 2) + 1;
  if (cookie === undefined || from > count) return undefined;
  return { value: `${cookie}=${topology.balancer!.services[0]!.backends.at(-1)!.node}`, from };
}

function curlConfig(topology: Topology, client: string, count: number, concurrency: number): string {
  const traffic = topology.traffic!;
  const request = (number: number) => [
    `url = ${quoted(traffic.url)}`,
    `output = ${quoted(`requests/${client}/${number}`)}`,
  ];
  const common = [
    'silent',
    'create-dirs',
    // Globbing off: a URL is a URL.
    'globoff',
    `max-time = ${traffic.timeout}`,
    // Each request on a connection of its own.
    'header = "Connection: close"',
    ...traffic.headers.map(([name, value]) => `header = ${quoted(`${name}: ${value}`)}`),
    'write-out = "%{json}\\n"',
    ...(concurrency > 1 ? ['parallel', 'parallel-immediate', `parallel-max = ${concurrency}`] : []),
  ];
  const batch = (from: number, to: number) =>
    Array.from({ length: to - from + 1 }, (_, index) => request(from + index)).flat();
  const cookie = pinning(topology, count);
  if (cookie === undefined) return lines(common, batch(1, count));
  return (
    lines(common, batch(1, cookie.from - 1)) +
    lines('next', common, `cookie = ${quoted(cookie.value)}`, batch(cookie.from, count))
  );
}

/** A number that tells clients apart, the same in every run (FNV-1a). */
function seedOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const character of text) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193) >>> 0;
  return hash;
}

function orders(
  topology: Topology,
  client: string,
  count: number,
  options: Pick<Orders, 'concurrency' | 'rate'> & { readonly isSteady: boolean },
): Orders {
  const traffic = topology.traffic!;
  const lookup = traffic.lookup?.[client];
  const cookie = pinning(topology, count);
  return {
    url: traffic.url,
    headers: traffic.headers,
    timeout: traffic.patience?.[client] ?? traffic.timeout,
    count,
    concurrency: options.concurrency,
    ...(options.rate !== undefined && { rate: options.rate }),
    ...(lookup !== undefined && { lookup }),
    ...(traffic.reuse?.includes(client) === true && { reuse: true as const }),
    ...(!options.isSteady && { seed: seedOf(client) }),
    ...(cookie !== undefined && { cookie }),
  };
}

/** How many requests each client sends. */
function shares(clients: readonly string[], traffic: Traffic, options: Partial<TrafficOptions>): number[] {
  const { requests = traffic.requests, rate = traffic.rate, seconds } = options;
  if (rate !== undefined && seconds !== undefined && options.requests === undefined)
    return clients.map(() => Math.max(1, Math.round(rate * seconds)));
  return clients.map(
    (_, index) => Math.floor(requests / clients.length) + (index < requests % clients.length ? 1 : 0),
  );
}

/** The requests that a round sends, of all clients together. */
export function requestsOf(traffic: Traffic, options: Partial<TrafficOptions>): number {
  return shares(traffic.clients, traffic, options).reduce((sum, share) => sum + share, 0);
}

/** Seconds that requests go on with a rate; nothing without one. */
export function secondsOf(traffic: Traffic, options: Partial<TrafficOptions>): number | undefined {
  const rate = options.rate ?? traffic.rate;
  if (rate === undefined) return undefined;
  const each = shares(traffic.clients, traffic, options);
  return (traffic.order === 'in-turn' ? each.reduce((sum, share) => sum + share, 0) : each[0]!) / rate;
}

/** The clients' requests: side by side, or in turn where the topology says so. */
export function trafficStage(topology: Topology, options: Partial<TrafficOptions> = {}): Stage {
  const traffic = topology.traffic;
  if (traffic === undefined) return { name: 'traffic', title: 'Requests', steps: [] };
  const concurrency = options.concurrency ?? traffic.concurrency;
  const rate = options.rate ?? traffic.rate;
  const counts = shares(traffic.clients, traffic, options);
  const steps = traffic.clients.flatMap((client, index): Step[] => {
    const count = counts[index]!;
    if (count === 0) return [];
    const lane = traffic.order === 'in-turn' ? { lane: 'traffic' } : {};
    const isOurs =
      rate !== undefined || traffic.lookup !== undefined || traffic.reuse?.includes(client) === true;
    const file = `requests/${client}.${isOurs ? 'json' : 'curl'}`;
    // Turning answers would otherwise fall to clients by parity.
    const isSteady = index === 0 || traffic.order === 'in-turn';
    return [
      {
        kind: 'file',
        id: `${client}.requests`,
        part: 'lab',
        node: client,
        path: file,
        content: isOurs
          ? `${JSON.stringify(orders(topology, client, count, { concurrency, rate, isSteady }), null, 1)}\n`
          : curlConfig(topology, client, count, concurrency),
        reason: `${count} requests, ${traffic.reuse?.includes(client) === true ? 'all on one connection' : 'each on a connection of its own'}`,
        ...lane,
      },
      command(
        `${client}.${isOurs ? 'paced' : 'curl'}`,
        isOurs ? ['node', PACED, file] : ['curl', '--disable', '--config', file],
        rate === undefined ? 'The requests' : `The requests, ${rate} a second`,
        {
          node: client,
          stdout: `requests/${client}.jsonl`,
          // A request that fails is a finding, kept in the log, and not a failure of the step.
          exitCodes: Array.from({ length: 256 }, (_, code) => code),
          ...lane,
        },
      ),
    ];
  });
  return { name: 'traffic', title: `Requests${meanwhile(topology)}`, steps };
}

/** The faults that come while requests go on, in words. */
function meanwhile({ faults = [] }: Topology): string {
  if (faults.length === 0) return '';
  const each = faults.map((fault) => `at ${fault.at} s ${fault.node} ${faultWords(fault)}`);
  return `; meanwhile ${each.join(', ')}`;
}
