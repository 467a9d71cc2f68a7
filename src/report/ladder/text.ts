// Draws a ladder in a terminal. Knows how wide things are and how to say less where there is less room; what there is to draw is ladder.ts's
// business.
import type { ChalkInstance } from 'chalk';
import { count } from '../../verify/words.ts';
import { POINT_COLOURS } from '../colours.ts';
import { ascii } from './labels.ts';
import { ANEW, HopWords, isInterior, labelGap, layOut, PAST, type Layout } from './layout.ts';
import { ASCII, DRAWN, Line, type Marks, type Style } from './line.ts';
import { asciiDuration, conversationWords, machineName, notesOf } from './notes.ts';
import type { Hop, Ladder, Leg, Row } from './types.ts';

export interface LadderTextOptions {
  readonly paint: ChalkInstance;
  /** Connections that filters let through, where they are more than are shown. */
  readonly matching?: number;
  /** Of the terminal. */
  readonly columns: number;
  /** No character beyond ASCII. */
  readonly ascii?: boolean;
}

/** Of a packet that crosses many routers, or loops between two, so many legs are drawn from each end. */
const LEGS = 4;

export function ladderText(ladder: Ladder, options: LadderTextOptions): string {
  const marks = options.ascii === true ? ASCII : DRAWN;
  if (ladder.rows.length === 0) return '';
  const words = new HopWords(ladder);
  const layout = layOut(ladder, words, options.columns);
  const painter = new Painter(ladder, words, layout, marks, options.paint);
  return (
    painter.header() +
    painter.rows() +
    (ladder.rowsLeft > 0 ? `and ${count(ladder.rowsLeft, 'packet more', 'packets more')}\n` : '') +
    notesText(ladder, options)
  );
}

/** What connections are shown, over a ladder. */
export function titleText(ladder: Ladder, { paint, matching }: LadderTextOptions): string {
  const { shown, total, rows } = ladder;
  const packets = count(rows.length + ladder.rowsLeft, 'packet');
  const [one] = shown;
  if (one === undefined || shown.length > 1)
    return `${shown.length === total ? '' : `${shown.length} of `}${count(total, 'connection')}, ${packets}\n`;
  const took = one.lastTime - one.firstTime;
  const of = `connection ${one.number}`;
  const among = total === 1 ? '' : ` of ${total}`;
  const others = matching === undefined || matching < 2 ? '' : `, the first of ${matching} that match`;
  return (
    `${paint.bold(of)}${among}${others}: ${ascii(conversationWords(one))}, ${packets}` +
    `${took > 0n ? ` in ${asciiDuration(took)}` : ''}\n`
  );
}

function notesText(ladder: Ladder, { paint, columns }: LadderTextOptions): string {
  const notes = notesOf(ladder);
  if (notes.length === 0) return '';
  return (
    '\n' +
    notes
      .map(({ title, lines }) => {
        const text = lines.map((line) => wrapped(line, Math.max(40, columns) - 2));
        return `${paint.bold(title)}\n${text.join('')}`;
      })
      .join('')
  );
}

/** Lines of at most so many characters, all indented, broken between a list's items where that is enough. */
function wrapped(text: string, width: number): string {
  const lines: string[] = [];
  let line = '';
  const pieces = text
    .split(/(?<=,) | (?= )/)
    .flatMap((piece) => (piece.length > width - 4 ? piece.split(' ') : [piece]));
  for (const piece of pieces) {
    if (line !== '' && line.length + 1 + piece.length > width - (lines.length > 0 ? 4 : 2)) {
      lines.push(line);
      line = piece.trimStart();
    } else line = line === '' ? piece : `${line} ${piece}`;
  }
  lines.push(line);
  return lines.map((each, index) => `  ${index > 0 ? '  ' : ''}${each}\n`).join('');
}

class Painter {
  readonly #ladder: Ladder;
  readonly #layout: Layout;
  readonly #marks: Marks;
  readonly #paint: ChalkInstance;
  readonly #words: HopWords;
  /** Lines behind the time, by what is in them: most packets look like one before. */
  readonly #drawn = new Map<string, readonly string[]>();

  constructor(ladder: Ladder, words: HopWords, layout: Layout, marks: Marks, paint: ChalkInstance) {
    this.#ladder = ladder;
    this.#words = words;
    this.#layout = layout;
    this.#marks = marks;
    this.#paint = paint;
  }

  header(): string {
    const { machines, rails } = this.#ladder;
    const { at, folded } = this.#layout;
    const names: Label[] = [];
    const titles: Label[] = [];
    const own: Label[] = [];
    const also: Label[] = [];
    machines.slice(0, folded + 1).forEach((machine, index) => {
      const [first, last] = [at[machine.rails[0]!]!, at[machine.rails.at(-1)!]!];
      const center = (first + last) / 2;
      const over = index === folded ? machines.length - folded - 1 : 0;
      names.push(
        this.#boxed(
          over > 0 ? `${machineName(this.#ladder, index)} and ${over} more` : ascii(machine.name),
          first,
          last,
        ),
      );
      if (over > 0) return;
      for (const text of machine.also) also.push({ text: ascii(text), center, style: 'rail' });
      const distinct = machine.rails.filter((rail, place) => place === 0 || rails[rail - 1] !== rails[rail]);
      const place = (rail: number, texts: readonly string[]): Omit<Label, 'text' | 'style'> => {
        if (distinct.length === 1) return { center };
        const inside = texts.reduce((width, text) => width + text.length, 1);
        const isInside = distinct.length === 2 && inside <= last - first + 1;
        return { center: at[rail]!, side: (rail === distinct[0]) === isInside ? 'right' : 'left' };
      };
      const titlesOf = distinct.map((rail) => rails[rail]!.title);
      const addressesOf = distinct.map((rail) => rails[rail]!.addresses[0] ?? '');
      for (const rail of distinct) {
        const { title, addresses, point } = rails[rail]!;
        const style = point ?? 'rail';
        if (title !== '') titles.push({ text: ascii(title), ...place(rail, titlesOf), style });
        for (const address of addresses)
          own.push({ text: ascii(address), ...place(rail, addressesOf), style });
      }
    });
    return [names, titles, own, also]
      .flatMap((labels) => this.#labelLines(labels))
      .map((line) => `${line}\n`)
      .join('');
  }

  /** A machine's name, over all its rails. */
  #boxed(name: string, first: number, last: number): Label {
    const { wire, corners } = this.#marks;
    const center = (first + last) / 2;
    const room = last - first - 1;
    if (room < name.length) return { text: name, center, style: 'strong' };
    const words = room >= name.length + 2 && name !== '' ? ` ${name} ` : name;
    const before = Math.floor((room - words.length) / 2);
    const text =
      corners[0] + wire.repeat(before) + words + wire.repeat(room - words.length - before) + corners[1];
    return { text, center, style: 'strong' };
  }

  /** Labels over their rails, in as few lines as they do not meet in. */
  #labelLines(labels: readonly Label[]): string[] {
    const lines: { end: number; text: string }[] = [];
    for (const { text, center, side, style } of labels) {
      if (text === '') continue;
      const width = text.length;
      const wanted =
        side === 'left' ? center - width + 1 : side === 'right' ? center : center - (width - 1) / 2;
      const from = Math.max(0, Math.min(Math.round(wanted), this.#layout.width - width));
      let line = lines.find(({ end }) => end < from || end === 0);
      if (line === undefined) {
        line = { end: 0, text: '' };
        lines.push(line);
      }
      line.text += ' '.repeat(from - line.end) + this.#styled(text, style);
      line.end = from + width;
    }
    return lines.map(({ text }) => text);
  }

  rows(): string {
    const { rows } = this.#ladder;
    const first = rows[0]!.time;
    let connection: number | undefined;
    return rows
      .map((row) => {
        const isNew = this.#layout.hasNumbers && row.connection !== connection;
        connection = row.connection;
        return this.#row(row, row.time - first, isNew);
      })
      .join('');
  }

  #row(row: Row, time: bigint, isNew: boolean): string {
    const { gutter, hasNumbers } = this.#layout;
    const stamp = `${time / 1_000_000_000n}.${String((time % 1_000_000_000n) / 1000n).padStart(6, '0')}`;
    const number = row.connection === 0 ? '-' : `#${row.connection}`;
    const head =
      (hasNumbers ? (isNew ? number : '').padEnd(gutter - 1 - stamp.length) : '') +
      stamp.padStart(hasNumbers ? 0 : gutter - 1);
    const lines = this.#body(row);
    return lines
      .map((line, index) => `${this.#styled((index === 0 ? head : '').padEnd(gutter), 'time')}${line}\n`)
      .join('');
  }

  #body(row: Row): readonly string[] {
    const { length } = this.#layout;
    let key = `${row.kind} ${row.isAnew} ${row.past.join(' ')} ${row.label}`;
    for (const { from, to, atFrom, atTo } of row.legs) key += `/${from} ${to} ${atFrom} ${atTo}`;
    for (const hop of row.hops) key += `/${this.#words.of(hop, length)}`;
    const known = this.#drawn.get(key) ?? this.#draw(row);
    this.#drawn.set(key, known);
    return known;
  }

  #draw(row: Row): readonly string[] {
    const { length, folded } = this.#layout;
    let line = this.#blank();
    const lines = [line];
    let taken: [number, number][] = [];
    const left = row.legs.length - 2 * LEGS;
    row.legs.forEach((leg, index) => {
      if (left > 1 && index >= LEGS && index < LEGS + left) {
        if (index > LEGS) return;
        line = this.#blank();
        lines.push(line);
        taken = [[0, Number.POSITIVE_INFINITY]];
        line.center(this.#layout.at[0]!, this.#layout.at.at(-1)!, count(left, 'more leg'), 'past', '');
        return;
      }
      const [first, last] = this.#span(leg);
      const isWrapped = taken.some(([from, to]) => first < to && last > from);
      if (isWrapped) {
        line = this.#blank();
        lines.push(line);
        taken = [];
      }
      taken.push([first, last]);
      this.#leg(line, row, leg, index);
      const before = row.hops[index - 1];
      if (isWrapped && before !== undefined) this.#turn(line, leg, before);
      const hop = row.hops[index];
      const next = row.legs[index + 1];
      if (hop !== undefined && next !== undefined && leg.to !== next.from)
        this.#hop(line, leg.to, next.from, hop, length);
    });
    if (row.isAnew) this.#anew(lines[0]!, row.legs[0]!.from);
    for (const machine of row.past) this.#past(lines[0]!, machine);
    const names = [...new Set(row.legs.flatMap(({ from, to }) => [from, to]))]
      .map((rail) => this.#ladder.rails[rail]!.machine)
      .filter((machine) => machine >= folded && this.#ladder.machines.length - folded > 1)
      .map((machine) => ` ${machineName(this.#ladder, machine)}`);
    this.#label(lines[0]!, row, [...new Set(names)].join(''));
    return lines.map((each) => each.text((text, style) => this.#styled(text, style)));
  }

  #blank(): Line {
    const line = new Line(this.#layout.gutter, this.#layout.width);
    for (const column of this.#layout.at) line.put(column, this.#marks.rail, 'rail');
    return line;
  }

  #span({ from, to }: Leg): [number, number] {
    const { at } = this.#layout;
    return [Math.min(at[from]!, at[to]!), Math.max(at[from]!, at[to]!)];
  }

  #leg(line: Line, row: Row, leg: Leg, index: number): void {
    const marks = this.#marks;
    const { at } = this.#layout;
    const [from, to] = [at[leg.from]!, at[leg.to]!];
    const style = this.#styleOf(leg);
    const step = Math.sign(to - from);
    // The half of an arrow that is nearer to where nobody captured is what the frame's addresses say, not what was seen.
    const isUnseen = (column: number) => {
      const distance = Math.abs(column - from) - Math.abs(column - to);
      return distance < 0 ? leg.atFrom !== 'seen' : distance > 0 && leg.atTo === 'not-captured';
    };
    for (let column = Math.min(from, to) + 1; column < Math.max(from, to); column++) {
      const cell = at.includes(column) ? marks.cross : isUnseen(column) ? marks.unseen : marks.wire;
      line.put(column, cell, style);
    }
    const isLast = index === row.legs.length - 1;
    const start = step < 0 ? marks.fromRight : marks.fromLeft;
    line.put(from, index === 0 ? start : leg.atFrom === 'seen' ? marks.seen : marks.cross, style);
    if (!isLast) line.put(to, leg.atTo === 'seen' ? marks.seen : marks.cross, style);
    else if (step !== 0 && leg.atTo === 'missing') {
      line.put(to - step, ' ', style);
      line.put(to - 2 * step, marks.lost, style);
    } else if (step !== 0) line.put(to - step, step > 0 ? marks.toRight : marks.toLeft, style);
  }

  #styleOf({ from, to }: Leg): Style {
    const { rails } = this.#ladder;
    return rails[from]!.point ?? rails[to]!.point ?? 'label';
  }

  /** What a machine rewrote, on the way between two of its rails. */
  #hop(line: Line, from: number, to: number, hop: Hop, length: Layout['length']): void {
    const { at } = this.#layout;
    const [first, last] = [Math.min(at[from]!, at[to]!), Math.max(at[from]!, at[to]!)];
    for (let column = first + 1; column < last; column++)
      line.put(column, at.includes(column) ? this.#marks.cross : this.#marks.wire, 'rewritten');
    line.center(first, last, this.#words.of(hop, length), 'rewritten', this.#marks.more);
  }

  /** What was rewritten where a packet turned round, beside its new way. */
  #turn(line: Line, { from, to }: Leg, hop: Hop): void {
    const { at } = this.#layout;
    const gap = from < to ? from : from - 1;
    const words = this.#words.of(hop, 'values');
    if (from !== to) line.center(at[gap]!, at[gap + 1]!, words, 'rewritten', this.#marks.more);
  }

  #past(line: Line, machine: number): void {
    const { rails } = this.#ladder.machines[machine]!;
    const { at } = this.#layout;
    line.center(at[rails[0]!]!, at[rails.at(-1)!]!, PAST, 'past', this.#marks.more);
  }

  #anew(line: Line, from: number): void {
    if (from === 0 || !isInterior(this.#ladder, from - 1)) return;
    const { at } = this.#layout;
    line.center(at[from - 1]!, at[from]!, ANEW, 'rewritten', this.#marks.more);
  }

  #label(line: Line, row: Row, names: string): void {
    const { at } = this.#layout;
    const gap = labelGap(this.#ladder, row);
    const isStrong = row.kind === 'request' || row.kind === 'answer';
    const style: Style = isStrong ? 'strong' : 'label';
    const label = row.label + names;
    const { from, to } = row.legs[0]!;
    if (gap >= 0) {
      line.center(at[gap]!, at[gap + 1]!, label, style, this.#marks.more);
    } else if (at[from] === at[to]) {
      line.append(` ${label}`, style);
    } else {
      line.center(Math.min(at[from]!, at[to]!), Math.max(at[from]!, at[to]!), label, style, this.#marks.more);
    }
  }

  #styled(text: string, style: Style): string {
    const paint = this.#paint;
    if (text.trim() === '' || paint.level === 0) return text;
    if (typeof style === 'number') return paint[POINT_COLOURS[style % POINT_COLOURS.length]!](text);
    const painters = {
      rail: paint.dim,
      time: paint.dim,
      past: paint.dim,
      rewritten: paint.yellow,
      strong: paint.bold,
    };
    return style === 'label' ? text : painters[style](text);
  }
}

interface Label {
  readonly text: string;
  readonly center: number;
  /** Where it stands of its rail; over it where left out. */
  readonly side?: 'left' | 'right';
  readonly style: Style;
}
