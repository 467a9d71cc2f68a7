#!/bin/sh
# A star of so many backends by hand: namespaces, a bridge, veth pairs in one batch, then addresses by one `ip -batch` a namespace.
#   star.sh COUNT
set -eu
if [ "${1-}" != --inside ]; then
  if [ "$(id -u)" = 0 ]; then user=""; else user="-U -r"; fi
  # shellcheck disable=SC2086
  exec unshare $user -n -m -p -f --kill-child --mount-proc "$0" --inside "$1"
fi
mount -t tmpfs run /run
{
  echo "netns add lb"
  echo "link add back type bridge forward_delay 0"
  echo "link set back up"
  echo "link add port0 type veth peer name eth0 netns lb"
  echo "link set port0 master back up"
  i=1
  while [ $i -le "$2" ]; do
    echo "netns add be$i"
    echo "link add port$i type veth peer name eth0 netns be$i"
    echo "link set port$i master back up"
    i=$((i + 1))
  done
} | ip -batch -
ip -n lb -batch - <<E
link set lo up
addr add 10.99.0.1/16 dev eth0
link set eth0 up
E
i=1
while [ $i -le "$2" ]; do
  ip -n be$i -batch - <<E
link set lo up
addr add 10.99.$((1 + i / 200)).$((1 + i % 200))/16 dev eth0
link set eth0 up
E
  i=$((i + 1))
done
