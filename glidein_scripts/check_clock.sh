#!/bin/bash
# Refuse a node whose clock is wrong: tokens would not be valid yet, jobs would end too early or too late.
# Called by the glidein: check_clock.sh GLIDEIN_CONFIG REPOSITORY
# Keys: ROUTER_MAX_CLOCK_SKEW_S (default 120), ROUTER_NOT_BEFORE (seconds since the epoch at the factory)
set -euo pipefail

# shellcheck source=glidein_scripts/lib.bash
source "${BASH_SOURCE[0]%/*}/lib.bash"

# now -- this node's clock, in seconds since the epoch
now() { date +%s; }

# at_collector EXPRESSION -- whether it is true where the collector runs; no when it cannot be asked
# A query's constraint is evaluated by the collector, so time() in it is the collector's clock.
at_collector() {
  local program answer
  program=$(setting CONDOR_DIR "")/bin/condor_status
  [[ -x $program ]] || program=condor_status
  answer=$(timeout 10 "$program" -collector -limit 1 -constraint "$1" -format '%s' MyType 2> /dev/null) || return 1
  [[ -n $answer ]]
}

main() {
  local skew not_before here
  begin "$@"
  threshold skew ROUTER_MAX_CLOCK_SKEW_S 120
  threshold not_before ROUTER_NOT_BEFORE 0
  here=$(now)
  ((here + skew >= not_before)) ||
    fail WN_Resource "the clock says $(date -u -d "@$here" +%FT%TZ), but the glidein was prepared after that"
  if at_collector "time() - $here > $skew || $here - time() > $skew"; then
    if at_collector "time() > $here"; then
      fail WN_Resource "the clock is more than $skew s behind the collector's"
    fi
    fail WN_Resource "the clock is more than $skew s ahead of the collector's"
  fi
  publish ROUTER_CLOCK_OK C true
  pass MaxSkewSeconds "$skew"
}

[[ ${BASH_SOURCE[0]} != "$0" ]] || main "$@"
