// The commands on a lab that is up: their options, examples, and how `exec` tells its own options from those of the command it runs.
import { Option } from 'commander';
import {
  collect,
  CONCURRENCY,
  FOR,
  integer,
  LAB,
  labName,
  perSecond,
  RATE,
  REQUESTS,
  seconds,
} from './arguments.ts';
import { REPORT } from './reports.ts';
import type { Define, Register } from './defining.ts';

const VALUED = new Set(['-l', '--lab', '--timeout', '--kernel']);

/**
 * Puts a `--` behind the node of `exec`, so that options of the command that it runs stay the command's. Commander's own way,
 * passThroughOptions, would take global options behind any command's name away from all commands.
 */
export function keepCommandWhole(argv: readonly string[]): string[] {
  let operands = 0;
  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index]!;
    if (argument === '--') break;
    if (argument.startsWith('-') && argument !== '-') {
      if (VALUED.has(argument)) index++;
      continue;
    }
    operands++;
    if (operands === 1 && argument !== 'exec') break;
    if (operands === 2 && argv[index + 1] !== '--') return argv.toSpliced(index + 1, 0, '--');
    if (operands === 2) break;
  }
  return [...argv];
}

export function defineLabCommands(command: Define, act: Register): void {
  command('ls', 'the labs that are up', `  lblab ls\n  lblab ls --json | jq -r '.labs[].name'`).action(
    act(async () => (await import('./commands/ls.ts')).ls),
  );

  command(
    'status',
    "a lab's nodes, services and capture points, and the balancer's own table; exit code 1 when a service has ended",
    `  lblab status\n  lblab status l7 --json`,
  )
    .argument('[lab]', 'the lab, when more than one is up', labName)
    .action(act(async () => (await import('./commands/status.ts')).status));

  command(
    'exec',
    'run a command in a node; its exit code is its own, or 128 and the signal that ended it',
    `  lblab exec lb -- ss -tn
  lblab exec -l l7 client -- curl -s http://192.168.11.107/
  lblab exec -t lb -- top`,
  )
    .argument('<node>', 'the node')
    .argument('<command...>', 'the command and its arguments')
    .addOption(LAB)
    .option('-t, --tty', 'on a terminal of its own')
    .action(act(async () => (await import('./commands/exec.ts')).exec, { ownSignals: true }));

  command('shell', 'a shell in a node', `  lblab shell lb\n  lblab shell -l l7 be1`)
    .argument('<node>', 'the node')
    .addOption(LAB)
    .action(act(async () => (await import('./commands/shell.ts')).shell, { ownSignals: true }));

  command(
    'ping',
    'every node to every node that it should reach; exit code 1 when one does not answer',
    `  lblab ping\n  lblab ping l7 --json`,
  )
    .argument('[lab]', 'the lab, when more than one is up', labName)
    .action(act(async () => (await import('./commands/ping.ts')).ping));

  command(
    'request',
    "send the client's requests: who answered, how long it took; exit code 1 when one failed",
    `  lblab request
  lblab request l7 -n 100 -c 8
  lblab request --rate 50/s --for 10s`,
  )
    .argument('[lab]', 'the lab, when more than one is up', labName)
    .addOption(REQUESTS)
    .addOption(CONCURRENCY)
    .addOption(RATE)
    .addOption(FOR)
    .action(act(async () => (await import('./commands/request.ts')).request));

  command(
    'watch',
    'a live view of a lab: what passes its links, the balancer, the last packets; keys send requests, break and mend',
    `  lblab watch\n  lblab watch nat`,
  )
    .argument('[lab]', 'the lab, when more than one is up', labName)
    .action(act(async () => (await import('./commands/watch.ts')).watch, { ownSignals: true }));

  command(
    'capture',
    'tcpdump at all capture points at once, with requests meanwhile; Ctrl-C ends one without requests',
    `  lblab capture                              10 requests; captures/LAB/*.pcap
  lblab capture l7 -n 100 -c 8 -o /tmp/l7
  lblab capture --no-traffic --for 10s       only listen
  lblab capture --at lb:eth0 --at be1:eth0 --filter 'tcp port 80 or arp'
  lblab capture --live                       each packet in a line, as it comes
  lblab capture --at lb:eth0 -w - | wireshark -k -i -`,
  )
    .argument('[lab]', 'the lab, when more than one is up', labName)
    .addOption(REQUESTS)
    .addOption(CONCURRENCY)
    .addOption(RATE)
    .option('-o, --output <folder>', 'folder for the captures (default: captures/LAB)')
    .addOption(
      new Option(
        '--at <place>',
        "NODE:INTERFACE or a capture point's name; repeatable (default: all points)",
      ).argParser(collect),
    )
    .option('--filter <filter>', "a pcap-filter(7) expression in place of the points' own")
    .addOption(
      new Option('--for <time>', 'capture for so long; without -n or --rate nothing is sent').argParser(
        seconds,
      ),
    )
    .option('--no-traffic', 'send nothing; capture until --for is over, or Ctrl-C')
    .option(
      '--live',
      'show packets as they come, of all points in order of time, and what was rewritten in them',
    )
    .option(
      '-w, --write <file>',
      "- streams one point's capture to standard output, until Ctrl-C unless -n or --for",
    )
    .action(act(async () => (await import('./commands/capture.ts')).capture, { ownSignals: true }));

  command(
    'load',
    'thousands of connections through a lab, every one accounted for in requests, captures and access logs; exit code 1 when one is not',
    `  lblab load                                 10000 connections through the lab that is up
  lblab load l7 nat dsr --connections 2000   builds those that are not up, and ends them
  lblab load nat --rate 200/s --for 30s`,
  )
    .argument('[lab...]', 'labs that are up, or topologies (default: the lab that is up)')
    .addOption(
      new Option('--connections <count>', 'how many, of all clients together (default: 10000)').argParser(
        integer(1, 100_000),
      ),
    )
    .addOption(
      new Option(
        '--rate <rate>',
        'connections a second, such as 200/s, whether or not those before are answered (default: as fast as they are answered)',
      ).argParser(perSecond),
    )
    .addOption(
      new Option('--for <time>', 'how long, such as 30s: in place of --connections, or of --rate').argParser(
        seconds,
      ),
    )
    .addOption(
      new Option('-c, --concurrency <count>', 'without a rate: connections open at once')
        .argParser(integer(1, 300))
        .default(32),
    )
    .option('-o, --output <folder>', 'keep the captures, which have the packets’ headers')
    .option('--no-captures', 'no tcpdump: requests and access logs alone are compared')
    .action(act(async () => (await import('./commands/load.ts')).load));

  command(
    'compare',
    'the same traffic through each method, and what each does to it, all of it measured',
    `  lblab compare
  lblab compare nat dsr -n 100
  lblab compare --markdown > methods.md`,
  )
    .argument('[topology...]', 'topologies that ship, or files (default: l7, nat, fullnat, dsr, tun)')
    .addOption(REQUESTS)
    .addOption(CONCURRENCY)
    .option('--markdown', 'a Markdown table')
    .action(act(async () => (await import('./commands/compare.ts')).compare));

  command(
    'verify',
    "judge a lab's last captures, or captures that lie in a folder; exit code 1 when a claim does not hold",
    `  lblab verify
  lblab verify --topology l7 --captures ./captures/l7
  lblab verify --topology nat --captures ./elsewhere --vip 10.0.0.7 --client 10.0.0.2`,
  )
    .argument('[lab]', 'the lab, when more than one is up', labName)
    .option('--topology <topology>', 'a topology that ships, or a file: what the captures are judged by')
    .option('--captures <folder>', 'the folder with NAME.pcap for each capture point')
    .option('--vip <address>', "the captures' VIP, where it is not the topology's")
    .addOption(
      new Option('--client <address>', "the captures' client; repeatable, in the topology's order").argParser(
        collect,
      ),
    )
    .option('--inside <address>', "the balancer's address towards the backends")
    .addOption(
      new Option(
        '--backend <address>',
        "the captures' backend; repeatable, in the topology's order",
      ).argParser(collect),
    )
    .addOption(REPORT)
    .action(act(async () => (await import('./commands/verify.ts')).verify));
}
