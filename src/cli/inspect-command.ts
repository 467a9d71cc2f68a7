// The command on captures of any origin: its options and examples.
import { Option } from 'commander';
import { integer } from './arguments.ts';
import { ANALYSIS, endpointFilter, MATCH, ranges, STATE } from './filters.ts';
import type { Define, Register } from './defining.ts';

export function defineInspect(command: Define, act: Register): void {
  command(
    'inspect',
    'connections, conversations and HTTP requests in any pcap or pcapng file; no lab, no root, no Linux needed',
    `  lblab inspect captures/l7/*.pcap               several files: what is the same packet in each
  lblab inspect eth1.pcap --headers              every request with its headers; -v: answers too
  lblab inspect lb.pcap --client 192.168.11.104 --port 80 --state closed,reset
  lblab inspect big.pcapng --analysis any --json | jq '.captures[].connections[].analysis'
  tcpdump -w - -i eth0 | lblab inspect -         until Ctrl-C`,
  )
    .argument('<file...>', 'pcap or pcapng files, gzip-compressed too; - is standard input')
    .addOption(
      new Option(
        '--client <address>',
        'opened by ADDRESS, SUBNET/PREFIX or ADDRESS:PORT; repeatable',
      ).argParser(endpointFilter),
    )
    .addOption(new Option('--server <address>', 'opened to it; repeatable').argParser(endpointFilter))
    .addOption(new Option('--host <address>', 'either end; repeatable').argParser(endpointFilter))
    .addOption(
      new Option('--port <ports>', "either end's port: 80, 8000-8100, 80,443").argParser(ranges(65_535)),
    )
    .addOption(new Option('--protocol <protocol>', 'tcp or udp').choices(['tcp', 'udp']))
    .addOption(
      new Option('--connection <numbers>', 'by number, as in the first column: 3, 1-5, 1,4-6').argParser(
        ranges(999_999_999),
      ),
    )
    .addOption(STATE)
    .addOption(ANALYSIS)
    .option('--http', 'with HTTP requests')
    .addOption(MATCH)
    .option('--headers', 'request lines and headers, as sent; with -v the answers too')
    .option('--packets', 'the packets, one line each')
    .addOption(
      new Option('--limit <rows>', 'rows of a list (default: 50; JSON: all); 0 is all').argParser(
        integer(0, 1e9),
      ),
    )
    .option('--whole', 'keep all packets of long files in memory: about 1 kB a packet')
    .action(act(async () => (await import('./commands/inspect.ts')).inspect, { ownSignals: true }));
}
