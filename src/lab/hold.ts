// What only one command at a time may do in a lab: capture at its points, write its clients' logs. The sandbox's agent keeps who does it, so a
// command that is killed lets go with the end of its connection.
import { LabError } from './lab-error.ts';
import type { Lab } from './lab.ts';

const DOING = { capture: 'a capture is under way', requests: 'requests are under way' };

/** Takes hold of one of the two; returns what lets go. Throws LabError (exit code 1) that names the process that has it. */
export async function hold(lab: Lab, what: keyof typeof DOING): Promise<() => Promise<void>> {
  const holder = await lab.client.hold(what, String(lab.user));
  if (holder !== undefined)
    throw new LabError(`${DOING[what]} in ${lab.name} already, by process ${holder}: wait for its end`, 1);
  return async () => {
    // A lab that has ended holds nothing.
    if (!lab.client.lost) await lab.client.letGo(what).catch(() => {});
  };
}
