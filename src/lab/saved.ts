// The topology that lies beside saved captures, `topology.json`, read back. It may come from elsewhere: its names become file names, so
// they are checked, and so is every part that judging looks at.
import * as z from 'zod';
import { METHODS } from '../balancers/index.ts';
import type { Topology } from '../topology/types.ts';
import type { FaultRecord } from '../verify/types.ts';
import { LabError } from './lab-error.ts';

/** As topologies have them: nothing that leads out of a folder. */
const name = z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$/);
const address = z.looseObject({ address: z.string(), prefix: z.number() });

const saved = z.looseObject({
  name,
  title: z.string(),
  segments: z.array(z.looseObject({ name, subnets: z.array(z.string()) })),
  nodes: z.array(
    z.looseObject({
      name,
      role: z.string(),
      interfaces: z.array(
        z.looseObject({ name, segment: z.string(), mac: z.string(), addresses: z.array(address) }),
      ),
      loopback: z.array(address),
    }),
  ),
  balancer: z
    .looseObject({
      node: z.string(),
      method: z.enum(METHODS),
      vip: z.string(),
      services: z.array(
        z.looseObject({
          port: z.number(),
          backends: z.array(
            z.looseObject({ node: z.string(), address: z.string(), port: z.number(), weight: z.number() }),
          ),
        }),
      ),
      nginx: z.looseObject({}),
      dns: z.looseObject({ name: z.string(), ttl: z.number() }).optional(),
      health: z.looseObject({ path: z.string() }).optional(),
      pair: z.looseObject({ node: z.string(), advert: z.number() }).optional(),
    })
    .optional(),
  captures: z.array(z.looseObject({ name, node: name, interface: name, filter: z.string() })),
  traffic: z.looseObject({ clients: z.array(z.string()), url: z.string() }).optional(),
});

const faults = z.array(
  z.looseObject({ at: z.number(), node: z.string(), fault: z.string(), began: z.number(), done: z.number() }),
);

/** Reads the faults of a round. Throws LabError for anything else. */
export function readFaults(text: string, path: string): FaultRecord[] {
  try {
    return faults.parse(JSON.parse(text));
  } catch {
    throw new LabError(`${path}: no list of faults; without that file the captures are judged as they are`);
  }
}

/** Reads what `lblab run` saved. Throws LabError for anything else. */
export function readSaved(text: string, path: string): Topology {
  const wrong = (what: string) =>
    new LabError(`${path} is not what lblab saved: ${what}\nsay with --topology what the captures are of`);
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    throw wrong('no JSON');
  }
  const result = saved.safeParse(data);
  if (result.success) return data as Topology;
  const { path: place, message } = result.error.issues[0]!;
  throw wrong(`${place.map(String).join('.')}: ${message}`);
}
