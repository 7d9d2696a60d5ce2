# shellcheck shell=bash
# Run the validation scripts by GlideinWMS's contract; refuse the node when one of them fails.
# Sourced by glidein_startup.sh, which sets:
: "${work:?}" "${start_dir:?}" "${started:?}" "${failure_sleep:?}"

# validate_node -- all scripts of file_list, in order; returns only when all pass
validate_node() {
  local script
  while read -r script; do
    run_script "$script"
  done < "$work/main/file_list"
}

# run_script SCRIPT -- its exit code decides, and its otrb_output.xml must agree
run_script() {
  local script=$1 limit code=0
  limit=$(number GLIDEIN_Script_Timeout 300)
  rm -f -- otrb_output.xml
  await timeout -k 5 "$limit" "$work/main/$script" glidein_config main 2> "$work/tmp/script.err" || code=$?
  cat "$work/tmp/script.err" >&2
  if ((code == 0)); then
    [[ -s otrb_output.xml ]] || say "$script passed without writing a report"
    return
  fi
  if report_agrees; then
    refuse "$script" "$(report_metric failure)" "$(report_detail)"
  fi
  if ((code == 124 || code == 137)); then
    refuse "$script" WN_Resource "$script did not end within $limit s"
  fi
  refuse "$script" "" "$script ended with code $code and no report: $(tail -n 1 "$work/tmp/script.err")"
}

# report_agrees -- whether otrb_output.xml is a whole report of a failure
report_agrees() {
  [[ -f otrb_output.xml ]] || return 1
  head -n 4 otrb_output.xml | grep -q '<OSGTestResult ' &&
    head -n 8 otrb_output.xml | grep -q '<result>' &&
    tail -n 4 otrb_output.xml | grep -q '</OSGTestResult>' &&
    grep -q '</result>' otrb_output.xml &&
    grep -q '<status>' otrb_output.xml &&
    ! grep -q '<status>OK</status>' otrb_output.xml
}

# report_metric NAME -- the value of the report's metric, one word
report_metric() {
  sed -n "s/.*<metric name=\"$1\"[^>]*>\([A-Za-z_]*\)<.*/\1/p" otrb_output.xml | head -n 1
}

# report_detail -- what the script said, as one line of text
report_detail() {
  awk '/<detail>/ { on = 1 } on { print } /<\/detail>/ { exit }' otrb_output.xml |
    sed -e 's/.*<detail>//' -e 's/<\/detail>.*//' \
      -e 's/&lt;/</g' -e 's/&gt;/>/g' -e 's/&quot;/"/g' -e "s/&apos;/'/g" -e 's/&amp;/\&/g' |
    tr '[:cntrl:]' ' ' | tr -s ' ' | sed -e 's/^ //' -e 's/ $//' | head -c 1000
}

# refuse SCRIPT TYPE REASON -- tell the pool and the factory why, keep the node busy, end
refuse() {
  local rest=$failure_sleep pause refused
  refused=$(date +%s)
  say "$1 refused this node: $3"
  print_report "$@"
  advertise_failure "$refused" "$@"
  while ((rest > 0)); do
    pause=$(at_most "$rest" 250)
    await sleep "$pause"
    rest=$((rest - pause))
    ((rest == 0)) || advertise_failure "$refused" "$@" # before the collector forgets it
  done
  exit 1
}

# xml TEXT -- as XML character data
xml() { sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g; s/"/\&quot;/g' <<< "$1"; }

# print_report SCRIPT TYPE REASON -- in the form in which a GlideinWMS factory looks for it in the job's output
print_report() {
  local now
  now=$(date +%FT%T%:z)
  cat << REPORT
=== XML description of glidein activity ===
<?xml version="1.0"?>
<OSGTestResult id="glidein_startup.sh" version="4.3.1">
  <operatingenvironment>
    <env name="cwd">$(xml "$start_dir")</env>
  </operatingenvironment>
  <test>
    <cmd>$(xml "$1")</cmd>
    <tStart>$(date -d "@$started" +%FT%T%:z)</tStart>
    <tEnd>$now</tEnd>
  </test>
  <result>
    <status>ERROR</status>
    <metric name="failure" ts="$now" uri="local">$2</metric>
    <metric name="TestID" ts="$now" uri="local">$(xml "main/$1")</metric>
  </result>
  <detail>
$(xml "$3")
  </detail>
</OSGTestResult>
=== End XML description of glidein activity ===
REPORT
}
