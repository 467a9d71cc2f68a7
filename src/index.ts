// The library's one public entry: labs, captures anywhere, verdicts, topologies, plans. What is not here may change without notice.
export { claimsOf } from './balancers/index.ts';
export { Lab } from './library/lab.ts';
export type { CaptureOptions, ExecOptions, ExecResult, RequestOptions, UpOptions } from './library/lab.ts';
export type { Captured } from './library/captured.ts';
export { LabError } from './lab/lab-error.ts';
export type { StepEvent } from './lab/execute.ts';

export {
  ANALYSIS_FLAGS,
  connections,
  joinRequests,
  joinTwins,
  NotACaptureError,
  readCapture,
  summarize,
} from './pcap/index.ts';
export type {
  AnalysisFlag,
  Arp,
  BothWays,
  Capture,
  CaptureSource,
  ClosedBy,
  Connection,
  ConnectionFigures,
  ConnectionState,
  DnsMessage,
  DnsQuestion,
  DnsRecord,
  Endpoint,
  Ethernet,
  HttpExchange,
  HttpMessage,
  Icmp,
  Ip,
  Packet,
  ProxiedRequest,
  ReadOptions,
  RequestSighting,
  Rewrite,
  RewrittenField,
  Sighting,
  Step as TwinStep,
  Summary,
  SummaryOptions,
  Tcp,
  TcpFlags,
  Twin,
  Udp,
} from './pcap/index.ts';

export { allClaims, judge, judgeRound, summary } from './verify/index.ts';
export type {
  CapturedPoint,
  Check,
  Claim,
  Evidence,
  PacketReference,
  RequestRecord,
  Status,
  Verdict,
} from './verify/types.ts';
export { readEvidence } from './lab/evidence.ts';

export { parseTopology, TopologyError, topologySchema } from './topology/index.ts';
export type { Issue, ParseOptions, Topology } from './topology/index.ts';
export { buildPlan } from './plan/build.ts';
export type { Plan, Stage, Step } from './plan/types.ts';
