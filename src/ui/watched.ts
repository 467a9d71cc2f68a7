// What is shown of a lab that is watched: plain data that the screen is drawn from, and how rates come of counts. Knows no terminal and no
// clock.
import type { Passed } from '../lab/meter.ts';
import type { Role } from '../topology/types.ts';

/** What passes a link a second. */
export interface Rates {
  readonly packets: number;
  readonly connections: number;
  readonly requests: number;
}

export interface LinkView {
  readonly node: string;
  readonly role: Role;
  readonly interface: string;
  readonly address: string;
  readonly segment: string;
  /** Index of its colour. */
  readonly point: number;
  readonly rates: Rates;
  /** HTTP requests since the watch began. */
  readonly requests: number;
  /** What is broken, such as `link down`; empty when nothing is. */
  readonly broken: readonly string[];
}

export interface WatchView {
  readonly lab: string;
  /** Method, scheduler and VIP. */
  readonly title: string;
  readonly kernel: string;
  readonly segments: readonly { readonly name: string; readonly subnets: readonly string[] }[];
  readonly links: readonly LinkView[];
  /** Index of the link that keys are about. */
  readonly selected: number;
  /** Requests a second that are being sent; 0 when none are. */
  readonly load: number;
  /** The drawing of the topology, where there is room for it; lines. */
  readonly picture: readonly string[];
  /** The balancer's own table; lines, escaped. */
  readonly table: readonly string[];
  /** Newest last, escaped. */
  readonly packets: readonly string[];
  /** What came of the last key. */
  readonly message: string;
  readonly isHelp: boolean;
}

const NOTHING: Rates = { packets: 0, connections: 0, requests: 0 };

/** Rates of counts that are read again and again: over the last second or so. */
export class Speedometer {
  readonly #readings: { readonly at: number; readonly passed: readonly Passed[] }[] = [];

  /** @param at milliseconds */
  take(passed: readonly Passed[], at: number): void {
    this.#readings.push({ at, passed });
    while (this.#readings.length > 2 && this.#readings[1]!.at <= at - SPAN) this.#readings.shift();
  }

  rates(link: number): Rates {
    const [first, last] = [this.#readings[0], this.#readings.at(-1)];
    const [before, now] = [first?.passed[link], last?.passed[link]];
    if (first === undefined || last === undefined || before === undefined || now === undefined)
      return NOTHING;
    // From the first moment on over a whole span: one packet in a tenth of a second is no ten a second.
    const perSecond = 1000 / Math.max(SPAN, last.at - first.at);
    return {
      packets: Math.round((now.packets - before.packets) * perSecond),
      connections: Math.round((now.connections - before.connections) * perSecond),
      requests: Math.round((now.requests - before.requests) * perSecond),
    };
  }

  /** Whether anything has passed within the span. */
  get isMoving(): boolean {
    const [first, last] = [this.#readings[0], this.#readings.at(-1)];
    return last?.passed.some(({ packets }, link) => packets !== first?.passed[link]?.packets) === true;
  }
}

const SPAN = 1000;
