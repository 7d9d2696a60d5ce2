# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # tests read what we set, and bats sets what we read
# What the shell tests build their situations from: a glidein's sandbox, and a worker node with a false HTCondor.

shopt -s extglob
SCRIPTS=$(cd "${BASH_SOURCE[0]%/*}/../../glidein_scripts" && pwd)

# a_release DIRECTORY -- HTCondor programs that only note how they are called; the master waits for SIGTERM
a_release() {
  mkdir -p "$1"/{bin,sbin,libexec}
  cat > "$1/sbin/condor_advertise" << 'FAKE'
#!/bin/bash
cat "$2" > "${BASH_SOURCE[0]%/*}/../advertised"
FAKE
  cat > "$1/sbin/condor_master" << 'FAKE'
#!/bin/bash
here=${BASH_SOURCE[0]%/*}/..
cp "$CONDOR_CONFIG" "$here/condor_config"
cp "${CONDOR_CONFIG%/*}/published.config" "$here/published.config"
env > "$here/environment"
trap 'exit 0' TERM
[[ ! -e $here/master_exits ]] || exit "$(cat "$here/master_exits")"
while [[ ! -e $here/stop ]]; do sleep 0.05; done
FAKE
  chmod +x "$1"/sbin/*
}

# a_sandbox -- the files of a glidein in $SANDBOX, sealed; it has no scripts to run yet
a_sandbox() {
  SANDBOX=$BATS_TEST_TMPDIR/start
  RELEASE=$BATS_TEST_TMPDIR/release
  SCRATCH=$BATS_TEST_TMPDIR/scratch
  mkdir -p "$SANDBOX" "$SCRATCH"
  a_release "$RELEASE"
  cp "$SCRIPTS"/* "$SANDBOX"
  : > "$SANDBOX/file_list"
  printf '%s\n' "GLIDEIN_Name glideroute" "GLIDEIN_Entry_Name e1" "GLIDEIN_Site SITE_A" "GLIDEIN_CPUS 1" \
    "GLIDEIN_MaxMemMBs 100" "GLIDEIN_Max_Walltime 86400" "CONDOR_DIR $RELEASE" > "$SANDBOX/entry.params"
  echo "COLLECTOR_HOST = 127.0.0.1:1" > "$SANDBOX/pool.config"
  echo "[]" > "$SANDBOX/storage.json"
  echo "a.b.c" > "$SANDBOX/token"
  seal
}

# a_script NAME -- standard input becomes a script of the sandbox
a_script() {
  { echo '#!/bin/bash'; cat; } > "$SANDBOX/$1"
  chmod +x "$SANDBOX/$1"
  echo "$1" >> "$SANDBOX/file_list"
  seal
}

# a_setting KEY VALUE -- of the entry
a_setting() {
  echo "$1 $2" >> "$SANDBOX/entry.params"
  seal
}

# seal -- write the manifest of all but itself and the token
seal() {
  (cd "$SANDBOX" && rm -f manifest.sha256 && sha256sum -- !(token) > "$BATS_TEST_TMPDIR/manifest")
  mv "$BATS_TEST_TMPDIR/manifest" "$SANDBOX/manifest.sha256"
  DIGEST=$(sha256sum < "$SANDBOX/manifest.sha256" | cut -d ' ' -f 1)
}

# glidein [ARGUMENT]... -- run the start-up as a batch system would
glidein() {
  cd "$SANDBOX" || return
  env -i PATH=/usr/local/bin:/usr/bin:/bin TMPDIR="$SCRATCH" BASH_ENV=/nonexistent \
    ./glidein_startup.sh -manifest "$DIGEST" -failure_sleep 0 "$@"
}

# start_glidein [ARGUMENT]... -- the same in the background; its process is $GLIDEIN
start_glidein() {
  (cd "$SANDBOX" && exec env -i PATH=/usr/local/bin:/usr/bin:/bin TMPDIR="$SCRATCH" \
    ./glidein_startup.sh -manifest "$DIGEST" -failure_sleep 0 "$@") > "$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
  GLIDEIN=$!
}

# await_file FILE -- until it is there, at most 10 seconds
await_file() {
  local tries
  for ((tries = 0; tries < 200; tries++)); do
    [[ ! -e $1 ]] || return 0
    sleep 0.05
  done
  return 1
}

# advertised ATTRIBUTE -- what the failure ad says, as it was written
advertised() { sed -n "s/^$1 = //p" "$RELEASE/advertised"; }

# a_node -- for one check alone: a glidein_config in the current directory, with ERROR_GEN_PATH and the rest
a_node() {
  NODE=$BATS_TEST_TMPDIR/node
  mkdir -p "$NODE/main"
  cd "$NODE" || return
  touch main/condor_vars.lst
  printf '%s\n' "ADD_CONFIG_LINE_SOURCE $SCRIPTS/add_config_line.source" "ERROR_GEN_PATH $SCRIPTS/error_gen.sh" \
    "CONDOR_VARS_FILE $NODE/main/condor_vars.lst" > glidein_config
  printf '%s\n' "$@" >> glidein_config
}

# a_program NAME -- standard input becomes a program that is found before the machine's
a_program() {
  mkdir -p "$BATS_TEST_TMPDIR/bin"
  { echo '#!/bin/bash'; cat; } > "$BATS_TEST_TMPDIR/bin/$1"
  chmod +x "$BATS_TEST_TMPDIR/bin/$1"
  PATH=$BATS_TEST_TMPDIR/bin:${PATH#"$BATS_TEST_TMPDIR/bin:"}
}

# check SCRIPT [DEFINITION] -- run a check on a_node as the glidein does, with some of its functions defined anew
check() {
  if (($# == 1)); then
    "$SCRIPTS/$1" glidein_config main < /dev/null
  else
    bash -c 'source "$1"; source /dev/stdin <<< "$2"; BASH_ARGV0=$1; main glidein_config main' \
      bash "$SCRIPTS/$1" "$2"
  fi
}

# published KEY -- the last value in the node's glidein_config
published() { sed -n "s/^$1 //p" "$NODE/glidein_config" | tail -n 1; }

# has TEXT -- whether the last `run` printed it
has() {
  [[ $output == *"$1"* ]] || {
    echo "expected: $1"
    echo "got: $output"
    return 1
  }
}
