// `lblab inspect`: what is in captures, anybody's. Needs no lab, no root and no Linux.
import { interruption } from '../../lab/lab.ts';
import { forJson } from '../../report/escape.ts';
import { inspectDocument, inspectText, type InspectedCapture } from '../../report/inspect.ts';
import { twinsText } from '../../report/twins.ts';
import { allowance, readInspected } from '../captures.ts';
import type { Cli } from '../context.ts';
import { EXIT, Failure } from '../failure.ts';
import { isChosen, isFiltering, type FilterOptions } from '../filters.ts';

interface Options extends FilterOptions {
  readonly headers?: boolean;
  readonly packets?: boolean;
  readonly limit?: number;
  readonly whole?: boolean;
}

/** Rows of a list in text; JSON is for programs and has all. */
const ROWS = 50;

async function readAll(cli: Cli, paths: readonly string[], isWhole: boolean): Promise<InspectedCapture[]> {
  const left = allowance(isWhole);
  const captures: InspectedCapture[] = [];
  const failures: Failure[] = [];
  for (const path of paths) {
    // One after the other: they share the memory.
    try {
      captures.push(await readInspected(cli, path, left));
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      failures.push(error);
    }
  }
  if (failures.length > 0) throw new Failure(failures.map(({ message }) => message).join('\n'), EXIT.usage);
  return captures;
}

export async function inspect(cli: Cli, paths: string[], options: Options): Promise<number> {
  if (paths.filter((path) => path === '-').length > 1)
    throw new Failure('standard input can be read only once', EXIT.usage);
  const reading = readAll(cli, paths, options.whole === true);
  // What is piped in ends by the same Ctrl-C, and is shown then.
  const captures = paths.includes('-')
    ? await reading
    : await Promise.race([reading, interruption(cli.signal)]);
  const filtered = isFiltering(options);
  const chosen = captures.map((capture) => ({
    ...capture,
    connections: capture.connections.filter((connection) => isChosen(connection, options)),
  }));
  const limit = (standard: number) =>
    options.limit === undefined ? standard : options.limit === 0 ? Number.POSITIVE_INFINITY : options.limit;
  if (cli.json) {
    cli.out(forJson(inspectDocument(chosen, limit(Number.POSITIVE_INFINITY))) + '\n');
    return EXIT.ok;
  }
  const text = inspectText(chosen, {
    paint: cli.paint,
    limit: limit(ROWS),
    headers: options.headers,
    answers: cli.verbose,
    packets: options.packets,
    filtered,
  });
  cli.out(text + twinsText(chosen, { paint: cli.paint, limit: limit(ROWS) }));
  return EXIT.ok;
}
