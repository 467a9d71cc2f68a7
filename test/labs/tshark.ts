// What tshark counts in a capture.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** Packets, and TCP connections opened by a SYN. */
export async function tsharkCounts(path: string): Promise<{ packets: number; connections: number }> {
  const { stdout } = await promisify(execFile)(
    'tshark',
    ['-n', '-r', path, '-T', 'fields', '-e', 'frame.number', '-e', 'tcp.stream'],
    { maxBuffer: 64 * 2 ** 20 },
  );
  const rows = stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split('\t'));
  return {
    packets: rows.length,
    connections: new Set(rows.map((row) => row[1]).filter((stream) => stream !== '')).size,
  };
}
