// A ladder as a JSON document, for programs that draw their own.
import { notesOf, machineName } from './notes.ts';
import type { Ladder } from './types.ts';

/** `lblab/flow@1`. Times are nanoseconds from the first packet shown; `captures` say which packets of which file an arrow is. */
export function ladderDocument(ladder: Ladder) {
  const first = ladder.rows[0]?.time ?? 0n;
  const rail = (index: number) => {
    const { machine, title } = ladder.rails[index]!;
    return { machine: machineName(ladder, machine), ...(title !== '' && { interface: title }) };
  };
  return {
    schema: 'lblab/flow@1',
    connections: ladder.total,
    shown: ladder.shown.map(({ number }) => number),
    machines: ladder.machines.map(({ rails, also }, index) => ({
      name: machineName(ladder, index),
      interfaces: [...new Set(rails.map((each) => ladder.rails[each]!))].map(
        ({ title, addresses, point }) => ({
          ...(title !== '' && { name: title }),
          addresses,
          capture: point === undefined ? null : ladder.points[point]!.name,
        }),
      ),
      also,
    })),
    packets: ladder.rows.map((row) => ({
      nanoseconds: Number(row.time - first),
      connection: row.connection,
      kind: row.kind,
      label: row.label,
      toServer: row.isToServer,
      again: row.isAgain,
      legs: row.legs.map(({ from, to, atFrom, atTo }) => ({ from: rail(from), to: rail(to), atFrom, atTo })),
      rewrites: row.hops.map((hop) => ({
        machine: machineName(ladder, hop.machine),
        nanoseconds: hop.nanoseconds,
        fields: hop.rewrites,
      })),
      past: row.past.map((machine) => machineName(ladder, machine)),
      captures: row.seen.map(({ point, packets }) => ({ name: ladder.points[point]!.name, packets })),
    })),
    left: ladder.rowsLeft,
    notes: notesOf(ladder),
  };
}
