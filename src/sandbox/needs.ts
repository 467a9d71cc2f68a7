// What labs need of a machine: programs and kernel features, which package has each, and how to find out whether it is there.

/** A program or a kernel feature, by the name that `lblab doctor` shows. */
export type Need =
  | 'bwrap'
  | 'ip'
  | 'nsenter'
  | 'sysctl'
  | 'tcpdump'
  | 'curl'
  | 'nginx'
  | 'nginx-stream'
  | 'apache2'
  | 'ipvsadm'
  | 'iptables'
  | 'nft'
  | 'user-mode-linux'
  | 'modprobe'
  | 'kernel:namespaces'
  | 'kernel:ipvs'
  | 'kernel:netem'
  | 'kernel:ipip'
  | 'kernel:nftables';
