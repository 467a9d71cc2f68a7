// Faults in labs that are up: each breaks what it says, is refused where it makes no sense, and leaves a lab that works when it is mended.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { place, type Place } from '../support/cli.ts';

interface Requests {
  readonly sent: number;
  readonly succeeded: number;
  readonly byBackend: Record<string, number>;
  readonly requests: readonly { error?: string; status: number; backend?: string }[];
}

/** The shares of the backends in so many requests, and how many failed. */
async function ask(here: Place, ...args: string[]): Promise<Requests> {
  const { stdout } = await here.run(['request', '--json', ...args]);
  return JSON.parse(stdout) as Requests;
}

describe('on this machine’s kernel', () => {
  let here: Place;
  const fault = async (...words: string[]) => {
    const { code, stdout, stderr } = await here.run(['fault', ...words]);
    return code === 0 ? stdout : `${code}: ${stderr}`;
  };
  beforeAll(async () => {
    here = await place();
    await writeFile(
      join(here.cwd, 'l7.yaml'),
      (await readFile('topologies/l7.yaml', 'utf8')).replace('requests: 10', '{ requests: 6, timeout: 1s }'),
    );
    await writeFile(
      join(here.cwd, 'lab.yaml'),
      `segments: { front: 192.168.11.0/24 }
nodes:
  client: { role: client, interfaces: { eth0: { segment: front, address: 192.168.11.104 } } }
  be1: { role: backend, interfaces: { eth0: { segment: front, address: 192.168.11.108 } } }
  be2: { role: backend, httpd: nginx, interfaces: { eth0: { segment: front, address: 192.168.11.109 } } }
traffic: { url: 'http://192.168.11.108/', requests: 2, timeout: 1s }
`,
    );
    expect((await here.run(['up', 'lab.yaml'])).code).toBe(0);
  });
  afterAll(async () => {
    await here.run(['down', '--all']);
    await here.remove();
  });

  it('a service ends, and starts again', async () => {
    expect(await fault('be1', 'stop-service')).toBe('be1.apache ended by SIGTERM\n');
    expect((await ask(here)).requests[0]!.error).toMatch(/Couldn't connect|Connection refused/);
    expect(await fault('be1', 'stop-service')).toBe(
      '2: apache of be1 has ended already; lblab fault lab be1 start-service mends it\n',
    );
    expect(await fault('be1', 'start-service')).toBe('be1.apache started\n');
    expect(await fault('be1', 'start-service')).toBe('2: apache of be1 runs: nothing to start\n');
    expect((await ask(here)).byBackend).toEqual({ be1: 2, be2: 0 });
  });

  it.each(['be1', 'be2'])('the server of %s is killed with all its children', async (node) => {
    expect(await fault('lab', node, 'kill')).toMatch(/ended by SIGKILL\n$/);
    const ports = await here.run(['exec', node, '--', 'ss', '-ltnH']);
    expect(ports.stdout).toBe('');
    expect(await fault('lab', node, 'start-service')).toMatch(/started\n$/);
    expect((await here.run(['exec', node, '--', 'ss', '-ltnH'])).stdout).toMatch(/:80\b/);
  });

  it('a cable is pulled: nothing comes back, and nothing is refused; addresses stay', async () => {
    const before = (await here.run(['exec', 'be1', '--', 'ip', '-brief', 'addr'])).stdout;
    expect(await fault('be1', 'link-down')).toBe("the link of be1's eth0 is down\n");
    expect((await ask(here, '-n', '1')).requests[0]!.error).toMatch(/timed out/i);
    expect(await fault('be1', 'link-down', 'eth0')).toBe(
      '2: the link of eth0 of be1 is down already: lblab fault lab be1 link-up mends it\n',
    );
    expect(await fault('be1', 'link-up')).toBe("the link of be1's eth0 is up\n");
    expect(await fault('be1', 'link-up')).toBe('2: the link of eth0 of be1 is up already: nothing to mend\n');
    expect((await here.run(['exec', 'be1', '--', 'ip', '-brief', 'addr'])).stdout).toBe(before);
    // The kernel looks at a link that has come up after a second at most (linkwatch).
    await new Promise((resolve) => setTimeout(resolve, 1100));
    expect((await ask(here)).succeeded).toBe(2);
  });

  it('clear mends all that is broken on a node', async () => {
    await fault('be1', 'stop-service');
    await fault('be1', 'link-down');
    expect(await fault('be1', 'clear')).toBe("the link of be1's eth0 is up\nbe1.apache started\n");
    expect(await fault('be1', 'clear')).toBe('2: nothing of be1 is broken\n');
  });

  it.each([
    [['be1', 'delay', '50ms'], /^3: this kernel has no netem, which delays and loses packets/],
    [
      ['be1', 'loss'],
      /^2: loss wants a share, up to 100%; write loss SHARE \[INTERFACE\], such as loss 1%\n$/,
    ],
    [['be1', 'delay', '50'], /^2: delay wants a time \(got "50"\)/],
    [['be1', 'kil'], /^2: no fault of this name \(got "kil"\); did you mean kill\?\n$/],
    [['be9', 'kill'], /^2: lab has no node "be9"; did you mean be1\?\n/],
    [['client', 'kill'], /^2: client has no service\n$/],
    [['be1', 'kill', 'apach'], /^2: be1 has no service "apach"; did you mean apache\?\n$/],
    [['be1', 'link-down', 'eth9'], /^2: be1 has no interface "eth9"; did you mean eth0\?\n$/],
    [['be1', 'withdraw', 'be2'], /^2: be1 is no DNS server: withdraw is for the one of method dns\n$/],
    [['lab2', 'be1', 'kill'], /^2: no lab lab2 is up; did you mean lab\?\n/],
    [['be1'], /^2: say which node and what: stop-service, /],
  ] as const)('%j is refused', async (words, said) => {
    // A kernel that has netem can do the first.
    const done = await fault(...words);
    if (words[1] === 'delay' && words[2] === '50ms' && !done.startsWith('3')) {
      expect(done).toBe("be1's eth0 sends with delay 50ms\n");
      await fault('be1', 'clear');
    } else expect(done).toMatch(said);
  });

  it('as JSON', async () => {
    const { stdout } = await here.run(['fault', 'be1', 'stop-service', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({
      schema: 'lblab/fault@1',
      lab: 'lab',
      node: 'be1',
      fault: 'stop-service',
      did: ['be1.apache ended by SIGTERM'],
    });
    await fault('be1', 'clear');
  });

  it('a lab that goes down meanwhile is told of', async () => {
    expect((await here.run(['up', 'lab.yaml', '--name', 'short'])).code).toBe(0);
    const asking = here.run(['request', 'short', '--rate', '20/s', '--for', '20s']);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    await here.run(['down', 'short']);
    const { code, stderr } = await asking;
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: 'short has ended meanwhile; lblab down short removes what is left\n',
    });
    expect(await fault('short', 'be1', 'kill')).toMatch(/^2: no lab short is up/);
  });
});

describe('a list of faults in a topology', () => {
  it('comes while requests go on, is in the evidence, and is mended at the end', async () => {
    const here = await place();
    try {
      const text = await readFile('topologies/l7.yaml', 'utf8');
      await writeFile(
        join(here.cwd, 'l7.yaml'),
        text.replace('requests: 10', 'rate: 20/s\n  for: 2s') +
          `faults:
  - { at: 500ms, node: be1, do: kill }
  - { at: 1s, node: lb, do: stop-service }
  - { at: 1500ms, node: lb, do: start-service }
`,
      );
      await here.run(['up', 'l7.yaml']);
      const { code } = await here.run(['capture']);
      expect(code).toBe(1);
      const faults = JSON.parse(await readFile(join(here.cwd, 'captures/l7/faults.json'), 'utf8')) as {
        at: number;
        began: number;
      }[];
      expect(faults).toMatchObject([
        { at: 0.5, node: 'be1', fault: 'kill' },
        { at: 1, node: 'lb', fault: 'stop-service' },
        { at: 1.5, node: 'lb', fault: 'start-service' },
      ]);
      const log = (await readFile(join(here.cwd, 'captures/l7/requests/client.jsonl'), 'utf8'))
        .trim()
        .split('\n')
        .map(
          (line) => JSON.parse(line) as { lblab_started: number; exitcode: number; lblab_backend: string },
        );
      expect(log).toHaveLength(40);
      const first = log.reduce((least, { lblab_started: started }) => Math.min(least, started), Infinity);
      for (const [index, { began }] of faults.entries())
        expect(began - first).toBeCloseTo([0.5, 1, 1.5][index]!, 0.7);
      const during = log.filter(
        ({ lblab_started: started }) => started > first + 0.6 && started < first + 0.95,
      );
      expect(new Set(during.map(({ lblab_backend: backend }) => backend))).toEqual(new Set(['be2']));
      const dead = log.filter(
        ({ lblab_started: started }) => started > first + 1.1 && started < first + 1.45,
      );
      expect(dead.every(({ exitcode }) => exitcode === 7)).toBe(true);
      const after = await ask(here, '-n', '8', '--rate', '50/s');
      expect(after.succeeded).toBe(8);
    } finally {
      await here.run(['down', '--all']);
      await here.remove();
    }
  }, 60_000);
});
