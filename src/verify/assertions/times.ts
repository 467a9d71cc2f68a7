// What all that measures time has in common: limits, in words and kept or not. Times are nanoseconds.
import { duration, list } from '../words.ts';

interface Limits {
  readonly max?: number;
  readonly min?: number;
}

/** `a median of at most 5.00 ms and at most 20.0 ms each`. */
export function limitsText({ median, max, min }: Limits & { readonly median?: number }): string {
  return list([
    ...(median === undefined ? [] : [`a median of at most ${duration(median)}`]),
    ...(max === undefined ? [] : [`at most ${duration(max)} each`]),
    ...(min === undefined ? [] : [`at least ${duration(min)} each`]),
  ]);
}

export function isOutside(taken: bigint, { max = Number.POSITIVE_INFINITY, min = 0 }: Limits): boolean {
  return taken > max || taken < min;
}

/** The shortest and the longest; there is one at least. */
export function extremes(times: readonly bigint[]): readonly [shortest: bigint, longest: bigint] {
  const sorted = [...times].sort((a, b) => Number(a - b));
  return [sorted[0]!, sorted.at(-1)!];
}
