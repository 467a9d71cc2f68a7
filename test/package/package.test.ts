// The package as others get it: packed, installed into an empty project, used there by its command, from JavaScript, from TypeScript and
// from Vitest.
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pcap, segment } from '../pcap/build.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const MODULES = join(ROOT, 'node_modules');
const CALM = ['--no-audit', '--no-fund', '--loglevel=error'];

let folder: string;
let project: string;
let tarball: string;

async function run(program: string, argv: readonly string[], cwd: string) {
  // Vitest's own variables would make a Vitest inside believe that it is a worker of this one.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(VITEST|NODE_ENV|npm_)/.test(name)),
  );
  return promisify(execFile)(program, argv, { cwd, env, maxBuffer: 16 * 1024 * 1024 });
}

const node = async (...argv: string[]) => run(process.execPath, argv, project);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lblab-package-'));
  // Packed from a copy: packing builds anew, and other tests use what is built here.
  const copy = join(folder, 'lblab');
  await mkdir(copy);
  for (const name of [
    'package.json',
    'tsconfig.json',
    'LICENSE',
    'README.md',
    'CHANGELOG.md',
    'bin',
    'man',
    'src',
    'topologies',
  ])
    await cp(join(ROOT, name), join(copy, name), { recursive: true });
  await symlink(MODULES, join(copy, 'node_modules'));
  await run('npm', ['pack', '--pack-destination', folder, ...CALM], copy);
  tarball = join(
    folder,
    (await readdir(folder)).find((name) => name.endsWith('.tgz'))!,
  );

  project = join(folder, 'project');
  await mkdir(project);
  await writeFile(
    join(project, 'package.json'),
    JSON.stringify({ name: 'project', private: true, type: 'module' }),
  );
  await run('npm', ['install', tarball, '--prefer-offline', '--ignore-scripts', ...CALM], project);
  const syn = segment({ source: '10.0.0.4', destination: '10.0.0.7', flags: 'S', sequence: 1 });
  await writeFile(join(project, 'eth0.pcap'), pcap([syn]));
}, 240_000);

afterAll(async () => rm(folder, { recursive: true, force: true }));

test('has the command, the library, the manual page and the topologies, and nothing else', async () => {
  const { stdout } = await run('tar', ['-tzf', tarball], folder);
  const files = stdout.trim().split('\n');
  expect(files).toEqual(
    expect.arrayContaining([
      'package/dist/main.js',
      'package/dist/agent.js',
      'package/dist/index.js',
      'package/dist/vitest.js',
      'package/dist/types/index.d.ts',
      'package/dist/types/vitest.d.ts',
      'package/topologies/haproxy.yaml',
      'package/topologies/l7.yaml',
      'package/topologies/schema.json',
    ]),
  );
  const named = new Set(files.map((file) => file.replace(/^package\/(dist|topologies)\/.*/, '$1')));
  expect([...named].sort()).toEqual([
    'dist',
    'package/CHANGELOG.md',
    'package/LICENSE',
    'package/README.md',
    'package/bin/demo',
    'package/bin/lblab.js',
    'package/bin/setup',
    'package/man/lblab.1',
    'package/package.json',
    'topologies',
  ]);
  expect(files.filter((file) => /^package\/topologies\/.*(?<!\.yaml|schema\.json)$/.test(file))).toEqual([]);
  expect(files.filter((file) => /^package\/dist\/.*(?<!\.js|\.d\.ts)$/.test(file))).toEqual([]);
});

test('is what publint wants', async () => {
  const { stdout } = await run(
    process.execPath,
    [join(MODULES, 'publint/src/cli.js'), 'run', tarball, '--strict'],
    folder,
  );
  expect(stdout).toContain('All good!');
});

describe('installed', () => {
  test('the command says its version and reads captures', async () => {
    const command = join(project, 'node_modules/.bin/lblab');
    expect((await run(command, ['--version'], project)).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    const { stdout } = await run(command, ['inspect', 'eth0.pcap', '--json'], project);
    expect(JSON.parse(stdout)).toMatchObject({
      captures: [{ packets: 1, connections: [{ state: 'unanswered' }] }],
    });
    expect(JSON.parse((await run(command, ['topologies', '--json'], project)).stdout)).toMatchObject({
      topologies: expect.arrayContaining([expect.objectContaining({ name: 'l7' })]),
    });
  });

  test('the library reads captures and topologies without a word of its own', async () => {
    await writeFile(
      join(project, 'use.js'),
      `import { connections, Lab, parseTopology, readCapture, TopologyError } from 'lblab';
      const [connection] = connections(await readCapture('eth0.pcap'));
      console.log(connection.client.address, connection.state, typeof Lab.up);
      try { parseTopology('nodes: 1', 'bad.yaml'); } catch (error) { console.log(error instanceof TopologyError); }
      `,
    );
    expect(await node('use.js')).toEqual({ stdout: '10.0.0.4 unanswered function\ntrue\n', stderr: '' });
  });

  test('the library brings a lab up', async () => {
    await writeFile(
      join(project, 'lab.js'),
      `import { Lab } from 'lblab';
      const lab = await Lab.up('l7');
      try {
        const evidence = await lab.capture({ requests: 2 });
        console.log(evidence.at('eth1').capture.packets.length > 0, (await lab.verify(['l7.source'])).map(({ status }) => status).join());
      } finally {
        await lab.down();
      }
      `,
    );
    expect(await node('lab.js')).toEqual({ stdout: 'true pass,pass\n', stderr: '' });
  });

  test('TypeScript knows its types, `await using` and the matchers', async () => {
    for (const name of ['vitest', '@types'])
      await symlink(join(MODULES, name), join(project, 'node_modules', name));
    await writeFile(
      join(project, 'use.test.ts'),
      `import { connections, Lab, readCapture, type Connection } from 'lblab';
      import 'lblab/vitest';
      import { expect, test } from 'vitest';
      test('a capture', async () => {
        const capture = await readCapture('eth0.pcap');
        const found: Connection[] = connections(capture);
        expect(found).toHaveConnections(1);
        expect(capture).toSeeSource('10.0.0.4');
        expect(capture).not.toSeeSource('10.0.0.5');
      });
      export async function unused(): Promise<number> {
        await using lab = await Lab.up('nat');
        const evidence = await lab.capture({ requests: 10 });
        expect(evidence).toPassThrough(['eth0'], 'to-server');
        // @ts-expect-error no such direction
        expect(evidence).toPassThrough(['eth0'], 'sideways');
        const { code } = await lab.exec('lb', ['true']);
        return (code ?? 0) + evidence.at('eth0').capture.packets.length;
      }
      `,
    );
    await writeFile(
      join(project, 'tsconfig.json'),
      JSON.stringify({
        compilerOptions: {
          target: 'ES2022',
          lib: ['ES2022'],
          module: 'NodeNext',
          types: ['node'],
          strict: true,
          noEmit: true,
          skipLibCheck: true,
        },
        include: ['*.ts'],
      }),
    );
    const { stdout } = await node(join(MODULES, 'typescript/bin/tsc'), '-p', '.').catch(
      (error: { stdout: string }) => error,
    );
    expect(stdout).toBe('');
  });

  test('Vitest runs a suite with the matchers', async () => {
    const { stdout } = await node(
      join(MODULES, 'vitest/vitest.mjs'),
      'run',
      '--root',
      project,
      '--reporter=json',
      'use.test.ts',
    );
    expect(JSON.parse(stdout.slice(stdout.indexOf('{')))).toMatchObject({
      numPassedTests: 1,
      numTotalTests: 1,
    });
  });
});
