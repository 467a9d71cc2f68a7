// Asks tshark and its engine sharkd the same questions, for comparison. Name resolution is off: nothing is looked up.
import { spawn } from 'node:child_process';

/**
 * The fields of each packet that `filter` matches, as tshark prints them.
 * @param occurrence of a field that a packet has many times its last, or all with commas
 */
export async function tsharkFields(
  file: string,
  fields: readonly string[],
  { filter = '', occurrence = 'last' }: { filter?: string; occurrence?: 'last' | 'all' } = {},
): Promise<string[][]> {
  const args = [
    '-n',
    '-r',
    file,
    '-T',
    'fields',
    '-E',
    `occurrence=${occurrence[0]}`,
    ...fields.flatMap((field) => ['-e', field]),
  ];
  if (filter !== '') args.push('-Y', filter);
  return (await run('tshark', args)).map((line) => line.split('\t'));
}

/** Lines a tool prints. Its exit code says little: tshark exits 2 after a cut short file, having printed all it could read. */
export async function run(tool: string, args: readonly string[], input = ''): Promise<string[]> {
  const child = spawn(tool, [...args], { stdio: ['pipe', 'pipe', 'ignore'] });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  // It may end before it has read all, or anything.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  return Buffer.concat(chunks)
    .toString()
    .split('\n')
    .filter((line) => line !== '');
}
