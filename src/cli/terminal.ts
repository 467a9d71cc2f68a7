// Joins the user's terminal to one inside a lab: keys go there untouched, its size follows ours, and ours is put back whatever happens.
import type { SandboxClient } from '../sandbox/client.ts';
import type { Ended, Spawn } from '../sandbox/protocol.ts';
import type { Cli } from './context.ts';
import { feed, writeTo } from './inside.ts';

/** Runs a program on a terminal of its own until it ends. */
export async function onTerminal(cli: Cli, client: SandboxClient, spawn: Spawn): Promise<Ended> {
  const { stdin } = cli;
  const { stdout } = process;
  const size = () => ({ columns: stdout.columns || 80, rows: stdout.rows || 24 });
  const raw = stdin.isTTY === true;
  if (raw) stdin.setRawMode(true);
  const attachment = client.attach(spawn, async (_, data) => writeTo(stdout, data), {
    ...size(),
    term: cli.env.TERM ?? 'xterm',
  });
  const letGo = feed(stdin, attachment);
  const onResize = () => {
    const { columns, rows } = size();
    attachment.resize(columns, rows);
  };
  stdout.on('resize', onResize);
  const onAbort = () => attachment.kill('SIGHUP');
  cli.signal.addEventListener('abort', onAbort);
  if (cli.signal.aborted) onAbort();
  try {
    return await attachment.ended;
  } finally {
    cli.signal.removeEventListener('abort', onAbort);
    stdout.off('resize', onResize);
    letGo();
    if (raw) stdin.setRawMode(false);
  }
}
