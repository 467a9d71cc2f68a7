// `lblab capture`: packets of a lab, into files at all capture points at once, or as a stream from one.
import { join } from 'node:path';
import { labFolder, noteCaptures } from '../../lab/folders.ts';
import { StepError } from '../../lab/execute.ts';
import { attachLab, interruption, type Lab } from '../../lab/lab.ts';
import { pointsAt } from '../../lab/points.ts';
import { runRound, type Round } from '../../lab/round.ts';
import { streamCapture } from '../../lab/stream.ts';
import { followCaptures } from '../../lab/tail.ts';
import { sendRequests } from '../../lab/traffic.ts';
import { connections } from '../../pcap/index.ts';
import { word } from '../../plan/shell.ts';
import { byBackend, succeeded } from '../../report/json.ts';
import { LiveLines } from '../../report/live.ts';
import { capturesText, requestsText } from '../../report/text.ts';
import type { CapturePoint } from '../../topology/types.ts';
import type { Evidence } from '../../verify/types.ts';
import { nextSteps } from '../../report/table.ts';
import type { Cli } from '../context.ts';
import { EXIT, Failure } from '../failure.ts';
import { writeTo } from '../inside.ts';
import { withLab } from '../labs.ts';
import { outputFolder, save, shown } from '../output.ts';
import { failed, requireTraffic } from './request.ts';

interface Options {
  readonly requests?: number;
  readonly concurrency?: number;
  readonly rate?: number;
  readonly output?: string;
  readonly at?: readonly string[];
  readonly filter?: string;
  readonly for?: number;
  readonly traffic: boolean;
  readonly write?: string;
  readonly live?: boolean;
}

/** `lblab/capture@1`. */
function document(lab: Lab, evidence: Evidence, folder: string) {
  return {
    schema: 'lblab/capture@1',
    lab: lab.name,
    folder,
    ...(evidence.requests && {
      requests: {
        sent: evidence.requests.length,
        succeeded: succeeded(evidence),
        byBackend: byBackend(evidence),
      },
    }),
    captures: [...evidence.captures.values()].map((point) => {
      const tcp = connections(point.capture).filter((connection) => connection.protocol === 'tcp');
      return {
        name: point.name,
        node: point.node,
        interface: point.interface,
        path: join(folder, `${point.name}.pcap`),
        packets: point.capture.packets.length,
        dropped: point.dropped ?? null,
        ...(point.incomplete !== undefined && { incomplete: point.incomplete }),
        connections: tcp.length,
        sources: [...new Set(tcp.map((connection) => connection.client.address))].sort(),
      };
    }),
  };
}

/** Shows packets as their files get them. */
function showLive(cli: Cli, lab: Lab, points: readonly CapturePoint[]) {
  const machines = new Map(
    lab.topology.nodes.flatMap((node) => node.interfaces.map(({ mac }) => [mac, node.name] as const)),
  );
  const lines = new LiveLines({
    paint: cli.paint,
    points: points.map(({ name }) => name),
    nameOfMac: (mac) => machines.get(mac) ?? mac,
  });
  let following: ReturnType<typeof followCaptures> | undefined;
  return {
    begin: () => {
      const paths = points.map(({ name }) => join(lab.dir, `${name}.pcap`));
      following = followCaptures(paths, (packets) => {
        const columns = cli.isTerminal ? process.stdout.columns : undefined;
        cli.out(packets.map(({ capture, packet }) => `${lines.line(capture, packet, columns)}\n`).join(''));
      });
    },
    end: async () => following?.close(),
  };
}

async function toFiles(cli: Cli, lab: Lab, options: Options, traffic: boolean): Promise<number> {
  const points = pointsAt(lab.topology, options.at ?? [], options.filter);
  if (points.length === 0) {
    throw new Failure(`${lab.name} has no capture points: say where with --at NODE:INTERFACE`, EXIT.usage);
  }
  if (!traffic && options.for === undefined && !cli.json) cli.say('capturing; Ctrl-C ends it\n');
  const requester =
    options.live === true && traffic
      ? await attachLab(cli.host, lab.name, { timeout: cli.timeout })
      : undefined;
  const live = options.live === true ? showLive(cli, lab, points) : undefined;
  const folder = outputFolder(cli, lab.name, options.output);
  let round: Round;
  try {
    round = await runRound(lab, {
      requests: options.requests,
      concurrency: options.concurrency,
      rate: options.rate,
      points,
      traffic,
      seconds: options.for,
      signal: cli.signal,
      onCapturing: live?.begin,
      requester,
      keep: async (evidence) => save(cli, lab, evidence, folder),
    });
  } finally {
    requester?.client.release();
    await live?.end();
  }
  const { evidence } = round;
  // `lblab verify LAB` finds them again from any folder.
  await noteCaptures(labFolder(cli.host.home, lab.name), folder);
  const largest = [...evidence.captures.values()].reduce((a, b) =>
    b.capture.packets.length > a.capture.packets.length ? b : a,
  );
  const whole = options.at === undefined && options.filter === undefined && traffic;
  if (cli.json) cli.out(JSON.stringify(document(lab, evidence, folder)) + '\n');
  else {
    const file = word(join(shown(cli, folder), `${largest.name}.pcap`));
    cli.out(
      `${cli.paint.bold(lab.name)}\n` +
        requestsText(evidence) +
        capturesText(evidence, folder, cli) +
        nextSteps(
          ...(whole ? [[`lblab verify ${lab.name}`, 'what these captures prove'] as const] : []),
          [`lblab inspect ${file}`, 'its connections'],
          [`wireshark ${file}`, 'its packets'],
        ),
    );
  }
  const incomplete = [...evidence.captures.values()].filter((point) => point.incomplete !== undefined);
  for (const point of incomplete) cli.say(`${point.name}.pcap is not whole: ${point.incomplete}\n`);
  if (round.broken !== undefined) throw new Failure(`${lab.name} broke: ${round.broken}`, EXIT.undecided);
  if (incomplete.length > 0) return EXIT.undecided;
  return traffic && succeeded(evidence) !== evidence.requests?.length ? EXIT.failed : EXIT.ok;
}

async function toStream(cli: Cli, lab: Lab, options: Options, traffic: boolean): Promise<number> {
  if (options.at?.length !== 1) {
    const example = lab.topology.captures[0];
    throw new Failure(
      `-w streams one capture point: say which with --at${example === undefined ? '' : `, such as --at ${example.node}:${example.interface}`}`,
      EXIT.usage,
    );
  }
  if (options.output !== undefined) throw new Failure('-w and -o exclude each other', EXIT.usage);
  if (cli.isTerminal) {
    throw new Failure(
      '-w - writes packets, not text: give it a reader, such as | wireshark -k -i -',
      EXIT.usage,
    );
  }
  const point = pointsAt(lab.topology, options.at, options.filter)[0]!;
  let failures = 0;
  const words = await streamCapture(
    lab,
    point,
    async (data) => writeTo(process.stdout, data),
    async () => {
      const began = performance.now();
      cli.say(
        `capturing at ${point.node}:${point.interface}${traffic || options.for !== undefined ? '' : '; Ctrl-C ends it'}\n`,
      );
      const interrupted = interruption(cli.signal).catch(() => undefined);
      const requests = async () => {
        if (!traffic) return;
        const { requests: records } = await sendRequests(lab, { ...options, seconds: options.for });
        failures = records.filter(failed).length;
      };
      await Promise.race([requests(), interrupted]);
      if (cli.signal.aborted || (traffic && options.for === undefined)) return;
      let timer: NodeJS.Timeout | undefined;
      const over = new Promise<void>((resolve) => {
        if (options.for === undefined) return;
        timer = setTimeout(resolve, options.for * 1000 - (performance.now() - began));
      });
      await Promise.race([over, interrupted]);
      clearTimeout(timer);
    },
  );
  const last = words.trimEnd().split('\n').slice(-3);
  cli.say(last.map((line) => `${line}\n`).join(''));
  return failures > 0 ? EXIT.failed : EXIT.ok;
}

export async function capture(cli: Cli, name: string | undefined, options: Options): Promise<number> {
  if (options.write !== undefined && options.write !== '-') {
    throw new Failure(
      `-w takes - only (standard output); -o ${word(options.write)} names a folder for files`,
      EXIT.usage,
    );
  }
  const streams = options.write === '-';
  if (options.live === true && (streams || cli.json)) {
    throw new Failure(`--live and ${streams ? '-w' : '--json'} exclude each other`, EXIT.usage);
  }
  // --for alone listens; a stream is for watching what others do. With -n or --rate there are requests in either case.
  const asks = options.requests !== undefined || options.rate !== undefined;
  const traffic = options.traffic && (asks || (options.for === undefined && !streams));
  return withLab(cli, name, async (lab) => {
    if (traffic) requireTraffic(lab);
    try {
      return await (streams ? toStream : toFiles)(cli, lab, options, traffic);
    } catch (error) {
      // tcpdump refused: its own words say what is wrong with the filter.
      if (error instanceof StepError && error.step.id.startsWith('capture.') && error.ended !== undefined) {
        throw new Failure(error.message, EXIT.usage);
      }
      throw error;
    }
  });
}
