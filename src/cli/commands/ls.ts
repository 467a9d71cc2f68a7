// `lblab ls`: the labs that are up, and what is left of those that died.
import { checkHome, labFolder, labNames, stateOf } from '../../lab/folders.ts';
import { age, nextSteps, table } from '../../report/table.ts';
import type { Cli } from '../context.ts';
import { EXIT } from '../failure.ts';

export async function ls(cli: Cli): Promise<number> {
  const { home, uid } = cli.host;
  await checkHome(home, uid);
  const found = await Promise.all(
    (await labNames(home)).map(async (name) => ({ name, ...(await stateOf(labFolder(home, name))) })),
  );
  const here = found.filter((lab) => lab.state !== 'absent');
  if (cli.json) {
    const labs = here.map((lab) => ({
      name: lab.name,
      state: lab.state,
      ...(lab.state === 'up' && {
        kernel: lab.record.kernel,
        topology: lab.record.topologyFile,
        method: lab.record.topology.balancer?.method ?? null,
        nodes: lab.record.topology.nodes.map((node) => node.name),
        since: new Date(lab.record.since).toISOString(),
        pid: lab.record.pid,
      }),
    }));
    cli.out(JSON.stringify({ schema: 'lblab/ls@1', labs }) + '\n');
    return EXIT.ok;
  }
  if (here.length === 0) {
    cli.out(`no lab is up\n${nextSteps(['lblab up l7', 'builds one'])}`);
    return EXIT.ok;
  }
  const rows = here.map((lab) => {
    if (lab.state !== 'up') {
      const words = {
        making: 'being made',
        gone: `ended; lblab down ${lab.name} removes what is left`,
        absent: '',
      };
      return [lab.name, words[lab.state], '', '', '', ''];
    }
    const { record } = lab;
    const nodes = record.topology.nodes.length;
    return [
      lab.name,
      'up',
      age(cli.host.now() - record.since),
      record.kernel,
      `${nodes} node${nodes === 1 ? '' : 's'}`,
      record.topology.title,
    ];
  });
  const up = here.find((lab) => lab.state === 'up')?.name;
  cli.out(
    table([['LAB', 'STATE', 'FOR', 'KERNEL', 'NODES', 'TITLE'], ...rows]) +
      (up === undefined ? '' : nextSteps([`lblab status ${up}`, 'what is in it'])),
  );
  return EXIT.ok;
}
