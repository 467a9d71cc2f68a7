// `lblab fault`: break something in a lab that is up, or mend it.
import { applyFault } from '../../lab/faults.ts';
import { FAULTS, parseFault } from '../../topology/faults.ts';
import { labName } from '../arguments.ts';
import type { Cli } from '../context.ts';
import { EXIT, Failure } from '../failure.ts';
import { nodeOf, withLab } from '../labs.ts';

/** `[LAB] NODE FAULT...`: where the fault's name stands tells whether a lab is named. */
export function readWords(words: readonly string[]): {
  lab: string | undefined;
  node: string;
  fault: readonly string[];
} {
  const isFault = (word: string | undefined) => FAULTS.some((kind) => kind === word);
  const [first = '', second, ...rest] = words;
  if (second === undefined) throw new Failure(`say which node and what: ${FAULTS.join(', ')}`, EXIT.usage);
  if (isFault(second) && !isFault(rest[0])) return { lab: undefined, node: first, fault: [second, ...rest] };
  if (rest.length === 0) return { lab: undefined, node: first, fault: [second] };
  return { lab: labName(first), node: second, fault: rest };
}

export async function fault(cli: Cli, words: string[]): Promise<number> {
  const { lab: name, node: nodeName, fault: rest } = readWords(words);
  const wanted = parseFault(rest);
  if ('problem' in wanted) throw new Failure(`${wanted.problem}; ${wanted.hint}`, EXIT.usage);
  return withLab(cli, name, async (lab) => {
    const node = nodeOf(lab, nodeName);
    const done = await applyFault(lab, node, wanted);
    if (cli.json) cli.out(`${JSON.stringify({ schema: 'lblab/fault@1', lab: lab.name, ...done })}\n`);
    else cli.out(done.did.map((each) => `${each}\n`).join(''));
    return EXIT.ok;
  });
}
