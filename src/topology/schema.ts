// The shape of a topology file: keys, types, ranges, defaults that do not depend on anything else, and the words that explain them in
// an editor. What is expected of a lab is in expect-schema.ts; whether names refer to something and addresses fit is left to resolving.
import * as z from 'zod';
import { complain } from './complaints.ts';
import type { Path, Problem } from './issues.ts';
import { expectations, claims } from './expect-schema.ts';
import { duration, fieldName, like, line, mapping, oneOrMore, what } from './shapes.ts';
import { LOOKUPS, METHODS, SABOTAGES } from './types.ts';

const ROLES = ['client', 'balancer', 'backend', 'router', 'dns', 'node'] as const;

const NAME = /^[a-zA-Z]([a-zA-Z0-9-]{0,29}[a-zA-Z0-9])?$/;

/** Why a text is no name, and what it may have been meant to be. */
function nameProblem(kind: string, value: unknown): string {
  const text = typeof value === 'string' ? value : '';
  const slug = toName(text);
  const hint = slug === '' || slug === text ? undefined : `write ${slug}`;
  const subject = `${kind === 'interface' ? 'an' : 'a'} ${kind}'s name`;
  if (text === '') return what(`${subject} is empty`);
  if (text.length > 31)
    return what(`${subject} is too long`, 'it is part of file names: at most 31 characters');
  if (/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(text))
    return what(`${subject} must not hold control characters`, hint);
  if (text.startsWith('-')) return what(`${subject} must not look like an option`, hint);
  if (/[/\\]|^\.+/.test(text)) return what(`${subject} must not be a path`, hint);
  if (/[;&|<>$`'"(){}*?[\]!#~\n]/.test(text)) return what(`${subject} must not hold shell syntax`, hint);
  return what(
    `${subject} has letters, digits and "-" inside, and begins with a letter`,
    hint ?? 'for example lb1',
  );
}

/** The nearest text that is a name; empty when nothing of it is left. */
export function toName(text: string): string {
  return text
    .replace(/[^a-zA-Z0-9]+/g, '-')
    .replace(/^[^a-zA-Z]+/, '')
    .slice(0, 31)
    .replace(/-+$/, '');
}

const named = (kind: string) => z.string().regex(NAME, { error: (issue) => nameProblem(kind, issue.input) });

const reserved = (kind: string, names: readonly string[]) =>
  named(kind).refine((value) => !names.includes(value.toLowerCase()), {
    error: what(`a ${kind} cannot have this name`, `reserved: ${names.join(', ')}`),
  });

/** linux/if.h: IFNAMSIZ is 16, its last byte a NUL; names of sysctl folders and of devices that modules make by themselves are taken. */
const TAKEN = ['lo', 'all', 'default', 'tunl0', 'ip6tnl0', 'sit0', 'gre0', 'gretap0', 'erspan0', 'ip_vti0'];
const interfaceName = z
  .string()
  .regex(/^[a-zA-Z][a-zA-Z0-9._-]*$/, { error: (issue) => nameProblem('interface', issue.input) })
  .max(15, { error: what("an interface's name is too long", 'Linux allows 15 characters') })
  .refine((value) => !TAKEN.includes(value), {
    error: what('an interface cannot have this name', `Linux makes one itself: ${TAKEN.join(', ')}`),
  });

const text = z.string().max(65_536);
const port = z
  .int()
  .min(1)
  .max(65_535)
  .describe('A port number, 1 to 65535.')
  .meta({ examples: [80] });

const value = (limit = 4096) => z.union([line(limit), z.number()]);

const environment = z
  .record(
    z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, {
      error: what("a variable's name has letters, digits and underscores, and begins with no digit"),
    }),
    z.union([z.string().regex(/^[^\0]*$/, { error: what('must not hold NUL bytes') }), z.number()]),
  )
  .describe('Environment variables.');

const command = z
  .union([line(), z.array(line()).min(1).max(256)])
  .describe(
    'A program and its arguments: a list, or one text split at spaces outside quotes. No shell reads it: write [sh, -c, "..."] for one.',
  );

const subnets = z
  .array(line(64))
  .min(1)
  .max(2)
  .describe('Subnets in CIDR form: at most one IPv4 and one IPv6.');

const segment = z
  .union([z.null(), line(64), subnets, mapping({ subnets: z.union([line(64), subnets]).optional() })])
  .describe(
    'The subnet, in CIDR form, or a list of an IPv4 and an IPv6 one. Without any, 10.200.N.0/24 by order in the file.',
  );

const link = mapping({
  delay: duration('5ms').optional().describe('Added to what the node sends, e.g. 5ms.'),
  loss: like(
    /^(100|[0-9]{1,2}(\.[0-9]{1,4})?)%$/,
    'loss is a share in per cent, 0% to 100%',
    'for example 1%',
  )
    .optional()
    .describe('Share of the packets that the node sends which are lost, e.g. 1%.'),
  rate: like(
    /^[1-9][0-9]{0,5}(\.[0-9]{1,3})?[kmg]bit$/,
    'a rate has a unit, kbit, mbit or gbit',
    'for example 10mbit',
  )
    .optional()
    .describe('What the node can send, e.g. 10mbit.'),
}).describe('Impairment of this link.');

const networkInterface = z
  .union([
    line(64),
    mapping({
      segment: line(64).describe('The segment that the interface is plugged into.'),
      address: oneOrMore(line(64))
        .optional()
        .describe(
          "Addresses, the primary first; the prefix length is the segment's unless given. Default: the lowest free from the subnet's .11.",
        ),
      mac: line(64)
        .optional()
        .describe(
          'MAC address. Default: 02:00 and the IPv4 address in hexadecimal, 02:00:c0:a8:0b:68 for 192.168.11.104.',
        ),
      link: link.optional(),
    }),
  ])
  .describe('The segment, or a mapping with segment, address, mac and link.');

const HTTPDS = ['apache', 'nginx'] as const;

const httpd = z
  .union([
    z.enum([...HTTPDS, 'none']),
    mapping({
      server: z.enum(HTTPDS).default('apache'),
      port: port.optional(),
      ports: z.array(port).min(1).max(64).optional(),
    }),
  ])
  .describe(
    'The web server on this node, which answers with its name. Default for backends without services: apache, on the ports that the balancer sends to.',
  );

const service = mapping({
  name: named('service'),
  command,
  port: port.optional().describe('The port that the service listens on.'),
  ready: z
    .union([
      z.enum(['tcp', 'http', 'started']),
      mapping({ tcp: port.optional(), http: line(2048).optional() }),
    ])
    .optional()
    .describe(
      'When it counts as up: its TCP port listens, an HTTP request is answered, or at once. Default: tcp with a port, else started.',
    ),
  environment: environment.optional(),
});

const node = mapping({
  role: z
    .enum(ROLES)
    .optional()
    .describe('The part that the node plays; claims speak of roles. Default: node.'),
  interfaces: z
    .record(interfaceName, networkInterface)
    .describe('Interfaces by name, each plugged into a segment.'),
  gateway: line(64)
    .optional()
    .describe(
      "Where the default route leads: a node's name (its address on a shared segment), or an address.",
    ),
  routes: z
    .array(
      mapping({
        to: line(64).describe('A subnet in CIDR form, or default.'),
        via: line(64).describe("The next hop: a node's name, or an address."),
      }),
    )
    .max(256)
    .optional()
    .describe('Routes beside those that the addresses bring.'),
  loopback: z.array(line(64)).max(64).optional().describe('Addresses on lo, beside 127.0.0.1.'),
  sysctls: z
    .record(
      z.string().regex(/^net(\.[a-zA-Z0-9_-]+)+$/, {
        error: what('a sysctl must be one of the network namespace', 'its name begins with net.'),
      }),
      value(),
    )
    .optional()
    .describe('Kernel parameters of the node, net.* only.'),
  httpd: httpd.optional(),
  services: z.array(service).max(64).optional().describe('Programs that run as long as the lab does.'),
  environment: environment.optional(),
  files: z
    .record(z.string(), z.union([z.string(), mapping({ from: line(1024).describe('A file to copy.') })]))
    .optional()
    .describe("Files in the node's own folder, where its programs run: path to content, or {from: PATH}."),
  setup: z
    .array(command)
    .max(256)
    .optional()
    .describe('Commands run once, after addresses and routes and before services.'),
});

const scheduler = line(64).describe(
  'How requests are spread. nginx: rr, least_conn, ip_hash, random. IPVS: rr, wrr, lc, wlc, sh and the others of ipvsadm(8). nft-nat: rr, wrr, random, sh, sh-port. nft-dsr: sh, sh-port. dns: rr. Default: rr, and sh for nft-dsr.',
);
const persistence = z
  .union([z.int().min(1).max(2_678_400), z.literal(false)])
  .describe('Seconds that a client stays on its backend (IPVS), or false. Default false.');
const protocol = z.enum(['tcp', 'udp']);
const backends = z
  .array(
    z.union([
      line(64),
      mapping({
        node: line(64),
        address: line(64)
          .optional()
          .describe('Which of its addresses. Default: the first on a segment that the balancer is on.'),
        port: port.optional().describe("Default: the service's port."),
        weight: z.int().min(0).max(65_535).default(1),
        down: z.boolean().optional().describe('nginx only: declared and marked down.'),
      }),
    ]),
  )
  .min(1)
  .max(256)
  .describe('Names of nodes, or mappings with node, port, weight, down. Default: all nodes of role backend.');

const directives = z
  .array(
    z.string().regex(/[;}]\s*$/, {
      error: what('an nginx directive ends in ";" or "}"', 'add the semicolon'),
    }),
  )
  .max(256);

const nginx = mapping({
  upstream: named('upstream').default('myapp1').describe("The upstream's name, which nginx sends as Host."),
  'forwarded-for': z.boolean().default(true).describe("Send X-Forwarded-For with the client's address."),
  'http-version': z
    .union([z.enum(['1.0', '1.1']), z.literal(1), z.literal(1.1)], { error: what('must be "1.0" or "1.1"') })
    .default('1.0')
    .describe('HTTP version towards the backends.'),
  'sticky-cookie': z
    .string()
    .regex(/^[a-zA-Z0-9_]{1,64}$/, {
      error: what("a cookie's name has letters, digits and underscores, as nginx's $cookie_NAME wants"),
    })
    .optional()
    .describe('A cookie whose value is the backend that the client stays on.'),
  'max-fails': z
    .int()
    .min(0)
    .max(1000)
    .optional()
    .describe("Failures after which a server is left out. nginx's own default: 1."),
  'fail-timeout': duration('10s')
    .optional()
    .describe("For how long it is left out, and within which failures count. nginx's own default: 10s."),
  'connect-timeout': duration('1s')
    .optional()
    .describe("How long a connection to a server may take. nginx's own default: 60s."),
  http: directives.default([]).describe('More directives for the http block.'),
  'upstream-directives': directives.default([]).describe('More directives for the upstream block.'),
  server: directives.default([]).describe('More directives for the server block.'),
  location: directives.default([]).describe('More directives for the location block.'),
  conf: line(1024).optional().describe('Your own nginx.conf, instead of the one that lblab writes.'),
});

/** Labels of letters, digits and hyphens (RFC 1123 section 2.1), at most 253 characters in all. */
const hostName = z
  .string()
  .max(253)
  .regex(
    /^(?=.*[a-zA-Z])[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)+$/,
    {
      error: what('not a domain name of two labels or more', 'for example www.example.test'),
    },
  );

const dns = mapping({
  name: hostName.default('www.example.test').describe('The name that clients look up.'),
  ttl: like(/^(0|[1-9][0-9]{0,5})[sm]$/, 'a TTL is in whole seconds or minutes', 'for example 30s')
    .default('30s')
    .describe('How long an answer may be kept.'),
});

const health = mapping({
  every: duration('2s').default('2s').describe("From one check's end to the next (delay_loop)."),
  timeout: duration('1s').default('1s').describe('How long a connection may take (connect_timeout).'),
  retries: z
    .int()
    .min(0)
    .max(100)
    .default(1)
    .describe('Further attempts before a server counts as dead (retry).'),
  'retry-after': duration('1s').default('1s').describe('Time between attempts (delay_before_retry).'),
  path: z
    .string()
    .max(256)
    .regex(/^\/[!-~]*$/, { error: what('a path begins with "/" and has no blanks', 'for example /health') })
    .default('/health')
    .describe('What is asked for.'),
  conf: line(1024).optional().describe('Your own keepalived.conf, instead of the one that lblab writes.'),
});

const pair = mapping({
  node: line(64).describe('The second director.'),
  advert: duration('1s').default('1s').describe('Time between advertisements (advert_int).'),
  sync: z.boolean().default(true).describe('Whether the first director tells the second of its connections.'),
});

const balancer = mapping({
  node: line(64).optional().describe('Default: the only node of role balancer; of role dns with method dns.'),
  method: z.enum(METHODS).describe('How requests are balanced.'),
  vip: line(64)
    .optional()
    .describe(
      "The address that clients ask for. Default: the balancer's first on the first client's segment.",
    ),
  port: port.optional().describe('Short for services: [{port: ...}]. Default 80.'),
  protocol: protocol.optional().describe('Default tcp.'),
  scheduler: scheduler.optional(),
  persistence: persistence.optional(),
  backends: backends.optional(),
  services: z
    .array(
      mapping({
        port,
        protocol: protocol.default('tcp'),
        scheduler: scheduler.optional(),
        persistence: persistence.optional(),
        backends: backends.optional(),
      }),
    )
    .min(1)
    .max(64)
    .optional()
    .describe('Several virtual services. What one leaves out is taken from the balancer.'),
  nginx: nginx.optional(),
  dns: dns.optional().describe('For method dns.'),
  health: z
    .union([z.boolean(), health])
    .optional()
    .describe('IPVS only: keepalived asks each real server over HTTP, and keeps the table by the answers.'),
  pair: pair
    .optional()
    .describe('ipvs-dsr and ipvs-tun: a second director takes the VIP over when the first is silent (VRRP).'),
  unchecked: z
    .boolean()
    .default(false)
    .describe('Build it even though the balancer cannot reach its backends, to see it fail.'),
  sabotage: z.array(z.enum(SABOTAGES)).default([]).describe('Faults built in on purpose.'),
});

const captureFilter = z
  .string()
  .max(1024)
  .regex(/^(?![\s]*-)/, {
    error: what('a filter must not look like an option', 'tcpdump would read it as one'),
  })
  .regex(/^[^\0-\u001f\u007f]*$/, { error: what('a filter is one line without control characters') });

const capture = z.union([
  line(64),
  mapping({
    at: line(64).describe('NODE:INTERFACE; NODE alone when it has one interface.'),
    filter: captureFilter.default('').describe('A pcap-filter(7) expression; everything when empty.'),
  }),
]);

const traffic = mapping({
  clients: oneOrMore(line(64)).optional().describe('Default: all nodes of role client.'),
  url: line(2048).optional().describe('Default: the VIP and the port of the first TCP service.'),
  requests: z.int().min(1).max(100_000).default(10),
  concurrency: z.int().min(1).max(1000).default(1).describe('Requests under way at once.'),
  rate: like(
    /^(0\.[0-9]{0,2}[1-9]|[1-9][0-9]{0,3}(\.[0-9]{1,3})?)\/s$/,
    'a rate is in requests a second',
    'for example 50/s',
  )
    .optional()
    .describe(
      'Requests that each client begins, whether or not those before are answered. Default: one after the other.',
    ),
  for: duration('10s').optional().describe('With a rate, how long requests go on, in place of how many.'),
  order: z
    .enum(['together', 'in-turn'])
    .default('together')
    .describe('Whether several clients send side by side or one after the other.'),
  reuse: z
    .union([z.boolean(), oneOrMore(line(64))])
    .default(false)
    .describe(
      'Whether requests go over one connection for as long as it lasts: for all clients, or for those listed.',
    ),
  lookup: z
    .union([z.enum(LOOKUPS), z.record(z.string(), z.enum(LOOKUPS))])
    .optional()
    .describe(
      'How clients come from the name in the URL to an address: caching asks once and keeps the first address for its TTL, asking asks each time, ordinary is curl as it is. One for all, or a mapping by client. Default: ordinary.',
    ),
  timeout: duration('5s').default('5s').describe('How long one request may take.'),
  headers: z
    .record(
      fieldName(),
      z.union([
        z.string().regex(/^([!-~\u0080-\u00ff]([ \t!-~\u0080-\u00ff]*[!-~\u0080-\u00ff])?)?$/, {
          error: what(
            'not a header value (RFC 9110 section 5.5)',
            'one line, without control characters and outer spaces',
          ),
        }),
        z.number(),
      ]),
    )
    .default({})
    .describe('Request headers.'),
});

const faults = z
  .array(
    mapping({
      at: duration('2s').describe('How long after the first request.'),
      node: line(64).describe('The node that it happens to.'),
      do: line(256).describe(
        'stop-service, start-service or kill [SERVICE]; link-down or link-up [INTERFACE]; delay TIME [INTERFACE]; loss SHARE [INTERFACE]; clear; with DNS withdraw or announce BACKEND.',
      ),
    }),
  )
  .min(1)
  .max(256)
  .describe(
    'What breaks, and is mended, while requests go on. What is still broken at the end of a round is mended then.',
  );

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

/** What zod says is wrong. */
export type ShapeIssue = z.core.$ZodIssue;

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
