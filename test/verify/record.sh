#!/bin/sh
# Records the evidence that claims are tested on: every shipped lab and every lab in labs/, each run once on a real kernel.
#   test/verify/record.sh [LAB...]
# Exit codes of the runs are of no interest: most of these labs are there to fail.
set -u
cd "$(dirname "$0")/../.."
[ $# -gt 0 ] || set -- l7 l7-sticky l7-ip-hash haproxy haproxy-tcp nat nat-persistent fullnat dsr dsr-article dsr-persistent tun dnsrr nat-keepalived dsr-keepalived pair $(basename -s .yaml test/verify/labs/*.yaml)
for lab; do
  file=test/verify/labs/$lab.yaml
  if [ -f "$file" ]; then set -- "$file"; else set -- "$lab"; fi
  # Four requests show what ten do.
  case $lab in l7 | haproxy | haproxy-tcp | nat | fullnat | dsr | dsr-article | tun) set -- "$lab" -n 4 ;; esac
  rm -rf "test/fixtures/evidence/$lab"
  node "${LBLAB:-bin/lblab.js}" run --output "test/fixtures/evidence/$lab" "$@" > /dev/null
done
