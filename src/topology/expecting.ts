// What `expect` and `claims` say, with every name resolved and every unit a number. Reports statements that cannot be judged; names
// are left to cast.ts, judging to src/verify/assertions.
import { methodOf } from '../balancers/index.ts';
import { ANALYSIS_FLAGS } from '../pcap/analysis.ts';
import type { AnalysisFlag } from '../pcap/analysis.ts';
import { Names } from './cast.ts';
import type { Cast } from './cast.ts';
import type { Context } from './context.ts';
import type { DeclaredExpectation } from './expect-schema.ts';
import { KINDS } from './expectations.ts';
import type { Assertion, HeaderValue, Kind, Range, Selection, Statement } from './expectations.ts';
import { show, suggest } from './issues.ts';
import type { Path } from './issues.ts';
import { nearest } from './nearest.ts';
import { compilePattern } from './pattern.ts';
import type { Declared } from './schema.ts';
import { asList } from './shapes.ts';
import { nanoseconds } from './time.ts';

/** The assertions of a file, without their places in it; what is wrong with one leaves it out. */
export function resolveExpectations(declared: Declared, cast: Cast, context: Context): Assertion[] {
  const resolver = new Resolver(declared, cast, context);
  return (declared.expect ?? []).flatMap((expectation, index) => {
    const statement = resolver.statement(expectation, ['expect', index]);
    if (statement === undefined) return [];
    const { name, level, not, within } = expectation;
    return {
      ...statement,
      index,
      level,
      not,
      ...(name === undefined ? {} : { name }),
      ...(within === undefined ? {} : { within: nanoseconds(within) / 1e6 }),
    };
  });
}

type Of<K extends Kind> = NonNullable<DeclaredExpectation[K]>;
type Made = Statement | undefined;

class Resolver {
  readonly #cast: Cast;
  readonly #names: Names;
  readonly #context: Context;

  constructor(declared: Declared, cast: Cast, context: Context) {
    this.#cast = cast;
    this.#names = new Names(declared, cast, context);
    this.#context = context;
  }

  statement(expectation: DeclaredExpectation, path: Path): Made {
    const said = KINDS.filter((kind) => expectation[kind] !== undefined);
    const [kind] = said;
    if (kind === undefined) {
      return this.#context.absent(
        path,
        'it says nothing that could be checked',
        `it needs one of ${KINDS.join(', ')}`,
      );
    }
    if (said.length > 1) {
      return this.#context.report(
        path,
        `it says ${said.length} things: ${said.join(', ')}`,
        'make each an entry of its own',
      );
    }
    const at = [...path, kind];
    switch (kind) {
      case 'connections':
        return this.#connections(expectation.connections!, at);
      case 'sources':
      case 'destinations':
        return this.#ends(kind, expectation[kind]!, at);
      case 'backend':
        return this.#backend(expectation.backend!, at);
      case 'header':
        return this.#header(expectation.header!, at);
      case 'path':
        return this.#path(expectation.path!, at);
      case 'end-to-end':
        return this.#endToEnd(expectation['end-to-end']!, at);
      case 'spread':
        return this.#spread(expectation.spread!, at);
      case 'analysis':
        return this.#analysis(expectation.analysis!, at);
      case 'latency':
        return this.#latency(expectation.latency!, at);
      case 'packets':
      case 'bytes':
        return this.#volume(kind, expectation[kind]!, at);
      case 'arp':
        return this.#arp(expectation.arp!, at);
      case 'table':
        return this.#table(expectation.table!, at);
      case 'status':
        return this.#status(expectation.status!, at);
      default:
        return this.#responseTime(expectation['response-time']!, at);
    }
  }

  #range(count: number | { min?: number; max?: number }, path: Path): Range {
    if (typeof count === 'number') return { min: count, max: count };
    const { min, max } = count;
    if (min === undefined && max === undefined) {
      this.#context.absent(path, 'it counts nothing', 'say min, max, or both', true);
    } else if ((min ?? 0) > (max ?? Number.POSITIVE_INFINITY)) {
      this.#context.report(path, `min is more than max (got ${min} and ${max})`, 'swap them', true);
    }
    return { ...(min === undefined ? {} : { min }), ...(max === undefined ? {} : { max }) };
  }

  #connections(said: Of<'connections'>, path: Path): Made {
    const at = this.#names.place(said.at, [...path, 'at']);
    const from = this.#names.parties(said.from, [...path, 'from']);
    const to = this.#names.parties(said.to, [...path, 'to']);
    const { count } = said;
    const range = typeof count === 'string' ? ('requests' as const) : this.#range(count, [...path, 'count']);
    return (
      at && {
        kind: 'connections',
        at,
        count: range,
        ...(from === undefined ? {} : { from }),
        ...(to === undefined ? {} : { to }),
        ...(said.state === undefined ? {} : { states: asList(said.state) }),
      }
    );
  }

  #ends(kind: 'sources' | 'destinations', said: Of<'sources'>, path: Path): Made {
    const at = this.#names.place(said.at, [...path, 'at']);
    const are = this.#names.parties(said.are, [...path, 'are']);
    const include = this.#names.parties(said.include, [...path, 'include']);
    const exclude = this.#names.parties(said.exclude, [...path, 'exclude']);
    if (said.are === undefined && said.include === undefined && said.exclude === undefined) {
      this.#context.absent(path, `${kind} says nothing about them`, 'say are, include or exclude', true);
    }
    if (said.are !== undefined && (said.include !== undefined || said.exclude !== undefined)) {
      this.#context.report(path, 'are leaves nothing to include or exclude', 'say one or the other', true);
    }
    return (
      at && {
        kind,
        at,
        ...(are === undefined ? {} : { are }),
        ...(include === undefined ? {} : { include }),
        ...(exclude === undefined ? {} : { exclude }),
      }
    );
  }

  #selection(
    said: { request: number | number[] | string; client?: string | undefined },
    path: Path,
  ): Selection {
    const { traffic } = this.#cast;
    const requests = typeof said.request === 'string' ? ('all' as const) : asList(said.request);
    const numbers = requests === 'all' ? [] : requests;
    for (const [index, number] of numbers.entries()) {
      if (traffic === undefined || number <= traffic.requests) continue;
      this.#context.absent(
        Array.isArray(said.request) ? [...path, 'request', index] : [...path, 'request'],
        `there is no request ${number}`,
        `the clients send ${traffic.requests}`,
      );
    }
    if (said.client === undefined) return { requests };
    const clients = new Map(this.#names.nodesOf('client').map((node) => [node.name, node]));
    this.#context.find(clients, said.client, [...path, 'client'], 'client', ['nodes']);
    return { requests, client: said.client };
  }

  #backend(said: Of<'backend'>, path: Path): Made {
    const names = asList(said.is);
    for (const [index, name] of names.entries())
      this.#names.backendName(name, Array.isArray(said.is) ? [...path, 'is', index] : [...path, 'is']);
    return { kind: 'backend', ...this.#selection(said, path), is: names };
  }

  #pattern(text: string, path: Path): void {
    const compiled = compilePattern(text);
    if (typeof compiled !== 'string') return;
    this.#context.report(path, `not a pattern that can be matched (got ${show(text)})`, compiled);
  }

  #header(said: Of<'header'>, path: Path): Made {
    const at = this.#names.place(said.at, [...path, 'at']);
    if (said.absent === true && said.is !== undefined) {
      this.#context.report(
        [...path, 'absent'],
        'a header that is absent has no value',
        'remove is, or absent',
        true,
      );
    }
    const value = said.is === undefined ? undefined : this.#headerValue(said.is, [...path, 'is']);
    if (at === undefined || (said.is !== undefined && value === undefined)) return undefined;
    return {
      kind: 'header',
      at,
      of: said.of,
      header: said.name,
      absent: said.absent === true,
      ...(value === undefined ? {} : { value }),
    };
  }

  #headerValue(said: NonNullable<Of<'header'>['is']>, path: Path): HeaderValue | undefined {
    if (typeof said !== 'object') return { text: String(said) };
    if ('matches' in said) {
      this.#pattern(said.matches, [...path, 'matches']);
      return { matches: said.matches };
    }
    const address = this.#names.party(said.address, [...path, 'address']);
    return address && { address };
  }

  #path(said: Of<'path'>, path: Path): Made {
    const toServer = said['to-server'] && this.#names.places(said['to-server'], [...path, 'to-server']);
    const toClient = said['to-client'] && this.#names.places(said['to-client'], [...path, 'to-client']);
    const never =
      typeof said.never === 'string'
        ? [this.#names.place(said.never, [...path, 'never'])]
        : (said.never ?? []).map((name, index) => this.#names.place(name, [...path, 'never', index]));
    if (said['to-server'] === undefined && said['to-client'] === undefined && said.never === undefined) {
      this.#context.absent(path, 'path says nothing', 'say to-server, to-client or never', true);
    }
    return {
      kind: 'path',
      of: said.of,
      ...(toServer === undefined ? {} : { toServer }),
      ...(toClient === undefined ? {} : { toClient }),
      never: never.filter((place) => place !== undefined),
    };
  }

  #endToEnd(said: Of<'end-to-end'>, path: Path): Made {
    const connections = typeof said === 'number' ? said : said.connections;
    const where = typeof said === 'number' ? { from: undefined, to: undefined } : said;
    const from =
      where.from === undefined
        ? this.#names.usual('clients', path)
        : this.#names.place(where.from, [...path, 'from']);
    const to =
      where.to === undefined
        ? this.#names.usual('backends', path)
        : this.#names.place(where.to, [...path, 'to']);
    return from && to && { kind: 'end-to-end', connections, from, to };
  }

  #spread(said: Of<'spread'>, path: Path): Made {
    const { even, tolerance, of, ...written } =
      typeof said === 'string'
        ? { even: true as const, tolerance: undefined, of: 'requests' as const }
        : said;
    const names = Object.keys(written);
    for (const name of names) this.#spreadName(name, [...path, name]);
    if (even === true && names.length > 0) {
      this.#context.report(path, 'shares are given beside even', 'remove one of the two', true);
    }
    if (even === undefined && names.length === 0) {
      this.#context.absent(path, 'spread names no backend', 'for example {be1: 50%, be2: 50%}', true);
    }
    const percent = (text: string) => Number(text.slice(0, -1));
    const given = new Map(Object.entries(written).map(([name, text]) => [name, percent(text)]));
    const sum = [...given.values()].reduce((total, each) => total + each, 0);
    // 33.33% three times is as near as one can write it.
    if (
      names.length > 0 &&
      names.every((name) => this.#names.backends.includes(name)) &&
      Math.abs(sum - 100) > 0.1
    ) {
      this.#context.absent(
        path,
        `the shares add up to ${Number(sum.toFixed(2))}%`,
        'they must add up to 100%',
        true,
      );
    }
    const reals = this.#cast.balancer?.services.flatMap((service) => service.backends) ?? [];
    const serving = this.#names.backends.filter(
      (name) =>
        reals.length === 0 ||
        reals.some((real) => real.node === name && real.weight > 0 && real.down !== true),
    );
    const shares = this.#names.backends.map((name): readonly [string, number] => [
      name,
      even === true ? (serving.includes(name) ? 100 / serving.length : 0) : (given.get(name) ?? 0),
    ]);
    return {
      kind: 'spread',
      of,
      isEven: even === true,
      shares,
      tolerance: tolerance === undefined ? 0 : percent(tolerance),
    };
  }

  #spreadName(name: string, path: Path): void {
    if (this.#names.backends.includes(name) || this.#context.wrong('balancer')) return;
    const known = [...this.#names.backends, 'even', 'tolerance', 'of'];
    this.#context.absent(
      path,
      `no backend of this name (got ${show(name)})`,
      suggest(nearest(name, known), this.#names.backends),
      true,
    );
  }

  #analysis(said: Of<'analysis'>, path: Path): Made {
    const at = this.#names.place(said.at, [...path, 'at']);
    const limits = new Map(Object.entries(said.max ?? {}) as [AnalysisFlag, number][]);
    if (said.none === undefined && limits.size === 0) {
      this.#context.absent(path, 'analysis says nothing', 'say none or max', true);
    }
    const none = said.none === undefined ? [] : typeof said.none === 'string' ? ANALYSIS_FLAGS : said.none;
    for (const flag of none) if (!limits.has(flag)) limits.set(flag, 0);
    return at && { kind: 'analysis', at, limits: [...limits] };
  }

  #times(
    said: { median?: string | undefined; max?: string | undefined; min?: string | undefined },
    path: Path,
  ): { median?: number; max?: number; min?: number } {
    if (said.median === undefined && said.max === undefined && said.min === undefined) {
      this.#context.absent(path, 'it sets no limit', 'say median or max', true);
    }
    return {
      ...(said.median === undefined ? {} : { median: nanoseconds(said.median) }),
      ...(said.max === undefined ? {} : { max: nanoseconds(said.max) }),
      ...(said.min === undefined ? {} : { min: nanoseconds(said.min) }),
    };
  }

  #latency(said: Of<'latency'>, path: Path): Made {
    const from = said.from === undefined ? undefined : this.#names.place(said.from, [...path, 'from']);
    const to = said.to === undefined ? undefined : this.#names.place(said.to, [...path, 'to']);
    if ((said.from === undefined) !== (said.to === undefined)) {
      this.#context.absent(
        path,
        'latency is from one place to another',
        'say both from and to, or neither',
        true,
      );
    }
    if (said.from === undefined && this.#cast.balancer === undefined) {
      this.#context.absent(path, 'there is no balancer to measure', 'say from and to', true);
    }
    return {
      kind: 'latency',
      way: said.way,
      ...this.#times(said, path),
      ...(from === undefined ? {} : { from }),
      ...(to === undefined ? {} : { to }),
    };
  }

  #volume(kind: 'packets' | 'bytes', said: Of<'packets'>, path: Path): Made {
    const at = this.#names.place(said.at, [...path, 'at']);
    const count = this.#range(said.count, [...path, 'count']);
    return at && { kind, at, way: said.way, per: said.per, count };
  }

  #arp(said: Of<'arp'>, path: Path): Made {
    const at = this.#names.place(said.at, [...path, 'at']);
    const address = this.#names.party(said.address, [...path, 'address']);
    const answeredBy = this.#names.nodeNames(said['answered-by'], [...path, 'answered-by']);
    const askedBy = this.#names.nodeNames(said['asked-by'], [...path, 'asked-by']);
    if (answeredBy === undefined && askedBy === undefined) {
      this.#context.absent(path, 'arp says nothing', 'say answered-by or asked-by', true);
    }
    if (address !== undefined && address.addresses.length !== 1) {
      this.#context.report(
        [...path, 'address'],
        `${said.address} has several addresses`,
        'say which: NODE:INTERFACE, or an address',
      );
    } else if (address?.addresses[0]?.includes(':') === true) {
      this.#context.report(
        [...path, 'address'],
        `nobody asks for ${address.addresses[0]} in ARP`,
        'IPv6 has none',
      );
    }
    return (
      at &&
      address && {
        kind: 'arp',
        at,
        address,
        ...(answeredBy === undefined ? {} : { answeredBy }),
        ...(askedBy === undefined ? {} : { askedBy }),
      }
    );
  }

  #table(said: Of<'table'>, path: Path): Made {
    const contains = said.contains === undefined ? [] : asList(said.contains);
    const matches = said.matches === undefined ? [] : asList(said.matches);
    for (const [index, text] of matches.entries())
      this.#pattern(text, Array.isArray(said.matches) ? [...path, 'matches', index] : [...path, 'matches']);
    if (contains.length + matches.length === 0) {
      this.#context.absent(path, 'table says nothing', 'say contains or matches', true);
    }
    const method = this.#cast.balancer?.method;
    if (method === undefined || methodOf(method).table === undefined) {
      this.#context.absent(
        path,
        method === undefined ? 'there is no balancer with a table' : `${method} keeps no table`,
        undefined,
        true,
      );
    }
    return { kind: 'table', contains, matches };
  }

  #status(said: Of<'status'>, path: Path): Made {
    if (typeof said !== 'object') return { kind: 'status', requests: 'all', is: [said] };
    return { kind: 'status', ...this.#selection(said, path), is: asList(said.is) };
  }

  #responseTime(said: Of<'response-time'>, path: Path): Made {
    const at =
      said.at === undefined
        ? this.#names.usual('clients', path)
        : this.#names.place(said.at, [...path, 'at']);
    return at && { kind: 'response-time', at, ...this.#times(said, path) };
  }
}
