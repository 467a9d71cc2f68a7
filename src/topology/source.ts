// The bytes of a topology file to plain data, with the way back from every value to its line and column. Knows YAML and what is
// refused of it; what the data means is left to the schema and to resolving.
import { isAlias, isMap, isNode, isScalar, isSeq, Lexer, LineCounter, parseDocument } from 'yaml';
import type { Node, Pair, Scalar } from 'yaml';
import { show } from './issues.ts';
import type { Path } from './issues.ts';

const MAX_BYTES = 1024 * 1024;
const MAX_DEPTH = 32;
const MAX_VALUES = 5000;
const MAX_TOKENS = 60_000;

interface Position {
  readonly line: number;
  readonly column: number;
}

/** A problem of the text itself, which has a position but perhaps no path. */
interface TextProblem extends Position {
  readonly message: string;
  readonly hint?: string;
}

export interface Source {
  readonly data: unknown;
  readonly problems: readonly TextProblem[];
  /** Where the value at `path` stands, or its key; of a value that is not there, the nearest enclosing key. */
  position(path: Path, key?: boolean): Position;
}

/** Reads a file's text; with problems, the data is not to be used. */
export function readSource(input: string | Uint8Array): Source {
  const bytes = typeof input === 'string' ? Buffer.byteLength(input) : input.length;
  if (bytes > MAX_BYTES) {
    return refused(`the file is too large (got ${bytes} bytes)`, 'a topology has at most 1 MiB');
  }
  let text: string;
  try {
    text = typeof input === 'string' ? input : new TextDecoder('utf-8', { fatal: true }).decode(input);
  } catch {
    return refused(
      'the file is not UTF-8 text',
      undefined,
      typeof input === 'string' ? undefined : badByte(input),
    );
  }
  if (text.startsWith('\ufeff')) text = text.slice(1);
  if (text.trim() === '') return refused('the file is empty', 'a topology has at least segments and nodes');

  const lines = new LineCounter();
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const nested = tooDeep(text);
  if (nested !== undefined) {
    addLines(lines, text);
    return refused(nested.message, undefined, at(nested.offset));
  }

  // uniqueKeys is off because yaml compares every key with every other: a file of many keys would take minutes. Reader finds them.
  const document = parseDocument(text, {
    lineCounter: lines,
    uniqueKeys: false,
    prettyErrors: false,
    // Not 'silent', which would hide a second document.
    logLevel: 'error',
    stringKeys: false,
    version: '1.2',
    schema: 'core',
    merge: false,
  });
  // One mistake of syntax makes many errors: only the first is the user's.
  const [first] = [...document.errors].sort((a, b) => a.pos[0] - b.pos[0]);
  if (first !== undefined) {
    const { message, hint } = explain(first.code, first.message);
    return refused(message, hint, at(first.pos[0]));
  }
  // The directive would bring back 1.1's `yes`, `no` and octal numbers.
  if (document.directives?.yaml.version === '1.1') {
    return refused('the file says %YAML 1.1', 'a topology is YAML 1.2: remove the directive');
  }
  const reader = new Reader(at);
  const data = reader.read(document.contents, 0, [], undefined);
  return {
    data,
    problems: reader.problems,
    position: (path, key) => at(reader.offset(document.contents, path, key ?? false)),
  };
}

function refused(message: string, hint?: string, at: Position = { line: 1, column: 1 }): Source {
  return {
    data: undefined,
    problems: [{ ...at, message, ...(hint === undefined ? {} : { hint }) }],
    position: () => at,
  };
}

function explain(code: string, message: string): { message: string; hint?: string } {
  if (code === 'MULTIPLE_DOCS') {
    return {
      message: 'a second YAML document begins here',
      hint: 'one file is one topology: remove the ---',
    };
  }
  if (code === 'TAB_AS_INDENT') {
    return { message: 'a tab is used for indentation', hint: 'YAML wants spaces' };
  }
  if (message.includes('call stack')) return { message: `nested deeper than ${MAX_DEPTH} levels` };
  return { message: `not valid YAML: ${message}` };
}

/**
 * The parser's time and stack grow with nesting until the process dies of it, so nesting is counted first on the tokens, which are cut
 * in one pass.
 */
function tooDeep(text: string): { message: string; offset: number } | undefined {
  let offset = 0;
  let depth = 0;
  let inLine = 0;
  let tokens = 0;
  for (const token of new Lexer().lex(text)) {
    // Marks of the lexer's own (document start, end of a flow error, scalar) are not in the text.
    if (token === '\u0002' || token === '\u0018' || token === '\u001f') continue;
    if (token === '[' || token === '{') depth++;
    else if (token === ']' || token === '}') depth--;
    else if (token === '-' || token === '?' || token === ':') inLine++;
    else if (token.includes('\n')) inLine = 0;
    if (depth > MAX_DEPTH || (depth === 0 && inLine > MAX_DEPTH)) {
      return { message: `nested deeper than ${MAX_DEPTH} levels`, offset };
    }
    if (++tokens > MAX_TOKENS) return { message: `more than ${MAX_VALUES} values`, offset };
    offset += token.length;
  }
  return undefined;
}

function addLines(lines: LineCounter, text: string): void {
  lines.addNewLine(0);
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines.addNewLine(at + 1);
}

function badByte(bytes: Uint8Array): Position {
  // The decoder does not say where: the longest prefix that decodes, found by halving. `stream` forgives a character cut in two.
  let low = 0;
  let high = bytes.length;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    try {
      new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, middle), { stream: true });
      low = middle;
    } catch {
      high = middle - 1;
    }
  }
  const before = new TextDecoder().decode(bytes.subarray(0, low), { stream: true });
  const start = before.lastIndexOf('\n') + 1;
  return { line: before.split('\n').length, column: before.length - start + 1 };
}

/** Walks YAML's nodes once: data comes out, and every construct that a topology does not allow is named. */
class Reader {
  readonly problems: TextProblem[] = [];
  private readonly anchors = new Map<string, Node>();
  /** What each alias stands for: an anchor's name may be given again further down. */
  private readonly targets = new Map<Node, Node>();
  private readonly at: (offset: number) => Position;
  private values = 0;
  private stopped = false;

  constructor(at: (offset: number) => Position) {
    this.at = at;
  }

  read(it: unknown, depth: number, inside: readonly Node[], alias: Node | undefined): unknown {
    if (this.stopped || !isNode(it)) return null;
    if (++this.values > MAX_VALUES) {
      return this.stop(alias ?? it, `more than ${MAX_VALUES} values, aliases written out`);
    }
    if (depth > MAX_DEPTH) return this.stop(alias ?? it, `nested deeper than ${MAX_DEPTH} levels`);
    if (isAlias(it)) {
      const target = this.targets.get(it) ?? this.anchors.get(it.source);
      if (target === undefined)
        return this.refuse(
          it,
          `there is no anchor &${cut(it.source)}`,
          'an anchor stands before its aliases',
        );
      if (inside.includes(target))
        return this.refuse(it, `the alias ${show(it.source)} stands inside its own anchor`);
      this.targets.set(it, target);
      return this.read(target, depth, inside, alias ?? it);
    }
    if ('anchor' in it && typeof it.anchor === 'string' && alias === undefined)
      this.anchors.set(it.anchor, it);
    if (it.tag !== undefined)
      return this.refuse(
        it,
        `a tag (got ${show(it.tag.replace('tag:yaml.org,2002:', '!!'))})`,
        'a topology has no tags: remove it',
      );
    const within = [...inside, it];
    if (isSeq(it)) return it.items.map((item) => this.read(item, depth + 1, within, alias));
    if (isMap(it)) return this.map(it.items, depth, within, alias);
    return isScalar(it) ? this.scalar(it) : null;
  }

  private map(
    items: readonly Pair[],
    depth: number,
    within: readonly Node[],
    alias: Node | undefined,
  ): unknown {
    const result: Record<string, unknown> = {};
    const seen = new Map<string, Node>();
    for (const { key, value } of items) {
      if (!isNode(key)) continue;
      const name = isScalar(key) ? key.value : undefined;
      const first = typeof name === 'string' ? seen.get(name) : undefined;
      if (typeof name !== 'string') {
        const source = isScalar(key) ? (key.source ?? '') : undefined;
        this.refuse(
          key,
          `a key must be text (got ${source === undefined ? 'something else' : cut(source)})`,
          source === undefined || source === '' ? undefined : `write ${show(source)}`,
        );
      } else if (name === '<<') {
        this.refuse(key, 'merge keys (<<) are not part of YAML 1.2', 'repeat the keys, or use *alias');
      } else if (name === '__proto__') {
        this.refuse(key, 'the key "__proto__" is reserved');
      } else if (first !== undefined) {
        const { line } = this.at(first.range?.[0] ?? 0);
        this.refuse(key, `the key ${show(name)} is already given in line ${line}`, 'remove one of the two');
      } else {
        seen.set(name, key);
        result[name] = this.read(value, depth + 1, within, alias);
      }
    }
    return result;
  }

  private scalar(node: Scalar): unknown {
    const { value, source = '' } = node;
    // 0300, 0x50, 1e3, .inf and 0o17 mean different numbers to different readers.
    if (typeof value !== 'number' || /^-?(0|[1-9][0-9]*)(\.[0-9]+)?$/.test(source)) return value;
    const readable = Number.isFinite(value) && Math.abs(value) < 1e15;
    return this.refuse(
      node,
      `a number must be written plainly (got ${cut(source)})`,
      readable ? `write ${value}, or ${show(source)} for text` : 'write digits',
    );
  }

  private refuse(node: { range?: readonly number[] | null }, message: string, hint?: string): null {
    if (this.problems.length < 100) {
      const position = this.at(node.range?.[0] ?? 0);
      this.problems.push({ ...position, message, ...(hint === undefined ? {} : { hint }) });
    }
    return null;
  }

  private stop(node: Node, message: string): null {
    this.stopped = true;
    return this.refuse(node, message);
  }

  /** The offset of what stands at `path`. */
  offset(root: unknown, path: Path, key: boolean): number {
    let node = root;
    let offset = startOf(node) ?? 0;
    for (const [index, part] of path.entries()) {
      if (isAlias(node)) node = this.targets.get(node);
      if (isMap(node)) {
        const pair = node.items.find((item) => isScalar(item.key) && item.key.value === part);
        if (pair === undefined) return offset;
        const { key: name, value } = pair;
        const last = index === path.length - 1;
        const start = startOf(name) ?? offset;
        const nothing = !isNode(value) || (isScalar(value) && value.value === null && value.source === '');
        // Of an entity spread over several lines, its name is what says which one it is.
        const named = last && (key || (isMap(value) && value.flow !== true));
        offset = nothing || named ? start : (startOf(value) ?? start);
        node = value;
      } else if (isSeq(node)) {
        node = node.items[Number(part)];
        if (node === undefined) return offset;
        offset = startOf(node) ?? offset;
      } else {
        return offset;
      }
    }
    return offset;
  }
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined;
}

function cut(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
