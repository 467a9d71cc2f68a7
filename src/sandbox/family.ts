// Who started whom, and who belongs together, of the processes that can be seen (proc(5), /proc/pid/stat).
import { readdirSync, readFileSync } from 'node:fs';

/** A process's stat from its third field on: its state, its parent, its group, ...; nothing where there is no such process. */
export function statOf(pid: number): string[] | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined;
  }
  // The second field, the program's name in brackets, may hold anything.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function* processes(): Generator<{ readonly pid: number; readonly parent: number; readonly group: number }> {
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = statOf(Number(name));
    if (stat !== undefined) yield { pid: Number(name), parent: Number(stat[1]), group: Number(stat[2]) };
  }
}

/** The processes that a process has started, and those that these have, nearest first. */
export function descendants(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const each of processes()) children.set(each.parent, [...(children.get(each.parent) ?? []), each.pid]);
  const found: number[] = [];
  for (
    let next = children.get(pid) ?? [];
    next.length > 0;
    next = next.flatMap((each) => children.get(each) ?? [])
  )
    found.push(...next);
  return found;
}

/** The processes of a process group. */
export function membersOf(group: number): number[] {
  return [...processes()].filter((each) => each.group === group).map(({ pid }) => pid);
}
