// Who speaks for an address in ARP (RFC 826): whose MAC answers who-has for it, and who asks for others in its name, which every
// listener may learn from as well.
import type { Arp } from '../../pcap/index.ts';
import type { ArpAssertion } from '../../topology/types.ts';
import { cite, firstOf } from '../claim.ts';
import { MissingEvidenceError, type Observation } from '../observe.ts';
import { count, list, tally } from '../words.ts';
import type { Judge } from './kind.ts';
import { at, packetsAt, partyText, pointsAt } from './places.ts';

function ownerOf(seen: Observation, mac: string): string {
  return seen.evidence.topology.nodes.find(({ name }) => seen.macs(name).has(mac))?.name ?? mac;
}

const nobody = (nodes: readonly string[]) => list(nodes) || 'nobody';

export const arpJudge: Judge<ArpAssertion> = {
  expected: ({ at: place, address, answeredBy, askedBy }) =>
    `${list([
      ...(answeredBy === undefined
        ? []
        : [
            `${nobody(answeredBy)} ${answeredBy.length > 1 ? 'answer' : 'answers'} for ${partyText(address)}`,
          ]),
      ...(askedBy === undefined
        ? []
        : [`${nobody(askedBy)} ${askedBy.length > 1 ? 'ask' : 'asks'} as ${partyText(address)}`]),
    ])} in ARP ${at(place)}`,
  measure: ({ at: place, address, answeredBy, askedBy }, seen) => {
    const all = pointsAt(seen, place).flatMap((point) =>
      packetsAt(seen, point).flatMap((packet) =>
        packet.arp === undefined ? [] : [{ point, packet, arp: packet.arp }],
      ),
    );
    if (all.length === 0) throw new MissingEvidenceError(`no ARP packet was captured ${at(place)}`);
    const [wanted] = address.addresses;
    const speaks = (operation: Arp['operation']) =>
      all.filter(({ arp }) => arp.operation === operation && arp.senderAddress === wanted);
    const asked = all.filter(({ arp }) => arp.operation === 'request' && arp.targetAddress === wanted);
    const answers = speaks('reply');
    const questions = speaks('request');
    if (answeredBy !== undefined && asked.length + answers.length === 0) {
      throw new MissingEvidenceError(`nobody asked who has ${wanted} ${at(place)}`);
    }
    const spoken = [
      { nodes: answeredBy, packets: answers },
      { nodes: askedBy, packets: questions },
    ];
    const wrong = spoken.filter(({ nodes, packets }) => {
      const found = new Set(packets.map(({ arp }) => ownerOf(seen, arp.senderMac)));
      return (
        nodes !== undefined && (found.size !== new Set(nodes).size || nodes.some((node) => !found.has(node)))
      );
    });
    const text = (packets: typeof all) =>
      tally(packets.map(({ arp }) => ownerOf(seen, arp.senderMac)))
        .map(([node, times]) => `${node} ${times}`)
        .join(', ') || 'nobody';
    const about = firstOf(
      wrong.flatMap(({ packets }) => packets),
      [...asked, ...answers, ...questions],
    );
    return {
      holds: wrong.length === 0,
      observed: [
        ...(answeredBy === undefined
          ? []
          : [`${count(asked.length, 'question')}, answered by ${text(answers)}`]),
        ...(askedBy === undefined ? [] : [`asked as ${wanted} by ${text(questions)}`]),
      ].join('; '),
      evidence: cite(firstOf(about, all)),
    };
  },
};
