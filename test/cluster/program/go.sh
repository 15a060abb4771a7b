#!/bin/bash
# go.sh: prints the path of a Go that can build the test cluster's program: that of PATH, or one of the usual places,
# or, on a Debian that has none of them, the newest that Debian's packages have (as root).
#
# Go 1.21 and newer fetch the version that go.mod asks for by themselves, where they may.
set -euo pipefail
cd "$(dirname "$0")"
needed=$(sed -n 's/^go //p' go.mod)

# Says no also for a Go that may not be fetched, or whose version does not know go.mod.
is_usable() { [ -x "$1" ] && "$1" list -m > /dev/null 2>&1; }

find_go() {
  local candidate
  for candidate in "$(command -v go || true)" /usr/local/go/bin/go $(ls -d /usr/lib/go-*/bin/go 2> /dev/null | sort -rV); do
    if is_usable "$candidate"; then echo "$candidate" && return; fi
  done
  return 1
}

# Debian 12 itself has Go 1.19; its backports have a newer one.
install_go() {
  local parts release
  parts=$(mktemp -d)
  release=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
  cp -rL /etc/apt/sources.list.d/. "$parts" 2> /dev/null || true
  echo "deb http://deb.debian.org/debian $release-backports main" > "$parts/backports.list"
  local options=(-o "Dir::Etc::SourceParts=$parts" -o DPkg::Lock::Timeout=300)
  echo "go.sh: installing Go" >&2
  {
    apt-get "${options[@]}" update
    DEBIAN_FRONTEND=noninteractive apt-get "${options[@]}" install -y --no-install-recommends -t "$release-backports" \
      ca-certificates golang-go
  } > /dev/null
  rm -rf "$parts"
}

if find_go; then exit 0; fi
if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
  install_go || true
  if find_go; then exit 0; fi
fi
echo "go.sh: Go $needed or newer is needed to build the test cluster, and there is none in PATH" >&2
exit 1
