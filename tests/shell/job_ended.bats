#!/usr/bin/env bats
# Which ends of jobs retire a glidein: several that failed at once, in a row, and of several programs.

bats_require_minimum_version 1.5.0

setup() {
  # shellcheck source=tests/shell/sandbox.bash
  source "$BATS_TEST_DIRNAME/sandbox.bash"
  work=$BATS_TEST_TMPDIR/work
  mkdir -p "$work/lock"
  echo "ROUTER_HOLE_JOBS 3" > "$work/glidein_config"
  # shellcheck source=glidein_scripts/job_ended.bash
  source "$SCRIPTS/job_ended.bash"
  # shellcheck disable=SC2329 # job_ended calls it
  retire() { echo "$1 $2" > "$1/black_hole.config"; }
}

# ended OWNER TASK CODE [SECONDS] -- a job of our wrapper ends
ended() {
  job_ended "$work" "$(printf 'Owner = "%s"\nRouterTask = "%s"\nRouterWrapper = 1\nClusterId = 7' "$1" "$2")" "$3" "${4:-1}"
}

@test "failures of two tasks that may be the node's fault retire it" {
  ended alice t1 71 && ended alice t2 71
  [[ ! -e $work/black_hole.config ]]
  ended alice t1 74
  [[ -e $work/black_hole.config ]]
}

@test "one task that fails is no reason, however often" {
  for _ in 1 2 3 4 5 6; do ended alice t1 71; done
  [[ ! -e $work/black_hole.config ]]
}

@test "tasks of one user that fail as wrong programs do are no reason, those of two users are" {
  ended alice t1 72 && ended alice t2 139 && ended alice t3 78 && ended alice t4 72
  [[ ! -e $work/black_hole.config ]]
  ended bob t5 72
  [[ -e $work/black_hole.config ]]
}

@test "of jobs without our wrapper nobody knows what their codes mean" {
  for _ in 1 2 3; do job_ended "$work" 'Owner = "alice"' 1 0; done
  [[ ! -e $work/black_hole.config ]]
  job_ended "$work" 'Owner = "bob"' 1 0
  [[ -e $work/black_hole.config ]]
}

@test "a job that ends well, or fails late, begins the row anew" {
  ended alice t1 71 && ended bob t2 71 && ended alice t1 0 && ended bob t2 71
  [[ ! -e $work/black_hole.config ]]
  ended alice t1 71 && ended bob t2 71 61 && ended alice t1 71 && ended bob t2 71
  [[ ! -e $work/black_hole.config ]]
}

@test "an ad that is missing or hostile is one witness, and nothing of it is run" {
  local hostile
  # shellcheck disable=SC2016 # it must not be expanded
  printf -v hostile 'Owner = "$(touch %s/canary)`touch %s/canary`"\nRouterTask = "x; touch %s/canary"' "$work" "$work" "$work"
  for _ in 1 2 3 4; do job_ended "$work" "$hostile" 1 0; done
  for _ in 1 2 3 4; do job_ended "$work" "" 1 0; done
  [[ ! -e $work/canary ]]
}

@test "a limit that is no number is not taken" {
  # shellcheck disable=SC2016 # nor this
  echo 'ROUTER_HOLE_JOBS 1+$(touch canary)' > "$work/glidein_config"
  [[ $(limit "$work" ROUTER_HOLE_JOBS 5) == 5 && $(limit "$work" ROUTER_HOLE_SECONDS 60) == 60 ]]
}
