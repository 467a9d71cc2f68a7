// Words for values, so that every verdict speaks alike. Knows grammar and nothing of packets.

/** `1 connection`, `10 connections`. */
export function count(number: number, noun: string, plural = `${noun}s`): string {
  return `${number} ${number === 1 ? noun : plural}`;
}

/** `a`, `a and b`, `a, b and c`. */
export function list(items: readonly string[]): string {
  if (items.length < 2) return items[0] ?? '';
  return `${items.slice(0, -1).join(', ')} and ${items.at(-1)!}`;
}

/** How often each value occurs, most frequent first; values that occur equally often in the order of their names. */
export function tally(values: Iterable<string>): (readonly [value: string, times: number])[] {
  const times = new Map<string, number>();
  for (const value of values) times.set(value, (times.get(value) ?? 0) + 1);
  return [...times].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
}

/** `all to X`, or `5 to X, 5 to Y` with the given preposition; at most five values, then how many more. */
export function spread(values: readonly string[], preposition: string): string {
  const counts = tally(values);
  if (counts.length === 1) return `${values.length === 1 ? '' : 'all '}${preposition} ${counts[0]![0]}`;
  const shown = counts.slice(0, 5).map(([value, times]) => `${times} ${preposition} ${value}`);
  return counts.length > 5 ? `${shown.join(', ')} and ${counts.length - 5} more` : shown.join(', ');
}

/** Nanoseconds in the unit that suits them: `850 ns`, `12.3 µs`, `4.56 ms`, `1.20 s`. */
export function duration(nanoseconds: bigint | number): string {
  const value = Number(nanoseconds);
  const size = Math.abs(value);
  if (size < 1e3) return `${value} ns`;
  const [scale, unit] = size < 1e6 ? [1e3, 'µs'] : size < 1e9 ? [1e6, 'ms'] : [1e9, 's'];
  const scaled = value / scale;
  return `${scaled.toFixed(Math.abs(scaled) < 10 ? 2 : Math.abs(scaled) < 100 ? 1 : 0)} ${unit}`;
}

/** An address and port as one types them: `192.168.11.107:80`, `[2001:db8::1]:80`. */
export function endpoint(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
