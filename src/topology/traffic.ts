// What clients ask for: of which address, how often, how they look names up and keep connections. What the file leaves out comes from the balancer.
import { formatIp, parseIp } from './address.ts';
import type { Context } from './context.ts';
import { show, suggest } from './issues.ts';
import type { Path } from './issues.ts';
import { parseUrl } from './names.ts';
import { nearest } from './nearest.ts';
import type { Declared } from './schema.ts';
import { milliseconds } from './time.ts';
import type { Balancer, Lookup, Node, Traffic } from './types.ts';
import type { Machines } from './wiring.ts';

type DeclaredTraffic = NonNullable<Declared['traffic']>;

const PATH: Path = ['traffic'];

/** The URL of a balancer's TCP service. */
function usualUrl(balancer: Balancer | undefined): string | undefined {
  const service = balancer?.services.find(({ protocol }) => protocol === 'tcp');
  if (balancer === undefined || service === undefined) return undefined;
  const { dns, vip } = balancer;
  const host = dns?.name ?? (vip.includes(':') ? `[${vip}]` : vip);
  return `http://${host}${service.port === 80 ? '' : `:${service.port}`}/`;
}

export function resolveTraffic(
  { traffic }: Declared,
  { roles }: Machines,
  nodes: readonly Node[],
  balancer: Balancer | undefined,
  context: Context,
): Traffic | undefined {
  const usual = usualUrl(balancer);
  const every = [...roles].filter(([, role]) => role === 'client').map(([name]) => name);
  if (traffic === undefined) {
    if (usual === undefined || every.length === 0) return undefined;
    return {
      clients: every,
      url: usual,
      requests: 10,
      concurrency: 1,
      ...(balancer?.dns !== undefined && { lookup: everyone(every, 'ordinary') }),
      timeout: 5,
      headers: [],
    };
  }
  const clients = resolveClients(traffic, every, nodes, context);
  const url = traffic.url ?? usual ?? '';
  const parsed = resolveUrl(traffic, usual, nodes, balancer, context);
  const isNamed = parsed !== undefined && addressIn(parsed) === undefined;
  const lookup = resolveLookup(traffic.lookup, clients, isNamed ? balancer : undefined, context);
  if (traffic.lookup !== undefined && parsed !== undefined && !isNamed) {
    context.report(
      [...PATH, 'lookup'],
      `${url} has an address, so there is nothing to look up`,
      'remove it, or use method dns',
      true,
    );
  }
  const reuse = resolveReuse(traffic.reuse, clients, isNamed, context);
  const rate = resolveRate(traffic, context);
  const seconds = traffic.for === undefined ? undefined : milliseconds(traffic.for) / 1000;
  return {
    clients,
    url,
    requests:
      rate === undefined || seconds === undefined
        ? traffic.requests
        : clients.length * Math.max(1, Math.round(rate * seconds)),
    concurrency: traffic.concurrency,
    ...(rate !== undefined && { rate }),
    ...(traffic.order === 'in-turn' && { order: traffic.order }),
    ...(reuse.length > 0 && { reuse }),
    ...(lookup !== undefined && { lookup }),
    timeout: milliseconds(traffic.timeout) / 1000,
    headers: Object.entries(traffic.headers).map(([name, value]) => [name, String(value)] as const),
  };
}

/** The nodes that ask: those that the file names, or all that have the role. */
function resolveClients(
  { clients: written }: DeclaredTraffic,
  every: readonly string[],
  nodes: readonly Node[],
  context: Context,
): readonly string[] {
  const clients = typeof written === 'string' ? [written] : (written ?? every);
  const byName = new Map(nodes.map((node) => [node.name, node]));
  for (const [index, name] of clients.entries()) {
    if (written === undefined) continue;
    const at = typeof written === 'string' ? [...PATH, 'clients'] : [...PATH, 'clients', index];
    context.find(byName, name, at, 'node', ['nodes']);
    if (clients.indexOf(name) !== index) context.report(at, `${name} is listed twice`);
  }
  if (clients.length === 0) context.absent(PATH, 'no node has role client', 'say which: clients: NAME', true);
  return clients;
}

const addressIn = ({ hostname }: URL) => parseIp(hostname.replace(/^\[|\]$/g, ''));

/** What is asked for; nothing when it is no URL. */
function resolveUrl(
  { url: written }: DeclaredTraffic,
  usual: string | undefined,
  nodes: readonly Node[],
  balancer: Balancer | undefined,
  context: Context,
): URL | undefined {
  const path = [...PATH, 'url'];
  if (written === undefined && usual === undefined) {
    context.absent(
      PATH,
      'url is missing: there is no TCP service to take it from',
      'write url: http://ADDRESS/',
      true,
    );
  }
  const parsed = parseUrl(written ?? usual ?? '');
  if (written !== undefined && parsed === undefined) {
    context.report(
      path,
      `not an HTTP URL (got ${show(written)})`,
      `write it like ${usual ?? 'http://192.168.11.107/'}`,
    );
  }
  if (written !== undefined && parsed !== undefined) requireAddress(parsed, nodes, balancer, context);
  if (balancer?.health !== undefined && parsed?.pathname === balancer.health.path) {
    context.report(
      path,
      `health checks ask for ${parsed.pathname} too, so the two could not be told apart`,
      'let one ask for something else',
    );
  }
  return parsed;
}

/** Reports an address in a URL that no node has. */
function requireAddress(
  url: URL,
  nodes: readonly Node[],
  balancer: Balancer | undefined,
  context: Context,
): void {
  const ip = addressIn(url);
  if (ip === undefined) return;
  const asked = formatIp(ip);
  const known = new Set([
    ...(balancer === undefined ? [] : [balancer.vip]),
    ...nodes.flatMap((node) =>
      [...node.interfaces.flatMap((each) => each.addresses), ...node.loopback].map(({ address }) => address),
    ),
  ]);
  if (known.has(asked) || /^127\.|^::1$/.test(asked)) return;
  context.follows([...PATH, 'url'], `no node has the address ${asked}`, suggest(nearest(asked, known)));
}

/** The clients that keep their connection from request to request. */
function resolveReuse(
  written: DeclaredTraffic['reuse'],
  clients: readonly string[],
  isNamed: boolean,
  context: Context,
): readonly string[] {
  const path = [...PATH, 'reuse'];
  const reuse = written === true ? clients : written === false ? [] : [written].flat();
  for (const [index, name] of reuse.entries()) {
    if (typeof written === 'boolean' || clients.includes(name)) continue;
    const known = new Map(clients.map((each) => [each, each]));
    context.find(known, name, typeof written === 'string' ? path : [...path, index], 'client', [
      ...PATH,
      'clients',
    ]);
  }
  if (reuse.length > 0 && isNamed) {
    context.report(
      path,
      'reuse with a name in the URL',
      'each request is a curl of its own there: remove it',
      true,
    );
  }
  return reuse;
}

/** Requests a second of each client; nothing when one follows the other. */
function resolveRate(traffic: DeclaredTraffic, context: Context): number | undefined {
  const rate = traffic.rate === undefined ? undefined : Number(traffic.rate.slice(0, -2));
  if (rate === undefined && traffic.for !== undefined) {
    context.absent([...PATH, 'for'], 'for without a rate', 'write rate: 50/s, or requests: 100', true);
  }
  if (rate !== undefined && traffic.concurrency !== 1) {
    context.report(
      [...PATH, 'concurrency'],
      `concurrency with a rate (got ${traffic.concurrency})`,
      'remove it: a request begins when its time has come, whatever is under way',
      true,
    );
  }
  return rate;
}

const everyone = (clients: readonly string[], lookup: Lookup) =>
  Object.fromEntries(clients.map((name) => [name, lookup]));

/** What each client does about the name; nothing where neither the file nor the method speaks of names. */
function resolveLookup(
  written: Lookup | Readonly<Record<string, Lookup>> | undefined,
  clients: readonly string[],
  balancer: Balancer | undefined,
  context: Context,
): Record<string, Lookup> | undefined {
  if (written === undefined && balancer?.dns === undefined) return undefined;
  if (typeof written === 'string') return everyone(clients, written);
  const known = new Map(clients.map((name) => [name, name]));
  for (const name of Object.keys(written ?? {})) {
    context.find(known, name, ['traffic', 'lookup', name], 'client', ['traffic', 'clients']);
  }
  return { ...everyone(clients, 'ordinary'), ...written };
}
