// IPv4 and IPv6 addresses and subnets as numbers: reading, writing, membership. Knows the textual forms of RFC 4291 section 2.2 and
// RFC 5952 and nothing of topologies. A package would have been larger than what is used of it.

export interface Ip {
  readonly family: 4 | 6;
  readonly value: bigint;
}

export interface Subnet {
  readonly ip: Ip;
  readonly prefix: number;
}

const width = (family: 4 | 6) => (family === 4 ? 32 : 128);

/** Dotted decimal without leading zeros (some programs read `010` as octal), or IPv6 without a zone; undefined for anything else. */
export function parseIp(text: string): Ip | undefined {
  if (text.length > 45) return undefined;
  const value = text.includes(':') ? parse6(text) : parse4(text);
  return value === undefined ? undefined : { family: text.includes(':') ? 6 : 4, value };
}

function parse4(text: string): bigint | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0n;
  for (const part of parts) {
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255) return undefined;
    value = (value << 8n) | BigInt(part);
  }
  return value;
}

function parse6(text: string): bigint | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const groups = halves.map((half, index) => groups6(half, index === halves.length - 1));
  const [head, tail] = groups;
  if (head === undefined || (halves.length === 2 && tail === undefined)) return undefined;
  const missing = 8 - head.length - (tail?.length ?? 0);
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const all = [...head, ...Array.from({ length: missing }, () => 0n), ...(tail ?? [])];
  return all.reduce((value, group) => (value << 16n) | group, 0n);
}

function groups6(text: string, last: boolean): bigint[] | undefined {
  if (text === '') return [];
  const groups: bigint[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    if (last && index === parts.length - 1 && part.includes('.')) {
      const value = parse4(part);
      if (value === undefined) return undefined;
      groups.push(value >> 16n, value & 0xffffn);
    } else if (/^[0-9a-f]{1,4}$/i.test(part)) {
      groups.push(BigInt(`0x${part}`));
    } else {
      return undefined;
    }
  }
  return groups;
}

/** The canonical form: RFC 5952 for IPv6, without its dotted forms. */
export function formatIp({ family, value }: Ip): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 0xffn)).join('.');
  const groups = Array.from({ length: 8 }, (_, index) =>
    ((value >> BigInt(112 - 16 * index)) & 0xffffn).toString(16),
  );
  let start = -1;
  let length = 1;
  for (let index = 0; index < 8; index++) {
    let end = index;
    while (groups[end] === '0') end++;
    if (end - index > length) [start, length] = [index, end - index];
  }
  if (start < 0) return groups.join(':');
  return `${groups.slice(0, start).join(':')}::${groups.slice(start + length).join(':')}`;
}

/** `ADDRESS/PREFIX`, host bits allowed; undefined when either part is malformed. */
export function parseSubnet(text: string): Subnet | undefined {
  const match = /^([^/]+)\/(0|[1-9][0-9]{0,2})$/.exec(text);
  const ip = match?.[1] === undefined ? undefined : parseIp(match[1]);
  const prefix = Number(match?.[2]);
  return ip === undefined || prefix > width(ip.family) ? undefined : { ip, prefix };
}

export function formatSubnet({ ip, prefix }: Subnet): string {
  return `${formatIp(ip)}/${prefix}`;
}

/** The subnet with its host bits cleared. */
export function network({ ip, prefix }: Subnet): Subnet {
  const shift = BigInt(width(ip.family) - prefix);
  return { ip: { family: ip.family, value: (ip.value >> shift) << shift }, prefix };
}

export function contains(subnet: Subnet, ip: Ip): boolean {
  const shift = BigInt(width(subnet.ip.family) - subnet.prefix);
  return subnet.ip.family === ip.family && subnet.ip.value >> shift === ip.value >> shift;
}

export function overlaps(a: Subnet, b: Subnet): boolean {
  return contains(a.prefix <= b.prefix ? a : b, a.prefix <= b.prefix ? b.ip : a.ip);
}

/** How many addresses the subnet has, reserved ones included. */
export function size({ ip, prefix }: Subnet): bigint {
  return 1n << BigInt(width(ip.family) - prefix);
}

/** The subnet's `offset`th address, 0 being the network's own. */
export function nth(subnet: Subnet, offset: bigint): Ip {
  return { family: subnet.ip.family, value: network(subnet).ip.value + offset };
}

/**
 * Why no host may have this address on this subnet: the network's own address (for IPv6 the subnet-router anycast address, RFC 4291
 * section 2.6.1) or IPv4's broadcast address (RFC 919). Undefined when a host may have it.
 */
export function reserved(subnet: Subnet, ip: Ip): 'network' | 'broadcast' | undefined {
  const offset = ip.value - network(subnet).ip.value;
  if (offset === 0n) return 'network';
  return ip.family === 4 && offset === size(subnet) - 1n ? 'broadcast' : undefined;
}

const special: readonly (readonly [Subnet | undefined, string])[] = (
  [
    ['0.0.0.0/8', 'this network (RFC 1122)'],
    ['127.0.0.0/8', 'loopback (RFC 1122)'],
    ['224.0.0.0/4', 'multicast (RFC 5771)'],
    ['240.0.0.0/4', 'reserved (RFC 1112)'],
    ['::/127', 'unspecified and loopback (RFC 4291)'],
    ['::ffff:0:0/96', 'IPv4-mapped (RFC 4291)'],
    ['fe80::/10', 'link-local (RFC 4291)'],
    ['ff00::/8', 'multicast (RFC 4291)'],
  ] as const
).map(([text, use]) => [parseSubnet(text), use]);

/** What a range that hosts cannot be numbered from is for; undefined for an ordinary unicast subnet. */
export function specialUse(subnet: Subnet): string | undefined {
  return special.find(([range]) => range !== undefined && overlaps(range, subnet))?.[1];
}

/** `192.168.11.107:80` or `[fd00::1]:80` (RFC 3986 section 3.2.2); without a port only IPv6's brackets are added. */
export function addressPort(address: string, port?: number): string {
  const host = address.includes(':') ? `[${address}]` : address;
  return port === undefined ? host : `${host}:${port}`;
}
