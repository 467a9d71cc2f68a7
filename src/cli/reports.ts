// Where verdicts go: standard output, files, and by themselves to GitHub's log and job summary. Which forms there are is the reporters'
// business.
import { access, appendFile, stat } from 'node:fs/promises';
import { constants } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { Chalk } from 'chalk';
import { InvalidArgumentError, Option } from 'commander';
import { makeFolder, writeNamed } from '../lab/outlet.ts';
import { forTerminal } from '../report/escape.ts';
import { FORMS } from '../report/reporters.ts';
import type { Judged, Reporter } from '../report/types.ts';
import { nearest } from '../topology/nearest.ts';
import { callerOf, type Cli } from './context.ts';
import { EXIT, Failure, messageOf } from './failure.ts';

/** A form, and the file that it goes to; standard output when there is none. */
export interface WantedReport {
  readonly form: string;
  readonly file?: string;
}

/** `junit=results.xml`; `tap` and `tap=-` mean standard output. */
export function wantedReport(text: string, before: readonly WantedReport[] = []): WantedReport[] {
  const at = text.indexOf('=');
  const form = at < 0 ? text : text.slice(0, at);
  const file = at < 0 ? '-' : text.slice(at + 1);
  const known = [...FORMS.keys()];
  if (!known.includes(form)) {
    const near = nearest(form, known);
    throw new InvalidArgumentError(
      `${near === undefined ? '' : `did you mean ${near}? `}forms: ${known.join(', ')}; such as --report junit=results.xml`,
    );
  }
  if (file === '') throw new InvalidArgumentError(`name a file behind ${form}=, or - for standard output`);
  return [...before, file === '-' ? { form } : { form, file }];
}

export const REPORT = new Option(
  '--report <form[=file]>',
  `${[...FORMS.keys()].join(', ')}; repeatable; without a file to standard output, in place of text`,
).argParser(wantedReport);

/** GitHub keeps a megabyte of a step's summary, and drops all of a longer one. */
const SUMMARY = 1_000_000;

export interface Reports {
  /** Shows what one lab came to, as soon as it is known. */
  readonly each: (result: Judged) => void;
  /** Writes the reports that need all of them. */
  readonly finish: (results: readonly Judged[], document: () => unknown) => Promise<void>;
}

/**
 * Checks that the reports can be written before a lab is built for them.
 * @throws Failure (exit code 2) when two documents would be mixed on standard output, or a file cannot be written
 */
export async function openReports(cli: Cli, wanted: readonly WantedReport[] = []): Promise<Reports> {
  const own = wanted.filter((report) => report.file === undefined).map(({ form }) => form);
  const shown = [...new Set([...(cli.json ? ['json'] : []), ...own])];
  if (shown.length === 0) shown.push('text');
  const isMixable = shown.every((form) => FORMS.get(form)?.isDocument === false);
  if (shown.length > 1 && !isMixable) {
    throw new Failure(
      `standard output can have one of ${shown.join(', ')}: give the others a file, such as --report ${shown.at(-1)}=FILE`,
      EXIT.usage,
    );
  }
  const paths = wanted.flatMap(({ file }) => (file === undefined ? [] : resolve(cli.cwd, file)));
  const twice = paths.find((path, index) => paths.indexOf(path) !== index);
  if (twice !== undefined) throw new Failure(`two reports would go to ${forTerminal(twice)}`, EXIT.usage);
  await Promise.all(paths.map(async (path) => makeWritable(cli, path)));

  const load = async (form: string): Promise<Reporter> => FORMS.get(form)!.load();
  const isGithub = cli.env.GITHUB_ACTIONS === 'true';
  const summaryFile = isGithub ? cli.env.GITHUB_STEP_SUMMARY : undefined;
  const standard = await Promise.all(shown.map(load));
  const files = await Promise.all(
    wanted.flatMap(({ form, file }) =>
      file === undefined ? [] : load(form).then((reporter) => ({ reporter, path: resolve(cli.cwd, file) })),
    ),
  );
  const annotations = isGithub && !shown.includes('github') ? await load('github') : undefined;
  const summary = summaryFile ? await load('markdown') : undefined;
  const plain = { paint: PLAIN, cwd: cli.cwd, document: () => ({}) };
  return {
    each: (result) => {
      if (isMixable)
        for (const reporter of standard) cli.out(reporter.render([result], { ...plain, paint: cli.paint }));
      // The runner reads commands from both; a document on standard output stays whole.
      if (annotations !== undefined) (isMixable ? cli.out : cli.say)(annotations.render([result], plain));
    },
    finish: async (results, document) => {
      const options = { ...plain, document };
      if (!isMixable) for (const reporter of standard) cli.out(reporter.render(results, options));
      for (const { reporter, path } of files) {
        await writeNamed(path, reporter.render(results, options), callerOf(cli));
      }
      if (summary !== undefined) await appendSummary(summaryFile!, summary.render(results, options));
    },
  };
}

const PLAIN = new Chalk({ level: 0 });

async function makeWritable(cli: Cli, path: string): Promise<void> {
  try {
    await makeFolder(dirname(path), callerOf(cli));
    const info = await stat(path).catch(() => undefined);
    if (info?.isDirectory() === true) throw new Error('it is a folder');
    await access(info === undefined ? dirname(path) : path, constants.W_OK);
  } catch (error) {
    throw new Failure(
      `no report can be written to ${forTerminal(path)}: ${forTerminal(messageOf(error))}`,
      EXIT.usage,
    );
  }
}

async function appendSummary(path: string, markdown: string): Promise<void> {
  const had = (await stat(path).catch(() => undefined))?.size ?? 0;
  const room = SUMMARY - had - Buffer.byteLength(markdown);
  await appendFile(
    path,
    room >= 0 ? `${markdown}\n` : '\nlblab: too much for a summary; --report markdown=FILE has it.\n',
  );
}
