// The program of the thread that draws progress (dist/painter.js). Ink takes half a second to load, which holds up no lab from here.
import { setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { Chalk, type ColorSupportLevel } from 'chalk';
import type { ProgressProps } from './Progress.tsx';

/** What it is asked for; it answers with the frame. */
export interface Wanted extends Omit<ProgressProps, 'paint'> {
  readonly colours: ColorSupportLevel;
}

/** The labs' programs go first. */
const NICE = 15;

try {
  // Of this thread alone: setpriority(2) takes 0 for the calling thread.
  setPriority(0, NICE);
} catch {
  // Not allowed here; then it is as the others are.
}
const [{ renderToString }, { Progress }] = await Promise.all([import('ink'), import('./Progress.tsx')]);
parentPort!.on('message', ({ colours, ...props }: Wanted) => {
  const paint = new Chalk({ level: colours });
  const frame = renderToString(<Progress {...props} paint={paint} />, { columns: props.columns });
  // Ink cuts with an ellipsis.
  parentPort!.postMessage(props.ascii === true ? frame.replaceAll('…', '~') : frame);
});
// Says that it is ready.
parentPort!.postMessage('');
