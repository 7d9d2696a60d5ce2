# shellcheck shell=bash
# What every check of this folder uses. To be sourced from a file that lies beside it.
# A check calls `begin "$@"`, looks at the node, then ends with `pass` or `fail`.

# begin GLIDEIN_CONFIG [REPOSITORY] -- learn what the start-up provides; GlideinWMS's scripts want these globals
begin() {
  local here=${BASH_SOURCE[0]%/*} source
  # shellcheck disable=SC2034 # GlideinWMS's functions read them
  glidein_config=$1
  error_gen=$here/error_gen.sh
  trap 'own_fault "$LINENO"' ERR
  set -E
  source=$(awk '$1 == "ADD_CONFIG_LINE_SOURCE" { $1 = ""; path = substr($0, 2) } END { print path }' "$glidein_config")
  # shellcheck source=glidein_scripts/add_config_line.source
  source "${source:-$here/add_config_line.source}"
  condor_vars_file=$(setting CONDOR_VARS_FILE "")
  error_gen=$(setting ERROR_GEN_PATH "$error_gen")
}

# check_name -- the name of the check that runs, as it appears in reports
check_name() { basename -- "$0"; }

# own_fault LINE -- a check that breaks by its own mistake must not cost a site its nodes
own_fault() {
  trap - ERR
  ((BASH_SUBSHELL == 0)) || exit 1 # the command that waits for this subshell fails next, and comes here too
  echo "$(check_name): unexpected failure at line $1; the node is not refused for it" >&2
  "$error_gen" -ok "$(check_name)" OwnFault "line $1" || true # no report and exit 0 is a pass as well
  exit 0
}

# setting KEY DEFAULT -- a value from glidein_config
setting() {
  local value
  value=$(gconfig_get "$1" "$glidein_config") || true # GlideinWMS's own fails for an absent key under pipefail
  printf '%s\n' "${value:-$2}"
}

# threshold VARIABLE KEY DEFAULT -- set VARIABLE to a whole number from glidein_config
threshold() {
  local _value
  _value=$(setting "$2" "$3")
  [[ $_value =~ ^[0-9]{1,15}$ ]] || fail VO_Config "the entry's $2 is '$_value'; give a whole number"
  printf -v "$1" '%d' "$((10#$_value))"
}

# clean TEXT -- TEXT without what glidein_config, ClassAds and job environments cannot carry
clean() {
  local text=${1//[\'\"]/}
  text=${text//[[:cntrl:]]/ }
  printf '%s\n' "${text:0:1000}"
}

# publish NAME TYPE VALUE -- into the machine ad and the jobs' environment; TYPE: S text, I integer, C expression
publish() {
  local value
  value=$(clean "$3")
  if [[ -n ${GLIDEIN_PERIODIC_SCRIPT:-} ]]; then
    gconfig_add_safe "$1" "$value"
    if [[ $2 == S ]]; then printf '%s = "%s"\n' "$1" "$value"; else printf '%s = %s\n' "$1" "$value"; fi
    return
  fi
  gconfig_add "$1" "$value"
  if [[ -n $condor_vars_file ]]; then
    add_condor_vars_line "$1" "$2" - + N Y +
  fi
}

# escaped TEXT -- TEXT as XML character data: GlideinWMS's error_gen.sh does not escape
escaped() {
  printf '%s' "${1:0:4000}" | tr -d '\000-\010\013-\037' | sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g'
}

# pass [METRIC VALUE]... -- the node is good; ends the check
pass() {
  trap - ERR
  "$error_gen" -ok "$(check_name)" "$@"
  exit 0
}

# fail TYPE MESSAGE [METRIC VALUE]... -- no job can run here; ends the check
# TYPE: WN_Resource, Network, Config, VO_Config, Corruption, VO_Proxy
fail() {
  trap - ERR
  local type=$1 message=$2
  shift 2
  echo "$(check_name): $message" >&2
  "$error_gen" -error "$(check_name)" "$type" "$(escaped "$message")" "$@"
  exit 1
}
