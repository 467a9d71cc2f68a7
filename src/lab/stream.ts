// One capture point's packets as they come, as a pcap stream for a program such as Wireshark. The stream is whole to its last packet
// however it ends.
import { tcpdumpCounts } from './evidence.ts';
import { StepError } from './execute.ts';
import type { Lab } from './lab.ts';
import { captureStage } from '../plan/build.ts';
import { netnsOf } from '../plan/names.ts';
import type { ServiceStep } from '../plan/types.ts';
import type { CapturePoint } from '../topology/types.ts';

/** Seconds that tcpdump gets to write what has passed already. */
const DRAIN_SECONDS = 3;
/** Milliseconds without a new packet after which the traffic counts as over. */
const SILENCE = 100;

const tick = async (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/**
 * Streams a capture point to `sink` while `meanwhile` runs, then until tcpdump has written all that passed. Resolves with tcpdump's last
 * words. Throws StepError when tcpdump does not start (a bad filter), SandboxError when the lab ends.
 */
export async function streamCapture(
  lab: Lab,
  point: CapturePoint,
  sink: (data: Buffer) => Promise<void>,
  meanwhile: () => Promise<void>,
): Promise<string> {
  const step = captureStage([point]).steps[0] as ServiceStep;
  let words = '';
  let heard = () => {};
  const attachment = lab.client.attach(
    { argv: step.argv, netns: netnsOf(lab.name, point.node), cwd: lab.dir },
    async (stream, data) => {
      if (stream === 'stdout') return sink(data);
      words += data.toString();
      heard();
    },
  );
  const until = async (there: () => boolean, milliseconds: number) => {
    const deadline = performance.now() + milliseconds;
    while (!there() && performance.now() < deadline) {
      await Promise.race([new Promise<void>((resolve) => (heard = resolve)), tick(50)]);
    }
  };
  const listening = until(() => words.includes('listening on'), lab.timeout * 1000).then(() => undefined);
  const failed = await Promise.race([listening, attachment.ended]);
  if (failed !== undefined || !words.includes('listening on')) {
    attachment.kill('SIGTERM');
    throw new StepError(
      step,
      lab.name,
      'ended before it was ready',
      { ...(await attachment.ended), stderr: words },
      '',
    );
  }
  const drain = async () => {
    const deadline = performance.now() + DRAIN_SECONDS * 1000;
    let before = '';
    let since = performance.now();
    while (performance.now() < deadline) {
      const from = words.length;
      attachment.kill('SIGUSR1');
      await until(() => tcpdumpCounts(words.slice(from)) !== undefined, 500);
      const counts = tcpdumpCounts(words.slice(from));
      const now = JSON.stringify(counts);
      if (now !== before) since = performance.now();
      const written = counts === undefined || counts.captured >= counts.received;
      if (now === before && written && performance.now() - since >= SILENCE) return;
      before = now;
      await tick(10);
    }
  };
  try {
    await Promise.race([meanwhile(), attachment.ended]);
    await Promise.race([drain(), attachment.ended]);
  } finally {
    attachment.kill('SIGINT');
    await attachment.ended;
  }
  return words;
}
