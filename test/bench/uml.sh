#!/bin/sh
# A user-mode kernel by hand: power-on, nothing, power-off, pinned to a CPU. What labs on it are timed against.
#   uml.sh FOLDER     (absolute) for its memory and its init
set -eu
mkdir -p "$1"
cat > "$1/init" <<'E'
#!/bin/sh
mount -t proc proc /proc
echo o > /proc/sysrq-trigger
sleep 5
E
chmod +x "$1/init"
TMPDIR=$1 exec taskset -c 0 linux.uml root=/dev/root rootfstype=hostfs rootflags=/ ro mem=256M quiet "uml_dir=$1/" \
  con=null con0=null,fd:1 "init=$1/init" < /dev/null > "$1/console" 2>&1
