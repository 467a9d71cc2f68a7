// The shape of segments and nodes in a topology file: interfaces, links, web servers, programs, set-up. Whether addresses fit and names refer
// to something is left to resolving.
import * as z from 'zod';
import { duration, like, line, mapping, oneOrMore, what } from './shapes.ts';
import { named, nameProblem, port } from './name-shapes.ts';

const ROLES = ['client', 'balancer', 'backend', 'router', 'dns', 'node'] as const;

/** linux/if.h: IFNAMSIZ is 16, its last byte a NUL; names of sysctl folders and of devices that modules make by themselves are taken. */
const TAKEN = ['lo', 'all', 'default', 'tunl0', 'ip6tnl0', 'sit0', 'gre0', 'gretap0', 'erspan0', 'ip_vti0'];
const interfaceName = z
  .string()
  .regex(/^[a-zA-Z][a-zA-Z0-9._-]*$/, { error: (issue) => nameProblem('interface', issue.input) })
  .max(15, { error: what("an interface's name is too long", 'Linux allows 15 characters') })
  .refine((value) => !TAKEN.includes(value), {
    error: what('an interface cannot have this name', `Linux makes one itself: ${TAKEN.join(', ')}`),
  });

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

export const segment = z
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

export const node = mapping({
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
