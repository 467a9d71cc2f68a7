// What labs need of a machine: programs and kernel features, and the Debian package that has each.

type What =
  | {
      readonly title: string;
      readonly package?: string;
      readonly program: string;
      readonly version?: readonly string[];
    }
  | { readonly title: string; readonly package?: string; readonly file: string }
  | {
      readonly title: string;
      readonly config: string;
      readonly module: string;
      /** Whether Debian's user-mode kernel has it. */
      readonly guest: boolean;
    };

/** By the name that `lblab doctor` shows. A program's `version` is the argv tail that makes it tell. */
export const NEEDS = {
  bwrap: { title: 'bwrap', program: 'bwrap', package: 'bubblewrap', version: ['--version'] },
  ip: { title: 'ip', program: 'ip', package: 'iproute2', version: ['-V'] },
  tc: { title: 'tc', program: 'tc', package: 'iproute2', version: ['-V'] },
  nsenter: { title: 'nsenter', program: 'nsenter', package: 'util-linux', version: ['--version'] },
  sysctl: { title: 'sysctl', program: 'sysctl', package: 'procps', version: ['--version'] },
  tcpdump: { title: 'tcpdump', program: 'tcpdump', package: 'tcpdump', version: ['--version'] },
  curl: { title: 'curl', program: 'curl', package: 'curl', version: ['--version'] },
  nginx: { title: 'nginx', program: 'nginx', package: 'nginx-light', version: ['-v'] },
  'nginx-stream': {
    title: "nginx's stream module",
    file: '/usr/lib/nginx/modules/ngx_stream_module.so',
    package: 'libnginx-mod-stream',
  },
  haproxy: { title: 'haproxy', program: 'haproxy', package: 'haproxy', version: ['-v'] },
  dnsmasq: { title: 'dnsmasq', program: 'dnsmasq', package: 'dnsmasq-base', version: ['--version'] },
  apache2: { title: 'apache2', program: 'apache2', package: 'apache2-bin', version: ['-v'] },
  ipvsadm: { title: 'ipvsadm', program: 'ipvsadm', package: 'ipvsadm', version: ['--version'] },
  iptables: { title: 'iptables', program: 'iptables', package: 'iptables', version: ['--version'] },
  keepalived: {
    title: 'keepalived',
    program: 'keepalived',
    package: 'keepalived',
    version: ['--version'],
  },
  h2load: { title: 'h2load', program: 'h2load', package: 'nghttp2-client', version: ['--version'] },
  ping: { title: 'ping', program: 'ping', package: 'iputils-ping', version: ['-V'] },
  nft: { title: 'nft', program: 'nft', package: 'nftables', version: ['--version'] },
  'user-mode-linux': {
    title: 'user-mode kernel (linux.uml)',
    program: 'linux.uml',
    package: 'user-mode-linux',
    version: ['--version'],
  },
  'uml-modules': {
    title: "the user-mode kernel's modules",
    file: '/usr/lib/uml/modules',
    package: 'user-mode-linux',
  },
  modprobe: { title: 'modprobe', program: 'modprobe', package: 'kmod', version: ['--version'] },
  taskset: { title: 'taskset', program: 'taskset', package: 'util-linux', version: ['--version'] },
  setpriv: { title: 'setpriv', program: 'setpriv', package: 'util-linux', version: ['--version'] },
  'kernel:namespaces': { title: 'namespaces', config: 'USER_NS', module: '', guest: true },
  'kernel:ipvs': { title: 'IPVS', config: 'IP_VS', module: 'ip_vs', guest: true },
  'kernel:netem': { title: 'netem', config: 'NET_SCH_NETEM', module: 'sch_netem', guest: true },
  'kernel:ipip': { title: 'IPIP tunnels', config: 'NET_IPIP', module: 'ipip', guest: true },
  // Its nf_tables is built without the families that labs use (CONFIG_NF_TABLES_IPV4, _NETDEV).
  'kernel:nftables': { title: 'nftables', config: 'NF_TABLES', module: 'nf_tables', guest: false },
} as const satisfies Record<string, What>;

/** A program or a kernel feature. */
export type Need = keyof typeof NEEDS;
