// What passes a lab's links now: a tcpdump on each, of which every packet is counted and a few are decoded. Nothing is written to disk, and
// captures that others take are left alone.
import { netnsOf } from '../plan/names.ts';
import { IncrementalReader } from '../pcap/index.ts';
import type { Interface, Node, Topology } from '../topology/types.ts';
import type { Lab } from './lab.ts';
import { handOver, type Seen, type Waiting } from './tail.ts';

/** A node's interface. */
export interface MeteredLink {
  readonly node: Node;
  readonly interface: Interface;
  /** The name of the capture point that is there, or else `NODE:INTERFACE`. */
  readonly name: string;
}

/** What has passed a link since the meter was opened. */
export interface Passed {
  readonly packets: number;
  readonly bytes: number;
  readonly connections: number;
  readonly requests: number;
}

export interface Meter {
  readonly passed: () => readonly Passed[];
  /** Packets that have come since, in order of time: as many as a person could read, when there are many. */
  readonly packets: () => readonly Seen[];
  readonly close: () => void;
}

/** Links beyond so many are not looked at: each takes a process. */
const MOST = 32;
/** Headers and the first line of a request. */
const SNAPSHOT = 256;
/** KiB that the kernel keeps. */
const BUFFER = 1024;
/** Packets a second and link that are decoded. */
const DECODED = 100;
/** Milliseconds that a packet waits for earlier ones of other links. */
const WINDOW = 120;

/** The links of a topology, the nodes in its order; those that are looked at come first where there are many. */
export function linksOf(topology: Topology): readonly MeteredLink[] {
  return topology.nodes.flatMap((node) =>
    node.interfaces.map((link) => ({
      node,
      interface: link,
      name:
        topology.captures.find((point) => point.node === node.name && point.interface === link.name)?.name ??
        `${node.name}:${link.name}`,
    })),
  );
}

/** Opens a meter on links. A link whose tcpdump ends stands still. */
export function openMeter(lab: Lab, links: readonly MeteredLink[]): Meter {
  const readers = links.map(() => new IncrementalReader());
  let waiting: Waiting[] = [];
  const attachments = links.slice(0, MOST).map((link, capture) => {
    const reader = readers[capture]!;
    let allowance = DECODED;
    let since = performance.now();
    const attachment = lab.client.attach(
      {
        argv: [
          ...['tcpdump', '--immediate-mode', '-U', '-n', '-s', String(SNAPSHOT), '-B', String(BUFFER)],
          ...['-i', link.interface.name, '-w', '-'],
        ],
        netns: netnsOf(lab.name, link.node.name),
        cwd: lab.dir,
      },
      (stream, data) => {
        if (stream === 'stderr') return;
        const came = performance.now();
        allowance = Math.min(DECODED, allowance + ((came - since) / 1000) * DECODED);
        since = came;
        const packets = reader.push(data, Math.floor(allowance));
        allowance -= packets.length;
        for (const packet of packets) waiting.push({ capture, packet, came });
      },
    );
    attachment.ended.catch(() => {});
    return attachment;
  });
  return {
    passed: () =>
      readers.map(({ packets, bytes, connections, requests }) => ({ packets, bytes, connections, requests })),
    packets: () => {
      const { ready, rest } = handOver(waiting, performance.now() - WINDOW);
      waiting = rest;
      return ready;
    },
    close: () => {
      for (const attachment of attachments) attachment.kill('SIGTERM');
    },
  };
}
