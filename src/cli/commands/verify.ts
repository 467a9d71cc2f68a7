// `lblab verify`: what captures prove: a lab's last ones, or files in a folder.
import { resolve } from 'node:path';
import { claimsOf } from '../../balancers/index.ts';
import { readEvidence, savedTopology } from '../../lab/evidence.ts';
import { labFolder, readRecord } from '../../lab/folders.ts';
import { checkDocument } from '../../report/json.ts';
import { word } from '../../plan/shell.ts';
import { formatIp, parseIp } from '../../topology/address.ts';
import { readdress } from '../../topology/readdress.ts';
import type { Topology } from '../../topology/types.ts';
import { judgeRound, summary } from '../../verify/index.ts';
import { nextSteps } from '../../report/table.ts';
import type { Cli } from '../context.ts';
import { EXIT, Failure } from '../failure.ts';
import { nameOfLab } from '../labs.ts';
import { lastCaptures, shown } from '../output.ts';
import { openReports, type WantedReport } from '../reports.ts';
import { loadTopology } from '../topologies.ts';

interface Options {
  readonly topology?: string;
  readonly captures?: string;
  readonly vip?: string;
  readonly client?: readonly string[];
  readonly inside?: string;
  readonly backend?: readonly string[];
  readonly report?: readonly WantedReport[];
}

interface Source {
  readonly name: string;
  readonly topology: Topology;
  readonly folder: string;
  /** The lab's own round, with its tables; else files whose lab is not known. */
  readonly live: boolean;
}

function address(text: string, option: string): string {
  const ip = parseIp(text);
  if (ip === undefined)
    throw new Failure(`${option} takes an address (got ${JSON.stringify(text)})`, EXIT.usage);
  return formatIp(ip);
}

function numbered(topology: Topology, options: Options): Topology {
  try {
    return readdress(topology, {
      ...(options.vip !== undefined && { vip: address(options.vip, '--vip') }),
      ...(options.inside !== undefined && { inside: address(options.inside, '--inside') }),
      clients: (options.client ?? []).map((text) => address(text, '--client')),
      backends: (options.backend ?? []).map((text) => address(text, '--backend')),
    });
  } catch (error) {
    if (error instanceof RangeError) throw new Failure(error.message, EXIT.usage);
    throw error;
  }
}

/** Files in a folder, judged by a topology; by the one saved with them when none is named. */
async function files(cli: Cli, folder: string, options: Options): Promise<Source> {
  const saved = await savedTopology(folder);
  const topology =
    options.topology === undefined ? saved : (await loadTopology(cli, options.topology)).topology;
  if (topology === undefined) {
    throw new Failure(
      `${shown(cli, folder)} has no topology.json: say with --topology what its captures are of`,
      EXIT.usage,
    );
  }
  return { name: topology.name, topology: numbered(topology, options), folder, live: false };
}

async function source(cli: Cli, lab: string | undefined, options: Options): Promise<Source> {
  if (options.captures !== undefined) {
    if (lab !== undefined) {
      throw new Failure('name a lab, or --captures: not both', EXIT.usage);
    }
    return files(cli, resolve(cli.cwd, options.captures), options);
  }
  if (options.topology !== undefined) {
    throw new Failure('--topology needs --captures FOLDER: the files to judge', EXIT.usage);
  }
  // The lab may have gone down since: its captures have not.
  const name = lab ?? (await nameOfLab(cli, undefined));
  const folder = await lastCaptures(cli, name);
  const topology = await savedTopology(folder);
  if (topology !== undefined) return { name, topology: numbered(topology, options), folder, live: true };
  const up = (await readRecord(labFolder(cli.host.home, name))) !== undefined;
  if (lab !== undefined && !up) await nameOfLab(cli, lab);
  throw new Failure(
    `no captures of ${name} in ${shown(cli, folder)}; lblab capture ${name} makes them`,
    EXIT.usage,
  );
}

export async function verify(cli: Cli, lab: string | undefined, options: Options): Promise<number> {
  const reports = await openReports(cli, options.report);
  const { name, topology, folder, live } = await source(cli, lab, options);
  const evidence = await readEvidence(folder, topology);
  if (evidence.captures.size === 0) {
    const names = topology.captures.map((point) => `${point.name}.pcap`);
    throw new Failure(
      names.length === 0
        ? `${topology.name} has no capture points to judge from`
        : `${shown(cli, folder)} has no capture of ${topology.name}: there should be ${names.join(', ')}`,
      EXIT.usage,
    );
  }
  const ids = claimsOf(topology);
  const checks = judgeRound(evidence, ids, { live });
  const status = summary(checks);
  const result = { name, topology, evidence, output: folder, checks, status };
  reports.each(result);
  await reports.finish([result], () => ({
    schema: 'lblab/verify@1',
    lab: name,
    captures: folder,
    ok: status === 'pass',
    status,
    checks: checks.filter((check) => check.judged).map(checkDocument),
    notJudged: checks.filter((check) => !check.judged).map((check) => check.id),
  }));
  if (!cli.json && options.report === undefined) {
    const where = word(shown(cli, folder));
    // Captures from elsewhere have no topology beside them, by which flow would take their folder.
    const known = (await savedTopology(folder)) !== undefined;
    cli.out(
      nextSteps([
        `lblab flow ${known ? where : `${where}/*.pcap`}`,
        "a connection's packets, machine by machine",
      ]),
    );
  }
  if (status === 'fail') return EXIT.failed;
  return status === 'unknown' ? EXIT.undecided : EXIT.ok;
}
