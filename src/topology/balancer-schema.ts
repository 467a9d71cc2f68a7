// The shape of a topology file's balancer: the method and its options, virtual services, real servers, health checks. What each method can
// and cannot do is left to balancing.ts.
import * as z from 'zod';
import { METHODS, methodOf } from '../balancers/index.ts';
import { named, port } from './name-shapes.ts';
import { duration, like, line, mapping, what } from './shapes.ts';
import { SABOTAGES } from './types.ts';

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
        down: z.boolean().optional().describe('Declared and marked down; nginx has no weight 0.'),
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
  'fail-timeout': like(/^[1-9][0-9]{0,4}[sm]$/, 'nginx knows whole seconds here', 'for example 10s')
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

/** Sections of options that methods define themselves. */
function ownSections(): object {
  return Object.fromEntries(
    METHODS.map(methodOf).flatMap(({ section, options, method }) =>
      section === undefined || options === undefined
        ? []
        : [[section, options.optional().describe(`For method ${method}.`)]],
    ),
  );
}

export const balancer = mapping({
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
  ...ownSections(),
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
