// `lblab report`: what labs showed, as one HTML page to keep or to send.
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import * as z from 'zod';
import { claimsOf } from '../../balancers/index.ts';
import { writeNamed } from '../../lab/outlet.ts';
import { htmlReport } from '../../report/html.ts';
import { forTerminal } from '../../report/escape.ts';
import type { Judged } from '../../report/types.ts';
import { failovers, type Failover } from '../../verify/failover.ts';
import { judgeRound, summary } from '../../verify/index.ts';
import { MissingEvidenceError } from '../../verify/observe.ts';
import { callerOf, type Cli } from '../context.ts';
import { EXIT, Failure } from '../failure.ts';
import { shown } from '../output.ts';
import { findRound, type Round } from '../sources.ts';

interface Options {
  readonly output: string;
}

/** As far as they are read here: `lblab run --json`; and `lblab failover --json`, which it also leaves beside its captures. */
const document = z.discriminatedUnion('schema', [
  z.looseObject({
    schema: z.literal('lblab/run@1'),
    labs: z.array(
      z.looseObject({
        lab: z.string(),
        topology: z.string(),
        kernel: z.enum(['host', 'uml']),
        captures: z.array(z.looseObject({ path: z.string() })),
        timings: z.record(z.string(), z.number()),
      }),
    ),
  }),
  z.looseObject({
    schema: z.literal('lblab/failover@1'),
    labs: z.array(z.looseObject({ topology: z.string(), captures: z.string() })),
  }),
]);

/** What a page is about: labs that are judged, and labs in which something went down to see what it costs. */
interface Subjects {
  readonly results: readonly Judged[];
  readonly failed: readonly Failover[];
}

function judged(round: Round, known: Partial<Judged> = {}): Judged {
  const { name, topology, evidence, folder, live } = round;
  const ids = claimsOf(topology);
  const checks = judgeRound(evidence, ids, { live });
  return { name, topology, evidence, output: folder, checks, status: summary(checks), ...known };
}

/** The labs of a run, from the captures that it left. */
async function ofDocument(cli: Cli, path: string): Promise<Subjects> {
  const refuse = (words: string) => new Failure(`${forTerminal(path)}: ${words}`, EXIT.usage);
  const text = await readFile(resolve(cli.cwd, path), 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw refuse(error.code === 'ENOENT' ? 'no such lab, folder or file' : error.message);
  });
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    throw refuse('neither a folder of captures nor what lblab run --json or lblab failover --json wrote');
  }
  const read = document.safeParse(data);
  if (!read.success)
    throw refuse(
      'not what lblab run --json or lblab failover --json wrote (schema lblab/run@1, lblab/failover@1)',
    );
  const roundIn = async (folder: string | undefined, lab: string) => {
    const round = folder === undefined ? undefined : await findRound(cli, `${folder}/`);
    if (round === undefined) throw refuse(`the captures of ${forTerminal(lab)} are not there any more`);
    return round;
  };
  if (read.data.schema === 'lblab/failover@1') {
    const rounds = await Promise.all(
      read.data.labs.map(async ({ topology, captures }) => roundIn(captures, topology)),
    );
    try {
      return { results: [], failed: rounds.flatMap(({ evidence }) => failovers(evidence)) };
    } catch (error) {
      if (!(error instanceof MissingEvidenceError)) throw error;
      throw refuse(error.message);
    }
  }
  const results = await Promise.all(
    read.data.labs.map(async ({ lab, topology, kernel, captures, timings }) => {
      const round = await roundIn(captures[0] && dirname(captures[0].path), lab);
      return judged({ ...round, live: true }, { file: topology, kernel, timings });
    }),
  );
  return { results, failed: [] };
}

export async function report(cli: Cli, words: string[], { output }: Options): Promise<number> {
  const found = await Promise.all(
    (words.length === 0 ? [undefined] : words).map(async (word) => {
      const round = await findRound(cli, word);
      return round === undefined ? ofDocument(cli, word!) : { results: [judged(round)], failed: [] };
    }),
  );
  const results = found.flatMap((each) => each.results);
  const failed = found.flatMap((each) => each.failed);
  const page = htmlReport(results, cli.cwd, failed);
  if (output === '-') {
    cli.out(page);
    return EXIT.ok;
  }
  const path = resolve(cli.cwd, output);
  try {
    await writeNamed(path, page, callerOf(cli));
  } catch (error) {
    const message =
      (error as NodeJS.ErrnoException).code === 'EISDIR'
        ? 'it is a folder'
        : error instanceof Error
          ? error.message
          : String(error);
    throw new Failure(`no report can be written to ${forTerminal(output)}: ${message}`, EXIT.usage);
  }
  const bytes = Buffer.byteLength(page);
  if (cli.json) {
    const labs = results.map(({ name, topology, status }) => ({ lab: name ?? topology.name, status }));
    cli.out(JSON.stringify({ schema: 'lblab/report@1', path, bytes, labs }) + '\n');
  } else cli.out(`${shown(cli, path)}  ${Math.ceil(bytes / 1024)} kB\n`);
  return EXIT.ok;
}
