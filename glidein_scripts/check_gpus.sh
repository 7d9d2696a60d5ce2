#!/bin/bash
# Refuse a node that has fewer GPUs than the entry promises, or lesser ones.
# Called by the glidein: check_gpus.sh GLIDEIN_CONFIG REPOSITORY
# Keys: ROUTER_GPUS (default 0: no check), ROUTER_GPU_MEMORY_MB, ROUTER_GPU_CAPABILITY (default 0),
#       CONDOR_DIR (HTCondor on the node)
set -euo pipefail

# shellcheck source=glidein_scripts/lib.bash
source "${BASH_SOURCE[0]%/*}/lib.bash"

# discover -- what HTCondor finds: a line DetectedGPUs, then their properties
discover() {
  local release tool
  release=$(setting CONDOR_DIR /usr)
  tool=$release/libexec/condor/condor_gpu_discovery
  [[ -x $tool ]] || tool=$release/libexec/condor_gpu_discovery
  timeout -k 5 60 "$tool" -properties
}

# least PROPERTY -- the least value of a property on standard input; 0 when there is none
least() { grep -o "\b$1=[0-9.]*" | cut -d= -f2 | sort -g | head -n 1 | grep . || echo 0; }

# at_least A B -- whether the number A is not below B
at_least() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a + 0 >= b + 0) }'; }

main() {
  local wanted memory capability found count has
  begin "$@"
  threshold wanted ROUTER_GPUS 0
  threshold memory ROUTER_GPU_MEMORY_MB 0
  capability=$(setting ROUTER_GPU_CAPABILITY 0)
  ((wanted > 0)) || pass
  found=$(discover) || fail WN_Resource "the node's GPUs cannot be looked at: condor_gpu_discovery gave no answer"
  count=$(sed -n 's/^DetectedGPUs="\(.*\)"$/\1/p' <<< "$found" | awk -F, '{ print NF }')
  ((${count:-0} >= wanted)) ||
    fail WN_Resource "the node has ${count:-0} GPUs, the entry promises $wanted" Gpus "${count:-0}"
  has=$(least GlobalMemoryMb <<< "$found")
  at_least "$has" "$memory" || fail WN_Resource "a GPU has $has MB of memory, the entry promises $memory MB"
  has=$(least Capability <<< "$found")
  at_least "$has" "$capability" || fail WN_Resource "a GPU has capability $has, the entry promises $capability"
  pass Gpus "$count"
}

[[ ${BASH_SOURCE[0]} != "$0" ]] || main "$@"
