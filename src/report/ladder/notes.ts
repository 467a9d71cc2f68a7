// What a ladder's marks mean in full: values before and after, requests in a proxy's own words, what went past, what was not seen. Lines of
// printable ASCII; how they are shown is left to the renderers.
import { groupBy } from '../../pcap/index.ts';
import { count, duration, endpoint, list, tally } from '../../verify/words.ts';
import { clip } from '../escape.ts';
import { ascii, rewriteWords } from './labels.ts';
import type { AskedAnew, Conversation, Ladder, Row } from './types.ts';

export interface Note {
  readonly title: string;
  readonly lines: readonly string[];
}

const LINES = 6;

/** `192.168.11.104:40000 > 192.168.11.107:80`, of the client's own connection. */
export function conversationWords({ connections }: Conversation): string {
  const { client, server } = connections[0]!.connection;
  return `${endpoint(client.address, client.port)} > ${endpoint(server.address, server.port)}`;
}

export function asciiDuration(nanoseconds: bigint | number): string {
  return duration(nanoseconds).replace('µ', 'u');
}

export function machineName(ladder: Ladder, machine: number): string {
  const { name, rails } = ladder.machines[machine]!;
  return ascii(name === '' ? (ladder.rails[rails[0]!]!.addresses[0] ?? '?') : name);
}

export function notesOf(ladder: Ladder): Note[] {
  return [...rewritten(ladder), ...past(ladder), ...askedAnew(ladder), ...missing(ladder)];
}

function rewritten(ladder: Ladder): Note[] {
  return [...groupBy(ladder.changes, ({ machine }) => machine)].map(([machine, changes]) => ({
    title: `rewritten by ${machineName(ladder, machine)}`,
    lines: limited(
      changes.map(({ isToServer, packets, rewrites }) => {
        const words = rewriteWords(rewrites, 'whole', (mac) => ladder.nameOfMac(mac));
        return `${count(packets, 'packet')} to the ${isToServer ? 'server' : 'client'}: ${words === '' ? 'nothing' : words}`;
      }),
    ),
  }));
}

function limited(lines: readonly string[]): string[] {
  return lines.length <= LINES ? [...lines] : [...lines.slice(0, LINES), `and ${lines.length - LINES} more`];
}

function ends(ladder: Ladder, { legs }: Row): string {
  const [from, to] = [ladder.rails[legs[0]!.from]!, ladder.rails[legs.at(-1)!.to]!];
  return `${machineName(ladder, from.machine)} > ${machineName(ladder, to.machine)}`;
}

function past(ladder: Ladder): Note[] {
  const machines = [...new Set(ladder.rows.flatMap((row) => row.past))];
  return machines.map((machine) => ({
    title: `past ${machineName(ladder, machine)}`,
    lines: limited(
      tally(ladder.rows.filter((row) => row.past.includes(machine)).map((row) => ends(ladder, row))).map(
        ([way, packets]) => `${way}: ${count(packets, 'packet')}`,
      ),
    ),
  }));
}

function askedAnew({ shown }: Ladder): Note[] {
  const same = groupBy(
    shown.flatMap(({ requests }) => requests).map((asked) => ({ asked, words: anewWords(asked) })),
    ({ words }) => words,
  );
  if (same.size === 0) return [];
  return [
    {
      title: 'asked anew by the proxy',
      lines: limited(
        [...same].map(([words, its]) => {
          const times = its.map(({ asked }) => asked.nanoseconds).sort((a, b) => a - b);
          const middle = times[(times.length - 1) >> 1]!;
          const after =
            middle < 0 ? 'before the request was whole' : `${asciiDuration(middle)} after the request`;
          return `${words}  ${its.length > 1 ? `${its.length} times, ` : ''}${after}${its.length > 1 ? ' (median)' : ''}`;
        }),
      ),
    },
  ];
}

/** The inner request's line, and how its headers differ from the outer one's. */
function anewWords({ outside, inside }: AskedAnew): string {
  const before = new Map(outside.headers.map(([name, value]) => [name.toLowerCase(), value]));
  const after = new Set(inside.headers.map(([name]) => name.toLowerCase()));
  const changed = inside.headers
    .filter(([name, value]) => before.get(name.toLowerCase()) !== value)
    .map(([name, value]) => {
      const was = before.get(name.toLowerCase());
      return `${name}: ${value}${was === undefined ? '' : ` (was ${was})`}`;
    });
  const gone = outside.headers.filter(([name]) => !after.has(name.toLowerCase())).map(([name]) => name);
  return [
    ascii(clip(inside.startLine, 80)),
    ...changed.map((words) => `+ ${ascii(clip(words, 80))}`),
    ...gone.map((name) => `- ${ascii(clip(name, 40))}`),
  ].join('  ');
}

function missing(ladder: Ladder): Note[] {
  const found = ladder.rows.flatMap((row) =>
    row.legs.flatMap(({ from, to, atFrom, atTo }) => [
      ...(atFrom === 'missing' ? [ladder.rails[from]!.point!] : []),
      ...(atTo === 'missing' ? [ladder.rails[to]!.point!] : []),
    ]),
  );
  const lines = tally(found.map((point) => ladder.points[point]!.name)).map(
    ([name, packets]) => `${ascii(name)} does not have ${count(packets, 'packet')} that should be there`,
  );
  const unheard = [
    ...new Set(
      ladder.rails
        .filter(({ point }) => point === undefined)
        .map(({ machine }) => machineName(ladder, machine)),
    ),
  ];
  const isPlaced = ladder.rails.some(({ point }) => point !== undefined);
  return [
    ...(lines.length === 0 ? [] : [{ title: 'not seen', lines: limited(lines) }]),
    ...(isPlaced && unheard.length > 0
      ? [
          {
            title: 'not captured',
            lines: [`${list(unheard)}: ends of arrows drawn from the frames' addresses`],
          },
        ]
      : []),
  ];
}
