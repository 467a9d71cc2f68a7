// What a topology file says once it has been read: every default filled in, every address and MAC assigned, every reference known to
// resolve. Plain data that survives JSON; the plan is made from it and verdicts are judged against it.

import type { ClaimId } from './claims.ts';
import type { TimedFault } from './faults.ts';
import type { Assertion } from './expectations.ts';

export type * from './expectations.ts';
export type { ClaimId } from './claims.ts';
export type { Fault, FaultKind, TimedFault } from './faults.ts';

/** The part a node plays. Claims and assertions speak of roles, so they can be judged on any lab. */
export type Role = 'client' | 'balancer' | 'backend' | 'router' | 'dns' | 'node';

/** How requests are spread: a method of `src/balancers`, by its name. */
export type Method = string;

/** An address with its prefix length, e.g. `192.168.11.104` and 24. */
export interface Address {
  readonly address: string;
  readonly prefix: number;
}

/** An Ethernet segment: a bridge that the interfaces naming it are plugged into. */
export interface Segment {
  readonly name: string;
  /** Subnets in CIDR form, at most one IPv4 and one IPv6. */
  readonly subnets: readonly string[];
}

/** Impairment of one link, applied with netem on the node's end. */
export interface Link {
  /** Milliseconds added to what the node sends. */
  readonly delay?: number;
  /** Share of packets lost, in per cent. */
  readonly loss?: number;
  /** Bits a second. */
  readonly rate?: number;
}

export interface Interface {
  readonly name: string;
  readonly segment: string;
  /** Primary address first. */
  readonly addresses: readonly Address[];
  /** `02:00:` and the primary IPv4 address: captures compare from run to run. */
  readonly mac: string;
  readonly link?: Link;
}

export interface Route {
  /** `default` or a subnet in CIDR form. */
  readonly to: string;
  /** The next hop's address. */
  readonly via: string;
}

/** When a service counts as up: its TCP port listens, an HTTP request to it is answered, or at once. */
export type Ready = { readonly tcp: number } | { readonly http: string } | { readonly started: true };

/** A long-running program in a node, kept in the foreground. */
export interface Service {
  readonly name: string;
  readonly command: readonly string[];
  readonly ready: Ready;
  readonly environment: Readonly<Record<string, string>>;
}

/** The web server that lblab configures on a node; it answers each request with the node's name. */
export interface Httpd {
  readonly server: 'apache' | 'nginx';
  readonly ports: readonly number[];
}

export interface Node {
  readonly name: string;
  readonly role: Role;
  readonly interfaces: readonly Interface[];
  /** Addresses on the loopback, beside 127.0.0.1. */
  readonly loopback: readonly Address[];
  readonly routes: readonly Route[];
  readonly sysctls: Readonly<Record<string, string>>;
  readonly httpd?: Httpd;
  readonly services: readonly Service[];
  /** Files made in the node's own folder (relative path to content), which is its programs' working directory. */
  readonly files: Readonly<Record<string, string>>;
  readonly environment: Readonly<Record<string, string>>;
  /** Commands run once, in order, when addresses and routes are there and before services start. */
  readonly setup: readonly (readonly string[])[];
}

/** A real server of a virtual service. */
export interface Real {
  readonly node: string;
  /** The address that the balancer sends to. */
  readonly address: string;
  readonly port: number;
  readonly weight: number;
  /** Declared and marked as down, by methods that can. */
  readonly down?: boolean;
}

export interface VirtualService {
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
  /** The method's own word: IPVS's short name (`rr`, `lc`, ...), or nginx's (`rr`, `least_conn`, ...). */
  readonly scheduler: string;
  /** Seconds that a client stays on its real server; 0: none. */
  readonly persistence: number;
  readonly backends: readonly Real[];
}

/** What is particular to nginx. */
export interface NginxOptions {
  readonly upstream: string;
  /** Send `X-Forwarded-For` with the client's address. */
  readonly forwardedFor: boolean;
  /** HTTP version towards the backends. */
  readonly httpVersion: '1.0' | '1.1';
  /** A cookie whose value names the backend that a client stays on. */
  readonly stickyCookie?: string;
  /** Failures within `failTimeout` seconds after which a server is left out for as long (ngx_http_upstream_module). */
  readonly maxFails?: number;
  readonly failTimeout?: number;
  /** Seconds that a connection to a server may take. */
  readonly connectTimeout?: number;
  /** Extra directives for the `http`, `upstream`, `server` and `location` blocks, each ending as nginx wants it. */
  readonly http: readonly string[];
  readonly upstreamDirectives: readonly string[];
  readonly server: readonly string[];
  readonly location: readonly string[];
  /** The user's whole nginx.conf instead of ours. */
  readonly conf?: string;
}

/** What is particular to DNS round robin. */
export interface DnsOptions {
  /** The name that clients look up. */
  readonly name: string;
  /** Seconds that an answer may be kept (RFC 1035 section 3.2.1). */
  readonly ttl: number;
}

/** How keepalived asks whether a real server lives, as keepalived.conf(5) names it. Times in seconds. */
export interface HealthCheck {
  /** From the end of one check to the next: delay_loop. */
  readonly every: number;
  /** That a connection may take: connect_timeout. */
  readonly timeout: number;
  /** Further attempts before the server counts as dead: retry. */
  readonly retries: number;
  /** Between attempts: delay_before_retry. */
  readonly retryAfter: number;
  /** What is asked for; no client asks for it. */
  readonly path: string;
  /** The user's whole keepalived.conf instead of ours. */
  readonly conf?: string;
}

/** A second director that takes the VIP over when the first is silent (VRRP). */
export interface Pair {
  readonly node: string;
  /** Seconds between advertisements. */
  readonly advert: number;
  /** Whether the first tells the second of its connections. */
  readonly sync: boolean;
}

/** A fault that tests build into a lab on purpose, so that a claim has something to fail on. */
export const SABOTAGES = [
  'no-arp-ignore',
  'no-arp-announce',
  'no-loopback-vip',
  'no-forwarding',
  'no-masquerade',
] as const;
export type Sabotage = (typeof SABOTAGES)[number];

export interface Balancer {
  readonly node: string;
  readonly method: Method;
  /** The address that clients ask for: with DNS round robin the DNS server's. */
  readonly vip: string;
  readonly services: readonly VirtualService[];
  readonly nginx: NginxOptions;
  /** Method dns only. */
  readonly dns?: DnsOptions;
  /** What the section of any other method says, as its file in `src/balancers` defines it. */
  readonly options?: Readonly<Record<string, unknown>>;
  /** IPVS only: keepalived keeps the table, in place of ipvsadm. */
  readonly health?: HealthCheck;
  readonly pair?: Pair;
  readonly sabotage: readonly Sabotage[];
}

/** A node's interface where tcpdump listens; the capture's file is `NAME.pcap`. */
export interface CapturePoint {
  readonly name: string;
  readonly node: string;
  readonly interface: string;
  /** A pcap-filter(7) expression; empty for everything. */
  readonly filter: string;
}

/**
 * How a client comes from a name to an address. `caching` asks once, keeps the answer for as long as its TTL says and uses the first
 * address in it; `asking` asks before each request and uses the first address; `ordinary` leaves all that to curl, which tries the next
 * address by itself.
 */
export const LOOKUPS = ['caching', 'asking', 'ordinary'] as const;
export type Lookup = (typeof LOOKUPS)[number];

export interface Traffic {
  readonly clients: readonly string[];
  readonly url: string;
  /** Of all clients together. */
  readonly requests: number;
  readonly concurrency: number;
  /** Requests a second that each client begins, whether or not the ones before are answered; without it one after the other. */
  readonly rate?: number;
  /** Whether the clients send side by side (when left out), or one after the other in their order. */
  readonly order?: 'in-turn';
  /** Clients that send all their requests over one connection, for as long as that lasts. */
  readonly reuse?: readonly string[];
  /** By client, where the URL has a name. */
  readonly lookup?: Readonly<Record<string, Lookup>>;
  /** Seconds that one request may take. */
  readonly timeout: number;
  /** By client, where it is other than `timeout`. */
  readonly patience?: Readonly<Record<string, number>>;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

export interface Topology {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  /** Memory of the user-mode kernel, where the lab runs in one, in MiB. */
  readonly kernel: { readonly memory: number };
  readonly segments: readonly Segment[];
  readonly nodes: readonly Node[];
  readonly balancer?: Balancer;
  readonly captures: readonly CapturePoint[];
  readonly traffic?: Traffic;
  /** What breaks while requests go on, in the order of time. */
  readonly faults?: readonly TimedFault[];
  /** What must hold in every round. */
  readonly expect?: readonly Assertion[];
  /** The claims that are judged; the method's own when left out. */
  readonly claims?: readonly ClaimId[];
}
