#!/bin/bash
# packages.sh: installs the Debian packages that the test cluster stands on, those that are missing. As root.
set -euo pipefail
packages=(busybox-static containerd containernetworking-plugins iproute2 iptables mmdebstrap openssl runc)

list_missing() {
  local package
  for package in "${packages[@]}"; do
    dpkg-query -W -f '${Status}' "$package" 2> /dev/null | grep -q 'ok installed' || echo "$package"
  done
}

command -v dpkg-query > /dev/null || { echo "packages.sh: the test cluster runs on Debian; install by hand what is like ${packages[*]}" >&2; exit 1; }
mapfile -t missing < <(list_missing)
((${#missing[@]} > 0)) || exit 0
echo "packages.sh: installing ${missing[*]}" >&2
{
  apt-get update
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "${missing[@]}"
} > /dev/null
mapfile -t missing < <(list_missing)
((${#missing[@]} == 0)) || { echo "packages.sh: still missing: ${missing[*]}" >&2; exit 1; }
