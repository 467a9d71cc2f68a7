// Captures made by program: our account of them is the one that Wireshark gave, and the same whether packets are kept or not.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { connections, readCapture, summarize } from '../../src/pcap/index.ts';
import { differences, ourAccount, readAccount } from './agreement.ts';
import { RECORDINGS } from './recordings.ts';

describe.each(RECORDINGS)('%s', (_, make, account) => {
  let made: Buffer | undefined;
  const file = () => (made ??= make());

  test('are told as by Wireshark', async () => {
    expect(differences(await ourAccount(file()), readAccount(readFileSync(account, 'utf8')))).toEqual([]);
  });

  test('are summarised alike without keeping packets', async () => {
    const whole = connections(await readCapture(file()));
    expect((await summarize(file())).connections).toEqual(
      whole.map(({ packetNumbers: _numbers, analysisPackets: _found, http: _http, ...figures }) => figures),
    );
  });
});
