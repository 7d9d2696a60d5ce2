#!/bin/bash
# Refuse a node from which the VO's pool cannot be joined: no route, or a credential that the pool does not take.
# Called by the glidein: check_pool.sh GLIDEIN_CONFIG REPOSITORY
# Keys: CONDOR_DIR, GLIDEIN_Collector; without HTCondor on the node (GlideinWMS brings it later) there is no check
set -euo pipefail

# shellcheck source=glidein_scripts/lib.bash
source "${BASH_SOURCE[0]%/*}/lib.bash"

main() {
  local ping collector answer code=0
  begin "$@"
  ping=$(setting CONDOR_DIR "")/bin/condor_ping
  collector=$(setting GLIDEIN_Collector "the pool's collector")
  [[ -x $ping ]] || pass Asked 0
  answer=$(timeout 30 "$ping" -type COLLECTOR ADVERTISE_STARTD 2>&1) || code=$?
  case $code,$answer in
    0,*) pass Asked 1 ;;
    124,*) fail Network "$collector did not answer within 30 s" ;;
    *connection*) fail Network "$collector cannot be reached from here: ${answer##*$'\n'}" ;;
    *) fail VO_Proxy "$collector does not let this glidein join with its token; renew the token at the factory" ;;
  esac
}

[[ ${BASH_SOURCE[0]} != "$0" ]] || main "$@"
