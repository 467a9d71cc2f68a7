// The commands on a lab that is up, as real processes on a real lab: as this user, and as one who is not root.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { place, type Place } from '../support/cli.ts';
import { hasConnected, stopAgent, until } from '../support/processes.ts';

interface StatusDocument {
  readonly schema: string;
  readonly lab: string;
  readonly nodes: readonly {
    readonly name: string;
    readonly role: string;
    readonly services: readonly { name: string; state: string; pid: number; signal?: string }[];
  }[];
  readonly captures: readonly { name: string; capturing: boolean }[];
}

/** A lab l7 of its own for a group of tests. */
function lab(user: 'self' | 'plain'): () => Place {
  let here: Place;
  beforeAll(async () => {
    here = await place(user);
    expect(await here.run(['up', 'l7'])).toMatchObject({ code: 0 });
  });
  afterAll(async () => {
    await here.run(['down', '--all']);
    await here.remove();
  });
  return () => here;
}

/** A command that goes on until it is told to end. */
function start(here: Place, args: readonly string[]) {
  const [program, ...rest] = here.argv(args);
  const child = spawn(program!, rest, { cwd: here.cwd, env: here.env, stdio: 'pipe' });
  const ran = { stdout: Buffer.alloc(0), stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (ran.stdout = Buffer.concat([ran.stdout, chunk])));
  child.stderr.on('data', (chunk) => (ran.stderr += String(chunk)));
  return {
    child,
    ran,
    said: async (words: string) =>
      until(
        async () => Promise.resolve(ran.stderr),
        (text) => text.includes(words),
      ),
    end: async (signal: NodeJS.Signals) => {
      child.kill(signal);
      const [code] = (await once(child, 'close')) as [number | null];
      return { code, ...ran };
    },
  };
}

const json = <T>(text: string) => JSON.parse(text) as T;

/** Packets in a pcap file in this machine's byte order, which ends with the last of them. */
function packets(pcap: Buffer): number {
  expect(pcap.readUInt32LE(0)).toBe(0xa1b2c3d4);
  let at = 24;
  let count = 0;
  while (at < pcap.length) {
    at += 16 + pcap.readUInt32LE(at + 8);
    count++;
  }
  expect(at).toBe(pcap.length);
  return count;
}

const statusOf = async (here: Place) => json<StatusDocument>((await here.run(['status', '--json'])).stdout);

describe.each(['self', 'plain'] as const)('a lab that is up, as %s user', (user) => {
  const here = lab(user);

  it('is listed', async () => {
    const { stdout, stderr, code } = await here().run(['ls', '--json']);
    expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
    expect(json(stdout)).toMatchObject({
      schema: 'lblab/ls@1',
      labs: [
        { name: 'l7', state: 'up', kernel: 'host', method: 'nginx', nodes: ['client', 'lb', 'be1', 'be2'] },
      ],
    });
    expect((await here().run(['ls'])).stdout).toMatch(/^LAB .*\nl7 +up .* host +4 nodes +L7 load balancing/);
  });

  it('shows its nodes, services and capture points', async () => {
    const status = await statusOf(here());
    expect(status).toMatchObject({
      schema: 'lblab/status@1',
      lab: 'l7',
      method: 'nginx',
      vip: '192.168.11.107',
    });
    expect(status.nodes.map((node) => [node.name, node.role])).toEqual([
      ['client', 'client'],
      ['lb', 'balancer'],
      ['be1', 'backend'],
      ['be2', 'backend'],
    ]);
    expect(
      status.nodes.flatMap((node) => node.services).map(({ name, state }) => `${name} ${state}`),
    ).toEqual(['lb.nginx ready', 'be1.apache ready', 'be2.apache ready']);
    const text = (await here().run(['status', 'l7'])).stdout;
    expect(text).toContain('lb      balancer  eth0 192.168.11.107/24 (front), eth1 10.133.1.1/24 (back)\n');
    expect(text).toContain('eth1    lb:eth1        port 80\n');
  });

  it('runs a command in a node: its streams, its exit code, its own options', async () => {
    const { run } = here();
    expect(
      await run(['exec', 'be1', '--', 'sh', '-c', 'cat; echo no >&2; exit 7'], { input: 'in\n' }),
    ).toEqual({
      code: 7,
      stdout: 'in\n',
      stderr: 'no\n',
    });
    expect((await run(['exec', 'be1', '--', 'sh', '-c', 'kill -TERM $$'])).code).toBe(143);
    expect(await run(['exec', '-l', 'l7', 'be1', 'echo', '-n', '--json', '-l', '--', 'x'])).toEqual({
      code: 0,
      stdout: '--json -l -- x',
      stderr: '',
    });
    expect((await run(['exec', 'lb', '--', 'cat', '/etc/hosts'])).stdout).toContain('10.133.1.2 be1\n');
    const missing = await run(['exec', 'be1', '--', '/no/such/program']);
    expect(missing.code).toBe(127);
    expect(missing.stderr).toMatch(/\/no\/such\/program\W*: No such file or directory/);
  });

  it('runs a command with a large input and output', async () => {
    const input = 'x'.repeat(3_000_000);
    const { stdout, code } = await here().run(['exec', 'be1', '--', 'cat'], { input });
    expect({ length: stdout.length, code }).toEqual({ length: 3_000_000, code: 0 });
  });

  it('hands Ctrl-C to the command, and leaves nothing of it', async () => {
    const script = 'trap "echo caught; exit 9" INT; echo up >&2; while :; do sleep 0.05; done';
    const command = start(here(), ['exec', 'be1', '--', 'sh', '-c', script]);
    await command.said('up');
    expect(await command.end('SIGINT')).toMatchObject({ code: 9, stdout: Buffer.from('caught\n') });
    const left = async () => (await here().run(['exec', 'be1', '--', 'ps', '-eo', 'args'])).stdout;
    const killed = start(here(), ['exec', 'be1', '--', 'sh', '-c', 'echo up >&2; exec sleep 4321']);
    await killed.said('up');
    await killed.end('SIGKILL');
    await until(left, (text) => !text.includes('sleep 4321'));
    const shell = ['exec', 'be1', '--', 'sh', '-c', 'sleep 4322 & echo up >&2; sleep 4323'];
    const parent = start(here(), shell);
    await parent.said('up');
    await parent.end('SIGKILL');
    await until(left, (text) => !/sleep 432[23]/.test(text));
    const asked = start(here(), shell);
    await asked.said('up');
    expect(await asked.end('SIGTERM')).toMatchObject({ code: 143 });
    await until(left, (text) => !/sleep 432[23]/.test(text));
  });

  it('hands on a SIGTERM that comes before the command runs', async () => {
    const goOn = await stopAgent(here().state, 'l7');
    const command = start(here(), ['exec', 'be1', '--', 'sleep', '4324']);
    await hasConnected(command.child.pid!);
    const ended = command.end('SIGTERM');
    goOn();
    expect(await ended).toMatchObject({ code: 143 });
  });

  it('lets every node ping every node that it should reach', async () => {
    const { stdout, code } = await here().run(['ping', '--json']);
    const { pings, ...rest } = json<{ pings: { from: string; to: string; address: string }[] }>(stdout);
    expect({ ...rest, code }).toEqual({ schema: 'lblab/ping@1', lab: 'l7', ok: true, code: 0 });
    expect(pings.map(({ from, to, address }) => `${from} ${to} ${address}`)).toEqual([
      'client lb 192.168.11.107',
      'lb client 192.168.11.104',
      'lb be1 10.133.1.2',
      'lb be2 10.133.1.3',
      'be1 lb 10.133.1.1',
      'be1 be2 10.133.1.3',
      'be2 lb 10.133.1.1',
      'be2 be1 10.133.1.2',
    ]);
    const text = (await here().run(['ping'])).stdout;
    expect(text).toMatch(/^client +\d+\.\d\d ms  - +-$/m);
    expect(text).toContain('8 of 8 answered');
  });

  it('says who does not answer a ping, with exit code 1', async () => {
    const { run } = here();
    await run(['exec', 'be2', '--', 'ip', 'link', 'set', 'eth0', 'down']);
    const { stdout, code } = await run(['ping']);
    await run(['exec', 'be2', '--', 'ip', 'link', 'set', 'eth0', 'up']);
    expect(code).toBe(1);
    expect(stdout).toMatch(/lb does not reach be2 \(10\.133\.1\.3\)/);
    expect(stdout).toContain('4 of 8 answered');
  });

  it('sends requests and says who answered', async () => {
    const { stdout, code } = await here().run(['request', '-n', '4', '-c', '2', '--json']);
    const { requests, ...rest } = json<{ requests: Record<string, unknown>[] }>(stdout);
    expect({ ...rest, code }).toEqual({
      schema: 'lblab/request@1',
      lab: 'l7',
      ok: true,
      url: 'http://192.168.11.107/',
      sent: 4,
      succeeded: 4,
      byBackend: { be1: 2, be2: 2 },
      code: 0,
    });
    expect(requests.map(({ number, status }) => [number, status])).toEqual([1, 2, 3, 4].map((n) => [n, 200]));
    const text = (await here().run(['request', '-n', '2'])).stdout;
    expect(text).toMatch(/^1 +200 +be[12] +\d+ +\d+\.\d ms$/m);
    expect(text).toMatch(/^2 of 2 answered: be1 1, be2 1; median \d+\.\d ms, slowest \d+\.\d ms$/m);
  });

  it('captures at all points, into files that are judged', async () => {
    const { run, cwd } = here();
    const { stdout, code } = await run(['capture']);
    expect(code).toBe(0);
    expect(stdout).toContain('10 requests, 10 answered: be1 5, be2 5\n  captures in captures/l7\n');
    expect(stdout).toMatch(/eth0\.pcap +lb:eth0 +\d+ packets +10 connections +from 192\.168\.11\.104\n/);
    expect(stdout).toMatch(/eth1\.pcap +lb:eth1 +\d+ packets +10 connections +from 10\.133\.1\.1\n/);
    expect(packets(await readFile(join(cwd, 'captures/l7/client.pcap')))).toBeGreaterThanOrEqual(100);
    const verified = await run(['verify', '--json']);
    expect(json(verified.stdout)).toMatchObject({
      schema: 'lblab/verify@1',
      lab: 'l7',
      ok: true,
      notJudged: [],
    });
    // The same files by another topology: each claim of its own comes out otherwise.
    const other = await run(['verify', '--topology', 'nat', '--captures', 'captures/l7', '--json']);
    expect(other.code).toBe(1);
    expect(json(other.stdout)).toMatchObject({ ok: false, notJudged: ['nat.table'] });
  });

  it('captures at a place of the user, by a filter of the user', async () => {
    const { run, cwd } = here();
    const args = ['capture', '--at', 'lb:eth1', '--at', 'be1:lo', '--filter', 'tcp[tcpflags] & tcp-syn != 0'];
    const { stdout, code } = await run([...args, '-n', '2', '-o', 'mine', '--json']);
    expect(code).toBe(0);
    expect(json(stdout)).toMatchObject({
      schema: 'lblab/capture@1',
      folder: join(cwd, 'mine'),
      requests: { sent: 2, succeeded: 2 },
      captures: [
        { name: 'eth1', node: 'lb', interface: 'eth1', packets: 4, connections: 2, sources: ['10.133.1.1'] },
        { name: 'be1-lo', node: 'be1', interface: 'lo', packets: 0, connections: 0, sources: [] },
      ],
    });
    // A second round into the same folder leaves nothing of the first.
    await run(['capture', '--at', 'lb:eth0', '-n', '1', '-o', 'mine']);
    await expect(access(join(cwd, 'mine/eth1.pcap'))).rejects.toThrow('ENOENT');
    await expect(access(join(cwd, 'mine/eth0.pcap'))).resolves.toBeUndefined();
  });

  it('refuses to capture where it cannot, or by a filter that is none', async () => {
    const refused: [string[], string][] = [
      [['--filter', 'port eighty'], "  | tcpdump: unknown port 'eighty'\n"],
      [['--at', 'lb:eht1'], 'lb has no interface "eht1"; did you mean eth1?\n'],
      [['--at', 'lb'], 'lb has several interfaces: say lb:eth0 or lb:eth1\n'],
      [
        ['--at', 'bee1:eth0'],
        'no node and no capture point "bee1" (write NODE:INTERFACE); did you mean be1?\n',
      ],
      [['-w', 'x.pcap'], '-w takes - only (standard output); -o x.pcap names a folder for files\n'],
      [['-w', '-'], '-w streams one capture point: say which with --at, such as --at lb:eth0\n'],
    ];
    await Promise.all(
      refused.map(async ([args, words]) => {
        const { stderr, code } = await here().run(['capture', ...args]);
        expect(stderr).toContain(words);
        expect(code).toBe(2);
      }),
    );
    // Nothing captures on: the next one may.
    expect((await statusOf(here())).captures.filter((point) => point.capturing)).toEqual([]);
  });

  it('streams one capture point until Ctrl-C, whole', async () => {
    const stream = start(here(), ['capture', '--at', 'lb:eth0', '-w', '-']);
    await stream.said('Ctrl-C ends it');
    await here().run(['request', '-n', '3']);
    const { code, stdout, stderr } = await stream.end('SIGINT');
    expect(code).toBe(0);
    expect(stderr).toMatch(/\b0 packets dropped by kernel/);
    expect(packets(stdout)).toBe(Number(/(\d+) packets captured/.exec(stderr)![1]));
    expect(packets(stdout)).toBeGreaterThanOrEqual(30);
  });

  it('listens without sending until Ctrl-C; one command at a time', async () => {
    const { run } = here();
    const listening = start(here(), ['capture', '--no-traffic', '-o', 'heard']);
    await until(
      async () => statusOf(here()),
      ({ captures }) => captures.every((point) => point.capturing),
    );
    const second = await run(['capture', '-n', '1']);
    expect(second.code).toBe(1);
    expect(second.stderr).toBe(
      `a capture is under way in l7 already, by process ${listening.child.pid}: wait for its end\n`,
    );
    await run(['request', '-n', '3']);
    const { code, stdout } = await listening.end('SIGINT');
    expect(code).toBe(0);
    expect(stdout.toString()).toMatch(/eth0\.pcap +lb:eth0 +\d+ packets +3 connections/);
  });

  it('ends what a killed command captured and sent', async () => {
    const killed = start(here(), ['capture', '-n', '1000000']);
    await until(
      async () => statusOf(here()),
      ({ captures }) => captures.every((point) => point.capturing),
    );
    await killed.end('SIGKILL');
    await until(
      async () => (await here().run(['exec', 'lb', '--', 'ps', '-eo', 'comm'])).stdout,
      (text) => !/tcpdump|curl/.test(text),
    );
    expect((await here().run(['capture', '-n', '1'])).code).toBe(0);
  });
});

describe('a lab with trouble', () => {
  const here = lab('self');

  it('names a web server that has died, with its last words, and what failed by it', async () => {
    const { run } = here();
    const services = (await statusOf(here())).nodes.flatMap((node) => node.services);
    const apache = services.filter((service) => service.name.endsWith('.apache'));
    for (const { name, pid } of apache) {
      await run(['exec', name.split('.')[0]!, '--', 'kill', '-TERM', String(pid)]);
    }
    const { stdout, code } = await until(
      async () => run(['status']),
      ({ code: seen }) => seen === 1,
    );
    expect(code).toBe(1);
    expect(stdout).toMatch(/be1\.apache +has ended \(exit code 0\)/);
    expect(stdout).toMatch(/^ {2}lblab fault l7 be1 start-service +starts it again$/m);
    expect(stdout).toMatch(/^ {2}lblab up l7 --recreate +builds the lab anew$/m);
    const request = await run(['request', '-n', '2']);
    expect(request.code).toBe(1);
    expect(request.stdout).toMatch(/^1 +502 +- +\d+ +.* ms +status 502$/m);
    expect(request.stdout).toContain('0 of 2 answered: be1 0, be2 0');
  });

  it('needs a name when two are up', async () => {
    const { run } = here();
    expect((await run(['up', 'l7', '--name', 'second'])).code).toBe(0);
    expect(await run(['status'])).toEqual({
      code: 2,
      stdout: '',
      stderr: 'several labs are up: l7, second; name one\n',
    });
    expect((await run(['exec', '-l', 'second', 'lb', '--', 'true'])).code).toBe(0);
    expect((await run(['status', 'secnd'])).stderr).toBe(
      'no lab secnd is up; did you mean second?\nup: l7, second\n',
    );
    expect((await run(['exec', '-l', 'l7', 'lbb', '--', 'true'])).stderr).toBe(
      'l7 has no node "lbb"; did you mean lb?\nits nodes: client, lb, be1, be2\n',
    );
    expect((await run(['down', 'second'])).code).toBe(0);
  });

  it('says so when the lab has died', async () => {
    const { run } = here();
    expect((await run(['up', 'l7', '--name', 'dead'])).code).toBe(0);
    const listed = json<{ labs: { name: string; pid: number }[] }>((await run(['ls', '--json'])).stdout);
    process.kill(listed.labs.find((each) => each.name === 'dead')!.pid, 'SIGKILL');
    await until(
      async () => (await run(['ls'])).stdout,
      (text) => /^dead +ended; lblab down dead removes what is left$/m.test(text),
    );
    expect((await run(['status', 'dead'])).stderr).toContain('dead has ended');
    expect((await run(['down', 'dead'])).code).toBe(0);
  });
});

describe('without a lab', () => {
  it('says how to get one', async () => {
    const here = await place();
    try {
      expect(await here.run(['ls'])).toMatchObject({
        code: 0,
        stdout: expect.stringContaining('no lab is up\n') as string,
      });
      const commands = ['status', 'ping', 'request', 'capture', 'exec lb -- true', 'verify'];
      await Promise.all(
        commands.map(async (command) => {
          expect(await here.run(command.split(' '))).toEqual({
            code: 2,
            stdout: '',
            stderr: 'no lab is up; lblab up l7 builds one\n',
          });
        }),
      );
    } finally {
      await here.remove();
    }
  });
});

describe.runIf(process.getuid!() === 0)('under sudo', () => {
  it("leaves captures that are the caller's, with the folders made for them", async () => {
    const here = await place();
    try {
      const env = { SUDO_UID: '54321', SUDO_GID: '54322' };
      expect((await here.run(['up', 'l7'], { env })).code).toBe(0);
      expect((await here.run(['capture', '-n', '1'], { env })).code).toBe(0);
      expect((await here.run(['init', 'own/lab.yaml'], { env })).code).toBe(0);
      for (const path of ['captures', 'captures/l7', 'captures/l7/eth0.pcap', 'own', 'own/lab.yaml']) {
        const { uid, gid } = await stat(join(here.cwd, path));
        expect({ path, uid, gid }).toEqual({ path, uid: 54321, gid: 54322 });
      }
      expect((await stat(here.cwd)).uid).toBe(0);
    } finally {
      await here.run(['down', '--all']);
      await here.remove();
    }
  });
});
