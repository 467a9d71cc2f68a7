// How far labs are on their way through their plans: what a display of progress shows. Steps come in as they begin and end, the time with
// them; knows no terminal and no clock.
import type { StepEvent } from '../lab/execute.ts';
import type { Stage } from '../plan/types.ts';
import { forTerminal } from '../report/escape.ts';

export type State = 'waiting' | 'running' | 'done' | 'failed';

/** Something with a beginning and an end: milliseconds since it began, or that it took. */
interface Timed {
  readonly state: State;
  readonly milliseconds?: number;
}

/** The steps of one stage in one node, or the stage's own. */
export interface LaneView extends Timed {
  readonly name: string;
  readonly done: number;
  readonly total: number;
  /** What is being done. */
  readonly now?: string;
}

export interface StageView extends Timed {
  readonly title: string;
  readonly done: number;
  readonly total: number;
  readonly lanes: readonly LaneView[];
}

export interface LabView extends Timed {
  readonly name: string;
  readonly stages: readonly StageView[];
  /** What the tool that failed said, escaped. */
  readonly words: readonly string[];
}

interface Span {
  state: State;
  began?: number;
  ended?: number;
}

interface Work extends Span {
  readonly id: string;
  readonly reason: string;
  readonly lane: string;
}

interface StageOfWork extends Span {
  readonly title: string;
  readonly steps: readonly Work[];
}

const SANDBOX = 'The sandbox';
const WORDS = 6;

/** One lab's way through its plan. */
export class LabSteps {
  readonly #name: string;
  readonly #whole: Span = { state: 'waiting' };
  #stages: StageOfWork[] = [];
  #words: string[] = [];

  constructor(name: string) {
    this.#name = name;
  }

  /** The plan is known and the sandbox starts. */
  begin(stages: readonly Stage[], now: number): void {
    start(this.#whole, now);
    this.#stages = [
      { title: SANDBOX, steps: [], state: 'running', began: now },
      ...stages.map((stage) => ({
        title: stage.title,
        state: 'waiting' as const,
        steps: stage.steps
          // Files are written before the first step.
          .filter((step) => step.kind !== 'file')
          .map((step) => ({
            id: step.id,
            reason: step.reason,
            lane: step.node ?? step.lane ?? '',
            state: 'waiting' as const,
          })),
      })),
    ];
  }

  take(event: StepEvent, now: number): void {
    const index = this.#stages.findIndex(({ steps }) => steps.some(({ id }) => id === event.step.id));
    const stage = this.#stages[index];
    const step = stage?.steps.find(({ id }) => id === event.step.id);
    if (stage === undefined || step === undefined) return;
    if (event.type === 'began') {
      for (const before of this.#stages.slice(0, index)) finish(before, now);
      // A round that is repeated.
      if (step.state !== 'waiting')
        for (const again of this.#stages.slice(index)) {
          reset(again);
          for (const each of again.steps) reset(each);
        }
      if (stage.state === 'waiting') start(stage, now);
      start(step, now);
      return;
    }
    finish(step, now, event.type);
    if (event.type === 'failed') {
      finish(stage, now, 'failed');
      this.#words = event.error.message
        .split('\n')
        .slice(0, WORDS)
        .map((line) => forTerminal(line));
    } else if (stage.state === 'running' && stage.steps.every(({ state }) => state === 'done')) {
      finish(stage, now);
    }
  }

  end(now: number, isGood = true): void {
    if (this.#whole.state !== 'running') return;
    const isDone = isGood && this.#words.length === 0;
    if (isDone) for (const stage of this.#stages) finish(stage, now);
    finish(this.#whole, now, isDone ? 'done' : 'failed');
  }

  view(now: number): LabView {
    return {
      name: this.#name,
      ...timed(this.#whole, now),
      stages: this.#stages.map((stage) => ({
        title: stage.title,
        ...timed(stage, now),
        done: stage.steps.filter(({ state }) => state === 'done').length,
        total: stage.steps.length,
        lanes: lanes(stage, now),
      })),
      words: this.#words,
    };
  }
}

function start(span: Span, now: number): void {
  span.state = 'running';
  span.began = now;
  span.ended = undefined;
}

function finish(span: Span, now: number, state: 'done' | 'failed' = 'done'): void {
  if (span.state === 'failed' || span.state === 'done') return;
  span.state = state;
  span.ended = now;
}

function reset(span: Span): void {
  span.state = 'waiting';
  span.began = span.ended = undefined;
}

function timed({ state, began, ended }: Span, now: number): Timed {
  return began === undefined ? { state } : { state, milliseconds: (ended ?? now) - began };
}

/** A stage's nodes in the plan's order. */
function lanes(stage: StageOfWork, now: number): LaneView[] {
  const names = [...new Set(stage.steps.map(({ lane }) => lane))];
  return names.map((name) => {
    const steps = stage.steps.filter(({ lane }) => lane === name);
    const done = steps.filter((step) => step.state === 'done').length;
    const current = steps.find(({ state }) => state === 'failed' || state === 'running');
    const began = Math.min(...steps.map((step) => step.began ?? Number.POSITIVE_INFINITY));
    const ended = Math.max(...steps.map((step) => step.ended ?? 0));
    const state = current?.state ?? (done === steps.length ? 'done' : done === 0 ? 'waiting' : 'running');
    return {
      name,
      state,
      done,
      total: steps.length,
      ...(began < Number.POSITIVE_INFINITY && {
        milliseconds: (state === 'running' ? now : ended) - began,
      }),
      ...(current !== undefined && { now: current.reason }),
    };
  });
}
