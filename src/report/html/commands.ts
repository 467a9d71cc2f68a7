// What was run, command by command, and how to do it again.
import { buildPlan } from '../../plan/build.ts';
import { netnsOf } from '../../plan/names.ts';
import { commandLine, word } from '../../plan/shell.ts';
import type { Plan, Step } from '../../plan/types.ts';
import { count } from '../../verify/words.ts';
import { forTerminal } from '../escape.ts';
import { shownPath } from '../failure.ts';
import { nameOf, type Judged } from '../types.ts';
import { markup, NONE, type Markup } from './markup.ts';

function stepMarkup(step: Step, plan: Plan): Markup {
  const where = step.node === undefined ? '' : `${step.node}: `;
  const head = markup`<span class="reason"># ${where}${step.reason}</span>`;
  if (step.kind === 'file')
    return markup`${head}\n<strong>write ${word(step.path)}</strong>\n${quoted(step.content)}\n`;
  const netns = step.node === undefined ? undefined : netnsOf(plan.lab, step.node);
  const into = step.stdout === undefined ? '' : ` > ${word(step.stdout)}`;
  const stays = step.kind === 'service' ? ' &' : '';
  const input = step.kind === 'command' && step.stdin !== undefined ? markup`${quoted(step.stdin)}\n` : NONE;
  return markup`${head}\n<strong>${forTerminal(commandLine(step, netns) + into + stays)}</strong>\n${input}`;
}

const quoted = (text: string) =>
  text
    .replace(/\n$/, '')
    .split('\n')
    .map((line) => `  | ${forTerminal(line)}`)
    .join('\n');

/** The commands, stage by stage, as they were executed. */
export function commandsSection({ topology, name, kernel }: Judged): Markup {
  const plan = buildPlan(topology, name ?? topology.name, { kernel: kernel ?? 'host' });
  const stages = plan.stages.map(
    (stage) =>
      markup`<details class="more"><summary>${stage.title} <span class="muted small">(${count(stage.steps.length, 'step')})</span></summary><pre class="scroll" tabindex="0" role="group" aria-label="Commands: ${stage.title}">${stage.steps.map((step) => stepMarkup(step, plan))}</pre></details>`,
  );
  return markup`<div class="panel"><h3>What was run</h3><p class="muted">Every command, in order, with its reason. Each node is a network namespace; steps of different nodes ran side by side.</p>${stages}</div>`;
}

export function reproduceSection(judged: Judged, cwd: string): Markup {
  const { topology, evidence } = judged;
  const given = judged.file === undefined ? topology.name : shownPath(cwd, judged.file);
  const shipped = /(?:^|\/)topologies\/([a-z0-9-]+)\.yaml$/.exec(given)?.[1];
  const what = word(shipped ?? given);
  const folder = word(shownPath(cwd, judged.output));
  const requests = evidence.requests?.length;
  const times = requests !== undefined && requests !== topology.traffic?.requests ? ` -n ${requests}` : '';
  const lines = [
    ['the lab from nothing: built, captured, judged, ended', `lblab run ${what}${times}`],
    [
      'these captures, judged again',
      `lblab verify --captures ${folder}${judged.file === undefined ? '' : ` --topology ${what}`}`,
    ],
    ['any connection as a ladder', `lblab flow ${folder} --connection 2`],
    ['the same commands as a shell script', `lblab plan ${what} --format sh > ${nameOf(judged)}.sh`],
    ['this page', `lblab report ${folder} -o ${nameOf(judged)}.html`],
  ];
  const text = lines.map(
    ([why, command]) => markup`<span class="reason"># ${why}</span>\n<strong>${command}</strong>\n`,
  );
  return markup`<div class="panel"><h3>Do it again</h3><pre class="scroll" tabindex="0" role="group" aria-label="Commands to do it again">${text}</pre></div>`;
}
