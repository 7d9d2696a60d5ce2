#!/bin/bash
# Run bats: the machine's, or else Debian's package unpacked into a cache folder; the machine is not changed.
# Usage: tools/bats.sh [bats arguments]...   (for instance: tools/bats.sh tests/shell)
set -euo pipefail

cache=${XDG_CACHE_HOME:-$HOME/.cache}/glideroute/bats

# apt COMMAND... -- apt-get with lists and cache of its own, so that any user may call it
apt() {
  apt-get -qq -o Dir::State::lists="$1/lists" -o Dir::Cache="$1/cache" -o APT::Sandbox::User="$(id -un)" \
    -o Debug::NoLocking=true "${@:2}"
}

# fetch -- unpack the package into the cache folder, whole or not at all
fetch() (
  if ! command -v apt-get > /dev/null || ! command -v dpkg-deb > /dev/null; then
    echo "tools/bats.sh: there is no bats here, and no apt-get to fetch it; install bats (bats-core)" >&2
    exit 1
  fi
  mkdir -p "${cache%/*}"
  fresh=$(mktemp -d "$cache.XXXXXX")
  trap 'rm -rf -- "$fresh"' EXIT
  mkdir -p "$fresh"/{lists,cache/archives}/partial "$fresh/root"
  apt "$fresh" update
  (cd "$fresh" && apt "$fresh" download bats)
  dpkg-deb -x "$fresh"/bats_*.deb "$fresh/root"
  mv -T -- "$fresh/root" "$cache" 2> /dev/null || [[ -x $cache/usr/bin/bats ]] # another run may have been quicker
)

main() {
  if command -v bats > /dev/null; then
    exec bats "$@"
  fi
  if [[ ! -x $cache/usr/bin/bats ]]; then
    fetch
  fi
  exec "$cache/usr/bin/bats" "$@"
}

main "$@"
