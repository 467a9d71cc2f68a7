// What becomes of a client when its template expires, on a real director.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { place } from '../support/cli.ts';

/** Seconds of persistence: a second more than IPVS remembers a connection that was reset (CLOSE, net/netfilter/ipvs/ip_vs_proto_tcp.c). */
const PERSISTENCE = 11;

/** Asks so many times, ends each connection by a reset, and prints who answered. */
const ASK = (times: number) => `
import { connect } from 'node:net';
for (let i = 0; i < ${times}; i++) await new Promise((done) => {
  const socket = connect(80, '192.168.11.107', () => socket.write('GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n'));
  socket.once('data', (data) => {
    console.log(String(data).split('\\r\\n\\r\\n')[1].trim());
    socket.resetAndDestroy();
    done();
  });
});`;

it('a client stays while its template lasts, and is scheduled anew when it has expired', async () => {
  const here = await place();
  try {
    const text = await readFile('topologies/nat-persistent.yaml', 'utf8');
    await writeFile(
      join(here.cwd, 'nat.yaml'),
      text.replace('persistence: 300', `persistence: ${PERSISTENCE}`),
    );
    expect((await here.run(['up', 'nat.yaml'])).stderr).not.toMatch(/error/);
    const ask = async (times: number) => {
      const { stdout } = await here.run([
        'exec',
        'client',
        '--',
        'node',
        '--input-type=module',
        '-e',
        ASK(times),
      ]);
      return stdout.trim().split('\n');
    };
    const templates = async () => {
      const { stdout } = await here.run(['exec', 'lb', '--', 'ipvsadm', '-Lnc']);
      return stdout.split('\n').filter((line) => /192\.168\.11\.104:0 /.test(line)).length;
    };
    const first = await ask(3);
    expect(new Set(first).size).toBe(1);
    expect(await templates()).toBe(1);
    // While connections come, the template's time begins anew with each.
    await new Promise((resolve) => setTimeout(resolve, (PERSISTENCE - 4) * 1000));
    expect(await ask(1)).toEqual([first[0]]);
    await new Promise((resolve) => setTimeout(resolve, (PERSISTENCE - 4) * 1000));
    expect(await ask(1)).toEqual([first[0]]);
    await new Promise((resolve) => setTimeout(resolve, (PERSISTENCE + 1.5) * 1000));
    expect(await templates()).toBe(0);
    // Round robin goes on where it was: to the other backend.
    const later = await ask(2);
    expect(new Set(later).size).toBe(1);
    expect(later[0]).not.toBe(first[0]);
  } finally {
    await here.run(['down', '--all']);
    await here.remove();
  }
}, 120_000);
