// Regular expressions that a topology may hold, matched in time linear in the text: every place in the pattern is followed at once
// (Thompson 1968) and nothing is ever tried again. JavaScript's own engine backtracks, and one bad pattern would hang a build; limits
// on time or on nesting only make that rarer. So there are no lookarounds and no backreferences, which cannot be matched this way.

export interface Pattern {
  /** Whether the pattern is found anywhere in the text. Time grows with the text's length times the pattern's. */
  test(text: string): boolean;
}

/** A pattern has so many steps at most, with counted repetitions written out. */
const MAX_STEPS = 1000;
const MAX_REPEAT = 100;
const MAX_DEPTH = 32;

type Test = (code: number) => boolean;
type Edge = 'start' | 'end' | 'word' | 'no-word';

type Tree =
  | { readonly kind: 'set'; readonly test: Test }
  | { readonly kind: 'edge'; readonly edge: Edge }
  | { readonly kind: 'all' | 'any'; readonly parts: readonly Tree[] }
  | { readonly kind: 'repeat'; readonly part: Tree; readonly min: number; readonly max: number };

type Step =
  | { readonly kind: 'set'; readonly test: Test }
  | { readonly kind: 'edge'; readonly edge: Edge }
  | { readonly kind: 'fork'; next: number; other: number }
  | { readonly kind: 'match' };

class Refused extends Error {}

/** Reads a pattern in JavaScript's syntax; a text says what is wrong with it. */
export function compilePattern(source: string): Pattern | string {
  try {
    const steps: Step[] = [];
    emit(new PatternReader(source).read(), steps);
    push(steps, { kind: 'match' });
    return { test: (text) => search(steps, text) };
  } catch (error) {
    if (error instanceof Refused) return error.message;
    throw error;
  }
}

const between =
  (low: string, high: string): Test =>
  (code) =>
    code >= low.charCodeAt(0) && code <= high.charCodeAt(0);
const either =
  (...tests: readonly Test[]): Test =>
  (code) =>
    tests.some((test) => test(code));
const except =
  (test: Test): Test =>
  (code) =>
    !test(code);
const only =
  (character: string): Test =>
  (code) =>
    code === character.charCodeAt(0);

const digit = between('0', '9');
const wordCharacter = either(digit, between('a', 'z'), between('A', 'Z'), only('_'));
const blank: Test = (code) => /\s/.test(String.fromCharCode(code));
const lineEnd: Test = (code) => code === 10 || code === 13 || code === 0x2028 || code === 0x2029;

const CLASSES: ReadonlyMap<string, Test> = new Map([
  ['d', digit],
  ['D', except(digit)],
  ['w', wordCharacter],
  ['W', except(wordCharacter)],
  ['s', blank],
  ['S', except(blank)],
]);
const CONTROLS: ReadonlyMap<string, string> = new Map([
  ['t', '\t'],
  ['n', '\n'],
  ['r', '\r'],
  ['f', '\f'],
  ['v', '\v'],
]);

class PatternReader {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  read(): Tree {
    const tree = this.#alternatives();
    if (this.#at < this.#text.length) throw new Refused('it has a ) without a (');
    return tree;
  }

  #peek(): string {
    return this.#text.charAt(this.#at);
  }

  #take(expected: string): boolean {
    if (!this.#text.startsWith(expected, this.#at)) return false;
    this.#at += expected.length;
    return true;
  }

  #alternatives(): Tree {
    if (++this.#depth > MAX_DEPTH) throw new Refused(`it is nested deeper than ${MAX_DEPTH} levels`);
    const parts = [this.#sequence()];
    while (this.#take('|')) parts.push(this.#sequence());
    this.#depth--;
    return parts.length === 1 ? parts[0]! : { kind: 'any', parts };
  }

  #sequence(): Tree {
    const parts: Tree[] = [];
    while (this.#at < this.#text.length && this.#peek() !== '|' && this.#peek() !== ')') {
      parts.push(this.#repeated(this.#atom()));
    }
    return { kind: 'all', parts };
  }

  #repeated(part: Tree): Tree {
    const range = this.#range();
    if (range === undefined) return part;
    if (part.kind === 'edge') throw new Refused('it repeats what has no length');
    // Lazy or greedy makes no difference to whether there is a match.
    this.#take('?');
    if (this.#range() !== undefined) throw new Refused('it repeats a repetition');
    return { kind: 'repeat', part, ...range };
  }

  #range(): { min: number; max: number } | undefined {
    if (this.#take('*')) return { min: 0, max: Number.POSITIVE_INFINITY };
    if (this.#take('+')) return { min: 1, max: Number.POSITIVE_INFINITY };
    if (this.#take('?')) return { min: 0, max: 1 };
    if (this.#peek() !== '{') return undefined;
    const counts = /^\{(\d{1,4})(,(\d{0,4}))?\}/.exec(this.#text.slice(this.#at));
    if (counts === null) throw new Refused('it has a { that counts nothing: write \\{');
    this.#at += counts[0].length;
    const min = Number(counts[1]);
    const max =
      counts[2] === undefined ? min : counts[3] === '' ? Number.POSITIVE_INFINITY : Number(counts[3]);
    if (max < min) throw new Refused(`it repeats at least ${min} and at most ${max} times`);
    if (min > MAX_REPEAT || (max > MAX_REPEAT && max !== Number.POSITIVE_INFINITY)) {
      throw new Refused(`it counts further than ${MAX_REPEAT}`);
    }
    return { min, max };
  }

  #atom(): Tree {
    const character = this.#text.charAt(this.#at++);
    switch (character) {
      case '.':
        return { kind: 'set', test: except(lineEnd) };
      case '^':
        return { kind: 'edge', edge: 'start' };
      case '$':
        return { kind: 'edge', edge: 'end' };
      case '(':
        return this.#group();
      case '[':
        return { kind: 'set', test: this.#class() };
      case '*':
      case '+':
      case '?':
      case '{':
        throw new Refused(`it has a ${character} with nothing to repeat: write \\${character}`);
      case '\\':
        return this.#escape();
      default:
        return { kind: 'set', test: only(character) };
    }
  }

  #group(): Tree {
    if (this.#take('?') && !this.#take(':')) {
      throw new Refused('it has a lookaround or a named group, and matching must take linear time');
    }
    const inner = this.#alternatives();
    if (!this.#take(')')) throw new Refused('it has a ( without a )');
    return inner;
  }

  #escape(): Tree {
    const character = this.#peek();
    if (character === 'b' || character === 'B') {
      this.#at++;
      return { kind: 'edge', edge: character === 'b' ? 'word' : 'no-word' };
    }
    const found = this.#escaped();
    return { kind: 'set', test: typeof found === 'string' ? only(found) : found };
  }

  /** What follows a backslash: one character, or a class. */
  #escaped(): string | Test {
    const character = this.#text.charAt(this.#at++);
    if (character === '') throw new Refused('it ends in a backslash');
    const known = CLASSES.get(character) ?? CONTROLS.get(character);
    if (known !== undefined) return known;
    const hex = /^(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4}))/.exec(this.#text.slice(this.#at - 1));
    if (hex !== null) {
      this.#at += hex[0].length - 1;
      return String.fromCharCode(Number.parseInt(hex[1] ?? hex[2]!, 16));
    }
    if (/[0-9k]/.test(character)) {
      throw new Refused('it refers back to a group, and matching must take linear time');
    }
    if (/[a-zA-Z]/.test(character)) throw new Refused(`\\${character} is not known`);
    return character;
  }

  #class(): Test {
    const isNegated = this.#take('^');
    const tests: Test[] = [];
    while (this.#peek() !== ']') {
      if (this.#at >= this.#text.length) throw new Refused('it has a [ without a ]');
      const low = this.#member();
      if (typeof low !== 'string') {
        tests.push(low);
      } else if (this.#peek() === '-' && this.#text.charAt(this.#at + 1) !== ']') {
        this.#at++;
        const high = this.#member();
        if (typeof high !== 'string' || high < low) throw new Refused('it has a range that goes backwards');
        tests.push(between(low, high));
      } else {
        tests.push(only(low));
      }
    }
    this.#at++;
    if (tests.length === 0) throw new Refused('it has an empty class: []');
    return isNegated ? except(either(...tests)) : either(...tests);
  }

  #member(): string | Test {
    const character = this.#text.charAt(this.#at++);
    if (character !== '\\') return character;
    if (!this.#take('b')) return this.#escaped();
    return '\b';
  }
}

function push(steps: Step[], step: Step): number {
  if (steps.length >= MAX_STEPS) throw new Refused('it is too large with its repetitions written out');
  return steps.push(step) - 1;
}

/** Appends the steps of a tree; what comes after follows the last of them. */
function emit(tree: Tree, steps: Step[]): void {
  switch (tree.kind) {
    case 'set':
    case 'edge':
      push(steps, tree);
      return;
    case 'all':
      for (const part of tree.parts) emit(part, steps);
      return;
    case 'any':
      emitAny(tree.parts, steps);
      return;
    case 'repeat':
      emitRepeat(tree, steps);
  }
}

function fork(steps: Step[]): Extract<Step, { kind: 'fork' }> {
  const step = { kind: 'fork' as const, next: steps.length + 1, other: -1 };
  push(steps, step);
  return step;
}

function emitAny(parts: readonly Tree[], steps: Step[]): void {
  const ends: Extract<Step, { kind: 'fork' }>[] = [];
  for (const [index, part] of parts.entries()) {
    const choice = index < parts.length - 1 ? fork(steps) : undefined;
    emit(part, steps);
    if (choice === undefined) continue;
    ends.push(fork(steps));
    choice.other = steps.length;
  }
  for (const end of ends) end.next = end.other = steps.length;
}

function emitRepeat(tree: Extract<Tree, { kind: 'repeat' }>, steps: Step[]): void {
  const { part, min, max } = tree;
  for (let times = 0; times < min; times++) emit(part, steps);
  if (max === Number.POSITIVE_INFINITY) {
    const loop = fork(steps);
    const start = steps.length - 1;
    emit(part, steps);
    const back = fork(steps);
    back.next = back.other = start;
    loop.other = steps.length;
    return;
  }
  const exits: Extract<Step, { kind: 'fork' }>[] = [];
  for (let times = min; times < max; times++) {
    exits.push(fork(steps));
    emit(part, steps);
  }
  for (const exit of exits) exit.other = steps.length;
}

function holds(edge: Edge, text: string, at: number): boolean {
  if (edge === 'start') return at === 0;
  if (edge === 'end') return at === text.length;
  const isWord = (index: number) =>
    index >= 0 && index < text.length && wordCharacter(text.charCodeAt(index));
  return (isWord(at - 1) !== isWord(at)) === (edge === 'word');
}

function search(steps: readonly Step[], text: string): boolean {
  const seenAt = new Int32Array(steps.length).fill(-1);
  let current: number[] = [];
  for (let at = 0; at <= text.length; at++) {
    // The search may begin anywhere: each place starts the pattern anew.
    const pending = [0, ...current.reverse()];
    const reading: number[] = [];
    while (pending.length > 0) {
      const index = pending.pop()!;
      if (seenAt[index] === at) continue;
      seenAt[index] = at;
      const step = steps[index]!;
      if (step.kind === 'match') return true;
      if (step.kind === 'fork') pending.push(step.other, step.next);
      else if (step.kind === 'set') reading.push(index);
      else if (holds(step.edge, text, at)) pending.push(index + 1);
    }
    const code = text.charCodeAt(at);
    current = [];
    for (const index of reading) {
      const step = steps[index]!;
      if (step.kind === 'set' && at < text.length && step.test(code)) current.push(index + 1);
    }
  }
  return false;
}
