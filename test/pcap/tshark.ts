// Asks tshark the same questions, for comparison. Its name resolution is off, so no question leaves the machine.
import { spawnSync } from 'node:child_process';

/** The fields of each packet that `filter` matches, as tshark prints them; a field that occurs often is given by its last. */
export function tsharkFields(file: string, fields: readonly string[], filter = ''): string[][] {
  const args = [
    '-n',
    '-r',
    file,
    '-T',
    'fields',
    '-E',
    'occurrence=l',
    ...fields.flatMap((field) => ['-e', field]),
  ];
  if (filter !== '') args.push('-Y', filter);
  return run(args).map((line) => line.split('\t'));
}

/** Lines of `tshark ARGS`; that it exits 2 after a cut short file, having printed all it could read, is no error here. */
export function run(args: readonly string[]): string[] {
  const { stdout, error } = spawnSync('tshark', [...args], { encoding: 'utf8', maxBuffer: 2 ** 30 });
  if (error !== undefined) throw error;
  return stdout.split('\n').filter((line) => line !== '');
}
