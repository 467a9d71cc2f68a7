#!/bin/sh
# The l7 lab by hand, as tightly as a good engineer can: what `lblab run l7` is timed against. Namespaces, two Apaches, nginx, five captures,
# ten requests, captures drained and ended, everything gone. Waits on events, each with a limit.
#   l7.sh FOLDER      (absolute) leaves the pcaps there
set -eu
if [ "${1-}" != --inside ]; then
  mkdir -p "$1"
  if [ "$(id -u)" = 0 ]; then user=""; else user="-U -r"; fi
  # shellcheck disable=SC2086
  exec unshare $user -n -m -p -f --kill-child --mount-proc "$0" --inside "$1"
fi
D=$2
rm -f "$D"/*.log "$D"/*.pcap
mount -t tmpfs run /run
mkdir -p /run/netns
cd /run
ip -batch - <<E
netns add client
netns add lb
netns add be1
netns add be2
link add front type bridge forward_delay 0
link add back type bridge forward_delay 0
link set front up
link set back up
link add p1 type veth peer name eth0 netns client
link add p2 type veth peer name eth0 netns lb
link add p3 type veth peer name eth1 netns lb
link add p4 type veth peer name eth0 netns be1
link add p5 type veth peer name eth0 netns be2
link set p1 master front up
link set p2 master front up
link set p3 master back up
link set p4 master back up
link set p5 master back up
E
ip -n client -batch - <<E &
link set lo up
link set eth0 addrgenmode none
addr add 192.168.11.104/24 dev eth0
link set eth0 up
E
pids=$!
ip -n lb -batch - <<E &
link set lo up
link set eth0 addrgenmode none
link set eth1 addrgenmode none
addr add 192.168.11.107/24 dev eth0
addr add 10.133.1.1/24 dev eth1
link set eth0 up
link set eth1 up
E
pids="$pids $!"
for b in 1 2; do
  ip -n be$b -batch - <<E &
link set lo up
link set eth0 addrgenmode none
addr add 10.133.1.$((b + 1))/24 dev eth0
link set eth0 up
E
  pids="$pids $!"
  mkdir -p be$b/html
  echo be$b > be$b/html/index.html
  M=/usr/lib/apache2/modules
  cat > be$b/conf <<E
ServerName be$b
Listen 80
PidFile pid
DefaultRuntimeDir .
ErrorLog error.log
LoadModule mpm_event_module $M/mod_mpm_event.so
LoadModule authz_core_module $M/mod_authz_core.so
LoadModule dir_module $M/mod_dir.so
StartServers 1
ServerLimit 2
ThreadsPerChild 16
MaxRequestWorkers 32
DocumentRoot html
LogFormat "%h:%{remote}p" peer
CustomLog access.log peer
E
done
mkdir -p lb/temp
cat > lb/nginx.conf <<E
worker_processes 1;
pid nginx.pid;
error_log stderr;
events { worker_connections 1024; }
http {
  access_log access.log;
  client_body_temp_path temp/a; proxy_temp_path temp/b; fastcgi_temp_path temp/c; uwsgi_temp_path temp/d; scgi_temp_path temp/e;
  upstream myapp1 { server 10.133.1.2; server 10.133.1.3; }
  server { listen 192.168.11.107:80; location / { proxy_pass http://myapp1; proxy_set_header X-Forwarded-For \$proxy_add_x_forwarded_for; } }
}
E
# shellcheck disable=SC2086
wait $pids
for b in 1 2; do (cd be$b; exec ip netns exec be$b apache2 -d . -f conf -DFOREGROUND) & done
(cd lb; exec ip netns exec lb nginx -p . -e stderr -c nginx.conf -g 'daemon off;') &
tcpdumps=""
for p in eth0:lb:eth0 eth1:lb:eth1 client:client:eth0 be1:be1:eth0 be2:be2:eth0; do
  f=${p%%:*} n=${p#*:}
  i=${n#*:} n=${n%:*}
  ip netns exec "$n" tcpdump --immediate-mode -U -n -s 2048 -B 8192 -i "$i" -w - port 80 > "$D/$f.pcap" 2> "$D/$f.log" &
  tcpdumps="$tcpdumps $!"
done
# until CONDITION, looked at every 2 ms, for 10 s
await() { tries=0; until "$@"; do tries=$((tries + 1)); [ "$tries" -lt 5000 ] || exit 1; sleep 0.002; done; }
listening() { [ "$(grep -l 'listening on' "$D"/*.log | wc -l)" = 5 ]; }
serving() { ip netns exec "$1" grep -q ':0050 .* 0A ' /proc/net/tcp; }
await listening
for n in lb be1 be2; do await serving $n; done
u=http://192.168.11.107/
ip netns exec client curl -s --fail --max-time 5 -H 'Connection: close' -w '%{json}\n' $u $u $u $u $u $u $u $u $u $u > "$D/requests"
# A capture is drained when tcpdump, asked by SIGUSR1, has written as many packets as its filter has passed.
drained() {
  kill -USR1 "$1"
  tail -n 1 "$D/$2.log" | sed -n 's/.* \([0-9]*\) packets* captured, \([0-9]*\) packets* received.*/\1 \2/p' | { read -r a b && [ "$a" -ge "$b" ]; }
}
# shellcheck disable=SC2086
set -- $tcpdumps
for f in eth0 eth1 client be1 be2; do await drained "$1" $f; shift; done
# shellcheck disable=SC2086
kill -INT $tcpdumps
# shellcheck disable=SC2086
wait $tcpdumps
