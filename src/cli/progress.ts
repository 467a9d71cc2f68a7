// What a command says while it works: one line a step, on standard error, when asked to say more.
import type { StepEvent } from '../lab/execute.ts';
import type { Cli } from './context.ts';

/** A listener for a lab's steps. */
export function follow(cli: Cli, lab: string): (event: StepEvent) => void {
  return (event) => {
    if (!cli.verbose) return;
    if (event.type === 'done')
      cli.say(`${lab}: ${event.step.id} (${event.milliseconds.toFixed(0)} ms): ${event.step.reason}\n`);
    else if (event.type === 'failed') cli.say(`${lab}: ${event.step.id} failed\n`);
  };
}
