// Recorded evidence judged by an example's assertions: a lab's topology with the example's text appended is a topology of its own.
import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { readEvidence } from '../../../src/lab/evidence.ts';
import { parseTopology } from '../../../src/topology/index.ts';
import { judgeAssertions } from '../../../src/verify/index.ts';
import type { Check, Evidence } from '../../../src/verify/types.ts';
import { RECORDED } from '../evidence.ts';

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

/** Where a lab's topology is, and what was recorded of it. */
function filesOf(lab: string): { topology: string; evidence: string } {
  const own = path(`labs/${lab}.yaml`);
  if (existsSync(own)) return { topology: own, evidence: path(`evidence/${lab}`) };
  const theirs = path(`../labs/${lab}.yaml`);
  const shipped = path(`../../../topologies/${lab}.yaml`);
  return { topology: existsSync(theirs) ? theirs : shipped, evidence: `${RECORDED}${lab}` };
}

/** Labs as recorded, read once. */
const whole = new Map<string, Promise<Evidence>>();

async function read(lab: string): Promise<Evidence> {
  const files = filesOf(lab);
  return readEvidence(files.evidence, parseTopology(await readFile(files.topology, 'utf8'), `${lab}.yaml`));
}

const parsed = new Map<string, Promise<Evidence>>();

async function parse(lab: string, text: string): Promise<Evidence> {
  const evidence = whole.get(lab) ?? read(lab);
  whole.set(lab, evidence);
  const topology = parseTopology((await readFile(filesOf(lab).topology, 'utf8')) + text, `${lab}.yaml`);
  return { ...(await evidence), topology };
}

/** A lab's evidence under a topology that expects what `text` says. */
export async function expecting(lab: string, text: string): Promise<Evidence> {
  const key = `${lab} ${text}`;
  const evidence = parsed.get(key) ?? parse(lab, text);
  parsed.set(key, evidence);
  return evidence;
}

export const example = (name: string) => readFileSync(path(`examples/${name}.yaml`), 'utf8');

/** The checks of one or more `expect` entries, as written in a file. */
export async function judged(lab: string, entries: string, live = true): Promise<Check[]> {
  const lines = entries.trim().split('\n');
  const text = `expect:\n${lines.map((line) => `  ${line}\n`).join('')}`;
  return judgeAssertions(await expecting(lab, text), { live });
}
