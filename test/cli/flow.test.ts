// flow, report and plan's pictures from the command line, on captures that lie in folders.
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { place, type Place } from '../support/cli.ts';
import { pcap, segment } from '../pcap/build.ts';
import { RECORDED } from '../verify/evidence.ts';

let here: Place;

beforeAll(async () => {
  here = await place();
  await Promise.all(
    ['nat', 'dsr'].map(async (lab) =>
      cp(join(RECORDED, lab), join(here.cwd, 'captures', lab), { recursive: true }),
    ),
  );
});

afterAll(async () => here.remove());

const arrow = /^(#\d+ +| *)\d+\.\d{6} /;
const rows = (text: string) => text.split('\n').filter((line) => arrow.test(line));

describe('flow', () => {
  test('draws the first connection of a lab whose captures are where captures go', async () => {
    const { code, stdout, stderr } = await here.run(['flow', 'nat']);
    expect([code, stderr]).toStrictEqual([0, '']);
    expect(stdout.split('\n')[0]).toBe(
      'connection 1 of 4: 192.168.11.104:52852 > 192.168.11.107:80, 10 packets in 9.09 ms',
    );
    expect(rows(stdout)).toHaveLength(10);
    expect(stdout).not.toContain('\u001b');
  });

  test('a folder, or files beside their topology, have its names; files elsewhere only addresses', async () => {
    const folder = await here.run(['flow', './captures/dsr']);
    const files = await here.run(['flow', 'captures/dsr/lb.pcap', 'captures/dsr/client.pcap']);
    expect(folder.stdout).toContain('┌────────────── lb ───────────────┐');
    expect(files.stdout).toMatch(/not looked at: backend\.pcap, backend2\.pcap\n.* lb /);
    await cp(join(RECORDED, 'dsr/lb.pcap'), join(here.cwd, 'alone.pcap'));
    const alone = await here.run(['flow', 'alone.pcap']);
    expect(alone.stdout).not.toContain(' lb ');
    expect(alone.stdout).toContain('192.168.11.107');
  });

  test('filters choose connections, --flags packets', async () => {
    const some = await here.run(['flow', 'dsr', '--connection', '2-3', '--flags', 'syn,fin']);
    expect(some.stdout.split('\n')[0]).toBe('2 of 4 connections, 8 packets');
    expect(rows(some.stdout).every((row) => / (SYN|SYN ACK|FIN ACK) /.test(row))).toBe(true);
    const backend = await here.run(['flow', 'dsr', '--backend', 'be1']);
    expect(backend.stdout.split('\n')[0]).toMatch(/^connection 2 of 4, the first of 2 that match: /);
    const none = await here.run(['flow', 'dsr', '--match', 'no such words']);
    expect([none.code, none.stdout]).toStrictEqual([0, 'none of 4 connections has what was asked for\n']);
    const unknown = await here.run(['flow', 'dsr', '--backend', 'be7']);
    expect([unknown.code, unknown.stderr]).toStrictEqual([
      2,
      'no machine "be7" here; did you mean be2?\nthere are: client, 192.168.11.104, lb, 192.168.11.106, be2, 192.168.11.109, be1, 192.168.11.108\n',
    ]);
    const flag = await here.run(['flow', 'dsr', '--flags', 'sin']);
    expect(flag.code).toBe(2);
    expect(flag.stderr).toContain('"sin" is none of: syn, ack, fin, rst, psh, urg, ece, cwr');
  });

  test('is ASCII where the locale is not UTF-8, and with --ascii; --width is as wide as it says', async () => {
    const locale = await here.run(['flow', 'nat'], { env: { LC_ALL: 'C' } });
    const asked = await here.run(['flow', 'nat', '--ascii']);
    expect(locale.stdout).toBe(asked.stdout);
    // eslint-disable-next-line no-control-regex
    expect(asked.stdout).toMatch(/^[\x20-\x7e\n]*$/);
    const wide = await here.run(['flow', 'nat', '--width', '160']);
    expect(Math.max(...rows(wide.stdout).map((row) => row.length))).toBe(160);
  });

  test('one JSON document, with all connections when asked', async () => {
    const { stdout } = await here.run(['flow', 'nat', '--all', '--json']);
    const document = JSON.parse(stdout) as { schema: string; packets: unknown[]; shown: number[] };
    expect([document.schema, document.shown, document.packets.length]).toStrictEqual([
      'lblab/flow@1',
      [1, 2, 3, 4],
      40,
    ]);
  });

  test('says what it cannot draw', async () => {
    await writeFile(join(here.cwd, 'empty.pcap'), pcap([]));
    await writeFile(join(here.cwd, 'text.pcap'), 'not a capture');
    await writeFile(join(here.cwd, 'syn.pcap'), pcap([segment({ flags: 'S', sequence: 1 })]));
    expect((await here.run(['flow', 'empty.pcap'])).stdout).toBe('no packets in 1 capture\n');
    expect((await here.run(['flow', 'syn.pcap'])).stdout).toContain(
      'connection 1: 10.0.0.1:40000 > 10.0.0.2:80, 1 packet',
    );
    expect(await here.run(['flow', 'text.pcap'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('text.pcap: not a capture') as string,
    });
    expect(await here.run(['flow', 'nowhere.pcap'])).toMatchObject({
      code: 2,
      stderr: 'nowhere.pcap: no such file\n',
    });
    expect(await here.run(['flow', 'nolab'])).toMatchObject({
      code: 2,
      stderr:
        'there is no folder or file nolab, and no lab nolab is up, nor any other; lblab up builds one\n',
    });
    expect(await here.run(['flow', '.'])).toMatchObject({
      code: 2,
      stderr: '. has no topology.json, which says what its captures are of; name the files themselves\n',
    });
  });
});

describe('report', () => {
  test('writes a page, and says where and how long it is', async () => {
    const { code, stdout } = await here.run(['report', 'nat', 'captures/dsr', '-o', 'pages/both.html']);
    expect([code, stdout]).toStrictEqual([0, expect.stringMatching(/^pages\/both\.html {2}\d+ kB\n$/)]);
    const page = await readFile(join(here.cwd, 'pages/both.html'), 'utf8');
    expect(page).toMatch(/^<!doctype html>\n<html lang="en">/);
    expect(page).toContain('<table class="comparison">');
    expect(page.match(/<svg role="img" class="topology"/g)).toHaveLength(2);
  });

  test('takes what run --json wrote, and - for standard output', async () => {
    const run = {
      schema: 'lblab/run@1',
      ok: true,
      labs: [
        {
          lab: 'nat',
          topology: '/work/nat.yaml',
          kernel: 'uml',
          captures: [{ path: join(here.cwd, 'captures/nat/eth0.pcap') }],
          timings: { total: 1 },
        },
      ],
    };
    await writeFile(join(here.cwd, 'run.json'), JSON.stringify(run));
    const { code, stdout } = await here.run(['report', './run.json', '-o', '-']);
    expect(code).toBe(0);
    expect(stdout).toContain('on a user-mode kernel');
    await writeFile(join(here.cwd, 'other.json'), '{}');
    expect((await here.run(['report', './other.json'])).stderr).toBe(
      './other.json: not what lblab run --json or lblab failover --json wrote (schema lblab/run@1, lblab/failover@1)\n',
    );
    expect((await here.run(['report', './run.yaml'])).stderr).toBe(
      './run.yaml: no such lab, folder or file\n',
    );
    expect((await here.run(['report', 'nat', '-o', 'captures'])).code).toBe(2);
  });

  test('is a form of verify too', async () => {
    const { code } = await here.run(['verify', '--captures', 'captures/nat', '--report', 'html=nat.html']);
    expect(code).toBe(0);
    expect(await readFile(join(here.cwd, 'nat.html'), 'utf8')).toContain('<h1 id="lab-1">');
  });
});

test.each([
  ['ascii', /^ {3}front 192\.168\.11\.0\/24\n/],
  ['mermaid', /^flowchart LR\n/],
  ['dot', /^graph "dsr" \{\n/],
])('plan --format %s draws the topology', async (format, start) => {
  const { code, stdout, stderr } = await here.run(['plan', 'dsr', '--format', format]);
  expect([code, stderr]).toStrictEqual([0, '']);
  expect(stdout).toMatch(start);
});
