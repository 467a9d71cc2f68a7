// `lblab watch`: a live view of a lab that is up. Knows when to look and when to draw; what keys do is watching.ts's business, what is drawn that
// of src/ui.
import type { Lab } from '../../lab/lab.ts';
import { linksOf, openMeter, type MeteredLink } from '../../lab/meter.ts';
import { Region } from '../../ui/region.ts';
import type { Cli } from '../context.ts';
import { EXIT, Failure, messageOf } from '../failure.ts';
import { withLab } from '../labs.ts';
import { isUtf8 } from '../locale.ts';
import { keysOf, Watching } from '../watching.ts';
import { openShell } from './shell.ts';

/** Milliseconds between two readings of what has passed. */
const PACE = 400;
/** Readings between two looks at the balancer's table and at the services. */
const LOOK = 5;

export async function watch(cli: Cli, name: string | undefined): Promise<number> {
  if (cli.json || !cli.isTerminal || cli.stdin.isTTY !== true || cli.env.TERM === 'dumb') {
    throw new Failure(
      'watch draws on a terminal, and there is none here; lblab status and lblab capture --live tell the same in lines',
      EXIT.usage,
    );
  }
  return withLab(cli, name, async (lab) => onScreen(cli, lab));
}

async function onScreen(cli: Cli, lab: Lab): Promise<number> {
  const { stdout } = process;
  const { stdin } = cli;
  const [{ renderToString }, { createElement }, { Watch }] = await production(async () =>
    Promise.all([import('ink'), import('react'), import('../../ui/Watch.tsx')]),
  );
  const links = linksOf(lab.topology);
  const watching = new Watching(cli, lab, links);
  const meter = openMeter(lab, links);
  const region = new Region({ write: (text) => stdout.write(text) }, { whole: true });
  let isPaused = false;
  let tick = 0;
  const draw = () => {
    if (isPaused || watching.isOver) return;
    watching.isChanged = false;
    const [columns, rows] = [stdout.columns || 80, stdout.rows || 24];
    const ascii = !isUtf8(cli);
    const props = { view: watching.view(), columns, rows, tick, paint: cli.paint, ascii };
    const frame = renderToString(createElement(Watch, props), { columns });
    region.draw(ascii ? frame.replaceAll('…', '~') : frame);
  };
  let finish: (code: number) => void = () => {};
  let fail: (error: Error) => void = () => {};
  const over = new Promise<number>((resolve, reject) => {
    finish = resolve;
    fail = reject;
  });
  const tell = (error: unknown) => watching.tell(messageOf(error));

  let readings = 0;
  let isLooking = false;
  const look = () => {
    if (isLooking || lab.client.lost) return;
    isLooking = true;
    void watching
      .look()
      .catch(tell)
      .finally(() => (isLooking = false));
  };
  const pace = setInterval(() => {
    watching.read(meter, stdout.columns || 80);
    // An idle lab's table does not change by itself.
    if (readings++ % LOOK === 0 && (watching.isMoving || readings % (LOOK * 8) === 1)) look();
    if (!watching.isChanged) return;
    tick++;
    draw();
  }, PACE);

  let busy = Promise.resolve();
  const onData = (data: Buffer) => {
    for (const key of keysOf(data.toString())) {
      if (key === 'q' || key === '\u0003' || key === '\u0004') {
        finish(EXIT.ok);
        return;
      }
      busy = busy
        .then(async () => {
          const node = await watching.press(key);
          if (node !== undefined) await shell(node);
          look();
        })
        .catch(tell)
        .finally(() => draw());
    }
    draw();
  };
  const listen = () => {
    stdin.ref?.();
    stdin.setRawMode(true);
    stdin.on('data', onData).resume();
  };
  const shell = async (node: MeteredLink['node']) => {
    isPaused = true;
    stdin.off('data', onData);
    region.clear();
    try {
      const code = await openShell(cli, lab, node);
      watching.tell(code === 0 ? '' : `the shell in ${node.name} ended with ${code}`);
    } finally {
      // Whoever ended the view while the shell was open has no keys for it.
      if (!watching.isOver) listen();
      isPaused = false;
    }
  };
  const onResize = () => draw();
  const onLost = () => fail(new Failure(`${lab.name} has ended`, EXIT.failed));
  const onAbort = () => finish(EXIT.ok);
  const onExit = () => region.clear();
  stdout.on('resize', onResize);
  cli.signal.addEventListener('abort', onAbort);
  // It may have come while the screen was made ready.
  if (cli.signal.aborted) onAbort();
  lab.client.once('lost', onLost);
  process.on('exit', onExit);
  listen();
  draw();
  look();
  try {
    return await over;
  } finally {
    watching.end();
    clearInterval(pace);
    stdout.off('resize', onResize);
    cli.signal.removeEventListener('abort', onAbort);
    lab.client.off('lost', onLost);
    process.off('exit', onExit);
    stdin.off('data', onData).pause();
    stdin.unref?.();
    stdin.setRawMode(false);
    region.clear();
    meter.close();
  }
}

/** Loads React without the half of it that is for its developers, which takes twice as long to draw. */
async function production<T>(load: () => Promise<T>): Promise<T> {
  const before = process.env.NODE_ENV;
  process.env.NODE_ENV = 'production';
  try {
    return await load();
  } finally {
    if (before === undefined) delete process.env.NODE_ENV;
    else process.env.NODE_ENV = before;
  }
}
