// Our account of a capture is tshark's: the same conversations, packets, bytes, initial sequence numbers and analysis.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { connections, readCapture } from '../../src/pcap/index.ts';
import { accountOfWireshark, disagreements, writeAccount } from './agreement.ts';
import { pcap, segment } from './build.ts';
import { chaos } from './chaos.ts';
import { exchange } from './conversation.ts';
import { FIELDS, fieldsOf, fixtureCaptures, FIXTURES, isOdd, shortHash } from './fields.ts';
import { RECORDINGS } from './recordings.ts';
import { Sharkd } from './sharkd.ts';
import { run, tsharkFields } from './tshark.ts';

const directory = mkdtempSync(join(tmpdir(), 'lblab-corpus-'));
const sharkd = new Sharkd();
afterAll(() => {
  sharkd.close();
  rmSync(directory, { recursive: true, force: true });
});

function captures(folder: string): string[] {
  return readdirSync(join(FIXTURES, folder))
    .filter((name) => /\.pcap(ng)?(\.gz)?$/.test(name) && name !== 'mptcp-dss-oobr.pcap')
    .map((name) => join(folder, name));
}

describe('a capture that we did not make', () => {
  test.each([
    ...captures('tcpdump'),
    ...captures('dpkt'),
    ...captures('gopacket'),
    ...captures('gopacket/be'),
  ])('%s', async (path) => {
    expect(await disagreements(sharkd, join(FIXTURES, path))).toEqual([]);
  });
});

/** What tshark reads of a packet, as we would say it. */
function said(values: readonly string[], ours: readonly string[]): string[] {
  const isIcmp = values[FIELDS.findIndex(([field]) => field === 'icmp.type')] !== '';
  return FIELDS.map(([field], index) => {
    const [value, own] = [values[index]!, ours[index]!];
    // Wireshark goes on to the packets that ICMP errors and OpenFlow quote.
    if (isIcmp && own === '') return '';
    if (isIcmp || field.startsWith('eth.')) return value.split(',', 1)[0]!;
    if (field.endsWith('.payload') && value !== '') return shortHash(value);
    // Above the flags are reserved bits.
    if (field === 'tcp.flags' && value !== '') return `0x00${value.slice(-2)}`;
    return field === 'dns.qry.name' ? value.replace('<Root>', '.') : value;
  });
}

test('field by field we read what tshark reads', async () => {
  // All in one: tshark takes long to start.
  const path = join(directory, 'merged.pcapng');
  const paths = fixtureCaptures().filter((each) => !isOdd(each));
  await run('mergecap', ['-a', '-F', 'pcapng', '-w', path, ...paths.map((each) => join(FIXTURES, each))]);
  const captures = await Promise.all(paths.map(async (each) => readCapture(join(FIXTURES, each))));
  const ours = captures.flatMap(({ packets }) => packets.map(fieldsOf));
  const fields = FIELDS.map(([field]) => field);
  const theirs = await tsharkFields(path, fields, { occurrence: 'all' });
  expect(theirs).toHaveLength(ours.length);
  expect(theirs.map((values, index) => said(values, ours[index]!))).toEqual(ours);
});

/** What makes a capture hard, done to good ones by Wireshark's own tools. */
const HARD: readonly (readonly [what: string, make: (from: string, to: string) => Promise<unknown>])[] = [
  ['cut in the TCP header', (from, to) => run('editcap', ['-s', '50', from, to])],
  ['cut in the TCP options', (from, to) => run('editcap', ['-s', '60', from, to])],
  ['cut in the payload', (from, to) => run('editcap', ['-s', '80', from, to])],
  [
    'with packets missing',
    (from, to) => run('editcap', [from, to, ...Array.from({ length: 40 }, (_, index) => `${index * 7 + 5}`)]),
  ],
  ['without its beginning', (from, to) => run('editcap', [from, to, '1-20'])],
  [
    'with every packet twice, as where a director passes packets on',
    (from, to) => run('mergecap', ['-w', to, from, from]),
  ],
  ['in nanoseconds', (from, to) => run('editcap', ['-F', 'nsecpcap', from, to])],
  ['played twice, one after the other', (from, to) => run('mergecap', ['-a', '-w', to, from, from])],
  ['with random bytes changed', (from, to) => run('editcap', ['-E', '0.01', '--seed', '1', from, to])],
];

describe.each(HARD)('%s', (what, make) => {
  test.each([
    'tcpdump/ssh.pcap',
    'tcpdump/of10_s4810.pcap',
    'tcpdump/resp_3_malicious.pcap',
    'dpkt/http.pcap',
  ])('%s', async (path) => {
    const hard = join(directory, `${what} ${path.replace('/', ' ')}`);
    await make(join(FIXTURES, path), hard);
    expect(await disagreements(sharkd, hard)).toEqual([]);
  });
});

test.each(['eth', 'arp', 'dns'])('random packets of %s', async (type) => {
  const path = join(directory, `random ${type}.pcap`);
  await run('randpkt', ['-b', '300', '-c', '500', '-t', type, path]);
  expect(await disagreements(sharkd, path)).toEqual([]);
});

test.each([1, 2, 3, 4])('10,000 segments that no TCP would send, seed %s', async (seed) => {
  const path = join(directory, `chaos ${seed}.pcap`);
  writeFileSync(path, chaos(seed, 400));
  expect(await disagreements(sharkd, path)).toEqual([]);
  const reused = connections(await readCapture(path)).flatMap(
    (found) => found.analysisPackets['reused-ports'] ?? [],
  );
  const theirs = await tsharkFields(path, ['frame.number'], { filter: 'tcp.analysis.reused_ports' });
  expect(reused.sort((a, b) => a - b)).toEqual(theirs.map(([number]) => Number(number)));
});

test.each(RECORDINGS)('what is recorded of %s is what Wireshark says', async (name, make, account) => {
  const path = join(directory, `${name}.pcap`);
  writeFileSync(path, make());
  await expect(writeAccount(await accountOfWireshark(sharkd, path))).toMatchFileSnapshot(account);
});

describe('what we do otherwise than Wireshark', () => {
  test('an ACK that repeats the last one but for its MPTCP options (RFC 8684) is a duplicate ACK to us', async () => {
    const doubled = join(directory, 'mptcp.pcap');
    const path = join(FIXTURES, 'tcpdump/mptcp-v0.pcap');
    await run('mergecap', ['-w', doubled, path, path]);
    expect(await disagreements(sharkd, doubled)).toEqual([
      { what: 'analysis', ours: ['packet 420: duplicate-ack'], theirs: [] },
    ]);
  });

  test('a segment whose options lie about their length is counted: we do not read what is in those options', async () => {
    expect(await disagreements(sharkd, join(FIXTURES, 'tcpdump/mptcp-dss-oobr.pcap'))).toMatchObject([
      { what: 'conversations', ours: [expect.stringContaining('sent 1 packets 74 bytes')], theirs: [] },
    ]);
  });

  test('a FIN after 10,000 segments that nothing acknowledged takes a sequence number with us; Wireshark has stopped listing them', async () => {
    const sent = { flags: 'A', acknowledgment: 1, payload: 'x' };
    const records = Array.from({ length: 10_000 }, (_, index) => ({
      frame: segment({ ...sent, sequence: 1 + index }),
    }));
    const fin = { frame: segment({ flags: 'FA', acknowledgment: 1, sequence: 10_001 }) };
    const path = join(directory, 'unacknowledged.pcap');
    writeFileSync(path, pcap([...records, fin, fin]));
    expect(await disagreements(sharkd, path)).toEqual([
      { what: 'analysis', ours: ['packet 10002: retransmission'], theirs: [] },
    ]);
  });
});

test('the figures of one connection, one by one', async () => {
  const path = join(directory, 'one.pcap');
  writeFileSync(
    path,
    exchange('GET / HTTP/1.1\r\nHost: myapp1\r\n\r\n', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'),
  );
  const rows = await tsharkFields(path, [
    'tcp.stream',
    'tcp.completeness',
    'tcp.seq_raw',
    'frame.len',
    'tcp.analysis.initial_rtt',
  ]);
  const [connection] = connections(await readCapture(path));
  expect(rows.map((row) => row[0])).toEqual(Array.from({ length: 9 }, () => '0'));
  expect(Number(rows.at(-1)![1])).toBe(connection!.completeness);
  expect(Number(rows[0]![2])).toBe(connection!.isn.client);
  expect(Number(rows[1]![2])).toBe(connection!.isn.server);
  const bytes = rows.reduce((sum, row) => sum + Number(row[3]), 0);
  expect(bytes).toBe(connection!.bytes.toServer + connection!.bytes.toClient);
  expect(Number(rows[5]![4])).toBe(connection!.roundTripTime! / 1e9);
});
