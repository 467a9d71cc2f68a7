// What a balancing method is to the rest of lblab: what it needs, the steps that set it up, and the claims that hold for it.
import type { Need } from '../sandbox/needs.ts';
import type { Step } from '../plan/types.ts';
import type { Balancer, Method, Topology } from '../topology/types.ts';

/** Steps that a method adds to a node: commands and files before its services start, and services. */
export interface NodeSteps {
  readonly before: readonly Step[];
  readonly services: readonly Step[];
}

export interface BalancingMethod {
  readonly method: Method;
  /** One line for `lblab topologies` and errors. */
  readonly title: string;
  /** Tools and kernel features beyond those every lab needs. */
  readonly needs: (topology: Topology) => readonly Need[];
  /** Kernel modules that it takes, for a kernel that does not load them by itself. */
  readonly modules: (balancer: Balancer) => readonly string[];
  /** What a node of the lab needs for this method; empty for nodes that the method leaves alone. */
  readonly steps: (node: string, balancer: Balancer, topology: Topology) => NodeSteps;
  /** Steps just before the captures start, such as forgetting neighbours so that ARP is seen. */
  readonly settle?: (balancer: Balancer, topology: Topology) => readonly Step[];
  /** Commands whose output is evidence (the director's table, a loopback's addresses), run after the traffic. */
  readonly inspect: (balancer: Balancer, topology: Topology) => readonly Step[];
  /** The command whose output `lblab status` shows as the balancer's own table. */
  readonly table?: (balancer: Balancer) => readonly string[];
  /** Ids of the claims that a lab of this method must bear out. */
  readonly claims: (topology: Topology) => readonly string[];
}

export const NOTHING: NodeSteps = { before: [], services: [] };
