// A lab that stays up on a user-mode kernel behaves as one on the machine's own: every command on it, all of IPVS's schedulers, several services.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { place, type Place } from '../support/cli.ts';
import { processesOf } from '../support/processes.ts';

const SERVICES = fileURLToPath(new URL('services.yaml', import.meta.url));

let here: Place;
beforeAll(async () => {
  here = await place();
});
afterAll(async () => {
  await here.run(['down', '--all']);
  expect(await processesOf(here.state)).toEqual([]);
  await here.remove();
});

describe('a lab up on a user-mode kernel', () => {
  beforeAll(async () => {
    const { code, stderr } = await here.run(['up', SERVICES, '--kernel', 'uml']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  it('is listed, and shows the director’s own table', async () => {
    expect((await here.run(['ls'])).stdout).toContain('services');
    const { stdout } = await here.run(['status']);
    expect(stdout).toContain('TCP  192.168.11.107:80 wrr');
    expect(stdout).toContain('10.133.1.2:8080              Masq    3');
    expect(stdout).toContain('TCP  192.168.11.107:443 sh persistent 60');
    expect(stdout).toContain('UDP  192.168.11.107:53 rr');
  });

  it('runs commands: streams, input, exit codes, signals', async () => {
    const { code, stdout, stderr } = await here.run(
      ['exec', 'be1', '--', 'sh', '-c', 'cat; echo bad >&2; exit 9'],
      { input: 'in\n' },
    );
    expect({ code, stdout, stderr }).toEqual({ code: 9, stdout: 'in\n', stderr: 'bad\n' });
    expect((await here.run(['exec', 'be1', '--', 'sh', '-c', 'kill -9 $$'])).code).toBe(137);
    expect((await here.run(['exec', 'client', '--', 'getent', 'hosts', 'be2'])).stdout).toMatch(
      /10\.133\.1\.3 +be2/,
    );
  });

  it('spreads requests as the weights say, over ports that change on the way', async () => {
    const { stdout, code } = await here.run(['request', '-n', '8', '--json']);
    expect(code).toBe(0);
    const document = JSON.parse(stdout) as { byBackend: Record<string, number> };
    expect(document.byBackend).toEqual({ be1: 6, be2: 2 });
  });

  it('keeps a client on its backend where persistence asks for it', async () => {
    const names = await here.run([
      'exec',
      'client',
      '--',
      'sh',
      '-c',
      'for i in 1 2 3 4; do curl -s http://192.168.11.107:443/; done',
    ]);
    expect(new Set(names.stdout.trim().split('\n')).size).toBe(1);
  });

  it('carries UDP', async () => {
    const perl =
      'use IO::Socket::INET; $s = IO::Socket::INET->new(Proto => "udp", LocalPort => 53) or die; $s->recv($_, 99); $s->send("be") or die';
    const ask =
      'use IO::Socket::INET; $s = IO::Socket::INET->new(Proto => "udp", PeerAddr => "192.168.11.107:53") or die; alarm 5; for (1..40) { $s->send("x"); select undef, undef, undef, 0.1; if ($s->recv($_, 99, 64)) { print; last } }';
    const servers = ['be1', 'be2'].map(async (node) =>
      here.run(['exec', node, '--', 'timeout', '4', 'perl', '-e', perl]),
    );
    const { stdout } = await here.run(['exec', 'client', '--', 'timeout', '8', 'perl', '-e', ask]);
    expect(stdout).toBe('be');
    const { stdout: connections } = await here.run(['exec', 'lb', '--', 'ipvsadm', '-Lnc']);
    expect(connections).toMatch(/UDP .*192\.168\.11\.107:53/);
    await Promise.all(servers);
  }, 30_000);

  it('captures at all points, whole', async () => {
    const { code, stdout } = await here.run(['capture', '-n', '4']);
    expect(stdout).toMatch(/eth1\.pcap +lb:eth1 +40 packets +4 connections/);
    expect(code).toBe(0);
    expect(await readdir(join(here.cwd, 'captures/services'))).toEqual(
      expect.arrayContaining(['eth0.pcap', 'eth1.pcap', 'client.pcap']),
    );
  });

  it('streams one point as a pcap', async () => {
    const { code, stdout } = await here.run(['capture', '--at', 'lb:eth0', '-w', '-', '-n', '2']);
    expect(stdout.length).toBeGreaterThan(1000);
    expect(code).toBe(0);
  });

  it('has every scheduler of IPVS', async () => {
    const all = ['rr', 'wrr', 'lc', 'wlc', 'fo', 'ovf', 'lblc', 'lblcr', 'dh', 'sh', 'mh', 'sed', 'nq'];
    const script = `for s in ${all.join(' ')}; do ipvsadm -E -t 192.168.11.107:80 -s $s && ipvsadm -Ln | sed -n "s/^TCP  192.168.11.107:80 //p"; done`;
    const { stdout, stderr } = await here.run(['exec', 'lb', '--', 'sh', '-c', script]);
    expect(stderr).toBe('');
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line) => line.split(' ')[0]),
    ).toEqual(all);
  }, 30_000);

  it('goes down', async () => {
    expect((await here.run(['down'])).stdout).toBe('down: services\n');
    expect(await processesOf(here.state)).toEqual([]);
  });
});

describe('compare', () => {
  it('says of a method without a balancer on the way that there is nothing to measure', async () => {
    expect(await here.run(['compare', 'dnsrr', '--kernel', 'host'])).toMatchObject({
      code: 4,
      stdout: '',
      stderr: expect.stringMatching(
        /^dnsrr: no SYN to port 80 was captured on the balancer's side towards the clients \(.*\); nothing is measured$/m,
      ),
    });
  });

  it('measures each method on one kernel', async () => {
    const { code, stdout } = await here.run(['compare', 'l7', 'dsr', '-n', '6', '--json'], { seconds: 90 });
    expect(code).toBe(0);
    const document = JSON.parse(stdout) as {
      schema: string;
      methods: {
        topology: string;
        connections: number;
        tcpEnds: string;
        fromBackends: { packets: number };
      }[];
    };
    expect(document.schema).toBe('lblab/compare@1');
    expect(
      document.methods.map(({ topology, connections, tcpEnds }) => [topology, connections, tcpEnds]),
    ).toEqual([
      ['l7', 2, 'balancer'],
      ['dsr', 1, 'backend'],
    ]);
    expect(document.methods[1]!.fromBackends.packets).toBe(0);
  }, 90_000);
});
