// Makes steps: the fields that most of them share are filled in here.
import { nodeFolder } from './names.ts';
import type { CommandStep, FileStep } from './types.ts';

/** A command in the lab's folder. */
export function command(
  id: string,
  argv: readonly string[],
  reason: string,
  more: Partial<CommandStep> = {},
): CommandStep {
  return { kind: 'command', id, part: 'lab', argv, reason, cwd: '.', ...more };
}

/** A command in a node, with an id that begins with the node's name. */
export function inNode(
  node: string,
  what: string,
  argv: readonly string[],
  reason: string,
  more: Partial<CommandStep> = {},
): CommandStep {
  return command(`${node}.${what}`, argv, reason, { node, ...more });
}

/** A file in a node's folder. */
export function nodeFile(node: string, path: string, content: string, reason: string): FileStep {
  return {
    kind: 'file',
    id: `${node}.${path}`,
    part: 'lab',
    node,
    path: `${nodeFolder(node)}/${path}`,
    content,
    reason,
  };
}

/** A command whose output is evidence, kept as `tables/NAME.txt`. */
export function inspection(name: string, node: string, argv: readonly string[], reason: string): CommandStep {
  return command(`inspect.${name}`, argv, reason, {
    node,
    lane: `inspect.${name}`,
    stdout: `tables/${name}.txt`,
  });
}
