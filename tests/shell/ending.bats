#!/usr/bin/env bats
# How a glidein ends: told to, retired, out of time; it leaves no process and no file.

bats_require_minimum_version 1.5.0

setup() {
  # shellcheck source=tests/shell/sandbox.bash
  source "$BATS_TEST_DIRNAME/sandbox.bash"
  a_sandbox
}

# ends_promptly -- send SIGTERM, expect the end within 5 seconds and nothing left
ends_promptly() {
  local code=0 begun=$SECONDS
  kill -TERM "$GLIDEIN"
  wait "$GLIDEIN" || code=$?
  ((code == 143 && SECONDS - begun < 5))
  leaves_nothing
}

leaves_nothing() {
  [[ -z $(ls -A "$SCRATCH") ]]
  ! grep -lsaF "$BATS_TEST_TMPDIR/marker" /proc/[0-9]*/cmdline
}

@test "SIGTERM ends a glidein whose script hangs and ignores it, with the script's children" {
  a_script x.sh << SCRIPT
trap '' TERM
touch $BATS_TEST_TMPDIR/there
bash -c 'trap "" TERM; while :; do sleep 1; done' $BATS_TEST_TMPDIR/marker &
while :; do sleep 1; done
SCRIPT
  start_glidein
  await_file "$BATS_TEST_TMPDIR/there"
  ends_promptly
}

@test "SIGTERM ends a glidein that serves" {
  start_glidein
  await_file "$RELEASE/environment"
  ends_promptly
}

@test "SIGTERM ends a glidein whose HTCondor does not obey" {
  cat > "$RELEASE/sbin/condor_master" << FAKE
#!/bin/bash
trap '' TERM QUIT
touch $BATS_TEST_TMPDIR/there
setsid sleep 1000 $BATS_TEST_TMPDIR/marker 2> /dev/null || setsid bash -c 'sleep 1000' $BATS_TEST_TMPDIR/marker &
while :; do sleep 1; done
FAKE
  start_glidein
  await_file "$BATS_TEST_TMPDIR/there"
  ends_promptly
}

@test "SIGTERM ends a glidein that keeps a refused node busy" {
  a_script x.sh <<< 'exit 1'
  cd "$SANDBOX"
  start_glidein -failure_sleep 100
  await_file "$RELEASE/advertised"
  ends_promptly
}

@test "a refused node is kept busy for the time asked" {
  a_script x.sh <<< 'exit 1'
  local begun=$SECONDS
  run -1 glidein -failure_sleep 2
  ((SECONDS - begun >= 2))
}

@test "a retired and empty glidein ends by itself" {
  a_setting GLIDEIN_Max_Walltime 3
  a_setting GLIDEIN_Job_Max_Time 1
  start_glidein
  wait "$GLIDEIN"
  leaves_nothing
}

@test "a glidein at work ends when its time is over" {
  a_setting GLIDEIN_Max_Walltime 3
  a_setting GLIDEIN_Job_Max_Time 3
  # shellcheck disable=SC2016 # the false condor_master expands it
  sed -i 's|^cp "$CONDOR_CONFIG"|mkdir "${CONDOR_CONFIG%/*}/execute/dir_1"; &|' "$RELEASE/sbin/condor_master"
  local begun=$SECONDS
  start_glidein
  wait "$GLIDEIN"
  ((SECONDS - begun >= 2))
  leaves_nothing
}

@test "a glidein whose time is over before its HTCondor listens ends well" {
  a_setting GLIDEIN_Max_Walltime 1
  a_setting GLIDEIN_Job_Max_Time 1
  sed -i "s|^cp \"\$CONDOR_CONFIG\"|sleep 3; &|" "$RELEASE/sbin/condor_master"
  start_glidein
  wait "$GLIDEIN"
  leaves_nothing
}
