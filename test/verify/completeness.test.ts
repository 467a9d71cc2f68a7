// What Wireshark shows of a conversation, as tshark shows it.
import { expect, test } from 'vitest';
import { tsharkFields } from '../pcap/tshark.ts';
import { recorded, RECORDED, verdict } from './evidence.ts';

test('tcp.completeness is tshark’s', async () => {
  const values = await tsharkFields(`${RECORDED}dsr/lb.pcap`, ['tcp.completeness'], { filter: 'tcp' });
  const last = values.at(-1)![0]!;
  expect(verdict('dsr.missing', await recorded('dsr')).observed).toBe(
    `4 connections, 0 SYN-ACKs, 0 packets of a server; tcp.completeness ${last} (SYN, ACK, DATA, FIN)`,
  );
});
