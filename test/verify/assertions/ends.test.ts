import { expect, test } from 'vitest';
import { BE1, BE2, judgedRound, lineOf, talk } from './made.ts';

/** The second begins with packet 9. */
const ofClient = talk({ server: BE1 });
const ofBalancer = talk({ client: '10.133.1.1:40002', server: BE2, at: 100_000 });
const both = [...ofClient, ...ofBalancer];
const stranger = talk({ client: '192.0.2.9', server: BE1 });
const toVip = talk();

const FROM_BOTH = '2 connections: 1 from 10.133.1.1 (lb), 1 from 192.168.11.104 (client)';

test.each([
  [
    'sources: { at: eth1, are: client }',
    'pass: 1 connection: from 192.168.11.104 (client) [eth1 1]',
    ofClient,
  ],
  ['sources: { at: eth1, are: client }', `fail: ${FROM_BOTH} [eth1 9]`, both],
  ['sources: { at: eth1, are: [client, lb] }', `pass: ${FROM_BOTH} [eth1 1 9]`, both],
  [
    'sources: { at: eth1, are: [client, lb, be1] }',
    `fail: ${FROM_BOTH}; never be1 (10.133.1.2) [eth1 1 9]`,
    both,
  ],
  ['sources: { at: eth1, include: lb }', `pass: ${FROM_BOTH} [eth1 1 9]`, both],
  [
    'sources: { at: eth1, include: [lb, be1] }',
    `fail: ${FROM_BOTH}; never be1 (10.133.1.2) [eth1 1 9]`,
    both,
  ],
  ['sources: { at: eth1, exclude: lb }', `fail: ${FROM_BOTH} [eth1 9]`, both],
  [
    'sources: { at: eth1, exclude: [be1, lb] }',
    'pass: 1 connection: from 192.168.11.104 (client) [eth1 1]',
    ofClient,
  ],
  ['sources: { at: eth1, exclude: client }', 'pass: 1 connection: from 192.0.2.9 [eth1 1]', stranger],
  [
    'destinations: { at: eth1, are: backends }',
    'pass: 2 connections: 1 to 10.133.1.2 (be1), 1 to 10.133.1.3 (be2) [eth1 1 9]',
    both,
  ],
  ['destinations: { at: eth1, are: vip }', 'pass: 1 connection: to 192.168.11.107 (vip) [eth1 1]', toVip],
])('%s: %s', async (said, line, eth1) => {
  expect(lineOf(await judgedRound({ lab: 'nat', captures: { eth1 } }, `- ${said}`))).toBe(line);
});

test('an address is told by its owner, one of several on an interface too', async () => {
  const check = await judgedRound(
    {
      lab: 'nat',
      captures: { eth1: ofClient },
      change: (topology) => ({
        ...topology,
        nodes: topology.nodes.map((node) => ({
          ...node,
          interfaces: node.interfaces.map((link) => ({
            ...link,
            addresses: [...link.addresses, { ...link.addresses[0]!, address: '10.133.1.22' }],
          })),
        })),
      }),
    },
    '- destinations: { at: eth1, are: be1 }',
  );
  expect(lineOf(check)).toBe('pass: 1 connection: to 10.133.1.2 (be1) [eth1 1]');
});

test('a connection of which no SYN was captured has ends that nobody can be sure of', async () => {
  const captures = { eth1: talk({ server: BE1, packets: [3, 4, 5] }) };
  const check = await judgedRound({ lab: 'nat', captures }, '- sources: { at: eth1, exclude: lb }');
  expect(lineOf(check)).toBe('unknown: no SYN was captured at eth1');
});

test.each([
  ['are: [client, lb]', 'the sources at eth1 are client (192.168.11.104) and lb, and each occurs'],
  ['include: client', 'client (192.168.11.104) is among the sources at eth1'],
  ['include: [192.168.11.104, lb]', '192.168.11.104 and lb are among the sources at eth1'],
  ['exclude: lb', 'none of the sources at eth1 is lb'],
  [
    'include: client, exclude: [be1, be2]',
    'client (192.168.11.104) is among the sources at eth1 and none of the sources at eth1 is be1 (10.133.1.2) or be2 (10.133.1.3)',
  ],
])('%s reads: %s', async (said, sentence) => {
  const round = { lab: 'nat', captures: { eth1: both } };
  expect((await judgedRound(round, `- sources: { at: eth1, ${said} }`)).expected).toBe(sentence);
});
