// Segments, interfaces, addresses, MACs and next hops: who is plugged in where, and which number everything has. What is not written
// is assigned by order in the file, so that a file always gives the same lab.
import {
  contains,
  formatIp,
  formatSubnet,
  network,
  nth,
  overlaps,
  parseIp,
  parseSubnet,
  reserved,
  size,
  specialUse,
} from './address.ts';
import type { Ip, Subnet } from './address.ts';
import type { Context } from './context.ts';
import { show } from './issues.ts';
import type { Path } from './issues.ts';
import type { Declared, DeclaredInterface } from './schema.ts';
import { milliseconds } from './time.ts';
import type { Address, Interface, Link, Role, Segment } from './types.ts';

export interface Wire {
  readonly name: string;
  readonly subnets: readonly Subnet[];
}

/** An interface under way: its addresses as numbers too. */
/** The machines of a file, and what is known of them before they are resolved. */
export interface Machines {
  readonly declared: Declared['nodes'];
  readonly roles: ReadonlyMap<string, Role>;
  readonly plugs: ReadonlyMap<string, readonly Plug[]>;
}

export interface Plug extends Interface {
  readonly ips: readonly { readonly ip: Ip; readonly prefix: number }[];
  readonly path: Path;
}

/** Reads the segments; one without a subnet gets the lowest free 10.200.N.0/24. */
export function resolveSegments(declared: Declared['segments'], context: Context): Map<string, Wire> {
  const wires = new Map<string, Wire>();
  const taken: { name: string; subnet: Subnet }[] = [];
  const unnumbered: string[] = [];
  for (const [name, value] of Object.entries(declared)) {
    const path: Path = ['segments', name];
    const written =
      typeof value === 'object' && value !== null && !Array.isArray(value)
        ? { list: value.subnets, path: [...path, 'subnets'] }
        : { list: value ?? undefined, path };
    const list = typeof written.list === 'string' ? [written.list] : (written.list ?? []);
    if (list.length === 0) unnumbered.push(name);
    const subnets: Subnet[] = [];
    for (const [index, text] of list.entries()) {
      const at = Array.isArray(written.list) ? [...written.path, index] : written.path;
      const subnet = resolveSubnet(text, at, context);
      if (subnet === undefined) continue;
      if (subnets.some((other) => other.ip.family === subnet.ip.family)) {
        context.report(
          at,
          `a second IPv${subnet.ip.family} subnet (got ${show(text)})`,
          'a segment has one of each family',
        );
        continue;
      }
      const other = taken.find((each) => overlaps(each.subnet, subnet));
      if (other !== undefined) {
        context.report(at, `${text} overlaps ${formatSubnet(other.subnet)} of segment ${other.name}`);
      }
      taken.push({ name, subnet });
      subnets.push(subnet);
    }
    wires.set(name, { name, subnets });
  }
  let third = 0n;
  for (const name of unnumbered) {
    let subnet: Subnet;
    do subnet = { ip: { family: 4, value: (10n << 24n) + (200n << 16n) + (third++ << 8n) }, prefix: 24 };
    while (taken.some((each) => overlaps(each.subnet, subnet)));
    taken.push({ name, subnet });
    wires.set(name, { name, subnets: [subnet] });
  }
  return wires;
}

function resolveSubnet(text: string, path: Path, context: Context): Subnet | undefined {
  const subnet = parseSubnet(text);
  if (subnet === undefined) {
    const ip = parseIp(text);
    return context.report(
      path,
      `not a subnet (got ${show(text)})`,
      ip === undefined
        ? 'write it like 192.168.11.0/24'
        : `did you mean ${formatSubnet(network({ ip, prefix: ip.family === 4 ? 24 : 64 }))}?`,
    );
  }
  const base = network(subnet);
  if (base.ip.value !== subnet.ip.value) {
    return context.report(
      path,
      `a subnet has no host bits (got ${show(text)})`,
      `did you mean ${formatSubnet(base)}?`,
    );
  }
  const [low, high] = subnet.ip.family === 4 ? [8, 30] : [16, 126];
  if (subnet.prefix < low || subnet.prefix > high) {
    return context.report(
      path,
      `an IPv${subnet.ip.family} segment has a prefix of ${low} to ${high} (got ${show(text)})`,
    );
  }
  const use = specialUse(subnet);
  return use === undefined ? subnet : context.report(path, `${text} is no subnet for hosts: ${use}`);
}

export function toSegment({ name, subnets }: Wire): Segment {
  return { name, subnets: subnets.map(formatSubnet) };
}

interface Socket {
  readonly node: string;
  readonly name: string;
  readonly path: Path;
  readonly wire: Wire;
  readonly written: Exclude<DeclaredInterface, string> | undefined;
  ips: { ip: Ip; prefix: number }[];
  readonly automatic: boolean;
}

/**
 * Plugs every interface in. Written addresses are taken first; the others then get, in the file's order, the lowest free from the
 * subnet's 11th up (and from the 1st, when none is left above), past the addresses in `spared`.
 */
export function resolveInterfaces(
  nodes: Declared['nodes'],
  wires: ReadonlyMap<string, Wire>,
  spared: readonly string[],
  context: Context,
): Map<string, Plug[]> {
  const used = new Map<string, string>();
  const sockets: Socket[] = [];
  for (const [node, { interfaces }] of Object.entries(nodes)) {
    if (Object.keys(interfaces).length === 0) {
      context.absent(
        ['nodes', node, 'interfaces'],
        `node ${node} has no interface`,
        'write eth0: SEGMENT',
        true,
      );
    }
    for (const [name, value] of Object.entries(interfaces)) {
      const path: Path = ['nodes', node, 'interfaces', name];
      const written = typeof value === 'string' ? undefined : value;
      const segment = typeof value === 'string' ? value : value.segment;
      const where = written === undefined ? path : [...path, 'segment'];
      const wire = context.find(wires, segment, where, 'segment', ['segments']);
      if (wire === undefined) continue;
      const socket: Socket = {
        node,
        name,
        path,
        wire,
        written,
        ips: [],
        automatic: written?.address === undefined,
      };
      sockets.push(socket);
      if (written?.address === undefined) continue;
      const list = typeof written.address === 'string' ? [written.address] : written.address;
      for (const [index, text] of list.entries()) {
        const at = typeof written.address === 'string' ? [...path, 'address'] : [...path, 'address', index];
        const found = resolveAddress(text, wire, at, context);
        if (found === undefined) continue;
        const owner = used.get(formatIp(found.ip));
        if (owner !== undefined) {
          context.report(
            at,
            `${formatIp(found.ip)} is already the address of ${owner}`,
            'give each interface its own',
          );
          continue;
        }
        used.set(formatIp(found.ip), `${node}:${name}`);
        socket.ips.push(found);
      }
    }
  }
  for (const address of spared) if (!used.has(address)) used.set(address, 'the balancer');
  for (const socket of sockets) {
    if (!socket.automatic) continue;
    for (const subnet of socket.wire.subnets) {
      const ip = lowestFree(subnet, used);
      if (ip === undefined) {
        context.absent(
          socket.path,
          `no address is left in ${formatSubnet(subnet)} of segment ${socket.wire.name}`,
          'give the segment a larger subnet',
          true,
        );
        continue;
      }
      used.set(formatIp(ip), `${socket.node}:${socket.name}`);
      socket.ips.push({ ip, prefix: subnet.prefix });
    }
  }
  return withMacs(nodes, sockets, context);
}

function lowestFree(subnet: Subnet, used: ReadonlyMap<string, string>): Ip | undefined {
  const count = size(subnet);
  const free = (from: bigint, to: bigint): Ip | undefined => {
    for (let offset = from; offset < to; offset++) {
      const ip = nth(subnet, offset);
      if (!used.has(formatIp(ip)) && reserved(subnet, ip) === undefined) return ip;
    }
    return undefined;
  };
  return free(11n, count) ?? free(1n, count < 11n ? count : 11n);
}

function resolveAddress(
  text: string,
  wire: Wire,
  path: Path,
  context: Context,
): { ip: Ip; prefix: number } | undefined {
  const written = text.includes('/') ? parseSubnet(text) : undefined;
  const ip = written?.ip ?? parseIp(text);
  if (ip === undefined) {
    return context.report(path, `not an address (got ${show(text)})`, 'write it like 192.168.11.104');
  }
  const subnet = wire.subnets.find((each) => contains(each, ip));
  if (subnet === undefined) {
    if (wire.subnets.length === 0) return undefined;
    return context.report(
      path,
      `${text} is outside ${wire.subnets.map(formatSubnet).join(' and ')} of segment ${wire.name}`,
    );
  }
  if (written !== undefined && written.prefix < subnet.prefix) {
    return context.report(
      path,
      `the prefix is shorter than that of ${formatSubnet(subnet)} (got ${show(text)})`,
      `leave /${written.prefix} out`,
    );
  }
  const taken = reserved(subnet, ip);
  if (taken !== undefined) {
    return context.report(
      path,
      `${formatIp(ip)} is the ${taken} address of ${formatSubnet(subnet)}`,
      'no host may have it',
    );
  }
  return { ip, prefix: written?.prefix ?? subnet.prefix };
}

function withMacs(
  nodes: Declared['nodes'],
  sockets: readonly Socket[],
  context: Context,
): Map<string, Plug[]> {
  const owners = new Map<string, Socket>();
  const plugs = new Map<string, Plug[]>(Object.keys(nodes).map((name) => [name, []]));
  let counter = 0;
  const macOf = (socket: Socket): string => {
    const written = socket.written?.mac;
    const at = [...socket.path, 'mac'];
    if (written !== undefined) {
      const mac = written.toLowerCase();
      if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac)) {
        context.report(at, `not a MAC address (got ${show(written)})`, 'write it like 02:00:00:00:00:68');
      } else if (Number.parseInt(mac.slice(0, 2), 16) % 2 === 1 || mac === '00:00:00:00:00:00') {
        context.report(
          at,
          `no interface can have this MAC address (got ${show(written)})`,
          'the first byte must be even: 02:...',
        );
      }
      return mac;
    }
    const v4 = socket.ips.find(({ ip }) => ip.family === 4);
    const [second, value] = v4 === undefined ? ['01', BigInt(++counter)] : ['00', v4.ip.value];
    return `02:${second}:${value.toString(16).padStart(8, '0').match(/../g)?.join(':') ?? ''}`;
  };
  for (const socket of sockets) {
    const mac = macOf(socket);
    const owner = owners.get(mac);
    if (owner !== undefined) {
      // Of a written and an assigned one, the written is the mistake.
      const [wrong, other] = socket.written?.mac === undefined ? [owner, socket] : [socket, owner];
      context.report(
        [...wrong.path, 'mac'],
        `${mac} is already the MAC address of ${other.node}:${other.name}`,
        'give each interface its own',
      );
    }
    owners.set(mac, socket);
    const link = toLink(socket.written?.link);
    plugs.get(socket.node)?.push({
      name: socket.name,
      segment: socket.wire.name,
      addresses: socket.ips.map(({ ip, prefix }) => ({ address: formatIp(ip), prefix })),
      mac,
      ...(link === undefined ? {} : { link }),
      ips: socket.ips,
      path: socket.path,
    });
  }
  return plugs;
}

function toLink(link: Exclude<DeclaredInterface, string>['link']): Link | undefined {
  if (link === undefined) return undefined;
  const { delay, loss, rate } = link;
  const [, number = '0', unit = 'k'] = /^([0-9.]+)([kmg])bit$/.exec(rate ?? '') ?? [];
  return {
    ...(delay === undefined ? {} : { delay: milliseconds(delay) }),
    ...(loss === undefined ? {} : { loss: Number(loss.slice(0, -1)) }),
    ...(rate === undefined
      ? {}
      : { rate: Math.round(Number(number) * ({ k: 1e3, m: 1e6, g: 1e9 }[unit] ?? 1)) }),
  };
}

/** Addresses for the loopback; without a prefix they are single addresses. */
export function resolveLoopback(list: readonly string[], path: Path, context: Context): Address[] {
  const result: Address[] = [];
  for (const [index, text] of list.entries()) {
    const at = [...path, index];
    const written = text.includes('/') ? parseSubnet(text) : undefined;
    const ip = written?.ip ?? parseIp(text);
    if (ip === undefined) {
      context.report(at, `not an address (got ${show(text)})`, 'write it like 192.168.11.107');
      continue;
    }
    const address = formatIp(ip);
    if (result.some((other) => other.address === address)) {
      context.report(at, `${address} is given twice`);
      continue;
    }
    result.push({ address, prefix: written?.prefix ?? (ip.family === 4 ? 32 : 128) });
  }
  return result;
}
