// What can be done to a node, and how it is written: in a topology's list and on the command line alike. Whether it is possible in a lab that
// runs, and how it is done, is left to src/lab.
import { show, suggest } from './issues.ts';
import { nearest } from './nearest.ts';
import { milliseconds } from './time.ts';

/**
 * `stop-service` ends services in order (SIGTERM), `kill` at once (SIGKILL); `link-down` pulls the cable; `delay` and `loss` are netem's;
 * `withdraw` takes a backend's address out of DNS. The others mend: `clear` all that is broken on the node.
 */
export const FAULTS = [
  'stop-service',
  'start-service',
  'kill',
  'link-down',
  'link-up',
  'delay',
  'loss',
  'clear',
  'withdraw',
  'announce',
] as const;
export type FaultKind = (typeof FAULTS)[number];

export interface Fault {
  readonly kind: FaultKind;
  /** A service, an interface, or for DNS a backend; all of the node's when left out. */
  readonly on?: string;
  /** Milliseconds of delay, or per cent of loss. */
  readonly amount?: number;
}

/** A fault that comes while requests go on. */
export interface TimedFault extends Fault {
  /** Seconds after the first request. */
  readonly at: number;
  readonly node: string;
}

export interface NoFault {
  readonly problem: string;
  readonly hint: string;
}

const FORMS: Readonly<Record<FaultKind, string>> = {
  'stop-service': 'stop-service [SERVICE]',
  'start-service': 'start-service [SERVICE]',
  kill: 'kill [SERVICE]',
  'link-down': 'link-down [INTERFACE]',
  'link-up': 'link-up [INTERFACE]',
  delay: 'delay TIME [INTERFACE], such as delay 50ms',
  loss: 'loss SHARE [INTERFACE], such as loss 1%',
  clear: 'clear',
  withdraw: 'withdraw BACKEND',
  announce: 'announce BACKEND',
};

const isKind = (word: string): word is FaultKind => (FAULTS as readonly string[]).includes(word);

/** Reads a fault's words, such as `delay 50ms`. */
export function parseFault(words: readonly string[]): Fault | NoFault {
  const [kind = '', ...rest] = words;
  if (!isKind(kind)) {
    const hint = suggest(nearest(kind, FAULTS), FAULTS)!;
    return { problem: `no fault of this name (got ${show(kind)})`, hint };
  }
  const wrong = (problem: string): NoFault => ({ problem, hint: `write ${FORMS[kind]}` });
  const limit = kind === 'clear' ? 0 : kind === 'delay' || kind === 'loss' ? 2 : 1;
  if (rest.length > limit) return wrong(`${kind} does not take so much (got ${show(rest.join(' '))})`);
  const [first, second] = rest;
  switch (kind) {
    case 'delay': {
      if (first === undefined || !/^(0|[1-9][0-9]{0,5})(\.[0-9]{1,3})?(ms|s)$/.test(first))
        return wrong(`delay wants a time${first === undefined ? '' : ` (got ${show(first)})`}`);
      const amount = milliseconds(first);
      if (amount === 0 || amount > 60_000) return wrong(`delay is from 1ms to 60s (got ${show(first)})`);
      return { kind, amount, ...(second !== undefined && { on: second }) };
    }
    case 'loss': {
      const amount = Number((first ?? '').replace(/%$/, ''));
      if (first === undefined || !/^[0-9]{1,3}(\.[0-9]{1,4})?%$/.test(first) || amount === 0 || amount > 100)
        return wrong(`loss wants a share, up to 100%${first === undefined ? '' : ` (got ${show(first)})`}`);
      return { kind, amount, ...(second !== undefined && { on: second }) };
    }
    case 'withdraw':
    case 'announce':
      return first === undefined ? wrong(`${kind} wants a backend`) : { kind, on: first };
    default:
      return { kind, ...(first !== undefined && { on: first }) };
  }
}

/** A fault as it is written. */
export function faultWords({ kind, on, amount }: Fault): string {
  const size = amount === undefined ? [] : [kind === 'loss' ? `${amount}%` : `${amount}ms`];
  return [kind, ...size, ...(on === undefined ? [] : [on])].join(' ');
}
