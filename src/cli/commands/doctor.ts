// `lblab doctor`: what this machine has of what labs need, and which labs can run on it.
import { readFile } from 'node:fs/promises';
import { arch, release, type } from 'node:os';
import { table } from '../../report/table.ts';
import { ALWAYS, chooseKernel, FOR_UML, packageOf, type Choice } from '../../sandbox/choose.ts';
import { examine, installMissing, type Findings } from '../../sandbox/doctor.ts';
import { NEEDS, type Need } from '../../sandbox/needs.ts';
import type { Topology } from '../../topology/types.ts';
import { groupBy } from '../../pcap/index.ts';
import type { Cli } from '../context.ts';
import { EXIT } from '../failure.ts';
import { machineOf, needsOf } from '../kernel.ts';
import { loadTopology, shippedNames } from '../topologies.ts';

interface Examined {
  readonly system: string;
  readonly findings: Findings;
  readonly labs: readonly Lab[];
}

interface Lab {
  readonly topology: Topology;
  readonly needs: readonly Need[];
  readonly choice: Choice | { readonly missing: string };
}

const needs = Object.keys(NEEDS) as Need[];
const isKernel = (need: Need) => need.startsWith('kernel:');

async function systemName(): Promise<string> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const name = /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(text)?.[1] ?? type();
  return `${name}, ${type()} ${release()} ${arch()}, Node.js ${process.versions.node}`;
}

async function look(cli: Cli): Promise<Examined> {
  const [system, findings, topologies] = await Promise.all([
    systemName(),
    examine(machineOf(cli)),
    shippedNames().then(async (names) => Promise.all(names.map(async (name) => loadTopology(cli, name)))),
  ]);
  const labs = await Promise.all(
    topologies.map(async ({ topology }) => {
      const wanted = needsOf(topology);
      const choice = await chooseKernel(cli.kernel, wanted, machineOf(cli), (need) => findings[need].works);
      return { topology, needs: wanted, choice };
    }),
  );
  return { system, findings, labs };
}

/** Who needs a thing: `every lab`, `user-mode kernel`, names of topologies. */
function neededBy(need: Need, labs: readonly Lab[]): string[] {
  if (ALWAYS.includes(need)) return ['every lab'];
  return [
    ...(need === 'ping' ? ['lblab ping'] : []),
    ...(need === 'h2load' ? ['lblab load'] : []),
    ...(FOR_UML.includes(need) ? ['user-mode kernel'] : []),
    ...labs.filter((lab) => lab.needs.includes(need)).map((lab) => lab.topology.name),
  ];
}

/** Labs that fare alike share a row. */
function labRows(labs: readonly Lab[], mark: (good: boolean) => string): string[][] {
  const fate = ({ choice }: Lab) => ('kernel' in choice ? choice.why : choice.missing);
  return [...groupBy(labs, fate)].map(([why, alike]) => [
    `${mark('kernel' in alike[0]!.choice)} ${alike.map((lab) => lab.topology.name).join(', ')}`,
    why,
  ]);
}

/** Whether labs in a user-mode kernel have a kernel feature. */
function inGuest(need: Need, findings: Findings): boolean {
  const what = NEEDS[need];
  return 'guest' in what && what.guest && FOR_UML.every((program) => findings[program].works);
}

function missingPackages(findings: Findings): string[] {
  return [...new Set(needs.filter((need) => !findings[need].found).flatMap((need) => packageOf(need) ?? []))];
}

function doctorText(cli: Cli, { system, findings, labs }: Examined): string {
  const { paint } = cli;
  const mark = (good: boolean) => (good ? paint.green('✓') : paint.red('✗'));
  const users = (need: Need) => neededBy(need, labs).join(', ') || 'labs of your own';
  const programs = needs.filter((need) => !isKernel(need));
  const programRow = (need: Need) => {
    const { works, found, version, detail } = findings[need];
    const told = detail === undefined ? '' : ` (${detail})`;
    return [
      `${mark(works)} ${NEEDS[need].title}`,
      found ? (version ?? '') : 'missing',
      packageOf(need) ?? '',
      users(need) + told,
    ];
  };
  const kernelRow = (need: Need) => [
    NEEDS[need].title,
    mark(findings[need].works),
    mark(inGuest(need, findings)),
    users(need),
    findings[need].detail ?? '',
  ];
  const unable = labs.filter((lab) => 'missing' in lab.choice).length;
  const missing = missingPackages(findings);
  const kernels = ['', 'here', 'user-mode', 'needed by', "on this machine's kernel"];
  return (
    `${system}, ${cli.host.uid === 0 ? 'root' : `user ${cli.host.uid}`}\n` +
    `\nPrograms, their Debian packages, and what needs them\n${table(programs.map(programRow), '  ')}` +
    `\nWhat kernels can do, and what needs it\n${table([kernels, ...needs.filter(isKernel).map(kernelRow)], '  ')}` +
    `\nLabs\n${table(labRows(labs, mark), '  ')}\n` +
    (unable === 0 ? 'All can run here.\n' : `${unable} of ${labs.length} cannot run here.\n`) +
    (missing.length === 0 ? '' : `lblab doctor --fix installs ${missing.join(' ')}\n`)
  );
}

function document({ system, findings, labs }: Examined, uid: number) {
  return {
    schema: 'lblab/doctor@1',
    system,
    uid,
    needs: needs.map((need) => ({
      need,
      title: NEEDS[need].title,
      found: findings[need].found,
      works: findings[need].works,
      version: findings[need].version ?? null,
      package: packageOf(need) ?? null,
      neededBy: neededBy(need, labs),
      detail: findings[need].detail ?? null,
      ...(isKernel(need) && { userModeKernel: inGuest(need, findings) }),
    })),
    labs: labs.map(({ topology, choice }) => ({
      topology: topology.name,
      kernel: 'kernel' in choice ? choice.kernel : null,
      why: 'kernel' in choice ? choice.why : choice.missing,
    })),
    missingPackages: missingPackages(findings),
  };
}

export async function doctor(cli: Cli, options: { fix?: boolean }): Promise<number> {
  const installed = options.fix === true ? await installMissing(cli.env) : EXIT.ok;
  const examined = await look(cli);
  if (cli.json) cli.out(JSON.stringify(document(examined, cli.host.uid)) + '\n');
  else cli.out(doctorText(cli, examined));
  if (installed !== EXIT.ok) return EXIT.missing;
  return examined.labs.every((lab) => 'kernel' in lab.choice) ? EXIT.ok : EXIT.missing;
}
