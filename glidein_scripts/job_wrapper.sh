#!/bin/bash -p
# Run a job where it sees neither the glidein's files and processes nor those of other jobs.
# Usage: job_wrapper.sh WORK HIDDEN PROGRAM [ARGUMENT]...   (in the job's own directory below WORK/execute)
#   WORK     the glidein's work directory
#   HIDDEN   further files and folders that no job may see, separated by colons
# In a user namespace anyone may mount; the job itself has no right left to undo it. -p: the job's environment is not
# ours, and no function or BASH_ENV of it is taken. START keeps jobs away whose environment the linker would obey.
set -euo pipefail

# tool NAME -- its path on the node, whatever the job's PATH is
tool() { command -p -v "$1"; }

# run_waiting COMMAND... -- run it to its end, hand SIGTERM on to it, return its code
run_waiting() {
  local child told code
  "$@" <&0 &
  child=$!
  trap 'told=1; kill -s TERM "$child" 2> /dev/null || true' TERM INT HUP QUIT
  while told=0 && code=0 && { wait "$child" || code=$?; } && ((told)); do :; done
  return "$code"
}

# empty FOLDER -- nothing is seen there any more
empty() { "$mount" -t tmpfs -o ro,mode=500,size=4k tmpfs "$1"; }

# hide WORK SCRATCH HIDDEN -- leave of WORK what the job needs: SCRATCH to write, the rest to read or not at all
hide() {
  local work=$1 scratch=$2 each others
  "$mount" --bind "$work" "$work"
  "$mount" --bind "$scratch" "$work/run"
  "$mount" -t tmpfs -o mode=711,size=64k tmpfs "$work/execute"
  command -p mkdir "$scratch"
  "$mount" --move "$work/run" "$scratch"
  for each in tokens log lock run spool tmp; do
    [[ ! -d $work/$each ]] || empty "$work/$each"
  done
  IFS=: read -ra others <<< "$3"
  for each in "${others[@]}"; do
    if [[ -d $each ]]; then empty "$each"; elif [[ -e $each ]]; then "$mount" --bind /dev/null "$each"; fi
  done
  "$mount" -o remount,bind,ro "$work"
}

# first WORK HIDDEN PROGRAM... -- the first process of the job's own process ids: when it ends, all of the job ends
first() {
  local work=$1 hidden=$2 directory=$PWD scratch mount
  mount=$(tool mount)
  shift 2
  scratch=${directory#"$work/execute/"}
  scratch=$work/execute/${scratch%%/*}
  hide "$work" "$scratch" "$hidden"
  "$mount" -t proc proc /proc 2> /dev/null || true # some containers forbid it; other users' processes stay out of reach
  cd "$directory"
  run_waiting "$(tool setpriv)" --no-new-privs --ambient-caps=-all --inh-caps=-all --bounding-set=-all -- "$@"
}

# apart WORK HIDDEN PROGRAM... -- in namespaces of its own; what we note of its end, the job cannot reach
apart() {
  local code=0 began ad
  # shellcheck source=glidein_scripts/job_ended.bash
  source "${BASH_SOURCE[0]%/*}/job_ended.bash"
  ad=$(command -p head -c 1000000 .job.ad 2> /dev/null || true) # before the job can change it
  began=$(command -p date +%s)
  run_waiting "$(tool unshare)" --user --map-current-user --keep-caps --mount --pid -- "$0" --inside "$@" || code=$?
  (PATH=/usr/local/bin:/usr/bin:/bin LC_ALL=C && job_ended "$1" "$ad" "$code" "$(($(date +%s) - began))") 2> /dev/null || true
  return "$code"
}

main() {
  case $1 in
    --inside) run_waiting "$0" --first "${@:2}" ;;
    --first) first "${@:2}" ;;
    *)
      if [[ $PWD/ != "$1"/execute/*/* ]]; then
        echo "job_wrapper: $PWD is no job's directory below $1/execute" >&2
        exit 1
      fi
      apart "$@"
      ;;
  esac
}

main "$@"
