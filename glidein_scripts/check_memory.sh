#!/bin/bash
# Refuse a node that has less memory than the entry promises, or whose limits keep jobs from using it.
# Called by the glidein: check_memory.sh GLIDEIN_CONFIG REPOSITORY
# Keys: ROUTER_MIN_MEMORY_MB (default: GLIDEIN_MaxMemMBs, else 512)
set -euo pipefail

# shellcheck source=glidein_scripts/lib.bash
source "${BASH_SOURCE[0]%/*}/lib.bash"

# physical_mb -- the node's memory, in MB
physical_mb() { awk '$1 == "MemTotal:" { print int($2 / 1024) }' /proc/meminfo; }

# cgroup_mb -- what the batch system's control group leaves us, in MB; nothing when it sets no limit
cgroup_mb() {
  local path limit
  path=$(awk -F: '$1 == "0" { print $3 }' /proc/self/cgroup 2> /dev/null) || return 0
  limit=$(cat "/sys/fs/cgroup/${path#/}/memory.max" 2> /dev/null) || return 0
  if [[ $limit =~ ^[0-9]{1,18}$ ]]; then echo $((limit / 1048576)); fi
}

# address_space_mb -- the limit on a process's address space, in MB; nothing when there is none
address_space_mb() {
  local limit_kb
  limit_kb=$(ulimit -v)
  if [[ $limit_kb != unlimited ]]; then echo $((limit_kb / 1024)); fi
}

main() {
  local need have limit promised
  begin "$@"
  promised=$(setting GLIDEIN_MaxMemMBs "")
  [[ $promised =~ ^[0-9]+$ ]] || promised=512
  threshold need ROUTER_MIN_MEMORY_MB "$promised"
  have=$(physical_mb)
  ((have >= need)) || fail WN_Resource "the node has $have MB of memory, the entry promises $need MB" MemoryMb "$have"
  limit=$(cgroup_mb)
  ((${limit:-need} >= need)) ||
    fail WN_Resource "the batch system gives $limit MB of memory, the entry promises $need MB" MemoryMb "$limit"
  limit=$(address_space_mb)
  ((${limit:-need} >= need)) ||
    fail WN_Resource "ulimit -v allows $limit MB of address space, the entry promises $need MB" MemoryMb "$limit"
  publish ROUTER_MEMORY_MB I "$have"
  pass MemoryMb "$have"
}

[[ ${BASH_SOURCE[0]} != "$0" ]] || main "$@"
