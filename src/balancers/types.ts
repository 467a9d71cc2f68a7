// What a balancing method is to the rest of lblab: what a topology may say of it, what it needs, the steps that set it up, and the claims
// that hold for it.
import type * as z from 'zod';
import type { Step } from '../plan/types.ts';
import type { Need } from '../sandbox/needs.ts';
import type { Balancer, Sabotage, Topology } from '../topology/types.ts';

/** What a method's steps are made from. */
export interface Setting {
  readonly topology: Topology;
  readonly balancer: Balancer;
  /** Debian's user-mode kernel has the legacy iptables only. */
  readonly kernel: 'host' | 'uml';
}

/** Steps that a method adds to a node: commands and files before its services start, and services. */
export interface NodeSteps {
  readonly before: readonly Step[];
  readonly services: readonly Step[];
  /** Services that are started when those of all nodes are up. */
  readonly last?: readonly Step[];
  /** Whether the node's web server is told of each client in a PROXY protocol header. */
  readonly expectsProxy?: boolean;
}

/**
 * How requests come to a backend: a `proxy` ends TCP and connects anew; NAT `translates` addresses; direct return `frames` a packet for the
 * backend's MAC address, or `wraps` it into another; DNS `names` the backend to the client and carries nothing.
 */
export type Forwarding = 'proxy' | 'translates' | 'frames' | 'wraps' | 'names';

/** Whether packets come to the backend with the VIP and the port that the client asked for: then the backend has the VIP too. */
export const isDirect = (forwards: Forwarding): boolean => forwards === 'frames' || forwards === 'wraps';

export interface BalancingMethod {
  /** What `method:` says. */
  readonly method: string;
  /** One line for lists and errors. */
  readonly title: string;
  readonly forwards: Forwarding;
  /** The method's own words for how requests are spread, the default first. */
  readonly schedulers: readonly string[];
  /** Faults that can be built in. */
  readonly sabotages: readonly Sabotage[];
  /** What to write in place of `persistence` and `health`, where the method has none. */
  readonly instead?: { readonly persistence?: string; readonly health?: string };
  /** Weights that have no meaning: 0, or any. */
  readonly weights?: 'positive' | 'none';
  /** A real server can be declared and marked down. */
  readonly down?: true;
  /** keepalived can keep the table. */
  readonly health?: true;
  /** The director is told its backends' MAC addresses, and asks for none by ARP. */
  readonly asks?: false;
  /** The key under `balancer` that has the method's options. */
  readonly section?: string;
  /** What stands there, with all defaults; `Balancer.options` is what it gives. */
  readonly options?: z.ZodObject;
  /** Tools and kernel features beyond those that every lab needs. */
  readonly needs: readonly Need[];
  /** Kernel modules that it takes, for a kernel that does not load them by itself. */
  readonly modules: (balancer: Balancer) => readonly string[];
  /** What a node of the lab does for this method; nothing for nodes that the method leaves alone. */
  readonly steps: (node: string, setting: Setting) => NodeSteps;
  /** Steps just before the captures start, such as forgetting neighbours so that ARP is seen. */
  readonly settle?: (setting: Setting) => readonly Step[];
  /** Commands whose output is evidence (the director's table, a loopback's addresses), run after the traffic. */
  readonly inspect: (setting: Setting) => readonly Step[];
  /** The command whose output `lblab status` shows as the balancer's own table. */
  readonly table?: readonly string[];
  /** Ids of the claims that a lab of this method must bear out. */
  readonly claims: (topology: Topology) => readonly string[];
}

export const NOTHING: NodeSteps = { before: [], services: [] };
