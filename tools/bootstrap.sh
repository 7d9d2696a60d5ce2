#!/bin/bash
# Make .venv with everything the project needs, from the lock file.
# Usage: tools/bootstrap.sh [PYTHON]
# Safe to run twice at once; does nothing when the lock file is what is installed.
set -euo pipefail

cd "${BASH_SOURCE[0]%/*}/.."
python=${1:-python3}
stamp=.venv/.installed

die() {
  printf 'bootstrap: %s\n' "$@" >&2
  exit 1
}

wanted() {
  cat requirements/lock.txt pyproject.toml | sha256sum | cut -d ' ' -f 1
}

# A Debian python without the package python3-venv has no pip to put into an environment:
# take pip's wheel out of Debian's package, without touching the machine.
pip_from_debian() {
  local scratch=.venv/pip-wheel
  mkdir -p "$scratch"
  (cd "$scratch" && apt-get -q download python3-pip-whl >/dev/null && dpkg-deb -x ./*.deb .) ||
    die "this python has no venv module and Debian's python3-pip-whl could not be fetched." \
      "Install it with: apt-get install python3-venv"
  .venv/bin/python "$scratch"/usr/share/python-wheels/pip-*.whl/pip install -q --no-index \
    --find-links "$scratch/usr/share/python-wheels" pip
}

make_venv() {
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    die "$python is older than 3.11. Name another: make PYTHON=/path/to/python3.11"
  rm -rf .venv
  if ! "$python" -m venv .venv >/dev/null 2>&1; then
    rm -rf .venv
    "$python" -m venv --without-pip .venv
    pip_from_debian
  fi
}

main() {
  exec 9>.bootstrap.lock
  flock 9
  if [[ -f $stamp && $(<"$stamp") == "$(wanted)" ]]; then
    return
  fi
  printf 'Installing into .venv (about half a minute, once) …\n' >&2
  [[ -x .venv/bin/python && -x .venv/bin/pip ]] || make_venv
  .venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/lock.txt ||
    die "the packages could not be installed; is the Python package index reachable?"
  .venv/bin/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
  # An editable wheel brings copies of the data folders; the checkout's own are the ones to use.
  rm -rf .venv/lib/python*/site-packages/router
  wanted >"$stamp"
}

main
