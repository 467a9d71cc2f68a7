// A line of a ladder in a terminal: cells, each with its style, painted in runs.

export type Style = 'rail' | 'rewritten' | 'label' | 'strong' | 'past' | 'time' | number;

/** What is drawn with: all one cell wide. */
export interface Marks {
  readonly rail: string;
  readonly wire: string;
  readonly unseen: string;
  readonly cross: string;
  readonly fromLeft: string;
  readonly fromRight: string;
  readonly toRight: string;
  readonly toLeft: string;
  readonly seen: string;
  readonly lost: string;
  readonly more: string;
  readonly corners: readonly [left: string, right: string];
}

export const DRAWN: Marks = {
  rail: '│',
  wire: '─',
  unseen: '╌',
  cross: '┼',
  fromLeft: '├',
  fromRight: '┤',
  toRight: '▶',
  toLeft: '◀',
  seen: '●',
  lost: '╳',
  more: '…',
  corners: ['┌', '┐'],
};

export const ASCII: Marks = {
  rail: '|',
  wire: '-',
  unseen: '.',
  cross: '+',
  fromLeft: '|',
  fromRight: '|',
  toRight: '>',
  toLeft: '<',
  seen: 'o',
  lost: 'x',
  more: '~',
  corners: ['+', '+'],
};

/** On each side of the words on an arrow: a blank and a dash. */
export const FRAME = 4;

/** A line of cells, each with its style. */
export class Line {
  readonly #from: number;
  readonly #cells: string[];
  readonly #styles: Style[];
  #behind = '';
  #behindStyle: Style = 'label';

  constructor(from: number, to: number) {
    this.#from = from;
    this.#cells = Array.from({ length: to - from }, () => ' ');
    this.#styles = Array.from({ length: to - from }, () => 'label');
  }

  put(column: number, cell: string, style: Style): void {
    this.#cells[column - this.#from] = cell;
    this.#styles[column - this.#from] = style;
  }

  append(text: string, style: Style): void {
    this.#behind = text;
    this.#behindStyle = style;
  }

  /** Words in the middle between two rails, a dash on each side at least, an arrow's head besides. */
  center(first: number, last: number, words: string, style: Style, more: string): void {
    const room = last - first - 1 - FRAME;
    if (words === '' || room < 1) return;
    const shown = words.length <= room ? words : words.slice(0, Math.max(0, room - 1)) + more;
    const text = ` ${shown} `;
    const from = first + 1 + Math.floor((last - first - 1 - text.length) / 2);
    for (let index = 0; index < text.length; index++) this.put(from + index, text[index]!, style);
  }

  text(paint: (text: string, style: Style) => string): string {
    let result = '';
    let run = '';
    let style = this.#styles[0]!;
    this.#cells.forEach((cell, index) => {
      if (this.#styles[index] !== style) {
        result += paint(run, style);
        run = '';
        style = this.#styles[index]!;
      }
      run += cell;
    });
    result += paint(run, style) + paint(this.#behind, this.#behindStyle);
    return result.replace(/ +$/, '');
  }
}
