// A topology with other addresses, for captures that were made elsewhere: the same lab, numbered differently.
import type { Topology } from './types.ts';

export interface Readdressing {
  readonly vip?: string;
  /** In the order of the topology's clients. */
  readonly clients: readonly string[];
  /** The balancer's address towards the backends. */
  readonly inside?: string;
  /** In the order of the virtual service's backends. */
  readonly backends: readonly string[];
}

/** Replaces texts that are an address of `renamed`, wherever they stand. */
function replaced<T>(value: T, renamed: ReadonlyMap<string, string>): T {
  if (typeof value === 'string') return (renamed.get(value) ?? value) as T;
  if (Array.isArray(value)) return value.map((item: unknown) => replaced(item, renamed)) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, replaced(item, renamed)])) as T;
}

function primary(topology: Topology, name: string): string | undefined {
  return topology.nodes.find((node) => node.name === name)?.interfaces[0]?.addresses[0]?.address;
}

/** Throws RangeError when more addresses are given than the topology has places for. */
export function readdress(topology: Topology, wanted: Readdressing): Topology {
  const { balancer, traffic } = topology;
  const renamed = new Map<string, string>();
  const rename = (from: string | undefined, to: string, what: string) => {
    if (from === undefined) throw new RangeError(`${topology.name} has no ${what} to give ${to} to`);
    renamed.set(from, to);
  };
  const clients = topology.nodes
    .filter((node) => node.role === 'client' || traffic?.clients.includes(node.name) === true)
    .map((node) => node.name);
  const backends = [
    ...new Set(balancer?.services.flatMap((service) => service.backends.map((real) => real.node))),
  ];
  wanted.clients.forEach((to, index) =>
    rename(clients[index] && primary(topology, clients[index]), to, `client number ${index + 1}`),
  );
  wanted.backends.forEach((to, index) =>
    rename(backends[index] && primary(topology, backends[index]), to, `backend number ${index + 1}`),
  );
  if (wanted.inside !== undefined) {
    const director = topology.nodes.find((node) => node.name === balancer?.node);
    const segments = new Set(
      topology.nodes
        .filter((node) => backends.includes(node.name))
        .flatMap((node) => node.interfaces.map((link) => link.segment)),
    );
    const link = director?.interfaces.find((each) => segments.has(each.segment));
    rename(link?.addresses[0]?.address, wanted.inside, 'balancer');
  }
  if (wanted.vip !== undefined) rename(balancer?.vip, wanted.vip, 'VIP');
  const result = replaced(topology, renamed);
  if (traffic === undefined || !URL.canParse(traffic.url)) return result;
  const url = new URL(traffic.url);
  const host = renamed.get(url.hostname.replace(/^\[|\]$/g, ''));
  if (host === undefined) return result;
  url.hostname = host.includes(':') ? `[${host}]` : host;
  return { ...result, traffic: { ...result.traffic!, url: url.href } };
}
