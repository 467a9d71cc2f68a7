// `lblab up`: build a lab and leave it running.
import { checkHome, labFolder, stateOf, type LabRecord } from '../../lab/folders.ts';
import { down, up as bringUp, UP, stagesOf } from '../../lab/lab.ts';
import { buildPlan } from '../../plan/build.ts';
import type { Topology } from '../../topology/types.ts';
import { nextSteps } from '../../report/table.ts';
import type { Cli } from '../context.ts';
import { EXIT, Failure } from '../failure.ts';
import { chooseFor } from '../kernel.ts';
import { buildOptions } from '../labs.ts';
import { openProgress } from '../progress.ts';
import { loadTopology } from '../topologies.ts';

interface Options {
  readonly name?: string;
  readonly recreate?: boolean;
}

/** Paths at which two plain values differ, such as `nodes.1.httpd`. */
export function differences(before: unknown, after: unknown, path = ''): string[] {
  if (JSON.stringify(before) === JSON.stringify(after)) return [];
  if (typeof before !== 'object' || typeof after !== 'object' || before === null || after === null)
    return [path];
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].flatMap((key) =>
    differences(
      (before as Record<string, unknown>)[key],
      (after as Record<string, unknown>)[key],
      path === '' ? key : `${path}.${key}`,
    ),
  );
}

/** Lists of named things become objects by name: `nodes.be1.httpd` says more than `nodes.2.httpd`. */
function named(topology: Topology): unknown {
  const byName = (list: readonly { name: string }[]) =>
    Object.fromEntries(list.map((item) => [item.name, item]));
  // What is expected is judged, not built: a lab need not be made anew for it.
  const { expect: _expect, claims: _claims, ...built } = topology;
  return {
    ...built,
    segments: byName(topology.segments),
    nodes: byName(topology.nodes),
    captures: byName(topology.captures),
  };
}

function whatNow(name: string, topology: Topology): string {
  const node = topology.balancer?.node ?? topology.nodes[0]!.name;
  return nextSteps(
    [`lblab request ${name}`, 'requests, and who answered'],
    [`lblab capture ${name}`, 'requests, and a pcap of every capture point'],
    [`lblab shell -l ${name} ${node}`, `a shell in ${node}`],
    [`lblab down ${name}`, 'its end'],
  );
}

function alreadyUp(cli: Cli, record: LabRecord, topology: Topology): number {
  const changed = differences(named(record.topology), named(topology));
  if (changed.length === 0) {
    if (cli.json) cli.out(JSON.stringify(document(record, 'was up')) + '\n');
    else cli.out(`${record.name} is up already\n${whatNow(record.name, topology)}`);
    return EXIT.ok;
  }
  const shown = changed.slice(0, 20).map((path) => `  ${path}\n`);
  throw new Failure(
    `${record.name} is up, and its topology has changed since:\n${shown.join('')}` +
      (changed.length > 20 ? `  and ${changed.length - 20} more\n` : '') +
      `lblab up ... --recreate builds it anew; --name NAME builds a second one`,
    EXIT.usage,
  );
}

function document(record: LabRecord, did: string) {
  return {
    schema: 'lblab/up@1',
    lab: record.name,
    did,
    kernel: record.kernel,
    topology: record.topologyFile,
    nodes: record.topology.nodes.map((node) => node.name),
  };
}

export async function up(cli: Cli, name: string, options: Options): Promise<number> {
  const loaded = await loadTopology(cli, name);
  const { topology } = loaded;
  const lab = options.name ?? topology.name;
  await checkHome(cli.host.home, cli.host.uid);
  const dir = labFolder(cli.host.home, lab);
  const found = await stateOf(dir);
  if (found.state === 'up' && options.recreate !== true) return alreadyUp(cli, found.record, topology);
  if (options.recreate === true) await down(cli.host, lab, cli.timeout);
  const began = performance.now();
  const { kernel } = await chooseFor(cli, topology);
  using progress = openProgress(cli);
  const line = progress.lab(lab);
  line.begin(stagesOf(buildPlan(topology, lab, { kernel }), UP));
  const record = await bringUp(buildOptions(cli, loaded, { name: lab, kernel, onStep: line.onStep }));
  if (cli.json) progress.cli.out(JSON.stringify(document(record, 'built')) + '\n');
  else
    progress.cli.out(
      `${lab} is up, in ${((performance.now() - began) / 1000).toFixed(2)} s\n${whatNow(lab, topology)}`,
    );
  return EXIT.ok;
}
