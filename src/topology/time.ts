// Durations as a topology file writes them.

/** `20us`, `5ms`, `1.5s` or `2m` in nanoseconds. */
export function nanoseconds(text: string): number {
  const [, number = '0', unit = 'ms'] = /^([0-9.]+)(us|ms|s|m)$/.exec(text) ?? [];
  return Math.round(Number(number) * ({ us: 1e3, ms: 1e6, s: 1e9, m: 60e9 }[unit] ?? 1));
}

export function milliseconds(text: string): number {
  return nanoseconds(text) / 1e6;
}
