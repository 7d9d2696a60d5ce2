#!/bin/bash
# Refuse a node with fewer usable cores than the entry promises.
# Called by the glidein: check_cpus.sh GLIDEIN_CONFIG REPOSITORY
# Keys: ROUTER_MIN_CPUS (default: GLIDEIN_CPUS when it is a number, else 1)
set -euo pipefail

# shellcheck source=glidein_scripts/lib.bash
source "${BASH_SOURCE[0]%/*}/lib.bash"

main() {
  local need have promised
  begin "$@"
  promised=$(setting GLIDEIN_CPUS "")
  [[ $promised =~ ^[0-9]+$ ]] || promised=1 # auto, slot, node: the start-up settles it after this check
  threshold need ROUTER_MIN_CPUS "$promised"
  have=$(env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc) # nproc honours the batch system's CPU affinity
  ((have >= need)) || fail WN_Resource "$have cores are usable here, the entry promises $need" Cpus "$have"
  publish ROUTER_NODE_CPUS I "$have"
  pass Cpus "$have"
}

[[ ${BASH_SOURCE[0]} != "$0" ]] || main "$@"
