// Programs that the user runs in a node: their environment, their streams joined to ours, and their end as an exit code.
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { netnsOf, nodeFolder } from '../plan/names.ts';
import type { Lab } from '../lab/lab.ts';
import type { Attachment } from '../sandbox/client.ts';
import type { Ended, Spawn } from '../sandbox/protocol.ts';
import type { Node } from '../topology/types.ts';
import type { Cli } from './context.ts';
import { EXIT, Failure } from './failure.ts';

/** Variables of the user's that programs in a node get: language and habits, nothing of where the lab was made. */
const PASSED = ['HOME', 'USER', 'LOGNAME', 'SHELL', 'LANG', 'LANGUAGE', 'COLORTERM', 'EDITOR', 'PAGER', 'TZ'];

/** A program in a node, in the node's folder, as the user would have it. */
export function inNode(
  cli: Cli,
  lab: Lab,
  node: Node,
  argv: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Spawn {
  const folder = join(lab.dir, nodeFolder(node.name));
  const mine = Object.entries(cli.env).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && (PASSED.includes(entry[0]) || entry[0].startsWith('LC_')),
  );
  return {
    argv,
    netns: netnsOf(lab.name, node.name),
    cwd: existsSync(folder) ? folder : lab.dir,
    environment: { ...Object.fromEntries(mine), ...node.environment, ...environment },
  };
}

/** A program's exit code, or 128 and the number of the signal that ended it, as shells say it. */
export function exitCodeOf(ended: Ended): number {
  if (ended.error !== undefined) throw new Failure(ended.error, EXIT.missing);
  if (ended.signal === null) return ended.code ?? EXIT.bug;
  return 128 + (constants.signals[ended.signal as NodeJS.Signals] ?? 0);
}

/** Writes to a stream, and waits when its reader is slower. */
export async function writeTo(stream: NodeJS.WriteStream, data: Buffer): Promise<void> {
  if (stream.write(data)) return;
  await new Promise<void>((resolve) => {
    const done = () => {
      stream.off('drain', done).off('close', done);
      resolve();
    };
    stream.once('drain', done).once('close', done);
  });
}

/** Hands standard input to a program until one of them ends. Returns what lets go of standard input. */
export function feed(stdin: NodeJS.ReadStream, attachment: Attachment): () => void {
  const onData = (data: Buffer) => {
    stdin.pause();
    void attachment.write(data).then(
      () => stdin.resume(),
      () => {},
    );
  };
  const onEnd = () => attachment.end();
  // A standard input that cannot be read (a folder, a terminal of another job) is at its end.
  stdin.on('data', onData).once('end', onEnd).once('error', onEnd);
  return () => {
    stdin.off('data', onData).off('end', onEnd).off('error', onEnd);
    stdin.on('error', () => {});
    stdin.pause();
    stdin.unref?.();
  };
}
