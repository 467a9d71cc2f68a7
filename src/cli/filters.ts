// Which connections inspect shows: its options' values read, and the predicate that they make together. Values of one option are
// alternatives, different options must all hold.
import { InvalidArgumentError, Option } from 'commander';
import { ANALYSIS_FLAGS, type Connection, type ConnectionState } from '../pcap/index.ts';
import type { InspectedConnection } from '../report/inspect.ts';
import { contains, parseIp, parseSubnet, type Subnet } from '../topology/address.ts';
import { messageOf } from './failure.ts';
import { nearest } from '../topology/nearest.ts';

/** Whether an endpoint is meant. */
interface EndpointFilter {
  readonly subnet?: Subnet;
  readonly port?: number;
}

/** From one number to another, both included. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

export interface FilterOptions {
  readonly client?: readonly EndpointFilter[];
  readonly server?: readonly EndpointFilter[];
  readonly host?: readonly EndpointFilter[];
  readonly port?: readonly Range[];
  readonly connection?: readonly Range[];
  readonly state?: readonly ConnectionState[];
  readonly protocol?: 'tcp' | 'udp';
  readonly analysis?: readonly string[];
  readonly http?: boolean;
  readonly match?: RegExp;
}

const STATES: readonly ConnectionState[] = [
  'unanswered',
  'one-sided',
  'refused',
  'handshake-only',
  'established',
  'half-closed',
  'closed',
  'reset',
];

const ENDPOINT =
  'give an address such as 10.0.0.1 or 2001:db8::1, a subnet such as 10.0.0.0/8, or 10.0.0.1:80';

/** `10.0.0.1`, `10.0.0.0/8`, `10.0.0.1:80`, `2001:db8::1`, `[2001:db8::1]:80`. */
export function endpointFilter(text: string, before: readonly EndpointFilter[] = []): EndpointFilter[] {
  const host = (address: string, port?: number): EndpointFilter => {
    const ip = parseIp(address);
    if (ip === undefined) throw new InvalidArgumentError(ENDPOINT);
    const subnet = { ip, prefix: ip.family === 4 ? 32 : 128 };
    return port === undefined ? { subnet } : { subnet, port };
  };
  const withPort = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  if (withPort !== null) return [...before, host(withPort[1] ?? withPort[2]!, Number(withPort[3]))];
  if (text.includes('/')) {
    const subnet = parseSubnet(text);
    if (subnet === undefined) throw new InvalidArgumentError(ENDPOINT);
    return [...before, { subnet }];
  }
  return [...before, host(text)];
}

/** `80`, `8000-8100`, `1,3-5`; may be given several times. */
export function ranges(most: number) {
  return (text: string, before: readonly Range[] = []): Range[] => {
    const parts = text.split(',').map((part) => {
      const [, from, to = from] = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(part) ?? [];
      const range = { from: Number(from), to: Number(to) };
      if (from === undefined || range.from > range.to || range.to > most)
        throw new InvalidArgumentError(
          `give a number, a range such as 3-5, or several such as 1,3-5, up to ${most}`,
        );
      return range;
    });
    return [...before, ...parts];
  };
}

function oneOf<Word extends string>(known: readonly Word[], text: string): Word {
  if ((known as readonly string[]).includes(text)) return text as Word;
  const near = nearest(text, known);
  throw new InvalidArgumentError(
    `${near === undefined ? '' : `did you mean ${near}? `}one of: ${known.join(', ')}`,
  );
}

/** States, several parted by commas. */
function states(text: string, before: readonly ConnectionState[] = []): ConnectionState[] {
  return [...before, ...text.split(',').map((state) => oneOf(STATES, state))];
}

/** Analysis flags, several parted by commas; `any` is each of them. */
function analysisFlags(text: string, before: readonly string[] = []): string[] {
  return [...before, ...text.split(',').map((flag) => oneOf([...ANALYSIS_FLAGS, 'any'], flag))];
}

/** A regular expression, without regard to case. */
function pattern(text: string): RegExp {
  try {
    return new RegExp(text, 'i');
  } catch (error) {
    throw new InvalidArgumentError(messageOf(error));
  }
}

export const STATE = new Option('--state <states>', STATES.join(', ')).argParser(states);

export const ANALYSIS = new Option(
  '--analysis <flags>',
  'with these remarks, such as retransmission; any is all',
).argParser(analysisFlags);

export const MATCH = new Option(
  '--match <regexp>',
  'with this in a start line or header line of HTTP; case does not matter',
).argParser(pattern);

/** Whether something is left out by them. */
export function isFiltering(options: FilterOptions): boolean {
  const { client, server, host, port, connection, state, protocol, analysis, http, match } = options;
  return [client, server, host, port, connection, state, protocol, analysis, http, match].some(
    (option) => option !== undefined && option !== false,
  );
}

type Endpoint = Connection['client'];

function isMeant({ address, port }: Endpoint, wanted: readonly EndpointFilter[]): boolean {
  const ip = parseIp(address);
  return wanted.some(
    (filter) =>
      (filter.subnet === undefined || (ip !== undefined && contains(filter.subnet, ip))) &&
      (filter.port === undefined || filter.port === port),
  );
}

const isWithin = (value: number, wanted: readonly Range[]) =>
  wanted.some(({ from, to }) => value >= from && value <= to);

function matches({ connection }: InspectedConnection, expression: RegExp): boolean {
  return (connection.http ?? [])
    .flatMap(({ request, response }) => [request, response])
    .some(
      (message) =>
        message !== undefined &&
        (expression.test(message.startLine) ||
          message.headers.some(([name, value]) => expression.test(`${name}: ${value}`))),
    );
}

/** Whether a connection is let through. */
export function isChosen(inspected: InspectedConnection, options: FilterOptions): boolean {
  const { number, connection } = inspected;
  const { client, server } = connection;
  const flags = Object.keys(connection.analysis);
  return (
    (options.client === undefined || isMeant(client, options.client)) &&
    (options.server === undefined || isMeant(server, options.server)) &&
    (options.host === undefined || isMeant(client, options.host) || isMeant(server, options.host)) &&
    (options.port === undefined ||
      isWithin(client.port, options.port) ||
      isWithin(server.port, options.port)) &&
    (options.connection === undefined || isWithin(number, options.connection)) &&
    (options.state === undefined || options.state.includes(connection.state)) &&
    (options.protocol === undefined || options.protocol === connection.protocol) &&
    (options.analysis === undefined ||
      flags.some((flag) => options.analysis!.includes(flag) || options.analysis!.includes('any'))) &&
    (options.http !== true || connection.http?.some(({ request }) => request !== undefined) === true) &&
    (options.match === undefined || matches(inspected, options.match))
  );
}
