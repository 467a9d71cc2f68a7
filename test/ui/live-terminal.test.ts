// `lblab capture --live` as a process, on this machine's kernel and on a user-mode one: packets while they come, in order, and whole files
// whatever ends it.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readCapture } from '../../src/pcap/index.ts';
import { place, type Place } from '../support/cli.ts';
import { screen } from '../support/screen.ts';

let here: Place;
beforeAll(async () => {
  here = await place();
});
afterAll(async () => {
  await here.run(['down', '--all']);
  await here.remove();
});

const LINE = /^(\d+\.\d{6}) {2}(\S+) +(\S+ > \S+ +.*|ARP .*)$/;
const linesOf = (stdout: string) =>
  stdout.split('\n').flatMap((line) => {
    const match = LINE.exec(line);
    return match === null ? [] : [{ time: Number(match[1]), point: match[2]!, words: match[3]! }];
  });

const packetsIn = async (folder: string, names: readonly string[]) => {
  const captures = await Promise.all(
    names.map(async (name) => readCapture(join(here.cwd, folder, `${name}.pcap`))),
  );
  for (const { truncated } of captures) expect(truncated).toBeUndefined();
  return captures.reduce((sum, { packets }) => sum + packets.length, 0);
};

const LABS = [
  ['l7', 'host', ['eth0', 'eth1', 'client', 'be1', 'be2'], undefined],
  [
    'nat',
    'uml',
    ['eth0', 'eth1', 'client', 'be1', 'be2'],
    /SYN {2}<- dst 192\.168\.11\.107 > 10\.133\.1\.\d, dst mac lb > be\d, ttl 64 > 63$/,
  ],
] as const;

describe.each(LABS)('packets of %s on the %s kernel, as they come', (topology, kernel, points, rewriting) => {
  const name = `live-${topology}`;
  beforeAll(async () => {
    expect(await here.run(['up', topology, '--kernel', kernel, '--name', name])).toMatchObject({ code: 0 });
  });

  it('are all there, in order of time, with what was rewritten', async () => {
    const { code, stdout } = await here.run(['capture', name, '--live', '-n', '3', '-o', `${name}-all`]);
    expect(code).toBe(0);
    const lines = linesOf(stdout);
    const times = lines.map(({ time }) => time);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(lines).toHaveLength(await packetsIn(`${name}-all`, points));
    expect(lines.filter(({ words }) => words.includes('GET / HTTP/1.1')).length).toBeGreaterThanOrEqual(6);
    if (rewriting !== undefined) {
      const marked = lines.filter(({ point, words }) => point === 'eth1' && rewriting.test(words));
      expect(marked).toHaveLength(3);
    }
    expect(stdout).toContain('3 requests, 3 answered');
  });

  it('come until Ctrl-C, and the files are whole', async () => {
    const { shows, press, history } = await screen(
      here.argv(['capture', name, '--live', '--no-traffic', '-o', `${name}-cut`]),
      { cwd: here.cwd, env: here.env, columns: 200, rows: 60 },
    );
    await shows('capturing; Ctrl-C ends it');
    expect(await here.run(['request', name, '-n', '2'])).toMatchObject({ code: 0 });
    // While it goes on.
    await shows(/HTTP\/1\.1 200 OK/);
    await press('C-c');
    await shows('ended with 0');
    const lines = linesOf((await history()).replaceAll(/\u001B\[[\d;]*m|\^C/g, ''));
    expect(lines).toHaveLength(await packetsIn(`${name}-cut`, points));
  });

  it('and requests that Ctrl-C cuts short end in order too', async () => {
    const { shows, press } = await screen(
      here.argv(['capture', name, '--live', '-n', '5000', '-o', `${name}-short`]),
      { cwd: here.cwd, env: here.env, columns: 160 },
    );
    await shows(/HTTP\/1\.1 200 OK/);
    await press('C-c');
    await shows(/ended with \d/);
    expect(await packetsIn(`${name}-short`, points)).toBeGreaterThan(10);
  });
});

it('is for people: not with --json, not with -w', async () => {
  await here.run(['up', 'l7', '--name', 'live-l7']);
  expect(await here.run(['capture', 'live-l7', '--live', '--json'])).toMatchObject({
    code: 2,
    stderr: '--live and --json exclude each other\n',
  });
  expect(await here.run(['capture', 'live-l7', '--live', '-w', '-'])).toMatchObject({ code: 2 });
});
