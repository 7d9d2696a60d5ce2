#!/bin/bash
# Make this batch slot a worker of the VO's pool: verify what came, validate the node, run HTCondor.
# Usage: glidein_startup.sh -manifest SHA256 [-failure_sleep SECONDS] [-clusterid N] [-subcluster N] [-schedd NAME]
#   -manifest SHA256         digest of manifest.sha256, which holds the digests of all other files
#   -failure_sleep SECONDS   how long a refused node is kept busy, so that it does not swallow glideins (1199)
#   -clusterid, -subcluster, -schedd   this glidein's own job, published in its ads
# The working directory holds the files that router.render.glidein lists. Ends on SIGTERM and leaves nothing behind.
set -euo pipefail
set -m # children get process groups of their own, and do not ignore SIGINT and SIGQUIT
umask 077
export LC_ALL=C

start_dir=$PWD
started=$(date +%s)
work=
manifest=
failure_sleep=1199
job_keys=()

# say TEXT -- one line in the job's standard error
say() { printf '%(%FT%T%z)T glidein_startup: %s\n' -1 "$1" >&2; }

# usage -- the comment above, up to the first line of code
usage() { sed -n '2,/^set /{/^# /s/^# //p}' "${BASH_SOURCE[0]}"; }

parse_arguments() {
  while (($# > 0)); do
    if (($# < 2)); then
      usage >&2
      exit 2
    fi
    case $1 in
      -manifest) manifest=$2 ;;
      -failure_sleep) failure_sleep=$2 ;;
      -clusterid) job_keys+=("GLIDEIN_ClusterId $2") ;;
      -subcluster) job_keys+=("GLIDEIN_ProcId $2") ;;
      -schedd) job_keys+=("GLIDEIN_Schedd $2") ;;
      *)
        usage >&2
        exit 2
        ;;
    esac
    shift 2
  done
  if [[ ! $manifest =~ ^[0-9a-f]{64}$ || ! $failure_sleep =~ ^[0-9]{1,6}$ ]]; then
    usage >&2
    exit 2
  fi
}

# forget_outer_condor -- an HTCondor that runs us has set variables that would configure ours
forget_outer_condor() {
  local name
  while read -r name; do
    case $name in
      _CONDOR_* | CONDOR_* | _condor_* | BASH_ENV | ENV | CDPATH) unset "$name" ;;
    esac
  done < <(compgen -e)
}

# await COMMAND... -- run it; a signal meanwhile is answered at once, which a command in the foreground would delay
await() {
  local code=0
  "$@" < /dev/null &
  wait "$!" || code=$?
  return "$code"
}

# refuse_to_start WHY -- before anything of the sandbox is trusted; a node that fails at once would swallow glideins
refuse_to_start() {
  trap - ERR
  ((BASH_SUBSHELL == 0)) || exit 1
  say "$1; the node is kept busy for $failure_sleep s"
  await sleep "$failure_sleep"
  exit 1
}

# verify -- copy what the manifest lists into our private directory, then check the copies: nobody can change those
verify() {
  local digest name listed
  cp -- "$start_dir/manifest.sha256" "$work/main/"
  read -r digest _ < <(sha256sum "$work/main/manifest.sha256")
  if [[ $digest != "$manifest" ]]; then
    say "manifest.sha256 has digest $digest, the factory signed $manifest"
    return 1
  fi
  while read -r listed name; do
    if [[ ! $listed =~ ^[0-9a-f]{64}$ || ! $name =~ ^[A-Za-z0-9_][A-Za-z0-9._-]*$ ]]; then
      say "manifest.sha256 has a line that is not a digest and a name"
      return 1
    fi
    cp -- "$start_dir/$name" "$work/main/" || return 1
  done < "$work/main/manifest.sha256"
  (cd "$work/main" && sha256sum --check --strict --quiet manifest.sha256 >&2)
}

# children_end TENTHS -- wait so long for all children to end
children_end() {
  local tries
  for ((tries = $1; tries > 0; tries--)); do
    [[ -n $(jobs -pr) ]] || return 0
    sleep 0.1
  done
  return 1
}

# stop_children -- first kindly, so that jobs may clean up; by force before 4 seconds are over
stop_children() {
  signal_children TERM "" && children_end 20 && return
  signal_children QUIT "" && children_end 12 && return
  signal_children KILL -
}

# signal_children SIGNAL PREFIX -- to each child, or with the prefix - to its whole process group
signal_children() {
  local pid
  for pid in $(jobs -pr); do kill -s "$1" -- "$2$pid" 2> /dev/null || true; done
}

# sweep -- kill what carries our mark in its environment and is still there
sweep() {
  local file pid
  [[ -n ${GLIDEIN_UUID:-} ]] || return 0
  while read -r file; do
    pid=${file#/proc/}
    kill -s KILL "${pid%/environ}" 2> /dev/null || true
  done < <(grep -lsaF "GLIDEIN_UUID=$GLIDEIN_UUID" /proc/[0-9]*/environ)
}

# leave -- the last thing we do, however we end
leave() {
  local code=$?
  trap '' TERM INT HUP QUIT
  trap - EXIT
  stop_children || true
  sweep
  if [[ -n $work ]]; then rm -rf -- "$work"; fi
  exit "$code"
}

main() {
  parse_arguments "$@"
  trap leave EXIT
  trap 'refuse_to_start "unexpected failure at line $LINENO of ${BASH_SOURCE[0]##*/}"' ERR
  set -E
  trap 'say "told to end"; exit 143' TERM INT HUP QUIT
  local scratch=${_CONDOR_SCRATCH_DIR:-${TMPDIR:-/tmp}}
  forget_outer_condor
  export PATH="${PATH:-}:/usr/local/bin:/usr/bin:/bin"
  work=$(mktemp -d "$scratch/glide_XXXXXX")
  mkdir "$work"/{main,tmp,log,lock,run,spool,execute,tokens}
  chmod 755 "$work/execute" # as HTCondor wants it; nobody else gets past the work directory itself
  cd "$work"
  verify || refuse_to_start "the files do not match what the factory signed, nothing of them is run"
  chmod u+x main/* # a transfer may have lost it
  cp -- "$start_dir/token" "$work/tokens/glidein" # not in the manifest: it may be renewed, and the pool judges it
  # shellcheck source=glidein_scripts/glidein_config.bash
  source "$work/main/glidein_config.bash"
  write_glidein_config
  # shellcheck source=glidein_scripts/glidein_validation.bash
  source "$work/main/glidein_validation.bash"
  # shellcheck source=glidein_scripts/glidein_condor.bash
  source "$work/main/glidein_condor.bash"
  write_client_config
  validate_node
  run_condor
}

main "$@"
