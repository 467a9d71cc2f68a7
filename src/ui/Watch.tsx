// The live view of a lab: its topology with what passes each link, the balancer's own table, the last packets, and the keys. Fills a
// terminal of any size from 60 columns and 12 rows on: what there is no room for is left out, the least important first.
import { Box, Text } from 'ink';
import type { ChalkInstance } from 'chalk';
import type { ReactNode } from 'react';
import stringWidth from 'string-width';
import { POINT_COLOURS } from '../report/colours.ts';
import type { LinkView, WatchView } from './watched.ts';

export interface WatchProps {
  readonly view: WatchView;
  readonly columns: number;
  readonly rows: number;
  /** Counts up while packets pass: what moves. */
  readonly tick: number;
  readonly paint: ChalkInstance;
  readonly ascii?: boolean;
}

const KEYS: readonly (readonly [key: string, what: string])[] = [
  ['r', 'request'],
  ['l', 'load'],
  ['k', 'kill'],
  ['c', 'cut'],
  ['d', 'delay'],
  ['m', 'mend'],
  ['s', 'shell'],
  ['?', 'help'],
  ['q', 'quit'],
];

const HELP = [
  'up down   choose a link, and with it a node',
  "r         send the topology's requests once",
  'l  + -    start and stop load; twice as much, half as much',
  'k         kill the services of the chosen node, or start them again',
  'c         pull the cable of the chosen link, or put it in again',
  'd         let the chosen link send 100 ms late, or as before',
  'm         mend all that is broken',
  's         a shell in the chosen node; its end leads back here',
  'q  Ctrl-C leave; the lab stays as it is',
];

const TRACK = 9;
const PICTURE_ROWS = 40;

export function Watch({ view, columns, rows, tick, paint, ascii = false }: WatchProps): ReactNode {
  const width = columns - 1;
  const links = around(linkLines(view, { paint, ascii, tick, width }), rows - 3);
  // In order of importance: the header, links and keys; then packets, the table, the drawing.
  let left = rows - 2 - Math.min(links.length, rows - 3);
  const take = (wanted: number, least: number, leave: number): number => {
    const room = left - leave;
    const taken = room < least ? 0 : Math.min(wanted, room);
    left -= taken;
    return taken;
  };
  const widest = Math.max(0, ...view.picture.map((line) => line.length));
  const picture =
    rows >= PICTURE_ROWS && widest <= width ? take(view.picture.length + 1, view.picture.length + 1, 12) : 0;
  const table = view.table.length === 0 ? 0 : take(view.table.length + 1, 3, 5);
  const below = Math.max(0, left);
  return (
    <Box flexDirection="column" width={width} height={rows}>
      <Line>
        {[
          paint.bold(view.lab),
          view.title,
          paint.dim(view.kernel),
          ...(view.load === 0 ? [] : [paint.green(`load ${view.load}/s`)]),
        ].join('  ')}
      </Line>
      <Lines width={width} lines={view.picture.slice(0, Math.max(0, picture - 1))} height={picture} />
      <Lines width={width} lines={links} height={Math.min(links.length, rows - 3)} />
      {table === 0 ? null : (
        <Lines width={width} lines={[paint.bold("the balancer's table"), ...view.table]} height={table} />
      )}
      {below === 0 ? null : view.isHelp ? (
        <Lines width={width} lines={[paint.bold('keys'), ...HELP]} height={below} />
      ) : (
        <Lines
          width={width}
          lines={[
            paint.bold('packets'),
            ...(below > 1 ? view.packets.slice(-(below - 1)) : []),
            ...(view.packets.length === 0 && below > 1 ? [paint.dim('none yet: r sends requests')] : []),
          ]}
          height={below}
        />
      )}
      <Line>{view.message === '' ? keys(paint, width) : view.message}</Line>
    </Box>
  );
}

function Line({ children }: { readonly children: ReactNode }): ReactNode {
  return <Text wrap="truncate">{children}</Text>;
}

/** One text for many lines, since each element costs; but for those that are too long, which are cut by themselves. */
function Lines({
  lines,
  height,
  width,
}: {
  readonly lines: readonly string[];
  readonly height: number;
  readonly width: number;
}): ReactNode {
  if (height === 0) return null;
  const texts: { text: string; isLong: boolean }[] = [];
  for (const line of lines.slice(0, height)) {
    const last = texts.at(-1);
    const isLong = stringWidth(line) > width;
    if (last === undefined || isLong || last.isLong) texts.push({ text: line === '' ? ' ' : line, isLong });
    else last.text += `\n${line}`;
  }
  return (
    <Box height={height} flexShrink={0} flexDirection="column" overflow="hidden">
      {texts.map(({ text }, index) => (
        <Text key={index} wrap="truncate">
          {text}
        </Text>
      ))}
    </Box>
  );
}

/** As many lines as there is room for, with the chosen link among them. */
function around(lines: readonly string[], room: number): readonly string[] {
  if (lines.length <= room) return lines;
  const selected = lines.findIndex((line) => /^(\u001B\[1m)?[▶>]/.test(line));
  const first = Math.min(Math.max(0, selected - Math.floor(room / 2)), lines.length - room);
  return lines.slice(first, first + Math.max(0, room));
}

function keys(paint: ChalkInstance, width: number): string {
  const words = KEYS.map(([key, what]) => ({
    length: key.length + what.length + 3,
    text: `${paint.bold(key)} ${what}`,
  }));
  const all = words.reduce((sum, { length }) => sum + length, 0);
  return all <= width
    ? words.map(({ text }) => text).join('  ')
    : KEYS.map(([key]) => paint.bold(key)).join(' ');
}

interface LineOptions {
  readonly paint: ChalkInstance;
  readonly ascii: boolean;
  readonly tick: number;
  readonly width: number;
}

const pad = (text: string, width: number) =>
  text.length > width ? text.slice(0, width) : text.padEnd(width);
const number = (value: number, width: number) =>
  (value >= 100_000 ? `${Math.round(value / 1000)}k` : String(value)).padStart(width);

/** Each segment with the links that are plugged into it, as a tree. */
function linkLines(view: WatchView, options: LineOptions): string[] {
  const { paint, ascii, width } = options;
  const names = Math.min(12, Math.max(4, ...view.links.map(({ node }) => node.length)));
  const interfaces = Math.min(8, Math.max(...view.links.map((link) => link.interface.length)));
  const addresses = Math.min(24, Math.max(...view.links.map(({ address }) => address.length)));
  const most = Math.max(1, ...view.links.map(({ requests }) => requests));
  const head = names + interfaces + addresses + TRACK + 9;
  const bar = Math.max(0, Math.min(20, width - head - 33));
  const titles = `${'packets/s'.padStart(10)}${'conn/s'.padStart(7)}${'req/s'.padStart(6)}${'requests'.padStart(9)}`;
  return view.segments.flatMap(({ name, subnets }, index) => {
    const its = view.links
      .map((link, place) => ({ link, place }))
      .filter(({ link }) => link.segment === name);
    const label = pad(`${name} ${subnets.join(' ')}`, head);
    return [
      index === 0 ? `${paint.bold(label)}${paint.dim(titles)}` : paint.bold(label.trimEnd()),
      ...its.map(({ link, place }, row) => {
        const isLast = row === its.length - 1;
        const branch = ascii ? (isLast ? '`-' : '|-') : isLast ? '└─' : '├─';
        const isSelected = place === view.selected;
        const colour = paint[POINT_COLOURS[link.point % POINT_COLOURS.length]!];
        const name = `${pad(link.node, names)} ${colour(pad(link.interface, interfaces))} ${pad(link.address, addresses)}`;
        const { packets, connections, requests } = link.rates;
        const isBackend = link.role === 'backend';
        const numbers =
          number(packets, 10) +
          number(connections, 7) +
          (isBackend ? number(requests, 6) + number(link.requests, 9) : ' '.repeat(15));
        const full = isBackend ? Math.round((link.requests / most) * bar) : 0;
        return (
          `${isSelected ? paint.bold(ascii ? '>' : '▶') : ' '}${branch} ${isSelected ? paint.bold(name) : name} ` +
          `${track(link, options)} ${packets > 0 ? numbers : paint.dim(numbers)} ` +
          colour((ascii ? '#' : '█').repeat(full))
        ).trimEnd();
      }),
    ];
  });
}

/** What moves on a link: the faster, the more passes it. Or what is broken. */
function track(link: LinkView, { paint, ascii, tick }: LineOptions): string {
  if (link.broken.length > 0) return paint.red(pad(link.broken.join(','), TRACK + 1));
  const [line, dot] = ascii ? ['-', 'o'] : ['─', '●'];
  const { packets } = link.rates;
  if (packets === 0) return paint.dim(line.repeat(TRACK)) + ' ';
  // A dot for each power of ten.
  const dots = Math.min(4, Math.ceil(Math.log10(packets + 1)));
  const cells = Array.from({ length: TRACK }, () => line);
  for (let index = 0; index < dots; index++) cells[(tick + Math.round((index * TRACK) / dots)) % TRACK] = dot;
  return paint[POINT_COLOURS[link.point % POINT_COLOURS.length]!](cells.join('')) + ' ';
}
