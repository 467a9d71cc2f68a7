// Who and what the assertions of a file may name: capture points, nodes, roles, addresses. Follows a name to what it stands for, or reports
// it with the nearest that is known.
import { contains, formatIp, parseIp, parseSubnet } from './address.ts';
import type { Ip } from './address.ts';
import type { Context } from './context.ts';
import type { Party, PointGroup } from './expectations.ts';
import { suggest } from './issues.ts';
import type { Path } from './issues.ts';
import { nearest } from './nearest.ts';
import type { Declared } from './schema.ts';
import { asList } from './shapes.ts';
import type { Balancer, CapturePoint, Node, Segment, Traffic } from './types.ts';

/** What a file has been resolved to so far. */
export interface Cast {
  readonly segments: readonly Segment[];
  readonly nodes: readonly Node[];
  readonly balancer: Balancer | undefined;
  readonly captures: readonly CapturePoint[];
  readonly traffic: Traffic | undefined;
}

/** Words for every node of a role; one in the singular is as good. */
const ROLE_WORDS: Readonly<Record<string, 'client' | 'balancer' | 'backend'>> = {
  clients: 'client',
  client: 'client',
  balancer: 'balancer',
  backends: 'backend',
  backend: 'backend',
};

export class Names {
  readonly backends: readonly string[];
  readonly #declared: Declared;
  readonly #cast: Cast;
  readonly #context: Context;
  readonly #byName: ReadonlyMap<string, Node>;

  constructor(declared: Declared, cast: Cast, context: Context) {
    this.#declared = declared;
    this.#cast = cast;
    this.#context = context;
    this.#byName = new Map(cast.nodes.map((node) => [node.name, node]));
    this.backends = this.nodesOf('backend').map(({ name }) => name);
  }

  /** The nodes that play a part: who balances and who serves is told by the balancer, where there is one. */
  nodesOf(role: 'client' | 'balancer' | 'backend'): Node[] {
    const { nodes, balancer, traffic } = this.#cast;
    if (role === 'balancer') return nodes.filter(({ name }) => name === balancer?.node);
    if (role === 'client') {
      return nodes.filter((node) => node.role === 'client' || traffic?.clients.includes(node.name) === true);
    }
    const reals = new Set(balancer?.services.flatMap((service) => service.backends.map(({ node }) => node)));
    return nodes.filter((node) => (balancer === undefined ? node.role === 'backend' : reals.has(node.name)));
  }

  /** Capture points by a name. */
  place(name: string, path: Path): PointGroup | undefined {
    const { captures } = this.#cast;
    if (captures.some((point) => point.name === name)) return { name, points: [name] };
    // The point is in the file and wrong in itself, which is told already.
    if (Object.hasOwn(this.#declared.captures ?? {}, name)) return undefined;
    const [nodeName = '', device] = name.split(':');
    const node = this.#byName.get(nodeName);
    const role = ROLE_WORDS[name];
    const isNamed =
      node !== undefined && (device === undefined || node.interfaces.some((link) => link.name === device));
    const points = captures
      .filter((point) =>
        isNamed
          ? point.node === nodeName && (device === undefined || point.interface === device)
          : role !== undefined && this.nodesOf(role).some((each) => each.name === point.node),
      )
      .map((point) => point.name);
    if (points.length > 0) return { name, points };
    const known = captures.map((point) => point.name);
    if (isNamed || role !== undefined) {
      return this.#context.absent(path, `nothing is captured at ${name}`, suggest(undefined, known));
    }
    if (this.#context.wrong('captures')) return undefined;
    const words = ['clients', 'balancer', 'backends'].filter((word) => this.#hasRole(word));
    const others = name.includes(':')
      ? captures.map((point) => `${point.node}:${point.interface}`)
      : [...this.#byName.keys(), ...words];
    const all = new Map([...known, ...others].map((each) => [each, undefined]));
    this.#context.find(all, name, path, 'capture point', ['captures']);
    return undefined;
  }

  #hasRole(word: string): boolean {
    const role = ROLE_WORDS[word];
    return role !== undefined && this.nodesOf(role).length > 0;
  }

  /** Capture points by several names; undefined unless each is known. */
  places(names: readonly string[], path: Path): PointGroup[] | undefined {
    const found = names.map((name, index) => this.place(name, [...path, index]));
    return found.every((place) => place !== undefined) ? found : undefined;
  }

  /** The place that is meant when none is said. */
  usual(word: string, path: Path): PointGroup | undefined {
    const role = ROLE_WORDS[word]!;
    const nodes = this.nodesOf(role).map(({ name }) => name);
    const points = this.#cast.captures.filter(({ node }) => nodes.includes(node)).map(({ name }) => name);
    if (points.length > 0) return { name: word, points };
    return this.#context.absent(
      path,
      `nothing is captured at ${role === 'client' ? 'a client' : 'a backend'}`,
      undefined,
      true,
    );
  }

  /** Addresses by a name: a node, an interface of one, a role, the VIP, or an address itself. */
  party(name: string, path: Path): Party | undefined {
    const { balancer, nodes } = this.#cast;
    const ip = parseIp(name);
    if (ip !== undefined) return this.#address(ip, path);
    const [nodeName = '', device] = name.split(':');
    const node = this.#byName.get(nodeName);
    const link = node?.interfaces.find((each) => each.name === device);
    if (node !== undefined && (device === undefined || link !== undefined)) {
      const links = link === undefined ? node.interfaces : [link];
      return { name, addresses: this.#addressesOf(node, links) };
    }
    if (name === 'vip' && balancer !== undefined) return { name, addresses: [balancer.vip] };
    const role = ROLE_WORDS[name];
    const those = role === undefined ? [] : this.nodesOf(role);
    if (those.length > 0) {
      return { name, addresses: those.flatMap((each) => this.#addressesOf(each, each.interfaces)) };
    }
    if (this.#context.wrong('balancer')) return undefined;
    const near =
      node !== undefined && device !== undefined
        ? node.interfaces.map((each) => `${nodeName}:${each.name}`)
        : [
            ...nodes.map((each) => each.name),
            ...(balancer === undefined ? [] : ['vip', 'balancer', 'backends']),
            'clients',
          ];
    this.#context.find(new Map(near.map((each) => [each, undefined])), name, path, 'node or address', [
      'nodes',
    ]);
    return undefined;
  }

  /** An address that nobody has and that is on no segment is a slip, unless a node may have given it to itself. */
  #address(ip: Ip, path: Path): Party | undefined {
    const { segments, nodes, balancer } = this.#cast;
    const text = formatIp(ip);
    const known = nodes.flatMap((node) =>
      [...node.interfaces.flatMap((link) => link.addresses), ...node.loopback].map(({ address }) => address),
    );
    if (balancer !== undefined) known.push(balancer.vip);
    const subnets = segments.flatMap((segment) => segment.subnets).map(parseSubnet);
    const isKnown =
      known.includes(text) ||
      nodes.some(({ setup }) => setup.length > 0) ||
      subnets.some((subnet) => subnet !== undefined && contains(subnet, ip));
    if (!isKnown)
      this.#context.follows(path, `no node has the address ${text}`, suggest(nearest(text, known)));
    return { name: text, addresses: [text] };
  }

  /** The VIP is the balancer's, also where no interface is written with it. */
  #addressesOf(node: Node, links: Node['interfaces']): string[] {
    const own = links.flatMap((link) => link.addresses.map(({ address }) => address));
    const { balancer } = this.#cast;
    const isBalancer = balancer?.node === node.name && links === node.interfaces;
    return isBalancer ? [...new Set([...own, balancer.vip])] : own;
  }

  /** All that a list of names stands for; undefined where nothing is said. */
  parties(names: string | string[] | undefined, path: Path): Party[] | undefined {
    if (names === undefined) return undefined;
    const found = asList(names).map((name, index) =>
      this.party(name, Array.isArray(names) ? [...path, index] : path),
    );
    return found.filter((party) => party !== undefined);
  }

  /** Reports a name that no backend has. */
  backendName(name: string, path: Path): void {
    if (this.#context.wrong('balancer')) return;
    const known = new Map(this.backends.map((each) => [each, each]));
    this.#context.find(known, name, path, 'backend', ['nodes']);
  }

  /** The names, with those reported that no node has. */
  nodeNames(names: string | string[] | undefined, path: Path): string[] | undefined {
    if (names === undefined) return undefined;
    for (const [index, name] of asList(names).entries())
      this.#context.find(this.#byName, name, Array.isArray(names) ? [...path, index] : path, 'node', [
        'nodes',
      ]);
    return asList(names);
  }
}
