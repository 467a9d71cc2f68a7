// The commands that draw what was captured: their options and examples.
import { InvalidArgumentError, Option } from 'commander';
import { collect, integer } from './arguments.ts';
import { ANALYSIS, endpointFilter, MATCH, ranges, STATE } from './filters.ts';
import type { Define, Register } from './defining.ts';

const FLAGS = ['syn', 'ack', 'fin', 'rst', 'psh', 'urg', 'ece', 'cwr'];

/** TCP flags, several parted by commas. */
function tcpFlags(text: string, before: readonly string[] = []): string[] {
  const flags = text.toLowerCase().split(',');
  const unknown = flags.find((flag) => !FLAGS.includes(flag));
  if (unknown !== undefined)
    throw new InvalidArgumentError(`${JSON.stringify(unknown)} is none of: ${FLAGS.join(', ')}`);
  return [...before, ...flags];
}

export function definePictures(command: Define, act: Register): void {
  command(
    'flow',
    "a connection's packets as a ladder: from machine to machine, and what was rewritten on the way",
    `  lblab flow                                    the first connection of the lab's last captures
  lblab flow nat --connection 3
  lblab flow captures/dsr --all --flags syn,fin
  lblab flow eth0.pcap eth1.pcap --client 192.168.11.104 --ascii`,
  )
    .argument('[lab|file...]', 'a lab, a folder that captures were saved in, or pcap and pcapng files')
    .option('--all', 'all connections, and packets that belong to none')
    .addOption(
      new Option('--connection <numbers>', 'by number, in order of time: 3, 1-5, 1,4-6').argParser(
        ranges(999_999_999),
      ),
    )
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
    .addOption(
      new Option(
        '--backend <machine>',
        'that came to this machine, by name or address; repeatable',
      ).argParser(collect),
    )
    .addOption(new Option('--protocol <protocol>', 'tcp or udp').choices(['tcp', 'udp']))
    .addOption(STATE)
    .addOption(ANALYSIS)
    .option('--http', 'with HTTP requests')
    .addOption(MATCH)
    .addOption(
      new Option('--flags <flags>', 'only packets with one of these TCP flags: syn,fin,rst').argParser(
        tcpFlags,
      ),
    )
    .addOption(new Option('--limit <packets>', 'packets at most; 0 is all').argParser(integer(0, 1e9)))
    .option('--ascii', 'no character beyond ASCII; by itself where the locale is not UTF-8')
    .addOption(
      new Option('--width <columns>', "as wide as this (default: the terminal's width, or 80)").argParser(
        integer(40, 1000),
      ),
    )
    .action(act(async () => (await import('./commands/flow.ts')).flow, { ownSignals: true }));

  command(
    'report',
    'one HTML page of what labs showed: claims, packets, ladder, commands; needs no network and no JavaScript',
    `  lblab report                                  the last captures of the lab that is up
  lblab report captures/dsr -o dsr.html
  lblab report captures/l7 captures/nat captures/dsr -o methods.html
  lblab run --json > run.json && lblab report run.json`,
  )
    .argument(
      '[lab|folder|file...]',
      'labs, folders that captures were saved in, or what lblab run --json or lblab failover --json wrote',
    )
    .option('-o, --output <file>', 'the page; - is standard output', 'report.html')
    .action(act(async () => (await import('./commands/report.ts')).report));
}
