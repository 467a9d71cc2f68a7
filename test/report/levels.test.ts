// What reports make of an assertion's level and place: a warning never fails a build, whatever reads the report.
import { describe, expect, test } from 'vitest';
import { checkDocument } from '../../src/report/json.ts';
import { FORMS } from '../../src/report/reporters.ts';
import type { Check } from '../../src/verify/types.ts';
import { OPTIONS, result } from './results.ts';

const check = (level: 'error' | 'warning'): Check => ({
  id: 'expect[3] status',
  title: 'every request is answered with status 200',
  judged: true,
  status: 'fail',
  level,
  location: { file: 'tiny.yaml', line: 31, column: 5 },
  expected: 'every request is answered with status 200',
  observed: '2 requests: all with 502',
  evidence: [],
});

async function render(form: string, level: 'error' | 'warning'): Promise<string> {
  const reporter = await FORMS.get(form)!.load();
  const made = await result('fine', [check(level)]);
  return reporter.render([{ ...made, file: `${OPTIONS.cwd}/tiny.yaml` }], OPTIONS);
}

describe('an assertion that failed', () => {
  test.each([
    ['text', '✗ expect[3] status', 'tiny.yaml:31:5'],
    ['junit', '<failure type="failed"', 'tiny.yaml:31:5'],
    ['tap', 'not ok 1 - expect[3] status: every request is answered with status 200\n', 'tiny.yaml:31:5'],
    ['markdown', '❌ fails', 'tiny.yaml:31:5'],
    ['github', '::error file=tiny.yaml,line=31,', '502'],
  ])('is an error with its place in %s', async (form, ...words) => {
    const report = await render(form, 'error');
    for (const each of words) expect(report).toContain(each);
  });

  test.each([
    ['text', '! expect[3] status', ', a warning'],
    ['junit', '<testsuites name="lblab" tests="1" failures="0" errors="0" skipped="0"', 'warning'],
    ['tap', 'not ok 1 - expect[3] status: every request is answered with status 200 # TODO a warning', ''],
    ['markdown', '⚠️ warning', 'tiny.yaml:31:5'],
    ['github', '::warning file=tiny.yaml,line=31,', '502'],
  ])('is no error in %s when its level is warning', async (form, ...words) => {
    const report = await render(form, 'warning');
    for (const each of words) expect(report).toContain(each);
    expect(report).not.toMatch(/<failure|❌|::error|✗/);
  });

  test('has both in JSON', () => {
    expect(checkDocument(check('warning'))).toMatchObject({
      level: 'warning',
      location: { file: 'tiny.yaml', line: 31, column: 5 },
    });
  });
});
