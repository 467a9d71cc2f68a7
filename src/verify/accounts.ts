// Three accounts of one round must agree before anything is proven: the requests that the clients' curl logged, the connections captured
// at the clients, the lines in the backends' access logs. Otherwise something was lost, and what is left may mislead.
import { cite } from './claim.ts';
import { isHandshakeComplete } from './measure.ts';
import { MissingEvidenceError, observe, type Sighting } from './observe.ts';
import type { Check, Evidence, PacketReference, RequestRecord } from './types.ts';
import { groupBy } from '../pcap/index.ts';
import { count, list } from './words.ts';

const ID = 'accounts';
const TITLE = 'Requests, connections and access logs agree';
const EXPECTED = 'each request has its connection at the client, and each answer its line in an access log';

/** An HTTP status of 500 and above without a backend's name in it is the balancer's own: it found no backend to ask. */
const isBalancersOwn = (request: RequestRecord) => request.backend === undefined && request.status >= 500;

interface Account {
  readonly observed: string;
  /** What does not agree; empty when all does. */
  readonly disagreements: readonly string[];
  readonly evidence: readonly PacketReference[];
}

/**
 * Each request that got as far as a port has its connection. One that did not may have left a SYN or none; a name with several addresses
 * may leave several, so connections that nobody answered are not held against the clients.
 */
function compareConnections(
  all: readonly RequestRecord[],
  sightings: readonly Sighting[],
  reusing: ReadonlySet<string>,
): string[] {
  const requests = all.filter(
    ({ client, localPort }, index) =>
      !reusing.has(client) ||
      localPort === 0 ||
      all.findIndex((other) => other.client === client && other.localPort === localPort) === index,
  );
  const disagreements: string[] = [];
  const clients = new Set([...requests.map(({ client }) => client), ...sightings.map(({ node }) => node)]);
  for (const client of clients) {
    const sent = requests.filter((request) => request.client === client);
    const seen = sightings.filter(({ node }) => node === client);
    const byPort = groupBy(seen, ({ connection }) => connection.client.port);
    const lost: RequestRecord[] = [];
    for (const request of sent) {
      if (request.localPort !== 0 && byPort.get(request.localPort)?.shift() === undefined) lost.push(request);
    }
    const left = [...byPort.values()].flat();
    const made = left.filter(isHandshakeComplete).length;
    const portless = sent.filter(({ localPort }) => localPort === 0).length;
    if (lost.length > 0) {
      const numbers = list(lost.slice(0, 5).map(({ number }) => String(number)));
      disagreements.push(
        `${count(lost.length, 'request')} of ${client} (${numbers}${lost.length > 5 ? ', ...' : ''}) left no SYN in its capture`,
      );
    }
    // A request that timed out after its handshake may be logged without a port.
    const unexplained = made - sent.filter(({ localPort, status }) => localPort === 0 && status === 0).length;
    if (unexplained > 0) {
      disagreements.push(
        `${count(unexplained, 'connection')} of ${client} ${unexplained === 1 ? 'is' : 'are'} in no request log`,
      );
    }
    if (left.length < portless) {
      disagreements.push(
        `${count(portless - left.length, 'request')} of ${client} never got as far as a SYN`,
      );
    }
  }
  return disagreements;
}

/**
 * Every answer of a backend has its line. A request that failed after it had been sent may have one or not: the backend may have answered
 * and the answer been lost.
 */
function compareLogs(
  requests: readonly RequestRecord[],
  logs: ReadonlyMap<string, readonly string[]>,
  all: boolean,
): string[] {
  const disagreements: string[] = [];
  const failed = requests.filter(({ status }) => status === 0 || status >= 500).length;
  for (const [node, lines] of logs) {
    const named = requests.filter(({ backend }) => backend === node).length;
    if (lines.length < named) {
      disagreements.push(
        `${count(named, 'answer')} came from ${node}, whose access log has ${count(lines.length, 'line')}`,
      );
    }
  }
  if (!all) return disagreements;
  const answered = requests.filter((request) => request.status > 0 && !isBalancersOwn(request)).length;
  const lines = [...logs.values()].reduce((sum, own) => sum + own.length, 0);
  if (lines < answered || lines > answered + failed) {
    disagreements.push(
      `${count(answered, 'request')} got an answer, and the access logs have ${count(lines, 'line')}`,
    );
  }
  return disagreements;
}

/** The access logs without the lines of health checks, which no client has sent. */
function withoutChecks({ topology, accessLogs }: Evidence): Evidence['accessLogs'] {
  const path = topology.balancer?.health?.path;
  if (path === undefined || accessLogs === undefined) return accessLogs;
  return new Map(
    [...accessLogs].map(([node, lines]) => [node, lines.filter((line) => !line.includes(`"GET ${path} `))]),
  );
}

function settle(evidence: Evidence, requests: readonly RequestRecord[]): Account {
  const seen = observe(evidence);
  const sightings = seen.opened('client');
  const logs = withoutChecks(evidence);
  const backends = seen.roles.backends.map(({ node }) => node);
  const complete = logs !== undefined && backends.every((node) => logs.has(node));
  const lines = logs && [...logs.values()].reduce((sum, own) => sum + own.length, 0);
  const answered = requests.filter(({ status }) => status > 0).length;
  return {
    observed:
      `${count(requests.length, 'request')}, ${answered} answered; ${count(sightings.length, 'connection')} at the clients; ` +
      (lines === undefined ? 'no access logs' : `${count(lines, 'line')} in the access logs`),
    disagreements: [
      ...compareConnections(requests, sightings, new Set(evidence.topology.traffic?.reuse)),
      ...(logs === undefined ? [] : compareLogs(requests, logs, complete)),
    ],
    evidence: cite(sightings.map(({ syn }) => syn)),
  };
}

/**
 * Compares the accounts: `pass` when they agree, `unknown` when not. Not judged when there is no log of requests or no capture at a
 * client, as for captures made elsewhere.
 */
export function checkAccounts(evidence: Evidence): Check {
  const base = { id: ID, title: TITLE, expected: EXPECTED, judged: true } as const;
  const { requests } = evidence;
  const { clients } = observe(evidence).roles;
  const unjudged = (why: string): Check => ({
    ...base,
    judged: false,
    status: 'unknown',
    observed: why,
    evidence: [],
  });
  if (requests === undefined) return unjudged('there is no log of requests');
  if (![...evidence.captures.values()].some(({ node }) => clients.has(node)))
    return unjudged('nothing was captured at a client');
  try {
    const { observed, disagreements, evidence: references } = settle(evidence, requests);
    if (disagreements.length === 0) return { ...base, status: 'pass', observed, evidence: references };
    return {
      ...base,
      status: 'unknown',
      observed: `${observed}: ${list(disagreements)}`,
      evidence: references,
    };
  } catch (error) {
    if (!(error instanceof MissingEvidenceError)) throw error;
    return {
      ...base,
      status: 'unknown',
      observed: `${count(requests.length, 'request')}, but ${error.message}`,
      evidence: [],
    };
  }
}
