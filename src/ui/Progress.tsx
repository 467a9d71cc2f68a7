// What long work shows while it goes on: its labs, their stages, their nodes, each waiting, running, done with its time, or failed with
// the tool's words. As much of it as the terminal has rows for.
import { Box, Text } from 'ink';
import type { ChalkInstance } from 'chalk';
import type { ReactNode } from 'react';
import type { LabView, StageView, State } from './steps.ts';

export interface ProgressProps {
  readonly labs: readonly LabView[];
  readonly columns: number;
  readonly rows: number;
  /** Counts up while it runs: what turns. */
  readonly tick: number;
  readonly paint: ChalkInstance;
  /** No character beyond ASCII. */
  readonly ascii?: boolean;
}

const TURNING = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const ASCII_TURNING = ['|', '/', '-', '\\'];
/** Short lines: a terminal that becomes narrower breaks long ones, and what it then scrolls off the top nobody can take back. */
const WIDEST = 60;

/** How much is shown of a lab that is under way: its line, its stages too, or the nodes of its stages too. */
const DETAILS = ['nodes', 'stages', 'line'] as const;
type Detail = (typeof DETAILS)[number];

interface Line {
  readonly indent: number;
  readonly state: State;
  readonly name: string;
  /** Beside the name, dimmed. */
  readonly what?: string;
  readonly milliseconds?: number;
}

export function Progress({ labs, columns, rows, tick, paint, ascii }: ProgressProps): ReactNode {
  const turning = ascii === true ? ASCII_TURNING : TURNING;
  const sign: Record<State, string> = {
    waiting: paint.dim(ascii === true ? '.' : '·'),
    running: paint.cyan(turning[tick % turning.length]!),
    done: paint.green(ascii === true ? '+' : '✓'),
    failed: paint.red(ascii === true ? 'x' : '✗'),
  };
  const width = Math.min(columns - 1, WIDEST);
  const lines = fitting(labs, rows - 1);
  return (
    <Box flexDirection="column" width={width}>
      {lines.map((line, index) =>
        typeof line === 'string' ? (
          <Text key={index} wrap="truncate">
            {line}
          </Text>
        ) : (
          <Box key={index} marginLeft={line.indent}>
            <Box flexGrow={1} flexShrink={1} overflow="hidden">
              <Text wrap="truncate">
                {sign[line.state]} {line.state === 'waiting' ? paint.dim(line.name) : line.name}
                {line.what === undefined ? '' : `  ${paint.dim(line.what)}`}
              </Text>
            </Box>
            {line.milliseconds === undefined ? null : (
              <Box flexShrink={0} marginLeft={2}>
                <Text>{paint.dim(duration(line.milliseconds))}</Text>
              </Box>
            )}
          </Box>
        ),
      )}
    </Box>
  );
}

function duration(milliseconds: number): string {
  if (milliseconds < 1000) return `${milliseconds.toFixed(0)} ms`;
  return `${(milliseconds / 1000).toFixed(milliseconds < 10_000 ? 2 : 1)} s`;
}

/** The most detailed lines that fit; when none do, labs that wait and then those that are done go first. */
function fitting(labs: readonly LabView[], rows: number): readonly (Line | string)[] {
  for (const detail of DETAILS) {
    const lines = labs.flatMap((lab) => linesOf(lab, detail));
    if (lines.length <= rows) return lines;
  }
  const order = ['running', 'failed', 'done', 'waiting'];
  const kept = [...labs]
    .sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state))
    .slice(0, Math.max(1, rows - 1));
  const left = labs.length - kept.length;
  return [
    ...labs.filter((lab) => kept.includes(lab)).map((lab) => lineOf(lab)),
    ...(left > 0 && rows > 1 ? [`  and ${left} more`] : []),
  ];
}

function lineOf(lab: LabView): Line {
  const at = lab.stages.find(({ state }) => state === 'running' || state === 'failed');
  return {
    indent: 0,
    state: lab.state,
    name: lab.name,
    ...(lab.state !== 'done' && at !== undefined && { what: at.title }),
    milliseconds: lab.milliseconds,
  };
}

function linesOf(lab: LabView, detail: Detail): (Line | string)[] {
  const words = lab.words.map((line) => `    ${line}`);
  if (detail === 'line' || lab.state === 'waiting' || lab.state === 'done') return [lineOf(lab), ...words];
  return [
    { indent: 0, state: lab.state, name: lab.name, milliseconds: lab.milliseconds },
    ...lab.stages.flatMap((stage) => stageLines(stage, detail)),
    ...words,
  ];
}

function stageLines(stage: StageView, detail: Detail): Line[] {
  const { state, title, done, total, milliseconds } = stage;
  const isOpen = state === 'running' || state === 'failed';
  const head: Line = {
    indent: 2,
    state,
    name: title,
    ...(isOpen && total > 1 && { what: `${done} of ${total}` }),
    milliseconds,
  };
  if (detail !== 'nodes' || !isOpen) return [head];
  const named = stage.lanes.filter(({ name }) => name !== '');
  const width = Math.max(0, ...named.map(({ name }) => name.length));
  return [
    head,
    ...named.map((lane): Line => ({
      indent: 4,
      state: lane.state,
      name: lane.now === undefined ? lane.name : lane.name.padEnd(width),
      ...(lane.now !== undefined && { what: lane.now }),
      milliseconds: lane.milliseconds,
    })),
  ];
}
