// What is read of every packet of captures that we did not make, field by field, as decoded.txt has it. That it is what tshark reads in
// them too is proved in corpus.test.ts; here nothing but lblab runs.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { ConnectionFigures } from '../../src/pcap/index.ts';
import { connections, readCapture, summarize } from '../../src/pcap/index.ts';
import { FIELDS, fieldsOf, fixtureCaptures, FIXTURES } from './fields.ts';

/** Of a long capture; the rest has more of the same. */
const PACKETS = 60;

test('every field of every packet', async () => {
  const lines = [FIELDS.map(([field]) => field).join('\t')];
  for (const path of fixtureCaptures()) {
    const { packets, format, linkType } = await readCapture(join(FIXTURES, path));
    lines.push(`${path}: ${packets.length} packets, ${format}, ${linkType}`);
    for (const packet of packets.slice(0, PACKETS))
      lines.push([...fieldsOf(packet), packet.malformed].join('\t').trimEnd());
  }
  await expect([...lines, ''].join('\n')).toMatchFileSnapshot(join(import.meta.dirname, 'decoded.txt'));
});

/** To the millisecond: of captures that span more than 104 days a summary has no nanoseconds. */
const milliseconds = (time: bigint | undefined) => time && time / 1_000_000n;

test.each(fixtureCaptures())('what is summarised without keeping packets is the same: %s', async (path) => {
  const file = join(FIXTURES, path);
  const { packets, ...capture } = await readCapture(file);
  const summary = await summarize(file);
  const figures = connections({ packets }).map(
    ({ packetNumbers: _numbers, analysisPackets: _found, http: _http, ...rest }) => rest,
  );
  const timed = ({ firstTime, lastTime, ...rest }: ConnectionFigures) => ({
    ...rest,
    times: [milliseconds(firstTime), milliseconds(lastTime)],
  });
  expect(summary.connections.map(timed)).toEqual(figures.map(timed));
  const times = packets.map(({ time }) => milliseconds(time)!).sort((a, b) => Number(a - b));
  expect([milliseconds(summary.firstTime), milliseconds(summary.lastTime)]).toEqual([times[0], times.at(-1)]);
  expect({ path: file, ...summary }).toMatchObject({
    ...capture,
    packets: packets.length,
    bytes: packets.reduce((sum, { originalLength }) => sum + originalLength, 0),
    letGo: { connections: 0, packets: 0, bytes: 0 },
  });
  expect(summary.truncated).toBe(capture.truncated);
});

test('pcapng says the same in both byte orders', async () => {
  const read = async (folder: string, name: string) => {
    const error = (reason: unknown) => String(reason);
    const capture = await readCapture(join(FIXTURES, folder, name), { path: name }).catch(error);
    return typeof capture === 'string'
      ? capture
      : { ...capture, packets: capture.packets.map(({ time, bytes }) => ({ time, bytes })) };
  };
  const names = readdirSync(join(FIXTURES, 'gopacket/be'));
  expect(names).toHaveLength(26);
  for (const name of names) expect(await read('gopacket/le', name)).toEqual(await read('gopacket/be', name));
});
