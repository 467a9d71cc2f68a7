// Requests, connections and access logs must agree before anything is proven.
import { describe, expect, test } from 'vitest';
import { checkAccounts } from '../../src/verify/accounts.ts';
import type { Evidence, RequestRecord } from '../../src/verify/types.ts';
import { edited, recorded, withCaptures } from './evidence.ts';

const nat = await recorded('nat');

function withRequests(
  evidence: Evidence,
  change: (request: RequestRecord) => RequestRecord | undefined,
): Evidence {
  return { ...evidence, requests: evidence.requests!.flatMap((request) => change(request) ?? []) };
}

test('agree in a round that went well', () => {
  expect(checkAccounts(nat)).toMatchObject({
    id: 'accounts',
    judged: true,
    status: 'pass',
    observed: '4 requests, 4 answered; 4 connections at the clients; 4 lines in the access logs',
    evidence: [{ capture: 'client', packets: expect.any(Array) as number[] }],
  });
});

test('agree when every request failed before an answer', async () => {
  expect(checkAccounts(await recorded('dsr-no-loopback'))).toMatchObject({
    status: 'pass',
    observed: '2 requests, 0 answered; 2 connections at the clients; 0 lines in the access logs',
  });
});

test('agree when a failed connect is logged without its port', async () => {
  const evidence = withRequests(await recorded('dsr-no-loopback'), (request) => ({
    ...request,
    localPort: 0,
  }));
  expect(checkAccounts(evidence).status).toBe('pass');
});

test('a request without a connection in the capture is a loss', () => {
  const [first] = nat.requests!;
  const evidence = {
    ...nat,
    requests: [...nat.requests!, { ...first!, number: 5, localPort: 1, backend: undefined }],
  };
  expect(checkAccounts(evidence)).toMatchObject({
    status: 'unknown',
    observed:
      '5 requests, 5 answered; 4 connections at the clients; 4 lines in the access logs: ' +
      '1 request of client (5) left no SYN in its capture and 5 requests got an answer, and the access logs have 4 lines',
  });
});

test('a request that never sent anything is a loss', () => {
  const failed = {
    client: 'client',
    number: 5,
    localPort: 0,
    status: 0,
    seconds: 0,
    error: 'No route to host',
  };
  expect(checkAccounts({ ...nat, requests: [...nat.requests!, failed] })).toMatchObject({
    status: 'unknown',
    observed: expect.stringContaining('1 request of client never got as far as a SYN') as string,
  });
});

test('a connection that no request explains is a stranger', () => {
  const evidence = withRequests(nat, (request) => (request.number === 4 ? undefined : request));
  expect(checkAccounts(evidence)).toMatchObject({
    status: 'unknown',
    observed: expect.stringContaining('1 connection of client is in no request log') as string,
  });
});

test('an answer without a line in its backend’s access log is a loss', () => {
  const accessLogs = new Map(nat.accessLogs).set('be1', nat.accessLogs!.get('be1')!.slice(1));
  expect(checkAccounts({ ...nat, accessLogs })).toMatchObject({
    status: 'unknown',
    observed: expect.stringContaining('2 answers came from be1, whose access log has 1 line') as string,
  });
});

test('a line that no answer explains is a stranger', () => {
  const accessLogs = new Map(nat.accessLogs).set('be1', [
    ...nat.accessLogs!.get('be1')!,
    '10.0.0.1:1 "GET /" 200',
  ]);
  expect(checkAccounts({ ...nat, accessLogs })).toMatchObject({
    status: 'unknown',
    observed: expect.stringContaining('4 requests got an answer, and the access logs have 5 lines') as string,
  });
});

test('a request that was cut off may have its line or not', () => {
  const cut = withRequests(nat, (request) =>
    request.number === 4 ? { ...request, status: 0, backend: undefined, error: 'timed out' } : request,
  );
  expect(checkAccounts(cut).status).toBe('pass');
  const none = new Map([...nat.accessLogs!].map(([node, lines]) => [node, lines.slice(0, 1)]));
  expect(checkAccounts({ ...cut, accessLogs: none }).status).toBe('unknown');
});

test('an error of the balancer itself needs no line', () => {
  const backend = nat.requests!.find(({ number }) => number === 4)!.backend!;
  const evidence = {
    ...withRequests(nat, (request) =>
      request.number === 4 ? { ...request, status: 502, backend: undefined } : request,
    ),
    accessLogs: new Map(nat.accessLogs).set(backend, nat.accessLogs!.get(backend)!.slice(1)),
  };
  expect(checkAccounts(evidence).status).toBe('pass');
});

test('backends without an access log of ours are not held to one', () => {
  const accessLogs = new Map([['be1', nat.accessLogs!.get('be1')!]]);
  expect(checkAccounts({ ...nat, accessLogs }).status).toBe('pass');
  expect(checkAccounts({ ...nat, accessLogs: undefined })).toMatchObject({
    status: 'pass',
    observed: '4 requests, 4 answered; 4 connections at the clients; no access logs',
  });
});

test('nothing captured at the client although requests were sent is a loss', () => {
  const evidence = withCaptures(nat, (point) =>
    point.name === 'client' ? { ...point, capture: { ...point.capture, packets: [] } } : point,
  );
  expect(checkAccounts(evidence)).toMatchObject({
    status: 'unknown',
    judged: true,
    observed: '4 requests, but no SYN to port 80 was captured at a client (client)',
  });
});

test('a capture of the client with holes is a loss', () => {
  const evidence = withCaptures(nat, (point) =>
    point.name === 'client' ? { ...point, incomplete: 'the kernel dropped 3 packets' } : point,
  );
  expect(checkAccounts(evidence)).toMatchObject({
    status: 'unknown',
    observed: '4 requests, but the capture client is not whole: the kernel dropped 3 packets',
  });
});

test('captures made elsewhere come without accounts, which are then not judged', () => {
  expect(checkAccounts({ ...nat, requests: undefined, accessLogs: undefined })).toMatchObject({
    judged: false,
    observed: 'there is no log of requests',
  });
  const balancerOnly = withCaptures(nat, (point) => (point.node === 'lb' ? point : undefined));
  expect(checkAccounts(balancerOnly)).toMatchObject({
    judged: false,
    observed: 'nothing was captured at a client',
  });
});

test.each(['nat-two-clients', 'pair', 'nat-keepalived', 'l7-sticky'])(
  'agree of each client by itself, of one connection for many requests, beside health checks: %s',
  async (lab) => {
    const check = checkAccounts(await recorded(lab));
    expect([check.status, check.observed]).toEqual(['pass', expect.not.stringContaining(': ')]);
  },
);

describe('who keeps a connection has one SYN for all that goes over it', async () => {
  const pair = await recorded('pair');
  const { requests = [] } = pair;
  const kept = requests.filter(({ client }) => client === 'keeping');
  const port = kept[0]!.localPort;
  const accounts = (changed: readonly RequestRecord[], reuse: readonly string[] = ['keeping']) => {
    const { topology } = pair;
    const traffic = { ...topology.traffic!, reuse };
    const { status, observed } = checkAccounts({
      ...pair,
      requests: changed,
      accessLogs: undefined,
      topology: { ...topology, traffic },
    });
    return status === 'pass' ? status : observed.slice(observed.indexOf(': ') + 2);
  };

  test('but not, when others do', () => {
    expect(kept.every(({ localPort }) => localPort === port)).toBe(true);
    expect(accounts(requests)).toBe('pass');
    expect(accounts(requests, ['client'])).toBe(
      `${kept.length - 1} requests of keeping (2, 3, 4, 5 and 6, ...) left no SYN in its capture`,
    );
  });

  test('and another for another port', () => {
    const other = requests.map((request) =>
      request === kept[1] ? { ...request, localPort: port - 1 } : request,
    );
    expect(accounts(other)).toBe('1 request of keeping (2) left no SYN in its capture');
  });

  test('whatever port another client has', () => {
    const first = requests.find(({ client }) => client === 'client');
    const same = requests.map((request) => (request === first ? { ...request, localPort: port } : request));
    expect(accounts(same)).toBe(
      '1 request of client (1) left no SYN in its capture and 1 connection of client is in no request log',
    );
  });

  test('and a request without a port has none, each for itself', () => {
    const failed = { ...kept[0]!, localPort: 0, status: 0, error: 'refused' };
    expect(accounts([...requests, failed, failed])).toBe('2 requests of keeping never got as far as a SYN');
  });
});

describe('of four requests', () => {
  const [, second, third, fourth] = nat.requests!;
  const failed = { status: 0, backend: undefined, error: 'timed out' };
  const bare = { ...nat, accessLogs: undefined };
  /** The rest of what is observed, after the numbers. */
  const said = (evidence: Evidence) => {
    const { status, observed } = checkAccounts(evidence);
    return status === 'pass' ? status : observed.slice(observed.indexOf(': ') + 2);
  };
  const changed = (change: Partial<RequestRecord>, ...which: readonly (RequestRecord | undefined)[]) =>
    withRequests(bare, (request) => (which.includes(request) ? { ...request, ...change } : request));

  test('two without a log are strangers', () => {
    const evidence = withRequests(bare, (request) =>
      [third, fourth].includes(request) ? undefined : request,
    );
    expect(said(evidence)).toBe('2 connections of client are in no request log');
  });

  test('one that timed out after its handshake may be logged without its port', () => {
    expect(said(changed({ ...failed, localPort: 0 }, fourth))).toBe('pass');
  });

  test('one that was answered is logged with its port', () => {
    expect(said(changed({ localPort: 0 }, fourth))).toBe('1 connection of client is in no request log');
    expect(said(changed({ ...failed, localPort: 1 }, fourth))).toBe(
      '1 request of client (4) left no SYN in its capture and 1 connection of client is in no request log',
    );
  });

  test('a connection that nobody answered, or that was not taken up, is not held against the client', () => {
    const port = fourth!.localPort;
    const gone = withRequests(bare, (request) => (request === fourth ? undefined : request));
    const unanswered = edited(gone, ['client'], (packet) =>
      packet.tcp!.destinationPort === port ? undefined : packet,
    );
    const open = edited(gone, ['client'], (packet) =>
      packet.tcp!.sourcePort === port && !packet.tcp!.flags.syn ? undefined : packet,
    );
    expect([said(unanswered), said(open)]).toEqual(['pass', 'pass']);
  });

  test('as many as have no port have a SYN of their own, or none was sent', () => {
    const two = edited(bare, ['client'], (packet) =>
      [second!.localPort, third!.localPort].includes(packet.tcp!.sourcePort) ||
      [second!.localPort, third!.localPort].includes(packet.tcp!.destinationPort)
        ? undefined
        : packet,
    );
    const requests = nat.requests!.map((request, index) =>
      index === 0 ? request : { ...request, ...failed, localPort: 0 },
    );
    expect(said({ ...two, requests })).toBe('2 requests of client never got as far as a SYN');
  });
});

test.each([
  [5, '5 requests of client (5, 6, 7, 8 and 9) left no SYN in its capture'],
  [6, '6 requests of client (5, 6, 7, 8 and 9, ...) left no SYN in its capture'],
])('of %d that are lost the first five are named', (lost, said) => {
  const [first] = nat.requests!;
  const more = Array.from({ length: lost }, (_, index) => ({
    ...first!,
    number: 5 + index,
    localPort: 1 + index,
  }));
  const { observed } = checkAccounts({
    ...nat,
    requests: [...nat.requests!, ...more],
    accessLogs: undefined,
  });
  expect(observed.slice(observed.indexOf(': ') + 2)).toBe(said);
});

describe('the line of a request that ended with a status', () => {
  const fourth = nat.requests!.find(({ number }) => number === 4)!;
  const node = fourth.backend!;
  const without = new Map(nat.accessLogs).set(node, nat.accessLogs!.get(node)!.slice(1));
  test.each<[status: number, by: string, backend: string | undefined, line: string, noLine: string]>([
    [200, 'a backend', node, 'pass', 'unknown'],
    [499, 'nobody', undefined, 'pass', 'unknown'],
    // From 500 on without a backend's name it is the balancer's own: a backend that it asked may have answered, too late.
    [500, 'nobody', undefined, 'pass', 'pass'],
    [500, 'a backend', node, 'pass', 'unknown'],
    [0, 'nobody', undefined, 'pass', 'pass'],
  ])('%d by %s: %s with it, %s without', (status, _, backend, line, noLine) => {
    const evidence = withRequests(nat, (request) =>
      request === fourth ? { ...request, status, backend } : request,
    );
    expect(checkAccounts(evidence).status).toBe(line);
    expect(checkAccounts({ ...evidence, accessLogs: without }).status).toBe(noLine);
  });
});

test('health checks have lines that no client has sent; without logs of ours there are none to leave out', async () => {
  const evidence = await recorded('nat-keepalived');
  const lines = [...evidence.accessLogs!.values()].flat();
  expect(lines.filter((line) => line.includes('GET /health '))).not.toEqual([]);
  const clients = lines.filter((line) => line.includes('GET / ')).length;
  expect(checkAccounts(evidence).observed).toMatch(new RegExp(`; ${clients} lines in the access logs$`));
  expect(checkAccounts({ ...evidence, accessLogs: undefined })).toMatchObject({
    status: 'pass',
    observed: expect.stringMatching(/no access logs$/) as string,
  });
});

test('a mistake of the program is not missing evidence', () => {
  const accessLogs = new Map([['be1', undefined]]) as unknown as Evidence['accessLogs'];
  expect(() => checkAccounts({ ...nat, accessLogs })).toThrow(TypeError);
});
