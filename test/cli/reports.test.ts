// Where reports go: what `--report` takes, standard output and files side by side, GitHub by itself.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Chalk } from 'chalk';
import { describe, expect, test } from 'vitest';
import type { Cli } from '../../src/cli/context.ts';
import { openReports, wantedReport } from '../../src/cli/reports.ts';
import { result } from '../report/results.ts';
import { temporaryFolder } from '../support/sandbox.ts';

interface Ran {
  readonly out: string;
  readonly said: string;
  readonly folder: string;
}

/** Reports one result, as a command does. */
async function report(
  wanted: readonly string[],
  more: { readonly json?: boolean; readonly env?: Record<string, string>; readonly folder?: string } = {},
): Promise<Ran> {
  const folder = more.folder ?? (await temporaryFolder());
  let out = '';
  let said = '';
  const paint = new Chalk({ level: 0 });
  const cli = {
    out: (text: string) => (out += text),
    say: (text: string) => (said += text),
    json: more.json === true,
    paint,
    env: more.env ?? {},
    cwd: folder,
    host: { uid: 1000 },
  } as unknown as Cli;
  const options = wanted.reduce<ReturnType<typeof wantedReport>>(
    (before, text) => wantedReport(text, before),
    [],
  );
  const reports = await openReports(cli, options);
  const made = await result('as it should be');
  reports.each(made);
  await reports.finish([made], () => ({ schema: 'test@1' }));
  return { out, said, folder };
}

const read = async (folder: string, name: string) => readFile(join(folder, name), 'utf8');

describe('standard output', () => {
  test('has text when nothing is said', async () => {
    expect((await report([])).out).toMatch(/^tiny: as it should be\n/);
  });

  test('has text still when all reports go to files, in folders made for them', async () => {
    const { out, folder } = await report([
      'junit=out/results.xml',
      'markdown=summary.md',
      'json=out/run.json',
    ]);
    expect(out).toMatch(/^tiny: as it should be\n/);
    expect(await read(folder, 'out/results.xml')).toMatch(
      /^<\?xml version="1.0" encoding="UTF-8"\?>\n<testsuites /,
    );
    expect(await read(folder, 'summary.md')).toMatch(/^## lblab: /);
    expect(await read(folder, 'out/run.json')).toBe('{"schema":"test@1"}\n');
  });

  test.each([
    ['tap', /^TAP version 14\n/],
    ['tap=-', /^TAP version 14\n/],
    ['json', /^\{"schema":"test@1"\}\n$/],
    ['github', /^::error /],
  ])('%s takes the place of text', async (wanted, start) => {
    expect((await report([wanted])).out).toMatch(start);
  });

  test('can have text and annotations together', async () => {
    expect((await report(['text', 'github'])).out).toMatch(/^tiny: [^]*\n::error /);
  });

  test('has one document at most', async () => {
    await expect(report(['tap', 'junit'])).rejects.toMatchObject({
      exitCode: 2,
      message:
        'standard output can have one of tap, junit: give the others a file, such as --report junit=FILE',
    });
    await expect(report(['markdown'], { json: true })).rejects.toMatchObject({ exitCode: 2 });
    expect((await report(['json'], { json: true })).out).toBe('{"schema":"test@1"}\n');
  });
});

describe('what cannot be done is said before a lab is built', () => {
  test.each([
    [
      'juni',
      'did you mean junit? forms: text, json, junit, markdown, html, tap, github; such as --report junit=results.xml',
    ],
    ['html5', 'forms: text, json, junit, markdown, html, tap, github; such as --report junit=results.xml'],
    ['junit=', 'name a file behind junit=, or - for standard output'],
  ])('--report %s', (wanted, message) => {
    expect(() => wantedReport(wanted)).toThrow(message);
  });

  test('a file that is a folder', async () => {
    const folder = await temporaryFolder();
    await mkdir(join(folder, 'results.xml'));
    await expect(report(['junit=results.xml'], { folder })).rejects.toMatchObject({
      exitCode: 2,
      message: `no report can be written to ${join(folder, 'results.xml')}: it is a folder`,
    });
  });

  test('a file below a file', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'file'), '');
    await expect(report(['junit=file/results.xml'], { folder })).rejects.toMatchObject({ exitCode: 2 });
  });

  test('two reports in one file', async () => {
    await expect(report(['junit=a', 'tap=./a'])).rejects.toThrow('two reports would go to ');
  });
});

describe('in a GitHub job', () => {
  const env = (folder: string) => ({ GITHUB_ACTIONS: 'true', GITHUB_STEP_SUMMARY: join(folder, 'summary') });

  test('annotations follow the text, and the summary is added to what is there', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'summary'), 'before\n');
    const { out } = await report([], { env: env(folder), folder });
    expect(out).toMatch(/^tiny: [^]*\n::error [^]*\n::warning /);
    expect(await read(folder, 'summary')).toMatch(/^before\n## lblab: /);
  });

  test('a document on standard output stays whole: annotations go to standard error', async () => {
    const folder = await temporaryFolder();
    const { out, said } = await report([], { json: true, env: env(folder), folder });
    expect(JSON.parse(out)).toEqual({ schema: 'test@1' });
    expect(said).toMatch(/^::error /);
  });

  test('annotations that are asked for come once', async () => {
    const folder = await temporaryFolder();
    const { out, said } = await report(['github'], { env: env(folder), folder });
    expect(out.match(/^::error /gm)).toHaveLength(1);
    expect(said).toBe('');
  });

  test('a summary that has no room says where the rest is', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'summary'), 'x'.repeat(999_900));
    await report([], { env: env(folder), folder });
    expect(await read(folder, 'summary')).toMatch(
      /x\nlblab: too much for a summary; --report markdown=FILE has it\.\n$/,
    );
  });

  test('elsewhere nothing of the kind happens', async () => {
    const folder = await temporaryFolder();
    const { out } = await report([], { env: { GITHUB_STEP_SUMMARY: join(folder, 'summary') }, folder });
    expect(out).not.toContain('::error');
    await expect(read(folder, 'summary')).rejects.toThrow('ENOENT');
  });
});
