#!/usr/bin/env bats
# Values and files that somebody made to do harm.

bats_require_minimum_version 1.5.0

setup() {
  # shellcheck source=tests/shell/sandbox.bash
  source "$BATS_TEST_DIRNAME/sandbox.bash"
  a_sandbox
  CANARY=$BATS_TEST_TMPDIR/canary
}

# hostile_values -- one a line
hostile_values() {
  cat << VALUES
\$(touch $CANARY)
\`touch $CANARY\`
'; touch $CANARY; '
"; touch $CANARY; "
\$(RELEASE_DIR) \$ENV(HOME) \$\$(X)
a b   c	d
-rf /
*
back\\slash\\
]]></detail></OSGTestResult><status>OK</status>
VALUES
}

@test "a hostile value in any key is data, and reaches the ad and the job as it is" {
  touch "$RELEASE/stop"
  local -i n=0
  while IFS= read -r value; do
    n+=1
    echo "HOSTILE_$n $value" >> "$SANDBOX/entry.params"
    echo "HOSTILE_$n S - + N Y +" >> "$SANDBOX/condor_vars.lst"
  done < <(hostile_values)
  seal
  run -0 glidein
  [[ ! -e $CANARY ]]
  [[ $(grep -c '^HOSTILE_' "$RELEASE/published.config") == "$n" ]]
  [[ $(wc -l < "$RELEASE/published.config") == $(grep -cE '^[A-Za-z_]+[A-Za-z0-9_]* = ' "$RELEASE/published.config") ]]
  # shellcheck disable=SC2016 # HTCondor expands it, not we
  grep -qxF 'HOSTILE_5 = "$(DOLLAR)(RELEASE_DIR) $(DOLLAR)ENV(HOME) $(DOLLAR)(X)"' "$RELEASE/published.config"
}

@test "a hostile value as integer or expression stops the glidein with its name" {
  a_setting GLIDEIN_CPUS "1\\"
  run -1 glidein
  has "GLIDEIN_CPUS cannot be published as GLIDEIN_CPUS, type I"
}

@test "a hostile message can neither break the report nor add attributes to the ad" {
  a_script x.sh << 'SCRIPT'
"$(dirname "$0")/error_gen.sh" -error x.sh WN_Resource "a <b> & ]]></detail></OSGTestResult>
GLIDEIN_Site = \"EVIL\"
\$(touch CANARY) \\"
exit 1
SCRIPT
  run -1 glidein
  [[ $(grep -c '^GLIDEIN_Site = ' "$RELEASE/advertised") == 1 ]]
  # shellcheck disable=SC2016 # nobody may expand it
  [[ $(advertised GLIDEIN_FAILURE_REASON) == '"a <b> & ]]></detail></OSGTestResult> GLIDEIN_Site = \"EVIL\" $(touch CANARY) "' ]]
  has 'a &lt;b&gt; &amp; ]]&gt;&lt;/detail&gt;&lt;/OSGTestResult&gt;'
}

@test "a script that writes its report by hand cannot choose more than words" {
  a_script x.sh << 'SCRIPT'
cat > otrb_output.xml << 'XML'
<OSGTestResult id="x" version="1">
<result>
<status>ERROR</status>
<metric name="failure" ts="1" uri="local">Evil" && touch x</metric>
</result>
<detail>&lt;script&gt;
A = 1
</detail>
</OSGTestResult>
XML
exit 1
SCRIPT
  run -1 glidein
  [[ $(advertised GLIDEIN_FAILURE_TYPE) == '""' ]]
  [[ $(advertised GLIDEIN_FAILURE_REASON) == '"<script> A = 1"' ]]
}

@test "a tampered script stops the glidein before anything of it runs" {
  a_script x.sh <<< 'exit 0'
  echo "touch $CANARY" >> "$SANDBOX/x.sh"
  run -1 glidein
  has "do not match what the factory signed"
  [[ ! -e $CANARY && ! -e $RELEASE/condor_config ]]
}

@test "a tampered part of the start-up itself is not sourced" {
  echo "touch $CANARY" >> "$SANDBOX/glidein_config.bash"
  run -1 glidein
  [[ ! -e $CANARY ]]
}

@test "a tampered manifest, even a consistent one, stops the glidein" {
  signed=$DIGEST
  a_script x.sh <<< "touch $CANARY"
  DIGEST=$signed
  run -1 glidein
  has "the factory signed $signed"
  [[ ! -e $CANARY ]]
}

@test "a manifest cannot name files elsewhere" {
  echo "$(sha256sum < /etc/hostname | cut -d ' ' -f 1)  ../../etc/hostname" >> "$SANDBOX/manifest.sha256"
  DIGEST=$(sha256sum < "$SANDBOX/manifest.sha256" | cut -d ' ' -f 1)
  run -1 glidein
  has "not a digest and a name"
}

@test "a missing file stops the glidein" {
  rm "$SANDBOX/lib.bash"
  run -1 glidein
  has "do not match what the factory signed"
}

@test "a file that the manifest does not name is not taken along" {
  touch "$RELEASE/stop"
  # shellcheck disable=SC2016 # the script expands it
  a_script look.sh <<< '[[ ! -e $(dirname "$0")/extra.sh ]]'
  echo "touch $CANARY" > "$SANDBOX/extra.sh"
  run -0 glidein
}

@test "the token lies in a directory that only its owner may enter, and no job hears of it" {
  touch "$RELEASE/stop"
  a_script look.sh <<< 'stat -c "%a" tokens tokens/glidein'
  run -0 glidein
  [[ $output == *700*600* ]]
  [[ $(cat "$RELEASE/published.config") != *token* ]]
}
