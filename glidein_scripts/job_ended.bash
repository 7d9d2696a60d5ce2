# shellcheck shell=bash
# Whether jobs fail on this node one after the other and at once: then it takes no further ones.
# One wrong program fails alike everywhere. So failures count only when they come of several programs, and those that
# look like the user's fault only when they come of several users. Sourced by job_wrapper.sh.

# limit WORK KEY DEFAULT -- a whole number from glidein_config
limit() {
  local value
  value=$(awk -v key="$2" '$1 == key { found = $2 } END { print found }' "$1/glidein_config")
  [[ $value =~ ^[0-9]{1,9}$ ]] || value=$3
  printf '%s\n' "$((10#$value))"
}

# attribute AD NAME -- a number or a text of the ad, without its quotes; empty when it is not there
attribute() { sed -n "s/^$2 = \"\\{0,1\\}\\([^\"]*\\)\"\\{0,1\\}\$/\\1/p" <<< "$1" | head -n 1; }

# is_users CODE WRAPPED -- whether a job that ended so is rather the user's fault (router/model/event.py)
is_users() {
  [[ $2 == 1 ]] || return 0 # not our wrapper: a code that we do not know
  case $1 in 72 | 73 | 77 | 78) return 0 ;; 132 | 135 | 143 | 152) return 1 ;; esac
  (($1 > 128))
}

# witness AD CODE -- who speaks against the node
witness() {
  local task
  if ! is_users "$2" "$(attribute "$1" RouterWrapper)"; then
    task=$(attribute "$1" RouterTask)
    task=${task:-$(attribute "$1" ClusterId)}
  fi
  printf '%s %s\n' "$(attribute "$1" Owner)" "${task:-}"
}

# retire WORK STARTER -- the glidein takes no further jobs: its startd reads the settings again
retire() {
  local startd
  cat > "$1/black_hole.part" << CONFIG
GLIDEIN_ToRetire = $(date +%s)
ROUTER_BLACK_HOLE = True
STARTD_ATTRS = \$(STARTD_ATTRS) ROUTER_BLACK_HOLE
CONFIG
  mv -- "$1/black_hole.part" "$1/black_hole.config"
  startd=$(awk '{ print $4 }' "/proc/$2/stat")
  kill -s HUP "$startd"
}

# job_ended WORK AD CODE SECONDS -- note how a job ended here; STARTER is the parent of the process that ran it
job_ended() {
  local work=$1 failed=$1/lock/failed_in_a_row
  [[ ! -e $work/black_hole.config ]] || return 0
  exec 9>> "$work/lock/failed_at_once"
  flock -w 5 9
  if (($3 == 0 || $4 > $(limit "$work" ROUTER_HOLE_SECONDS 60))); then
    rm -f -- "$failed"
    return 0
  fi
  witness "$2" "$3" >> "$failed"
  if (($(wc -l < "$failed") >= $(limit "$work" ROUTER_HOLE_JOBS 5) && $(sort -u "$failed" | wc -l) >= 2)); then
    retire "$work" "$PPID"
  fi
}
