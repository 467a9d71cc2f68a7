// The shape of `expect:` and `claims:`: what a topology's author wants to hold in every round of traffic. Each key of an entry is one
// kind of assertion, explained here for editors and for `lblab schema`; what names refer to is left to expecting.ts.
import * as z from 'zod';
import { CLAIM_IDS } from './claims.ts';
import { ANALYSIS_FLAGS } from '../pcap/analysis.ts';
import { duration, fieldName, like, line, mapping, oneOrMore, what } from './shapes.ts';
import { KINDS, STATES } from './expectations.ts';

const place = (more: string) =>
  line(64).describe(
    `${more} A capture point's name; or NODE, NODE:INTERFACE, clients, balancer or backends for every capture point there. What a point's filter drops is not seen.`,
  );

const parties = (more: string) =>
  oneOrMore(line(64)).describe(
    `${more} Names or addresses: vip, a node, NODE:INTERFACE, clients, balancer, backends, 192.168.11.104.`,
  );

const whole = z.int().min(0).max(1_000_000_000);
const range = mapping({ min: whole.optional(), max: whole.optional() });
const word = (text: string, message: string, hint: string) =>
  like(new RegExp(`^${text}$`), message, hint) as unknown as z.ZodType<string>;

const count = z
  .union([
    whole,
    word('requests', 'count must be a number, a mapping with min and max, or requests', 'for example 10'),
    range,
  ])
  .describe('How many: a number, {min: 1, max: 20}, or requests (as many as were sent).')
  .meta({ examples: [10, 'requests'] });

const amount = z
  .union([whole, range])
  .describe('How many: a number, or {min: 1, max: 20}.')
  .meta({ examples: [{ max: 100 }] });

const way = z
  .enum(['to-server', 'to-client', 'both'])
  .default('both')
  .describe('Which direction: to-server (from the client), to-client, or both.');

const state = z.enum(STATES);

const pattern = mapping({
  matches: line(256).describe(
    'A regular expression that must be found in the value: literals, ., [a-z], \\d \\w \\s, groups, |, * + ? {2,5}, ^ $ \\b. No lookaround and no backreferences, so that matching takes linear time.',
  ),
});

const microseconds = (example: string) =>
  like(
    /^(0|[1-9][0-9]{0,5})(\.[0-9]{1,3})?(us|ms|s|m)$/,
    'a duration has a unit, us, ms, s or m',
    `for example ${example}`,
  );

const percent = (example: string) =>
  like(
    /^(100(\.0{1,2})?|[0-9]{1,2}(\.[0-9]{1,2})?)%$/,
    'a share is in per cent, 0% to 100%',
    `for example ${example}`,
  );

const requestNumbers = oneOrMore(z.int().min(1).max(100_000));

const ends = (end: string) =>
  mapping({
    at: place('Where.'),
    are: parties(`The ${end} addresses are exactly these, and each of them occurs.`).optional(),
    include: parties('Each of these occurs, perhaps among others.').optional(),
    exclude: parties('None of these occurs.').optional(),
  }).describe(
    `The ${end} addresses of the connections opened at a capture point. A node stands for any of its addresses. Unknown when no connection was captured.`,
  );

const volume = (noun: string) =>
  mapping({
    at: place('Where.'),
    count: amount,
    way,
    per: z.enum(['total', 'connection']).default('total').describe('Of all together, or of each connection.'),
  }).describe(noun);

const STATUS = 'a status is a number, 100 to 599, or a class';
const status = z.union([z.int().min(100).max(599), like(/^[1-5]xx$/, STATUS, 'for example 200 or 2xx')]);
const requests = z
  .union([
    requestNumbers,
    like(/^all$/, 'request must be a number, a list of numbers, or all', 'for example 3'),
  ])
  .default('all')
  .describe('Which requests, numbered from 1 in the order in which a client sends them. Default all.');
const client = line(64)
  .optional()
  .describe('Whose requests, when there are several clients. Default: every client.');

const kinds = {
  connections: mapping({
    at: place('Where.'),
    count,
    from: parties('Only connections from these.').optional(),
    to: parties('Only connections to these.').optional(),
    state: oneOrMore(state)
      .optional()
      .describe(
        'Only connections in these states: unanswered (a SYN and nothing back), refused, one-sided (packets of one direction only), handshake-only, established (no end seen), half-closed, closed (both FINs), reset.',
      ),
  }).describe(
    'How many TCP connections of the service were opened (a SYN was seen) at a capture point, or at several, each counted by itself.',
  ),
  sources: ends('source'),
  destinations: ends('destination'),
  backend: mapping({
    request: requests,
    client,
    is: oneOrMore(line(64)).describe('The backend that serves it; of several, any.'),
  }).describe(
    'Which backend served a request: as captured at the backends, or by the name in the answer. A request without an answer was served by none.',
  ),
  header: mapping({
    at: place('Where.'),
    of: z.enum(['request', 'response']).default('request').describe('Whose headers.'),
    name: fieldName().describe('The header, in upper or lower case (RFC 9110 section 5.1).'),
    is: z
      .union([
        line(1024),
        z.number(),
        pattern,
        mapping({ address: line(64).describe("Any address of this node, or vip's.") }),
      ])
      .optional()
      .describe(
        "What the value is: exact text, {matches: REGEX}, or {address: NAME} for a node's address. Default: any value, as long as it is there.",
      ),
    absent: z.literal(true).optional().describe('None has the header.'),
  }).describe(
    'Every HTTP request (or response) at a capture point has a header, with a value; or none has it. Unknown when there is no message.',
  ),
  path: mapping({
    'to-server': z
      .array(place(''))
      .min(1)
      .max(32)
      .optional()
      .describe('What packets towards the server pass, in this order.'),
    'to-client': z
      .array(place(''))
      .min(1)
      .max(32)
      .optional()
      .describe('What packets towards the client pass, in this order.'),
    never: oneOrMore(place(''))
      .optional()
      .describe(
        'What none of them passes. Without to-server and to-client: what no packet of the service passes either way.',
      ),
    of: z
      .enum(['packets', 'requests'])
      .default('packets')
      .describe(
        'packets: each TCP packet, followed through rewriting. requests: each HTTP request and its answer, also through a proxy.',
      ),
  }).describe(
    'Where packets pass. Each packet seen at any of the places listed is seen at all of them, in this order; other capture points may lie between. Of a place with several capture points (backends) any one does.',
  ),
  'end-to-end': z
    .union([
      z.union([z.literal(1), z.literal(2)], {
        error: what('end-to-end must be 1 or 2', 'how many TCP connections there are'),
      }),
      mapping({
        connections: z.union([z.literal(1), z.literal(2)], { error: what('must be 1 or 2') }),
        from: place('Default: clients.').optional(),
        to: place('Default: backends.').optional(),
      }),
    ])
    .describe(
      '1: one TCP connection from client to backend (both initial sequence numbers are the same). 2: TCP ends at the balancer, which opens another.',
    ),
  spread: z
    .union([
      like(
        /^even$/,
        'spread must be even, or a mapping of backends to shares',
        'for example {be1: 50%, be2: 50%}',
      ),
      z
        .object({
          even: z.literal(true).optional().describe('The same share for every backend.'),
          tolerance: percent('10%')
            .optional()
            .describe(
              'How far a share may be off, in percentage points. Default 0%; less than one request off is never held against it.',
            ),
          of: z.enum(['requests', 'connections']).default('requests').describe('What is counted.'),
        })
        .catchall(percent('50%').describe('The share of this backend.')),
    ])
    .describe('How requests spread over the backends: even, or the share of each, which add up to 100%.'),
  analysis: mapping({
    at: place('Where.'),
    none: z
      .union([
        like(/^any$/, 'none must be a list of words, or any', 'for example [retransmission]'),
        z.array(z.enum(ANALYSIS_FLAGS)).min(1),
      ])
      .optional()
      .describe("Which must not occur, in the words of Wireshark's TCP analysis; any for all of them."),
    max: z.partialRecord(z.enum(ANALYSIS_FLAGS), whole).optional().describe('How often each may occur.'),
  }).describe(
    "TCP trouble at a capture point: retransmissions, lost segments, and the like, as Wireshark's TCP analysis finds them.",
  ),
  latency: mapping({
    from: place("Default: the balancer's side that packets come in on.").optional(),
    to: place("Default: the balancer's side that packets leave by.").optional(),
    way,
    median: microseconds('1ms').optional().describe('The median is at most this.'),
    max: microseconds('20ms').optional().describe('None takes longer than this.'),
    min: microseconds('1ms').optional().describe('None takes less than this.'),
  }).describe(
    'What the balancer adds: from a packet coming in to the same packet leaving; of a proxy, from a request (or answer) come in whole to its leaving.',
  ),
  packets: volume('How many packets of the service pass a capture point.'),
  bytes: volume('How many bytes of the service pass a capture point, whole frames with their headers.'),
  arp: mapping({
    at: place('Where. Its filter must let ARP through.'),
    address: line(64)
      .default('vip')
      .describe('Whose address: vip, a node with one address, NODE:INTERFACE, or an address.'),
    'answered-by': z
      .union([line(64), z.array(line(64)).max(64)])
      .optional()
      .describe('The nodes whose MAC addresses answer who-has for it; [] for none.'),
    'asked-by': z
      .union([line(64), z.array(line(64)).max(64)])
      .optional()
      .describe('The nodes that ask for others in its name (sender address of a who-has); [] for none.'),
  }).describe('Who speaks for an address in ARP.'),
  table: mapping({
    contains: oneOrMore(line(1024)).optional().describe('Text that is in it; blanks count as one.'),
    matches: oneOrMore(line(256))
      .optional()
      .describe('Regular expressions, each of which must be found in a line of it (see header).'),
  }).describe(
    "The balancer's own table, as ipvsadm -Ln or nft list ruleset shows it after the round. Judged on a running lab only.",
  ),
  status: z
    .union([status, mapping({ is: oneOrMore(status).describe('Any of these.'), request: requests, client })])
    .describe(
      'The HTTP status of the answers that clients get: 200, 2xx, or {is: [200, 304], request: 3}. No answer is no status.',
    ),
  'response-time': mapping({
    at: place('Default: clients.').optional(),
    median: microseconds('50ms').optional().describe('The median is at most this.'),
    max: microseconds('200ms').optional().describe('None takes longer than this.'),
  }).describe(
    "From a request's first packet to its answer's last, as captured. A request without an answer takes longer than anything.",
  ),
};

const common = {
  name: line(200).optional().describe('What it is called in reports. Default: a sentence made from it.'),
  level: z.enum(['error', 'warning']).default('error').describe('A warning is shown, and never fails a run.'),
  not: z
    .boolean()
    .default(false)
    .describe('Pass when it fails and fail when it passes; unknown stays unknown.'),
  within: duration('5s')
    .optional()
    .describe(
      'Rounds of traffic are repeated until it passes, for so long at most. The last round is the one judged.',
    ),
};

const optional = Object.fromEntries(Object.entries(kinds).map(([key, shape]) => [key, shape.optional()])) as {
  readonly [Kind in keyof typeof kinds]: z.ZodOptional<(typeof kinds)[Kind]>;
};

const expectation = mapping({ ...optional, ...common }).meta({
  oneOf: KINDS.map((kind) => ({ required: [kind] })),
});

export const expectations = z
  .array(expectation)
  .min(1)
  .max(256)
  .describe(
    'What must hold in every round of traffic, proven from its captures. Each entry is one assertion, with name, level, not and within beside it.',
  );

export const claims = z
  .union([
    z.literal(false, { error: what('claims must be false or a list of claims', 'for example [nat.vip]') }),
    z.array(z.enum(CLAIM_IDS)).min(1).max(256),
  ])
  .describe("Which claims are judged beside `expect`: a list, or false for none. Default: the method's own.");

export type DeclaredExpectation = z.output<typeof expectation>;
