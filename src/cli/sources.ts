// What flow and report are about: a lab's last captures, a folder with captures and their topology, or capture files alone.
import { stat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { readEvidence, savedTopology } from '../lab/evidence.ts';
import type { Point } from '../report/ladder/types.ts';
import type { Topology } from '../topology/types.ts';
import type { Evidence } from '../verify/types.ts';
import { allowance, readInspected } from './captures.ts';
import type { Cli } from './context.ts';
import { EXIT, Failure } from './failure.ts';
import { nameOfLab } from './labs.ts';
import { lastCaptures, shown } from './output.ts';

/** A round's captures with the topology that they are of. */
export interface Round {
  readonly name: string;
  readonly folder: string;
  readonly topology: Topology;
  readonly evidence: Evidence;
  /** A lab's own last round, with its tables; else files whose lab is not known. */
  readonly live: boolean;
}

async function readRound(name: string | undefined, folder: string): Promise<Round | undefined> {
  const topology = await savedTopology(folder);
  if (topology === undefined) return undefined;
  const evidence = await readEvidence(folder, topology);
  return { name: name ?? topology.name, folder, topology, evidence, live: name !== undefined };
}

const kindOf = async (path: string) => {
  const info = await stat(path).catch(() => undefined);
  return info === undefined ? undefined : info.isDirectory() ? 'folder' : 'file';
};

/**
 * A lab's last captures, or those in a folder; the only lab's that is up when nothing is named. Nothing where `text` names a file.
 * @throws Failure (exit code 2) when there are no captures
 */
export async function findRound(cli: Cli, text: string | undefined): Promise<Round | undefined> {
  const isName = text === undefined || /^[a-zA-Z][a-zA-Z0-9-]*$/.test(text);
  if (isName) {
    const name = text ?? (await nameOfLab(cli, undefined));
    const folder = await lastCaptures(cli, name);
    const round = await readRound(name, folder);
    if (round !== undefined) return round;
    if (text === undefined || (await kindOf(resolve(cli.cwd, text))) === undefined) {
      // Says which labs are up, when none has this name.
      await nameOfLab(cli, name, text === undefined ? undefined : 'folder or file');
      throw new Failure(
        `no captures of ${name} in ${shown(cli, folder)}; lblab capture ${name} makes them`,
        EXIT.usage,
      );
    }
  }
  const path = resolve(cli.cwd, text);
  if ((await kindOf(path)) !== 'folder') return undefined;
  const round = await readRound(undefined, path);
  if (round !== undefined) return round;
  throw new Failure(
    `${shown(cli, path)} has no topology.json, which says what its captures are of; name the files themselves`,
    EXIT.usage,
  );
}

/** Capture points, with their topology where that is known. */
export interface Points {
  /** The lab's name, where there is one. */
  readonly name?: string;
  readonly topology?: Topology;
  readonly points: readonly Point[];
  /** Files were named one by one: others may lie beside them. */
  readonly areChosen?: true;
}

/**
 * Capture files. Where they lie beside the topology that they were captured with, they are its capture points.
 * @throws Failure (exit code 2) when one cannot be read, is no capture, or is too long to be kept
 */
async function readFiles(cli: Cli, paths: readonly string[]): Promise<Points> {
  const left = allowance(false);
  const points: Point[] = [];
  for (const path of paths) {
    const { capture, figuresOnly } = await readInspected(cli, path, left);
    if (capture === undefined)
      throw new Failure(`${path}: too long to draw packet by packet: ${figuresOnly}`, EXIT.usage);
    points.push({ name: path === '-' ? 'standard input' : basename(path), capture });
  }
  const folders = new Set(paths.map((path) => dirname(resolve(cli.cwd, path))));
  const topology = folders.size === 1 ? await savedTopology([...folders][0]!) : undefined;
  const named = paths.map((path) =>
    topology?.captures.find((point) => basename(path) === `${point.name}.pcap`),
  );
  if (topology === undefined || named.includes(undefined)) return { points };
  return {
    name: topology.name,
    topology,
    areChosen: true,
    points: points.map((point, index) => ({
      name: named[index]!.name,
      node: named[index]!.node,
      interface: named[index]!.interface,
      capture: point.capture,
    })),
  };
}

/** What is named on the command line: a lab, a folder, or capture files. */
export async function findPoints(cli: Cli, words: readonly string[]): Promise<Points> {
  if (words.length < 2) {
    const round = await findRound(cli, words[0]);
    if (round !== undefined) {
      const { name, topology, evidence } = round;
      return { name, topology, points: [...evidence.captures.values()] };
    }
  }
  return readFiles(cli, words);
}
