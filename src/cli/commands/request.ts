// `lblab request`: the client's requests, and who answered them.
import { sendRequests } from '../../lab/traffic.ts';
import { interruption, type Lab } from '../../lab/lab.ts';
import { forTerminal } from '../../report/escape.ts';
import { nextSteps, table } from '../../report/table.ts';
import type { RequestRecord } from '../../verify/types.ts';
import type { Cli } from '../context.ts';
import { EXIT, Failure } from '../failure.ts';
import { withLab } from '../labs.ts';

export interface RequestOptions {
  readonly requests?: number;
  readonly concurrency?: number;
  readonly rate?: number;
  readonly for?: number;
}

/** A request without an answer, or with one that says that it failed. */
export const failed = (record: RequestRecord) => record.error !== undefined || record.status >= 400;

/** Answers by backend, in the topology's order. */
function shares(lab: Lab, requests: readonly RequestRecord[]): Record<string, number> {
  const backends = lab.topology.nodes.filter((node) => node.role === 'backend').map((node) => node.name);
  const counts: Record<string, number> = Object.fromEntries(backends.map((name) => [name, 0]));
  for (const { backend } of requests) if (backend !== undefined) counts[backend] = (counts[backend] ?? 0) + 1;
  return counts;
}

const milliseconds = (seconds: number) => `${(seconds * 1000).toFixed(1)} ms`;

function text(cli: Cli, lab: Lab, requests: readonly RequestRecord[]): string {
  const several = new Set(requests.map((record) => record.client)).size > 1;
  const rows = requests.map((record) => [
    ...(several ? [record.client] : []),
    String(record.number),
    record.status === 0 ? '-' : String(record.status),
    record.backend ?? '-',
    record.localPort === 0 ? '-' : String(record.localPort),
    milliseconds(record.seconds),
    failed(record) ? cli.paint.red(forTerminal(record.error ?? `status ${record.status}`)) : '',
  ]);
  const heads = [...(several ? ['CLIENT'] : []), 'REQUEST', 'STATUS', 'BACKEND', 'PORT', 'TIME', ''];
  const times = requests.map((record) => record.seconds).sort((a, b) => a - b);
  const counts = Object.entries(shares(lab, requests)).map(([backend, count]) => `${backend} ${count}`);
  const bad = requests.filter(failed).length;
  return (
    table([heads, ...rows]) +
    `${requests.length - bad} of ${requests.length} answered${counts.length === 0 ? '' : `: ${counts.join(', ')}`}` +
    (times.length === 0
      ? '\n'
      : `; median ${milliseconds(times[Math.floor(times.length / 2)]!)}, slowest ${milliseconds(times.at(-1)!)}\n`) +
    (bad === 0
      ? nextSteps([`lblab capture ${lab.name}`, 'the same, with a pcap of every capture point'])
      : nextSteps([`lblab status ${lab.name}`, 'whether every service is alive']))
  );
}

/** Throws Failure for a lab that has nothing to request. */
export function requireTraffic(lab: Pick<Lab, 'name' | 'topology'>): void {
  if (lab.topology.traffic !== undefined) return;
  throw new Failure(
    `${lab.name} has nothing to request: its topology has no traffic, and no balancer and client to take it from`,
    EXIT.usage,
  );
}

/** Throws Failure for a time without a rate: how many requests that is would be chance. */
export function requireRate(lab: Pick<Lab, 'topology'>, options: RequestOptions): void {
  if (options.for === undefined || options.rate !== undefined || lab.topology.traffic?.rate !== undefined)
    return;
  throw new Failure('--for wants a rate: --rate 50/s --for 10s', EXIT.usage);
}

export async function request(cli: Cli, name: string | undefined, options: RequestOptions): Promise<number> {
  return withLab(cli, name, async (lab) => {
    requireTraffic(lab);
    requireRate(lab, options);
    const { requests } = await Promise.race([
      sendRequests(lab, { ...options, seconds: options.for }),
      interruption(cli.signal),
    ]);
    if (cli.json) {
      const succeeded = requests.filter((each) => !failed(each)).length;
      cli.out(
        JSON.stringify({
          schema: 'lblab/request@1',
          lab: lab.name,
          ok: succeeded === requests.length,
          url: lab.topology.traffic!.url,
          sent: requests.length,
          succeeded,
          byBackend: shares(lab, requests),
          requests: requests.map(({ seconds, ...each }) => ({
            ...each,
            milliseconds: Math.round(seconds * 1e6) / 1e3,
          })),
        }) + '\n',
      );
    } else {
      cli.out(text(cli, lab, requests));
    }
    return requests.length === 0 || requests.some(failed) ? EXIT.failed : EXIT.ok;
  });
}
