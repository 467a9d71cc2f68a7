// The packet engine: captures in, packets, connections and twins out. No I/O but reading captures.
export type { AnalysisFlag } from './analysis.ts';
export { ANALYSIS_FLAGS } from './analysis.ts';
export type { Capture, ReadOptions } from './capture.ts';
export { readCapture } from './capture.ts';
export type { Connection } from './connections.ts';
export { connections } from './connections.ts';
export type { DnsMessage, DnsQuestion, DnsRecord } from './dns.ts';
export type { BothWays, ClosedBy, ConnectionFigures, ConnectionState, Endpoint } from './figures.ts';
export { NotACaptureError } from './file.ts';
export type { HttpExchange, HttpMessage } from './http.ts';
export type { Arp, Ethernet, Icmp, Ip, Packet, Tcp, TcpFlags, Udp } from './packet.ts';
export type { CaptureSource } from './source.ts';
export type { Summary, SummaryOptions } from './summary.ts';
export { summarize } from './summary.ts';
export type { Rewrite, RewrittenField, Sighting, Step, Twin } from './twins.ts';
export { joinTwins } from './twins.ts';
export type { ProxiedRequest, RequestSighting } from './requests.ts';
export { joinRequests } from './requests.ts';
