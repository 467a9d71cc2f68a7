// The topology that lies beside saved captures, `topology.json`, read back. It may come from elsewhere: its names become file names, so
// they are checked, and so is every part that judging looks at.
import * as z from 'zod';
import { METHODS } from '../balancers/index.ts';
import { parseIp, parseSubnet } from '../topology/address.ts';
import { KINDS } from '../topology/expectations.ts';
import type { Topology } from '../topology/types.ts';
import type { FaultRecord } from '../verify/types.ts';
import { LabError } from './lab-error.ts';

/** As topologies have them: nothing that leads out of a folder. */
const name = z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$/);
const ip = z.string().refine((text) => parseIp(text) !== undefined, { error: 'no address' });
const subnet = z.string().refine((text) => parseSubnet(text) !== undefined, { error: 'no subnet' });
const address = z
  .looseObject({ address: ip, prefix: z.number() })
  .refine((each) => parseSubnet(`${each.address}/${each.prefix}`) !== undefined, { error: 'no prefix' });

const texts = z.record(z.string(), z.string());
const words = z.array(z.string());

const saved = z.looseObject({
  name,
  title: z.string(),
  description: z.string(),
  segments: z.array(z.looseObject({ name, subnets: z.array(subnet) })),
  nodes: z.array(
    z.looseObject({
      name,
      role: z.string(),
      interfaces: z.array(
        z.looseObject({ name, segment: z.string(), mac: z.string(), addresses: z.array(address) }),
      ),
      loopback: z.array(address),
      routes: z.array(z.looseObject({ to: z.string(), via: z.string() })),
      sysctls: texts,
      files: texts,
      environment: texts,
      setup: z.array(words),
      services: z.array(
        z.looseObject({ name: z.string(), command: words, ready: z.looseObject({}), environment: texts }),
      ),
      httpd: z.looseObject({ server: z.enum(['apache', 'nginx']), ports: z.array(z.number()) }).optional(),
    }),
  ),
  balancer: z
    .looseObject({
      node: z.string(),
      method: z.enum(METHODS),
      vip: ip,
      services: z
        .array(
          z.looseObject({
            protocol: z.enum(['tcp', 'udp']),
            port: z.number(),
            scheduler: z.string(),
            persistence: z.number(),
            backends: z.array(
              z.looseObject({ node: z.string(), address: ip, port: z.number(), weight: z.number() }),
            ),
          }),
        )
        .min(1),
      nginx: z.looseObject({
        http: z.array(z.string()),
        upstreamDirectives: z.array(z.string()),
        server: z.array(z.string()),
        location: z.array(z.string()),
      }),
      dns: z.looseObject({ name: z.string(), ttl: z.number() }).optional(),
      health: z.looseObject({ path: z.string() }).optional(),
      pair: z.looseObject({ node: z.string(), advert: z.number() }).optional(),
      options: z.record(z.string(), z.unknown()).optional(),
      sabotage: words,
    })
    .optional(),
  captures: z.array(z.looseObject({ name, node: name, interface: name, filter: z.string() })),
  traffic: z
    .looseObject({
      clients: words,
      url: z.string(),
      requests: z.number(),
      concurrency: z.number(),
      rate: z.number().optional(),
      timeout: z.number(),
      reuse: words.optional(),
      lookup: texts.optional(),
      patience: z.record(z.string(), z.number()).optional(),
      headers: z.array(z.tuple([z.string(), z.string()])),
    })
    .optional(),
  faults: z.array(z.looseObject({ at: z.number(), node: z.string(), kind: z.string() })).optional(),
  expect: z
    .array(
      z.looseObject({
        index: z.number(),
        kind: z.enum(KINDS),
        name: z.string().optional(),
        level: z.enum(['error', 'warning']),
        location: z.looseObject({ file: z.string(), line: z.number(), column: z.number() }),
        not: z.boolean(),
      }),
    )
    .optional(),
  claims: words.optional(),
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
  if (result.success) {
    const segments = new Set(result.data.segments.map((segment) => segment.name));
    const links = result.data.nodes.flatMap((node) => node.interfaces);
    const lost = links.find(({ segment }) => !segments.has(segment));
    if (lost !== undefined) throw wrong(`there is no segment ${lost.segment}`);
    return data as Topology;
  }
  const { path: place, message } = result.error.issues[0]!;
  throw wrong(`${place.map(String).join('.')}: ${message}`);
}
