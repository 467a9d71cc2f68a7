// The hosts(5) file of a lab: node names resolve inside its nodes.
import type { Topology } from '../topology/types.ts';

export function hostsFile(topology: Topology): string {
  return [
    '127.0.0.1 localhost',
    // The sandbox's own: curl asks for it when it starts (OpenLDAP does), and would ask a lab's DNS server.
    '127.0.1.1 lblab',
    '::1 localhost',
    ...topology.nodes.flatMap((node) =>
      node.interfaces.flatMap((link) => link.addresses.map(({ address }) => `${address} ${node.name}`)),
    ),
    '',
  ].join('\n');
}
