// The shape of a topology file: its sections, and what can be understood of one with wrong parts. The sections are in the other *-schema.ts
// files; whether names refer to something and addresses fit is left to resolving.
import * as z from 'zod';
import { balancer } from './balancer-schema.ts';
import { complain } from './complaints.ts';
import { claims, expectations } from './expect-schema.ts';
import type { Path, Problem } from './issues.ts';
import { named, reserved } from './name-shapes.ts';
import { node, segment } from './node-schema.ts';
import { capture, faults, traffic } from './round-schema.ts';
import { like, line, mapping } from './shapes.ts';

const text = z.string().max(65_536);

const topology = mapping({
  name: named('topology').optional().describe("Default: the file's name."),
  title: line(200).default('').describe('One line that says what the lab is.'),
  description: text.default('').describe('What there is to learn from it.'),
  segments: z.record(named('segment'), segment).describe('Ethernet segments by name.'),
  nodes: z
    .record(reserved('node', ['all', 'host', 'lab', 'localhost']), node)
    .describe('Machines by name, each a network namespace.'),
  balancer: balancer.optional(),
  captures: z
    .record(named('capture'), capture)
    .optional()
    .describe(
      'Where tcpdump listens; each writes NAME.pcap. Default: the interfaces of the balancer, the clients and the backends.',
    ),
  traffic: traffic.optional().describe('What the clients ask for.'),
  faults: faults.optional(),
  expect: expectations.optional(),
  claims: claims.optional(),
  kernel: mapping({
    memory: like(/^[1-9][0-9]{0,5}[MG]$/, 'memory is a number of megabytes or gigabytes', 'for example 256M')
      .default('256M')
      .describe('Memory of the user-mode kernel, where one is used.'),
  }).prefault({}),
});

/** A topology as written, its shape checked. */
export type Declared = z.output<typeof topology>;
export type DeclaredNode = Declared['nodes'][string];
export type DeclaredInterface = DeclaredNode['interfaces'][string];
export type DeclaredBalancer = NonNullable<Declared['balancer']>;

/** JSON Schema (draft 2020-12) of the file format, with descriptions and defaults, for editors. */
export function topologySchema(): object {
  return {
    ...z.toJSONSchema(topology, { io: 'input' }),
    title: 'lblab topology',
    description: 'A load-balancer lab: segments, nodes, the balancer, where to capture and what to request.',
  };
}

/**
 * Checks the shape of a file's data. Returns all that is wrong, and what can still be understood with the wrong parts left out
 * (undefined when that is nothing), so that the rest can be judged in the same run.
 */
export function checkShape(data: unknown): {
  problems: readonly Problem[];
  declared: Declared | undefined;
  /** The parts left out. */
  removed: readonly Path[];
} {
  const first = topology.safeParse(data);
  if (first.success) return { problems: [], declared: first.data, removed: [] };
  const problems = first.error.issues.flatMap((issue) => complain(issue, data, []));
  const rest: unknown = structuredClone(data);
  const removed: Path[] = [];
  let result: z.ZodSafeParseResult<Declared> = first;
  for (let round = 0; round < 8 && !result.success; round++) {
    for (const issue of result.error.issues) {
      const path: Path = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part));
      const keys = issue.code === 'unrecognized_keys' ? issue.keys.map((key) => path.concat(key)) : [path];
      for (const each of keys) {
        const gone = remove(rest, each);
        if (gone.length > 0) removed.push(gone);
      }
    }
    result = topology.safeParse(rest);
  }
  return { problems, declared: result.success ? result.data : undefined, removed };
}

/** Takes out what is at the path, or the list or parent it belongs to when it is not there; says what was taken out. */
function remove(root: unknown, path: Path): Path {
  const parents: object[] = [];
  const keys: string[] = [];
  let at = root;
  // What is expected is independent of what else is: one wrong entry says nothing about the others, and keeps its place.
  const [section, index] = path;
  if (section === 'expect' && typeof index === 'number') {
    const list: unknown = Reflect.get(root as object, section);
    if (!Array.isArray(list)) return [];
    list[index] = {};
    return [section, String(index)];
  }
  for (const part of path) {
    if (typeof at !== 'object' || at === null || Array.isArray(at) || !Object.hasOwn(at, part)) break;
    parents.push(at);
    keys.push(String(part));
    at = Reflect.get(at, part);
  }
  const last = keys.at(-1);
  if (last !== undefined) Reflect.deleteProperty(parents.at(-1) ?? {}, last);
  return keys;
}
