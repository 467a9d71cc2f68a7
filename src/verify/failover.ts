// What a fault cost the clients: requests lost, for how long they failed, how long nothing was answered, and who served them. Each figure twice,
// from the clients' logs and from the packets, and beside it what the configuration allows. Pure.
import { groupBy, type HttpExchange } from '../pcap/index.ts';
import { checkAccounts } from './accounts.ts';
import type { Lookup, Topology } from '../topology/types.ts';
import { checksOf, type CheckKind } from './checks.ts';
import { allowedBy, type Allowed, type Habit } from './foretold.ts';
import { answersAt, isServed } from './lookups.ts';
import { MissingEvidenceError, observe, type Observation, type Sighting } from './observe.ts';
import type { Evidence, FaultRecord, RequestRecord, Status } from './types.ts';

/** Times in seconds. */
export interface Figures {
  readonly lost: number;
  /** From the fault to the beginning of the last request that was lost; nothing when none was. */
  readonly lastLost?: number;
  /** The longest time without an answer, from the last before the fault on. */
  readonly silence: number;
  /** The longest that a request took that was answered. */
  readonly slowest: number;
}

/** One request on the time line. */
export interface Moment {
  /** Seconds after the fault when it began; negative before. */
  readonly at: number;
  readonly seconds: number;
  readonly isLost: boolean;
  readonly backend?: string;
}

export interface Failover {
  readonly topology: string;
  readonly method: string;
  readonly client: string;
  /** What is particular to the client; nothing for one that makes a connection for each request to an address. */
  readonly habit?: Habit;
  readonly node: string;
  readonly fault: string;
  /** The check before the fault, and the seconds from it to the fault. */
  readonly check?: { readonly kind: CheckKind; readonly offset: number };
  readonly requests: number;
  /** Requests a second. */
  readonly rate: number;
  readonly log: Figures;
  readonly packets: Figures;
  /** Seconds by which requests began later than they should have. */
  readonly late: number;
  /** Whether log and packets tell the same. */
  readonly agree: boolean;
  readonly allowed: Allowed;
  /** Why no figure may be relied on: a capture of health checks that lost packets, or accounts (accounts.ts) that do not agree. */
  readonly doubt?: string;
  /**
   * Whether every figure is within what is allowed; unknown where the accounts or log and packets do not tell the same, where requests came
   * late, and where nothing is foretold.
   */
  readonly status: Status;
  /** Answers by backend before and after the fault. */
  readonly served: {
    readonly before: Readonly<Record<string, number>>;
    readonly after: Readonly<Record<string, number>>;
  };
  readonly timeline: readonly Moment[];
}

/** Seconds by which log and packets may differ: a client's log begins when its program does. */
const APART = 0.3;

/** Seconds that requests may be late before figures mean nothing: the machine is too busy to keep a rate. */
export const LATE = 0.3;

/** A request, however it was seen. Times in seconds since the epoch. */
export interface Told {
  readonly began: number;
  readonly answered?: number;
}

/** Figures of requests. `from` is when the fault was there. */
export function figures(told: readonly Told[], from: number): Figures {
  const answers = told
    .flatMap(({ began, answered }) => (answered === undefined ? [] : [{ began, at: answered }]))
    .sort((a, b) => a.at - b.at);
  const before = answers.findLast(({ at }) => at <= from);
  const after = answers.filter(({ at }) => at > from);
  const end = Math.max(from, ...told.map(({ began, answered }) => answered ?? began));
  const times = [before?.at ?? from, ...after.map(({ at }) => at), end];
  const lost = told.filter(({ answered }) => answered === undefined);
  return {
    lost: lost.length,
    // One that was under way when the fault came is lost at that moment.
    ...(lost.length > 0 && { lastLost: Math.max(from, ...lost.map(({ began }) => began)) - from }),
    silence: Math.max(...times.slice(1).map((time, index) => time - times[index]!)),
    slowest: Math.max(0, ...after.map(({ began, at }) => at - began)),
  };
}

const isFailed = ({ error, status }: RequestRecord) => error !== undefined || status === 0 || status >= 400;

const seconds = (time: bigint) => Number(time / 1000n) / 1e6;

const isGood = ({ response }: HttpExchange) => response?.status !== undefined && response.status < 400;

/** When a connection's request was answered. What comes after the client has given up is no answer any more: a link that is mended lets it by. */
function answeredAt({ connection, packets }: Sighting): number | undefined {
  const good = connection.http.find(isGood);
  if (good === undefined) return undefined;
  const time = good.response!.firstTime;
  const left = packets.find(({ packet, toServer }) => {
    const { fin, rst } = packet.tcp.flags;
    return toServer && (fin || rst);
  });
  return left !== undefined && left.packet.time < time ? undefined : seconds(time);
}

/** A client's requests as its packets show them. */
function fromPackets(seen: Observation, client: string, habit: Habit | undefined): Told[] {
  const sightings = seen.opened('client').filter(({ node }) => node === client);
  if (habit === 'keeps its connection') {
    return sightings.flatMap(({ connection }) =>
      connection.http.flatMap((exchange) =>
        exchange.request === undefined
          ? []
          : [
              {
                began: seconds(exchange.request.firstTime),
                ...(isGood(exchange) && { answered: seconds(exchange.response!.firstTime) }),
              },
            ],
      ),
    );
  }
  // curl may try several addresses for one request. Each has an answer of its own, which is the last before it that no other has.
  if (habit === 'asks each time' || habit === 'tries each address') {
    const open = answersAt(seen, new Set([client])).map(({ time }) => ({
      time,
      served: undefined as Sighting | undefined,
    }));
    for (const sighting of sightings.filter(isServed)) {
      const own = open.findLast(
        ({ time, served }) => served === undefined && time <= sighting.connection.firstTime,
      );
      if (own !== undefined) own.served = sighting;
    }
    return open.map(({ time, served }) => {
      const answered = served && answeredAt(served);
      return { began: seconds(time), ...(answered !== undefined && { answered }) };
    });
  }
  return sightings.map((sighting) => {
    const answered = answeredAt(sighting);
    return { began: seconds(sighting.connection.firstTime), ...(answered !== undefined && { answered }) };
  });
}

const HABITS: Readonly<Record<Lookup, Habit>> = {
  caching: 'keeps answers',
  asking: 'asks each time',
  ordinary: 'tries each address',
};

function habitOf({ traffic }: Topology, client: string): Habit | undefined {
  if (traffic?.reuse?.includes(client) === true) return 'keeps its connection';
  const lookup = traffic?.lookup?.[client];
  return lookup && HABITS[lookup];
}

/** Of what there was none is told as undefined. */
const near = (a = Infinity, b = Infinity) => a === b || Math.abs(a - b) <= APART;

/** Whether the log tells what the packets tell. */
export function areAlike(log: Figures, packets: Figures, habit?: Habit): boolean {
  // What waits for the one connection to come back is not sent yet.
  const slowest = habit === 'keeps its connection' ? Math.max(log.slowest, packets.slowest) : packets.slowest;
  return (
    log.lost === packets.lost &&
    near(log.lastLost, packets.lastLost) &&
    near(log.silence, packets.silence) &&
    near(log.slowest, slowest)
  );
}

/** The last check before the fault was there: it may take its time to come about, and what it has come about after says the rest. */
function checkBefore(evidence: Evidence, fault: FaultRecord): Failover['check'] {
  const checks = checksOf(evidence.topology);
  if (checks === undefined) return undefined;
  const packets = evidence.captures.get(checks.point.name)?.capture.packets ?? [];
  const before = checks
    .find(packets)
    .findLast(({ packet, node }) => node === fault.node && seconds(packet.time) <= fault.done);
  return before && { kind: checks.kind, offset: fault.done - seconds(before.packet.time) };
}

export const FIGURES = [
  'lost',
  'lastLost',
  'silence',
  'slowest',
] as const satisfies readonly (keyof Figures)[];

/** Whether a figure is within what is allowed, in the log and in the packets. */
export function isWithin(
  { log, packets, allowed }: Pick<Failover, 'log' | 'packets' | 'allowed'>,
  figure: keyof Figures,
): boolean {
  const span = allowed[figure];
  return [log[figure], packets[figure]].every(
    (value) => value === undefined || span === undefined || (value >= span.from && value <= span.to),
  );
}

/** Whether the configuration says anything about any figure; where it does not, nothing can be out of bounds. */
export function isForetold({ allowed }: Pick<Failover, 'allowed'>): boolean {
  return FIGURES.some((figure) => allowed[figure] !== undefined);
}

/** Whether the figures are what happened: told twice alike, by requests that came in time, in evidence that is whole. */
export function isReliable({ agree, late, doubt }: Pick<Failover, 'agree' | 'late' | 'doubt'>): boolean {
  return agree && late <= LATE && doubt === undefined;
}

function tallied(moments: readonly Moment[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { backend } of moments) if (backend !== undefined) counts[backend] = (counts[backend] ?? 0) + 1;
  return counts;
}

/**
 * What the first fault of a round cost each client. @throws MissingEvidenceError where there was no fault, no log with times, or no whole
 * capture at a client
 */
export function failovers(evidence: Evidence): Failover[] {
  const { topology, requests = [] } = evidence;
  const fault = evidence.faults?.[0];
  if (fault === undefined) throw new MissingEvidenceError('nothing went down while requests went on');
  if (requests.some(({ began }) => began === undefined))
    throw new MissingEvidenceError("the clients' logs do not tell when requests began");
  const seen = observe(evidence);
  const check = checkBefore(evidence, fault);
  const accounts = checkAccounts(evidence);
  const disagreement = accounts.judged && accounts.status !== 'pass' ? accounts.observed : undefined;
  const where = evidence.captures.get(checksOf(topology)?.point.name ?? '');
  const cut =
    where?.incomplete === undefined
      ? undefined
      : `the capture ${where.name} is not whole: ${where.incomplete}`;
  const doubt = cut ?? disagreement;
  return [...groupBy(requests, ({ client }) => client)].map(([client, own]): Failover => {
    const habit = habitOf(topology, client);
    const timeline = own
      .map((request): Moment => ({
        at: request.began! - fault.done,
        seconds: request.seconds,
        isLost: isFailed(request),
        ...(request.backend !== undefined && { backend: request.backend }),
      }))
      .sort((a, b) => a.at - b.at);
    const log = figures(
      own.map((request) => ({
        began: request.began!,
        ...(!isFailed(request) && { answered: request.began! + request.seconds }),
      })),
      fault.done,
    );
    const packets = figures(fromPackets(seen, client, habit), fault.done);
    const after = timeline.filter(({ at }) => at >= 0);
    const allowed = allowedBy({
      topology,
      fault,
      offset: check?.offset,
      habit,
      count: after.length,
      rest: after.at(-1)?.at ?? 0,
    });
    const late = Math.max(0, ...own.map((request) => request.late ?? 0));
    const agree = areAlike(log, packets, habit);
    const isAllowed = FIGURES.every((figure) => isWithin({ log, packets, allowed }, figure));
    const isJudged = isReliable({ agree, late, doubt }) && isForetold({ allowed });
    return {
      topology: topology.name,
      method: topology.balancer!.method,
      client,
      ...(habit !== undefined && { habit }),
      node: fault.node,
      fault: fault.fault,
      ...(check !== undefined && { check }),
      requests: own.length,
      rate: topology.traffic!.rate!,
      log,
      packets,
      late,
      agree,
      allowed,
      ...(doubt !== undefined && { doubt }),
      status: !isJudged ? 'unknown' : isAllowed ? 'pass' : 'fail',
      served: { before: tallied(timeline.filter(({ at }) => at < 0)), after: tallied(after) },
      timeline,
    };
  });
}
