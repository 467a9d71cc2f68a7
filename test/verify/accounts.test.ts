// Requests, connections and access logs must agree before anything is proven.
import { expect, test } from 'vitest';
import { checkAccounts } from '../../src/verify/accounts.ts';
import type { Evidence, RequestRecord } from '../../src/verify/types.ts';
import { recorded, withCaptures } from './evidence.ts';

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
