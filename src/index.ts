// The library: read captures anywhere, judge them, read topologies.
export { connections, readCapture, NotACaptureError } from './pcap/index.ts';
export type { Capture, Connection, HttpExchange, HttpMessage, Packet } from './pcap/index.ts';
export { parseTopology, TopologyError, topologySchema } from './topology/index.ts';
export type { Topology } from './topology/index.ts';
export { buildPlan } from './plan/build.ts';
export type { Plan, Stage, Step } from './plan/types.ts';
