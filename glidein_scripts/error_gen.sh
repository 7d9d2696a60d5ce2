#!/bin/bash
# Write the result of a validation script to ./otrb_output.xml, by GlideinWMS's call contract:
#   error_gen.sh -ok    ID [METRIC VALUE]...
#   error_gen.sh -error ID TYPE DETAIL [METRIC VALUE]...
set -euo pipefail

# xml TEXT -- TEXT as XML character data; entities that are already there stay as they are
xml() {
  printf '%s' "$1" | tr -d '\000-\010\013-\037' |
    sed -E 's/&(amp|lt|gt|quot|apos);/\x01\1;/g; s/&/\&amp;/g; s/\x01/\&/g; s/</\&lt;/g; s/>/\&gt;/g; s/"/\&quot;/g'
}

# metrics [NAME VALUE]... -- one element for each pair
metrics() {
  local now
  now=$(date +%Y-%m-%dT%H:%M:%S%:z)
  while (($# >= 2)); do
    printf '    <metric name="%s" ts="%s" uri="local">%s</metric>\n' "$(xml "$1")" "$now" "$(xml "$2")"
    shift 2
  done
}

# report ID STATUS DETAIL [NAME VALUE]... -- the document
report() {
  local id=$1 status=$2 detail=$3
  shift 3
  echo '<?xml version="1.0"?>'
  printf '<OSGTestResult id="%s" version="4.3.1">\n' "$(xml "$id")"
  printf '  <result>\n    <status>%s</status>\n' "$status"
  metrics "$@"
  printf '  </result>\n  <detail>\n%s\n  </detail>\n</OSGTestResult>\n' "$(xml "$detail")"
}

main() {
  local kind=${1:-} id=${2:-}
  case $kind in
    -ok) report "$id" OK "Validated" "${@:3}" > otrb_output.xml ;;
    -error)
      if (($# < 4)); then
        echo "error_gen.sh -error needs ID TYPE DETAIL" >&2
        return 2
      fi
      report "$id" ERROR "$4" failure "$3" "${@:5}" > otrb_output.xml
      ;;
    *)
      echo "error_gen.sh: the first argument must be -ok or -error, not '$kind'" >&2
      return 2
      ;;
  esac
}

main "$@"
