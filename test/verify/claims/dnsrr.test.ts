// Claims about DNS round robin, on stories of what clients learn and whom they reach: where each ceases to hold, and what cannot be told.
import { describe, expect, test } from 'vitest';
import type { PacketReference, Status } from '../../../src/verify/types.ts';
import { verdict, withCaptures } from '../evidence.ts';
import { story } from '../story.ts';

type Row = [
  name: string,
  lines: readonly string[],
  status: Status,
  observed: string,
  evidence?: readonly PacketReference[],
];

const client = (...packets: number[]) => [{ capture: 'client', packets }];

async function judged(id: string, [, lines, status, observed, evidence]: Row): Promise<void> {
  expect(verdict(id, await story(lines))).toMatchObject({ status, observed, ...(evidence && { evidence }) });
}

describe('dnsrr.rotates', () => {
  const both =
    '2 answers with several addresses begin 1 with 192.168.11.108, 1 with 192.168.11.109, never twice in a row';
  test.each<Row>([
    [
      'two answers in turn',
      ['0 client learns be1 be2', '10 client learns be2 be1'],
      'pass',
      both,
      [{ capture: 'dns', packets: [1, 2] }],
    ],
    ['the other way round', ['0 client learns be2 be1', '10 client learns be1 be2'], 'pass', both],
    [
      'an answer that begins as the one before',
      ['0 client learns be1 be2', '10 client learns be1 be2'],
      'fail',
      '2 answers with several addresses begin all with 192.168.11.108, 1 as the one before',
      [{ capture: 'dns', packets: [2] }],
    ],
    [
      'one answer with several addresses',
      ['0 client learns be1 be2', '10 client learns be2'],
      'unknown',
      'one answer alone shows no order',
    ],
    ['no answer at all', ['0 client reaches be1'], 'unknown', 'no DNS answer with an address was captured'],
  ])('%s', async (...row) => judged('dnsrr.rotates', row));

  test('is seen at the client where the DNS server was not captured', async () => {
    const evidence = await story(['0 client learns be1 be2', '10 client learns be2 be1']);
    const without = withCaptures(evidence, (point) => (point.node === 'dns' ? undefined : point));
    expect(verdict('dnsrr.rotates', without)).toMatchObject({ status: 'pass', evidence: client(1, 2) });
  });
});

test('dnsrr.direct cites the one connection that went elsewhere', async () => {
  const evidence = await story(['0 client reaches be1', '10 client reaches dns', '20 client reaches be2']);
  expect(verdict('dnsrr.direct', evidence)).toMatchObject({
    status: 'fail',
    observed: '3 SYNs: 1 to 192.168.11.108:80, 1 to 192.168.11.109:80, 1 to 192.168.11.53:80',
    evidence: client(6),
  });
});

describe('dnsrr.skew', () => {
  const kept = ['0 client learns be1 be2', '10 client reaches be1', '20 client reaches be1'];
  const told = 'client: 2 connections on one answer (TTL 2 s), all to be1';
  const asks = (at: number) => [`${at} asking learns be2 be1`, `${at + 1} asking reaches be2`];
  test.each<Row>([
    ['a client that keeps an answer', kept, 'pass', told, client(1, 2, 7)],
    [
      'one that leaves its first address',
      [...kept, '30 client reaches be2'],
      'fail',
      'client: 3 connections on one answer (TTL 2 s), 2 to be1, 1 to be2',
    ],
    [
      'beside it one request on an answer of its own',
      [...kept, ...asks(30)],
      'pass',
      `${told}; asking, with an answer for each request: to be2`,
    ],
    [
      'beside it two that do not spread',
      [...kept, ...asks(30), ...asks(40)],
      'fail',
      `${told}; asking, with an answer for each request: all to be2`,
    ],
    [
      'the answer that was kept longest is shown: the first',
      [
        ...kept,
        '30 client reaches be1',
        '40 client learns be2 be1',
        '50 client reaches be2',
        '60 client reaches be2',
      ],
      'pass',
      'client: 3 connections on one answer (TTL 2 s), all to be1',
      client(1, 2, 7, 12),
    ],
    [
      'or the second',
      [...kept, '40 client learns be2 be1', ...['50', '60', '70'].map((at) => `${at} client reaches be2`)],
      'pass',
      'client: 3 connections on one answer (TTL 2 s), all to be2',
      client(12, 13, 18, 23),
    ],
  ])('%s', async (...row) => judged('dnsrr.skew', row));
});

describe('dnsrr.failover', () => {
  const before = [
    '0 client learns be1 be2',
    ...['100', '200', '300'].map((at) => `${at} client reaches be1`),
  ];
  const stuck = [...before, '1000 be1 stops', '1100 client fails-at be1', '1200 client fails-at be1'];
  const asked = 'client: 2 of 2 attempts before its next answer 1.00 s after the fault failed, ';
  test.each<Row>([
    [
      'every attempt fails until the next answer',
      [...stuck, '2000 client learns be2', '2100 client reaches be2'],
      'pass',
      `${asked}the first that was answered came after 1.10 s`,
      client(17, 19),
    ],
    [
      'and at that instant one that does not is not counted',
      [...stuck, '2000 client learns be2', '2000 client reaches be2'],
      'pass',
      `${asked}the first that was answered came after 1.00 s`,
    ],
    [
      'one at the instant of the fault is',
      [
        ...before,
        '1000 be1 stops',
        '1000 client fails-at be1',
        '1100 client fails-at be1',
        '2000 client learns be2',
      ],
      'pass',
      `${asked}none was answered`,
    ],
    [
      'an attempt that was answered',
      [...stuck, '1300 client reaches be2', '2000 client learns be2'],
      'fail',
      'client: 2 of 3 attempts before its next answer 1.00 s after the fault failed, the first that was answered came after 300 ms',
    ],
    [
      'a client that never asks again',
      stuck,
      'unknown',
      'client: 2 of 2 attempts after the fault failed, none was answered; two attempts and an answer after them are needed',
    ],
    [
      'one attempt is too few',
      [...before, '1000 be1 stops', '1100 client fails-at be1', '2000 client learns be2'],
      'unknown',
      'client: 1 of 1 attempt before its next answer 1.00 s after the fault failed, none was answered; two attempts and an answer after them are needed',
    ],
    [
      'nor does another client make up for it',
      [
        ...stuck,
        '2000 client learns be2',
        '0 ordinary learns be1 be2',
        ...['100', '200'].map((at) => `${at} ordinary reaches be1`),
        '1100 ordinary fails-at be1',
      ],
      'unknown',
      `${asked}none was answered; ` +
        'ordinary: 1 of 1 attempt after the fault failed, none was answered; two attempts and an answer after them are needed',
    ],
    [
      'a client that kept the other address',
      ['0 client learns be2 be1', '100 client reaches be2', '200 client reaches be2', '1000 be1 stops'],
      'unknown',
      'no client that keeps answers had the address of be1',
    ],
    [
      'of two that kept the address one that is not stuck',
      [
        ...stuck,
        '2000 client learns be2',
        '0 ordinary learns be1 be2',
        ...['100', '200', '1100', '1200'].map((at) => `${at} ordinary reaches be1`),
        '2000 ordinary learns be2',
      ],
      'fail',
      `${asked}none was answered; ` +
        'ordinary: 0 of 2 attempts before its next answer 1.00 s after the fault failed, the first that was answered came after 100 ms',
    ],
    [
      'an answer at the instant of the fault is one that is kept',
      [
        '0 client learns be2 be1',
        ...['100', '200', '300'].map((at) => `${at} client reaches be2`),
        '1000 client learns be1 be2',
        ...stuck.slice(before.length),
        '2000 client learns be2',
        '2100 client reaches be2',
      ],
      'pass',
      `${asked}the first that was answered came after 1.10 s`,
    ],
    [
      'a client that asks for each request is told beside',
      [
        ...stuck,
        '2000 client learns be2',
        '1000 asking fails-at be1',
        '1100 asking learns be1 be2',
        '1110 asking fails-at be1',
      ],
      'pass',
      `${asked}none was answered; asking asks for each request: 2 of 2 attempts failed`,
    ],
    ['no fault', before, 'unknown', 'no backend went down while requests went on'],
  ])('%s', async (...row) => judged('dnsrr.failover', row));
});

describe('dnsrr.persistence', () => {
  const wanders = [
    '0 asking learns be1 be2',
    '10 asking reaches be1',
    '20 asking learns be2 be1',
    '30 asking reaches be2',
  ];
  test.each<Row>([
    [
      'two connections to two backends',
      wanders,
      'pass',
      'asking: 2 connections 1 to be1, 1 to be2',
      [
        { capture: 'be1', packets: [1] },
        { capture: 'be2', packets: [1] },
      ],
    ],
    [
      'beside a client that connects once',
      [...wanders, '40 ordinary learns be1 be2', '50 ordinary reaches be1'],
      'pass',
      'asking: 2 connections 1 to be1, 1 to be2',
    ],
    [
      'one that stays',
      [
        '0 asking learns be1 be2',
        '10 asking reaches be1',
        '20 asking learns be1 be2',
        '30 asking reaches be1',
      ],
      'fail',
      'asking: 2 connections all to be1',
    ],
    ['one connection', wanders.slice(0, 2), 'unknown', 'no client connected twice on answers of their own'],
  ])('%s', async (...row) => judged('dnsrr.persistence', row));
});
