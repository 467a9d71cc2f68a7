// The arithmetic of VRRP (RFC 5798 section 6.1) for a pair of directors as they are set up here.
import type { Pair } from './types.ts';

/** Of the first director and of the second. */
export const PRIORITY = { first: 150, second: 100 } as const;

/** Seconds that the second director waits beside three advertisements: the less, the higher its priority (Skew_Time). */
export function skewTime({ advert }: Pick<Pair, 'advert'>): number {
  return (advert * (256 - PRIORITY.second)) / 256;
}

/** Seconds from the first director's last advertisement to the second's taking over (Master_Down_Interval). */
export function masterDownInterval(pair: Pick<Pair, 'advert'>): number {
  return 3 * pair.advert + skewTime(pair);
}
