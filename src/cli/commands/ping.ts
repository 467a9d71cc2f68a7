// `lblab ping`: every node to every node that it should reach, as a matrix.
import { pingAll, type Answer } from '../../lab/ping.ts';
import { forTerminal } from '../../report/escape.ts';
import { nextSteps, table } from '../../report/table.ts';
import type { Cli } from '../context.ts';
import { EXIT } from '../failure.ts';
import { withLab } from '../labs.ts';

/** Rows ask, columns answer. */
function matrix(cli: Cli, nodes: readonly string[], answers: readonly Answer[]): string {
  const cell = (from: string, to: string): string => {
    if (from === to) return '';
    const answer = answers.find((each) => each.from === from && each.to === to);
    if (answer === undefined) return cli.paint.dim('-');
    if (!answer.answered) return cli.paint.red('lost');
    return answer.milliseconds === undefined ? 'ok' : `${answer.milliseconds.toFixed(2)} ms`;
  };
  return table([
    ['from \\ to', ...nodes],
    ...nodes.map((from) => [from, ...nodes.map((to) => cell(from, to))]),
  ]);
}

export async function ping(cli: Cli, name: string | undefined): Promise<number> {
  return withLab(cli, name, async (lab) => {
    const answers = await pingAll(lab);
    const lost = answers.filter((answer) => !answer.answered);
    if (cli.json) {
      cli.out(
        JSON.stringify({ schema: 'lblab/ping@1', lab: lab.name, ok: lost.length === 0, pings: answers }) +
          '\n',
      );
    } else {
      const nodes = lab.topology.nodes.map((node) => node.name);
      cli.out(
        matrix(cli, nodes, answers) +
          lost
            .map(
              ({ from, to, address, words }) =>
                `${from} does not reach ${to} (${address}): ${forTerminal(words!)}\n`,
            )
            .join('') +
          `${answers.length - lost.length} of ${answers.length} answered` +
          (answers.length < nodes.length * (nodes.length - 1) ? '; - is where there is no route\n' : '\n') +
          (lost.length === 0
            ? nextSteps([`lblab request ${lab.name}`, 'requests, and who answered'])
            : nextSteps([
                `lblab exec -l ${lab.name} ${lost[0]!.from} -- ip route get ${lost[0]!.address}`,
                'where its packets go',
              ])),
      );
    }
    return lost.length === 0 ? EXIT.ok : EXIT.failed;
  });
}
