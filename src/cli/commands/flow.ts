// `lblab flow`: a connection's packets as a ladder, from machine to machine.
import { buildLadder, machinesOn } from '../../report/ladder/ladder.ts';
import { ladderDocument } from '../../report/ladder/json.ts';
import { ladderText, titleText } from '../../report/ladder/text.ts';
import { readTraffic, type Traffic } from '../../report/ladder/traffic.ts';
import type { Conversation, Row } from '../../report/ladder/types.ts';
import { forTerminal } from '../../report/escape.ts';
import { nearest } from '../../topology/nearest.ts';
import { count } from '../../verify/words.ts';
import type { Cli } from '../context.ts';
import { EXIT, Failure } from '../failure.ts';
import { isChosen, isFiltering, type FilterOptions } from '../filters.ts';
import { isUtf8 } from '../locale.ts';
import { findPoints, type Points } from '../sources.ts';

interface Options extends FilterOptions {
  readonly all?: boolean;
  readonly backend?: readonly string[];
  readonly flags?: readonly string[];
  readonly limit?: number;
  readonly ascii?: boolean;
  readonly width?: number;
}

/** Conversations that the filters let through: those one of whose connections every filter holds for. */
function matching(traffic: Traffic, { topology }: Points, options: Options): readonly Conversation[] {
  const wanted = options.backend;
  const machines = wanted === undefined ? undefined : machinesOn(traffic, topology);
  if (wanted !== undefined && machines !== undefined) {
    const known = [...new Set([...machines.values()].flatMap((names) => [...names]))];
    for (const name of wanted) {
      if (known.includes(name) || topology?.nodes.some((node) => node.name === name) === true) continue;
      const near = nearest(name, known);
      throw new Failure(
        `no machine ${JSON.stringify(name)} here${near === undefined ? '' : `; did you mean ${near}?`}\n` +
          `there are: ${forTerminal(known.join(', '))}`,
        EXIT.usage,
      );
    }
  }
  return traffic.conversations.filter(
    ({ number, connections }) =>
      connections.some(({ connection }) => isChosen({ number, connection }, options)) &&
      (wanted === undefined || wanted.some((name) => machines!.get(number)?.has(name) === true)),
  );
}

function rowFilter({ flags }: Options): ((row: Pick<Row, 'seen'>) => boolean) | undefined {
  if (flags === undefined) return undefined;
  return ({ seen }) => {
    const has = seen[0]!.packet.tcp?.flags as Readonly<Record<string, boolean>> | undefined;
    return has !== undefined && flags.some((flag) => has[flag] === true);
  };
}

function emptyText({ points, topology }: Points, traffic: Traffic): string {
  const packets = points.reduce((sum, { capture }) => sum + capture.packets.length, 0);
  const where = count(points.length, 'capture');
  if (packets === 0) return `no packets in ${where}\n`;
  const others = traffic.twins.get(0)?.length ?? 0;
  const without = others === 0 ? '' : `; --all shows ${count(others, 'packet')} that belong to none`;
  return `no connections in ${where} with ${count(packets, 'packet')}${topology === undefined ? '' : ` of ${topology.name}`}${without}\n`;
}

/** The last connection that can be wanted, where numbers alone say which are. */
function lastWanted(options: Options): { readonly first?: number } {
  const { connection, ...others } = options;
  if (options.all === true || options.backend !== undefined || isFiltering(others)) return {};
  return { first: Math.max(1, ...(connection ?? []).map(({ to }) => to)) };
}

export async function flow(cli: Cli, words: string[], options: Options): Promise<number> {
  if (words.filter((word) => word === '-').length > 1)
    throw new Failure('standard input can be read only once', EXIT.usage);
  const found = await findPoints(cli, words);
  const filtered = isFiltering(options) || options.backend !== undefined;
  const traffic = readTraffic(found.points, { topology: found.topology, ...lastWanted(options) });
  const chosen = matching(traffic, found, options);
  const isOne = options.all !== true && options.connection === undefined;
  const ladder = buildLadder(traffic, {
    ...(found.topology && { topology: found.topology }),
    shown: isOne ? chosen.slice(0, 1) : chosen,
    others: options.all === true && !filtered,
    filter: rowFilter(options),
    ...(options.limit !== undefined && options.limit > 0 && { limit: options.limit }),
  });
  if (cli.json) {
    cli.out(JSON.stringify(ladderDocument(ladder)) + '\n');
    return EXIT.ok;
  }
  if (ladder.rows.length === 0) {
    cli.out(
      traffic.conversations.length === 0
        ? emptyText(found, traffic)
        : `none of ${count(traffic.total, 'connection')} has what was asked for\n`,
    );
    return EXIT.ok;
  }
  const shown = {
    paint: cli.paint,
    columns: options.width ?? cli.columns,
    ascii: options.ascii === true || !isUtf8(cli),
    ...(isOne && filtered && { matching: chosen.length }),
  };
  const missing = (found.topology?.captures ?? [])
    .map(({ name }) => name)
    .filter((name) => !found.points.some((point) => point.name === name));
  const more =
    isOne && chosen.length > 1
      ? `\n--connection ${chosen[1]!.number} shows the next, --all shows ${filtered ? `the ${chosen.length} that match` : 'all'}\n`
      : '';
  cli.out(
    titleText(ladder, shown) +
      (missing.length === 0
        ? ''
        : `${found.areChosen === true ? 'not looked at' : 'not there'}: ${missing.map((name) => `${name}.pcap`).join(', ')}\n`) +
      ladderText(ladder, shown) +
      (cli.isTerminal ? more : ''),
  );
  return EXIT.ok;
}
