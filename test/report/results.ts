// Results for reporters, with what packets and files of bad intent may carry.
import { Chalk } from 'chalk';
import { readCapture } from '../../src/pcap/index.ts';
import type { Judged, ReportOptions } from '../../src/report/types.ts';
import { parseTopology } from '../../src/topology/index.ts';
import type { Check } from '../../src/verify/types.ts';
import { pcap, segment } from '../pcap/build.ts';

/** Every character below U+0100, lone surrogates, bidirectional overrides, non-characters; markup and commands of all kinds. */
export const HOSTILE = [
  Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).join(''),
  '\ud800 \udfff \u202e \u2028 \ufffe \uffff',
  ']]> --> </failure><script>alert(1)</script> &#27; &amp; <![CDATA[',
  '`code` **bold** [link](javascript:alert(1)) ![x](http://evil.example/x.png) | cell | <img src=x> www.evil.example https://evil.example',
  '::error::injected',
  '\n::set-env name=PATH::/tmp',
  '##[command]evil %0A::warning::x',
  '\u001b]0;title\u0007\u001b[2J\u001b[31m',
  '# SKIP not really',
  '...\n---\nok 1 - injected',
].join('\n');

/** One line of a megabyte. */
export const LONG = `<b>\u001b[1m${'A|b`'.repeat(250_000)}`;

const TOPOLOGY = `
segments: {front: 10.0.0.0/24}
nodes:
  client: {role: client, interfaces: {eth0: {segment: front, address: 10.0.0.1}}}
  server: {role: backend, httpd: nginx, interfaces: {eth0: {segment: front, address: 10.0.0.2}}}
`;

/** A result with one claim that passes, one that fails with packets, one undecided, one not judged. */
export async function result(words = 'as it should be', checks?: readonly Check[]): Promise<Judged> {
  const capture = await readCapture(
    pcap(
      Array.from({ length: 9 }, (_, index) =>
        segment({
          sourcePort: 40_000 + index,
          flags: 'PA',
          sequence: 1,
          payload: `GET /${index} HTTP/1.0\r\n\r\n`,
        }),
      ),
    ),
  );
  const parsed = parseTopology(TOPOLOGY, 'tiny.yaml');
  const topology = {
    ...parsed,
    title: words,
    captures: [{ name: 'eth0', node: 'server', interface: 'eth0', filter: '' }],
  };
  const made: Check[] = [
    {
      id: 'tiny.pass',
      title: words,
      judged: true,
      status: 'pass',
      expected: `wanted ${words}`,
      observed: words,
      evidence: [],
    },
    {
      id: 'tiny.fail',
      title: words,
      judged: true,
      status: 'fail',
      expected: `wanted ${words}`,
      observed: words,
      evidence: [{ capture: 'eth0', packets: [1, 2, 3, 4, 5, 6, 7, 9] }],
      note: words,
    },
    {
      id: 'tiny.unknown',
      title: words,
      judged: true,
      status: 'unknown',
      expected: `wanted ${words}`,
      observed: words,
      evidence: [],
    },
    {
      id: 'tiny.live',
      title: words,
      judged: false,
      status: 'unknown',
      expected: `wanted ${words}`,
      observed: 'needs the live lab',
      evidence: [],
    },
  ];
  return {
    topology,
    file: '/work/labs/tiny.yaml',
    kernel: 'host',
    evidence: {
      topology,
      captures: new Map([
        ['eth0', { name: 'eth0', node: 'server', interface: 'eth0', path: '/x/eth0.pcap', capture }],
      ]),
      requests: [{ client: 'client', number: 1, localPort: 40_000, status: 0, seconds: 0.5, error: words }],
    },
    output: '/work/captures/tiny',
    checks: checks ?? made,
    status: checks === undefined ? 'fail' : 'pass',
    timings: { total: 1234 },
  };
}

export const OPTIONS: ReportOptions = {
  paint: new Chalk({ level: 0 }),
  cwd: '/work',
  document: () => ({ schema: 'test@1', text: HOSTILE }),
};
