// Each form of report: what it says, and that nothing untrusted gets out of its place.
import { gfm, gfmHtml } from 'micromark-extension-gfm';
import { micromark } from 'micromark';
import { SaxesParser } from 'saxes';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { forTerminal } from '../../src/report/escape.ts';
import { FORMS } from '../../src/report/reporters.ts';
import { HOSTILE, LONG, OPTIONS, result } from './results.ts';

async function render(form: string, ...words: string[]): Promise<string> {
  const reporter = await FORMS.get(form)!.load();
  return reporter.render(await Promise.all(words.map(async (text) => result(text))), OPTIONS);
}

interface Element {
  readonly name: string;
  readonly attributes: Record<string, string>;
  readonly children: Element[];
  text: string;
}

/** Throws for anything that is not well-formed. */
function parseXml(xml: string): Element {
  const root: Element = { name: '', attributes: {}, children: [], text: '' };
  const open = [root];
  const parser = new SaxesParser();
  parser.on('error', (error) => {
    throw error;
  });
  parser.on('opentag', ({ name, attributes }) => {
    const element = { name, attributes: attributes as Record<string, string>, children: [], text: '' };
    open.at(-1)!.children.push(element);
    open.push(element);
  });
  parser.on('closetag', () => open.pop());
  parser.on('text', (text) => (open.at(-1)!.text += text));
  parser.write(xml).close();
  return root.children[0]!;
}

const PACKETS = [
  'eth0.pcap',
  '  1  0.000000  10.0.0.1:40000 > 10.0.0.2:80  PSH ACK seq 1 ack 0 len 19  ttl 64  GET /0 HTTP/1.0',
  '  2  0.001000  10.0.0.1:40001 > 10.0.0.2:80  PSH ACK seq 1 ack 0 len 19  ttl 64  GET /1 HTTP/1.0',
  '  3  0.002000  10.0.0.1:40002 > 10.0.0.2:80  PSH ACK seq 1 ack 0 len 19  ttl 64  GET /2 HTTP/1.0',
  '  4  0.003000  10.0.0.1:40003 > 10.0.0.2:80  PSH ACK seq 1 ack 0 len 19  ttl 64  GET /3 HTTP/1.0',
  '  5  0.004000  10.0.0.1:40004 > 10.0.0.2:80  PSH ACK seq 1 ack 0 len 19  ttl 64  GET /4 HTTP/1.0',
  '  6  0.005000  10.0.0.1:40005 > 10.0.0.2:80  PSH ACK seq 1 ack 0 len 19  ttl 64  GET /5 HTTP/1.0',
  '  and 2 more: 7, 9',
];

describe('text', () => {
  test('says of a claim that fails what was expected, what was seen, and shows the packets', async () => {
    const text = await render('text', 'as it should be');
    expect(text.split('\n')).toEqual([
      'tiny: as it should be',
      '  1 request, 0 answered: server 0',
      '    as it should be',
      '  captures in captures/tiny',
      '    eth0.pcap  server:eth0  9 packets  9 connections  from 10.0.0.1',
      '  ✓ tiny.pass  as it should be',
      '      as it should be',
      '  ✗ tiny.fail  as it should be',
      '      expected  wanted as it should be',
      '      observed  as it should be',
      ...PACKETS.map((line) => `      ${line}`),
      '      as it should be',
      '  ? tiny.unknown  as it should be',
      '      expected  wanted as it should be',
      '      observed  as it should be',
      '  - tiny.live  as it should be (needs the live lab)',
      '  failed: 1 of 3 claims hold, in 1.23 s',
      '',
      '',
    ]);
  });

  test('is inert in a terminal and in a GitHub log', async () => {
    const text = await render('text', HOSTILE);
    // eslint-disable-next-line no-control-regex
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
    for (const line of text.split('\n')) expect(line).not.toMatch(/^\s*::|##\[/);
  });
});

describe('JUnit', () => {
  test('has a suite for the lab and a case for each claim; undecided is an error', async () => {
    const suites = parseXml(await render('junit', 'as it should be', 'as it should be'));
    expect(suites).toMatchObject({
      name: 'testsuites',
      attributes: { name: 'lblab', tests: '8', failures: '2', errors: '2', skipped: '2', time: '2.468' },
    });
    const [suite] = suites.children;
    expect(suite!.attributes).toEqual({
      name: 'tiny',
      tests: '4',
      failures: '1',
      errors: '1',
      skipped: '1',
      time: '1.234',
    });
    const cases = suite!.children.filter(({ name }) => name === 'testcase');
    expect(cases.map(({ attributes }) => [attributes.classname, attributes.name])).toEqual([
      ['lblab.tiny', 'tiny.pass: as it should be'],
      ['lblab.tiny', 'tiny.fail: as it should be'],
      ['lblab.tiny', 'tiny.unknown: as it should be'],
      ['lblab.tiny', 'tiny.live: as it should be'],
    ]);
    expect(cases.map(({ children }) => children[0]!.name)).toEqual([
      'system-out',
      'failure',
      'error',
      'skipped',
    ]);
    expect(cases[1]!.children[0]!.attributes).toEqual({ type: 'failed', message: 'as it should be' });
    expect(cases[1]!.children[0]!.text.split('\n')).toEqual([
      'expected: wanted as it should be',
      'observed: as it should be',
      ...PACKETS,
      'as it should be',
    ]);
  });

  test('is well-formed whatever is in it, and says it all', async () => {
    const suites = parseXml(await render('junit', HOSTILE));
    const [, , fail] = suites.children[0]!.children;
    expect(suites.children).toHaveLength(1);
    expect(fail!.children[0]!.attributes.message).toBe(HOSTILE.split('\n').map(forTerminal).join('\n'));
  });
});

describe('Markdown', () => {
  const html = (markdown: string) =>
    micromark(markdown, { extensions: [gfm()], htmlExtensions: [gfmHtml()], allowDangerousHtml: true });

  test('has a row for each claim and what failed in full', async () => {
    const markdown = await render('markdown', 'as it should be');
    expect(markdown.split('\n').slice(0, 12)).toEqual([
      '## lblab: not every claim holds in 1 of 1 labs',
      '',
      '### tiny: 1 of 3 claims hold',
      '',
      'as it should be. 1 request, 0 answered: server 0. Captures in captures/tiny.',
      '',
      '|  | claim | observed |',
      '| --- | --- | --- |',
      '| ✅ holds | **tiny.pass** as it should be | as it should be |',
      '| ❌ fails | **tiny.fail** as it should be | as it should be |',
      '| ❔ undecided | **tiny.unknown** as it should be | as it should be |',
      '',
    ]);
    expect(html(markdown)).toContain(`<pre>${PACKETS.join('\n').replaceAll('>', '&gt;')}</pre>`);
  });

  test('has the tags of a harmless report and no others, whatever is in it', async () => {
    const tags = (text: string) =>
      (html(text).match(/<[^>]*>/g) ?? []).filter((tag) => !tag.includes('mailto:'));
    const harmless = tags(await render('markdown', 'x'));
    expect(tags(await render('markdown', HOSTILE))).toEqual(harmless);
    expect(tags(await render('markdown', LONG))).toEqual(harmless);
  });

  test('is short, whatever is long', async () => {
    expect((await render('markdown', LONG)).length).toBeLessThan(20_000);
  });
});

describe('TAP', () => {
  test('has a subtest for the lab and diagnostics in YAML', async () => {
    const tap = await render('tap', 'as it should be');
    const lines = tap.split('\n');
    expect(lines.slice(0, 5)).toEqual([
      'TAP version 14',
      '1..1',
      '# Subtest: tiny',
      '    1..4',
      '    ok 1 - tiny.pass: as it should be',
    ]);
    expect(lines).toContain('    not ok 2 - tiny.fail: as it should be');
    expect(lines).toContain('    ok 4 - tiny.live: as it should be # SKIP needs the live lab');
    expect(lines.at(-2)).toBe('not ok 1 - tiny');
    const [from, to] = [lines.indexOf('      ---'), lines.indexOf('      ...')];
    expect(parse(lines.slice(from + 1, to).join('\n'))).toEqual({
      severity: 'fail',
      expected: 'wanted as it should be',
      observed: 'as it should be',
      packets: PACKETS,
      note: 'as it should be',
    });
  });

  test('has as many points as it plans, whatever is in it', async () => {
    const lines = (await render('tap', HOSTILE)).split('\n');
    expect(lines.filter((line) => /^ {4}(not )?ok \d/.test(line))).toHaveLength(4);
    expect(lines.filter((line) => /^(not )?ok \d/.test(line))).toEqual(['not ok 1 - tiny']);
    expect(lines.filter((line) => /^ *(not )?ok .*[^\\]# SKIP/.test(line))).toHaveLength(1);
    const [from, to] = [lines.indexOf('      ---'), lines.indexOf('      ...')];
    expect(parse(lines.slice(from + 1, to).join('\n'))).toMatchObject({ observed: forTerminal(HOSTILE) });
  });
});

describe('GitHub', () => {
  test('has an error for what fails and a warning for what is undecided, at the topology', async () => {
    const commands = (await render('github', 'as it should be')).split('\n');
    expect(commands).toEqual([
      '::error file=labs/tiny.yaml,line=1,title=tiny%3A tiny.fail failed::as it should be%0Aexpected: wanted as it should be' +
        `%0Aobserved: as it should be%0A${PACKETS.join('%0A')}`,
      '::warning file=labs/tiny.yaml,line=1,title=tiny%3A tiny.unknown is undecided::as it should be%0Aexpected: wanted as it should be%0Aobserved: as it should be',
      '',
    ]);
  });

  test('has two commands and nothing else, whatever is in it', async () => {
    for (const words of [HOSTILE, LONG]) {
      const commands = (await render('github', words)).split('\n');
      expect(commands.map((line) => line.slice(0, 9))).toEqual(['::error f', '::warning', '']);
      for (const line of commands) expect(line.length).toBeLessThan(20_000);
    }
  });

  test('says nothing when all holds', async () => {
    const reporter = await FORMS.get('github')!.load();
    expect(reporter.render([await result('x', [])], OPTIONS)).toBe('');
  });
});

describe('an assertion that is a warning', () => {
  const warned = async (form: string) => {
    const reporter = await FORMS.get(form)!.load();
    const made = await result('x', [
      {
        id: 'expect.1',
        title: 'soon',
        judged: true,
        status: 'fail',
        level: 'warning',
        location: { file: 'labs/tiny.yaml', line: 12, column: 5 },
        expected: 'under 1 ms',
        observed: '2 ms',
        evidence: [],
      },
    ]);
    return reporter.render([made], OPTIONS);
  };

  test('says so, and where it stands, and fails nothing', async () => {
    expect(await warned('text')).toContain(
      '  ! expect.1  soon\n      at  labs/tiny.yaml:12:5, a warning\n      expected  under 1 ms\n      observed  2 ms\n',
    );
    const [suite] = parseXml(await warned('junit')).children;
    expect(suite!.attributes).toMatchObject({ tests: '1', failures: '0', errors: '0' });
    expect(await warned('tap')).toMatch(/^ {4}not ok 1 - expect\.1: soon # TODO a warning$/m);
    expect(await warned('tap')).toMatch(/^ok 1 - tiny$/m);
    expect(await warned('markdown')).toContain('| ⚠️ warning | **expect.1** soon');
    expect(await warned('github')).toMatch(/^::warning file=labs\/tiny\.yaml,line=12,/);
  });
});

test('JSON is one document on one line', async () => {
  const text = await render('json', 'x');
  expect(text.indexOf('\n')).toBe(text.length - 1);
  expect(JSON.parse(text)).toEqual({ schema: 'test@1', text: expect.stringContaining('::error::injected') });
});
