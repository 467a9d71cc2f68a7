// What is asked of a lab and where one listens: captures and traffic.
import { formatIp, parseIp } from './address.ts';
import type { Context } from './context.ts';
import { show, suggest } from './issues.ts';
import type { Path } from './issues.ts';
import { checkNames, parseUrl } from './names.ts';
import { nearest } from './nearest.ts';
import type { Declared } from './schema.ts';
import { milliseconds } from './time.ts';
import type { Balancer, CapturePoint, Lookup, Node, Traffic } from './types.ts';
import type { Machines, Plug } from './wiring.ts';

export function resolveCaptures(
  declared: Declared,
  machines: Machines,
  director: string | undefined,
  context: Context,
): CapturePoint[] {
  if (declared.captures === undefined) return defaultCaptures(machines, director);
  checkNames(declared.captures, ['captures'], context);
  const nodes = new Map(Object.entries(declared.nodes));
  const points: CapturePoint[] = [];
  for (const [name, value] of Object.entries(declared.captures)) {
    const path: Path = typeof value === 'string' ? ['captures', name] : ['captures', name, 'at'];
    const { at, filter } = typeof value === 'string' ? { at: value, filter: '' } : value;
    const [node = '', written, ...more] = at.split(':');
    if (more.length > 0 || node === '' || written === '') {
      context.report(path, `not a place to capture (got ${show(at)})`, 'write NODE:INTERFACE');
      continue;
    }
    if (context.find(nodes, node, path, 'node', ['nodes']) === undefined) continue;
    const interfaces = new Map(Object.entries(nodes.get(node)?.interfaces ?? {}));
    const only = interfaces.size === 1 ? [...interfaces.keys()][0] : undefined;
    if (written === undefined && only === undefined) {
      context.absent(
        path,
        `${node} has several interfaces (got ${show(at)})`,
        suggest(
          undefined,
          [...interfaces.keys()].map((each) => `${node}:${each}`),
        ),
      );
      continue;
    }
    const device = written ?? only ?? '';
    const home: Path = ['nodes', node, 'interfaces'];
    if (
      device !== 'lo' &&
      context.find(interfaces, device, path, `interface of ${node}`, home) === undefined
    ) {
      continue;
    }
    points.push({ name, node, interface: device, filter });
  }
  return points;
}

/** The balancer's interfaces by their own names; clients and backends by theirs, their further interfaces with `-NAME`. */
function defaultCaptures({ roles, plugs }: Machines, director: string | undefined): CapturePoint[] {
  const points: CapturePoint[] = [];
  const seen = new Set<string>();
  const add = (node: string, plug: Plug, wish: string) => {
    const clean = wish.replace(/[^a-zA-Z0-9-]/g, '-');
    const name = seen.has(clean.toLowerCase()) ? `${node}-${clean}` : clean;
    seen.add(name.toLowerCase());
    points.push({ name, node, interface: plug.name, filter: '' });
  };
  const nodes = [...roles].filter(
    ([name, role]) => name === director || role === 'client' || role === 'backend' || role === 'balancer',
  );
  const ordered = [
    ...nodes.filter(([name]) => name === director),
    ...nodes.filter(([name]) => name !== director),
  ];
  for (const [name] of ordered) {
    for (const [index, plug] of (plugs.get(name) ?? []).entries()) {
      add(name, plug, name === director ? plug.name : index === 0 ? name : `${name}-${plug.name}`);
    }
  }
  return points;
}

export function resolveTraffic(
  declared: Declared,
  { roles }: Machines,
  nodes: readonly Node[],
  balancer: Balancer | undefined,
  context: Context,
): Traffic | undefined {
  const { traffic } = declared;
  const service = balancer?.services.find(({ protocol }) => protocol === 'tcp');
  const port = service?.port === 80 ? '' : `:${service?.port ?? 80}`;
  const host =
    balancer?.dns?.name ?? (balancer?.vip.includes(':') === true ? `[${balancer.vip}]` : balancer?.vip);
  const usual = service === undefined || host === undefined ? undefined : `http://${host}${port}/`;
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
  const clients = typeof traffic.clients === 'string' ? [traffic.clients] : (traffic.clients ?? every);
  const path: Path = ['traffic'];
  const byName = new Map(nodes.map((node) => [node.name, node]));
  for (const [index, name] of clients.entries()) {
    if (traffic.clients === undefined) continue;
    const at = typeof traffic.clients === 'string' ? [...path, 'clients'] : [...path, 'clients', index];
    context.find(byName, name, at, 'node', ['nodes']);
    if (clients.indexOf(name) !== index) context.report(at, `${name} is listed twice`);
  }
  if (clients.length === 0) context.absent(path, 'no node has role client', 'say which: clients: NAME', true);
  if (traffic.url === undefined && usual === undefined) {
    context.absent(
      path,
      'url is missing: there is no TCP service to take it from',
      'write url: http://ADDRESS/',
      true,
    );
  }
  const url = traffic.url ?? usual ?? '';
  const at = [...path, 'url'];
  const parsed = parseUrl(url);
  if (traffic.url !== undefined && parsed === undefined) {
    context.report(
      at,
      `not an HTTP URL (got ${show(url)})`,
      `write it like ${usual ?? 'http://192.168.11.107/'}`,
    );
  }
  const asked = parseIp(parsed?.hostname.replace(/^\[|\]$/g, '') ?? '');
  if (traffic.url !== undefined && asked !== undefined) {
    const known = new Set([
      ...(balancer === undefined ? [] : [balancer.vip]),
      ...nodes.flatMap((node) =>
        [...node.interfaces.flatMap((each) => each.addresses), ...node.loopback].map(
          ({ address }) => address,
        ),
      ),
    ]);
    if (!known.has(formatIp(asked)) && !/^127\.|^::1$/.test(formatIp(asked))) {
      context.follows(
        at,
        `no node has the address ${formatIp(asked)}`,
        suggest(nearest(formatIp(asked), known)),
      );
    }
  }
  const isNamed = parsed !== undefined && asked === undefined;
  const lookup = resolveLookup(traffic.lookup, clients, isNamed ? balancer : undefined, context);
  if (traffic.lookup !== undefined && parsed !== undefined && !isNamed) {
    context.report(
      [...path, 'lookup'],
      `${url} has an address, so there is nothing to look up`,
      'remove it, or use method dns',
      true,
    );
  }
  if (balancer?.health !== undefined && parsed?.pathname === balancer.health.path) {
    context.report(
      at,
      `health checks ask for ${parsed.pathname} too, so the two could not be told apart`,
      'let one ask for something else',
    );
  }
  const reuse = traffic.reuse === true ? clients : traffic.reuse === false ? [] : [traffic.reuse].flat();
  for (const [index, name] of reuse.entries()) {
    if (typeof traffic.reuse === 'boolean' || clients.includes(name)) continue;
    const where = typeof traffic.reuse === 'string' ? [...path, 'reuse'] : [...path, 'reuse', index];
    context.find(new Map(clients.map((each) => [each, each])), name, where, 'client', ['traffic', 'clients']);
  }
  if (reuse.length > 0 && isNamed) {
    context.report(
      [...path, 'reuse'],
      'reuse with a name in the URL',
      'each request is a curl of its own there: remove it',
      true,
    );
  }
  const rate = traffic.rate === undefined ? undefined : Number(traffic.rate.slice(0, -2));
  if (rate === undefined && traffic.for !== undefined) {
    context.absent([...path, 'for'], 'for without a rate', 'write rate: 50/s, or requests: 100', true);
  }
  if (rate !== undefined && traffic.concurrency !== 1) {
    context.report(
      [...path, 'concurrency'],
      `concurrency with a rate (got ${traffic.concurrency})`,
      'remove it: a request begins when its time has come, whatever is under way',
      true,
    );
  }
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
