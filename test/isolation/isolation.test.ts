// A lab cannot write on the machine nor reach its network, whatever runs in it and whatever its topology says; nor does it make lblab do so.
// docs/isolation.md is made of what is tried here.
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import {
  chmod,
  chown,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { describe, expect, it, onTestFinished } from 'vitest';
import { place, type Place } from '../support/cli.ts';
import { ATTEMPTS, NETWORK, type Attempt } from './attempts.ts';

const root = resolve(import.meta.dirname, '../..');
const isRoot = process.getuid!() === 0;
const users = isRoot ? (['self', 'plain'] as const) : (['self'] as const);

async function aPlace(user: 'self' | 'plain' = 'self'): Promise<Place> {
  const here = await place(user);
  onTestFinished(async () => {
    await here.run(['down', '--all']);
    await here.remove();
  });
  return here;
}

/** A folder of the machine's that a lab's user may write, and what is in it. */
async function outside(): Promise<{ path: string; seen: () => Promise<string[]> }> {
  const path = await mkdtemp('/var/tmp/lblab-outside-');
  await chmod(path, 0o777);
  await writeFile(join(path, 'treasure'), 'gold', { mode: 0o666 });
  onTestFinished(async () => rm(path, { recursive: true, force: true }));
  return {
    path,
    seen: async () => [...(await readdir(path)).sort(), await readFile(join(path, 'treasure'), 'utf8')],
  };
}

/** A server of the machine's that anybody may talk to. */
async function listening(path: string): Promise<void> {
  const server = createServer().listen(path);
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  await chmod(path, 0o777);
}

const UNTOUCHED = ['treasure', 'gold'];

/** Runs attempts in a node, one after the other, and tells which succeeded. */
async function attempted(
  here: Place,
  node: string,
  attempts: readonly Attempt[],
  values: Record<string, string>,
) {
  const script = [
    ...Object.entries(values).map(([name, value]) => `export ${name}=${value}`),
    ...attempts.map(({ script: one }, index) => `(\n${one}\n) </dev/null >/dev/null 2>&1 && echo ${index}`),
    'echo done',
  ].join('\n');
  const { stdout, stderr } = await here.run(['exec', '-l', 'l7', node, '--', 'sh', '-c', script], {
    seconds: 110,
  });
  const lines = stdout.trim().split('\n');
  expect(lines.pop(), stderr).toBe('done');
  return lines.map((index) => attempts[Number(index)]!.what);
}

describe.each(users)('as %s user', (user) => {
  it.each(['host', 'uml'] as const)(
    'a program in a node on the %s kernel can write nothing but its lab',
    async (kernel) => {
      const here = await aPlace(user);
      const out = await outside();
      await listening(`${out.path}.sock`);
      if (kernel === 'host') expect((await here.run(['up', 'dnsrr', '--name', 'other'])).code).toBe(0);
      expect((await here.run(['up', 'l7', '--kernel', kernel])).code).toBe(0);
      // A user-mode kernel is the lab's own: what its root does to its settings, devices and processes is nobody else's.
      const own =
        /machine runs|memory|proc file system|sysrq|module|clock|PID 1’s name|device node|control group|^ptrace|under \/sys|undo the walls|overlay|^unmount/;
      const attempts = kernel === 'uml' ? ATTEMPTS.filter(({ what }) => !own.test(what)) : ATTEMPTS;
      expect(
        await attempted(here, 'be1', attempts, { OUT: out.path, LAB: join(here.state, 'labs/l7/lab') }),
      ).toEqual([]);
      expect(await out.seen()).toEqual(UNTOUCHED);
      await expect(stat('/var/tmp/lblab-x')).rejects.toThrow('ENOENT');
    },
  );

  it('links that a lab’s programs leave in its folder lead lblab nowhere', async () => {
    const here = await aPlace(user);
    const out = await outside();
    expect((await here.run(['up', 'l7'])).code).toBe(0);
    const names = [
      'requests',
      'faults.json',
      'last-captures',
      'tables',
      'batches',
      'shell',
      'hosts',
      'agent2.sock',
    ];
    const script = `cd ../..; for n in ${names.join(' ')}; do rm -rf $n; ln -s ${out.path}/treasure $n; done; rm -rf requests; ln -s ${out.path} requests; rm -rf nodes/lb; ln -s ${out.path} nodes/lb`;
    await here.run(['exec', 'be1', '--', 'sh', '-c', script]);
    await here.run(['capture', '-n', '2']);
    await here.run(['request', '-n', '2', '--rate', '50/s']);
    expect(await out.seen()).toEqual(UNTOUCHED);
    expect((await here.run(['down'])).code).toBe(0);
    expect(await out.seen()).toEqual(UNTOUCHED);
  });

  it('an environment that names other programs changes nothing but the node’s own', async () => {
    const here = await aPlace(user);
    const out = await outside();
    const topology = {
      segments: { net: '10.66.0.0/24' },
      nodes: {
        n1: {
          interfaces: { eth0: 'net' },
          environment: { PATH: './mine:/usr/sbin:/usr/bin:/sbin:/bin', WORD: 'it\'s $HOME; `id` = "x"\n' },
          files: {
            'mine/tool': `#!/bin/sh\nmount -o remount,bind,rw /\necho no > ${out.path}/x\necho "$0" >> tools\nexec true\n`,
          },
          setup: [
            ['sh', '-c', 'for n in nsenter setpriv env; do cp mine/tool mine/$n; done; chmod +x mine/*'],
            ['tool'],
            ['sh', '-c', 'printf %s "$WORD" > word; (nsenter || :) 2>&1'],
          ],
          services: [{ name: 'stays', command: ['sleep', '1000'] }],
        },
      },
    };
    await writeFile(join(here.cwd, 'mine.yaml'), JSON.stringify(topology));
    const { code, stderr } = await here.run(['up', 'mine.yaml', '--kernel', 'host']);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect((await here.run(['exec', 'n1', '--', 'cat', 'word'])).stdout).toBe('it\'s $HOME; `id` = "x"\n');
    // The node's programs see it; what encloses them does not.
    expect((await here.run(['exec', 'n1', '--', 'cat', 'tools'])).stdout).toBe(
      './mine/tool\n./mine/nsenter\n',
    );
    expect(await out.seen()).toEqual(UNTOUCHED);
  });

  it('an nginx.conf writes nothing but its lab', async () => {
    const here = await aPlace(user);
    const out = await outside();
    await symlink(out.path, join(here.cwd, 'way'));
    const l7 = await readFile(join(root, 'topologies/l7.yaml'), 'utf8');
    await writeFile(
      join(here.cwd, 'l7.yaml'),
      l7
        .replace('nginx:\n', 'nginx:\n    conf: nginx.conf\n')
        .replace(/ {4}(upstream|forwarded-for):.*\n/g, ''),
    );
    const conf = (main: string, http: string) =>
      `${isRoot && user === 'self' ? 'user root;\n' : ''}worker_processes 1; ${main}\nevents {}\nhttp { access_log off; ${http}\n server { listen 192.168.11.107:80; location / { return 200 hello; } } }\n`;
    const [path, way] = [`${out.path}/x`, `${here.cwd}/way/x`];
    const attempts = [
      [`error_log ${path} debug;`, ''],
      [`error_log ${way} debug;`, ''],
      [`error_log /proc/sys/kernel/core_pattern;`, ''],
      [`pid ${path};`, ''],
      [`pid ${out.path}/treasure;`, ''],
      ['pid nginx.pid;', `access_log ${path};`],
      ['pid nginx.pid;', `access_log ${out.path}/treasure;`],
      ['pid nginx.pid;', `client_body_temp_path ${path};`],
      ['pid nginx.pid;', `proxy_cache_path ${path} keys_zone=x:1m;`],
      [`lock_file ${path}; pid nginx.pid;`, ''],
    ] as const;
    for (const [main, http] of attempts) {
      await writeFile(join(here.cwd, 'nginx.conf'), conf(main, http));
      const { code, stderr } = await here.run(['up', 'l7.yaml', '--recreate']);
      expect({ main, http, seen: await out.seen() }).toEqual({ main, http, seen: UNTOUCHED });
      if (code !== 0) expect(stderr).toMatch(/nginx/);
      await here.run(['request', '-n', '1']);
      expect(await out.seen()).toEqual(UNTOUCHED);
    }
  });
});

describe('what lblab leaves', () => {
  it('is not written through a symbolic link', async () => {
    const here = await aPlace();
    const out = await outside();
    expect((await here.run(['up', 'l7'])).code).toBe(0);
    // Where nobody has named the folder.
    await symlink(out.path, join(here.cwd, 'captures'));
    const refused = await here.run(['capture', '-n', '1']);
    expect(refused).toMatchObject({ code: 2 });
    expect(refused.stderr).toContain(
      `${here.cwd}/captures is a symbolic link; if that is meant, name the folder with -o\n`,
    );
    // In a folder of the user's.
    await mkdir(join(here.cwd, 'mine'));
    await symlink(out.path, join(here.cwd, 'mine/requests'));
    expect((await here.run(['capture', '-n', '1', '-o', 'mine'])).stderr).toContain(
      'mine/requests is no folder; remove it',
    );
    await rm(join(here.cwd, 'mine/requests'));
    await rm(join(here.cwd, 'mine/eth0.pcap'), { force: true });
    await symlink(join(out.path, 'treasure'), join(here.cwd, 'mine/eth0.pcap'));
    expect((await here.run(['capture', '-n', '1', '-o', 'mine'])).code).toBe(0);
    expect((await lstat(join(here.cwd, 'mine/eth0.pcap'))).isFile()).toBe(true);
    await symlink(join(out.path, 'treasure'), join(here.cwd, 'page.html'));
    const page = await here.run(['report', 'mine', '-o', 'page.html']);
    expect(page.stderr).toContain('page.html is a symbolic link; name the file that it leads to');
    expect(await out.seen()).toEqual(UNTOUCHED);
  });

  it.runIf(isRoot)('under sudo belongs to the caller, and what was there stays whose it was', async () => {
    const here = await aPlace();
    const env = { SUDO_UID: '54321', SUDO_GID: '54322' };
    await mkdir(join(here.cwd, 'mine/deep'), { recursive: true });
    await writeFile(join(here.cwd, 'mine/deep/old'), '');
    await here.run(['run', 'l7', '-o', 'mine', '--report', 'junit=new/a/results.xml'], { env });
    await here.run(['report', 'mine', '-o', 'new/b/page.html'], { env });
    await here.run(['init', 'new/c/d/lab.yaml'], { env });
    const owners = async (path: string): Promise<string[]> => {
      const { uid, gid } = await lstat(join(here.cwd, path));
      const below = await readdir(join(here.cwd, path)).catch(() => []);
      return [
        `${path} ${uid}:${gid}`,
        ...(await Promise.all(below.map(async (name) => owners(join(path, name))))).flat(),
      ];
    };
    const all = [...(await owners('mine')), ...(await owners('new'))];
    const kept = ['mine 0:0', 'mine/deep 0:0', 'mine/deep/old 0:0'];
    expect(all).toEqual(
      expect.arrayContaining([
        ...kept,
        'new 54321:54322',
        'new/c/d/lab.yaml 54321:54322',
        'mine/requests/client.jsonl 54321:54322',
      ]),
    );
    expect(all.filter((one) => !one.endsWith(' 54321:54322')).sort()).toEqual(kept);
  });
});

describe('a state folder', () => {
  it('is private, and closed when it was not', async () => {
    const here = await aPlace();
    const env = { LBLAB_STATE_DIR: join(here.cwd, 'a/b/state') };
    expect((await here.run(['up', 'l7'], { env })).code).toBe(0);
    expect((await stat(env.LBLAB_STATE_DIR)).mode & 0o777).toBe(0o700);
    await chmod(env.LBLAB_STATE_DIR, 0o777);
    expect((await here.run(['down'], { env })).code).toBe(0);
    expect((await stat(env.LBLAB_STATE_DIR)).mode & 0o777).toBe(0o700);
  });

  it.runIf(isRoot)('of somebody else is not believed by any command', async () => {
    const here = await aPlace();
    const theirs = join(here.cwd, 'theirs');
    await mkdir(join(theirs, 'labs/l7'), { recursive: true });
    const victim = execFile('sleep', ['1000']);
    onTestFinished(() => void victim.kill());
    const started = (await readFile(`/proc/${victim.pid}/stat`, 'latin1'))
      .replace(/^.*\) /, '')
      .split(' ')[19];
    const record = {
      schema: 'lblab/lab@1',
      name: 'l7',
      kernel: 'host',
      pid: victim.pid,
      pidStarted: started,
      uuid: 'x',
      topology: {},
    };
    await writeFile(join(theirs, 'labs/l7/lab.json'), JSON.stringify(record));
    await chown(theirs, 54321, 54321);
    await symlink(theirs, join(here.cwd, 'link'));
    for (const [state, words] of [
      ['theirs', `${theirs} belongs to uid 54321; name another folder with LBLAB_STATE_DIR\n`],
      ['link', `${here.cwd}/link is no folder; name another folder with LBLAB_STATE_DIR\n`],
    ])
      for (const command of [
        'up l7',
        'ls',
        'status',
        'down l7',
        'down --all',
        'exec lb -- true',
        'capture',
        'request',
        'verify',
        'flow',
        'run l7',
      ]) {
        const { code, stderr } = await here.run(command.split(' '), {
          env: { LBLAB_STATE_DIR: join(here.cwd, state!) },
        });
        expect({ command, code, stderr: stderr.split('\n').at(-2) + '\n' }).toEqual({
          command,
          code: 3,
          stderr: words,
        });
      }
    expect(victim.exitCode).toBe(null);
    expect(victim.signalCode).toBe(null);
  });
});

describe.runIf(isRoot)('the network', () => {
  it.each(['host', 'uml'] as const)(
    'of a lab on the %s kernel and the machine’s do not meet',
    async (kernel) => {
      const here = await aPlace();
      // A machine of its own for the test, whose one cable shows all that leaves.
      const lblab = here
        .argv([])
        .map((word) => `'${word}'`)
        .join(' ');
      const attempts = NETWORK.map(
        ({ script }, index) => `(\n${script}\n) </dev/null >/dev/null 2>&1 && echo in ${index}`,
      ).join('\n');
      await writeFile(join(here.cwd, 'attempts.sh'), `export MACHINE=$1\n${attempts}\necho end\n`);
      const machine = `
set -e
for f in /proc/sys/net/ipv6/conf/*/disable_ipv6; do echo 1 > $f; done
ip link set lo up
ip link add m0 type veth peer name m1
ip addr add 198.51.100.1/24 dev m0
ip link set m1 up; ip link set m0 up
node -e 'const n=require("net");n.createServer().listen(8080,"127.0.0.1");n.createServer().listen("\\0lblab-outside");setTimeout(()=>{},100000)' & server=$!
sleep 0.5
count() { cat /sys/class/net/m0/statistics/tx_packets /sys/class/net/m1/statistics/tx_packets | tr '\\n' ' '; }
before=$(count)
${lblab} up l7 --kernel ${kernel} >/dev/null
set +e
${lblab} exec -l l7 client -- curl -s -m 5 http://192.168.11.107/
for node in client lb be1; do ${lblab} exec -l l7 $node -- sh -c "$(cat attempts.sh)" sh $$; done
echo "sent: $(count) before: $before"
curl -s -m 1 http://192.168.11.107/ >/dev/null; echo "no way: $?"
ip addr add 192.168.11.1/24 dev m0
curl -s -m 1 http://192.168.11.107/ >/dev/null; echo "beside: $?"
${lblab} down l7
kill $server`;
      const text = await new Promise<string>((end) => {
        execFile(
          'unshare',
          ['--net', '--mount', '--', 'sh', '-c', `mount -t sysfs none /sys\n${machine}`],
          { cwd: here.cwd, env: here.env },
          (_, out, talk) => end(out + talk),
        );
      });
      const ends = text.match(/^end$/gm) ?? [];
      expect(ends, text).toHaveLength(3);
      expect(text.match(/^in \d+$/gm) ?? []).toEqual([]);
      expect(text).toMatch(/^sent: (.*) before: \1$/m);
      expect(text).toMatch(/^be\d\n/);
      expect(text).toMatch(/^no way: (7|28)\nbeside: (7|28)\n/m);
    },
  );
});

it('docs/isolation.md says what is tried', async () => {
  const file = join(root, 'docs/isolation.md');
  const rows = (attempts: readonly Attempt[]) => [
    '| tried from inside | in the way |',
    '| --- | --- |',
    ...attempts.map(({ what, wall }) => `| ${what} | ${wall} |`),
    '',
  ];
  const text = await readFile(file, 'utf8');
  const made = text
    .replace(/(## Files\n[^|]*)(\|.*\n)*/, (_, head: string) => head + rows(ATTEMPTS).join('\n'))
    .replace(/(## Network\n[^|]*)(\|.*\n)*/, (_, head: string) => head + rows(NETWORK).join('\n'));
  await expect(
    await format(made, { ...(await resolveConfig(file)), parser: 'markdown' }),
  ).toMatchFileSnapshot(file);
});
