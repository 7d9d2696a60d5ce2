# shellcheck shell=bash
# HTCondor on this node: configuration, failure ads, the daemons.
# Values meet HTCondor's languages only in classad_text, config_value and environment_value.
# Sourced by glidein_startup.sh, which sets:
: "${work:?}" "${start_dir:?}" "${condor_vars_file:?}"

# classad_text TEXT -- as a string of the old ClassAd syntax, which HTCondor reads in settings and ad files
# A backslash there means itself, but before a quote it makes the quote part of the string.
classad_text() {
  local text=${1//[[:cntrl:]]/ }
  text=${text%"${text##*[!\\]}"}
  printf '"%s"' "${text//\"/\\\"}"
}

# no_macros TEXT -- with $ as HTCondor's settings want it; $$ cannot be said there and becomes $
no_macros() {
  local text=$1
  while [[ $text == *\$\$* ]]; do text=${text//\$\$/\$}; done
  printf '%s' "${text//\$/\$(DOLLAR)}"
}

# config_value TYPE TEXT -- as the right-hand side of a setting; S makes a string, I wants an integer, C an expression
config_value() {
  local text=${2//[[:cntrl:]]/ }
  case $1 in
    S) text=$(classad_text "$text") ;;
    I) [[ $text =~ ^-?[0-9]{1,18}$ ]] || return 1 ;;
    C) [[ $text != *\\ ]] || return 1 # would join the next line
      ;;
    *) return 1 ;;
  esac
  no_macros "$text"
}

# environment_value TEXT -- one value inside STARTER_JOB_ENVIRONMENT's outer double quotes
environment_value() {
  local text=${1//[[:cntrl:]]/ }
  text=${text//\'/\'\'}
  text=${text//\"/\"\"}
  printf "'%s'" "$(no_macros "$text")"
}

# is_name TEXT -- whether it can be a setting's or variable's name
is_name() { [[ $1 =~ ^[A-Za-z_][A-Za-z0-9_]*$ ]]; }

# write_client_config -- enough to find the pool and to be known there; for scripts, failure ads and the daemons
write_client_config() {
  local release libexec
  release=$(gconfig_get CONDOR_DIR)
  libexec=$release/libexec
  [[ ! -d $libexec/condor ]] || libexec=$libexec/condor
  cat > "$work/client.config" << CONFIG
RELEASE_DIR = $release
LIBEXEC = $libexec
LOCAL_CONFIG_FILE =
LOCAL_CONFIG_DIR =
LOCAL_DIR = $work
LOG = $work/log
LOCK = $work/lock
RUN = $work/run
SPOOL = $work/spool
EXECUTE = $work/execute
DAEMON_SOCKET_DIR = $work/run
SEC_TOKEN_DIRECTORY = $work/tokens
SEC_TOKEN_SYSTEM_DIRECTORY = $work/tokens
SEC_PASSWORD_DIRECTORY = $work/tokens
SEC_DEFAULT_AUTHENTICATION = REQUIRED
SEC_DEFAULT_ENCRYPTION = REQUIRED
SEC_DEFAULT_INTEGRITY = REQUIRED
include : $work/main/pool.config
CONFIG
  export CONDOR_CONFIG=$work/client.config
}

# published_settings -- condor_vars.lst as settings, then STARTD_ATTRS, MASTER_ATTRS and the jobs' environment
# Fails with the reason in `fault`.
published_settings() {
  local name type default knob required exported env value text attributes="" environment=""
  while read -r name type default knob required exported env; do
    [[ -n $name && $name != \#* ]] || continue
    value=$(gconfig_get "$name")
    [[ -n $value || $default == - ]] || value=$default
    [[ $knob != + ]] || knob=$name
    if [[ -z $value ]]; then
      [[ $required == Y ]] || continue
      fault="glidein_config has no $name, which the glidein needs"
      return 1
    fi
    if ! is_name "$knob" || ! is_name "$name" || ! text=$(config_value "$type" "$value"); then
      fault="$name cannot be published as $knob, type $type: $value"
      return 1
    fi
    printf '%s = %s\n' "$knob" "$text"
    [[ $exported != Y ]] || attributes+=" $knob"
    case $env in
      +) environment+=" $name=$(environment_value "$value")" ;;
      @) environment+=" $knob=$(environment_value "$value")" ;;
    esac
  done < "$condor_vars_file"
  echo "STARTD_ATTRS = \$(STARTD_ATTRS)$attributes"
  echo "MASTER_ATTRS = \$(MASTER_ATTRS)$attributes"
  printf 'STARTER_JOB_ENVIRONMENT = "%s"\n' "${environment# } $(fixed_environment)"
}

# fixed_environment -- what each job is told whatever the scripts publish
fixed_environment() {
  local python path=/usr/local/bin:/usr/bin:/bin
  python=$(gconfig_get ROUTER_PYTHON)
  [[ $python != */* ]] || path=${python%/*}:$path
  printf '%s' "PATH=$(environment_value "$path") GLIDEROUTE_STORAGE=$(environment_value "$work/main/storage.json")"
}

# isolation_config -- where jobs can be kept apart: the starter runs each through job_wrapper.sh
# Its own words stand in a file, because a job's environment is not to be believed.
isolation_config() {
  [[ $(gconfig_get ROUTER_ISOLATION) == namespaces ]] || return 0
  printf '#!/bin/bash -p\nexec %q %q %q "$@"\n' "$work/main/job_wrapper.sh" "$work" \
    "$start_dir/token:$(gconfig_get ROUTER_HIDDEN)" > "$work/isolated"
  chmod 500 "$work/isolated"
  echo "USER_JOB_WRAPPER = $work/isolated"
}

# write_startd_config -- the client's part, what is published, what only this node can tell, the policy
write_startd_config() {
  local disk promised interval fault=""
  interval=$(number GLIDEIN_Update_Interval 100)
  local authorities=${X509_CERT_DIR:-/etc/grid-security/certificates}
  [[ -n $(gconfig_get X509_CERT_DIR) || ! -d $authorities ]] || gconfig_add X509_CERT_DIR "$authorities"
  disk=$(df -PBM "$work/execute" | awk 'NR == 2 { print $4 + 0 }')
  promised=$(number ROUTER_DISK_MB "$disk")
  published_settings > "$work/published.config" || refuse condor_startup.sh Config "$fault"
  cat > "$work/condor_config" << CONFIG
include : $work/client.config
include : $work/published.config
MASTER_NAME = glidein_$GLIDEIN_UUID
STARTD_NAME = glidein_$GLIDEIN_UUID
STARTD_NOCLAIM_SHUTDOWN = $(number GLIDEIN_Max_Idle 1200)
UPDATE_INTERVAL = $interval
ClassAdLifetime = $((3 * 10#$interval))
RESERVED_DISK = $((disk > promised ? disk - promised : 0))
$(isolation_config)
include : $work/main/startd.config
include ifexist : $work/black_hole.config
CONFIG
}

# advertise_failure TIME SCRIPT TYPE REASON -- a machine ad that no job matches and that says why; one per glidein
advertise_failure() {
  cat > "$work/failure.ad" << AD
MyType = "Machine"
Name = "glidein_$GLIDEIN_UUID"
Machine = $(classad_text "$(uname -n)")
State = "Drained"
Activity = "Retiring"
Start = false
Requirements = false
IS_GLIDEIN = true
GLIDEIN_Failed = true
GLIDEIN_EXIT_CODE = 1
GLIDEIN_FAILURE_TIME = $1
ClassAdLifetime = 600
GLIDEIN_LAST_SCRIPT = $(classad_text "main/$2")
GLIDEIN_FAILURE_TYPE = $(classad_text "$3")
GLIDEIN_FAILURE_REASON = $(classad_text "$4")
GLIDEIN_Site = $(classad_text "$(gconfig_get GLIDEIN_Site)")
GLIDEIN_Entry_Name = $(classad_text "$(gconfig_get GLIDEIN_Entry_Name)")
GLIDEIN_Name = $(classad_text "$(gconfig_get GLIDEIN_Name)")
GLIDEIN_UUID = "$GLIDEIN_UUID"
GLIDEIN_ClusterId = $(number GLIDEIN_ClusterId undefined)
GLIDEIN_ProcId = $(number GLIDEIN_ProcId undefined)
AD
  await timeout -k 2 30 "$(gconfig_get CONDOR_DIR)/sbin/condor_advertise" UPDATE_STARTD_AD "$work/failure.ad" >&2 ||
    say "the pool did not take the failure ad"
}

# at_work -- whether a job runs here: each has its directory under execute
at_work() { [[ -n $(ls "$work/execute") ]]; }

# watch_lifetime MASTER -- end it once the glidein is retired and empty, and at the end of its life in any case
watch_lifetime() {
  local retire die now before=$!
  # Our own end must end what we wait with: just forked, it has no mark yet by which `sweep` would find it.
  trap '[[ $! == "$before" ]] || kill -s KILL "$!" 2> /dev/null; exit 0' TERM
  retire=$(number GLIDEIN_ToRetire 0)
  die=$(number GLIDEIN_ToDie 0)
  now=$(date +%s)
  ((now >= retire)) || await sleep $((retire - now))
  while now=$(date +%s) && ((now < die)) && at_work; do
    await sleep $((die - now < 5 ? die - now : 5))
  done
  kill -s TERM "$1"
}

# run_condor -- our own master until it ends; an end that was not asked for is a failure of the node
run_condor() {
  local code=0 master watcher
  write_startd_config
  export CONDOR_CONFIG=$work/condor_config
  say "joining the pool as glidein_$GLIDEIN_UUID"
  "$(gconfig_get CONDOR_DIR)/sbin/condor_master" -f < /dev/null &
  master=$!
  watch_lifetime "$master" < /dev/null &
  watcher=$!
  wait "$master" || code=$?
  { kill -s TERM "$watcher" && wait "$watcher"; } 2> /dev/null || true
  say "condor_master ended with code $code"
  # 143: told to end before it could listen.
  if ((code != 0 && code != 99 && code != 143)); then
    sweep
    tail -n 30 "$work"/log/*Log >&2 || true
    export CONDOR_CONFIG=$work/client.config
    refuse condor_startup.sh Config "condor_master ended with code $code: $(tail -qn 1 "$work/log/MasterLog" 2>&1)"
  fi
}
