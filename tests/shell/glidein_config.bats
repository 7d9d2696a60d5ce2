#!/usr/bin/env bats
# The functions with which scripts read and write glidein_config, condor_vars.lst and reports.

bats_require_minimum_version 1.5.0

setup() {
  # shellcheck source=tests/shell/sandbox.bash
  source "$BATS_TEST_DIRNAME/sandbox.bash"
  a_node "GLIDEIN_Name glideroute"
  glidein_config=$NODE/glidein_config
  condor_vars_file=$NODE/main/condor_vars.lst
  # shellcheck source=glidein_scripts/add_config_line.source
  source "$SCRIPTS/add_config_line.source"
}

@test "the last line of a key wins, and its value keeps its blanks" {
  printf '%s\n' "A one" "A  two  words " "AB three" >> glidein_config
  [[ $(gconfig_get A) == " two  words " ]]
}

@test "a key that is absent or only begins alike gives nothing" {
  echo "AB three" >> glidein_config
  run -0 gconfig_get A
  [[ -z $output ]]
}

@test "-i ignores case, and only then" {
  echo "My_Key v" >> glidein_config
  [[ -z $(gconfig_get MY_KEY) && $(gconfig_get MY_KEY "$glidein_config" -i) == v ]]
}

@test "values come uniform on demand" {
  printf '%s\n' "A  Yes " "B No" "C tRuE" >> glidein_config
  [[ $(gconfig_get_trim A) == Yes && $(gconfig_get_tolower B) == no && $(gconfig_get_toupper C) == TRUE ]]
  [[ $(gconfig_get_bool B) == 0 && $(gconfig_get_bool C) == 1 && -z $(gconfig_get_bool D) ]]
}

@test "adding a key replaces it, keeps the others and a history" {
  echo "AB x" >> glidein_config
  gconfig_add A one
  add_config_line A two words
  [[ $(grep -c '^A ' glidein_config) == 1 && $(gconfig_get A) == "two words" && $(gconfig_get AB) == x ]]
  [[ $(cat glidein_config.history) == $'A one\nA two words' ]]
}

@test "a value with a newline stays one setting" {
  gconfig_add A $'one\nGLIDEIN_Site EVIL'
  [[ $(gconfig_get A) == "one GLIDEIN_Site EVIL" && -z $(gconfig_get GLIDEIN_Site) ]]
}

@test "safe additions by many at once are all kept" {
  for n in 1 2 3 4 5 6 7 8; do gconfig_add_safe "K$n" "$n" 3>&- & done
  wait
  [[ $(grep -c '^K' glidein_config) == 8 ]]
}

@test "publishing a key twice leaves one line" {
  add_condor_vars_line A S - + N Y +
  add_condor_vars_line A I - + N Y -
  [[ $(cat "$condor_vars_file") == "A I - + N Y -" ]]
}

@test "publishing without condor_vars_file warns and fails" {
  condor_vars_file=
  run -1 add_condor_vars_line A S - + N Y +
  has "A is not published"
}

@test "a report escapes what would break it, once" {
  run -0 "$SCRIPTS/error_gen.sh" -error a.sh Config 'x < y && z &amp; &lt;b&gt;' Metric 'a"b'
  grep -qF 'x &lt; y &amp;&amp; z &amp; &lt;b&gt;' otrb_output.xml
  python3 -c 'import xml.dom.minidom; xml.dom.minidom.parse("otrb_output.xml")'
}

@test "a report asked for wrongly is refused in words" {
  run -2 "$SCRIPTS/error_gen.sh" -error a.sh
  has "needs ID TYPE DETAIL"
  run -2 "$SCRIPTS/error_gen.sh" hello
  has "must be -ok or -error"
}
