// The commands about what breaks and what it costs: their options and examples.
import { Option } from 'commander';
import { perSecond, seconds } from './arguments.ts';
import type { Define, Register } from './defining.ts';

export function defineFaultCommands(command: Define, act: Register): void {
  command(
    'fault',
    'break something in a lab that is up, or mend it',
    `  lblab fault nat be1 stop-service         its web server ends in order; kill: at once
  lblab fault nat be1 start-service
  lblab fault nat be1 link-down            its cable is pulled; link-up
  lblab fault nat be1 delay 50ms           what it sends comes later; loss 1%
  lblab fault nat be1 clear                all that is broken on it is mended
  lblab fault dnsrr dns withdraw be1       DNS answers without it; announce be1`,
  )
    .argument('<words...>', 'the lab (when more than one is up), the node, and what happens to it')
    .action(act(async () => (await import('./commands/fault.ts')).fault));

  command(
    'failover',
    'the same fault in several labs while requests go on: what it costs the clients, and what the configuration allows',
    `  lblab failover                           DNS round robin against balancers, with health checks and without
  lblab failover nat nat-keepalived --fault kill
  lblab failover ./mine.yaml --rate 50/s --html failover.html`,
  )
    .argument('[topology...]', 'topologies that ship, or files (default: those six)')
    .addOption(
      new Option('--fault <fault>', 'what happens to a server, or to the first of a pair of directors')
        .choices(['link-down', 'kill', 'stop-service'])
        .default('link-down'),
    )
    .addOption(
      new Option('--rate <rate>', 'requests a second of each client')
        .argParser(perSecond)
        .default(10, '10/s'),
    )
    .addOption(
      new Option('--after <time>', 'how long requests go on after the fault')
        .argParser(seconds)
        .default(6, '6s'),
    )
    .addOption(
      new Option('--ttl <time>', 'how long a DNS answer may be kept').argParser(seconds).default(5, '5s'),
    )
    .option(
      '--scheduler <name>',
      'how balancers that have it spread connections; own: each as its topology says',
      'rr',
    )
    .option('-o, --output <folder>', 'folder for the captures (default: captures/failover)')
    .option('--html <file>', 'the table and the pictures as a page')
    .action(act(async () => (await import('./commands/failover.ts')).failover));
}
