#!/bin/bash
# Refuse a node whose scratch disk cannot hold what the entry promises.
# Called by the glidein: check_scratch_space.sh GLIDEIN_CONFIG REPOSITORY
# Keys: ROUTER_MIN_SCRATCH_MB (default: ROUTER_DISK_MB, else 1024), ROUTER_MIN_TMP_MB (default 10)
set -euo pipefail

# shellcheck source=glidein_scripts/lib.bash
source "${BASH_SOURCE[0]%/*}/lib.bash"

# free_mb DIRECTORY -- what is free for an ordinary user, in MB; a df that hangs on a dead mount counts as none
free_mb() {
  timeout 20 df -PBM -- "$1" | awk 'NR == 2 { free = $4 + 0 } END { print free + 0 }'
}

# writable DIRECTORY -- whether a file can be made there
writable() {
  local file
  file=$(mktemp -p "$1" .write_test.XXXXXX 2> /dev/null) && rm -f -- "$file"
}

main() {
  local need tmp_need free tmp_free tmp
  begin "$@"
  threshold need ROUTER_MIN_SCRATCH_MB "$(setting ROUTER_DISK_MB 1024)"
  threshold tmp_need ROUTER_MIN_TMP_MB 10
  tmp=${TMPDIR:-/tmp}
  writable "$PWD" || fail WN_Resource "cannot write in the glidein's work directory $PWD"
  writable "$tmp" || fail WN_Resource "cannot write in the temporary directory $tmp"
  free=$(free_mb "$PWD")
  ((free >= need)) || fail WN_Resource "scratch has $free MB free, a job needs $need MB" ScratchMb "$free"
  tmp_free=$(free_mb "$tmp")
  ((tmp_free >= tmp_need)) || fail WN_Resource "$tmp has $tmp_free MB free, a job needs $tmp_need MB" TmpMb "$tmp_free"
  publish ROUTER_SCRATCH_MB I "$free"
  pass ScratchMb "$free"
}

[[ ${BASH_SOURCE[0]} != "$0" ]] || main "$@"
