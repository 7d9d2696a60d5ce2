#!/bin/bash
# Refuse a node where the promised Python cannot import the promised modules, or a promised path is not there.
# Called by the glidein: check_software.sh GLIDEIN_CONFIG REPOSITORY
# Keys: ROUTER_PYTHON (path; default python3), ROUTER_PYTHON_MODULES (names, by commas; default none: no check),
#       ROUTER_SOFTWARE_TAGS (names and paths, by commas; default none), ROUTER_IMPORT_TIMEOUT_S (default 120)
set -euo pipefail

# shellcheck source=glidein_scripts/lib.bash
source "${BASH_SOURCE[0]%/*}/lib.bash"

# Imports in one interpreter: the first module that fails is named, with the interpreter's last word on it.
# The last line is Python's version and, after a blank, the modules' own: what they call __version__.
readonly IMPORT_ALL='
import importlib, platform, re, sys
versions = []
for name in sys.argv[1:]:
    try:
        module = importlib.import_module(name)
        told = getattr(module, "__version__", None)
        if isinstance(told, str) and re.fullmatch(r"[A-Za-z0-9._+!-]{1,60}", told):
            versions.append(f"{name}-{told}")
    except BaseException as error:
        last = (str(error).strip().splitlines() or [""])[-1]
        sys.exit(f"cannot import {name}: {type(error).__name__}: {last}")
print(platform.python_version(), ",".join(versions))
'

# import_all SECONDS PYTHON MODULE... -- prints the versions, or why it cannot; isolated from cwd and PYTHONPATH
import_all() {
  local seconds=$1 python=$2
  shift 2
  timeout -k 5 "$seconds" "$python" -I -c "$IMPORT_ALL" "$@" 2>&1
}

# check_paths SECONDS TAG... -- of the tags, those that are paths must be there; a file system may hang
check_paths() {
  local seconds=$1 tag code
  shift
  for tag; do
    [[ $tag == /* ]] || continue
    code=0
    timeout -k 5 "$seconds" ls -d -- "$tag/." > /dev/null 2>&1 || code=$?
    ((code != 124 && code != 137)) || fail WN_Resource "$tag did not answer within $seconds s"
    ((code == 0)) || fail WN_Resource "the entry promises $tag, and there is no such directory"
  done
}

main() {
  local python seconds answer code=0
  local -a modules tags
  begin "$@"
  threshold seconds ROUTER_IMPORT_TIMEOUT_S 120
  python=$(setting ROUTER_PYTHON "")
  IFS=', ' read -ra modules <<< "$(setting ROUTER_PYTHON_MODULES "")"
  IFS=', ' read -ra tags <<< "$(setting ROUTER_SOFTWARE_TAGS "")"
  check_paths "$seconds" "${tags[@]}"
  tags+=("${modules[@]}")
  ((${#tags[@]} == 0)) || publish ROUTER_SOFTWARE S "$(IFS=, && echo "${tags[*]}")"
  if [[ -z $python ]] && ((${#modules[@]} == 0)); then
    pass
  fi
  python=${python:-python3}
  answer=$(import_all "$seconds" "$python" "${modules[@]}") || code=$?
  case $code in
    0) ;;
    124 | 137) fail WN_Resource "$python did not import ${modules[*]} within $seconds s; the software's disk may hang" ;;
    126 | 127) fail WN_Resource "there is no usable Python at $python: ${answer##*$'\n'}" ;;
    *) fail WN_Resource "$python ${answer##*$'\n'}" ;;
  esac
  answer=${answer##*$'\n'}
  publish ROUTER_PYTHON_VERSION S "${answer%% *}"
  [[ -z ${answer#* } ]] || publish ROUTER_MODULE_VERSIONS S "${answer#* }"
  pass Modules "${#modules[@]}"
}

[[ ${BASH_SOURCE[0]} != "$0" ]] || main "$@"
