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

/** What curl(1) writes for `--write-out %{json}`, as far as it is used here. */
const curlRecord = z.looseObject({
  errormsg: z.string().nullish(),
  exitcode: z.number().default(0),
  filename_effective: z.string().nullish(),
  http_code: z.number().default(0),
  local_port: z.number().default(0),
  time_total: z.number().default(0),
  remote_ip: z.string().optional(),
  /** Ours: the backend that answered, kept when the answers themselves are not. */
  lblab_backend: z.string().optional(),
  /** Ours, from clients that keep a rate: the request's number, and seconds since the epoch when it began. */
  lblab_number: z.number().optional(),
  lblab_started: z.number().optional(),
  /** Seconds by which that was later than the rate wants it. */
  lblab_late: z.number().optional(),
});

export type CurlRecord = z.output<typeof curlRecord>;

/** Reads a line of a client's log. Throws LabError for anything else. */
export function readCurlRecord(line: string, place: string): CurlRecord {
  let data: unknown;
  try {
    data = JSON.parse(line);
  } catch {
    throw new LabError(
      `${place}: no JSON, which curl writes from 7.70 on (lblab doctor tells its version); without that file the captures are judged alone`,
    );
  }
  const result = curlRecord.safeParse(data);
  if (result.success) return result.data;
  const { path, message } = result.error.issues[0]!;
  throw new LabError(
    `${place}: not what curl writes: ${path.map(String).join('.')}: ${message}; without that file the captures are judged alone`,
  );
}

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
