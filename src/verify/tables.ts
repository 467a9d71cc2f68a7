// Reads what programs print about a lab: ipvsadm's table, an interface's addresses, iptables' rules. Text in, plain data out; whether it is
// what it should be is left to the claims.

export interface RealServer {
  readonly host: string;
  readonly port: string;
  /** `Masq`, `Route`, `Tunnel` or `Local`. */
  readonly forward: string;
  readonly weight: number;
}

export interface VirtualServer {
  readonly protocol: string;
  readonly host: string;
  /** A number, or a service's name when ipvsadm was not given -n. */
  readonly port: string;
  readonly scheduler: string;
  readonly reals: readonly RealServer[];
}

/** `192.168.11.107:80`, `lb:http` or `[2001:db8::1]:80` in its two parts. */
function hostAndPort(text: string): { host: string; port: string } {
  const colon = text.lastIndexOf(':');
  return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: text.slice(colon + 1) };
}

/** Virtual services of `ipvsadm -L` or `ipvsadm -Ln` (ipvsadm(8)), in its order. */
export function parseIpvsadm(text: string): VirtualServer[] {
  const services: (VirtualServer & { reals: RealServer[] })[] = [];
  for (const line of text.split('\n')) {
    const words = line.trim().split(/\s+/);
    const [first = '', second = ''] = words;
    if (first === '->' && /^\d+$/.test(words[3] ?? '')) {
      const real = { ...hostAndPort(second), forward: words[2]!, weight: Number(words[3]) };
      services.at(-1)?.reals.push(real);
    } else if (/^(TCP|UDP|SCTP)$/.test(first)) {
      services.push({ protocol: first, ...hostAndPort(second), scheduler: words[2] ?? '', reals: [] });
    }
  }
  return services;
}

/** Local addresses in the output of `ip -json addr show` (ip-address(8)). Throws SyntaxError when it is not JSON. */
export function parseAddresses(text: string): string[] {
  const found: string[] = [];
  const links: unknown = JSON.parse(text);
  for (const link of Array.isArray(links) ? (links as unknown[]) : []) {
    const infos = isRecord(link) ? link['addr_info'] : undefined;
    for (const info of Array.isArray(infos) ? (infos as unknown[]) : []) {
      const local = isRecord(info) ? info['local'] : undefined;
      if (typeof local === 'string') found.push(local);
    }
  }
  return found;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

export interface RuleTable {
  /** Rules as `-A` lines. */
  readonly rules: readonly string[];
  /** Chains whose policy is not ACCEPT, as `-P` lines. */
  readonly policies: readonly string[];
}

/** One table in the output of `iptables -S`; nothing when there is no such output (it always tells the policies, iptables(8)). */
export function parseIptables(text: string): RuleTable | undefined {
  const lines = text.split('\n').map((line) => line.trim());
  const policies = lines.filter((line) => line.startsWith('-P '));
  if (policies.length === 0) return undefined;
  return {
    rules: lines.filter((line) => line.startsWith('-A ')),
    policies: policies.filter((line) => !line.endsWith(' ACCEPT')),
  };
}
