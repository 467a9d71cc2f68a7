// A plan for people: stage by stage, each step with its reason, the command as one could paste it, and what it reads.
import { netnsOf } from '../plan/names.ts';
import { commandLine, word } from '../plan/shell.ts';
import type { Plan, Step } from '../plan/types.ts';
import { forTerminal } from './escape.ts';
import { nextSteps } from './table.ts';
import type { TextOptions } from './text.ts';

const shown = (text: string) =>
  text
    .replace(/\n$/, '')
    .split('\n')
    .map((line) => `      | ${forTerminal(line)}\n`)
    .join('');

function stepText(step: Step, plan: Plan, { paint }: TextOptions): string {
  const where = step.node === undefined ? '' : `${step.node}: `;
  const head = `    ${paint.dim(`# ${where}${forTerminal(step.reason)}`)}\n`;
  if (step.kind === 'file') return `${head}    write ${forTerminal(word(step.path))}\n${shown(step.content)}`;
  const netns = step.node === undefined ? undefined : netnsOf(plan.lab, step.node);
  const into = step.stdout === undefined ? '' : ` > ${word(step.stdout)}`;
  const folder = step.cwd === '.' ? '' : paint.dim(`   (in ${step.cwd})`);
  const stays = step.kind === 'service' ? ' &' : '';
  const input = step.kind === 'command' && step.stdin !== undefined ? shown(step.stdin) : '';
  return `${head}    ${forTerminal(commandLine(step, netns) + into + stays)}${folder}\n${input}`;
}

/** `given` is what the user called the topology. */
export function planText(plan: Plan, given: string, options: TextOptions): string {
  const { paint } = options;
  const stages = plan.stages.map(
    (stage) =>
      `  ${paint.bold(stage.title)}\n${stage.steps.map((step) => stepText(step, plan, options)).join('')}`,
  );
  return (
    `${paint.bold(plan.lab)}: what would be executed, in order; node by node side by side within a stage\n` +
    stages.join('') +
    nextSteps(
      [`lblab plan ${word(given)} --format sh > ${plan.lab}.sh`, 'the same as a script of its own'],
      [`lblab up ${word(given)}`, 'does it'],
    )
  );
}
