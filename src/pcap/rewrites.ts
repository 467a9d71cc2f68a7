// What a router, a balancer or a tunnel changed in a packet between two capture points.
import type { Ip, Packet } from './packet.ts';

export type RewrittenField =
  | 'source-mac'
  | 'destination-mac'
  | 'vlan'
  | 'encapsulation-added'
  | 'encapsulation-removed'
  | 'encapsulation-changed'
  | 'source-address'
  | 'destination-address'
  | 'ttl'
  | 'source-port'
  | 'destination-port'
  | 'sequence'
  | 'acknowledgment'
  | 'segmentation';

export interface Rewrite {
  readonly field: RewrittenField;
  readonly from: string | number;
  readonly to: string | number;
}

/**
 * What was rewritten in a packet between two sightings, in the order of the headers.
 * @param before what one capture point saw: several packets where segmentation offload split it; `after` likewise
 */
export function rewritesBetween(before: readonly Packet[], after: readonly Packet[]): Rewrite[] {
  const result: Rewrite[] = [];
  const compare = (field: RewrittenField, from?: string | number, to?: string | number) => {
    if (from !== undefined && to !== undefined && from !== to) result.push({ field, from, to });
  };
  const [a, b] = [before[0]!, after[0]!];
  compare('source-mac', a.ethernet?.source, b.ethernet?.source);
  compare('destination-mac', a.ethernet?.destination, b.ethernet?.destination);
  compare('vlan', a.ethernet?.vlans.join(' '), b.ethernet?.vlans.join(' '));
  const grown = b.outer.length - a.outer.length;
  compare(
    grown > 0 ? 'encapsulation-added' : grown < 0 ? 'encapsulation-removed' : 'encapsulation-changed',
    tunnel(a.outer),
    tunnel(b.outer),
  );
  compare('source-address', a.ip?.source, b.ip?.source);
  compare('destination-address', a.ip?.destination, b.ip?.destination);
  compare('ttl', a.ip?.ttl, b.ip?.ttl);
  const [left, right] = [a.tcp ?? a.udp, b.tcp ?? b.udp];
  compare('source-port', left?.sourcePort, right?.sourcePort);
  compare('destination-port', left?.destinationPort, right?.destinationPort);
  compare('sequence', a.tcp?.sequence, b.tcp?.sequence);
  if (before.length === 1 && after.length === 1)
    compare('acknowledgment', a.tcp?.acknowledgment, b.tcp?.acknowledgment);
  compare('segmentation', before.length, after.length);
  return result;
}

/** The tunnels around a packet, outermost first; empty where there are none. */
export function tunnel(outer: readonly Ip[]): string {
  return outer
    .map(({ source, destination, protocol }) => `${source} > ${destination} (${protocol})`)
    .join(', ');
}
