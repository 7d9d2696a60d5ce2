#!/bin/bash
# Find out whether jobs can be kept apart from the glidein and from each other here, by running one that tries to look.
# Called by the glidein: check_isolation.sh GLIDEIN_CONFIG REPOSITORY
# ROUTER_REQUIRE_ISOLATION true refuses a node where they cannot; otherwise ROUTER_ISOLATION says how it is.
set -euo pipefail

# shellcheck source=glidein_scripts/lib.bash
source "${BASH_SOURCE[0]%/*}/lib.bash"

# look PID -- what the job tries: to read a token, to signal us, to change our files; and to write its own
look() {
  ! cat ../../tokens/probe && ! kill -0 "$1" && ! touch ../../touched && echo seen > own && [[ -s own ]]
}

# probe -- run a job that looks around; succeeds when it saw nothing of ours
probe() {
  local wrapper=${BASH_SOURCE[0]%/*}/job_wrapper.sh code=0
  mkdir -p execute/dir_probe tokens run
  echo secret > tokens/probe
  # shellcheck disable=SC2016 # the job expands it
  { declare -f look && echo 'look "$1"'; } > execute/dir_probe/look.bash
  (cd execute/dir_probe && timeout 20 "$wrapper" "${PWD%/execute/*}" "" /bin/bash look.bash "$$") || code=$?
  rm -rf execute/dir_probe tokens/probe touched
  return "$code"
}

main() {
  local told mode=none
  begin "$@"
  if told=$(probe 2>&1); then mode=namespaces; fi
  if [[ $mode == none && $(setting ROUTER_REQUIRE_ISOLATION false) == true ]]; then
    fail WN_Resource "jobs cannot be kept apart from the glidein here: ${told##*$'\n'}" Isolation "$mode"
  fi
  publish ROUTER_ISOLATION S "$mode"
  pass Isolation "$mode"
}

[[ ${BASH_SOURCE[0]} != "$0" ]] || main "$@"
