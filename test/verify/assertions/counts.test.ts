import { describe, expect, test } from 'vitest';
import { asks, answers, CLIENT, judgedRound, lineOf, logged, talk, VIP } from './made.ts';

const first = talk();
/** It begins with packet 9 of a capture that has the first as well. */
const second = talk({ client: `${CLIENT}:40002`, at: 100_000 });
const unanswered = talk({ client: `${CLIENT}:40002`, at: 100_000, packets: [1] });

describe('connections', () => {
  test.each([
    ['count: 2', 'pass: 2 connections (2 closed) [eth0 1 9]', [...first, ...second]],
    ['count: 1', 'fail: 2 connections (2 closed) [eth0 1 9]', [...first, ...second]],
    ['count: { max: 1 }', 'fail: 2 connections (2 closed) [eth0 1 9]', [...first, ...second]],
    ['count: { max: 2 }', 'pass: 2 connections (2 closed) [eth0 1 9]', [...first, ...second]],
    ['count: { min: 2 }', 'pass: 2 connections (2 closed) [eth0 1 9]', [...first, ...second]],
    ['count: { min: 2 }', 'fail: 1 connection (1 closed) [eth0 1]', first],
    ['count: { max: 1 }', 'pass: 0 connections', []],
    ['count: 2', 'pass: 2 connections (1 closed, 1 unanswered) [eth0 1 9]', [...first, ...unanswered]],
    [
      'count: 1, state: closed',
      'pass: 1 connection (1 closed), and 1 other [eth0 1]',
      [...first, ...unanswered],
    ],
    ['count: 0, state: reset', 'pass: 0 connections, and 1 other [eth0 1]', first],
    ['count: 3, state: reset', 'fail: 0 connections, and 2 others [eth0 1 9]', [...first, ...second]],
    ['count: 1, from: [be1, client]', 'pass: 1 connection (1 closed) [eth0 1]', first],
    ['count: 1, from: be1', 'fail: 0 connections, and 1 other [eth0 1]', first],
    ['count: 1, to: [be1, vip]', 'pass: 1 connection (1 closed) [eth0 1]', first],
    ['count: 1, to: be1', 'fail: 0 connections, and 1 other [eth0 1]', first],
    ['count: requests', 'unknown: there is no log of requests', first],
  ])('%s: %s', async (said, line, eth0) => {
    const round = { lab: 'nat', captures: { eth0, eth1: first } };
    expect(lineOf(await judgedRound(round, `- connections: { at: eth0, ${said} }`))).toBe(line);
  });

  /** One request of the client and two of client2, at whom the balancer's answers are lost. */
  const ofClient2 = [40_003, 40_004].flatMap((port, index) =>
    talk({ client: `192.168.11.105:${port}`, at: 200_000 * (index + 1) }),
  );
  test.each([
    ['client', 'pass: 1 connection (1 closed); 1 request sent [client 1]'],
    ['client2', 'pass: 2 connections (2 closed); 2 requests sent [client2 1 9]'],
    ['clients', 'pass: 3 connections (3 closed); 3 requests sent [client 1] [client2 1 9]'],
    ['eth0', 'pass: 3 connections (3 closed); 3 requests sent [eth0 1 9 17]'],
    ['eth1', 'fail: 1 connection (1 closed); 3 requests sent [eth1 1]'],
  ])('as many as requests were sent, from a client or from all: at %s', async (at, line) => {
    const captures = { client: first, client2: ofClient2, eth0: [...first, ...ofClient2], eth1: first };
    const more = { requests: [...logged([40_001]), ...logged([40_003, 40_004], 'client2')] };
    const round = { lab: 'nat-two-clients', captures, more };
    expect(lineOf(await judgedRound(round, `- connections: { at: ${at}, count: requests }`))).toBe(line);
  });

  test.each([
    ['count: 1', '1 connection at eth0'],
    ['count: 0', 'no connection at eth0'],
    ['count: { min: 1 }', 'at least 1 connection at eth0'],
    ['count: { max: 2 }', 'at most 2 connections at eth0'],
    ['count: { min: 1, max: 20 }', '1 to 20 connections at eth0'],
    [
      'count: 2, state: [closed, reset], from: client, to: [vip, lb]',
      '2 connections that are closed or reset from client (192.168.11.104) to vip (192.168.11.107) and lb at eth0',
    ],
    ['count: requests, state: closed', 'as many connections that are closed at eth0 as requests were sent'],
  ])('%s reads: %s', async (said, sentence) => {
    const check = await judgedRound({ lab: 'nat', captures: {} }, `- connections: { at: eth0, ${said} }`);
    expect(check.expected).toBe(sentence);
  });
});

/** Headers of Ethernet, IPv4 and TCP without options. */
const HEADERS = 14 + 20 + 20;
const TO_SERVER = 4 * HEADERS + asks().length;
const TO_CLIENT = 4 * HEADERS + answers().length;

describe('packets and bytes', () => {
  test.each([
    ['packets: { at: eth0, count: 8 }', 'pass: 8 packets in 1 connection [eth0 1 2 3 4 5 6 7 8]'],
    ['packets: { at: eth0, count: 7 }', 'fail: 8 packets in 1 connection [eth0 1 2 3 4 5 6 7 8]'],
    [
      'packets: { at: eth0, count: 4, way: to-server }',
      'pass: 4 packets to the server in 1 connection [eth0 1 3 4 7]',
    ],
    [
      'packets: { at: eth0, count: 4, way: to-client }',
      'pass: 4 packets to the client in 1 connection [eth0 2 5 6 8]',
    ],
    [
      `bytes: { at: eth0, count: ${TO_SERVER}, way: to-server }`,
      `pass: ${TO_SERVER} bytes to the server in 1 connection [eth0 1 3 4 7]`,
    ],
    [
      `bytes: { at: eth0, count: ${TO_CLIENT}, way: to-client }`,
      `pass: ${TO_CLIENT} bytes to the client in 1 connection [eth0 2 5 6 8]`,
    ],
    [
      `bytes: { at: eth0, count: { max: 1 } }`,
      `fail: ${TO_SERVER + TO_CLIENT} bytes in 1 connection [eth0 1 2 3 4 5 6 7 8]`,
    ],
    ['packets: { at: be1, count: 0 }', 'pass: 0 packets in 0 connections'],
    [
      'packets: { at: be2, count: 1, way: to-server }',
      'pass: 1 packet to the server in 1 connection [be2 1]',
    ],
    [
      'packets: { at: be2, count: 0, way: to-client }',
      'pass: 0 packets to the client in 1 connection [be2 1]',
    ],
    // Both ends have port 80.
    [
      'packets: { at: client, count: 4, way: to-server }',
      'pass: 4 packets to the server in 1 connection [client 1 3 4 7]',
    ],
    [
      'packets: { at: eth1, count: 8, per: connection }',
      'fail: 1 to 8 packets in each of 3 connections, 1 outside the limits [eth1 17]',
    ],
    [
      'packets: { at: eth1, count: 17, per: total }',
      'pass: 17 packets in 3 connections [eth1 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17]',
    ],
    [
      'packets: { at: eth1, count: { max: 8 }, per: connection }',
      'pass: 1 to 8 packets in each of 3 connections [eth1 1 9 17]',
    ],
    ['packets: { at: eth0, count: 8, per: connection }', 'pass: 8 packets in each of 1 connection [eth0 1]'],
    ['packets: { at: be1, count: 1, per: connection }', 'unknown: no connection was captured at be1'],
  ])('%s', async (said, line) => {
    const captures = {
      eth0: first,
      eth1: [...first, ...second, ...talk({ client: `${CLIENT}:40003`, at: 200_000, packets: [1] })],
      be2: talk({ packets: [1] }),
      client: talk({ client: `${CLIENT}:80`, server: VIP }),
    };
    expect(lineOf(await judgedRound({ lab: 'nat', captures }, `- ${said}`))).toBe(line);
  });

  test.each([
    ['packets: { at: eth0, count: 8 }', '8 packets at eth0'],
    ['packets: { at: eth0, count: 1, way: to-server }', '1 packet to the server at eth0'],
    ['bytes: { at: eth0, count: 2, way: to-client }', '2 bytes to the client at eth0'],
    ['bytes: { at: eth0, count: 1, per: connection }', '1 byte at eth0 in each connection'],
  ])('%s reads: %s', async (said, sentence) => {
    expect((await judgedRound({ lab: 'nat', captures: {} }, `- ${said}`)).expected).toBe(sentence);
  });
});
