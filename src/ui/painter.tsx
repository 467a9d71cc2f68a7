// The program of the thread that draws progress (dist/painter.js). Ink takes half a second to load, which holds up no lab from here.
import { parentPort } from 'node:worker_threads';
import { Chalk, type ColorSupportLevel } from 'chalk';
import { renderToString } from 'ink';
import { Progress, type ProgressProps } from './Progress.tsx';

/** What it is asked for; it answers with the frame. */
export interface Wanted extends Omit<ProgressProps, 'paint'> {
  readonly colours: ColorSupportLevel;
}

parentPort!.on('message', ({ colours, ...props }: Wanted) => {
  const paint = new Chalk({ level: colours });
  const frame = renderToString(<Progress {...props} paint={paint} />, { columns: props.columns });
  // Ink cuts with an ellipsis.
  parentPort!.postMessage(props.ascii === true ? frame.replaceAll('…', '~') : frame);
});
// Says that it is ready.
parentPort!.postMessage('');
