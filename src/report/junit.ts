// JUnit XML, as CI servers read it: a suite for each lab, a case for each claim. What is undecided is an error, never a pass and never
// skipped; skipped are only claims that need the live lab.
import type { Check } from '../verify/types.ts';
import { forXml } from './escape.ts';
import { citedLines, placeText } from './failure.ts';
import { nameOf, type Judged, type Reporter } from './types.ts';

type Attributes = Readonly<Record<string, string | number | undefined>>;

function element(name: string, attributes: Attributes, content: string, indent: string): string {
  const written = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}="${forXml(String(value)).replaceAll('\n', '&#10;')}"`)
    .join('');
  return content === ''
    ? `${indent}<${name}${written}/>\n`
    : `${indent}<${name}${written}>${content}</${name}>\n`;
}

const nested = (parts: readonly string[], indent: string) =>
  parts.length === 0 ? '' : `\n${parts.join('')}${indent}`;

function details(check: Check, result: Judged): string {
  return forXml(
    [
      `expected: ${check.expected}`,
      `observed: ${check.observed}`,
      ...(check.location === undefined ? [] : [placeText(check.location)]),
      ...citedLines(check, result.evidence),
      ...(check.note === undefined ? [] : [check.note]),
    ].join('\n'),
  );
}

function testCase(check: Check, result: Judged): string {
  const attributes = { classname: `lblab.${nameOf(result)}`, name: `${check.id}: ${check.title}` };
  const inner = '      ';
  if (!check.judged)
    return element(
      'testcase',
      attributes,
      nested([element('skipped', { message: check.observed }, '', inner)], '    '),
      '    ',
    );
  if (check.status === 'pass' || check.level === 'warning') {
    const words = check.status === 'pass' ? forXml(check.observed) : `warning\n${details(check, result)}`;
    const seen = element('system-out', {}, words, inner);
    return element('testcase', attributes, nested([seen], '    '), '    ');
  }
  const [name, type] = check.status === 'fail' ? ['failure', 'failed'] : ['error', 'undecided'];
  const outcome = element(name, { type, message: check.observed }, details(check, result), inner);
  return element('testcase', attributes, nested([outcome], '    '), '    ');
}

function counts(checks: readonly Check[]) {
  const judged = checks.filter((check) => check.judged && check.level !== 'warning');
  return {
    tests: checks.length,
    failures: judged.filter(({ status }) => status === 'fail').length,
    errors: judged.filter(({ status }) => status === 'unknown').length,
    skipped: checks.filter((check) => !check.judged).length,
  };
}

const seconds = (result: Judged) => (result.timings?.total ?? 0) / 1000;

function suite(result: Judged): string {
  const property = (name: string, value: string) => element('property', { name, value }, '', '      ');
  const properties = [
    ...(result.kernel === undefined ? [] : [property('kernel', result.kernel)]),
    ...(result.file === undefined ? [] : [property('topology', result.file)]),
    property('captures', result.output),
  ];
  return element(
    'testsuite',
    { name: nameOf(result), ...counts(result.checks), time: seconds(result).toFixed(3) },
    nested(
      [
        element('properties', {}, nested(properties, '    '), '    '),
        ...result.checks.map((check) => testCase(check, result)),
      ],
      '  ',
    ),
    '  ',
  );
}

export const junitReporter: Reporter = {
  render: (results) => {
    const time = results.reduce((sum, result) => sum + seconds(result), 0).toFixed(3);
    const all = counts(results.flatMap(({ checks }) => checks));
    return (
      '<?xml version="1.0" encoding="UTF-8"?>\n' +
      element('testsuites', { name: 'lblab', ...all, time }, nested(results.map(suite), ''), '')
    );
  },
};
