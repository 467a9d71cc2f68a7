// What is shown of long work: whole frames, from a lab's own plan and the events that its executor sends.
import { Chalk } from 'chalk';
import { cleanup, render } from 'ink-testing-library';
import { afterEach, describe, expect, it } from 'vitest';
import type { StepEvent } from '../../src/lab/execute.ts';
import { buildPlan } from '../../src/plan/build.ts';
import type { Stage, Step } from '../../src/plan/types.ts';
import { parseTopology } from '../../src/topology/index.ts';
import { Progress } from '../../src/ui/Progress.tsx';
import { LabSteps } from '../../src/ui/steps.ts';
import { readFile } from 'node:fs/promises';

const text = await readFile(new URL('../../topologies/l7.yaml', import.meta.url), 'utf8');
const plan = buildPlan(parseTopology(text, 'l7.yaml'), 'l7');
const plain = new Chalk({ level: 0 });

const stepOf = (id: string): Step =>
  plan.stages.flatMap((stage) => stage.steps).find((step) => step.id === id)!;
const began = (id: string): StepEvent => ({ type: 'began', step: stepOf(id) });
const done = (id: string): StepEvent => ({ type: 'done', step: stepOf(id), milliseconds: 1 });

/** Everything of some stages, at one moment. */
function pass(steps: LabSteps, names: readonly Stage['name'][], now: number): void {
  for (const stage of plan.stages.filter(({ name }) => names.includes(name)))
    for (const step of stage.steps.filter(({ kind }) => kind !== 'file')) {
      steps.take({ type: 'began', step }, now);
      steps.take({ type: 'done', step, milliseconds: 5 }, now + 5);
    }
}

function frame(
  labs: readonly LabSteps[],
  now: number,
  size: { columns?: number; rows?: number } = {},
): string {
  const { columns = 80, rows = 24 } = size;
  const { lastFrame } = render(
    <Progress labs={labs.map((lab) => lab.view(now))} columns={columns} rows={rows} tick={0} paint={plain} />,
  );
  return lastFrame()!;
}

afterEach(cleanup);

describe('progress of a lab', () => {
  it('lists every stage of the plan before anything has begun', () => {
    const lab = new LabSteps('l7');
    lab.begin(plan.stages, 1000);
    expect(frame([lab], 1250)).toBe(
      [
        '⠋ l7                                                  250 ms',
        '  ⠋ The sandbox                                       250 ms',
        '  · Segments and nodes',
        '  · Addresses, configuration, services',
        '  · Captures',
        '  · Requests',
      ].join('\n'),
    );
  });

  it('shows nodes side by side, what each does, and times of what is done', () => {
    const lab = new LabSteps('l7');
    lab.begin(plan.stages, 0);
    pass(lab, ['wire'], 300);
    for (const id of ['client.addresses', 'lb.addresses', 'be1.addresses', 'be2.addresses'])
      lab.take(began(id), 310);
    for (const id of ['client.addresses', 'lb.addresses', 'be1.addresses']) lab.take(done(id), 314);
    lab.take(began('be1.httpd'), 314);
    expect(frame([lab], 1500)).toBe(
      [
        '⠋ l7                                                  1.50 s',
        '  ✓ The sandbox                                       300 ms',
        '  ✓ Segments and nodes                                  5 ms',
        '  ⠋ Addresses, configuration, services  3 of 7        1.19 s',
        '    ✓ client                                            4 ms',
        '    ⠋ lb                                              1.19 s',
        '    ⠋ be1     The web server                          1.19 s',
        '    ⠋ be2     Addresses and routes                    1.19 s',
        '  · Captures',
        '  · Requests',
      ].join('\n'),
    );
  });

  it("shows a failure with the tool's words, made harmless", () => {
    const lab = new LabSteps('l7');
    lab.begin(plan.stages, 0);
    pass(lab, ['wire'], 300);
    lab.take(began('lb.nginx'), 310);
    lab.take(
      {
        type: 'failed',
        step: stepOf('lb.nginx'),
        error: new Error('lb.nginx: exit code 1\n  | \u001B[2Jnginx: [emerg] unknown directive'),
      },
      330,
    );
    lab.end(400, false);
    expect(frame([lab], 1500)).toBe(
      [
        '✗ l7                                                  400 ms',
        '  ✓ The sandbox                                       300 ms',
        '  ✓ Segments and nodes                                  5 ms',
        '  ✗ Addresses, configuration, services  0 of 7         20 ms',
        '    · client',
        '    ✗ lb      The balancer                             20 ms',
        '    · be1',
        '    · be2',
        '  · Captures',
        '  · Requests',
        '    lb.nginx: exit code 1',
        String.raw`      | \x1b[2Jnginx: [emerg] unknown directive`,
      ].join('\n'),
    );
  });

  it('begins stages anew when a round is repeated', () => {
    const lab = new LabSteps('l7');
    lab.begin(plan.stages, 0);
    pass(lab, ['wire', 'nodes', 'capture', 'traffic'], 100);
    lab.take(began('capture.eth0'), 2000);
    expect(lab.view(2000).stages.map(({ title, state }) => `${title}: ${state}`)).toEqual([
      'The sandbox: done',
      'Segments and nodes: done',
      'Addresses, configuration, services: done',
      'Captures: running',
      'Requests: waiting',
    ]);
  });
});

describe('progress of several labs', () => {
  const labs = () => {
    const [first, second, ...others] = ['l7', 'nat', 'dsr', 'tun'].map((name) => new LabSteps(name));
    first!.begin(plan.stages, 0);
    second!.begin(plan.stages, 0);
    pass(first!, ['wire', 'nodes', 'capture', 'traffic'], 100);
    first!.end(900);
    pass(second!, ['wire'], 500);
    second!.take(began('lb.addresses'), 600);
    return [first!, second!, ...others];
  };

  it('shows the nodes of those under way, where there is room', () => {
    expect(frame(labs(), 1000).split('\n')).toHaveLength(13);
  });

  it('shows less on a terminal of few rows: stages, then a line a lab, then those that matter', () => {
    expect(frame(labs(), 1000, { rows: 10 }).split('\n')).toHaveLength(9);
    expect(frame(labs(), 1000, { rows: 6 })).toBe(
      [
        '✓ l7                                                  900 ms',
        '⠋ nat  Addresses, configuration, services             1.00 s',
        '· dsr',
        '· tun',
      ].join('\n'),
    );
    expect(frame(labs(), 1000, { rows: 3 })).toBe(
      ['⠋ nat  Addresses, configuration, services             1.00 s', '  and 3 more'].join('\n'),
    );
  });

  it('cuts lines at the width of the terminal', () => {
    expect(frame(labs(), 1000, { rows: 6, columns: 31 })).toBe(
      ['✓ l7                    900 ms', '⠋ nat  Addresses, con…  1.00 s', '· dsr', '· tun'].join('\n'),
    );
  });
});
