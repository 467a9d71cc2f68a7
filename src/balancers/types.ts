// What a balancing method is to the rest of lblab: what it needs, the steps that set it up, and the claims that hold for it.
import type { Step } from '../plan/types.ts';
import type { Need } from '../sandbox/needs.ts';
import type { Balancer, Method, Topology } from '../topology/types.ts';

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
}

export interface BalancingMethod {
  readonly method: Method;
  /** One line for lists and errors. */
  readonly title: string;
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
