// The forms that verdicts can be reported in, by the name that `--report` takes. A new one is a file here and an entry in this list;
// its file is loaded when it is wanted.
import type { Reporter } from './types.ts';

export interface Form {
  readonly description: string;
  /** Whether its output is a document of its own, which nothing else may be mixed with. */
  readonly isDocument: boolean;
  readonly load: () => Promise<Reporter>;
}

export const FORMS: ReadonlyMap<string, Form> = new Map<string, Form>([
  [
    'text',
    {
      description: 'for people',
      isDocument: false,
      load: async () => (await import('./text.ts')).textReporter,
    },
  ],
  [
    'json',
    {
      description: 'as --json',
      isDocument: true,
      load: async () => (await import('./json.ts')).jsonReporter,
    },
  ],
  [
    'junit',
    {
      description: 'JUnit XML',
      isDocument: true,
      load: async () => (await import('./junit.ts')).junitReporter,
    },
  ],
  [
    'markdown',
    {
      description: 'tables for a pull request',
      isDocument: true,
      load: async () => (await import('./markdown.ts')).markdownReporter,
    },
  ],
  [
    'html',
    {
      description: 'one page for people',
      isDocument: true,
      load: async () => (await import('./html.ts')).htmlReporter,
    },
  ],
  [
    'tap',
    { description: 'TAP 14', isDocument: true, load: async () => (await import('./tap.ts')).tapReporter },
  ],
  [
    'github',
    {
      description: 'annotations',
      isDocument: false,
      load: async () => (await import('./github.ts')).githubReporter,
    },
  ],
]);
