// Which request inside is which request outside: by time, by content, and by which are not connections of a proxy at all.
import { describe, expect, test } from 'vitest';
import type { Connection, HttpExchange } from '../../src/pcap/index.ts';
import { joinRequests } from '../../src/pcap/index.ts';

/** A connection with one request; times in nanoseconds, ends as `address:port`. */
interface Asked {
  readonly client?: string;
  readonly server?: string;
  readonly isn?: readonly [client: number, server: number];
  readonly method?: string;
  readonly target?: string;
  readonly body?: string;
  /** First and last of the request, and of the answer, where there is one. */
  readonly asked: readonly [first: number, last: number];
  readonly answered?: readonly [first: number, last: number];
  readonly status?: number;
  readonly answer?: string;
  /** Of the connection's last packet. */
  readonly last?: number;
  /** More requests of the connection. */
  readonly next?: readonly Asked[];
}

const end = (text: string) => ({ address: text.split(':')[0]!, port: Number(text.split(':')[1]) });

function exchange({ asked, answered, ...more }: Asked): HttpExchange {
  const request = {
    method: more.method ?? 'GET',
    target: more.target ?? '/page',
    bodyDigest: more.body,
    firstTime: BigInt(asked[0]),
    lastTime: BigInt(asked[1]),
  };
  const response = answered && {
    status: more.status ?? 200,
    bodyDigest: more.answer ?? 'ok',
    firstTime: BigInt(answered[0]),
    lastTime: BigInt(answered[1]),
  };
  return { request, response } as HttpExchange;
}

function connection(first: Asked): Connection {
  return {
    client: end(first.client ?? 'C:40000'),
    server: end(first.server ?? 'V:80'),
    isn: { client: first.isn?.[0] ?? 1, server: first.isn?.[1] ?? 2 },
    lastTime: BigInt(first.last ?? first.answered?.[1] ?? first.asked[1]),
    http: [first, ...(first.next ?? [])].map(exchange),
  } as unknown as Connection;
}

const OUTSIDE: Asked = { asked: [100, 110], answered: [180, 200] };
const INSIDE: Asked = {
  client: 'P:50000',
  server: 'B:8080',
  isn: [3, 4],
  asked: [120, 121],
  answered: [150, 160],
};

/** Pairs of `outside > inside`, by their place in the lists. */
function pairs(outside: readonly Asked[], inside: readonly Asked[]): string[] {
  const [outer, inner] = [outside.map(connection), inside.map(connection)];
  const name = (of: Connection) => (outer.includes(of) ? `o${outer.indexOf(of)}` : `i${inner.indexOf(of)}`);
  return joinRequests([outer, inner]).map(
    ({ outside: from, inside: to }) => `${name(from.connection)} > ${name(to.connection)}`,
  );
}

const isJoined = (outside: Partial<Asked>, inside: Partial<Asked>) =>
  pairs([{ ...OUTSIDE, ...outside }], [{ ...INSIDE, ...inside }]).includes('o0 > i0');

describe('a request is passed on', () => {
  test('with the time from its last packet to the first inside', () => {
    const [found] = joinRequests([[connection(OUTSIDE)], [connection(INSIDE)]]);
    expect(found).toMatchObject({ kind: 'proxied', nanoseconds: 10, isAnswerSame: true });
    const early = { ...INSIDE, asked: [105, 106] as const };
    expect(joinRequests([[connection(OUTSIDE)], [connection(early)]])).toMatchObject([{ nanoseconds: -5 }]);
  });

  test.each<[string, Partial<Asked>, Partial<Asked>, boolean]>([
    ['when it begins, at the earliest', {}, { asked: [100, 101] }, true],
    ['not before it begins', {}, { asked: [99, 101] }, false],
    ['until its answer has come', {}, { asked: [200, 201], answered: undefined }, true],
    ['not after its answer has come', {}, { asked: [201, 202], answered: undefined }, false],
    [
      'until its connection ends, where no answer came',
      { answered: undefined, last: 300 },
      { asked: [300, 301] },
      true,
    ],
    ['not after its connection has ended', { answered: undefined, last: 300 }, { asked: [301, 302] }, false],
    ['with the same body', { body: 'x' }, { body: 'x' }, true],
    ['not with another body', { body: 'x' }, { body: 'y' }, false],
    ['not without its body', { body: 'x' }, {}, false],
    ['not by another method', { method: 'HEAD' }, {}, false],
    ['not to another target', { target: '/other' }, {}, false],
    ['without a prefix', { target: '/app/page' }, {}, true],
    ['with a prefix', {}, { target: '/app/page' }, true],
    ['with a prefix and a target of one letter', { target: '/a' }, { target: '/b/a' }, true],
    ['to the root itself', { target: '/' }, { target: '/' }, true],
    [
      'not from a directory to the root, which ends all directories',
      { target: '/app/' },
      { target: '/' },
      false,
    ],
    ['not where one target begins the other', {}, { target: '/page/more' }, false],
    ['not in the same connection seen elsewhere', {}, { isn: [1, 2] }, false],
    ["with the client's initial number by chance", {}, { isn: [1, 9] }, true],
    ["with the server's initial number by chance", {}, { isn: [9, 2] }, true],
    ['not to the same server', {}, { server: 'V:80' }, false],
    ['to another port of the same machine', {}, { server: 'V:8080' }, true],
    ['to the same port of another machine', {}, { server: 'B:80' }, true],
    ['not by the same client', {}, { client: 'C:50000' }, false],
    ['from the same port of another machine', {}, { client: 'P:40000' }, true],
  ])('%s', (_, outside, inside, expected) => {
    expect(isJoined(outside, inside)).toBe(expected);
  });

  test.each<[string, Partial<Asked>, boolean | undefined]>([
    ['same', {}, true],
    ['of another status', { status: 404 }, false],
    ['of another body', { answer: 'no' }, false],
    ['not captured', { answered: undefined }, undefined],
  ])('and the answer may be %s', (_, inside, expected) => {
    const found = joinRequests([[connection(OUTSIDE)], [connection({ ...INSIDE, ...inside })]]);
    expect(found.map(({ isAnswerSame }) => isAnswerSame)).toEqual([expected]);
    if (expected === undefined) {
      const [other] = joinRequests([
        [connection({ ...OUTSIDE, answered: undefined, last: 500 })],
        [connection(INSIDE)],
      ]);
      expect(other!.isAnswerSame).toBeUndefined();
    }
  });
});

describe('of several alike', () => {
  const outside = (nth: number, more: Partial<Asked> = {}): Asked => ({
    ...OUTSIDE,
    client: `C:${40000 + nth}`,
    asked: [100 + nth, 110 + nth],
    ...more,
  });
  const inside = (nth: number, more: Partial<Asked> = {}): Asked => ({
    ...INSIDE,
    client: `P:${50000 + nth}`,
    asked: [120 + nth, 121 + nth],
    ...more,
  });

  test('the first to come is the first to be passed on, whichever order the connections began in', () => {
    expect(pairs([outside(0), outside(1)], [inside(0), inside(1)])).toEqual(['o0 > i0', 'o1 > i1']);
    expect(pairs([outside(1), outside(0)], [inside(0), inside(1)])).toEqual(['o1 > i0', 'o0 > i1']);
    expect(pairs([outside(1), outside(0)], [inside(1), inside(0)])).toEqual(['o1 > i1', 'o0 > i0']);
  });

  test('equal answers tell which belong together', () => {
    expect(
      pairs(
        [outside(0, { answer: 'a' }), outside(1, { answer: 'b' })],
        [inside(0, { answer: 'b' }), inside(1, { answer: 'a' })],
      ),
    ).toEqual(['o0 > i1', 'o1 > i0']);
  });

  test('each is passed on once, where it was answered', () => {
    expect(pairs([outside(0)], [inside(0), inside(1)])).toEqual(['o0 > i0']);
  });

  test('one that got no answer may be passed on again, after those that were not passed on yet', () => {
    const failed = { answered: undefined };
    expect(pairs([outside(0)], [inside(0, failed), inside(1, failed), inside(2)])).toEqual([
      'o0 > i0',
      'o0 > i1',
      'o0 > i2',
    ]);
    expect(pairs([outside(0), outside(1)], [inside(0, failed), inside(1, failed)])).toEqual([
      'o0 > i0',
      'o1 > i1',
    ]);
  });

  test('they are told in the order of the requests outside, then of those inside', () => {
    const failed = { answered: undefined };
    const found = pairs(
      [outside(5, { target: '/late' }), outside(0)],
      [inside(9, { target: '/late' }), inside(1, failed), inside(3)],
    );
    expect(found).toEqual(['o1 > i1', 'o1 > i2', 'o0 > i0']);
    const [late, early] = [inside(5), inside(0)].map((own) => [connection(own)]);
    const sides = joinRequests([[connection(outside(0))], late!, early!]);
    expect(sides.map(({ inside: to }) => to.capture)).toEqual([2, 1]);
  });
});

describe('of a connection with many requests', () => {
  const page = (nth: number, more: Partial<Asked> = {}): Asked => ({
    target: `/${nth}`,
    asked: [100, 101],
    last: 900,
    ...more,
  });
  const asking = (...[first, ...next]: readonly Asked[]): Asked => ({ ...first!, next });
  const eight = Array.from({ length: 8 }, (_, index) => page(index + 1));
  /** Targets that are passed on, of those that are asked for inside, one after the other. */
  const passedOn = (outside: Asked, targets: readonly number[]) => {
    const inside = targets.map((nth, index) =>
      connection({ ...INSIDE, target: `/${nth}`, asked: [200 + index, 200 + index] }),
    );
    const found = joinRequests([[connection(outside)], inside]);
    return found.map((pair) => pair.outside.exchange + 1).toSorted((a, b) => a - b);
  };

  test('the next eight may be passed on', () => {
    expect(passedOn(asking(...eight, page(9)), [8])).toEqual([8]);
    expect(passedOn(asking(...eight, page(9)), [9])).toEqual([]);
  });

  test('those that were answered before are no more among the eight', () => {
    const answered = page(1, { answered: [110, 120] });
    expect(passedOn(asking(answered, ...eight.slice(1), page(9)), [9])).toEqual([9]);
  });

  test('those that were answered before are not passed on, though one before them still waits', () => {
    expect(passedOn(asking(page(1), page(2, { answered: [110, 120] })), [2])).toEqual([]);
  });

  test('each is passed on once, in whatever order', () => {
    expect(passedOn(asking(...eight.slice(0, 4)), [3, 1, 2, 4])).toEqual([1, 2, 3, 4]);
    expect(passedOn(asking(...eight.slice(0, 4)), [2, 2, 3, 3, 1, 1, 4])).toEqual([1, 2, 3, 4]);
  });
});

describe('of very many connections', () => {
  /** The first waits for its answer until 900; the others are asked after it, wait until `last`, and are passed on nowhere. */
  const waiting = (count: number, at: number, last: number): Asked[] =>
    Array.from({ length: count }, () => ({ target: '/other', asked: [at, at], last }));
  const first: Asked = { ...OUTSIDE, answered: [800, 900] };
  const inside: Asked = { ...INSIDE, asked: [400, 401] };

  test('1024 wait for answers, and what has waited longest is given up', () => {
    expect(pairs([first, ...waiting(1023, 150, 900)], [inside])).toEqual(['o0 > i0']);
    expect(pairs([first, ...waiting(1024, 150, 900)], [inside])).toEqual([]);
  });

  test('those that wait no more are not counted', () => {
    const none: Asked = { ...INSIDE, target: '/nowhere', asked: [200, 201] };
    const outside = [first, ...waiting(1023, 150, 160), ...waiting(1023, 300, 900)];
    expect(pairs(outside, [none, inside])).toEqual(['o0 > i1']);
  });
});

test('an answer without its request is passed over', () => {
  const lost = {
    ...connection(OUTSIDE),
    http: [{ response: connection(OUTSIDE).http[0]!.response }],
  } as Connection;
  expect(joinRequests([[lost, connection(OUTSIDE)], [connection(INSIDE)]])).toHaveLength(1);
});
