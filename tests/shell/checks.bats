#!/usr/bin/env bats
# Each check alone: what it refuses, in which words, and what it publishes.

bats_require_minimum_version 1.5.0

setup() {
  # shellcheck source=tests/shell/sandbox.bash
  source "$BATS_TEST_DIRNAME/sandbox.bash"
}

# refused TYPE WORDS -- the last `run` refused the node so, in words and in the report
refused() {
  ((status == 1))
  has "$2"
  grep -q "<metric name=\"failure\" [^>]*>$1</metric>" otrb_output.xml
  grep -q '<status>ERROR</status>' otrb_output.xml
}

# passed -- the last `run` passed, and its report agrees
passed() {
  ((status == 0)) || { echo "$output"; return 1; }
  [[ ${1:-} == broken || $output != *"unexpected failure"* ]]
  grep -q '<status>OK</status>' otrb_output.xml
}

# a_disk FREE_MB -- df says so of every disk
a_disk() {
  a_program df << FAKE
echo "Filesystem 1048576-blocks Used Available Capacity Mounted on"
echo "/dev/x 100000M 1M ${1}M 1% /"
FAKE
}

@test "scratch space: enough passes and is published" {
  a_node "ROUTER_DISK_MB 5000"
  a_disk 5000
  run check check_scratch_space.sh
  passed
  [[ $(published ROUTER_SCRATCH_MB) == 5000 ]]
  grep -qx 'ROUTER_SCRATCH_MB I - + N Y +' main/condor_vars.lst
}

@test "scratch space: too little is refused with both numbers" {
  a_node "ROUTER_DISK_MB 5000"
  a_disk 4999
  run check check_scratch_space.sh
  refused WN_Resource "scratch has 4999 MB free, a job needs 5000 MB"
}

@test "scratch space: the entry's own threshold beats its promise" {
  a_node "ROUTER_DISK_MB 5000" "ROUTER_MIN_SCRATCH_MB 100"
  a_disk 150
  run check check_scratch_space.sh
  passed
}

@test "scratch space: a full temporary directory is refused" {
  a_node "ROUTER_MIN_TMP_MB 300" "ROUTER_DISK_MB 100"
  a_disk 200
  run check check_scratch_space.sh
  refused WN_Resource "/tmp has 200 MB free, a job needs 300 MB"
}

@test "scratch space: a directory in which nothing can be written is refused" {
  a_node
  TMPDIR=/proc run check check_scratch_space.sh
  refused WN_Resource "cannot write in the temporary directory /proc"
}

@test "memory: what the node has passes and is published" {
  a_node "GLIDEIN_MaxMemMBs 64"
  run check check_memory.sh 'cgroup_mb() { :; }'
  passed
  (($(published ROUTER_MEMORY_MB) >= 64))
}

@test "memory: a promise beyond the node is refused" {
  a_node "GLIDEIN_MaxMemMBs 4000"
  run check check_memory.sh 'physical_mb() { echo 3999; }'
  refused WN_Resource "the node has 3999 MB of memory, the entry promises 4000 MB"
}

@test "memory: the batch system's limit counts" {
  a_node "GLIDEIN_MaxMemMBs 64"
  run check check_memory.sh 'cgroup_mb() { echo 63; }'
  refused WN_Resource "the batch system gives 63 MB of memory"
}

@test "memory: ulimit -v counts" {
  a_node "GLIDEIN_MaxMemMBs 900"
  (ulimit -v 512000; run check check_memory.sh 'cgroup_mb() { :; }'; refused WN_Resource "ulimit -v allows 500 MB")
}

@test "cpus: as many as promised pass" {
  a_node "GLIDEIN_CPUS 4"
  a_program nproc <<< 'echo 4'
  run check check_cpus.sh
  passed
  [[ $(published ROUTER_NODE_CPUS) == 4 ]]
}

@test "cpus: fewer are refused" {
  a_node "GLIDEIN_CPUS 4"
  a_program nproc <<< 'echo 3'
  run check check_cpus.sh
  refused WN_Resource "3 cores are usable here, the entry promises 4"
}

@test "cpus: auto, as under GlideinWMS, wants one" {
  a_node "GLIDEIN_CPUS auto"
  run check check_cpus.sh
  passed
}

@test "clock: a node that lives before its glidein was prepared is refused" {
  a_node "ROUTER_NOT_BEFORE $(($(date +%s) + 1000))"
  run check check_clock.sh
  refused WN_Resource "the glidein was prepared after that"
}

# a_collector SKEW -- its clock is ahead of ours by so many seconds; it evaluates the constraints check_clock.sh asks
a_collector() {
  mkdir -p release/bin
  cat > release/bin/condor_status << FAKE
#!/bin/bash
while [[ \$1 != -constraint ]]; do shift; done
there=\$((\$(date +%s) + $1))
if ((\${2//time()/\$there})); then echo Collector; fi
FAKE
  chmod +x release/bin/condor_status
  echo "CONDOR_DIR $PWD/release" >> glidein_config
}

@test "clock: one that agrees with the collector's passes" {
  a_node
  a_collector 100
  run check check_clock.sh
  passed
  [[ $(published ROUTER_CLOCK_OK) == true ]]
}

@test "clock: one behind the collector's is refused" {
  a_node
  a_collector 200
  run check check_clock.sh
  refused WN_Resource "more than 120 s behind the collector's"
}

@test "clock: one ahead of the collector's is refused" {
  a_node "ROUTER_MAX_CLOCK_SKEW_S 30"
  a_collector -40
  run check check_clock.sh
  refused WN_Resource "more than 30 s ahead of the collector's"
}

@test "clock: a collector that cannot be asked costs no node" {
  a_node
  a_program condor_status <<< 'exit 1'
  run check check_clock.sh
  passed
}

# a_ping EXIT_CODE WORDS -- HTCondor's condor_ping answers so
a_ping() {
  mkdir -p release/bin
  printf '#!/bin/bash\necho "%s"\nexit %s\n' "$2" "$1" > release/bin/condor_ping
  chmod +x release/bin/condor_ping
}

@test "pool: one that lets the glidein join passes" {
  a_node "CONDOR_DIR $BATS_TEST_TMPDIR/node/release"
  a_ping 0 "ADVERTISE_STARTD command using (AES, AES, and IDTOKENS) succeeded"
  run check check_pool.sh
  passed
}

@test "pool: one that cannot be reached is a fault of the network" {
  a_node "CONDOR_DIR $BATS_TEST_TMPDIR/node/release" "GLIDEIN_Collector cm.example.org:9618"
  a_ping 1 "ERROR: failed to make connection to <192.0.2.1:9618>"
  run check check_pool.sh
  refused Network "cm.example.org:9618 cannot be reached from here: ERROR: failed to make connection"
}

@test "pool: one that does not take the token says so" {
  a_node "CONDOR_DIR $BATS_TEST_TMPDIR/node/release" "GLIDEIN_Collector cm.example.org:9618"
  a_ping 1 "ADVERTISE_STARTD failed!  Use -verbose for more information."
  run check check_pool.sh
  refused VO_Proxy "cm.example.org:9618 does not let this glidein join with its token"
}

@test "software: nothing promised, nothing asked" {
  a_node
  run check check_software.sh
  passed
}

@test "software: modules that import pass, and Python's version is published" {
  a_node "ROUTER_PYTHON $(command -v python3)" "ROUTER_PYTHON_MODULES json,xml.dom"
  run check check_software.sh
  passed
  [[ $(published ROUTER_PYTHON_VERSION) == 3.+([0-9.]) ]]
  [[ $(published ROUTER_MODULE_VERSIONS) == json-+([0-9.]) ]]
}

@test "software: the module that does not import is named, with the interpreter's last word" {
  a_node "ROUTER_PYTHON $(command -v python3)" "ROUTER_PYTHON_MODULES json,no_such_module"
  run check check_software.sh
  refused WN_Resource "cannot import no_such_module: ModuleNotFoundError: No module named 'no_such_module'"
}

@test "software: a Python that is not there is named" {
  a_node "ROUTER_PYTHON /nowhere/python"
  run check check_software.sh
  refused WN_Resource "there is no usable Python at /nowhere/python"
}

@test "software: an import that hangs is ended" {
  a_node "ROUTER_PYTHON $BATS_TEST_TMPDIR/bin/python" "ROUTER_PYTHON_MODULES slow" "ROUTER_IMPORT_TIMEOUT_S 1"
  a_program python <<< 'sleep 60'
  run check check_software.sh
  refused WN_Resource "did not import slow within 1 s"
}

@test "software: a module in the work directory does not pass for an installed one" {
  a_node "ROUTER_PYTHON $(command -v python3)" "ROUTER_PYTHON_MODULES local_only"
  touch local_only.py
  PYTHONPATH=$PWD run check check_software.sh
  refused WN_Resource "cannot import local_only"
}

@test "software: tags and modules are published together, where the paths among them are there" {
  mkdir "$BATS_TEST_TMPDIR/repository"
  a_node "ROUTER_PYTHON $(command -v python3)" "ROUTER_PYTHON_MODULES json" \
    "ROUTER_SOFTWARE_TAGS root-6.30,$BATS_TEST_TMPDIR/repository"
  run check check_software.sh
  passed
  [[ $(published ROUTER_SOFTWARE) == "root-6.30,$BATS_TEST_TMPDIR/repository,json" ]]
}

@test "software: a promised path that is not there is named" {
  a_node "ROUTER_SOFTWARE_TAGS root-6.30,/cvmfs/no.such.repository"
  run check check_software.sh
  refused WN_Resource "the entry promises /cvmfs/no.such.repository, and there is no such directory"
}

@test "software: a promised path that does not answer is named" {
  a_node "ROUTER_SOFTWARE_TAGS /cvmfs/slow" "ROUTER_IMPORT_TIMEOUT_S 1"
  a_program ls <<< 'sleep 60'
  run check check_software.sh
  refused WN_Resource "/cvmfs/slow did not answer within 1 s"
}

# some_gpus PROPERTY... -- what condor_gpu_discovery finds: as many GPUs as there are arguments
some_gpus() {
  local found=0 n=0 properties
  mkdir -p "$BATS_TEST_TMPDIR/condor/libexec"
  for properties; do
    if ((n++ == 0)); then found='"GPU-1'; else found+=", GPU-$n"; fi
  done
  ((n == 0)) || found+='"'
  {
    echo '#!/bin/bash'
    echo "echo 'DetectedGPUs=$found'"
    for properties; do echo "echo 'GPU_x=[ $properties ]'"; done
  } > "$BATS_TEST_TMPDIR/condor/libexec/condor_gpu_discovery"
  chmod +x "$BATS_TEST_TMPDIR/condor/libexec/condor_gpu_discovery"
}

@test "gpus: an entry that promises none looks for none" {
  a_node "CONDOR_DIR /nowhere"
  run check check_gpus.sh
  passed
}

@test "gpus: as many and as good as promised pass" {
  a_node "CONDOR_DIR $BATS_TEST_TMPDIR/condor" "ROUTER_GPUS 2" "ROUTER_GPU_MEMORY_MB 16000" "ROUTER_GPU_CAPABILITY 7.5"
  some_gpus "Capability=7.5; GlobalMemoryMb=24220;" "Capability=10.0; GlobalMemoryMb=16000;"
  run check check_gpus.sh
  passed
}

@test "gpus: too few, too little memory and too little capability are refused with both numbers" {
  a_node "CONDOR_DIR $BATS_TEST_TMPDIR/condor" "ROUTER_GPUS 2" "ROUTER_GPU_MEMORY_MB 16000" "ROUTER_GPU_CAPABILITY 7.5"
  some_gpus "Capability=8.0; GlobalMemoryMb=24220;"
  run check check_gpus.sh
  refused WN_Resource "the node has 1 GPUs, the entry promises 2"
  some_gpus
  run check check_gpus.sh
  refused WN_Resource "the node has 0 GPUs, the entry promises 2"
  some_gpus "Capability=8.0; GlobalMemoryMb=24220;" "Capability=8.0; GlobalMemoryMb=15999;"
  run check check_gpus.sh
  refused WN_Resource "a GPU has 15999 MB of memory, the entry promises 16000 MB"
  some_gpus "Capability=8.0; GlobalMemoryMb=24220;" "Capability=7.0; GlobalMemoryMb=24220;"
  run check check_gpus.sh
  refused WN_Resource "a GPU has capability 7.0, the entry promises 7.5"
}

@test "gpus: a node where HTCondor cannot look for them is refused" {
  a_node "CONDOR_DIR /nowhere" "ROUTER_GPUS 1"
  run check check_gpus.sh
  refused WN_Resource "the node's GPUs cannot be looked at"
}

@test "a threshold that is no number is the entry's fault, not the node's" {
  a_node "ROUTER_MIN_CPUS many"
  run check check_cpus.sh
  refused VO_Config "the entry's ROUTER_MIN_CPUS is 'many'; give a whole number"
}

@test "a check that breaks by its own mistake does not refuse the node" {
  a_node
  run check check_cpus.sh 'setting() { false; }'
  passed broken
  has "the node is not refused for it"
  run check check_cpus.sh 'publish() { no_such_command; }'
  passed broken
}

@test "a periodic run prints only ClassAd lines and may start anywhere" {
  a_node "GLIDEIN_CPUS 1"
  mkdir elsewhere
  cd elsewhere
  GLIDEIN_PERIODIC_SCRIPT=true run --separate-stderr "$SCRIPTS/check_cpus.sh" "$NODE/glidein_config" main
  passed
  [[ $output =~ ^ROUTER_NODE_CPUS\ =\ [0-9]+$ ]]
  [[ ! -s $NODE/main/condor_vars.lst ]]
}

# a_glideinwms -- the functions of its start-up as its scripts see them: no locking, no escaping, no strict mode
a_glideinwms() {
  cat > add_config_line.source << 'THEIRS'
gconfig_get() { tac "${2:-$glidein_config}" | grep -m1 "^$1 " | cut -d ' ' -f 2-; }
gconfig_get_toupper() { gconfig_get "$@" | tr '[:lower:]' '[:upper:]'; }
gconfig_add() { k=$1; shift; grep -v "^$k " "$glidein_config" > new; echo "$k $*" >> new; mv new "$glidein_config"; }
add_condor_vars_line() { [ -n "$condor_vars_file" ] || return 1; echo "$*" >> "$condor_vars_file"; }
THEIRS
  cat > error_gen.sh << 'THEIRS'
#!/bin/bash
if [ "$1" = -error ]; then status=ERROR; metric="<metric name=\"failure\" ts=\"1\" uri=\"local\">$3</metric>"; detail=$4; else status=OK; fi
printf '<OSGTestResult id="%s">\n<result>\n<status>%s</status>\n%s\n</result>\n<detail>%s</detail>\n</OSGTestResult>\n' \
  "$2" "$status" "$metric" "$detail" > otrb_output.xml
THEIRS
  chmod +x error_gen.sh
  sed -i -e "s|^ADD_CONFIG_LINE_SOURCE .*|ADD_CONFIG_LINE_SOURCE $PWD/add_config_line.source|" \
    -e "s|^ERROR_GEN_PATH .*|ERROR_GEN_PATH $PWD/error_gen.sh|" glidein_config
}

@test "every check runs under GlideinWMS's own functions" {
  a_node "GLIDEIN_CPUS auto"
  a_glideinwms
  for script in "$SCRIPTS"/check_*.sh; do
    rm -f otrb_output.xml
    run check "${script##*/}"
    passed
  done
  [[ $(grep -vc '^ROUTER_[A-Z_]* [ISC] - + N Y +$' main/condor_vars.lst) == 0 ]]
}

@test "a message with < & > stays one well-formed report under GlideinWMS" {
  a_node "ROUTER_PYTHON /a<b>&\"c'/python"
  a_glideinwms
  run check check_software.sh
  ((status == 1))
  python3 -c 'import sys, xml.dom.minidom as x; d = x.parse("otrb_output.xml").getElementsByTagName("detail")[0]
sys.exit("/a<b>&\"c" not in d.firstChild.data)'
}

@test "isolation: a job that can look at nothing of ours makes it namespaces" {
  a_node
  run -0 check check_isolation.sh 'probe() { return 0; }'
  [[ $(published ROUTER_ISOLATION) == namespaces ]]
}

@test "isolation: where jobs cannot be kept apart the node says so, and is refused where that is required" {
  a_node
  run -0 check check_isolation.sh 'probe() { echo "unshare failed: Operation not permitted"; return 1; }'
  [[ $(published ROUTER_ISOLATION) == none ]]
  a_node "ROUTER_REQUIRE_ISOLATION true"
  run -1 check check_isolation.sh 'probe() { echo "unshare failed: Operation not permitted"; return 1; }'
  has "jobs cannot be kept apart from the glidein here: unshare failed: Operation not permitted"
}

@test "isolation: a wrapper that hides nothing is found out" {
  a_node
  run -0 check check_isolation.sh 'probe() { mkdir -p execute/dir_probe tokens; echo secret > tokens/probe; (cd execute/dir_probe && look $$); }'
  [[ $(published ROUTER_ISOLATION) == none ]]
}
