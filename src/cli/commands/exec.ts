// `lblab exec`: a command in a node, its streams joined to ours, its exit code ours.
import type { Cli } from '../context.ts';
import { EXIT, Failure } from '../failure.ts';
import { exitCodeOf, feed, inNode, writeTo } from '../inside.ts';
import { nodeOf, withLab } from '../labs.ts';
import { onTerminal } from '../terminal.ts';

interface Options {
  readonly lab?: string;
  readonly tty?: boolean;
}

export async function exec(cli: Cli, name: string, command: string[], options: Options): Promise<number> {
  return withLab(cli, options.lab, async (lab) => {
    const spawn = inNode(cli, lab, nodeOf(lab, name), command);
    if (options.tty === true) return exitCodeOf(await onTerminal(cli, lab.client, spawn));
    const streams = { stdout: process.stdout, stderr: process.stderr };
    const attachment = lab.client.attach(spawn, async (stream, data) => writeTo(streams[stream], data));
    const letGo = feed(cli.stdin, attachment);
    // Ctrl-C is meant for the program: what it makes of it is its exit code. A second one ends us, and the agent hangs up on it.
    let giveUp: (error: Error) => void;
    const stuck = new Promise<never>((_, reject) => (giveUp = reject));
    let timer: NodeJS.Timeout | undefined;
    const onAbort = () => {
      attachment.kill(cli.signal.reason as string);
      const words = `${command[0]} goes on ${cli.timeout} s after ${cli.signal.reason as string}`;
      timer = setTimeout(() => giveUp(new Failure(words, EXIT.failed)), cli.timeout * 1000);
    };
    cli.signal.addEventListener('abort', onAbort);
    // It may have come before there was a program to hear of it.
    if (cli.signal.aborted) onAbort();
    try {
      return exitCodeOf(await Promise.race([attachment.ended, stuck]));
    } finally {
      clearTimeout(timer);
      cli.signal.removeEventListener('abort', onAbort);
      letGo();
    }
  });
}
