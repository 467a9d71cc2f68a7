// Counts the connections in a load's captures, each capture read once a side and never held: how many began and how many were whole, at
// the clients, on the balancer's two sides and at the backends. What the numbers mean is left to load.ts.
import { AnswerTimes, mac, summarize, type ConnectionFigures, type Frame } from '../pcap/index.ts';
import type { Topology } from '../topology/types.ts';
import type { LoadCapture, Side } from './load.ts';
import { placesOf, rolesOf, type Place, type Roles } from './roles.ts';

/**
 * Whether a packet belongs to a side. A balancer with one arm has both sides on one interface, so the MAC addresses tell: what clients send
 * comes to the balancer outside, and leaves it inside. Frames that a segment flooded to everyone belong to nobody here.
 */
function sideFilter(place: Place, own: ReadonlySet<string>, ports: ReadonlySet<number>) {
  return (frame: Frame): boolean => {
    if (frame.kind !== 'tcp') return false;
    if (frame.ethernet < 0) return true;
    const comes = own.has(mac(frame.bytes, frame.ethernet));
    const leaves = own.has(mac(frame.bytes, frame.ethernet + 6));
    if (place === 'client' || place === 'backend') return comes || leaves;
    return ports.has(frame.destinationPort) === (place === 'outside') ? comes : leaves;
  };
}

async function countSide(
  capture: LoadCapture,
  place: Place,
  topology: Topology,
  roles: Roles,
): Promise<Side> {
  const node = topology.nodes.find(({ name }) => name === capture.node)!;
  const isOwn = sideFilter(place, new Set(node.interfaces.map((link) => link.mac)), roles.ports);
  const answers = new AnswerTimes();
  const counted = { opened: 0, whole: 0, sentAgain: 0 };
  const count = ({ protocol, handshake, server, client, complete, analysis }: ConnectionFigures) => {
    if (protocol !== 'tcp' || handshake.syn === undefined) return;
    if (!roles.ports.has(server.port) || roles.checkers.has(client.address)) return;
    counted.opened++;
    if (complete) counted.whole++;
    counted.sentAgain += analysis.retransmission ?? 0;
  };
  const { connections, truncated } = await summarize(capture.path, {
    belongs: (frame) => {
      if (!isOwn(frame)) return false;
      if (place === 'client') answers.take(frame, roles.ports.has(frame.destinationPort));
      return true;
    },
    onLetGo: count,
  });
  for (const connection of connections) count(connection);
  const incomplete = capture.incomplete ?? (truncated && `the file is cut: ${truncated}`);
  return {
    capture: capture.name,
    node: capture.node,
    place,
    ...counted,
    ...(incomplete !== undefined && { incomplete }),
    ...(place === 'client' && {
      answerTimes: answers.times,
      nanoseconds: Math.max(0, answers.last - answers.first),
    }),
  };
}

/**
 * Counts every side of every capture, one after the other.
 * @throws NotACaptureError or Error of node:fs for a capture that cannot be read
 */
export async function takeCensus(captures: readonly LoadCapture[], topology: Topology): Promise<Side[]> {
  const roles = rolesOf(topology);
  const sides: Side[] = [];
  // Through DNS requests never come.
  const isPassed = (place: Place) =>
    topology.balancer?.method !== 'dns' || place === 'client' || place === 'backend';
  for (const capture of captures)
    for (const place of placesOf(roles, capture.node, capture.interface).filter(isPassed))
      sides.push(await countSide(capture, place, topology, roles));
  return sides;
}
