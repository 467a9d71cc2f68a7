// What the configuration of a lab allows when a server goes down: how many requests are lost and until when, by how often somebody looks whether
// it lives, how long that takes, and for how long an answer is kept. Pure; knows nothing of what was measured.
import { masterDownInterval } from '../topology/pair.ts';
import type { Topology } from '../topology/types.ts';
import { portOfUrl } from './roles.ts';
import type { FaultRecord } from './types.ts';

/** A range that a figure must lie in, both ends included. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** What the configuration allows. A figure without a span is not foretold. */
export interface Allowed {
  readonly lost?: Span;
  readonly lastLost?: Span;
  readonly silence?: Span;
  readonly slowest?: Span;
  /** How it comes about, such as `TTL 5 s, asked for 1.0 s before`. */
  readonly why: string;
}

/** What is particular to a client; nothing for one that makes a connection for each request to an address. */
export type Habit = 'keeps answers' | 'asks each time' | 'tries each address' | 'keeps its connection';

/** Seconds by which timers of a busy machine are late. */
const SLACK = 0.3;
const span = (from: number, to: number): Span => ({ from: Math.max(0, from), to });
const text = (value: number) => `${Number(value.toFixed(2))} s`;

export interface Setting {
  readonly topology: Topology;
  readonly fault: FaultRecord;
  /** Seconds from the check before the fault to the fault. */
  readonly offset: number | undefined;
  readonly habit: Habit | undefined;
  /** Requests after the fault, and the seconds from it to the last one. */
  readonly count: number;
  readonly rest: number;
}

/** Seconds after which a SYN is sent again (RFC 6298 section 2): a client that waits for longer may lose nothing. */
const RETRANSMISSION = 1;

const isSilent = ({ fault }: FaultRecord) => fault.startsWith('link-down');

/** A time of `length` seconds in which one request of `share` is lost. */
function outage(length: number, share: number, { topology, fault, count }: Setting, why: string): Allowed {
  const rate = topology.traffic!.rate!;
  const gap = share / rate;
  const isSaved = isSilent(fault) && topology.traffic!.timeout >= RETRANSMISSION;
  return {
    lost: span(
      isSaved ? 0 : Math.floor(((length - SLACK) * rate) / share) - 1,
      Math.min(count + 1, Math.ceil(((length + SLACK) * rate) / share) + 1),
    ),
    lastLost: span(isSaved ? 0 : length - gap - SLACK, length + SLACK),
    silence: share === 1 ? span(length - gap - SLACK, length + 2 * gap + SLACK) : span(0, 2 * gap + SLACK),
    slowest: span(0, topology.traffic!.timeout),
    why,
  };
}

/** What the configuration allows: how the lab finds out, how often it looks, and how long it waits. */
export function allowedBy(setting: Setting): Allowed {
  const { topology, fault, offset, habit, count, rest } = setting;
  const balancer = topology.balancer!;
  const { timeout, rate } = topology.traffic!;
  const gap = 1 / rate!;
  const silent = isSilent(fault);
  const victim = fault.node;
  if (!/^(link-down|kill|stop-service)\b/.test(fault.fault)) return { why: 'nothing went down' };
  if (balancer.node === victim && balancer.pair === undefined)
    return { why: `there is no other than ${victim}` };
  const asked = portOfUrl(topology.traffic!.url);
  const service = balancer.services.find(({ protocol, port }) => protocol === 'tcp' && port === asked);
  const serving = service?.backends.filter(({ weight, down }) => weight > 0 && down !== true) ?? [];
  if (balancer.node !== victim && serving.every(({ node }) => node !== victim))
    return { why: `${victim} serves nobody` };
  const none = (wait: number, why: string, atLeast = 0): Allowed => ({
    lost: span(0, 1),
    lastLost: span(0, SLACK),
    silence: span(0, wait + 2 * gap + SLACK),
    slowest: span(atLeast, wait + SLACK),
    why,
  });
  if (balancer.dns !== undefined) {
    if (habit === 'asks each time') return none(0, 'asks for each request');
    if (habit !== 'keeps answers')
      return none(0.2, 'asks for each request, and tries the next address after 0.2 s');
    if (offset === undefined) return { why: 'no answer was captured' };
    const left = balancer.dns.ttl - offset;
    return outage(left, 1, setting, `TTL ${balancer.dns.ttl} s, asked for ${text(offset)} before`);
  }
  if (balancer.pair !== undefined && balancer.node === victim) {
    if (!silent) return { why: 'what a director that ends leaves behind is not foretold' };
    if (offset === undefined) return { why: 'no advertisement was captured' };
    const left = masterDownInterval(balancer.pair) - offset;
    const why = `three advertisements of ${balancer.pair.advert} s and ${text(masterDownInterval(balancer.pair) - 3 * balancer.pair.advert)}, the last ${text(offset)} before`;
    if (habit !== 'keeps its connection') return outage(left, 1, setting, why);
    // TCP sends again after ever longer times: at worst as long after the takeover as it took (RFC 6298 section 5.5).
    const back = span(left - gap - SLACK, 2 * left + 2 * SLACK);
    return balancer.pair.sync
      ? { lost: span(0, 0), silence: back, slowest: back, why: `${why}; then TCP sends again` }
      : { lost: span(1, count), why: 'the second director does not know the connection' };
  }
  if (balancer.method.startsWith('nginx')) {
    const wait = silent ? (balancer.nginx.connectTimeout ?? 60) : 0;
    if (wait > timeout) return { why: 'nginx waits for longer than the client does' };
    return none(
      wait,
      wait === 0 ? 'nginx asks the next server at once' : `nginx asks the next server after ${text(wait)}`,
      wait,
    );
  }
  if (balancer.method === 'haproxy')
    return { why: "HAProxy's own configuration says how it looks after servers" };
  const share = service?.scheduler === 'rr' ? serving.length : undefined;
  if (balancer.health === undefined) {
    // Nobody looks: it goes on for as long as anybody asks.
    const lastLost =
      share === undefined ? span(0, rest + gap) : span(rest - 2 * share * gap - SLACK, rest + gap);
    return {
      lost:
        share === undefined
          ? span(1, count + 1)
          : span(Math.floor(count / share) - 2, Math.ceil(count / share) + 2),
      lastLost,
      slowest: span(0, timeout),
      why: 'nobody asks whether a server lives',
    };
  }
  if (offset === undefined) return { why: 'no health check was captured' };
  const { every, timeout: wait, retries, retryAfter } = balancer.health;
  const attempt = silent ? wait : 0;
  const left = every - offset + attempt + retries * (retryAfter + attempt);
  const words = [
    `${text(every)} from check to check, the last ${text(offset)} before`,
    ...(silent ? [`${text(wait)} to connect`] : []),
    ...(retries > 0 ? [`${retries === 1 ? 'once' : `${retries} times`} more after ${text(retryAfter)}`] : []),
  ];
  return share === undefined
    ? { lost: span(1, count), lastLost: span(0, left + SLACK), why: words.join(', ') }
    : outage(left, share, setting, words.join(', '));
}
