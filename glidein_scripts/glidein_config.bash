# shellcheck shell=bash
# What the glidein knows of itself, as glidein_config. Sourced by glidein_startup.sh, which sets:
: "${work:?}" "${start_dir:?}" "${started:?}" "${failure_sleep:?}"
declare -ga job_keys # -g: we are sourced inside a function

# write_glidein_config -- the entry's parameters, then ours, which win
write_glidein_config() {
  GLIDEIN_UUID=$(< /proc/sys/kernel/random/uuid)
  glidein_config=$work/glidein_config
  condor_vars_file=$work/main/condor_vars.lst
  {
    cat "$work/main/entry.params"
    printf '%s\n' \
      "GLIDEIN_UUID $GLIDEIN_UUID" \
      "GLIDEIN_WORK_DIR $work/main" \
      "GLIDEIN_ENTRY_WORK_DIR $work/main" \
      "GLIDEIN_LOCAL_TMP_DIR $work/tmp" \
      "GLIDEIN_START_DIR_ORIG $start_dir" \
      "GLIDEIN_WORKSPACE_ORIG $work" \
      "TMP_DIR $work/tmp" \
      "ADD_CONFIG_LINE_SOURCE $work/main/add_config_line.source" \
      "ERROR_GEN_PATH $work/main/error_gen.sh" \
      "CONDOR_VARS_FILE $work/main/condor_vars.lst" \
      "GLIDEIN_Failure_Sleep $failure_sleep" \
      "${job_keys[@]}"
  } > "$glidein_config"
  # shellcheck source=glidein_scripts/add_config_line.source
  source "$work/main/add_config_line.source"
  GLIDEIN_Name=$(gconfig_get GLIDEIN_Name)
  GLIDEIN_LOCAL_TMP_DIR=$work/tmp
  export GLIDEIN_UUID GLIDEIN_Name GLIDEIN_LOCAL_TMP_DIR
  write_lifetime
}

# number KEY DEFAULT -- a whole number from glidein_config; the default when it is absent or something else
number() {
  local value
  value=$(gconfig_get "$1")
  [[ $value =~ ^[0-9]{1,12}$ ]] || value=$2
  echo "$value"
}

# at_most A B -- the smaller one
at_most() { echo $(($1 < $2 ? $1 : $2)); }

# write_lifetime -- when the glidein takes no further jobs, and when it ends; both before the batch system ends it
write_lifetime() {
  local walltime graceful tail die
  walltime=$(number GLIDEIN_Max_Walltime 86400)
  graceful=$(number GLIDEIN_Graceful_Shutdown "$(at_most 120 $((walltime / 10)))")
  tail=$(number GLIDEIN_Job_Max_Time "$(at_most 600 $((walltime / 4)))")
  die=$((started + walltime - graceful))
  gconfig_add GLIDEIN_ToDie "$die"
  gconfig_add GLIDEIN_ToRetire $((die - tail))
}
