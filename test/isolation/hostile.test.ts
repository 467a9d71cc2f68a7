// Words that mean harm: in a topology, on the command line, in packets. What cannot be meant is refused before anything is executed; what is
// only odd reaches a program as one argument, and a terminal or a page as plain text.
import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { place, type Place } from '../support/cli.ts';

const root = resolve(import.meta.dirname, '../..');

async function aPlace(): Promise<Place> {
  const here = await place();
  onTestFinished(async () => {
    await here.run(['down', '--all']);
    await here.remove();
  });
  return here;
}

/** The L7 topology with some of its text in other words. */
async function withWords(here: Place, ...changes: readonly (readonly [from: string, to: string])[]) {
  let text = await readFile(join(root, 'topologies/l7.yaml'), 'utf8');
  for (const [from, to] of changes) {
    expect(text).toContain(from);
    text = text.replace(from, () => to);
  }
  await writeFile(join(here.cwd, 'mine.yaml'), text);
}

const labs = async (here: Place) => readdir(join(here.state, 'labs')).catch(() => []);

describe('a topology is refused, and nothing is executed, for', () => {
  const RUN = '$(touch pwned)';
  it.each([
    ['a lab named as a path', 'name: l7', 'name: ../../pwned', '2:7: '],
    ['a lab named in shell', 'name: l7', `name: "${RUN}"`, '2:7: '],
    ['a node named in shell', '  be2:\n', '  "be2; touch pwned":\n', '27:3: '],
    ['a node named as an option', '  be2:\n', '  "--net=/proc/1/ns/net":\n', '27:3: '],
    ['a node named with control characters', '  be2:\n', '  "be\\e[2J":\n', '27:3: '],
    ['an interface named in shell', '      eth1:', `      "${RUN}":`, '21:7: '],
    ['an interface named as a path', '      eth1:', '      "../all":', '21:7: '],
    ['a segment named in shell', '  back:', '  "`touch pwned`":', '10:3: '],
    ['a capture named as a path', '  eth0: { at', '  "../../pwned": { at', '43:3: '],
    ['a capture filter that is an option', 'filter: port 80', 'filter: -wpwned', '43:'],
    ['a capture filter with control characters', 'filter: port 80', 'filter: "port 80\\e]0;owned\\a"', '43:'],
    ['an upstream with directives', 'upstream: myapp1', 'upstream: "a; } include /etc/passwd; #"', '38:15: '],
    ['a file beside its node', '    role: client', '    role: client\n    files: { ../../pwned: x }', '15:'],
    ['a file by its path', '    role: client', '    role: client\n    files: { /etc/pwned: x }', '15:'],
    ['a header of two lines', '  requests: 10', '  requests: 10\n  headers: { X-A: "a\\r\\nX-B: b" }', '52:'],
    [
      'a header named in two lines',
      '  requests: 10',
      '  requests: 10\n  headers: { "X-A: a\\r\\nX-B": b }',
      '52:',
    ],
    ['a URL that is an option', '  requests: 10', '  requests: 10\n  url: -ofile:pwned', '52:'],
    ['a URL of a file', '  requests: 10', '  requests: 10\n  url: file:///etc/passwd', '52:'],
  ])('%s', async (_, from, to, position) => {
    const here = await aPlace();
    await withWords(here, [from, to]);
    const { code, stdout, stderr } = await here.run(['run', 'mine.yaml']);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(`mine.yaml:${position}`);
    // eslint-disable-next-line no-control-regex
    expect(stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
    expect(await readdir(here.cwd)).toEqual(['mine.yaml']);
    expect(await labs(here)).toEqual([]);
  });
});

describe('files that a topology names', () => {
  const naming = async (here: Place, from: string, file = 'mine.yaml') => {
    await withWords(here, ['    role: client', `    role: client\n    files: { x: { from: ${from} } }`]);
    if (file !== 'mine.yaml') await rename(join(here.cwd, 'mine.yaml'), join(here.cwd, file));
    const { code, stdout, stderr } = await here.run(['validate', file], { seconds: 20 });
    return { code, words: stdout + stderr };
  };

  it('are plain ones of its folder, or named by an absolute path', async () => {
    const here = await aPlace();
    await mkdir(join(here.cwd, 'sub/deep'), { recursive: true });
    await writeFile(join(here.cwd, 'sub/page'), 'hello');
    await symlink('../page', join(here.cwd, 'sub/deep/same'));
    for (const from of ['page', 'deep/same', join(here.cwd, 'sub/page'), '/etc/hostname'])
      expect(await naming(here, from, 'sub/mine.yaml')).toMatchObject({ code: 0 });
  });

  it('are no pipes, devices, or links that lead elsewhere', async () => {
    const here = await aPlace();
    await promisify(execFile)('mkfifo', [join(here.cwd, 'pipe')]);
    await symlink('/dev/zero', join(here.cwd, 'zero'));
    await symlink('/etc', join(here.cwd, 'etc'));
    for (const [from, words] of [
      ['pipe', 'pipe is no plain file'],
      ['/dev/zero', '/dev/zero is no plain file'],
      ['zero', 'a symbolic link leads out of the folder'],
      ['etc/hostname', 'a symbolic link leads out of the folder'],
    ])
      expect(await naming(here, from!)).toMatchObject({
        code: 2,
        words: expect.stringContaining(words!) as string,
      });
    const { code, stderr } = await here.run(['plan', '/dev/zero'], { seconds: 20 });
    expect({ code, stderr }).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('too large') as string,
    });
  });
});

it('a lab’s program that puts a link in the place of its agent’s socket leads no command to another lab', async () => {
  const here = await aPlace();
  await Promise.all([here.run(['up', 'l7']), here.run(['up', 'dnsrr', '--name', 'other'])]);
  const socket = (lab: string) => join(here.state, 'labs', lab, 'lab/agent.sock');
  const link = `ln -sf ${socket('other')} ${socket('l7')}`;
  expect((await here.run(['exec', '-l', 'l7', 'be1', '--', 'sh', '-c', link])).code).toBe(0);
  expect((await here.run(['status', 'l7'])).code).toBe(2);
  expect((await here.run(['down', 'l7'])).stdout).toBe('down: l7\n');
  expect((await here.run(['exec', '-l', 'other', 'be1', '--', 'true'])).code).toBe(0);
});

it('a document that lblab has not written is refused', async () => {
  const here = await aPlace();
  for (const [schema, lab] of [
    ['lblab/run@1', null],
    ['lblab/run@1', { captures: 5 }],
    ['lblab/run@1', { lab: 'x', topology: 5, kernel: 'host', captures: [], timings: {} }],
    ['lblab/failover@1', { topology: 'l7', captures: 7 }],
  ]) {
    await writeFile(join(here.cwd, 'run.json'), JSON.stringify({ schema, labs: [lab] }));
    const { code, stderr } = await here.run(['report', 'run.json']);
    expect({ lab, code, stderr }).toMatchObject({
      lab,
      code: 2,
      stderr: expect.stringContaining('run.json: not what lblab run --json') as string,
    });
  }
});

it('a command line names labs and folders of labs only by their names', async () => {
  const here = await aPlace();
  expect((await here.run(['up', 'l7'])).code).toBe(0);
  for (const args of [
    ['up', 'nat', '--name', '../../pwned'],
    ['up', 'nat', '--name', 'a/b'],
    ['down', '../../work'],
    ['status', '../l7'],
    ['exec', '-l', '../l7', 'lb', '--', 'true'],
    ['exec', '../lb', '--', 'true'],
    ['exec', '--', '-x', 'true'],
    ['fault', 'be1', 'delay 5ms; touch pwned'],
    ['fault', 'be1', 'stop-service ../../pwned'],
    ['capture', '--filter', '-wpwned'],
    ['capture', '--filter', '--write=pwned'],
    ['failover', 'nat', '--scheduler', 'rr; touch pwned'],
  ]) {
    const { code, stderr } = await here.run(args);
    expect({ args, code, stderr }).toMatchObject({
      args,
      code: 2,
      stderr: expect.stringMatching(/\w/) as string,
    });
  }
  expect(await readdir(here.cwd)).toEqual([]);
  expect(await labs(here)).toEqual(['l7']);
});

describe('odd words', () => {
  const ODD = `'"$(touch pwned)\`touch pwned\`;touch pwned|<img src=x onerror=alert(1)>&%s\\n`;
  const FILLER = 'A'.repeat(60);
  const ESCAPES = '\u001b]0;owned\u0007\u001b[2J\u009b31m<script>alert(1)</script>'.padEnd(60, '.');

  it('in a topology are one argument of a program; in packets, plain text in every output', async () => {
    const here = await aPlace();
    const quoted = JSON.stringify(ODD);
    await withWords(
      here,
      ['title: L7 load balancing with nginx', `title: ${quoted}`],
      ['  requests: 10', `  requests: 2\n  headers: { X-Odd: ${quoted}, X-Filler: ${FILLER} }`],
      ['filter: port 80 }\n  be2', `filter: "port 80 and not ether proto 0x1234" }\n  be2`],
    );
    const run = await here.run(['run', 'mine.yaml', '-o', 'out', '--json']);
    expect(run.code).toBe(0);

    // What packets cannot be made to carry by a topology, any client can send.
    const captures = (await readdir(join(here.cwd, 'out'))).filter((name) => name.endsWith('.pcap'));
    expect(captures).toHaveLength(5);
    let changed = 0;
    for (const name of captures) {
      const path = join(here.cwd, 'out', name);
      const bytes = await readFile(path);
      for (let at = bytes.indexOf(FILLER); at >= 0; at = bytes.indexOf(FILLER)) {
        Buffer.from(ESCAPES, 'latin1').copy(bytes, at);
        changed += 1;
      }
      await writeFile(path, bytes);
    }
    expect(changed).toBe(2 * 4);

    const texts = [];
    for (const args of [
      ['inspect', 'out/eth0.pcap', '--headers', '-v'],
      ['inspect', 'out/eth0.pcap', '--packets'],
      ['inspect', 'out/eth0.pcap', '--json'],
      ['flow', 'out', '--all'],
      ['verify', '--topology', 'mine.yaml', '--captures', 'out'],
      ...['text', 'json', 'junit', 'markdown', 'tap', 'github'].map((form) => [
        ...['verify', '--topology', 'mine.yaml', '--captures', 'out', '--report', form],
      ]),
      ['plan', 'mine.yaml'],
      ...['ascii', 'mermaid', 'dot', 'json'].map((form) => ['plan', 'mine.yaml', '--format', form]),
    ]) {
      const { code, stdout, stderr } = await here.run(args);
      expect({ args, code, stderr }).toMatchObject({ args, code: 0 });
      texts.push(stdout, stderr);
    }
    // eslint-disable-next-line no-control-regex
    expect(texts.join('')).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
    expect(texts.join('')).toContain('X-Odd');

    expect((await here.run(['report', 'out', '-o', 'page.html'])).code).toBe(0);
    const page = await readFile(join(here.cwd, 'page.html'), 'utf8');
    expect(page).not.toMatch(/<img|<script>alert|onerror=alert\(1\)>/);
    expect(page).toContain('&lt;img src=x onerror=alert(1)&gt;');
    expect((await readdir(here.cwd)).sort()).toEqual(['mine.yaml', 'out', 'page.html']);
  });
});
