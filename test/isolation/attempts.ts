// Ways out of a lab that are tried from inside, as shell: an attempt that succeeds ends with 0. $OUT is a folder of the machine's that the
// lab's user may write, $LAB the lab's own folder.

export interface Attempt {
  readonly what: string;
  readonly script: string;
  /** What is in the way, as docs/isolation.md has it. */
  readonly wall: string;
}

const CONFINED = 'programs in nodes have no CAP_SYS_ADMIN';
const READ_ONLY = 'every mount but the lab’s folder is read-only';
const NO_DEVICES = 'no CAP_MKNOD, and `nodev` on every mount';
const OWN_PIDS = 'a pid namespace of its own';
const KERNEL = 'the machine’s settings are read-only';

/** Has the agent run a program; ends with 0 where that did. `spawn` is JavaScript. */
const asked = (spawn: string) =>
  `node -e 'const s=require("net").connect(process.env.LAB+"/agent.sock");const j=Buffer.from(JSON.stringify([0,1,{op:"run",spawn:${spawn},seconds:5}]));const f=Buffer.alloc(8+j.length);f.writeUInt32BE(4+j.length,0);f.writeUInt32BE(j.length,4);j.copy(f,8);s.on("error",()=>process.exit(1));s.on("data",d=>process.exit(/"code":0/.test(String(d))?0:1));s.write(f)'`;

export const ATTEMPTS: readonly Attempt[] = [
  { what: 'write into a folder of the user’s', script: 'echo no > $OUT/x', wall: READ_ONLY },
  { what: 'write beside the lab’s folder', script: 'echo {} > $LAB/../lab.json; exit 1', wall: READ_ONLY },
  {
    what: 'write into /var/tmp, /etc, /usr',
    script: 'echo > /var/tmp/lblab-x || echo > /etc/lblab-x || echo > /usr/lblab-x',
    wall: READ_ONLY,
  },
  { what: 'remount / for writing', script: 'mount -o remount,rw / && echo no > $OUT/x', wall: CONFINED },
  {
    what: 'remount / for writing, as a bind mount',
    script: 'mount -o remount,bind,rw / && echo no > $OUT/x',
    wall: CONFINED,
  },
  {
    what: 'bind / elsewhere, for writing',
    script:
      'mkdir -p /tmp/b && mount --rbind / /tmp/b && mount -o remount,bind,rw /tmp/b && echo no > /tmp/b$OUT/x',
    wall: CONFINED,
  },
  {
    what: 'mount the machine’s files again (hostfs)',
    script: 'mkdir -p /tmp/h && mount -t hostfs -o / none /tmp/h && echo no > /tmp/h$OUT/x',
    wall: 'hostfs shows what the walls show: read-only',
  },
  {
    what: 'mount the machine’s files again, that folder alone (hostfs)',
    script: 'mkdir -p /tmp/i && mount -t hostfs -o rw,$OUT none /tmp/i && echo no > /tmp/i/x',
    wall: 'hostfs shows what the walls show: read-only',
  },
  {
    what: 'an overlay over the folder',
    script:
      'mkdir -p /tmp/u /tmp/w && mount -t overlay -o lowerdir=/,upperdir=$OUT,workdir=$OUT none /mnt && echo no > /mnt/x',
    wall: CONFINED,
  },
  {
    what: 'a new user and mount namespace, and a remount in it',
    script: 'unshare -Urm sh -c "mount -o remount,bind,rw / && echo no > $OUT/x"',
    wall: 'mounts are locked there (mount_namespaces(7))',
  },
  {
    what: 'unmount what covers /tmp and /run',
    script: 'umount -l /run && echo no > /run/lblab-x; umount -l /tmp && echo no > $OUT/x',
    wall: CONFINED,
  },
  {
    what: 'through a symbolic link in the lab’s folder',
    script: 'ln -sfn $OUT $LAB/way && echo no > $LAB/way/x',
    wall: READ_ONLY,
  },
  {
    what: 'through a hard link',
    script: 'ln $OUT/treasure $LAB/hard && echo no > $LAB/hard',
    wall: 'another mount (EXDEV)',
  },
  {
    what: 'a disk, by a device node in the lab’s folder',
    script: 'rm -f $LAB/disk; mknod $LAB/disk b 254 0 && head -c 1 $LAB/disk',
    wall: NO_DEVICES,
  },
  {
    what: 'a disk, by a device node in /tmp and /dev',
    script:
      'mknod /tmp/disk b 254 0 && head -c 1 /tmp/disk || { mknod /dev/disk0 b 254 0 && head -c 1 /dev/disk0; }',
    wall: NO_DEVICES,
  },
  {
    what: 'kernel memory',
    script: 'head -c 1 /dev/mem || head -c 1 /proc/kcore > /dev/null && echo 1 > /dev/kmem',
    wall: 'not there, or no CAP_SYS_RAWIO',
  },
  {
    what: 'the program that the machine runs for core dumps',
    script: 'v=$(cat /proc/sys/kernel/core_pattern); echo "$v" > /proc/sys/kernel/core_pattern',
    wall: KERNEL,
  },
  {
    what: 'the program that the machine runs to load modules',
    script: 'v=$(cat /proc/sys/kernel/modprobe); echo "$v" > /proc/sys/kernel/modprobe',
    wall: KERNEL,
  },
  {
    what: 'the machine’s name, its memory settings',
    script: 'v=$(cat /proc/sys/vm/swappiness); echo "$v" > /proc/sys/vm/swappiness',
    wall: KERNEL,
  },
  {
    what: 'the /proc/sys of another proc file system',
    script:
      'mkdir -p /tmp/p && mount -t proc none /tmp/p && v=$(cat /tmp/p/sys/kernel/core_pattern) && echo "$v" > /tmp/p/sys/kernel/core_pattern',
    wall: CONFINED,
  },
  { what: '/proc/sysrq-trigger', script: 'echo h > /proc/sysrq-trigger', wall: KERNEL },
  {
    what: 'a module',
    script: 'modprobe dummy || insmod /lib/modules/*/kernel/drivers/net/dummy.ko',
    wall: 'no CAP_SYS_MODULE',
  },
  {
    what: 'a control group’s release_agent',
    script: 'mkdir -p /tmp/c && mount -t cgroup -o memory none /tmp/c && cat /tmp/c/release_agent',
    wall: CONFINED,
  },
  {
    what: 'control groups that are mounted',
    script: 'mkdir /sys/fs/cgroup/lblab-x || mkdir /sys/fs/cgroup/memory/lblab-x',
    wall: READ_ONLY,
  },
  {
    what: 'settings under /sys',
    script:
      'v=$(cat /sys/kernel/uevent_helper /sys/kernel/profiling | head -1); echo "$v" > /sys/kernel/uevent_helper || echo "$v" > /sys/kernel/profiling',
    wall: READ_ONLY,
  },
  { what: 'PID 1’s namespaces', script: 'nsenter -t 1 -m -n true', wall: CONFINED },
  { what: 'PID 1’s root folder', script: 'echo no > /proc/1/root$OUT/x', wall: READ_ONLY },
  {
    what: 'ptrace of what is not a program of the lab',
    script: 'for p in /proc/[0-9]*; do echo 0 > $p/mem && exit 0; done 2>/dev/null; exit 1',
    wall: 'no CAP_SYS_PTRACE',
  },
  {
    what: 'a process of the machine’s',
    script:
      "for p in /proc/[0-9]*; do case $(cat $p/cmdline 2>/dev/null | tr \"\\0\" \" \") in *vi''test*|*/sbin/in''it*|*sys''temd*) exit 0 ;; esac; done; exit 1",
    wall: OWN_PIDS,
  },
  { what: 'the machine’s clock', script: 'date -s "$(date +%Y-%m-%dT%H:%M:%S)"', wall: 'no CAP_SYS_TIME' },
  {
    what: 'the agent: undo the walls',
    script: asked('{argv:["mount","-o","remount,bind,rw","/"],cwd:"/",confined:false}'),
    wall: 'what others than the maker ask for has no CAP_SYS_ADMIN',
  },
  {
    what: 'the agent: another nsenter, another setpriv',
    script: `mkdir -p $LAB/mine; printf '#!/bin/sh\\nmount -o remount,bind,rw /\\necho no > %s/x\\n' $OUT > $LAB/mine/nsenter; chmod +x $LAB/mine/nsenter; cp $LAB/mine/nsenter $LAB/mine/setpriv; ${asked('{argv:["true"],cwd:"/",netns:"lblab-l7-be1",environment:{PATH:process.env.LAB+"/mine:"+process.env.PATH}}')}; [ -e $OUT/x ]`,
    wall: 'a program’s environment is its own, not that of what encloses it',
  },
  {
    what: 'a Unix socket of the machine’s, by its file',
    script:
      'node -e \'require("net").connect(process.env.OUT+".sock").on("connect",()=>process.exit(0)).on("error",()=>process.exit(1))\'',
    wall: 'sockets that are there when the lab is made are covered',
  },
  {
    what: 'another lab’s agent',
    script: 'ls $LAB/../../other/lab/agent.sock',
    wall: 'other labs’ folders are not there',
  },
];

/** Ways to reach the machine's network, or to let something out. */
export const NETWORK: readonly Attempt[] = [
  {
    what: 'ping an address beside the machine',
    script: 'ping -c 1 -W 1 198.51.100.2',
    wall: 'a network namespace without a way out',
  },
  {
    what: 'ping the machine itself',
    script: 'ping -c 1 -W 1 198.51.100.1',
    wall: 'a network namespace without a way out',
  },
  {
    what: 'a default route by the balancer, and a datagram',
    script: 'ip route add default via 192.168.11.107; ping -c 1 -W 1 198.51.100.2',
    wall: 'the balancer has no way out, either',
  },
  {
    what: 'the machine’s address as one’s own, and ARP',
    script: 'ip addr add 198.51.100.9/24 dev eth0; ping -c 1 -W 1 198.51.100.1',
    wall: 'the segment is the lab’s own bridge',
  },
  {
    what: 'a server on the machine’s loopback',
    script: 'curl -s -m 1 http://127.0.0.1:8080/',
    wall: 'a loopback of its own',
  },
  {
    what: 'an abstract Unix socket of the machine’s',
    script:
      'node -e \'require("net").connect("\\0lblab-outside").on("connect",()=>process.exit(0)).on("error",()=>process.exit(1))\'',
    wall: 'abstract names are a network namespace’s',
  },
  {
    what: 'a cable into PID 1’s network',
    script:
      'ip link add away type veth peer name out netns 1 && ip link set eth0 netns 1 && ping -c 1 -W 1 198.51.100.1',
    wall: 'that is the sandbox’s own namespace, without a link',
  },
  {
    what: 'the namespace of a process of the machine’s',
    script: 'ip link set eth0 netns $MACHINE',
    wall: 'a pid namespace of its own',
  },
  {
    what: 'a raw frame to everybody',
    script:
      'for i in $(ls /sys/class/net); do ping -b -c 1 -W 1 -I $i 255.255.255.255 && exit 0; done; exit 1',
    wall: 'a network namespace without a way out',
  },
];
