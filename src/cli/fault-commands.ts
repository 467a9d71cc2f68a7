// The commands about what breaks and what it costs: their options and examples.
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
}
