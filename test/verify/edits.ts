// Ways to change recorded evidence: packets and captures left out, added or altered, by the numbers that they have in the recording.
import { expect } from 'vitest';
import type { Packet } from '../../src/pcap/index.ts';
import type { Evidence, Status } from '../../src/verify/types.ts';
import { edited, recorded, verdict, withCaptures } from './evidence.ts';

export type Edit = (evidence: Evidence) => Evidence;

export const together =
  (...edits: readonly Edit[]): Edit =>
  (evidence) =>
    edits.reduce((changed, edit) => edit(changed), evidence);

export const asRecorded: Edit = (evidence) => evidence;

export const span = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index);

export const withoutCapture =
  (...names: readonly string[]): Edit =>
  (evidence) =>
    withCaptures(evidence, (point) => (names.includes(point.name) ? undefined : point));

/** One capture with some of its packets changed, by their numbers. */
export const change =
  (name: string, numbers: readonly number[], become: (packet: Packet) => Packet | undefined): Edit =>
  (evidence) =>
    edited(evidence, [name], (packet) => (numbers.includes(packet.number) ? become(packet) : packet));

export const leaveOut = (name: string, numbers: readonly number[]) => change(name, numbers, () => undefined);

/** One capture with packets more, at the instants that they have. */
export const add =
  (name: string, packets: (evidence: Evidence) => readonly Packet[]): Edit =>
  (evidence) =>
    withCaptures(evidence, (point) =>
      point.name === name
        ? {
            ...point,
            capture: { ...point.capture, packets: [...point.capture.packets, ...packets(evidence)] },
          }
        : point,
    );

export const packetOf = ({ captures }: Evidence, name: string, number: number) =>
  captures.get(name)!.capture.packets.find((packet) => packet.number === number)!;

/** The connections of some of the client's ports alone, in some captures or in all. */
export const onlyPorts =
  (ports: readonly number[], names?: readonly string[]): Edit =>
  (evidence) =>
    edited(evidence, names, (packet) =>
      ports.includes(packet.tcp?.sourcePort ?? 0) || ports.includes(packet.tcp?.destinationPort ?? 0)
        ? packet
        : undefined,
    );

export const readdressed = (from: string, to: string) => (packet: Packet) => {
  const other = (address: string) => (address === from ? to : address);
  const { source, destination } = packet.ip!;
  return { ...packet, ip: { ...packet.ip!, source: other(source), destination: other(destination) } };
};

export const framed = (macs: { source?: string; destination?: string }) => (packet: Packet) => ({
  ...packet,
  ethernet: { ...packet.ethernet!, ...macs },
});

export const aged = (ttl: number) => (packet: Packet) => ({ ...packet, ip: { ...packet.ip!, ttl } });

/** A bit in the method of a request, or the version of an answer, is another. */
export function flipped(packet: Packet): Packet {
  const payload = Uint8Array.from(packet.tcp!.payload);
  payload[2]! ^= 1;
  return { ...packet, tcp: { ...packet.tcp!, payload } };
}

/** Of a segment the bytes from one to another, as what offload may make of it. */
export function cut(packet: Packet, from: number, to: number): Packet {
  const tcp = packet.tcp!;
  const payload = tcp.payload.subarray(from, to);
  return {
    ...packet,
    tcp: { ...tcp, sequence: tcp.sequence + from, payload, payloadLength: payload.length },
  };
}

export const withoutMacs: Edit = (evidence) =>
  edited(evidence, undefined, (packet) => ({ ...packet, ethernet: undefined }));

export const withoutData =
  (name: string): Edit =>
  (evidence) =>
    edited(evidence, [name], (packet) => (packet.tcp?.payload.length === 0 ? packet : undefined));

/** What becomes of a claim on a lab after an edit, and which packets of which capture are cited. */
export type Case = [
  id: string,
  what: string,
  lab: string,
  edit: Edit,
  status: Status,
  observed: string | RegExp,
  evidence?: Readonly<Record<string, readonly number[]>>,
];

export async function expectCase(...[id, , lab, edit, status, observed, evidence]: Case): Promise<void> {
  expect(verdict(id, edit(await recorded(lab)))).toMatchObject({
    status,
    observed: typeof observed === 'string' ? observed : (expect.stringMatching(observed) as string),
    ...(evidence && {
      evidence: Object.entries(evidence).map(([capture, packets]) => ({ capture, packets })),
    }),
  });
}
