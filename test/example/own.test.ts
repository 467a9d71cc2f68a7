// An example: a topology of one's own, in the test itself, and what passes its balancer. `await using` ends each lab with its test.
import { Lab } from 'lblab';
import 'lblab/vitest';
import { expect, test } from 'vitest';

const nat = (method: string) => `
title: A balancer that rewrites addresses
segments: {front: 192.168.50.0/24, back: 10.50.0.0/24}
nodes:
  client: {role: client, interfaces: {eth0: {segment: front, address: 192.168.50.4}}}
  lb:
    role: balancer
    interfaces:
      eth0: {segment: front, address: 192.168.50.7}
      eth1: {segment: back, address: 10.50.0.1}
  red: {role: backend, gateway: 10.50.0.1, httpd: nginx, interfaces: {eth0: {segment: back, address: 10.50.0.2}}}
  blue: {role: backend, gateway: 10.50.0.1, httpd: nginx, interfaces: {eth0: {segment: back, address: 10.50.0.3}}}
balancer:
  node: lb
  method: ${method}
  vip: 192.168.50.7
  backends: [red, blue]
captures:
  outside: {at: "lb:eth0"}
  inside: {at: "lb:eth1"}
`;

test('by address translation: one connection, the client in sight, all of it through the balancer', async () => {
  await using lab = await Lab.up(nat('nft-nat'));
  const evidence = await lab.capture({ requests: 4 });
  const [outside, inside] = [evidence.at('outside'), evidence.at('inside')];
  expect([outside, inside]).toBeOneConnection();
  expect(inside).toSeeSource('192.168.50.4');
  expect(evidence).toPassThrough(['outside', 'inside']);
  expect(inside).not.toHaveHeader('X-Forwarded-For');
  expect(evidence).toPass('nat.rewrite');
});

test('by a proxy: two connections, the balancer in sight', async () => {
  await using lab = await Lab.up(nat('nginx'));
  const evidence = await lab.capture({ requests: 4 });
  const [outside, inside] = [evidence.at('outside'), evidence.at('inside')];
  expect([outside, inside]).not.toBeOneConnection();
  expect(inside).toSeeSource('10.50.0.1');
  expect(evidence).not.toPassThrough('inside');
  expect(evidence).not.toPass('nat.rewrite');
});
