// Loads on real labs, on both kernels: every connection is accounted for, what is lost is found, and what captures lost is not passed off.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { place, type Place } from '../support/cli.ts';
import { processesOf } from '../support/processes.ts';

interface Document {
  schema: string;
  loads: {
    lab: string;
    kernel: string;
    status: string;
    wanted: number;
    answered: number;
    connections: Record<string, number>;
    atBackends: Record<string, number>;
    logLines: Record<string, number>;
    dropped: number;
    requestsPerSecond?: number;
    latency?: { p50: number; p90: number; p99: number; max: number };
    checks: { id: string; status: string; judged: boolean; observed: string }[];
  }[];
}

let here: Place;
beforeAll(async () => {
  here = await place();
});
afterAll(async () => {
  await here.run(['down', '--all']);
  expect(await processesOf(here.state)).toEqual([]);
  await here.remove();
});

async function load(args: readonly string[], seconds = 60) {
  const { code, stdout, stderr } = await here.run(['load', '--json', ...args], { seconds });
  expect(stderr).toBe('');
  const { schema, loads } = JSON.parse(stdout) as Document;
  expect(schema).toBe('lblab/load@1');
  return { code, loads, one: loads[0]! };
}

const notPassed = (checks: Document['loads'][0]['checks']) =>
  checks
    .filter(({ judged, status }) => judged && status !== 'pass')
    .map(({ id, status }) => `${status} ${id}`);

describe('on a topology that is not up', () => {
  it('10000 connections through nginx are accounted for to the last one', async () => {
    const { code, one } = await load(['l7'], 110);
    expect(one).toMatchObject({
      status: 'pass',
      wanted: 10_000,
      answered: 10_000,
      connections: { client: 10_000, outside: 10_000, inside: 10_000, backend: 10_000 },
      atBackends: { be1: 5000, be2: 5000 },
      logLines: { be1: 5000, be2: 5000 },
      dropped: 0,
    });
    const { p50, p90, p99, max } = one.latency!;
    expect([p50, p90, p99, max]).toEqual([p50, p90, p99, max].sort((a, b) => a - b));
    expect(code).toBe(0);
    expect((await here.run(['ls'])).stdout).toContain('no lab is up');
  }, 120_000);

  it('so are connections through each IPVS method, by one table', async () => {
    const methods = ['nat', 'fullnat', 'dsr', 'tun'];
    const { code, loads } = await load([...methods, '--connections', '500'], 170);
    expect(loads.map(({ lab, status }) => [lab, status])).toEqual(methods.map((lab) => [lab, 'pass']));
    for (const { connections } of loads)
      expect(connections).toEqual({ client: 500, outside: 500, inside: 500, backend: 500 });
    expect(code).toBe(0);
  }, 180_000);

  it('and through DNS, which each client asks once', async () => {
    const { code, one } = await load(['dnsrr', '--connections', '300']);
    expect(one).toMatchObject({ status: 'pass', connections: { client: 300, backend: 300 } });
    expect(code).toBe(0);
  }, 60_000);
});

describe('on a lab that is up', () => {
  beforeAll(async () => {
    await here.run(['up', 'l7']);
  });

  it('connections come at a rate', async () => {
    const { code, one } = await load(['--rate', '200/s', '--for', '1.5s', '-o', 'kept']);
    expect(one).toMatchObject({ status: 'pass', wanted: 300, answered: 300 });
    // The last connection begins after 1.49 s; a machine that is busy takes longer.
    expect(one.requestsPerSecond).toBeLessThan(220);
    expect(code).toBe(0);
    const { stdout } = await here.run(['inspect', 'kept/eth0.pcap', '--json']);
    const [file] = (JSON.parse(stdout) as { captures: { connections: unknown[] }[] }).captures;
    expect(file!.connections).toHaveLength(300);
  });

  it('without captures requests and access logs are compared', async () => {
    const { code, one } = await load(['--connections', '300', '--no-captures']);
    expect(one).toMatchObject({ status: 'pass', connections: {}, logLines: { be1: 150, be2: 150 } });
    expect(one.latency).toBeUndefined();
    expect(code).toBe(0);
  });

  it('Ctrl-C ends it, and what it had started', async () => {
    const argv = here.argv(['load', '--rate', '50/s', '--for', '60s']);
    const child = spawn(argv[0]!, argv.slice(1), {
      cwd: here.cwd,
      env: here.env,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let stderr = '';
    child.stderr.on('data', (chunk) => (stderr += String(chunk)));
    const generators = async () =>
      (await here.run(['exec', 'client', '--', 'pgrep', '-c', '-x', 'h2load|tcpdump'])).stdout.trim();
    await expect.poll(generators, { timeout: 20_000 }).toBe('6');
    child.kill('SIGINT');
    expect(await new Promise((resolve) => child.once('close', resolve))).toBe(130);
    expect(stderr).toContain('interrupted; nothing of this command is left running');
    await expect.poll(generators, { timeout: 5000 }).toBe('0');
  }, 40_000);

  it('packets that captures lost leave it undecided', async () => {
    // tcpdump sleeps while more packets come than the kernel keeps for it.
    const argv = here.argv(['load', '--json', '--connections', '10000']);
    const child = spawn(argv[0]!, argv.slice(1), {
      cwd: here.cwd,
      env: here.env,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let stdout = '';
    child.stdout.on('data', (chunk) => (stdout += String(chunk)));
    const ended = new Promise((resolve) => child.once('close', resolve));
    const sleep =
      'until pgrep -x h2load; do :; done; p=$(pgrep -f "^tcpdump.*eth1"); kill -STOP $p; while pgrep -x h2load; do sleep 0.1; done; kill -CONT $p';
    const { code, stderr } = await here.run(['exec', 'lb', '--', 'sh', '-c', sleep], { seconds: 100 });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(await ended).toBe(4);
    const [one] = (JSON.parse(stdout) as Document).loads;
    expect(one!.status).toBe('unknown');
    expect(one!.dropped).toBeGreaterThan(0);
    expect(notPassed(one!.checks)).toEqual(['unknown load.inside']);
  }, 120_000);

  it('a backend that is down is found', async () => {
    await here.run(['fault', 'l7', 'be1', 'stop-service']);
    const { code, one } = await load(['l7', '--connections', '200']);
    expect(one).toMatchObject({ status: 'fail', answered: 200, logLines: { be1: 0, be2: 200 } });
    // nginx tries the other one, so that the client loses nothing; a connection too many is one that is not accounted for.
    expect(notPassed(one.checks)).toEqual(['fail load.inside', 'fail load.backend', 'fail load.logs']);
    expect(code).toBe(1);
    await here.run(['fault', 'l7', 'be1', 'start-service']);
  }, 30_000);
});

describe('says what cannot be', () => {
  const says = async (...args: string[]) => {
    const { code, stdout, stderr } = await here.run(['load', ...args]);
    expect(stdout).toBe('');
    return `${code}: ${stderr}`;
  };

  it('of options that contradict each other', async () => {
    expect(await says('--rate', '10/s', '--connections', '5', '--for', '2s')).toBe(
      '2: --rate, --connections and --for: any two say the third\n',
    );
    expect(await says('--rate', '9000/s', '--for', '1m')).toBe(
      '2: that is 540000 connections; 100000 at most are accounted for\n',
    );
    expect(await says('--connections', '0')).toContain('give a whole number from 1 to 100000');
  });

  it('of labs that are not there', async () => {
    expect(await says('l77')).toContain('2: no topology "l77"; did you mean l7?');
  });

  it('of a topology without clients', async () => {
    const text =
      'name: mute\nsegments: { a: 10.1.0.0/24 }\nnodes: { x: { role: node, interfaces: { eth0: a } } }\n';
    await writeFile(join(here.cwd, 'mute.yaml'), text);
    expect(await says('./mute.yaml')).toContain('2: mute has nothing to request');
  });
});
