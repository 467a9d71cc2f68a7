// `lblab load`: thousands of connections through a lab, each of them accounted for.
import { join, resolve } from 'node:path';
import { labs } from '../../lab/folders.ts';
import { temporaryLab, type Lab } from '../../lab/lab.ts';
import { runLoad } from '../../lab/load.ts';
import { Outlet } from '../../lab/outlet.ts';
import { loadDocument, loadText, type LoadResult } from '../../report/load.ts';
import { remedyFor } from '../../sandbox/choose.ts';
import { takeCensus } from '../../verify/census.ts';
import { summary } from '../../verify/index.ts';
import { judgeLoad, loadFigures, type LoadCapture } from '../../verify/load.ts';
import { callerOf, type Cli } from '../context.ts';
import { EXIT, Failure } from '../failure.ts';
import { chooseFor, machineOf } from '../kernel.ts';
import { buildOptions, withLab } from '../labs.ts';
import { follow } from '../progress.ts';
import { loadTopology } from '../topologies.ts';
import { requireTraffic } from './request.ts';

interface Options {
  readonly rate?: number;
  readonly connections?: number;
  readonly for?: number;
  readonly concurrency: number;
  readonly captures: boolean;
  readonly output?: string;
}

interface Load {
  readonly connections: number;
  readonly rate?: number;
  /** Seconds after which a load is given up. */
  readonly limit: number;
}

const CONNECTIONS = 10_000;
const MOST = 100_000;
/** What a load may take beyond its own time: a slow machine's user-mode kernel makes a hundred connections a second. */
const GRACE = 60;
const SLOWEST = 50;

/** Of rate, connections and time any two say the third. */
export function loadOf(options: Pick<Options, 'rate' | 'connections' | 'for'>): Load {
  const { for: seconds } = options;
  if (options.rate !== undefined && options.connections !== undefined && seconds !== undefined)
    throw new Failure('--rate, --connections and --for: any two say the third', EXIT.usage);
  const connections =
    options.connections ??
    (options.rate === undefined || seconds === undefined
      ? CONNECTIONS
      : Math.max(1, Math.round(options.rate * seconds)));
  if (connections > MOST)
    throw new Failure(`that is ${connections} connections; ${MOST} at most are accounted for`, EXIT.usage);
  const rate = options.rate ?? (seconds === undefined ? undefined : connections / seconds);
  const planned = rate === undefined ? 0 : connections / rate;
  return { connections, rate, limit: Math.ceil(planned + GRACE + connections / SLOWEST) };
}

async function save(cli: Cli, lab: Lab, captures: readonly LoadCapture[], folder: string): Promise<void> {
  const outlet = await Outlet.open(folder, callerOf(cli));
  try {
    const files = captures.flatMap(({ name }) => [`${name}.pcap`, `${name}.log`]);
    for (const file of files) await outlet.copy(join(lab.dir, file), file);
  } finally {
    await outlet.close();
  }
}

async function put(cli: Cli, lab: Lab, options: Options, folder: string | undefined): Promise<LoadResult> {
  requireTraffic(lab);
  const load = loadOf(options);
  const pace = load.rate === undefined ? `${options.concurrency} at a time` : `${load.rate} a second`;
  if (!cli.json) cli.say(`${lab.name}: ${load.connections} connections, ${pace}, within ${load.limit} s\n`);
  const began = performance.now();
  const { concurrency, captures } = options;
  let sides: Awaited<ReturnType<typeof takeCensus>> | undefined;
  const keep = async (made: readonly LoadCapture[]) => {
    sides = await takeCensus(made, lab.topology);
    if (folder !== undefined) await save(cli, lab, made, folder);
  };
  const round = await runLoad(lab, { ...load, concurrency, captures, keep, signal: cli.signal });
  if (round.broken !== undefined) throw new Failure(`${lab.name} broke: ${round.broken}`, EXIT.undecided);
  const evidence = {
    topology: lab.topology,
    wanted: load.connections,
    clients: round.clients,
    captures: round.captures,
    sides: sides!,
    logs: round.logs,
  };
  return {
    lab: lab.name,
    method: lab.topology.balancer?.method,
    kernel: lab.kernel,
    wanted: load.connections,
    rate: load.rate,
    figures: loadFigures(evidence),
    checks: judgeLoad(evidence),
    milliseconds: performance.now() - began,
  };
}

/** A lab that is up, or else one of a topology for the time of `work`. */
async function inLab<T>(cli: Cli, name: string | undefined, work: (lab: Lab) => Promise<T>): Promise<T> {
  const up = (await labs(cli.host.home)).filter((lab) => lab.alive).map(({ record }) => record.name);
  if (name === undefined || up.includes(name)) {
    const remedy = await remedyFor(['h2load'], machineOf(cli));
    if (remedy !== undefined) throw new Failure(remedy, EXIT.missing);
    return withLab(cli, name, work);
  }
  const loaded = await loadTopology(cli, name);
  const { topology } = loaded;
  requireTraffic({ name: topology.name, topology });
  const { kernel } = await chooseFor(cli, topology, ['h2load']);
  const lab = await temporaryLab(buildOptions(cli, loaded, { kernel, onStep: follow(cli, topology.name) }));
  try {
    return await work(lab);
  } finally {
    await lab.destroy();
  }
}

export async function load(cli: Cli, names: string[], options: Options): Promise<number> {
  loadOf(options);
  const results: LoadResult[] = [];
  // One after the other: a load takes all that the machine has.
  for (const name of names.length === 0 ? [undefined] : names) {
    const result = await inLab(cli, name, async (lab) => {
      const own = names.length > 1 ? lab.name : '.';
      const folder = options.output === undefined ? undefined : resolve(cli.cwd, options.output, own);
      return put(cli, lab, options, folder);
    });
    results.push(result);
  }
  cli.out(cli.json ? `${JSON.stringify(loadDocument(results))}\n` : loadText(results, cli.paint));
  const statuses = results.map(({ checks }) => summary(checks));
  if (statuses.includes('fail')) return EXIT.failed;
  return statuses.includes('unknown') ? EXIT.undecided : EXIT.ok;
}
