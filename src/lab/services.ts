// The services of a lab that are its topology's own: not the captures and clients that come and go.
import type { ServiceStatus } from '../sandbox/protocol.ts';
import { stagesOf, type Lab } from './lab.ts';

/** Of the given services those that the plan starts in the nodes. */
export function ownServices(lab: Lab, services: readonly ServiceStatus[]): ServiceStatus[] {
  const steps = stagesOf(lab.plan, ['nodes']).flatMap((stage) => stage.steps);
  const own = new Set(steps.flatMap((step) => (step.kind === 'service' ? [step.name] : [])));
  return services.filter(({ name }) => own.has(name));
}
