// Who is who in a topology: the parts that claims speak of, so that every claim can be judged on every lab. Capture points get a role
// from where they listen, never from their name. Knows topologies only; packets are read in measure.ts.
import type { Interface, Node, Topology } from '../topology/types.ts';

/** Where packets are seen: at a client, on the balancer's two sides, at a backend. */
export type Place = 'client' | 'outside' | 'inside' | 'backend';

export interface BackendRole {
  readonly node: string;
  /** Addresses that the balancer sends to; of a lab without balancer the interfaces' own. */
  readonly addresses: ReadonlySet<string>;
  readonly macs: ReadonlySet<string>;
  readonly weight: number;
  readonly down: boolean;
  /** Its subnets, as the prefixes of its interfaces' addresses. */
  readonly interfaces: readonly Interface[];
}

export interface Roles {
  /** The address that clients ask for; nothing without a balancer. */
  readonly vip: string | undefined;
  /** TCP ports of the service, the VIP's and the backends'. */
  readonly ports: ReadonlySet<number>;
  /** The VIP's ports. */
  readonly servicePorts: ReadonlySet<number>;
  readonly clients: ReadonlySet<string>;
  readonly clientAddresses: ReadonlySet<string>;
  readonly balancer: Node | undefined;
  readonly balancerAddresses: ReadonlySet<string>;
  readonly balancerMacs: ReadonlySet<string>;
  /** Addresses that ask backends whether they live, and for nothing else: IPVS itself sends nothing in its own name. */
  readonly checkers: ReadonlySet<string>;
  /** In the order of the virtual service. */
  readonly backends: readonly BackendRole[];
  /** Where the balancer sends to. */
  readonly backendAddresses: ReadonlySet<string>;
  /** The balancer's interfaces towards the clients. */
  readonly outside: ReadonlySet<string>;
  /** The balancer's interfaces towards the backends; those towards the clients where it has one arm only. */
  readonly inside: ReadonlySet<string>;
}

const addressesOf = (node: Node) =>
  new Set(
    [...node.interfaces.flatMap((link) => link.addresses), ...node.loopback].map(({ address }) => address),
  );

const union = (sets: readonly ReadonlySet<string>[]) => new Set(sets.flatMap((set) => Array.from(set)));

const interfaceAddresses = (node: Node) =>
  new Set(node.interfaces.flatMap((link) => link.addresses.map(({ address }) => address)));

/** The addresses of a node's interfaces; none where there is no such node. */
export const addressesNamed = (topology: Topology, name: string): Set<string> => {
  const node = topology.nodes.find((each) => each.name === name);
  return node === undefined ? new Set() : interfaceAddresses(node);
};

const groupsOf = (text: string) => (text === '' ? [] : text.split(':'));

/** Bits of an address, most significant first: 32 of IPv4, 128 of IPv6. */
function bits(address: string): string {
  if (!address.includes(':')) {
    return address
      .split('.')
      .map((part) => Number(part).toString(2).padStart(8, '0'))
      .join('');
  }
  const [head = '', tail] = address.split('::');
  const front = groupsOf(head);
  const back = tail === undefined ? [] : groupsOf(tail);
  const middle = Array.from({ length: 8 - front.length - back.length }, () => '0');
  return [...front, ...middle, ...back]
    .map((group) => Number.parseInt(group, 16).toString(2).padStart(16, '0'))
    .join('');
}

/** Whether an interface reaches an address without a router. */
export function isOnLink(link: Interface, address: string): boolean {
  return link.addresses.some(
    (own) =>
      own.address.includes(':') === address.includes(':') &&
      bits(own.address).slice(0, own.prefix) === bits(address).slice(0, own.prefix),
  );
}

/** The port that a URL asks for; nothing when it is none. */
export function portOfUrl(url: string): number | undefined {
  if (!URL.canParse(url)) return undefined;
  const { port, protocol } = new URL(url);
  return port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
}

/** The clients: those that send the traffic, and every node that has the role. */
function clientNodes(topology: Topology): Node[] {
  return topology.nodes.filter(
    (node) => node.role === 'client' || topology.traffic?.clients.includes(node.name) === true,
  );
}

function backendRoles(topology: Topology): BackendRole[] {
  const reals = topology.balancer?.services.flatMap((service) => service.backends);
  const names =
    reals?.map((real) => real.node) ??
    topology.nodes.filter(({ role }) => role === 'backend').map(({ name }) => name);
  return [...new Set(names)].flatMap((name) => {
    const node = topology.nodes.find((each) => each.name === name);
    if (node === undefined) return [];
    const mine = reals?.filter((real) => real.node === name);
    return {
      node: name,
      addresses: mine === undefined ? interfaceAddresses(node) : new Set(mine.map((real) => real.address)),
      macs: new Set(node.interfaces.map(({ mac }) => mac)),
      weight: mine === undefined ? 1 : Math.max(...mine.map((real) => real.weight)),
      down: mine?.every((real) => real.down === true) === true,
      interfaces: node.interfaces,
    };
  });
}

function checkersOf({ balancer, nodes }: Topology): ReadonlySet<string> {
  if (balancer?.health === undefined) return new Set();
  const directors = nodes.filter(({ name }) => name === balancer.node || name === balancer.pair?.node);
  const own = union(directors.map(interfaceAddresses));
  return new Set([...own].filter((address) => address !== balancer.vip));
}

export function rolesOf(topology: Topology): Roles {
  const { balancer } = topology;
  const director = topology.nodes.find((node) => node.name === balancer?.node);
  const clients = clientNodes(topology);
  const backends = backendRoles(topology);
  const clientSegments = new Set(clients.flatMap((node) => node.interfaces.map(({ segment }) => segment)));
  const links = director?.interfaces ?? [];
  const named = (some: readonly Interface[]) =>
    new Set((some.length > 0 ? some : links).map(({ name }) => name));
  const vip = balancer?.vip;
  const inside = links.filter((link) =>
    backends.some((backend) => [...backend.addresses].some((address) => isOnLink(link, address))),
  );
  const servicePorts = new Set(balancer?.services.map(({ port }) => port));
  const asked = topology.traffic === undefined ? undefined : portOfUrl(topology.traffic.url);
  if (balancer === undefined && asked !== undefined) servicePorts.add(asked);
  const listening = balancer === undefined ? topology.nodes.flatMap((node) => node.httpd?.ports ?? []) : [];
  const realPorts = balancer?.services.flatMap((service) => service.backends.map(({ port }) => port)) ?? [];
  return {
    vip,
    ports: new Set([...servicePorts, ...realPorts, ...listening]),
    servicePorts,
    clients: new Set(clients.map(({ name }) => name)),
    clientAddresses: union(clients.map(interfaceAddresses)),
    balancer: director,
    balancerAddresses: new Set([
      ...(director === undefined ? [] : addressesOf(director)),
      ...(vip === undefined ? [] : [vip]),
    ]),
    balancerMacs: new Set(links.map(({ mac }) => mac)),
    checkers: checkersOf(topology),
    backends,
    backendAddresses: union(backends.map(({ addresses }) => addresses)),
    outside: named(
      links.filter((link) => clientSegments.has(link.segment) || (vip !== undefined && isOnLink(link, vip))),
    ),
    inside: named(inside),
  };
}

/** The places that a node's interface is; none for a router's, say. */
export function placesOf(roles: Roles, node: string, interfaceName: string): Place[] {
  const places: Place[] = [];
  if (roles.clients.has(node)) places.push('client');
  if (roles.backends.some((backend) => backend.node === node)) places.push('backend');
  if (roles.balancer?.name === node) {
    if (roles.outside.has(interfaceName)) places.push('outside');
    if (roles.inside.has(interfaceName)) places.push('inside');
  }
  return places;
}
