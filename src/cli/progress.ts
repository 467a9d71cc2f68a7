// What a command says while it works. On a terminal its steps, drawn again and again in place, by a thread of their own that starts only
// when the work takes long. Elsewhere one line a step, when asked to say more.
import { Worker } from 'node:worker_threads';
import type { StepEvent } from '../lab/execute.ts';
import type { Stage } from '../plan/types.ts';
import type { Wanted } from '../ui/painter.tsx';
import { Region } from '../ui/region.ts';
import { LabSteps } from '../ui/steps.ts';
import type { Cli } from './context.ts';
import { isLively, isUtf8 } from './locale.ts';

/** Milliseconds that work takes before it is worth a display. */
const PATIENCE = 600;
/** Milliseconds between two frames. */
const PACE = 125;

/** A listener for a lab's steps. */
export function follow(cli: Cli, lab: string): (event: StepEvent) => void {
  return (event) => {
    if (!cli.verbose) return;
    if (event.type === 'done')
      cli.say(`${lab}: ${event.step.id} (${event.milliseconds.toFixed(0)} ms): ${event.step.reason}\n`);
    else if (event.type === 'failed') cli.say(`${lab}: ${event.step.id} failed\n`);
  };
}

/** What is told of one lab. */
export interface LabProgress {
  /** Its plan is known, and it is being built. */
  readonly begin: (stages: readonly Stage[]) => void;
  readonly onStep: (event: StepEvent) => void;
  readonly end: (isGood: boolean) => void;
}

export interface Progress extends Disposable {
  /** In place of the command's own: what it writes comes above what is drawn. */
  readonly cli: Cli;
  /** One more lab, of those that the command is about. */
  readonly lab: (name: string) => LabProgress;
}

/** Dispose of it before the command ends: nothing is left on the screen then. */
export function openProgress(cli: Cli): Progress {
  if (!cli.isTalkTerminal || cli.verbose || !isLively(cli)) {
    return {
      cli,
      lab: (name) => ({ begin: () => {}, onStep: follow(cli, name), end: () => {} }),
      [Symbol.dispose]: () => {},
    };
  }
  const labs: LabSteps[] = [];
  const region = new Region({ write: cli.say });
  const drawing = draw(cli, region, (now) => labs.map((lab) => lab.view(now)));
  const above = (write: (text: string) => void) => (text: string) => {
    region.clear();
    write(text);
  };
  return {
    cli: { ...cli, out: above(cli.out), say: above(cli.say) },
    lab: (name) => {
      const steps = new LabSteps(name);
      labs.push(steps);
      return {
        begin: (stages) => steps.begin(stages, performance.now()),
        onStep: (event) => steps.take(event, performance.now()),
        end: (isGood) => steps.end(performance.now(), isGood),
      };
    },
    [Symbol.dispose]: drawing,
  };
}

/** Draws from now on, when work takes long enough. Returns what ends it. */
function draw(cli: Cli, region: Region, view: (now: number) => Wanted['labs']): () => void {
  const { stderr } = process;
  let worker: Worker | undefined;
  let pace: NodeJS.Timeout | undefined;
  let tick = 0;
  let isBusy = true;
  let size = '';
  const sizeNow = () => `${stderr.columns} ${stderr.rows}`;
  const ask = () => {
    if (isBusy) return;
    isBusy = true;
    size = sizeNow();
    const wanted: Wanted = {
      labs: view(performance.now()),
      columns: stderr.columns,
      rows: stderr.rows,
      tick: tick++,
      colours: cli.paintTalk.level,
      ascii: !isUtf8(cli),
    };
    worker!.postMessage(wanted);
  };
  const patience = setTimeout(() => {
    const file = new URL(
      import.meta.url.endsWith('.ts') ? '../../dist/painter.js' : 'painter.js',
      import.meta.url,
    );
    // React's slow half is for its developers.
    worker = new Worker(file, { env: { ...cli.env, NODE_ENV: 'production' } });
    worker.unref();
    // Without the display the work goes on.
    worker.on('error', () => {});
    worker.on('message', (frame: string) => {
      isBusy = false;
      // A frame for the size that was is none for the one that is.
      if (frame === '' || size !== sizeNow()) ask();
      else region.draw(frame);
    });
    pace = setInterval(ask, PACE).unref();
  }, PATIENCE).unref();
  const onResize = () => {
    region.clear();
    ask();
  };
  const onExit = () => region.clear();
  stderr.on('resize', onResize);
  process.on('exit', onExit);
  return () => {
    clearTimeout(patience);
    clearInterval(pace);
    stderr.off('resize', onResize);
    process.off('exit', onExit);
    worker?.removeAllListeners('message');
    void worker?.terminate();
    region.clear();
  };
}
