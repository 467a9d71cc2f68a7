// `lblab down`: end labs.
import { checkHome, labNames, sweep } from '../../lab/folders.ts';
import { down as end } from '../../lab/lab.ts';
import { sweepLinks } from '../../lab/links.ts';
import type { Cli } from '../context.ts';
import { EXIT, Failure } from '../failure.ts';

export async function down(cli: Cli, lab: string | undefined, options: { all?: boolean }): Promise<number> {
  const { home, uid } = cli.host;
  await checkHome(home, uid);
  const names = await labNames(home);
  const wanted =
    options.all === true
      ? names
      : lab === undefined && names.length === 1
        ? names
        : lab === undefined
          ? []
          : [lab];
  if (wanted.length === 0 && names.length > 1) {
    throw new Failure(`several labs are up: ${names.join(', ')}; name one, or --all`, EXIT.usage);
  }
  const ended = await Promise.all(
    wanted.map(async (name) => ((await end(cli.host, name, cli.timeout)) ? name : undefined)),
  );
  await sweep(home);
  if (cli.host.uid === 0) await sweepLinks();
  const gone = ended.filter((name) => name !== undefined);
  if (cli.json) cli.out(JSON.stringify({ schema: 'lblab/down@1', down: gone }) + '\n');
  else
    cli.out(
      gone.length > 0
        ? `down: ${gone.join(', ')}\n`
        : lab === undefined
          ? 'no lab is up\n'
          : `${lab} was not up\n`,
    );
  return EXIT.ok;
}
