// A plan as a script: run for real in a world of its own, judged by the same claims, and looked at for what it leaves behind.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { place, type Place } from '../support/cli.ts';
import { until } from '../support/processes.ts';

let here: Place;
beforeAll(async () => {
  here = await place();
});
afterAll(async () => {
  await here.run(['down', '--all']);
  await here.remove();
});

const exec = promisify(execFile);

async function script(topology: string, file: string, ...more: string[]): Promise<string> {
  const { stdout, code } = await here.run(['plan', topology, '--format', 'sh', ...more]);
  expect(code).toBe(0);
  await writeFile(join(here.cwd, file), stdout);
  return stdout;
}

interface Ran {
  readonly code: number;
  readonly stderr: string;
  /** Network namespaces and processes that the script left behind. */
  readonly namespaces: readonly string[];
  readonly processes: readonly string[];
}

/** A world of its own with a /run of its own, in which a script may do as root what it likes. */
function world(command: string) {
  // A trap, so that a signal to the whole group ends the script and not the one who looks at what it leaves.
  const look = 'echo "code $?"; ip netns list | sed "s/^/netns /"; ps -eo pid=,args= | sed "s/^/process /"';
  const inner = `trap : INT TERM; mount -t tmpfs run /run; ${command}; ${look}`;
  const child = spawn(
    'unshare',
    ['-m', '-n', '-p', '-f', '--mount-proc', '--kill-child', 'sh', '-c', inner],
    { cwd: here.cwd, env: here.env, stdio: ['ignore', 'pipe', 'pipe'], detached: true },
  );
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => (stdout += String(chunk)));
  child.stderr.on('data', (chunk) => (stderr += String(chunk)));
  const ended = once(child, 'close').then((): Ran => {
    const lines = (head: string) =>
      stdout
        .split('\n')
        .filter((line) => line.startsWith(head))
        .map((line) => line.slice(head.length).trim());
    return {
      code: Number(lines('code ')[0]),
      stderr,
      namespaces: lines('netns '),
      processes: lines('process ').filter((line) => !/^\d+ (sh -c trap|ps -eo|sed s)/.test(line)),
    };
  });
  return { group: -child.pid!, ended };
}

const verify = async (topology: string, folder: string) => {
  const { stdout } = await here.run(['verify', '--topology', topology, '--captures', folder, '--json']);
  return JSON.parse(stdout) as { status: string; checks: { id: string; status: string; observed: string }[] };
};

describe('every topology that ships', () => {
  it('has a script that shells read and shellcheck finds nothing in', async () => {
    const { stdout } = await here.run(['topologies', '--json']);
    const { topologies } = JSON.parse(stdout) as { topologies: { name: string }[] };
    const tools = await exec('sh', ['-c', 'command -v shellcheck dash bash || :']);
    await Promise.all(
      topologies.map(async ({ name }) => {
        await script(name, `${name}.sh`);
        for (const tool of tools.stdout.trim().split('\n')) {
          await exec(tool, tool.endsWith('shellcheck') ? [`${name}.sh`] : ['-n', `${name}.sh`], {
            cwd: here.cwd,
          });
        }
      }),
    );
  });
});

const TRICKY = `name: tricky
segments: { net: 10.9.0.0/24 }
nodes:
  client:
    role: client
    interfaces: { eth0: net }
    files:
      ended: "a'b\\\\c%d $HOME \`x\`\\nEND\\nEND1\\n"
      open: "no line break, '\\\\n' and 100%"
      empty: ""
      dash: "-v no option"
    setup:
      - [sh, -c, "cat ended open > both; echo $NAME > name"]
    environment: { NAME: "it's \\"me\\"" }
  be1:
    role: backend
    httpd: nginx
    interfaces: { eth0: net }
  be2:
    role: backend
    interfaces: { eth0: net }
  lb:
    role: balancer
    interfaces: { eth0: net }
balancer: { method: nginx, backends: [be1, be2] }
`;

describe.runIf(process.getuid!() === 0)('the script of a plan, run as root', () => {
  it.each(['dash', 'bash'])('builds l7 and leaves captures that bear out its claims (%s)', async (shell) => {
    await script('l7', 'l7.sh');
    const ran = await world(`${shell} l7.sh out-${shell}`).ended;
    expect({ ...ran, stderr: '' }).toEqual({ code: 0, stderr: '', namespaces: [], processes: [] });
    expect(ran.stderr).toContain(`lblab verify --topology l7 --captures out-${shell}`);
    const { status, checks } = await verify('l7', `out-${shell}`);
    expect(checks.filter((check) => check.status !== 'pass')).toEqual([]);
    expect(status).toBe('pass');
  });

  it('makes files to the byte, and gives set-up commands their environment', async () => {
    const given = './tricky\ntouch pwned\n#.yaml';
    await writeFile(join(here.cwd, given), TRICKY);
    await script(given, 'tricky.sh');
    expect(await world('sh tricky.sh tricky').ended).toMatchObject({
      code: 0,
      namespaces: [],
      processes: [],
    });
    const content = async (name: string) => readFile(join(here.cwd, 'tricky/nodes/client', name), 'utf8');
    expect(await content('both')).toBe("a'b\\c%d $HOME `x`\nEND\nEND1\nno line break, '\\n' and 100%");
    expect(await content('empty')).toBe('');
    expect(await content('dash')).toBe('-v no option');
    expect(await content('name')).toBe('it\'s "me"\n');
    await expect(access(join(here.cwd, 'pwned'))).rejects.toThrow('ENOENT');
    expect((await verify(given, 'tricky')).status).toBe('pass');
  });

  it('does not start where one of its namespaces exists, and leaves that alone', async () => {
    await script('l7', 'l7.sh');
    const { code, stderr, namespaces } = await world('ip netns add lblab-l7-be2; sh l7.sh taken').ended;
    expect({ code, namespaces }).toEqual({ code: 1, namespaces: ['lblab-l7-be2'] });
    expect(stderr).toContain('the network namespace lblab-l7-be2 exists');
    await expect(access(join(here.cwd, 'taken'))).rejects.toThrow('ENOENT');
  });

  it('takes everything down when a service dies, and shows its last words', async () => {
    const broken = TRICKY.replace(
      'httpd: nginx',
      'services: [{ name: broken, command: [sh, -c, "echo cannot >&2; exit 3"], port: 80 }]',
    );
    await writeFile(join(here.cwd, 'broken.yaml'), broken);
    await script('./broken.yaml', 'broken.sh');
    const { stderr, ...rest } = await world('sh broken.sh broken').ended;
    expect(rest).toEqual({ code: 1, namespaces: [], processes: [] });
    expect(stderr).toContain('cannot\nbe1.broken has ended; its last words are above');
    expect(stderr).toContain('ended with exit code 1; everything is taken down');
  });

  // Each file comes to be in another part of the script: services, captures, requests.
  it.each([
    ['SIGINT', 'nodes/be1/apache.log', 130],
    ['SIGINT', 'client.log', 130],
    ['SIGINT', 'requests/client.jsonl', 130],
    ['SIGTERM', 'nodes/lb/nginx.log', 143],
    ['SIGTERM', 'requests/client.jsonl', 143],
  ] as const)('takes everything down at %s when %s is there', async (signal, file, code) => {
    await script('l7', 'l7.sh');
    const folder = `${signal}-${file.replaceAll('/', '-')}`;
    await mkdir(join(here.cwd, folder));
    const { group, ended } = world(`sh l7.sh ${folder}`);
    await until(
      async () =>
        access(join(here.cwd, folder, file)).then(
          () => true,
          () => false,
        ),
      Boolean,
    );
    process.kill(group, signal);
    const { stderr, ...rest } = await ended;
    expect(rest).toEqual({ code, namespaces: [], processes: [] });
    expect(stderr).toContain(`ended with exit code ${code}; everything is taken down`);
  });
});

describe('the script of an IPVS plan, run in a user-mode kernel', () => {
  it('builds nat and dsr and leaves captures that bear out their claims', async () => {
    // A lab that lends its kernel: the scripts run in one of its nodes as they would on a machine with IPVS.
    expect((await here.run(['up', 'l7', '--name', 'kernel', '--kernel', 'uml'])).code).toBe(0);
    for (const name of ['nat', 'dsr']) {
      const input = await script(name, `${name}.sh`, '--kernel', 'uml');
      const command = `cat >${name}.sh; sh ${name}.sh ${name}; echo "code $?"`;
      const { stdout } = await here.run(['exec', 'lb', '--', 'sh', '-c', command], { input });
      expect(stdout).toBe('code 0\n');
      const { checks, status } = await verify(name, join(here.state, 'labs/kernel/lab/nodes/lb', name));
      expect(checks.filter((check) => check.status !== 'pass')).toEqual([]);
      expect(status).toBe('pass');
    }
    expect((await here.run(['down', 'kernel'])).code).toBe(0);
  });
});
