// An example: a lab that ships, brought up once, asked and judged. Uses what the package exports and nothing else.
import { connections, Lab } from 'lblab';
import 'lblab/vitest';
import { afterAll, beforeAll, expect, test } from 'vitest';

let lab: Lab;
beforeAll(async () => {
  lab = await Lab.up('l7');
});
afterAll(async () => lab?.down());

test('answers come from both backends in turn', async () => {
  const requests = await lab.request({ requests: 6 });
  expect(requests.map(({ backend }) => backend)).toEqual(['be1', 'be2', 'be1', 'be2', 'be1', 'be2']);
  expect(requests).toBeSpread({ within: 0 });
});

test('one request is two connections: the backend sees the balancer, and the client in a header', async () => {
  const evidence = await lab.capture({ requests: 4 });
  const outside = evidence.at('eth0');
  const inside = evidence.at('eth1');

  expect(outside).toHaveConnections(4);
  expect(inside).toHaveConnections(4);
  expect([outside, inside]).not.toBeOneConnection();
  expect(outside).toSeeSource('192.168.11.104');
  expect(inside).toSeeSource('10.133.1.1');
  expect(inside).toHaveHeader('X-Forwarded-For', '192.168.11.104');
  expect(outside).not.toHaveHeader('X-Forwarded-For');
  expect(evidence).toBeSpread({ over: ['be1', 'be2'], within: 0 });
  expect(evidence).toPass();
  expect(await lab.verify()).toPass('l7.two-connections');

  for (const { http } of connections(inside.capture)) {
    expect(http[0]?.request?.startLine).toBe('GET / HTTP/1.0');
    expect(http[0]?.response?.status).toBe(200);
  }
});

test('programs run in its nodes', async () => {
  const { code, stdout } = await lab.exec('client', ['curl', '-s', 'http://192.168.11.107/']);
  expect(code).toBe(0);
  expect(stdout.trim()).toMatch(/^be[12]$/);
});
