// The shape of what happens in a lab: where to capture, what clients ask for, what breaks meanwhile.
import * as z from 'zod';
import { NO_OPTION, PRINTABLE } from './name.ts';
import { duration, fieldName, like, line, mapping, oneOrMore, what } from './shapes.ts';
import { LOOKUPS } from './types.ts';

const captureFilter = z
  .string()
  .max(1024)
  .regex(NO_OPTION, {
    error: what('a filter must not look like an option', 'tcpdump would read it as one'),
  })
  .regex(PRINTABLE, { error: what('a filter is one line without control characters') });

export const capture = z.union([
  line(64),
  mapping({
    at: line(64).describe('NODE:INTERFACE; NODE alone when it has one interface.'),
    filter: captureFilter.default('').describe('A pcap-filter(7) expression; everything when empty.'),
  }),
]);

export const traffic = mapping({
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

export const faults = z
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
