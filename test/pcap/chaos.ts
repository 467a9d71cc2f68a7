// Conversations that no TCP would have: every flag, sequence numbers that jump, wrap and repeat, windows that close, clocks
// that go back. For comparing rules with Wireshark's where ordinary captures never take them. Equal seeds, equal bytes.
import { pcap, segment } from './build.ts';

const FLAGS = [
  'A',
  'A',
  'A',
  'A',
  'A',
  'A',
  'A',
  'PA',
  'PA',
  'S',
  'SA',
  'FA',
  'F',
  'R',
  'RA',
  '',
  'SF',
  'SR',
];
const WINDOWS = [0, 30, 100, 8192, 8192, 8192, 8192];
const PAUSES = [0n, 1000n, 100_000n, 1_000_000n, 4_000_000n, 25_000_000n];

/** @param cut of how many bytes each packet is captured at most */
export function chaos(seed: number, conversations: number, cut = Number.POSITIVE_INFINITY): Buffer {
  let state = seed;
  const random = () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
  const pick = <Value>(values: readonly Value[]) => values[Math.floor(random() * values.length)]!;
  const records = [];
  let time = 1_700_000_000_000_000_000n;
  for (let port = 10_000; port < 10_000 + conversations; port++) {
    const initials = [pick([1000, 0xffff_fff0, 0x7fff_fff0, 0]), pick([5000, 0xffff_ff00, 0])] as const;
    const packets = 5 + Math.floor(random() * 40);
    for (let index = 0; index < packets; index++) {
      const flags = index < 2 && random() < 0.7 ? ['S', 'SA'][index]! : pick(FLAGS);
      const isSyn = flags.includes('S');
      const isToServer = random() < 0.5;
      const [own, peer] = isToServer ? initials : [initials[1], initials[0]];
      const offset =
        isSyn && random() < 0.8 ? 0 : 1 + 10 * Math.floor(random() * 8) + pick([0, 0, 0, 0, 0, -1, 1]);
      const acknowledged = 1 + 10 * Math.floor(random() * 8) + pick([0, 0, 0, -1]);
      time += random() < 0.02 ? -2_000_000n : pick(PAUSES);
      const [source, destination] = isToServer ? ['10.0.0.1', '10.0.0.2'] : ['10.0.0.2', '10.0.0.1'];
      const [sourcePort, destinationPort] = isToServer ? [port, 80] : [80, port];
      const frame = segment({
        source,
        destination,
        sourcePort,
        destinationPort,
        flags,
        sequence: (own + offset) >>> 0,
        acknowledgment: flags.includes('A') || random() < 0.1 ? (peer + acknowledged) >>> 0 : 0,
        window: pick(WINDOWS),
        options: isSyn && random() < 0.5 ? [1, 3, 3, pick([0, 1, 7, 15])] : [],
        payload: 'x'.repeat(isSyn ? pick([0, 0, 0, 0, 0, 0, 0, 0, 0, 3]) : pick([0, 0, 0, 1, 10, 10, 20])),
      });
      records.push({ time, frame: frame.subarray(0, cut), originalLength: frame.length });
    }
  }
  return pcap(records);
}
