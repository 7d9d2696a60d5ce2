#!/usr/bin/env bats
# What a validation script may rely on, and what its end means for the glidein (GlideinWMS's contract).

bats_require_minimum_version 1.5.0

setup() {
  # shellcheck source=tests/shell/sandbox.bash
  source "$BATS_TEST_DIRNAME/sandbox.bash"
  a_sandbox
}

joins() { touch "$RELEASE/stop"; }

@test "a script gets glidein_config and main as arguments, no input, the work directory, an absolute path" {
  joins
  a_script look.sh << 'SCRIPT'
echo "args=$*"
echo "input=$(cat)"
[[ -e $1 && $1 != /* && $0 == /* && $PWD == *"/glide_"* && $PWD != "$(dirname "$0")" ]] && echo "place=good"
SCRIPT
  run -0 glidein
  has "args=glidein_config main"
  has "input="
  has "place=good"
}

@test "scripts find the keys and functions they need in glidein_config" {
  joins
  a_script look.sh << 'SCRIPT'
set -eu
glidein_config="$1"
source "$(grep -m1 '^ADD_CONFIG_LINE_SOURCE ' "$glidein_config" | cut -d ' ' -f 2-)"
condor_vars_file=$(gconfig_get CONDOR_VARS_FILE "$glidein_config" "-i")
for key in GLIDEIN_UUID GLIDEIN_Name GLIDEIN_Entry_Name GLIDEIN_Site GLIDEIN_WORK_DIR TMP_DIR ERROR_GEN_PATH \
  GLIDEIN_ToRetire GLIDEIN_ToDie GLIDEIN_CPUS GLIDEIN_ClusterId GLIDEIN_Schedd; do
  [[ -n $(gconfig_get $key "$glidein_config") ]] || echo "missing $key"
done
[[ -n $GLIDEIN_UUID && $GLIDEIN_Name == glideroute && -d $GLIDEIN_LOCAL_TMP_DIR ]] || echo "missing environment"
add_config_line FOUND "two words"
add_condor_vars_line FOUND S - + N Y +
SCRIPT
  run -0 glidein -clusterid 7 -subcluster 0 -schedd s@h
  [[ $output != *missing* ]]
  grep -qx 'FOUND = "two words"' "$RELEASE/published.config"
  grep -q "^STARTD_ATTRS = .* FOUND" "$RELEASE/published.config"
  grep -q "^STARTER_JOB_ENVIRONMENT = .*FOUND='two words'" "$RELEASE/published.config"
}

@test "scripts run in the order of the list, and nothing runs after the first failure" {
  a_script one.sh <<< 'echo ran-one'
  a_script two.sh <<< 'echo ran-two; exit 1'
  a_script three.sh <<< 'echo ran-three'
  run -1 glidein
  [[ $output == *ran-one*ran-two* && $output != *ran-three* ]]
}

@test "exit 0 without a report passes" {
  joins
  a_script x.sh <<< 'exit 0'
  run -0 glidein
  has "x.sh passed without writing a report"
  [[ ! -e $RELEASE/advertised ]]
}

@test "exit 7 without a report fails without a type, and the glidein itself exits 1" {
  a_script x.sh <<< 'echo "last words" >&2; exit 7'
  run -1 glidein
  [[ $(advertised GLIDEIN_FAILURE_TYPE) == '""' ]]
  [[ $(advertised GLIDEIN_FAILURE_REASON) == '"x.sh ended with code 7 and no report: last words"' ]]
  [[ ! -e $RELEASE/condor_config ]]
}

@test "a good report and exit 1 fail, and the report is not believed" {
  a_script x.sh << 'SCRIPT'
"$(dirname "$0")/error_gen.sh" -ok x.sh; exit 1
SCRIPT
  run -1 glidein
  [[ $(advertised GLIDEIN_FAILURE_REASON) == '"x.sh ended with code 1 and no report'* ]]
}

@test "a bad report and exit 0 pass" {
  joins
  a_script x.sh << 'SCRIPT'
"$(dirname "$0")/error_gen.sh" -error x.sh WN_Resource "no disk"; exit 0
SCRIPT
  run -0 glidein
  [[ ! -e $RELEASE/advertised ]]
}

@test "a bad report and exit 1 fail, and the pool and the factory learn the type and the words" {
  a_script x.sh << 'SCRIPT'
"$(dirname "$0")/error_gen.sh" -error x.sh Network "no route
to the pool" Hosts 3; exit 1
SCRIPT
  run -1 glidein
  [[ $(advertised GLIDEIN_FAILURE_TYPE) == '"Network"' ]]
  [[ $(advertised GLIDEIN_FAILURE_REASON) == '"no route to the pool"' ]]
  [[ $(advertised GLIDEIN_LAST_SCRIPT) == '"main/x.sh"' ]]
  [[ $(advertised GLIDEIN_Failed) == true && $(advertised State) == '"Drained"' && $(advertised Requirements) == false ]]
  [[ $(advertised GLIDEIN_Site) == '"SITE_A"' && $(advertised GLIDEIN_Entry_Name) == '"e1"' ]]
  has "=== XML description of glidein activity ==="
  has '<metric name="failure"'
  has 'uri="local">Network</metric>'
  has 'uri="local">main/x.sh</metric>'
}

@test "a report of an earlier script does not speak for a later one" {
  a_script one.sh << 'SCRIPT'
"$(dirname "$0")/error_gen.sh" -error one.sh Network "old news"
SCRIPT
  a_script two.sh <<< 'exit 1'
  run -1 glidein
  [[ $output != *"old news"* ]]
}

@test "a script that hangs is ended, and says so" {
  a_setting GLIDEIN_Script_Timeout 1
  a_script x.sh <<< 'sleep 60'
  run -1 glidein
  [[ $(advertised GLIDEIN_FAILURE_REASON) == '"x.sh did not end within 1 s"' ]]
}

@test "a script that is not there is a failure, not a crash" {
  a_script gone.sh <<< 'exit 0'
  rm "$SANDBOX/gone.sh"
  seal
  run -1 glidein
  [[ $(advertised GLIDEIN_LAST_SCRIPT) == '"main/gone.sh"' ]]
}

@test "one that must be published and is not there stops the glidein" {
  sed -i '/GLIDEIN_CPUS/d' "$SANDBOX/entry.params"
  seal
  run -1 glidein
  [[ $(advertised GLIDEIN_FAILURE_REASON) == '"glidein_config has no GLIDEIN_CPUS, which the glidein needs"' ]]
  [[ $(advertised GLIDEIN_FAILURE_TYPE) == '"Config"' ]]
}

@test "an HTCondor that ends by itself badly is a failure with its words" {
  echo 4 > "$RELEASE/master_exits"
  run -1 glidein
  [[ $(advertised GLIDEIN_FAILURE_REASON) == '"condor_master ended with code 4'* ]]
}

@test "nothing of an outer HTCondor or shell reaches ours, and it finds its own configuration" {
  joins
  export _CONDOR_DAEMON_LIST=SCHEDD
  cd "$SANDBOX"
  run -0 env -i PATH=/usr/bin:/bin _CONDOR_DAEMON_LIST=SCHEDD CONDOR_IDS=0.0 CONDOR_CONFIG=/etc/x \
    _CONDOR_SCRATCH_DIR="$SCRATCH" ./glidein_startup.sh -manifest "$DIGEST" -failure_sleep 0
  [[ $(grep -cE '^(_CONDOR_|CONDOR_)' "$RELEASE/environment") == 1 ]]
  grep -q "^CONDOR_CONFIG=$SCRATCH/glide_.*/condor_config$" "$RELEASE/environment"
}

@test "a failure of the start-up itself, as on a full disk, keeps the node busy too" {
  mkdir -p "$BATS_TEST_TMPDIR/bin"
  printf '#!/bin/bash\nexit 1\n' > "$BATS_TEST_TMPDIR/bin/chmod"
  chmod +x "$BATS_TEST_TMPDIR/bin/chmod"
  local begun=$SECONDS
  cd "$SANDBOX"
  run -1 env -i PATH="$BATS_TEST_TMPDIR/bin:/usr/bin:/bin" TMPDIR="$SCRATCH" \
    ./glidein_startup.sh -manifest "$DIGEST" -failure_sleep 2
  has "unexpected failure at line"
  ((SECONDS - begun >= 2))
}

@test "a work directory that cannot be made keeps the node busy too" {
  SCRATCH=/proc
  run -1 glidein
  has "unexpected failure at line"
}

@test "wrong arguments are answered by the usage" {
  cd "$SANDBOX"
  run -2 ./glidein_startup.sh
  has "Usage: glidein_startup.sh"
  run -2 ./glidein_startup.sh -manifest "$DIGEST" -surprise 1
  run -2 ./glidein_startup.sh -manifest
}
