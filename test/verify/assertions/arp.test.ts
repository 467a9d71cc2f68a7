import { expect, test } from 'vitest';
import { expecting } from './labs.ts';
import { arp, CLIENT, judgedRound, lineOf, VIP } from './made.ts';

const { topology } = await expecting('dsr', '');
const macOf = (name: string) => topology.nodes.find((node) => node.name === name)!.interfaces[0]!.mac;

const question = arp({ operation: 'request', mac: macOf('client'), sender: CLIENT, target: VIP });
const reply = (node: string) =>
  arp({ operation: 'reply', mac: macOf(node), sender: VIP, target: CLIENT, to: macOf('client') });
const asVip = (mac: string) => arp({ operation: 'request', mac, sender: VIP, target: CLIENT });
/** About the client's own address, which is nobody's business here. */
const others = [
  arp({ operation: 'request', mac: macOf('lb'), sender: '192.168.11.106', target: CLIENT }),
  arp({ operation: 'reply', mac: macOf('client'), sender: CLIENT, target: '192.168.11.106' }),
];

test.each([
  ['answered-by: lb', 'pass: 1 question, answered by lb 1 [client 1 2]', [question, reply('lb')]],
  ['answered-by: lb', 'pass: 0 questions, answered by lb 1 [client 1]', [reply('lb')]],
  ['answered-by: lb', 'fail: 1 question, answered by nobody [client 1]', [question]],
  ['answered-by: lb', 'fail: 1 question, answered by be1 1 [client 2]', [question, reply('be1')]],
  ['answered-by: lb', 'pass: 1 question, answered by lb 1 [client 3 4]', [...others, question, reply('lb')]],
  ['answered-by: lb', 'unknown: nobody asked who has 192.168.11.107 at client', others],
  [
    'answered-by: lb',
    'fail: 1 question, answered by be1 2, lb 1 [client 2 3 4]',
    [question, reply('be1'), reply('lb'), reply('be1')],
  ],
  ['answered-by: [lb, be1]', 'fail: 1 question, answered by lb 1 [client 2]', [question, reply('lb')]],
  [
    'answered-by: [lb, be1]',
    'pass: 2 questions, answered by be1 1, lb 1 [client 1 2 3 4]',
    [question, question, reply('lb'), reply('be1')],
  ],
  ['answered-by: []', 'pass: 1 question, answered by nobody [client 1]', [question]],
  ['asked-by: lb', 'pass: asked as 192.168.11.107 by lb 1 [client 3]', [...others, asVip(macOf('lb'))]],
  [
    'asked-by: lb',
    'fail: asked as 192.168.11.107 by 02:0b:ad:0b:ad:01 1, lb 1 [client 2 3]',
    [question, asVip('02:0b:ad:0b:ad:01'), asVip(macOf('lb'))],
  ],
  ['asked-by: []', 'pass: asked as 192.168.11.107 by nobody [client 1 2]', others],
  [
    'answered-by: lb, asked-by: lb',
    'fail: 1 question, answered by lb 1; asked as 192.168.11.107 by be1 1 [client 3]',
    [question, reply('lb'), asVip(macOf('be1'))],
  ],
  [
    'answered-by: be1, asked-by: lb',
    'fail: 1 question, answered by lb 1; asked as 192.168.11.107 by lb 1 [client 2]',
    [question, reply('lb'), asVip(macOf('lb'))],
  ],
])('%s: %s', async (said, line, client) => {
  const round = { lab: 'dsr', captures: { client } };
  expect(lineOf(await judgedRound(round, `- arp: { at: client, ${said} }`))).toBe(line);
});

test.each([
  ['answered-by: lb', 'lb answers for vip (192.168.11.107) in ARP at client'],
  ['answered-by: []', 'nobody answers for vip (192.168.11.107) in ARP at client'],
  ['answered-by: [lb, be1]', 'lb and be1 answer for vip (192.168.11.107) in ARP at client'],
  ['asked-by: lb', 'lb asks as vip (192.168.11.107) in ARP at client'],
  [
    'address: be1, answered-by: lb, asked-by: [be1, be2]',
    'lb answers for be1 (192.168.11.108) and be1 and be2 ask as be1 (192.168.11.108) in ARP at client',
  ],
])('%s reads: %s', async (said, sentence) => {
  const round = { lab: 'dsr', captures: { client: [question] } };
  expect((await judgedRound(round, `- arp: { at: client, ${said} }`)).expected).toBe(sentence);
});
