// GitHub's workflow commands: an annotation for each claim that did not hold, at its topology's file. The job summary is Markdown's.
import { isAbsolute } from 'node:path';
import type { Check } from '../verify/types.ts';
import { clip, forGithubMessage, forGithubProperty } from './escape.ts';
import { citedLines, shownPath } from './failure.ts';
import { nameOf, type Judged, type Reporter } from './types.ts';

/** GitHub shows no more of an annotation. */
const MESSAGE = 4000;

function annotation(check: Check, result: Judged, cwd: string): string {
  const level = check.status === 'fail' && check.level !== 'warning' ? 'error' : 'warning';
  const title = `${nameOf(result)}: ${check.id} ${check.status === 'fail' ? 'failed' : 'is undecided'}`;
  // A topology that ships is no file of the repository.
  const file = result.file === undefined ? undefined : shownPath(cwd, result.file);
  const place =
    file === undefined || isAbsolute(file)
      ? ''
      : `file=${forGithubProperty(file)},line=${check.location?.line ?? 1},`;
  const words = [
    check.title,
    `expected: ${check.expected}`,
    `observed: ${check.observed}`,
    ...citedLines(check, result.evidence),
  ].join('\n');
  return `::${level} ${place}title=${forGithubProperty(title)}::${forGithubMessage(clip(words, MESSAGE))}\n`;
}

export const githubReporter: Reporter = {
  render: (results, { cwd }) =>
    results
      .flatMap((result) =>
        result.checks
          .filter((check) => check.judged && check.status !== 'pass')
          .map((check) => annotation(check, result, cwd)),
      )
      .join(''),
};
