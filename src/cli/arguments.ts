// What several commands' arguments and options have in common: how a value is read, and what is said of one that cannot be.
import { InvalidArgumentError, Option } from 'commander';
import { NAME } from '../topology/name.ts';

/** A whole number from `minimum` to `maximum`. */
export function integer(minimum: number, maximum: number) {
  return (text: string): number => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < minimum || value > maximum) {
      throw new InvalidArgumentError(`give a whole number from ${minimum} to ${maximum}`);
    }
    return value;
  };
}

/** A duration such as 500ms, 10s or 2m, in seconds; a bare number is seconds. */
export function seconds(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m)?$/.exec(text);
  const value = match
    ? Number(match[1]) * { ms: 0.001, s: 1, m: 60 }[(match[2] ?? 's') as 'ms' | 's' | 'm']
    : 0;
  if (!match || value <= 0 || value > 86_400) {
    throw new InvalidArgumentError('give a time such as 500ms, 10s or 2m');
  }
  return value;
}

/** A lab's name: part of file names and of network namespaces' names. */
export function labName(text: string): string {
  if (!NAME.test(text)) {
    throw new InvalidArgumentError(
      'a name has letters, digits and "-" inside, begins with a letter, and has 31 characters at most',
    );
  }
  return text;
}

/** For an option that may be given several times. */
export function collect(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}

export const REQUESTS = new Option(
  '-n, --requests <count>',
  "requests to send (default: the topology's, 10)",
).argParser(integer(1, 1_000_000));

export const CONCURRENCY = new Option(
  '-c, --concurrency <count>',
  'requests under way at once (default: 1)',
).argParser(integer(1, 300));

export const LAB = new Option('-l, --lab <lab>', 'the lab, when more than one is up').argParser(labName);

/** Requests a second, such as 50/s; a bare number is the same. */
export function perSecond(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(?:\/s)?$/.exec(text);
  const value = match ? Number(match[1]) : 0;
  if (value < 0.01 || value > 10_000)
    throw new InvalidArgumentError('give a rate such as 50/s, 10000/s at most');
  return value;
}

export const RATE = new Option(
  '--rate <rate>',
  "requests a second of each client, such as 50/s, whether or not those before are answered (default: the topology's, or one after the other)",
).argParser(perSecond);

export const FOR = new Option('--for <time>', 'with a rate: how long requests go on, such as 10s').argParser(
  seconds,
);
